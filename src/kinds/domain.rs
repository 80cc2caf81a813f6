//! Domains (manual, section 8.18; CREATE DOMAIN, ALTER DOMAIN).
//!
//! Their default and constraints change in place; PostgreSQL tests every column of the domain under a SHARE
//! lock for that, NOT VALID and VALIDATE included, and cannot do it while a column holds arrays of the domain.

mod written;

use super::*;
use crate::sql::name::{derive, LONGEST};
use crate::sql::{bracketed, qualified, Fragment, Ident, Shape};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The domain kind.
pub struct Domain;

/// A domain. Types are printed by `format_type`, expressions by `pg_get_expr`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainSpec {
    #[serde(rename = "type")]
    pub ty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_null: bool,
    /// From 17 on, NOT NULL has a name; None if it is the derived one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_null_name: Option<String>,
    /// Qualified; None if it is the type's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, DomainCheck>,
}

/// A check of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainCheck {
    pub expression: String,
    /// Values that are there already need not satisfy it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_valid: bool,
}

impl DomainSpec {
    /// What follows AS in CREATE DOMAIN; checks that are not valid are added later. `named` tells which checks
    /// are given their name.
    fn definition(&self, named: &dyn Fn(&str) -> bool) -> String {
        let Self { ty, default, not_null, not_null_name, collation, checks } = self;
        let mut sql = ty.clone();
        if let Some(collation) = collation {
            sql.push_str(&format!(" COLLATE {collation}"));
        }
        if let Some(default) = default {
            sql.push_str(&format!(" DEFAULT {}", bracketed(default)));
        }
        if *not_null {
            if let Some(name) = not_null_name {
                sql.push_str(&format!(" CONSTRAINT {}", Ident(name)));
            }
            sql.push_str(" NOT NULL");
        }
        for (name, check) in checks.iter().filter(|(_, check)| !check.not_valid) {
            if named(name) {
                sql.push_str(&format!(" CONSTRAINT {}", Ident(name)));
            }
            sql.push_str(&format!(" CHECK ({})", check.expression));
        }
        sql
    }

    /// The name of its NOT NULL constraint.
    fn not_null_constraint(&self, domain: &str) -> String {
        self.not_null_name.clone().unwrap_or_else(|| derive(domain, "", "not_null", &|_| false))
    }
}

/// The domain that is a column's type, and those that it is over. Where one has constraints, they are tested on each row of
/// a new column, by writing the table anew (ATExecAddColumn).
pub fn beneath(column: &Node, ty: &str, scope: &Scope) -> Vec<DomainSpec> {
    let mut found: Vec<DomainSpec> = Vec::new();
    let (mut ty, mut needs) = (ty.to_owned(), &column.needs);
    let is = |need: &&Address, ty: &str| need.kind() == "domain" && qualified(need.schema(), need.name()) == ty;
    while let Some(next) = needs.iter().find(|need| is(need, &ty)) {
        let Some(node) = scope.desired.get(next) else { break };
        let Ok(domain) = node.spec.read::<DomainSpec>() else { break };
        (ty, needs) = (domain.ty.clone(), &node.needs);
        found.push(domain);
    }
    found
}

/// The type that stands beneath a domain, or an array of what stands beneath one; any other type is its own.
pub fn base_of(ty: &str, model: &Model) -> String {
    let (mut element, brackets) = match ty.strip_suffix("[]") {
        Some(element) => (element.to_owned(), "[]"),
        None => (ty.to_owned(), ""),
    };
    // A domain over a domain of itself cannot be made.
    while let Some((Some(schema), name)) = crate::sql::name::split(&element) {
        let address = Address::root("schema", &schema).child("domain", &name);
        let Some(spec) = model.get(&address).and_then(|n| n.spec.read::<DomainSpec>().ok()) else { break };
        element = spec.ty;
    }
    element + brackets
}

/// The live columns of a domain or enum, and whether they hold arrays of it.
pub fn columns_of<'a>(ty: &Address, scope: &'a Scope) -> Vec<(&'a Node, bool)> {
    let name = qualified(ty.schema(), ty.name());
    let array = format!("{name}[]");
    let columns = scope.actual.nodes().iter().filter(|n| n.address.kind() == "column");
    let typed = columns.filter_map(|n| Some((n, n.spec.read::<column::ColumnSpec>().ok()?.ty)));
    typed.filter(|(_, ty)| *ty == name || *ty == array).map(|(n, ty)| (n, ty == array)).collect()
}

