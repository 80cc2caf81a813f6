//! Facets: owner, comment and grants, the same for all kinds that have them.

mod acl;
mod hanging;

use super::relation::table_of;
use super::{Change, DefaultGrants, Draft, Facet, Form, Grantable, Hazard, Kind, Lock, Scope};
use crate::error::Problem;
use crate::model::{Grants, Node, Privilege};
use crate::sql::{literal, Ident};
use crate::yaml::{Value as YamlValue, Yaml};
use serde_yaml::{Mapping, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use acl::{default_acl, read_acl};
pub use hanging::hanging;

static OWNER: Form = Form::Name;
static COMMENT: Form = Form::Text;
static GRANTS: Form = Form::Map(&Form::Either(&[Form::List(&Form::Text), Form::Text]));

impl Facet {
    pub fn key(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Comment => "comment",
            Self::Grants => "grants",
        }
    }

    pub fn form(self) -> &'static Form {
        match self {
            Self::Owner => &OWNER,
            Self::Comment => &COMMENT,
            Self::Grants => &GRANTS,
        }
    }

    pub fn doc(self) -> &'static str {
        match self {
            Self::Owner => "The role that owns it; not managed if absent.",
            Self::Comment => "COMMENT ON it; none if absent.",
            Self::Grants => "Role to privileges; `public` is PUBLIC; `{}` is nobody; not managed if absent.",
        }
    }
}

/// The facet keys of a kind.
pub fn keys(kind: &dyn Kind) -> impl Iterator<Item = &'static str> {
    kind.facets().iter().map(|f| f.key())
}

/// The form of a facet key, if the kind has that facet.
pub fn form(kind: &dyn Kind, key: &str) -> Option<&'static Form> {
    kind.facets().iter().find(|f| f.key() == key).map(|f| f.form())
}

/// Reads the facets that were written beside a thing's own keys.
pub fn declare(kind: &dyn Kind, yaml: &Yaml, draft: &mut Draft, major: u32, problems: &mut Vec<Problem>) {
    if let Some(comment) = yaml.text("comment").filter(|c| !c.text.is_empty()) {
        draft.node.comment = Some(comment.text.as_str().into());
    }
    if let Some(owner) = yaml.text("owner") {
        draft.node.owner = Some(owner.text.as_str().into());
    }
    let (Some(written), Some(grantable)) = (yaml.get("grants"), kind.grantable(&draft.node, major)) else { return };
    let mut grants = Grants::default();
    for (role, privileges) in written.entries() {
        let mut held = BTreeMap::new();
        for word in words(privileges) {
            let lower = word.text.to_lowercase();
            let (name, grantable_too) = match lower.strip_suffix("with grant option") {
                Some(name) => (name.trim(), true),
                None => (lower.trim(), false),
            };
            if name == "all" || name == "all privileges" {
                held.extend(grantable.privileges.iter().map(|p| ((*p).to_owned(), grantable_too)));
            } else if grantable.privileges.contains(&name) {
                held.insert(name.to_owned(), grantable_too);
            } else {
                let known = grantable.privileges.join(", ");
                let problem = Problem::new(&word.pos, format!("`{name}` cannot be granted on a {}", kind.name()));
                problems.push(problem.hint(format!("known here: {known}, all")));
            }
        }
        let held = held.into_iter().map(|(name, grantable)| Privilege { name, grantable }).collect();
        grants.0.insert(role.text.clone(), held);
    }
    // An owner may hold nothing on a whole thing; on a column that goes without saying.
    grants.0.retain(|_, held| !held.is_empty() || grantable.column.is_none());
    draft.node.grants = Some(Arc::new(grants));
}

fn words(yaml: &Yaml) -> Vec<crate::yaml::Scalar> {
    match &yaml.value {
        YamlValue::Scalar(scalar) => {
            let split = scalar.text.split(',').map(str::trim).filter(|w| !w.is_empty());
            split.map(|w| scalar.with_text(w)).collect()
        }
        YamlValue::List(values) => values.iter().filter_map(|v| v.scalar().cloned()).collect(),
        YamlValue::Map(_) => Vec::new(),
    }
}

