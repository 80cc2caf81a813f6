//! Random schemas for tests of properties: what a database might hold, a related one to migrate to,
//! the SQL of both for `psql`, rows, and smaller candidates when something went wrong.
//!
//! Nothing here knows the program under test, so it may stand against it. Rows satisfy everything
//! by construction: the value of a column in row `k` depends on the column's type and `k` alone, all
//! conditions come from a vocabulary that holds for these values, and so a foreign key between
//! columns of one type finds its row. The same makes every migration from a schema to its mutation
//! possible with rows inside.
//!
//! - `schema`: the description;
//! - `expression`: conditions, defaults and values by type;
//! - `random`: new things; `keyed`: keys, indexes and foreign keys; `acting`: policies, triggers,
//!   functions, views;
//! - `mutate`: related schemas, and `mutate_table` for what is inside tables;
//! - `reference`: rows that a declaration may ask for;
//! - `repair`: what has lost what it needs goes;
//! - `write`: DDL, `write_table` for tables, and rows;
//! - `shrink`: smaller candidates.

#![allow(dead_code, unused_imports)]

mod acting;
mod expression;
mod keyed;
mod mutate;
mod mutate_table;
mod random;
mod reference;
mod repair;
pub mod schema;
mod shrink;
mod write;
mod write_table;

pub use mutate::{mutate, mutate_by, sorts};
pub use random::random;
pub use reference::{references, Reference};
pub use repair::portable;
pub use schema::Schema;
pub use shrink::{shrink, shrink_pair};
pub use write::{rows, sql};

/// The roles that grants, owners and policies name. They belong to the cluster: see [`roles_sql`].
pub const ROLES: [&str; 2] = ["gen reader", "gen_writer"];

/// Creates [`ROLES`] where they are missing.
pub fn roles_sql() -> String {
    ROLES
        .map(|role| {
            format!(
            "do $$ begin if not exists (select from pg_roles where rolname = '{role}') then create role \"{role}\"; \
             end if; end $$;\n"
        )
        })
        .concat()
}

/// SplitMix64: the same numbers for the same seed, for ever.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Less than `bound`, and 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several; panics on none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of several words.
    pub fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    /// One of those for which the condition holds.
    pub fn pick_where<'a, T>(&mut self, from: &'a [T], holds: impl Fn(&T) -> bool) -> Option<&'a T> {
        let fit: Vec<&T> = from.iter().filter(|one| holds(one)).collect();
        (!fit.is_empty()).then(|| *self.pick(&fit))
    }

    /// Some of several, in their order, at least one if there is any.
    pub fn some_of<T: Clone>(&mut self, from: &[T], at_most: usize) -> Vec<T> {
        let mut left: Vec<usize> = (0..from.len()).collect();
        let count = 1 + self.below(at_most.min(from.len()));
        while left.len() > count {
            left.remove(self.below(left.len()));
        }
        left.into_iter().map(|at| from[at].clone()).collect()
    }
}
