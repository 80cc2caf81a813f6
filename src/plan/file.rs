//! The plan file: YAML made for review in a pull request.
//!
//! The seal is a digest of everything but the identity of the target, so that the same inputs give the
//! same bytes and an edit by hand is seen. `plan --allow` seals anew.

use super::fingerprint::Fingerprints;
use crate::catalog::Identity;
use crate::error::{Error, Result};
use crate::kinds::{facet, Hazard, Lock};
use crate::model::{Address, Grants, Node};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the plan format.
pub const FORMAT: u32 = 1;

/// A reviewed way from one state of a database to another, and back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub pgplumb_plan: u32,
    /// The program that wrote it.
    pub made_by: String,
    pub target: PlanTarget,
    /// Digest of all below.
    pub seal: String,
    pub summary: String,
    /// Where it was tried before anybody saw it, or `false`; absent where there is nothing to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed: Option<Rehearsed>,
    /// Why it was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_rehearsed: Option<String>,
    pub reads: ReadScope,
    /// Hazards that a reviewer allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Allowed>,
    /// What the data or the role's privileges say against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What was not looked at, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_checked: Vec<String>,
    pub batches: Vec<Batch>,
    /// What must not have changed when it is applied.
    pub fingerprints: Fingerprints,
    /// What it leaves behind: path to the digest of its spec, or `absent`.
    pub after: BTreeMap<String, String>,
    /// Owners and grants that it leaves behind, where it changes them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, Held>,
}

/// Whom it is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanTarget {
    #[serde(flatten)]
    pub identity: Identity,
    pub server: String,
    pub role: String,
}

/// Whether a plan was tried in scratch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rehearsed {
    On(Rehearsal),
    /// `false`: it was not.
    Not(bool),
}

/// A trial of a plan and of its way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehearsal {
    /// The scratch server, such as `PostgreSQL 16`.
    pub server: String,
    /// How many made-up rows were there.
    pub rows: usize,
    /// What could not be tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What has to be read to check the fingerprints.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadScope {
    pub major: u32,
    pub schemas: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// Reference rows as path and spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<(String, String)>,
}

/// A hazard at an address that may happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    pub hazard: Hazard,
    pub address: String,
}

impl Allowed {
    /// The option that allows it, as words for a POSIX shell.
    pub fn option(&self) -> String {
        format!("--allow '{}:{}'", self.hazard.word(), self.address.replace('\'', r"'\''"))
    }
}

/// Something that speaks against the plan: rows that would be refused, or a privilege that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub address: String,
    pub text: String,
    /// How many rows, where it is about rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Keys of some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

/// Steps that are committed together, and the way back from there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Live tables and the strongest lock on each: taken first, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<TableLock>,
    pub steps: Vec<Step>,
    /// Brings back the state before this batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Batch>,
    /// Why there is no way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_undo: Option<String>,
}

impl Batch {
    /// Whether it runs statement by statement.
    pub fn outside_transaction(&self) -> bool {
        self.steps.iter().flat_map(|s| &s.hazards).any(|n| n.hazard == Hazard::NotInTransaction)
    }
}

/// A lock on a live table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableLock {
    /// The table's name in SQL.
    pub table: String,
    pub mode: Lock,
}

impl TableLock {
    /// The statement that takes it.
    pub fn sql(&self) -> String {
        format!("LOCK TABLE {} IN {} MODE", self.table, self.mode.sql())
    }
}

/// Who has something after a plan, as far as the declaration says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Role to what it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Grants>,
}

impl Held {
    /// What a node says of it.
    pub fn of(node: &Node) -> Self {
        Self { owner: node.owner.as_deref().map(str::to_owned), grants: node.grants.as_deref().cloned() }
    }

    /// Whether a live node is held so.
    pub fn holds(&self, live: &Node) -> bool {
        facet::is_held(live, self.owner.as_deref(), self.grants.as_ref())
    }
}

/// One operation on one address: its statements run one after the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `create`, `alter`, `rename`, `drop`, `release`.
    #[serde(rename = "do")]
    pub verb: String,
    /// For people: `column app.orders.total`.
    pub address: String,
    /// The full path.
    pub at: String,
    pub sql: Vec<String>,
    #[serde(default, skip_serializing_if = "is_no_lock")]
    pub lock: Lock,
    /// Live relations that the strongest lock is taken on, with the size of each to a power of ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// What others cannot do meanwhile.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub blocks: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hazards: Vec<HazardNote>,
    /// Why this step cannot be undone, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// Positions of statements that read or write rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<usize>,
}

fn is_no_lock(lock: &Lock) -> bool {
    *lock == Lock::None
}

/// A hazard and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HazardNote {
    pub hazard: Hazard,
    pub why: String,
    /// Whether a reviewer has to allow it before it runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_leave: bool,
}

/// The statements that begin a batch's transaction. Constraints are checked at once, so that what a statement does
/// to rows fails there and does not stand in the way of the next.
pub fn begin(lock_timeout: &str) -> String {
    let timeout = crate::sql::literal(lock_timeout);
    format!("BEGIN; SET LOCAL lock_timeout = {timeout}; SET CONSTRAINTS ALL IMMEDIATE")
}

impl Plan {
    /// The digest of everything but the identity of the target and the seal itself.
    fn digest(&self) -> Result<String> {
        let mut bare = self.clone();
        bare.seal = String::new();
        bare.target = PlanTarget {
            identity: Identity { system: None, database: String::new(), database_oid: 0 },
            server: String::new(),
            role: String::new(),
        };
        let text = serde_json::to_string(&bare).map_err(|e| Error::new(format!("the plan cannot be written: {e}")))?;
        Ok(blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect())
    }