/// The live columns that hold values of a type, be it as the base of domains, and whether as elements of arrays.
pub fn columns_holding<'a>(ty: &Address, scope: &'a Scope) -> Vec<(&'a Node, bool)> {
    let domains = || scope.actual.nodes().iter().filter(|n| n.address.kind() == "domain");
    let over = |name: &str| {
        let base = |n: &'a Node| Some((n, n.spec.read::<DomainSpec>().ok()?.ty));
        let array = format!("{name}[]");
        let over = domains().filter_map(base).filter(|(_, ty)| *ty == name || *ty == array);
        over.map(|(n, ty)| (n, ty == array)).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    let mut waiting = vec![(ty.clone(), false)];
    while let Some((ty, in_array)) = waiting.pop() {
        found.extend(columns_of(&ty, scope).into_iter().map(|(column, array)| (column, array || in_array)));
        let domains = over(&qualified(ty.schema(), ty.name())).into_iter();
        waiting.extend(domains.map(|(domain, array)| (domain.address.clone(), array || in_array)));
    }
    found
}

/// Whether a column's values are, as they are written, also values of the domain that takes the place of a live one:
/// both hold texts, and nothing has to be tested.
pub fn keeps_values(domain: &Address, scope: &Scope) -> bool {
    let spec = |model: &Model| model.get(domain).and_then(|n| n.spec.read::<DomainSpec>().ok());
    let (Some(old), Some(new)) = (spec(scope.actual), spec(scope.desired)) else { return false };
    let text = |ty: &str| ["text", "character varying"].contains(&ty);
    let was_text = text(&old.ty) || old.ty.starts_with("character varying(");
    was_text && text(&new.ty) && !new.not_null && new.checks.is_empty()
}

/// What stands between two states of a domain.
struct Difference {
    changes: Vec<Change>,
    /// Whether values are tested.
    tests: bool,
}

impl Difference {
    fn new() -> Self {
        Self { changes: Vec::new(), tests: false }
    }

    fn plain(&mut self, node: &Node, what: &str) {
        self.changes.push(Change::new(format!("ALTER {} {what}", Domain.phrase(node)), Lock::None, &[]));
    }

    /// A statement that tests the values in all columns of the domain.
    fn test(&mut self, node: &Node, what: &str, scope: &Scope) {
        self.tests = true;
        let mut tables: Vec<Address> =
            columns_of(&node.address, scope).iter().filter_map(|(column, _)| column.address.parent()).collect();
        tables.dedup();
        let live = tables.iter().any(|table| scope.has_rows(table));
        let change = Change::new(format!("ALTER {} {what}", Domain.phrase(node)), Lock::Share, &tables);
        self.changes.push(
            change.hazard_if(live, Hazard::BlocksWrites, "all values of the domain are tested").hazard_if(
                live,
                Hazard::MayFailOnData,
                "values that do not satisfy it make it fail",
            ),
        );
    }

    fn add_check(&mut self, node: &Node, name: &str, check: &DomainCheck, scope: &Scope) {
        let DomainCheck { expression, not_valid } = check;
        let sql = format!("ADD CONSTRAINT {} CHECK ({expression})", Ident(name));
        if *not_valid {
            self.plain(node, &format!("{sql} NOT VALID"));
        } else {
            self.test(node, &sql, scope);
        }
    }

    fn checks(&mut self, node: &Node, old: &DomainSpec, new: &DomainSpec, scope: &Scope) {
        let mut added: Vec<(&String, &DomainCheck)> =
            new.checks.iter().filter(|(name, _)| !old.checks.contains_key(*name)).collect();
        for (name, was) in &old.checks {
            match new.checks.get(name) {
                Some(check) if check == was => {}
                Some(check) if check.expression == was.expression && was.not_valid => {
                    self.test(node, &format!("VALIDATE CONSTRAINT {}", Ident(name)), scope);
                    // Nothing is stored by it.
                    let validation = self.changes.pop().map(Change::runs);
                    self.changes.extend(validation);
                }
                Some(check) => {
                    self.plain(node, &format!("DROP CONSTRAINT {}", Ident(name)));
                    self.add_check(node, name, check, scope);
                }
                None => match added.iter().position(|(_, check)| *check == was) {
                    Some(at) => {
                        let (to, _) = added.remove(at);
                        self.plain(node, &format!("RENAME CONSTRAINT {} TO {}", Ident(name), Ident(to)));
                    }
                    None => self.plain(node, &format!("DROP CONSTRAINT {}", Ident(name))),
                },
            }
        }
        for (name, check) in added {
            self.add_check(node, name, check, scope);
        }
    }

    fn not_null(&mut self, node: &Node, old: &DomainSpec, new: &DomainSpec, scope: &Scope) {
        match (old.not_null, new.not_null) {
            (true, false) => self.plain(node, "DROP NOT NULL"),
            (false, true) => match new.not_null_name.as_ref().filter(|_| scope.major >= 17) {
                Some(name) => self.test(node, &format!("ADD CONSTRAINT {} NOT NULL", Ident(name)), scope),
                None => self.test(node, "SET NOT NULL", scope),
            },
            (true, true) if old.not_null_name != new.not_null_name && scope.major >= 17 => {
                let [from, to] = [old, new].map(|spec| spec.not_null_constraint(node.address.name()));
                self.plain(node, &format!("RENAME CONSTRAINT {} TO {}", Ident(&from), Ident(&to)));
            }
            (true, true) | (false, false) => {}
        }
    }
}

fn alter(old: &DomainSpec, new: &DomainSpec, node: &Node, scope: &Scope) -> Alter {
    let DomainSpec { ty, default, not_null: _, not_null_name: _, collation, checks: _ } = new;
    if *ty != old.ty || *collation != old.collation {
        return swap(node, scope);
    }
    let mut difference = Difference::new();
    if *default != old.default {
        match default {
            Some(default) => difference.plain(node, &format!("SET DEFAULT {default}")),
            None => difference.plain(node, "DROP DEFAULT"),
        }
    }
    difference.not_null(node, old, new, scope);
    difference.checks(node, old, new, scope);
    let in_array = columns_of(&node.address, scope).into_iter().find(|(_, array)| *array);
    match in_array.filter(|_| difference.tests) {
        Some((column, _)) => Alter::Refuse(format!(
            "{} holds arrays of {}, and PostgreSQL adds no constraint to it then: declare a new domain and give it to the column",
            column.address, node.address
        )),
        None => Alter::InPlace(difference.changes),
    }
}

/// The parts of a live domain that mention a name: all its expressions if none does.
fn mentions<'a>(spec: &'a DomainSpec, below: &Address) -> (Option<&'a String>, Vec<(&'a String, &'a DomainCheck)>) {
    let bare = below.name().split('(').next().unwrap_or_default();
    let default = spec.default.as_ref().filter(|text| text.contains(bare));
    let checks: Vec<_> = spec.checks.iter().filter(|(_, check)| check.expression.contains(bare)).collect();
    if default.is_none() && checks.is_empty() {
        return (spec.default.as_ref(), spec.checks.iter().collect());
    }
    (default, checks)
}

