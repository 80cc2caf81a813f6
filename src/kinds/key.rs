//! What constraints share: naming them, adding and dropping them, and what primary keys and unique
//! constraints have in common, because an index stands behind both.

use super::relation::{relation, row_key, table_of};
use super::table::{parameters, sql_parameters, write_parameters};
use super::*;
use crate::sql::column::Deferral;
use crate::sql::Ident;
use serde::{Deserialize, Serialize};

/// A primary key or a unique constraint. Columns are in the order of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySpec {
    pub columns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nulls_not_distinct: bool,
    /// WITHOUT OVERLAPS on the last column, from 18 on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_overlaps: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferrable: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initially_deferred: bool,
    /// Storage parameters of its index as `name=value`, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
}

impl KeySpec {
    /// What foreign keys to it hang on.
    pub fn target(node: &Node) -> Option<(String, String)> {
        let spec: Self = node.spec.read().ok()?;
        Some(target_bond(&node.address.parent()?, &spec.columns))
    }

    /// A key of one column, as a column's own line declares it.
    pub fn of_column(column: &str, nulls_not_distinct: bool, deferral: Deferral) -> Self {
        let Deferral { deferrable, initially_deferred } = deferral;
        Self { columns: vec![column.to_owned()], nulls_not_distinct, deferrable, initially_deferred, ..Self::default() }
    }

    /// From `a, b`, `[a, b]`, or a map.
    pub fn from_yaml(yaml: &Yaml) -> Self {
        if !matches!(yaml.value, crate::yaml::Value::Map(_)) {
            return Self { columns: yaml.names(), ..Self::default() };
        }
        let names = |key: &str| yaml.get(key).map(Yaml::names).unwrap_or_default();
        let mut with: Vec<String> = yaml.get("with").into_iter().flat_map(parameters).collect();
        with.sort();
        Self {
            columns: names("columns"),
            include: names("include"),
            nulls_not_distinct: yaml.flag("nulls_not_distinct"),
            without_overlaps: yaml.flag("without_overlaps"),
            deferrable: yaml.flag("deferrable") || yaml.flag("initially_deferred"),
            initially_deferred: yaml.flag("initially_deferred"),
            with,
        }
    }

    /// The map form; None where the columns alone say it all.
    pub fn to_map(&self) -> Option<serde_yaml::Mapping> {
        let Self { columns, include, nulls_not_distinct, without_overlaps, deferrable, initially_deferred, with } =
            self;
        let mut yaml = serde_yaml::Mapping::new();
        if !include.is_empty() {
            yaml.insert("include".into(), include.clone().into());
        }
        flags(
            &mut yaml,
            &[
                ("nulls_not_distinct", *nulls_not_distinct),
                ("without_overlaps", *without_overlaps),
                ("deferrable", *deferrable),
                ("initially_deferred", *initially_deferred),
            ],
        );
        if !with.is_empty() {
            yaml.insert("with".into(), write_parameters(with));
        }
        if yaml.is_empty() {
            return None;
        }
        let mut whole = serde_yaml::Mapping::new();
        whole.insert("columns".into(), columns.clone().into());
        whole.extend(yaml);
        Some(whole)
    }

