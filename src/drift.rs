//! Drift: where a live database is not what its declaration says, field by field. Pure, and without
//! knowledge of kinds: fields are those of the specs, and the facets that all kinds share.

use crate::catalog::Unread;
use crate::decide::Undecided;
use crate::diff::{self, Comparison, Delta, Pairs};
use crate::engine::Live;
use crate::kinds::{self, facet};
use crate::model::{Address, Grants, Model, Node, Privilege};
use crate::sql::qualified;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    /// Sorted by address; what falls with its parent is counted there.
    pub differences: Vec<Difference>,
    /// Texts that differ and may mean the same.
    pub undecided: Vec<Open>,
    /// All that was compared, down to relations, routines and types; sorted.
    pub things: Vec<Address>,
    /// How many declared addresses were compared.
    pub compared: usize,
    pub notes: Notes,
}

/// What is no drift, and worth knowing.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Declared, but nobody could look: whether it agrees is not known.
    pub not_checked: Vec<String>,
    /// Held live on things whose declaration says nothing of grants, beyond what is held by default.
    pub undeclared_grants: Vec<UndeclaredGrants>,
    /// Grants that another role than the owner made: the thing, and the entry as PostgreSQL prints it.
    pub foreign_grants: Vec<(Address, String)>,
    /// In owned schemas, of kinds that are not managed.
    pub not_managed: Vec<String>,
}

/// Who holds what on a thing whose grants are not declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndeclaredGrants {
    pub address: Address,
    /// Role to privileges, in words. An empty list is a default that was revoked.
    pub held: BTreeMap<String, Vec<String>>,
}

/// One address at which database and declaration disagree.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub address: Address,
    pub change: Change,
    /// In what, for what is there and declared.
    pub fields: Vec<Field>,
    /// What is missing or extra with it, as kind and number.
    pub below: BTreeMap<String, usize>,
    /// The address that it has live, where the declaration names it as the former one.
    pub was: Option<Address>,
}

/// Something that nobody can tell from what is declared, and nobody can say to be the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// With the fields that are open.
    pub difference: Difference,
    pub why: String,
}

/// How an address differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Declared, not there.
    Missing,
    /// There, not declared.
    Extra,
    /// Not as declared.
    Changed,
}

impl Change {
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Changed => "changed",
        }
    }
}

/// One field; None where that side has nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: String,
    pub declared: Option<Value>,
    pub live: Option<Value>,
}

impl Drift {
    /// Compares what was read with the declaration, for a server of this major. What is undecided is set aside.
    pub fn of(live: &Live, desired: &Model, undecided: &[Undecided], major: u32) -> Self {
        let Live { model, unmanaged: _, surroundings: _, unmodelled, unread, unchecked, foreign_grants, astray: _ } =
            live;
        let mut drift = Self::with_open(model, desired, undecided, major);
        // What could not be read is neither there nor missing.
        drift.differences.retain(|d| {
            let words = format!("{}: ", d.address);
            d.change != Change::Missing || !unchecked.iter().any(|u| u.starts_with(&words))
        });
        // Nor is what is there, and is more than what is declared under that name can be.
        let mut not_checked = unchecked.clone();
        drift.differences.retain(|d| {
            let node = desired.get(&d.address).filter(|_| d.change == Change::Missing);
            let slots = node.map(|node| kinds::kind_of(&d.address).slots(node)).unwrap_or_default();
            let held = |u: &&Unread| slots.contains(&("relation".to_owned(), qualified(&u.schema, &u.name)));
            let Some(unread) = unread.iter().find(held) else { return true };
            not_checked.push(format!("{}: it is {}, which is not managed", d.address, unread.what));
            false
        });
        // What was not looked at was not found in order either.
        let unseen = |thing: &Address| not_checked.iter().any(|words| words.starts_with(&format!("{thing}: ")));
        if !not_checked.is_empty() {
            drift.things.retain(|thing| !unseen(thing));
        }
        let notes = &mut drift.notes;
        notes.not_checked = not_checked;
        notes.not_managed = unmodelled.iter().map(|u| u.what.clone()).collect();
        notes.foreign_grants = foreign_grants.iter().map(|(at, grant)| (at.clone(), grant.printed.clone())).collect();
        notes.not_checked.sort();
        notes.not_managed.sort();
        notes.foreign_grants.sort();
        drift
    }