/// Lets go of what its expressions use, and takes hold of what the desired ones do.
fn lift(node: &Node, spec: &DomainSpec, below: &Address, scope: &Scope) -> Rebind {
    let wanted = scope.node(&node.address).and_then(|n| n.spec.read::<DomainSpec>().ok());
    let wanted = wanted.unwrap_or_else(|| spec.clone());
    let (default, checks) = mentions(spec, below);
    let (mut before, mut after) = (Difference::new(), Difference::new());
    if default.is_some() {
        before.plain(node, "DROP DEFAULT");
        if let Some(default) = &wanted.default {
            after.plain(node, &format!("SET DEFAULT {default}"));
        }
    }
    for (name, _) in checks {
        before.plain(node, &format!("DROP CONSTRAINT {}", Ident(name)));
        if let Some(check) = wanted.checks.get(name) {
            after.add_check(node, name, check, scope);
        }
    }
    Rebind::Lift { before: before.changes, after: after.changes }
}

/// The name of the old domain while its users move over.
fn aside(name: &str) -> String {
    const SUFFIX: &str = "__pgplumb_old";
    let mut end = name.len().min(LONGEST - SUFFIX.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{SUFFIX}", &name[..end])
}

/// The domain as it is created beside the old one, which still has the name that PostgreSQL would derive for its NOT NULL
/// (from 17 on): said, the name may be borne twice (ChooseConstraintName).
fn beside<'a>(node: &'a Node, scope: &Scope) -> Cow<'a, Node> {
    let Ok(mut spec) = node.spec.read::<DomainSpec>() else { return Cow::Borrowed(node) };
    if !spec.not_null || scope.major < 17 {
        return Cow::Borrowed(node);
    }
    spec.not_null_name = Some(spec.not_null_constraint(node.address.name()));
    Cow::Owned(Node { spec: Spec::of(&spec), ..node.clone() })
}