    /// Reads a row of `key.sql`.
    pub fn read(row: &Row) -> Result<Found> {
        let at = Catalog::FIRST;
        let with: Option<Vec<String>> = row.try_get(at + 7)?;
        let keys: i32 = row.try_get(at + 2)?;
        let mut columns = row.names(Catalog::PARENT, at + 1)?;
        let include = columns.split_off(columns.len().min(usize::try_from(keys).unwrap_or(0)));
        let mut spec = Self {
            columns,
            include,
            nulls_not_distinct: row.try_get(at + 3)?,
            without_overlaps: row.try_get(at + 4)?,
            deferrable: row.try_get(at + 5)?,
            initially_deferred: row.try_get(at + 6)?,
            with: with.unwrap_or_default(),
        };
        spec.with.sort();
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    /// What follows the constraint's name; `words` are PRIMARY KEY or UNIQUE.
    pub fn definition(&self, words: &str) -> String {
        let Self { columns, include, nulls_not_distinct, without_overlaps, deferrable, initially_deferred, with } =
            self;
        let mut sql = words.to_owned();
        if *nulls_not_distinct {
            sql.push_str(" NULLS NOT DISTINCT");
        }
        sql.push_str(&format!(" ({}{})", list(columns), if *without_overlaps { " WITHOUT OVERLAPS" } else { "" }));
        if !include.is_empty() {
            sql.push_str(&format!(" INCLUDE ({})", list(include)));
        }
        if !with.is_empty() {
            sql.push_str(&format!(" WITH ({})", sql_parameters(with)));
        }
        sql.push_str(deferral(*deferrable, *initially_deferred));
        sql
    }

    /// How an old key becomes this one: only the parameters of its index can be changed.
    pub fn alter(old: &Node, new: &Node) -> Alter {
        let (Ok(a), Ok(b)) = (old.spec.read::<Self>(), new.spec.read::<Self>()) else { return Alter::Replace };
        if (Self { with: b.with.clone(), ..a.clone() }) != b {
            return Alter::Replace;
        }
        super::index::storage(&new.address, &a.with, &b.with)
    }

    /// Rows that share their values with others. What a key requires of NULL, its columns ask themselves.
    pub fn preflight(&self, old: Option<&Node>, node: &Node, scope: &Scope) -> Vec<Question> {
        let before = old.and_then(|n| n.spec.read::<Self>().ok());
        let same = |b: &Self| b.columns == self.columns && (b.nulls_not_distinct || !self.nulls_not_distinct);
        if self.without_overlaps || before.is_some_and(|b| same(&b)) || !columns_live(node, &self.columns, scope) {
            return Vec::new();
        }
        let columns: Vec<String> = self.columns.iter().map(|c| Ident(c).to_string()).collect();
        duplicates(node, &columns, self.nulls_not_distinct, None, scope)
    }
}

/// `a, b` as SQL.
pub fn list(columns: &[String]) -> String {
    columns.iter().map(|c| Ident(c).to_string()).collect::<Vec<_>>().join(", ")
}

/// DEFERRABLE and INITIALLY DEFERRED, with a space before them; nothing for the default.
pub fn deferral(deferrable: bool, initially_deferred: bool) -> &'static str {
    match (deferrable, initially_deferred) {
        (_, true) => " DEFERRABLE INITIALLY DEFERRED",
        (true, false) => " DEFERRABLE",
        (false, false) => "",
    }
}

/// Writes the flags that are set.
pub fn flags(yaml: &mut serde_yaml::Mapping, flags: &[(&str, bool)]) {
    for (key, _) in flags.iter().filter(|(_, set)| *set) {
        yaml.insert((*key).into(), true.into());
    }
}

/// `CONSTRAINT n ON app.orders`, as COMMENT ON takes it.
pub fn phrase(node: &Node) -> String {
    format!("CONSTRAINT {} ON {}", Ident(node.address.name()), relation(&node.address))
}

/// The clause in CREATE TABLE.
pub fn clause(node: &Node, definition: &str) -> String {
    format!("CONSTRAINT {} {definition}", Ident(node.address.name()))
}

/// ALTER TABLE ... ADD CONSTRAINT.
pub fn add(node: &Node, definition: &str, lock: Lock) -> Change {
    let sql = format!("ALTER TABLE {} ADD {}", relation(&node.address), clause(node, definition));
    Change::new(sql, lock, &table_of(&node.address))
}

/// ALTER TABLE ... ADD CONSTRAINT where an index is built for it: nobody can use the table meanwhile.
pub fn add_with_index(node: &Node, definition: &str, scope: &Scope) -> Vec<Change> {
    let live = table_of(&node.address).iter().any(|table| scope.has_rows(table));
    let add = add(node, definition, Lock::AccessExclusive)
        .hazard_if(live, Hazard::BlocksReads, "readers wait while its index is built")
        .hazard_if(live, Hazard::BlocksWrites, "writers wait while its index is built")
        .hazard_if(live, Hazard::MayFailOnData, "rows that are in conflict with each other make it fail");
    [add].into_iter().chain(super::table::replica_identity_by(node, scope)).collect()
}

/// ALTER TABLE ... VALIDATE CONSTRAINT: reads the table while others go on using it.
pub fn validate(node: &Node) -> Change {
    let sql = format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", relation(&node.address), Ident(node.address.name()));
    Change::new(sql, Lock::ShareUpdateExclusive, &table_of(&node.address)).runs()
}

/// ALTER TABLE ... DROP CONSTRAINT.
pub fn drop(node: &Node) -> Change {
    let sql = format!("ALTER TABLE {} DROP CONSTRAINT {}", relation(&node.address), Ident(node.address.name()));
    Change::new(sql, Lock::AccessExclusive, &table_of(&node.address))
}