    /// Seals the plan as it is now.
    pub fn seal(&mut self) -> Result<()> {
        self.seal = self.digest()?;
        Ok(())
    }

    /// The text of the file.
    pub fn write(&self) -> Result<String> {
        let yaml = serde_yaml::to_string(self).map_err(|e| Error::new(format!("the plan cannot be written: {e}")))?;
        Ok(format!(
            "# Reviewed with `pgplumb show`, run with `pgplumb apply`. An edit by hand breaks the seal.\n{yaml}"
        ))
    }

    /// Reads a file. Errors: no plan, another version, or a broken seal.
    pub fn read(text: &str, name: &str) -> Result<Self> {
        let plan: Self = serde_yaml::from_str(text).map_err(|e| {
            Error::new(format!("{name} is not a plan of this version: {e}"))
                .with_hint("`pgplumb plan --out FILE` writes one")
        })?;
        if plan.pgplumb_plan != FORMAT {
            let message = format!("{name} has plan format {}, this program reads {FORMAT}", plan.pgplumb_plan);
            return Err(Error::new(message).with_hint("make the plan anew with `pgplumb plan`"));
        }
        if plan.digest()? != plan.seal {
            let message = format!("{name} was changed after it was sealed");
            return Err(Error::new(message)
                .with_hint("make the plan anew with `pgplumb plan`; hazards are allowed with `--allow`"));
        }
        Ok(plan)
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Marks it as not tried.
    pub fn untried(&mut self, why: &str) {
        self.rehearsed = Some(Rehearsed::Not(false));
        self.not_rehearsed = Some(why.to_owned());
    }

    /// Why it was not tried in scratch, if it was not.
    pub fn why_not_rehearsed(&self) -> Option<&str> {
        match &self.rehearsed {
            Some(Rehearsed::On(_)) => None,
            None if self.is_empty() => None,
            Some(Rehearsed::Not(_)) | None => Some(self.not_rehearsed.as_deref().unwrap_or("nobody says why")),
        }
    }

    /// All steps in their order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.batches.iter().flat_map(|b| &b.steps)
    }

    /// Hazards that need a reviewer's leave and do not have it.
    pub fn not_allowed(&self) -> Vec<Allowed> {
        not_allowed(&self.batches, &self.allowed)
    }
}

/// Hazards in batches that need leave and do not have it, each once.
pub fn not_allowed(batches: &[Batch], allowed: &[Allowed]) -> Vec<Allowed> {
    let mut missing: Vec<Allowed> = batches
        .iter()
        .flat_map(|b| &b.steps)
        .flat_map(|step| step.hazards.iter().filter(|n| n.needs_leave).map(move |note| (note.hazard, step)))
        .map(|(hazard, step)| Allowed { hazard, address: step.address.clone() })
        .filter(|a| !allowed.contains(a))
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

impl Allowed {
    /// Reads `HAZARD:ADDRESS`; the address in the short form, with or without its kind.
    pub fn parse(text: &str, known: &[Self]) -> Result<Vec<Self>> {
        let words = Hazard::ALL.map(Hazard::word).join(", ");
        let (word, address) = text.split_once(':').ok_or_else(|| {
            Error::new(format!("`{text}` is not HAZARD:ADDRESS")).with_hint(format!("hazards are {words}"))
        })?;
        let hazard = Hazard::ALL.into_iter().find(|h| h.word() == word.trim().replace('-', "_"));
        let Some(hazard) = hazard else {
            return Err(Error::new(format!("there is no hazard `{word}`")).with_hint(format!("hazards are {words}")));
        };
        let address = address.trim();
        let short = |full: &str| full.split_once(' ').map_or(full.to_owned(), |(_, name)| name.to_owned());
        let found: Vec<Self> = known
            .iter()
            .filter(|k| {
                k.hazard == hazard
                    && (k.address == address || short_name(&k.address, address) || short(&k.address) == address)
            })
            .cloned()
            .collect();
        if found.is_empty() {
            let list =
                known.iter().filter(|k| k.hazard == hazard).map(|k| k.address.clone()).collect::<Vec<_>>().join(", ");
            let message = format!("the plan has no hazard {} at `{address}`", hazard.word());
            let hint =
                if list.is_empty() { "it has none of that sort".to_owned() } else { format!("it has it at: {list}") };
            return Err(Error::new(message).with_hint(hint));
        }
        Ok(found)
    }
}

/// Kinds of two words: `foreign key app.orders.fk`.
fn short_name(full: &str, wanted: &str) -> bool {
    full.strip_suffix(wanted).is_some_and(|kind| kind.ends_with(' ') && crate::kinds::find(kind.trim_end()).is_some())
}

/// The address that a step's path names.
pub fn address_of(path: &str) -> Option<Address> {
    Address::parse(path, crate::kinds::kind_of_path)
}

#[cfg(test)]
mod tests {
    use super::Allowed;
    use crate::kinds::Hazard;

    #[test]
    fn an_option_is_one_word_for_a_shell() {
        let allowed = Allowed { hazard: Hazard::DataLoss, address: "table public.\"it's $x\"".into() };
        assert_eq!(allowed.option(), r#"--allow 'data_loss:table public."it'\''s $x"'"#);
    }
}