/// Moves the old domain aside and creates the new one, which the columns then move over to.
fn swap(node: &Node, scope: &Scope) -> Alter {
    let aside = aside(node.address.name());
    let plain = |sql: String| Change::new(sql, Lock::None, &[]);
    let mut begin = vec![plain(format!("ALTER {} RENAME TO {}", Domain.phrase(node), Ident(&aside)))];
    begin.extend(Domain.create(&beside(node, scope), &[], scope));
    Alter::Swap { begin, end: vec![plain(format!("DROP DOMAIN {}", qualified(node.address.schema(), &aside)))] }
}

/// Makes the domain anew over a swapped type, and moves its columns over.
fn move_over(node: &Node, below: &Address, scope: &Scope) -> Rebind {
    let aside = aside(node.address.name());
    let schema = node.address.schema();
    let mut wanted = scope.desired.get(&node.address).unwrap_or(node).clone();
    wanted.owner = wanted.owner.or_else(|| node.owner.clone());
    wanted.grants = wanted.grants.or_else(|| node.grants.clone());
    let plain = |sql: String| Change::new(sql, Lock::None, &[]);
    let mut changes = vec![plain(format!("ALTER {} RENAME TO {}", Domain.phrase(node), Ident(&aside)))];
    changes.extend(Domain.create(&beside(&wanted, scope), &[], scope));
    changes.extend(facet::create(&Domain, &wanted, scope));
    for (column, _) in columns_of(&node.address, scope) {
        match registry::kind_of(&column.address).rebind(column, below, Cause::Swapped, scope) {
            Rebind::Move(moves) => changes.extend(moves),
            Rebind::Lift { before, after } => changes.extend(before.into_iter().chain(after)),
            Rebind::Keep => {}
            Rebind::Replace => return Rebind::Replace,
        }
    }
    changes.push(plain(format!("DROP DOMAIN {}", qualified(schema, &aside))));
    Rebind::Move(changes)
}