/// Writes the facets of a node beside its own keys; `default_owner` need not be said, and grants that are
/// the default only if `all_grants` are wanted.
pub fn write(
    kind: &dyn Kind,
    node: &Node,
    default_owner: Option<&str>,
    major: u32,
    all_grants: bool,
    into: &mut Mapping,
) {
    if let Some(owner) = node.owner.as_deref().filter(|o| Some(*o) != default_owner) {
        into.insert("owner".into(), owner.into());
    }
    if let Some(comment) = &node.comment {
        into.insert("comment".into(), comment.as_ref().into());
    }
    let (Some(grants), Some(grantable)) = (&node.grants, kind.grantable(node, major)) else { return };
    if !all_grants && **grants == default_grants(&grantable) {
        return;
    }
    let mut written = Mapping::new();
    for (role, held) in &grants.0 {
        let names: BTreeSet<&str> = held.iter().map(|p| p.name.as_str()).collect();
        let all = grantable.privileges.iter().all(|p| names.contains(p));
        let words: Vec<Value> = if all && held.iter().all(|p| !p.grantable) && held.len() > 1 {
            vec!["all".into()]
        } else {
            let word = |p: &Privilege| format!("{}{}", p.name, if p.grantable { " with grant option" } else { "" });
            held.iter().map(|p| word(p).into()).collect()
        };
        written.insert(role.as_str().into(), Value::Sequence(words));
    }
    into.insert("grants".into(), Value::Mapping(written));
}

/// What is held when nothing was granted or revoked.
pub fn default_grants(grantable: &Grantable) -> Grants {
    let public: Vec<Privilege> =
        grantable.public.iter().map(|p| Privilege { name: (*p).to_owned(), grantable: false }).collect();
    let mut grants = Grants::default();
    if !public.is_empty() {
        grants.0.insert("public".into(), public);
    }
    grants
}

/// Facet statements that follow the creation of a node. One that takes the place of a live one gets from it what is
/// not declared.
pub fn create(kind: &dyn Kind, node: &Node, scope: &Scope) -> Vec<Change> {
    let defaults = |class: char| (scope.default_grants)(class, node.address.schema());
    let whole = &inherited(node, scope.actual.get(&node.address), scope.major);
    // A new thing belongs to its creator.
    let stays =
        node.owner.is_none() && (kind.follows_owner(node) || whole.owner.as_deref() == Some(&*defaults('-').creator));
    let mut changes = if stays { Vec::new() } else { owner_change(kind, None, whole) };
    changes.extend(comment_change(kind, None, whole));
    if let (Some(wanted), Some(grantable)) = (&whole.grants, kind.grantable(node, scope.major)) {
        let defaults = defaults(grantable.default_class);
        let owner = whole.owner.as_deref().unwrap_or(&defaults.creator);
        let start = start(&defaults, owner, &grantable);
        changes.extend(grant_changes(&start, wanted, &grantable, Some(owner), false));
    }
    changes
}

/// The node with the owner of the live one where it declares none, and with the grants that are on that then.
pub fn inherited(node: &Node, live: Option<&Node>, major: u32) -> Node {
    let mut inherited = node.clone();
    if let Some(live) = live {
        inherited.owner = node.owner.clone().or_else(|| live.owner.clone());
        let on = super::kind_of(&node.address).grantable(node, major);
        inherited.grants = node.grants.clone().or_else(|| match (&live.grants, on) {
            (Some(grants), Some(on)) => {
                let after = handed_over(grants, live.owner.as_deref(), inherited.owner.as_deref(), &on);
                Some(Arc::new(after.into_owned()))
            }
            (grants, _) => grants.clone(),
        });
    }
    inherited
}

/// What default privileges give others on a new thing that declares no grants: role and privileges.
pub fn given(kind: &dyn Kind, node: &Node, scope: &Scope) -> Vec<(String, Vec<String>)> {
    let Some(on) = kind.grantable(node, scope.major).filter(|on| on.column.is_none() && node.grants.is_none()) else {
        return Vec::new();
    };
    let defaults = (scope.default_grants)(on.default_class, node.address.schema());
    let held = start(&defaults, &defaults.creator, &on);
    let usual = default_grants(&on);
    let more = held.0.into_iter().filter(|(role, held)| *role != defaults.creator && usual.0.get(role) != Some(held));
    more.map(|(role, held)| (role, held.into_iter().map(|p| p.name).collect())).collect()
}

/// What is held on a new thing before anything is granted. An owner that is not mentioned holds everything.
fn start(defaults: &DefaultGrants, owner: &str, grantable: &Grantable) -> Grants {
    let DefaultGrants { creator, instead, added } = defaults;
    let mut held: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    let base = instead.clone().unwrap_or_else(|| default_grants(grantable));
    for (role, privileges) in base.0.iter().chain(&added.0) {
        // A change of owner hands over what the creator gave itself.
        let role = if role == creator { owner } else { role };
        let of = held.entry(role.to_owned()).or_default();
        privileges.iter().for_each(|p| *of.entry(p.name.clone()).or_default() |= p.grantable);
    }
    let own = held.remove(owner).unwrap_or_default();
    if instead.is_some() && !grantable.privileges.iter().all(|p| own.contains_key(*p)) {
        held.insert(owner.to_owned(), own);
    }
    let list = |held: BTreeMap<String, bool>| {
        held.into_iter().map(|(name, grantable)| Privilege { name, grantable }).collect()
    };
    Grants(held.into_iter().map(|(role, held)| (role, list(held))).collect())
}

