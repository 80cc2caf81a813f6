//! Foreign keys (manual, section 5.5.5). They are always statements of their own, so that tables can
//! refer to each other in circles.

mod least;

use super::column::ColumnSpec;
use super::key::{self, list};
use super::relation::table_of;
use super::*;
use crate::sql::foreign_key::{split, Line};
use crate::sql::{qualified, Ident, Shape};
use serde::{Deserialize, Serialize};

/// The foreign key kind.
pub struct ForeignKey;

/// What refers to what, and what follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKeySpec {
    pub columns: Vec<String>,
    pub references: Target,
    /// Empty only in a draft that leaves them to the primary key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_columns: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub match_full: bool,
    /// None is NO ACTION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_update: Option<String>,
    /// None is NO ACTION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<String>,
    /// The columns that ON DELETE sets; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_columns: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferrable: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initially_deferred: bool,
    /// Rows that were there before it have not been tested.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_valid: bool,
    /// Nothing is tested, from 18 on; such a key is not `not_valid` besides.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_enforced: bool,
    /// PERIOD on the last columns, from 18 on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub period: bool,
    /// DISABLE TRIGGER ALL, on this table or the other, has stopped what keeps it: nobody can declare that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

/// The referenced table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Empty only in a draft that leaves it to the search path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema: String,
    pub table: String,
}

impl Target {
    fn sql(&self) -> String {
        let Self { schema, table } = self;
        if schema.is_empty() {
            Ident(table).to_string()
        } else {
            qualified(schema, table)
        }
    }

    pub(super) fn address(&self) -> Address {
        Address::root("schema", &self.schema).child("table", &self.table)
    }
}

static FORM: Form = Form::Either(&[
    Form::Sql(Shape::ForeignKey),
    Form::Record(&[
        Key { name: "key", form: Form::Sql(Shape::ForeignKey), doc: "`(a) references t (b) on delete cascade`." },
        Key { name: "was", form: Form::Name, doc: "The name it had before." },
    ]),
]);

/// The words of `pg_constraint.confupdtype` and `confdeltype`; None for NO ACTION.
fn action(letter: &str) -> Option<String> {
    let words = match letter {
        "r" => "RESTRICT",
        "c" => "CASCADE",
        "n" => "SET NULL",
        "d" => "SET DEFAULT",
        _ => return None,
    };
    Some(words.to_owned())
}

impl ForeignKeySpec {
    fn of(line: Line) -> Self {
        let Line {
            columns,
            schema,
            table,
            targets,
            match_full,
            on_update,
            on_delete,
            set_columns,
            deferrable,
            initially_deferred,
            not_valid,
            not_enforced,
            period,
        } = line;
        Self {
            columns,
            references: Target { schema: schema.unwrap_or_default(), table },
            target_columns: targets,
            match_full,
            on_update: action(&on_update),
            on_delete: action(&on_delete),
            set_columns,
            deferrable,
            initially_deferred,
            not_valid,
            not_enforced,
            period,
            disabled: false,
        }
    }

    /// What follows FOREIGN KEY, without NOT VALID.
    fn definition(&self) -> String {
        let Self {
            columns,
            references,
            target_columns,
            match_full,
            on_update,
            on_delete,
            set_columns,
            deferrable,
            initially_deferred,
            not_valid: _,
            not_enforced,
            period,
            disabled: _,
        } = self;
        let columns_of = |columns: &[String]| match columns.split_last() {
            Some((last, first)) if *period && !first.is_empty() => format!("({}, PERIOD {})", list(first), Ident(last)),
            _ => format!("({})", list(columns)),
        };
        let mut sql = format!("{} REFERENCES {}", columns_of(columns), references.sql());
        if !target_columns.is_empty() {
            sql.push_str(&format!(" {}", columns_of(target_columns)));
        }
        if *match_full {
            sql.push_str(" MATCH FULL");
        }
        if let Some(action) = on_update {
            sql.push_str(&format!(" ON UPDATE {action}"));
        }
        if let Some(action) = on_delete {
            sql.push_str(&format!(" ON DELETE {action}"));
            if !set_columns.is_empty() {
                sql.push_str(&format!(" ({})", list(set_columns)));
            }
        }
        sql.push_str(key::deferral(*deferrable, *initially_deferred));
        if *not_enforced {
            sql.push_str(" NOT ENFORCED");
        }
        sql
    }
}

