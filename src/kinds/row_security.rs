//! Row security of a table: ENABLE and FORCE (manual, section 5.9).

use super::relation::{relation, table_of};
use super::*;
use serde::{Deserialize, Serialize};

/// The row security kind: at most one below each table, with an empty name.
pub struct RowSecurity;

/// Its presence says ENABLE, or FORCE alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSecuritySpec {
    pub enabled: bool,
    /// The owner is subject to it too.
    pub forced: bool,
}

static FORM: Form = Form::Word(&["enabled", "forced", "disabled"]);

impl Kind for RowSecurity {
    fn name(&self) -> &'static str {
        "row security"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section {
            parent: "table",
            key: "rls",
            many: Many::One,
            doc: "Row security: enabled, forced (for the owner too) or disabled.",
        }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[]
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let (Some(table), Some(word)) = (parent, yaml.scalar()) else { return };
        if word.text != "disabled" {
            let spec = RowSecuritySpec { enabled: true, forced: word.text == "forced" };
            out.add(table.child("row security", ""), &spec, &name.pos);
        }
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let RowSecuritySpec { enabled, forced } = node.spec.read().ok()?;
        (enabled || forced).then(|| if forced { "forced".into() } else { "enabled".into() })
    }

    fn is_outward(&self) -> bool {
        false
    }

    fn catalog(&self) -> Option<Catalog> {
        // The table's own row once more, as a thing below it: -1 is no column's number.
        Some(Catalog { class: "pg_class", parent: "pg_class", query: include_str!("row_security.sql") })
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let spec = RowSecuritySpec { enabled: row.try_get(at)?, forced: row.try_get(at + 1)? };
        Ok(Found::of(String::new(), &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("TABLE {}", relation(&node.address))
    }

    fn secures(&self, node: &Node) -> bool {
        node.spec.read::<RowSecuritySpec>().is_ok_and(|spec| spec.enabled)
    }

    fn create(&self, node: &Node, _riders: &[&Node], _scope: &Scope) -> Vec<Change> {
        match node.spec.read() {
            Ok(spec) => set(node, &RowSecuritySpec { enabled: false, forced: false }, &spec),
            Err(_) => Vec::new(),
        }
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        match node.spec.read() {
            Ok(spec) => set(node, &spec, &RowSecuritySpec { enabled: false, forced: false }),
            Err(_) => Vec::new(),
        }
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        match (old.spec.read(), new.spec.read()) {
            (Ok(a), Ok(b)) => Alter::InPlace(set(new, &a, &b)),
            _ => Alter::Replace,
        }
    }

    fn comes_after(&self, node: &Node, desired: &Model) -> Vec<Address> {
        // Policies first, so that nobody is locked out or let through for a moment; data first, so
        // that no backfill is held back.
        let siblings = node.address.parent().into_iter().flat_map(|table| {
            let all: Vec<Address> = desired.children(&table).map(|n| n.address.clone()).collect();
            all
        });
        siblings.filter(|a| matches!(a.kind(), "policy" | "column" | "row")).collect()
    }

    fn rebind(&self, _node: &Node, _below: &Address, _cause: Cause, _scope: &Scope) -> Rebind {
        Rebind::Keep
    }
}

fn set(node: &Node, old: &RowSecuritySpec, new: &RowSecuritySpec) -> Vec<Change> {
    let table = relation(&node.address);
    let RowSecuritySpec { enabled, forced } = new;
    let mut changes = Vec::new();
    let mut push = |words: &str, hazard: Option<&str>| {
        let change = Change::new(
            format!("ALTER TABLE {table} {words} ROW LEVEL SECURITY"),
            Lock::AccessExclusive,
            &table_of(&node.address),
        );
        changes.push(match hazard {
            Some(reason) => change.hazard(Hazard::AccessWidened, reason),
            None => change,
        });
    };
    match (old.enabled, *enabled) {
        (false, true) => push("ENABLE", None),
        (true, false) => push("DISABLE", Some("every row is visible to all who may read the table")),
        _ => {}
    }
    match (old.forced, *forced) {
        (false, true) => push("FORCE", None),
        (true, false) => push("NO FORCE", Some("the owner sees every row")),
        _ => {}
    }
    changes
}

/// Wraps data statements on a table whose live row security is forced: the owner, as whom they may run,
/// would be held back by the policies. The lift is taken back in the same transaction.
pub fn lifted(table: &[Address], statements: Vec<Change>, scope: &Scope) -> Vec<Change> {
    let forced = table.iter().find(|t| {
        let live = scope.actual.get(&t.child("row security", "")).and_then(|n| n.spec.read::<RowSecuritySpec>().ok());
        live.is_some_and(|spec| spec.forced && spec.enabled)
    });
    let Some(table) = forced else { return statements };
    let toggle = |words: &str| {
        let sql = format!("ALTER TABLE {} {words} ROW LEVEL SECURITY", relation(table));
        Change::new(sql, Lock::AccessExclusive, std::slice::from_ref(table))
    };
    let mut changes = vec![toggle("NO FORCE")];
    changes.extend(statements);
    changes.push(toggle("FORCE"));
    changes
}

/// Wraps a search in tables for rows that refer to nothing: PostgreSQL does it as whoever runs the statement, and the
/// policies of forced row security would hold rows back (`RI_Initial_Check`). Of what is `deferred`, the state after
/// everything else counts.
pub fn seen_whole(tables: &[Address], change: Change, scope: &Scope) -> Vec<Change> {
    let later = change.deferred;
    let forced = |table: &&Address| {
        let live = if later { None } else { scope.actual.get(table).map(|_| scope.actual) };
        let node = live.unwrap_or(scope.desired).get(&table.child("row security", ""));
        node.and_then(|n| n.spec.read::<RowSecuritySpec>().ok()).is_some_and(|spec| spec.forced)
    };
    let mut tables: Vec<&Address> = tables.iter().filter(|_| scope.held_by_policies).filter(forced).collect();
    tables.sort();
    tables.dedup();
    let toggle = |table: &&Address, words: &str| {
        let sql = format!("ALTER TABLE {} {words} ROW LEVEL SECURITY", relation(table));
        let change = Change::new(sql, Lock::AccessExclusive, std::slice::from_ref(*table));
        let waits = later && words == "NO FORCE" && scope.has_rows(table);
        let change = change.hazard_if(waits, Hazard::BlocksReads, "nobody can read it while all its rows are tested");
        Change { deferred: later, ..change }
    };
    let before: Vec<Change> = tables.iter().map(|table| toggle(table, "NO FORCE")).collect();
    let after = tables.iter().map(|table| toggle(table, "FORCE"));
    before.into_iter().chain([change]).chain(after).collect()
}