/// Statements for the facets that differ between an old and a new node.
pub fn alter(kind: &dyn Kind, old: &Node, new: &Node, scope: &Scope) -> Vec<Change> {
    let mut changes = Vec::new();
    if new.owner.is_some() && new.owner != old.owner {
        changes.extend(owner_change(kind, old.owner.as_deref(), new));
    }
    if new.comment != old.comment {
        changes.extend(comment_change(kind, old.comment.as_deref(), new));
    }
    if let (Some(before), Some(wanted), Some(grantable)) = (&old.grants, &new.grants, kind.grantable(new, scope.major))
    {
        let owner = new.owner.as_deref().or(old.owner.as_deref());
        let before = &handed_over(before, old.owner.as_deref(), owner, &grantable);
        changes.extend(grant_changes(before, wanted, &grantable, owner, true));
        changes.extend(taken_along(before, wanted, new, scope));
    }
    changes
}

/// A REVOKE on a relation takes the same privilege on its columns along (manual, REVOKE): columns that keep it
/// get it again.
fn taken_along(before: &Grants, wanted: &Grants, relation: &Node, scope: &Scope) -> Vec<Change> {
    let names = |grants: &Grants, role: &str| -> BTreeSet<String> {
        grants.0.get(role).into_iter().flatten().map(|p| p.name.clone()).collect()
    };
    let mut changes = Vec::new();
    for child in scope.actual.children(&relation.address) {
        let kept = scope.desired.get(&child.address).and_then(|n| n.grants.as_deref()).or(child.grants.as_deref());
        let on = super::kind_of(&child.address).grantable(child, scope.major).filter(|on| on.column.is_some());
        let (Some(has), Some(kept), Some(on)) = (child.grants.as_deref(), kept, on) else { continue };
        let mut without = has.clone();
        for (role, held) in &mut without.0 {
            let (was, is) = (names(before, role), names(wanted, role));
            held.retain(|p| !was.contains(&p.name) || is.contains(&p.name));
        }
        let again = Grants(
            kept.0
                .iter()
                .filter_map(|(role, held)| {
                    let had = has.0.get(role)?;
                    Some((role.clone(), held.iter().filter(|p| had.contains(p)).cloned().collect()))
                })
                .collect(),
        );
        if without != *has {
            changes.extend(grant_changes(&without, &union(&without, &again), &on, None, false));
        }
    }
    changes
}

/// What is held in either.
fn union(one: &Grants, other: &Grants) -> Grants {
    let mut all = one.clone();
    for (role, held) in &other.0 {
        let into = all.0.entry(role.clone()).or_default();
        into.extend(held.iter().filter(|p| !one.0.get(role).is_some_and(|there| there.contains(p))).cloned());
    }
    all
}

/// Whether facets differ in what is managed.
pub fn differ(old: &Node, new: &Node) -> bool {
    !is_held(old, new.owner.as_deref(), new.grants.as_deref()) || new.comment != old.comment
}

/// Whether a live node has the owner and the grants that are managed.
pub fn is_held(live: &Node, owner: Option<&str>, grants: Option<&Grants>) -> bool {
    let holder = owner.or(live.owner.as_deref());
    let both = live.grants.as_deref().zip(grants);
    owner.is_none_or(|owner| live.owner.as_deref() == Some(owner))
        && both.is_none_or(|(a, b)| said(a, holder).eq(said(b, holder)))
}

/// What grants say: nobody but an owner holds nothing and is worth a word.
fn said<'a>(grants: &'a Grants, owner: Option<&'a str>) -> impl Iterator<Item = (&'a String, &'a Vec<Privilege>)> {
    grants.0.iter().filter(move |(role, held)| !held.is_empty() || Some(role.as_str()) == owner)
}

/// Grants after a change of owner: PostgreSQL hands what the old one held to the new one (aclnewowner).
fn handed_over<'a>(grants: &'a Grants, old: Option<&str>, new: Option<&str>, on: &Grantable) -> Cow<'a, Grants> {
    let (Some(old), Some(new)) = (old, new) else { return Cow::Borrowed(grants) };
    if old == new {
        return Cow::Borrowed(grants);
    }
    let mut after = grants.clone();
    let theirs = after.0.remove(new);
    // Who is not mentioned holds everything. Options that were granted before stay, needless as they are.
    let whole = || on.privileges.iter().map(|p| ((*p).to_owned(), false)).collect();
    let held = after.0.remove(old).map(|held| held.into_iter().map(|p| (p.name, p.grantable)).collect());
    let has_options = theirs.iter().flatten().any(|p| p.grantable);
    if held.is_some() || has_options {
        let mut held: BTreeMap<String, bool> = held.unwrap_or_else(whole);
        for Privilege { name, grantable } in theirs.into_iter().flatten() {
            *held.entry(name).or_default() |= grantable;
        }
        let held = held.into_iter().map(|(name, grantable)| Privilege { name, grantable }).collect();
        after.0.insert(new.to_owned(), held);
    }
    Cow::Owned(after)
}