/// Declares the key that a column's own line holds; `text` is what follows REFERENCES.
pub fn declare_column(table: &Address, column: &str, name: Option<String>, text: &str, at: &Scalar, out: &mut Drafts) {
    let Ok(line) = split(&format!("({}) REFERENCES {text}", Ident(column))) else {
        out.problem(&at.pos, format!("`{}` is not a reference", form::brief(text)));
        return;
    };
    let name = name.unwrap_or_else(|| out.derive(table, column, "fkey"));
    out.add(table.child("foreign key", &name), &ForeignKeySpec::of(line), &at.pos).fragment_text(
        Shape::References,
        text,
        Some(at),
    );
}

impl Kind for ForeignKey {
    fn name(&self) -> &'static str {
        "foreign key"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "table", key: "foreign_keys", many: Many::Named, doc: "Foreign keys by name." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(table) = parent else { return };
        let Some(line) = yaml.scalar().or_else(|| yaml.text("key")) else {
            out.problem(&yaml.pos, format!("foreign key `{}` does not say what it references", name.text));
            return;
        };
        // Syntax was checked with the form already.
        let Ok(parts) = split(&line.text) else { return };
        let draft = out.add(table.child("foreign key", &name.text), &ForeignKeySpec::of(parts), &name.pos);
        draft.was(yaml);
        draft.fragment(Shape::ForeignKey, line);
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let spec: ForeignKeySpec = node.spec.read().ok()?;
        let line = format!("{}{}", spec.definition(), if spec.not_valid { " NOT VALID" } else { "" });
        if node.comment.is_none() {
            return Some(line.into());
        }
        Some(Value::Mapping([("key".into(), line.into())].into_iter().collect()))
    }

    fn is_outward(&self) -> bool {
        false
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_constraint", parent: "pg_class", query: include_str!("foreign_key.sql") })
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let (not_valid, not_enforced): (bool, bool) = (row.try_get(at + 10)?, row.try_get(at + 11)?);
        let (schema, table) = row.relation(at + 2)?;
        let spec = ForeignKeySpec {
            columns: row.names(Catalog::PARENT, at + 1)?,
            references: Target { schema, table },
            target_columns: row.names(at + 2, at + 3)?,
            on_update: action(row.try_get(at + 4)?),
            on_delete: action(row.try_get(at + 5)?),
            set_columns: row.names(Catalog::PARENT, at + 6)?,
            match_full: row.try_get(at + 7)?,
            deferrable: row.try_get(at + 8)?,
            initially_deferred: row.try_get(at + 9)?,
            not_valid: not_valid && !not_enforced,
            not_enforced,
            period: row.try_get(at + 12)?,
            disabled: row.try_get(at + 13)?,
        };
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn declarable(&self, node: &Node) -> Option<(Spec, &'static str)> {
        let spec: ForeignKeySpec = node.spec.read().ok()?;
        let kept = ForeignKeySpec { disabled: false, ..spec.clone() };
        spec.disabled.then(|| (Spec::of(&kept), "has its triggers disabled and is declared as one that is kept"))
    }

    fn phrase(&self, node: &Node) -> String {
        key::phrase(node)
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<ForeignKeySpec>() else { return Vec::new() };
        let live = table_of(&node.address).iter().any(|table| scope.has_rows(table));
        let definition = format!("FOREIGN KEY {}", spec.definition());
        let add = |definition: &str| {
            let mut change = key::add(node, definition, Lock::ShareRowExclusive);
            push_target(&mut change, &spec);
            change
        };
        if spec.not_enforced || !(spec.not_valid || live) {
            return tested(node, &spec, add(&definition), scope);
        }
        // New rows are tested from here on; the search for the others' targets then holds nobody up.
        let unvalidated = add(&format!("{definition} NOT VALID"));
        if spec.not_valid {
            return vec![unvalidated];
        }
        let mut changes = vec![unvalidated];
        changes.extend(tested(node, &spec, validate(node, live), scope));
        changes
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        let mut change = key::drop(node);
        if let Ok(spec) = node.spec.read::<ForeignKeySpec>() {
            push_target(&mut change, &spec);
        }
        vec![change]
    }

    fn alter(&self, old: &Node, new: &Node, scope: &Scope) -> Alter {
        let (Ok(a), Ok(b)) = (old.spec.read::<ForeignKeySpec>(), new.spec.read::<ForeignKeySpec>()) else {
            return Alter::Replace;
        };
        let within_reach = ForeignKeySpec {
            deferrable: b.deferrable,
            initially_deferred: b.initially_deferred,
            not_valid: a.not_valid && b.not_valid,
            ..a.clone()
        };
        if within_reach != b {
            return Alter::Replace;
        }
        let mut changes = Vec::new();
        if (a.deferrable, a.initially_deferred) != (b.deferrable, b.initially_deferred) {
            let words = match (b.deferrable, b.initially_deferred) {
                (_, true) => "DEFERRABLE INITIALLY DEFERRED",
                (true, false) => "DEFERRABLE INITIALLY IMMEDIATE",
                (false, false) => "NOT DEFERRABLE",
            };
            let (table, name) = (relation::relation(&new.address), Ident(new.address.name()));
            let sql = format!("ALTER TABLE {table} ALTER CONSTRAINT {name} {words}");
            changes.push(Change::new(sql, Lock::AccessExclusive, &table_of(&new.address)));
        }
        if a.not_valid && !b.not_valid {
            let live = table_of(&new.address).iter().any(|table| scope.has_rows(table));
            changes.extend(tested(new, &b, validate(new, live), scope));
        }
        Alter::InPlace(changes)
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        Some(key::rename(node, to))
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        vec![key::slot(node)]
    }

    fn bond(&self, node: &Node) -> Option<(String, String)> {
        let spec: ForeignKeySpec = node.spec.read().ok()?;
        Some(key::target_bond(&spec.references.address(), &spec.target_columns))
    }

    fn referent(&self, node: &Node) -> Option<(Address, Vec<String>)> {
        least::referent(node)
    }

    fn least_referent(&self, node: &Node, table: &Address, model: &Model) -> Option<Vec<Node>> {
        least::table(node, table, model)
    }

    fn referring_to(&self, node: &Node, table: &Address) -> Spec {
        let Ok(spec) = node.spec.read::<ForeignKeySpec>() else { return node.spec.clone() };
        let references = Target { schema: table.schema().to_owned(), table: table.name().to_owned() };
        Spec::of(&ForeignKeySpec { references, ..spec })
    }

    fn rebind(&self, _node: &Node, below: &Address, cause: Cause, scope: &Scope) -> Rebind {
        match cause {
            Cause::Replaced => Rebind::Replace,
            // PostgreSQL rebuilds it with one column's type only while both still compare.
            Cause::Rebuilt | Cause::Swapped if below.kind() == "column" && !still_compares(below, scope) => {
                Rebind::Replace
            }
            Cause::Rebuilt | Cause::Swapped => Rebind::Keep,
        }
    }

    fn comes_after(&self, node: &Node, desired: &Model) -> Vec<Address> {
        let Ok(spec) = node.spec.read::<ForeignKeySpec>() else { return Vec::new() };
        let target = spec.references.address();
        let mut before: Vec<Address> = Vec::new();
        for child in desired.children(&target) {
            let unique_index = || child.spec.read::<super::index::IndexSpec>().is_ok_and(|index| index.unique);
            match child.address.kind() {
                "row" | "primary key" | "unique" => before.push(child.address.clone()),
                "index" if unique_index() => before.push(child.address.clone()),
                _ => {}
            }
        }
        if let Some(own) = node.address.parent().filter(|own| *own != target) {
            before.extend(desired.children(&own).filter(|n| n.address.kind() == "row").map(|n| n.address.clone()));
        }
        before
    }

    fn goes_before(&self, node: &Node, actual: &Model) -> Vec<Address> {
        // A reference row that goes first would take along, by ON DELETE, the rows that refer to it.
        let Ok(spec) = node.spec.read::<ForeignKeySpec>() else { return Vec::new() };
        actual
            .children(&spec.references.address())
            .filter(|n| n.address.kind() == "row")
            .map(|n| n.address.clone())
            .collect()
    }

    fn preflight(&self, old: Option<&Node>, new: &Node, scope: &Scope) -> Vec<Question> {
        let Ok(spec) = new.spec.read::<ForeignKeySpec>() else { return Vec::new() };
        let before = old.and_then(|n| n.spec.read::<ForeignKeySpec>().ok());
        let tested = before.is_some_and(|a| {
            let pairs = (&a.columns, &a.references, &a.target_columns, a.match_full);
            !a.not_valid
                && !a.not_enforced
                && !a.disabled
                && pairs == (&spec.columns, &spec.references, &spec.target_columns, spec.match_full)
        });
        if tested || spec.not_valid || spec.not_enforced || spec.period || !answerable(new, &spec, scope) {
            return Vec::new();
        }
        let each = |words: &str, with: &str| {
            let columns = spec.columns.iter().map(|c| format!("source.{} {words}", Ident(c)));
            columns.collect::<Vec<_>>().join(with)
        };
        let filled =
            if spec.match_full { format!("NOT ({})", each("IS NULL", " AND ")) } else { each("IS NOT NULL", " AND ") };
        let pairs = spec.columns.iter().zip(&spec.target_columns);
        let equal: Vec<String> = pairs.map(|(c, t)| format!("target.{} = source.{}", Ident(t), Ident(c))).collect();
        let target = spec.references.sql();
        let condition = format!("{filled} AND NOT EXISTS (SELECT FROM {target} target WHERE {})", equal.join(" AND "));
        let refused = format!("refer from ({}) to nothing in {target}", list(&spec.columns));
        vec![Question { sql: key::ask(new, "source", &condition, scope), refused }]
    }
}