/// ALTER TABLE ... RENAME CONSTRAINT.
pub fn rename(node: &Node, to: &str) -> Change {
    let table = relation(&node.address);
    let sql = format!("ALTER TABLE {table} RENAME CONSTRAINT {} TO {}", Ident(node.address.name()), Ident(to));
    Change::new(sql, Lock::AccessExclusive, &table_of(&node.address))
}

/// Constraint names are unique per table.
pub fn slot(node: &Node) -> (String, String) {
    ("constraint".into(), format!("{}.{}", relation(&node.address), Ident(node.address.name())))
}

/// The key that foreign keys to these columns of a table hang on. Of two equal ones PostgreSQL takes the older:
/// a foreign key is made when the one that goes is gone.
pub fn target_bond(table: &Address, columns: &[String]) -> (String, String) {
    let mut columns = columns.to_vec();
    columns.sort();
    ("key".into(), format!("{} ({})", table.path(), list(&columns)))
}

/// The slots of a constraint with an index of the same name behind it.
pub fn slots_with_index(node: &Node) -> Vec<(String, String)> {
    vec![slot(node), super::index::slot(node)]
}

/// What becomes of a key on columns: it goes along with a column, and falls with it.
pub fn rebind(node: &Node, below: &Address, cause: Cause) -> Rebind {
    let included = || node.spec.read::<KeySpec>().is_ok_and(|spec| spec.include.iter().any(|c| c == below.name()));
    match cause {
        Cause::Replaced => Rebind::Replace,
        // PostgreSQL forgets foreign keys to the constraint when it rebuilds it for an included column (2BP01).
        Cause::Rebuilt if below.kind() == "column" && included() => Rebind::Replace,
        Cause::Rebuilt | Cause::Swapped => Rebind::Keep,
    }
}

/// What becomes of what holds an expression. PostgreSQL rebuilds it with the type of a column; an
/// expression that names the swapped type itself has to be written anew.
pub fn rebind_expression(below: &Address, cause: Cause) -> Rebind {
    match cause {
        Cause::Replaced => Rebind::Replace,
        Cause::Rebuilt => Rebind::Keep,
        Cause::Swapped if below.kind() == "column" => Rebind::Keep,
        Cause::Swapped => Rebind::Replace,
    }
}

/// Whether the table is live and has all these columns, so that its rows can be asked about them.
pub fn columns_live(node: &Node, columns: &[String], scope: &Scope) -> bool {
    let Some(table) = node.address.parent() else { return false };
    scope.actual.get(&table).is_some() && columns.iter().all(|c| scope.actual.get(&table.child("column", c)).is_some())
}

/// Whether all that an expression needs is live and as it will be.
pub fn needs_live(node: &Node, scope: &Scope) -> bool {
    let table = node.address.parent();
    let live = |need: &Address| match (scope.actual.get(need), scope.desired.get(need)) {
        (Some(actual), Some(desired)) => actual.spec == desired.spec,
        (Some(_), None) => true,
        (None, _) => false,
    };
    table.is_some_and(|t| scope.actual.get(&t).is_some()) && node.needs.iter().all(live)
}

/// The query of a question: how many rows of the live table, under an alias where one is given, a
/// condition holds for, and three keys.
pub fn ask(node: &Node, alias: &str, condition: &str, scope: &Scope) -> String {
    let (table, key) = (relation(&node.address), row_key(&node.address, scope));
    format!(
        "SELECT count(*), coalesce(array_agg(key) FILTER (WHERE n <= 3), '{{}}') \
         FROM (SELECT {key} AS key, row_number() OVER () AS n FROM {table} {alias} WHERE {condition}) refused"
    )
}

/// How many rows share the values of these SQL expressions with another row, and one key of each
/// of three such groups.
pub fn duplicates(
    node: &Node,
    expressions: &[String],
    nulls_not_distinct: bool,
    predicate: Option<&str>,
    scope: &Scope,
) -> Vec<Question> {
    let (table, key) = (relation(&node.address), row_key(&node.address, scope));
    let filled = expressions.iter().filter(|_| !nulls_not_distinct).map(|e| format!("{e} IS NOT NULL"));
    let conditions: Vec<String> = filled.chain(predicate.map(|p| format!("({p})"))).collect();
    let condition = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let by = expressions.join(", ");
    let sql = format!(
        "SELECT coalesce(sum(n), 0)::bigint, coalesce((array_agg(key))[1:3], '{{}}') \
         FROM (SELECT count(*) AS n, min({key}) AS key FROM {table}{condition} GROUP BY {by} HAVING count(*) > 1) refused"
    );
    vec![Question { sql, refused: format!("share their values of ({by}) with another row") }]
}