    /// Compares two models; texts that may mean the same are no differences, but open.
    pub fn with_open(actual: &Model, desired: &Model, undecided: &[Undecided], major: u32) -> Self {
        if undecided.is_empty() {
            return Self::between(actual, desired, major);
        }
        let mut open = Vec::new();
        let nodes = desired.nodes().iter().cloned().map(|mut node| {
            let at = undecided.binary_search_by(|u| u.address.cmp(&node.address));
            if let (Some(found), Some(live)) = (at.ok().and_then(|at| undecided.get(at)), actual.get(&node.address)) {
                let mut all = fields(live, &node, true);
                node.prints.extend(found.texts.iter().cloned());
                let certain = fields(live, &node, true);
                all.retain(|field| !certain.contains(field));
                let (address, change) = (node.address.clone(), Change::Changed);
                let difference = Difference { address, change, fields: all, below: BTreeMap::new(), was: None };
                open.push(Open { difference, why: found.why.clone() });
            }
            node
        });
        let likened = Model::new(nodes.collect());
        Self { undecided: open, ..Self::between(actual, &likened, major) }
    }

    /// Compares two models, for a server of this major.
    pub fn between(actual: &Model, desired: &Model, major: u32) -> Self {
        let (mut differences, mut things): (Vec<Difference>, Vec<Address>) = Default::default();
        let mut notes = Notes::default();
        for part in diff::in_parts(actual, desired, |pairs| Part::of(pairs, major)) {
            things.extend(part.things);
            notes.undeclared_grants.extend(part.undeclared_grants);
            for delta in part.deltas {
                let Some(address) = delta.node().map(|n| &n.address) else { continue };
                // What comes and goes with its parent is said there.
                if kinds::kind_of(address).is_implied() && (delta.old.is_none() || delta.new.is_none()) {
                    continue;
                }
                let above =
                    differences.last_mut().filter(|d| address.is_within(&d.address) && d.change != Change::Changed);
                match above {
                    Some(above) => *above.below.entry(address.kind().to_owned()).or_default() += 1,
                    None => differences.extend(difference(&delta, actual, desired)),
                }
            }
        }
        let undecided = Vec::new();
        Self { differences, undecided, things, compared: desired.nodes().len(), notes }
    }

    /// Whether nothing differs in what could be compared.
    pub fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }

    /// Whether all could be compared.
    pub fn is_whole(&self) -> bool {
        self.undecided.is_empty() && self.notes.not_checked.is_empty()
    }

    /// How many differ in this way.
    pub fn count(&self, change: Change) -> usize {
        self.differences.iter().filter(|d| d.change == change).count()
    }
}

/// What a look at a part of two models shows: once through both, since they may be large.
#[derive(Default)]
struct Part<'a> {
    deltas: Vec<Delta<'a>>,
    things: Vec<Address>,
    undeclared_grants: Vec<UndeclaredGrants>,
}

impl<'a> Part<'a> {
    fn of(pairs: Pairs<'a>, major: u32) -> Self {
        let (mut part, mut comparison) = (Self::default(), Comparison::default());
        let mut usual = Usual { major, grants: BTreeMap::new() };
        for (old, new) in pairs {
            part.things.extend(new.or(old).map(|n| &n.address).filter(|address| address.is_thing()).cloned());
            if let (Some(live), Some(declared)) = (old, new) {
                part.undeclared_grants.extend(usual.undeclared(live, declared));
            }
            part.deltas.extend(comparison.delta(old, new));
        }
        part
    }
}

fn difference(delta: &Delta, actual: &Model, desired: &Model) -> Option<Difference> {
    let (change, node, fields) = match (delta.old, delta.new) {
        (Some(old), Some(new)) => (Change::Changed, new, fields(old, new, delta.spec)),
        (Some(old), None) => (Change::Extra, old, Vec::new()),
        (None, new) => (Change::Missing, new?, Vec::new()),
    };
    let was = node.hints.as_ref().and_then(|h| h.was.as_deref()).map(|was| node.address.renamed(was));
    let was = was.filter(|was| change == Change::Missing && actual.get(was).is_some() && desired.get(was).is_none());
    Some(Difference { address: node.address.clone(), change, fields, below: BTreeMap::new(), was })
}

