//! What is asked of a catalog, in stages: nothing in a stage depends on what else is in it.

use super::load::Depth;
use super::session::for_major;
use super::{depend, printing};
use crate::kinds::{Catalog, Kind, Trees, KINDS};

const UNREAD: &str = "\
select n.nspname::text, c.relname::text,
       case when c.relkind = 'f' then 'a foreign table' when c.relispartition then 'a partition'
            when c.relkind = 'p' then 'a partitioned table'
            when exists (select from pg_inherits i where i.inhrelid = c.oid) then 'a table that inherits from another'
            else 'a table that another inherits from' end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relnamespace = any ($1)
  and (c.relkind in ('p', 'f') or c.relkind = 'r' and (c.relispartition
       or exists (select from pg_inherits i where i.inhrelid = c.oid or i.inhparent = c.oid)))";

const COMMENTS: &str = "\
select d.classoid, d.objoid, d.objsubid, d.description from pg_description d where d.objoid >= 16384 or d.objoid = any ($1)";

/// What foreign keys refer to, with the columns of what no kind reads.
const REFERENCED: &str = "\
select r.oid, r.oid, a.attnum::int4, n.nspname::text, r.relname::text, a.attname::text, a.atttypid, a.attcollation
from (
  select distinct confrelid from pg_constraint where contype = 'f' and connamespace = any ($1)
) k
join pg_class r on r.oid = k.confrelid
join pg_namespace n on n.oid = r.relnamespace
left join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and r.oid <> all ($2)";

/// What one query gives.
pub enum Part {
    /// The things of a kind.
    Kind(&'static dyn Kind, Catalog),
    /// Their expressions.
    Trees(&'static dyn Kind, &'static Trees),
    /// The query of that number among a kind's asides.
    Aside(&'static dyn Kind, usize, &'static str),
    Referenced,
    Comments,
    Unmodelled,
    Unread,
    /// Who depends on what.
    Needs,
    /// What is a part of something else.
    Parts,
}

impl Part {
    /// `settled`: nothing changes until all is read.
    pub fn query(&self, major: u32, settled: bool) -> String {
        match self {
            Self::Kind(_, catalog) => for_major(catalog.query, major),
            Self::Trees(_, trees) => printing::query(trees, settled),
            Self::Aside(_, _, query) => for_major(query, major),
            Self::Referenced => REFERENCED.to_owned(),
            Self::Comments => COMMENTS.to_owned(),
            Self::Unmodelled => for_major(include_str!("unmodelled.sql"), major),
            Self::Unread => UNREAD.to_owned(),
            Self::Needs => depend::Links::all(),
            Self::Parts => depend::PARTS.to_owned(),
        }
    }
}

/// The stages, in their order.
pub struct Stages {
    /// What has no parent, then what stands right in schemas: other things stand below these.
    pub above: [Vec<Part>; 2],
    /// What the rest refers to.
    pub references: Vec<Part>,
    /// Columns, whose expressions refer to none as a rule, and what is no kind's.
    pub columns: Vec<Part>,
    /// What is made of columns.
    pub rest: Vec<Part>,
}

impl Stages {
    /// `whole`: also what no kind models.
    pub fn of(major: u32, whole: bool, depth: Depth) -> Self {
        let (mut above, mut columns, mut rest) = ([Vec::new(), Vec::new()], Vec::new(), Vec::new());
        let (mut trees, mut asides) = (Vec::new(), Vec::new());
        for (kind, catalog) in KINDS.iter().filter_map(|kind| Some((*kind, kind.catalog()?))) {
            trees.extend(kind.trees().map(|own| Part::Trees(kind, own)));
            let asked =
                kind.asides().iter().enumerate().filter(|(_, query)| !for_major(query, major).trim().is_empty());
            asides.extend(asked.map(|(number, query)| Part::Aside(kind, number, query)));
            let stage = if catalog.is_root() {
                &mut above[0]
            } else if catalog.is_in_schema() {
                &mut above[1]
            } else if kind.is_column() {
                &mut columns
            } else {
                &mut rest
            };
            stage.push(Part::Kind(kind, catalog));
        }
        if depth >= Depth::Links {
            columns.extend([Part::Needs, Part::Parts]);
        }
        columns.push(Part::Comments);
        if whole {
            columns.extend([Part::Unmodelled, Part::Unread]);
        }
        // What takes long comes first.
        let references = trees.into_iter().chain(asides).chain([Part::Referenced]).collect();
        Self { above, references, columns, rest }
    }
}
