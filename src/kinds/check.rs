//! Check constraints of tables (manual, section 5.5.1).

use super::key;
use super::relation::table_of;
use super::*;
use crate::sql::Shape;
use serde::{Deserialize, Serialize};

/// The check constraint kind.
pub struct Check;

/// What must hold for each row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSpec {
    pub expression: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_inherit: bool,
    /// Rows that were there before it have not been tested.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_valid: bool,
    /// Nothing is tested, from 18 on; such a constraint is not `not_valid` besides.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_enforced: bool,
}

static FORM: Form = Form::Either(&[
    Form::Sql(Shape::Expression),
    Form::Record(&[
        Key { name: "expression", form: Form::Sql(Shape::Expression), doc: "What must hold for each row." },
        Key { name: "no_inherit", form: Form::Flag, doc: "NO INHERIT." },
        Key { name: "not_valid", form: Form::Flag, doc: "NOT VALID: rows that exist already are not tested." },
        Key { name: "not_enforced", form: Form::Flag, doc: "NOT ENFORCED (18 and later)." },
        Key { name: "was", form: Form::Name, doc: "The name it had before." },
    ]),
]);

impl CheckSpec {
    fn definition(&self) -> String {
        let Self { expression, no_inherit, not_valid: _, not_enforced } = self;
        let mut sql = format!("CHECK ({expression})");
        if *no_inherit {
            sql.push_str(" NO INHERIT");
        }
        if *not_enforced {
            sql.push_str(" NOT ENFORCED");
        }
        sql
    }
}

/// Declares the constraint that a column's own line holds. PostgreSQL names it after the one column
/// that the expression mentions, whichever column it was written at.
pub fn declare_column(
    table: &Address,
    column: &str,
    name: Option<String>,
    expression: &str,
    no_inherit: bool,
    at: &Scalar,
    out: &mut Drafts,
) {
    let name = name.unwrap_or_else(|| {
        let mentioned = crate::sql::columns(expression).unwrap_or_else(|| vec![column.to_owned()]);
        out.derive(table, if let [one] = mentioned.as_slice() { one } else { "" }, "check")
    });
    let spec = CheckSpec { expression: expression.to_owned(), no_inherit, ..CheckSpec::default() };
    out.add(table.child("check", &name), &spec, &at.pos).fragment_text(Shape::Expression, expression, Some(at));
}

impl Kind for Check {
    fn name(&self) -> &'static str {
        "check"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "table", key: "checks", many: Many::Named, doc: "Check constraints by name." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(table) = parent else { return };
        let Some(expression) = yaml.scalar().or_else(|| yaml.text("expression")) else {
            out.problem(&yaml.pos, format!("check `{}` has no expression", name.text));
            return;
        };
        let spec = CheckSpec {
            expression: expression.text.clone(),
            no_inherit: yaml.flag("no_inherit"),
            not_valid: yaml.flag("not_valid") && !yaml.flag("not_enforced"),
            not_enforced: yaml.flag("not_enforced"),
        };
        let draft = out.add(table.child("check", &name.text), &spec, &name.pos);
        draft.was(yaml);
        draft.fragment(Shape::Expression, expression);
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let CheckSpec { expression, no_inherit, not_valid, not_enforced } = node.spec.read().ok()?;
        if !no_inherit && !not_valid && !not_enforced && node.comment.is_none() {
            return Some(expression.into());
        }
        let mut yaml = serde_yaml::Mapping::new();
        yaml.insert("expression".into(), expression.into());
        key::flags(&mut yaml, &[("no_inherit", no_inherit), ("not_valid", not_valid), ("not_enforced", not_enforced)]);
        Some(Value::Mapping(yaml))
    }

    fn is_outward(&self) -> bool {
        false
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_constraint", parent: "pg_class", query: include_str!("check.sql") })
    }

    fn printed(&self) -> &'static [&'static str] {
        &["expression"]
    }

    fn trees(&self) -> Option<&'static Trees> {
        Some(&Trees {
            fields: &["expression"],
            query: "select oid, 0, 1, conrelid, conbin from pg_constraint where contype = 'c'",
            over_columns: true,
        })
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let (not_valid, not_enforced): (bool, bool) = (row.try_get(at + 3)?, row.try_get(at + 4)?);
        let spec = CheckSpec {
            expression: row.expression("expression", at + 1)?.unwrap_or_default(),
            no_inherit: row.try_get(at + 2)?,
            not_valid: not_valid && !not_enforced,
            not_enforced,
        };
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        key::phrase(node)
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<CheckSpec>() else { return Vec::new() };
        let live = table_of(&node.address).iter().any(|table| scope.has_rows(table));
        let definition = spec.definition();
        if spec.not_enforced || !(spec.not_valid || live) {
            return vec![key::add(node, &definition, Lock::AccessExclusive)];
        }
        // New rows are tested from here on; the scan of old ones then holds nobody up.
        let unvalidated = key::add(node, &format!("{definition} NOT VALID"), Lock::AccessExclusive);
        if spec.not_valid {
            return vec![unvalidated];
        }
        vec![unvalidated, validate(node, live)]
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        vec![key::drop(node)]
    }

    fn alter(&self, old: &Node, new: &Node, scope: &Scope) -> Alter {
        let (Ok(a), Ok(b)) = (old.spec.read::<CheckSpec>(), new.spec.read::<CheckSpec>()) else {
            return Alter::Replace;
        };
        if a == b {
            return Alter::InPlace(Vec::new());
        }
        if a.not_valid && (CheckSpec { not_valid: false, ..a }) == b {
            let live = table_of(&new.address).iter().any(|table| scope.has_rows(table));
            return Alter::InPlace(vec![validate(new, live)]);
        }
        Alter::Replace
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        Some(key::rename(node, to))
    }

    fn clause(&self, node: &Node, _scope: &Scope) -> Option<(String, Vec<Change>)> {
        let spec: CheckSpec = node.spec.read().ok()?;
        // CREATE TABLE takes every check as valid: there are no rows. NOT VALID needs a statement of its own.
        (!spec.not_valid).then(|| (key::clause(node, &spec.definition()), Vec::new()))
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        vec![key::slot(node)]
    }

    fn rebind(&self, _node: &Node, below: &Address, cause: Cause, _scope: &Scope) -> Rebind {
        key::rebind_expression(below, cause)
    }

    fn preflight(&self, old: Option<&Node>, new: &Node, scope: &Scope) -> Vec<Question> {
        let Ok(spec) = new.spec.read::<CheckSpec>() else { return Vec::new() };
        let tested = old
            .and_then(|n| n.spec.read::<CheckSpec>().ok())
            .is_some_and(|a| !a.not_valid && !a.not_enforced && a.expression == spec.expression);
        if tested || spec.not_valid || spec.not_enforced || !key::needs_live(new, scope) {
            return Vec::new();
        }
        let sql = key::ask(new, "", &format!("NOT ({})", spec.expression), scope);
        vec![Question { sql, refused: format!("do not satisfy check {}", new.address.name()) }]
    }
}

fn validate(node: &Node, live: bool) -> Change {
    key::validate(node).hazard_if(live, Hazard::MayFailOnData, "rows that do not satisfy it make it fail").deferred()
}
