//! What a kind says about changing things: statements with their locks and hazards.

use crate::model::{Address, Model, Node};
use serde::{Deserialize, Serialize};

/// What can go wrong when a statement runs, beyond its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hazard {
    /// Rows, values or whole relations are gone afterwards.
    DataLoss,
    /// Somebody may see or change more than before.
    AccessWidened,
    /// Readers wait for longer than constant work.
    BlocksReads,
    /// Writers wait for longer than constant work.
    BlocksWrites,
    /// The table is written anew.
    Rewrites,
    /// Cannot run inside a transaction: what came before it stays if it fails.
    NotInTransaction,
    /// Rows that are there, or come before it runs, can make it fail.
    MayFailOnData,
}

impl Hazard {
    pub const ALL: [Self; 7] = [
        Self::DataLoss,
        Self::AccessWidened,
        Self::BlocksReads,
        Self::BlocksWrites,
        Self::Rewrites,
        Self::NotInTransaction,
        Self::MayFailOnData,
    ];

    /// The word on the command line and in plan files.
    pub fn word(self) -> &'static str {
        match self {
            Self::DataLoss => "data_loss",
            Self::AccessWidened => "access_widened",
            Self::BlocksReads => "blocks_reads",
            Self::BlocksWrites => "blocks_writes",
            Self::Rewrites => "rewrites",
            Self::NotInTransaction => "not_in_transaction",
            Self::MayFailOnData => "may_fail_on_data",
        }
    }

    /// Whether a reviewer has to allow it by name before `apply` runs the statement, given the rows of the
    /// largest table that is concerned: on a small table nobody waits long.
    pub fn needs_leave(self, rows: u64) -> bool {
        match self {
            Self::DataLoss | Self::AccessWidened => true,
            Self::BlocksReads | Self::BlocksWrites | Self::Rewrites => rows >= SMALL_TABLE,
            Self::NotInTransaction | Self::MayFailOnData => false,
        }
    }
}

/// Rows up to which a scan or a rewrite is a matter of moments.
const SMALL_TABLE: u64 = 100_000;

/// The strongest lock a statement takes on a relation that others use (manual, section 13.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    #[default]
    None,
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl Lock {
    /// What others cannot do while it is held.
    pub fn blocks(self) -> &'static str {
        match self {
            Self::None | Self::AccessShare | Self::RowShare | Self::RowExclusive => "nothing",
            Self::ShareUpdateExclusive => "other schema changes",
            Self::Share | Self::ShareRowExclusive | Self::Exclusive => "writes",
            Self::AccessExclusive => "reads and writes",
        }
    }

    /// The SQL words, as LOCK TABLE takes them.
    pub fn sql(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }
}

/// One statement with what it does to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub sql: String,
    pub lock: Lock,
    /// Relations that the lock is taken on.
    pub on: Vec<Address>,
    /// Hazards with a reason in words.
    pub hazards: Vec<(Hazard, String)>,
    /// Whether it reads or writes the values of rows.
    pub data: bool,
    /// Whether it runs what is declared on rows, triggers and checks, and leaves no expression behind that names are looked up
    /// for: it may run under a search path.
    pub runs: bool,
    /// Whether it gives a column another type: a session that has fired triggers of the table would no longer run them.
    pub retypes: bool,
    /// Must be committed before anything that uses its result (a new enum value).
    pub commit_after: bool,
    /// Comes in a transaction of its own at the end: a scan that must not prolong the locks before it.
    pub deferred: bool,
    /// Why the way back does not bring back what was there, where somebody asked for just that.
    pub one_way: Option<&'static str>,
}

impl Change {
    /// A statement and its lock; hazards are added with [`Change::hazard`].
    pub fn new(sql: impl Into<String>, lock: Lock, on: &[Address]) -> Self {
        Self {
            sql: sql.into(),
            lock,
            on: on.to_vec(),
            hazards: Vec::new(),
            data: false,
            runs: false,
            retypes: false,
            commit_after: false,
            deferred: false,
            one_way: None,
        }
    }

    pub fn hazard(mut self, hazard: Hazard, reason: impl Into<String>) -> Self {
        self.hazards.push((hazard, reason.into()));
        self
    }