fn push_target(change: &mut Change, spec: &ForeignKeySpec) {
    let target = spec.references.address();
    if !change.on.contains(&target) {
        change.on.push(target);
    }
}

/// With all rows of both ends in sight.
fn tested(node: &Node, spec: &ForeignKeySpec, change: Change, scope: &Scope) -> Vec<Change> {
    let mut ends = table_of(&node.address);
    ends.push(spec.references.address());
    row_security::seen_whole(&ends, change, scope)
}

fn validate(node: &Node, live: bool) -> Change {
    key::validate(node).hazard_if(live, Hazard::MayFailOnData, "rows that refer to nothing make it fail").deferred()
}

/// The tables at the other ends of the live foreign keys of a column: PostgreSQL rebuilds these keys with its type, and
/// locks both ends.
pub fn partners(column: &Address, scope: &Scope) -> Vec<Address> {
    let Some(table) = column.parent() else { return Vec::new() };
    let mut partners = Vec::new();
    for node in scope.actual.nodes().iter().filter(|n| n.address.kind() == "foreign key") {
        let (Ok(spec), Some(own)) = (node.spec.read::<ForeignKeySpec>(), node.address.parent()) else { continue };
        let target = spec.references.address();
        let name = |c: &String| c == column.name();
        let (here, there) =
            (own == table && spec.columns.iter().any(name), target == table && spec.target_columns.iter().any(name));
        let ends = spec.columns.iter().map(|c| own.child("column", c));
        let mut ends = ends.chain(spec.target_columns.iter().map(|c| target.child("column", c)));
        let stays = scope.desired.get(&node.address).is_some_and(|new| new.spec == node.spec);
        if (here || there) && stays && ends.all(|end| still_compares(&end, scope)) {
            partners.push(if here { target } else { own });
        }
    }
    partners
}

