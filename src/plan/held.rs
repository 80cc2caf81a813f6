//! What a step and a transaction say of locks: drawn from what the kinds announce, or from what was measured.

use super::file::{Step, TableLock};
use crate::kinds::relation::relation;
use crate::kinds::{self, Lock};
use crate::model::Address;
use std::collections::BTreeMap;

/// The strongest lock on each relation.
pub type Locks = BTreeMap<Address, Lock>;

/// Adds locks, of which the strongest on each relation stays.
pub fn add(locks: &mut Locks, more: impl IntoIterator<Item = (Address, Lock)>) {
    for (address, lock) in more {
        let strongest = locks.entry(address).or_default();
        *strongest = (*strongest).max(lock);
    }
}

impl Step {
    /// Writes down the locks that it takes on relations that were there before its plan. Those on relations with
    /// rows are what matters: others are spoken of only where there is none.
    pub fn holds(&mut self, locks: &Locks, sizes: &dyn Fn(&Address) -> u64) {
        let heavy = |lock: Lock| lock >= Lock::RowExclusive;
        let full: Vec<(&Address, Lock)> =
            locks.iter().filter(|(a, lock)| heavy(**lock) && sizes(a) > 0).map(|(a, lock)| (a, *lock)).collect();
        let others = locks.values().copied().filter(|lock| heavy(*lock)).max().unwrap_or_default();
        self.lock = full.iter().map(|(_, lock)| *lock).max().unwrap_or(others);
        let strongest = full.iter().filter(|(_, lock)| *lock == self.lock);
        self.on = strongest.map(|(address, _)| format!("{address} ({})", size(sizes(address)))).collect();
        let idle = self.on.is_empty() || self.lock.blocks() == "nothing";
        self.blocks = if idle { String::new() } else { self.lock.blocks().to_owned() };
    }
}

/// The locks that a transaction takes first: those on tables that would make others wait.
pub fn taken_first(locks: &Locks) -> Vec<TableLock> {
    let tables = locks.iter().filter(|(a, mode)| **mode > Lock::RowExclusive && kinds::kind_of(a).holds_rows());
    tables.map(|(address, mode)| TableLock { table: relation(address), mode: *mode }).collect()
}

/// 1,234 rows are about 1000.
fn size(rows: u64) -> String {
    let mut power = 1u64;
    while power.saturating_mul(10) <= rows {
        power = power.saturating_mul(10);
    }
    if power == 1 {
        "a few rows".into()
    } else {
        format!("about {power} rows")
    }
}