    pub fn hazard_if(self, condition: bool, hazard: Hazard, reason: impl Into<String>) -> Self {
        if condition {
            self.hazard(hazard, reason)
        } else {
            self
        }
    }

    /// Marks a statement whose way back brings back something else.
    pub fn one_way(mut self, why: &'static str) -> Self {
        self.one_way = Some(why);
        self
    }

    /// Marks a statement that waits for the end.
    pub fn deferred(mut self) -> Self {
        self.deferred = true;
        self
    }

    /// Marks a statement that reads or writes the values of rows.
    pub fn data(mut self) -> Self {
        self.data = true;
        self
    }

    /// Marks a statement that gives a column another type.
    pub fn retypes(mut self) -> Self {
        self.retypes = true;
        self
    }

    /// Marks a statement that runs what is declared on rows.
    pub fn runs(mut self) -> Self {
        self.runs = true;
        self
    }
}

/// How an old node becomes a new one.
#[derive(Debug)]
pub enum Alter {
    /// In place, by these statements.
    InPlace(Vec<Change>),
    /// In place, but its dependents (views, policies, triggers, generated columns...) stand in the way:
    /// they are taken down before and put up again after it.
    Rebuild(Vec<Change>),
    /// The old one is moved aside and a new one created (`begin`), its users move over one by one, and
    /// the old one is dropped (`end`).
    Swap { begin: Vec<Change>, end: Vec<Change> },
    /// Only by dropping it and creating it anew, with all its dependents.
    Replace,
    /// Not at all without losing what must not be lost: why, and what to do instead.
    Refuse(String),
}

/// What happened to something that a node depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is dropped and created anew.
    Replaced,
    /// It is altered in a way that some dependents stand in the way of.
    Rebuilt,
    /// It is swapped for a new one under the same name.
    Swapped,
}

/// What becomes of a dependent.
#[derive(Debug)]
pub enum Rebind {
    /// It is dropped before and created after.
    Replace,
    /// PostgreSQL carries it along, or it does not notice.
    Keep,
    /// Statements between the creation of the new and the drop of the old one; its own dependents
    /// stand in the way as in [`Alter::Rebuild`].
    Move(Vec<Change>),
    /// Statements that let go of it before, and take hold of it after.
    Lift { before: Vec<Change>, after: Vec<Change> },
}

/// A question to the data before a plan is approved. The query returns one row: the number of
/// rows that would be refused, and up to three of their keys as text.
#[derive(Clone, Debug)]
pub struct Question {
    pub sql: String,
    /// What the rows would be refused for: `3 rows have no value`.
    pub refused: String,
}

/// What a kind may look at when it writes statements.
pub struct Scope<'a> {
    pub actual: &'a Model,
    pub desired: &'a Model,
    /// Server major that the statements are for.
    pub major: u32,
    /// Estimated rows of live tables (`pg_class.reltuples`, 0 for empty or unknown), by address.
    pub sizes: &'a dyn Fn(&Address) -> u64,
    /// Whether policies can hold back the role that statements run as.
    pub held_by_policies: bool,
    /// What default privileges on the target give to new things of a class in a schema.
    pub default_grants: &'a dyn Fn(char, &str) -> DefaultGrants,
    /// Whether a live spec says what a desired one says, in whatever words the server prints it.
    pub same_spec: fn(&Node, &Node) -> bool,
}

/// What default privileges make of a new thing's ACL (manual, ALTER DEFAULT PRIVILEGES).
#[derive(Clone, Debug, Default)]
pub struct DefaultGrants {
    /// Who creates it, and owns it at first.
    pub creator: String,
    /// Those for all schemas stand in place of the built-in ones, the creator's own included.
    pub instead: Option<crate::model::Grants>,
    /// Those for its schema come on top.
    pub added: crate::model::Grants,
}

impl Scope<'_> {
    /// The node as desired, or else as it is.
    pub fn node(&self, address: &Address) -> Option<&Node> {
        self.desired.get(address).or_else(|| self.actual.get(address))
    }

    /// Whether the relation is live and may hold rows, so that locks on it can hurt somebody.
    pub fn has_rows(&self, relation: &Address) -> bool {
        self.actual.get(relation).is_some() && (self.sizes)(relation) > 0
    }
}