/// Whether the question can be put to the live data: all columns are there with the types they will
/// have, and no reference rows are still to come.
fn answerable(node: &Node, spec: &ForeignKeySpec, scope: &Scope) -> bool {
    let Some(own) = node.address.parent() else { return false };
    let target = spec.references.address();
    let same_type = |table: &Address, column: &String| {
        let column = table.child("column", column);
        let ty = |model: &Model| model.get(&column).and_then(|n| n.spec.read::<ColumnSpec>().ok()).map(|c| c.ty);
        let live = ty(scope.actual);
        live.is_some() && live == ty(scope.desired)
    };
    // What others own is on the server as it is.
    let others = scope.actual.get(&target).is_none() && scope.desired.get(&target).is_none();
    spec.columns.iter().all(|c| same_type(&own, c))
        && (others || spec.target_columns.iter().all(|c| same_type(&target, c)))
        && scope.desired.children(&target).all(|n| n.address.kind() != "row" || scope.actual.get(&n.address).is_some())
}

/// Whether values of a column's old and new types compare with each other. Under the same qualified name
/// stands a type that is swapped for a new one.
fn still_compares(column: &Address, scope: &Scope) -> bool {
    let ty = |model: &Model| model.get(column).and_then(|n| n.spec.read::<ColumnSpec>().ok()).map(|c| c.ty);
    let (Some(old), Some(new)) = (ty(scope.actual), ty(scope.desired)) else { return true };
    (old == new && !old.contains('.')) || family(&old).is_some_and(|f| family(&new) == Some(f))
}

/// Types whose values compare across types by operators of one B-tree family.
fn family(ty: &str) -> Option<&'static str> {
    match ty.split('(').next().unwrap_or_default().trim() {
        "smallint" | "integer" | "bigint" => Some("integers"),
        "text" | "character varying" => Some("texts"),
        "numeric" => Some("numerics"),
        "date" | "timestamp without time zone" | "timestamp with time zone" => Some("times"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_read_back() {
        let lines = [
            "(a) REFERENCES t",
            "(a, \"B\") REFERENCES app.t (x, y) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL (a) DEFERRABLE INITIALLY DEFERRED",
            "(a) REFERENCES app.t (x) ON DELETE RESTRICT DEFERRABLE NOT ENFORCED",
            "(a, PERIOD b) REFERENCES app.t (x, PERIOD y)",
        ];
        for line in lines {
            let spec = split(line).map(ForeignKeySpec::of).map(|s| s.definition());
            assert_eq!(spec.as_deref(), Ok(line));
        }
    }
}