impl Kind for Domain {
    fn name(&self) -> &'static str {
        "domain"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "", key: "domains", many: Many::Named, doc: "Domains: a line of DDL, or a map." }]
    }

    fn form(&self) -> &'static Form {
        &written::FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[Facet::Owner, Facet::Comment, Facet::Grants]
    }

    fn declare(&self, _parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        if let Some(address) = out.address(self.name(), name) {
            written::declare(address, name, yaml, out);
        }
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        written::write(node)
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_type", parent: "pg_namespace", query: include_str!("domain.sql") })
    }

    fn printed(&self) -> &'static [&'static str] {
        &["default", "checks.*.expression"]
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let name: String = row.try_get(at)?;
        let not_null_name: Option<String> = row.try_get(at + 4)?;
        let names: Vec<String> = row.try_get(at + 6)?;
        let expressions: Vec<String> = row.try_get(at + 7)?;
        let validated: Vec<bool> = row.try_get(at + 8)?;
        let checks = expressions
            .into_iter()
            .zip(validated)
            .map(|(expression, validated)| DomainCheck { expression, not_valid: !validated });
        let spec = DomainSpec {
            ty: row.try_get(at + 1)?,
            default: row.try_get(at + 2)?,
            not_null: row.try_get(at + 3)?,
            not_null_name: not_null_name.filter(|n| *n != derive(&name, "", "not_null", &|_| false)),
            collation: row.try_get(at + 5)?,
            checks: names.into_iter().zip(checks).collect(),
        };
        Ok(Found::of(name, &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("DOMAIN {}", qualified(node.address.schema(), node.address.name()))
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<DomainSpec>() else { return Vec::new() };
        let sql = format!("CREATE {} AS {}", self.phrase(node), spec.definition(&|_| true));
        let mut difference = Difference { changes: vec![Change::new(sql, Lock::None, &[])], tests: false };
        for (name, check) in spec.checks.iter().filter(|(_, check)| check.not_valid) {
            difference.add_check(node, name, check, scope);
        }
        difference.changes
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        vec![Change::new(format!("DROP {}", self.phrase(node)), Lock::None, &[])]
    }

    fn alter(&self, old: &Node, new: &Node, scope: &Scope) -> Alter {
        match (old.spec.read(), new.spec.read()) {
            (Ok(before), Ok(after)) => alter(&before, &after, new, scope),
            _ => Alter::Refuse("its state cannot be read".into()),
        }
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        Some(Change::new(format!("ALTER {} RENAME TO {}", self.phrase(node), Ident(to)), Lock::None, &[]))
    }

    fn moved(&self, node: &Node, from: &Address, major: u32) -> Option<Spec> {
        let mut spec: DomainSpec = node.spec.read().ok()?;
        // Its NOT NULL has a name of its own from 17 on, which stays what it was.
        if spec.not_null && major >= 17 {
            let kept = spec.not_null_constraint(from.name());
            spec.not_null_name = (kept != derive(node.address.name(), "", "not_null", &|_| false)).then_some(kept);
        }
        Some(Spec::of(&spec))
    }

    fn early(&self, node: &Node) -> Option<Node> {
        // Functions in a check or default may take the domain as an argument.
        let mut spec: DomainSpec = node.spec.read().ok()?;
        if spec.checks.is_empty() && spec.default.is_none() {
            return None;
        }
        spec.checks.clear();
        spec.default = None;
        let needs = early::needs_of(node, &[Fragment::new(Shape::Type, spec.ty.as_str())]);
        Some(Node { spec: Spec::of(&spec), needs, ..node.clone() })
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        // Relations have row types of their own name.
        vec![("type".into(), qualified(node.address.schema(), node.address.name()))]
    }

    fn rebind(&self, node: &Node, below: &Address, cause: Cause, scope: &Scope) -> Rebind {
        let Ok(spec) = node.spec.read::<DomainSpec>() else { return Rebind::Replace };
        let over = qualified(below.schema(), below.name());
        let is_base = matches!(below.kind(), "enum" | "domain" | "table" | "extension" | "schema")
            && (spec.ty == over
                || spec.ty.strip_suffix("[]") == Some(&over)
                || below.schema().is_empty()
                || below.kind() == "schema");
        match cause {
            Cause::Swapped if is_base => move_over(node, below, scope),
            Cause::Replaced if is_base => Rebind::Replace,
            Cause::Rebuilt if is_base => Rebind::Keep,
            Cause::Replaced | Cause::Rebuilt | Cause::Swapped => lift(node, &spec, below, scope),
        }
    }

    fn grantable(&self, node: &Node, _major: u32) -> Option<Grantable> {
        let on = format!("TYPE {}", qualified(node.address.schema(), node.address.name()));
        Some(Grantable { on, column: None, privileges: &["usage"], default_class: 'T', public: &["usage"] })
    }

    fn preflight(&self, old: Option<&Node>, new: &Node, scope: &Scope) -> Vec<Question> {
        let Some(before) = old.and_then(|n| n.spec.read::<DomainSpec>().ok()) else { return Vec::new() };
        let Ok(after) = new.spec.read::<DomainSpec>() else { return Vec::new() };
        let mut questions = Vec::new();
        for (column, _) in columns_of(&new.address, scope).into_iter().filter(|(_, array)| !array) {
            let name = Ident(column.address.name()).to_string();
            let mut ask = |condition: &str, refused: String| {
                questions.push(Question { sql: key::ask(column, "", condition, scope), refused });
            };
            if after.not_null && !before.not_null {
                ask(&format!("{name} IS NULL"), format!("have no {}, which {} demands", column.address, new.address));
            }
            let held =
                |check: &DomainCheck| before.checks.values().any(|b| b.expression == check.expression && !b.not_valid);
            for (check_name, check) in after.checks.iter().filter(|(_, check)| !check.not_valid && !held(check)) {
                if let Some(condition) = written::applied(&check.expression, &name, &after.ty) {
                    let refused = format!("do not satisfy check {check_name} of {} in {}", new.address, column.address);
                    ask(&format!("NOT ({condition})"), refused);
                }
            }
        }
        questions
    }
}