/// What differs between a live node and the declared one.
fn fields(old: &Node, new: &Node, spec: bool) -> Vec<Field> {
    let mut fields = Vec::new();
    if spec {
        match (new.spec.read::<Value>(), old.spec.read::<Value>()) {
            (Ok(declared), Ok(live)) => compare("", Some(&declared), Some(&live), &new.prints, &mut fields),
            _ => fields.push(field("definition", text(new.spec.as_json()), text(old.spec.as_json()))),
        }
    }
    if new.owner.is_some() && new.owner != old.owner {
        fields.push(field("owner", new.owner.as_deref().and_then(text), old.owner.as_deref().and_then(text)));
    }
    if new.comment != old.comment {
        fields.push(field("comment", new.comment.as_deref().and_then(text), old.comment.as_deref().and_then(text)));
    }
    if let (Some(declared), Some(live)) = (&new.grants, &old.grants) {
        let roles: BTreeSet<&String> = declared.0.keys().chain(live.0.keys()).collect();
        for role in roles {
            let (wanted, held) = (declared.0.get(role), live.0.get(role));
            if wanted != held {
                let list = |held: Option<&Vec<Privilege>>| held.map(|held| words(held).into());
                fields.push(field(&format!("grants to {role}"), list(wanted), list(held)));
            }
        }
    }
    fields
}

fn field(name: &str, declared: impl Into<Option<Value>>, live: impl Into<Option<Value>>) -> Field {
    Field { name: name.to_owned(), declared: declared.into(), live: live.into() }
}

fn text(text: &str) -> Option<Value> {
    Some(text.into())
}

/// Walks two specs. `prints` are pairs of texts of one meaning: what the server prints, and what is declared.
fn compare(
    name: &str,
    declared: Option<&Value>,
    live: Option<&Value>,
    prints: &[(String, String)],
    into: &mut Vec<Field>,
) {
    match (declared, live) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let below =
                    if name.is_empty() { field_name(key).to_owned() } else { format!("{name}.{}", field_name(key)) };
                compare(&below, a.get(key), b.get(key), prints, into);
            }
        }
        // What is false is not written.
        (Some(Value::Bool(a)), None) => into.extend(a.then(|| field(name, Value::Bool(true), Value::Bool(false)))),
        (None, Some(Value::Bool(b))) => into.extend(b.then(|| field(name, Value::Bool(false), Value::Bool(true)))),
        (Some(a), Some(b)) if diff::same(b, a, prints) => {}
        (None, None) => {}
        (a, b) => into.push(field(name, present(a), present(b))),
    }
}

fn present(value: Option<&Value>) -> Option<Value> {
    value.filter(|v| !v.is_null()).cloned()
}

/// The word that a declaration has for a field.
fn field_name(name: &str) -> &str {
    match name {
        "predicate" => "where",
        "method" => "using",
        "command" => "for",
        "target_columns" => "referenced columns",
        "set_columns" => "columns set on delete",
        "not_null_name" => "name of not_null",
        "not_null_not_valid" => "not_null not valid",
        "is_virtual" => "virtual",
        name => name,
    }
}

fn words(held: &[Privilege]) -> Vec<String> {
    let word = |p: &Privilege| format!("{}{}", p.name, if p.grantable { " with grant option" } else { "" });
    held.iter().map(word).collect()
}

/// What everybody starts with on things of a kind, on servers of a major.
struct Usual {
    major: u32,
    grants: BTreeMap<String, Grants>,
}

impl Usual {
    /// Grants on a declared thing that says nothing of grants, other than those everybody starts with.
    fn undeclared(&mut self, live: &Node, declared: &Node) -> Option<UndeclaredGrants> {
        let (None, Some(grants)) = (&declared.grants, &live.grants) else { return None };
        let kind = live.address.kind();
        if !self.grants.contains_key(kind) {
            let grantable = kinds::kind_of(&live.address).grantable(live, self.major);
            let default = grantable.map(|g| facet::default_grants(&g)).unwrap_or_default();
            self.grants.insert(kind.to_owned(), default);
        }
        let default = self.grants.get(kind).filter(|default| **grants != **default)?;
        let as_made = as_initdb_made_it(&live.address, grants, self.major);
        (!as_made).then(|| UndeclaredGrants { address: live.address.clone(), held: beyond(grants, default) })
    }
}

/// The schema `public` is made with grants; before 15 everybody could create in it, which is worth a note.
fn as_initdb_made_it(address: &Address, grants: &Grants, major: u32) -> bool {
    let usage = [Privilege { name: "usage".into(), grantable: false }];
    let alone = grants.0.len() == 1 && grants.0.get("public").is_some_and(|held| *held == usage);
    major >= 15 && *address == Address::root("schema", "public") && alone
}

fn beyond(grants: &Grants, default: &Grants) -> BTreeMap<String, Vec<String>> {
    let held = grants.0.iter().filter(|(role, held)| default.0.get(*role) != Some(*held));
    let mut list: BTreeMap<String, Vec<String>> = held.map(|(role, held)| (role.clone(), words(held))).collect();
    let revoked = default.0.keys().filter(|role| !grants.0.contains_key(*role));
    list.extend(revoked.map(|role| (role.clone(), Vec::new())));
    list
}