/// The statement that gives a thing to its owner.
pub fn hands_over(node: &Node) -> Option<String> {
    let phrase = super::kind_of(&node.address).phrase(node);
    node.owner.as_deref().map(|owner| format!("ALTER {phrase} OWNER TO {}", Ident(owner)))
}

fn owner_change(kind: &dyn Kind, old: Option<&str>, node: &Node) -> Vec<Change> {
    if !kind.facets().contains(&Facet::Owner) {
        return Vec::new();
    }
    let Some(sql) = hands_over(node) else { return Vec::new() };
    vec![locked(kind, node, sql, Lock::AccessExclusive).hazard_if(
        old.is_some(),
        Hazard::AccessWidened,
        "the new owner may do everything with it",
    )]
}

fn comment_change(kind: &dyn Kind, old: Option<&str>, node: &Node) -> Vec<Change> {
    let text = node.comment.as_deref();
    if text == old || !kind.facets().contains(&Facet::Comment) {
        return Vec::new();
    }
    let text = text.map_or_else(|| "NULL".to_owned(), literal);
    let sql = format!("COMMENT ON {} IS {text}", kind.phrase(node));
    vec![locked(kind, node, sql, Lock::ShareUpdateExclusive)]
}

/// A statement on a relation or a part of it that is in the same catalog (a column, an index) locks the relation;
/// types, routines and constraints are not locked so.
fn locked(kind: &dyn Kind, node: &Node, sql: String, lock: Lock) -> Change {
    match kind.catalog().is_some_and(|catalog| catalog.class == "pg_class") {
        true => Change::new(sql, lock, &table_of(&node.address)),
        false => Change::new(sql, Lock::None, &[]),
    }
}

fn grant_changes(old: &Grants, new: &Grants, on: &Grantable, owner: Option<&str>, live: bool) -> Vec<Change> {
    let map = |grants: &Grants, role: &str| -> BTreeMap<String, bool> {
        match grants.0.get(role) {
            Some(held) => held.iter().map(|p| (p.name.clone(), p.grantable)).collect(),
            // An owner that is not mentioned holds everything.
            None if Some(role) == owner && on.column.is_none() => {
                on.privileges.iter().map(|p| ((*p).to_owned(), false)).collect()
            }
            None => BTreeMap::new(),
        }
    };
    let roles: BTreeSet<&String> = old.0.keys().chain(new.0.keys()).collect();
    let list = |names: &[String]| {
        let each = names.iter().map(|name| match &on.column {
            Some(column) => format!("{} ({})", name.to_uppercase(), Ident(column)),
            None => name.to_uppercase(),
        });
        each.collect::<Vec<_>>().join(", ")
    };
    let mut changes = Vec::new();
    for role in roles {
        let (before, after) = (map(old, role), map(new, role));
        let who = if role == "public" { "PUBLIC".to_owned() } else { Ident(role).to_string() };
        let pick = |from: &BTreeMap<String, bool>, keep: &dyn Fn(&str, bool) -> bool| -> Vec<String> {
            on.privileges
                .iter()
                .filter(|p| from.get(**p).is_some_and(|g| keep(p, *g)))
                .map(|p| (*p).to_owned())
                .collect()
        };
        let revoked = pick(&before, &|p, _| !after.contains_key(p));
        let unoptioned = pick(&before, &|p, option| option && after.get(p) == Some(&false));
        let granted = pick(&after, &|p, option| !option && !before.contains_key(p));
        let optioned = pick(&after, &|p, option| option && before.get(p) != Some(&true));
        let mut push = |sql: String, widens: bool| {
            let change = Change::new(sql, Lock::None, &[]);
            changes.push(change.hazard_if(
                widens && live,
                Hazard::AccessWidened,
                format!("{who} gets more privileges"),
            ));
        };
        if !revoked.is_empty() {
            push(format!("REVOKE {} ON {} FROM {who}", list(&revoked), on.on), false);
        }
        if !unoptioned.is_empty() {
            push(format!("REVOKE GRANT OPTION FOR {} ON {} FROM {who}", list(&unoptioned), on.on), false);
        }
        if !granted.is_empty() {
            push(format!("GRANT {} ON {} TO {who}", list(&granted), on.on), true);
        }
        if !optioned.is_empty() {
            push(format!("GRANT {} ON {} TO {who} WITH GRANT OPTION", list(&optioned), on.on), true);
        }
    }
    changes
}
