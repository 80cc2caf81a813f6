//! Indexes that no constraint owns (manual, chapter 11; CREATE INDEX).

mod element;

use super::key::{self, list};
use super::relation::{relation, table_of};
use super::table::{parameter_changes, parameters, sql_parameters, write_parameters};
use super::*;
use crate::sql::{qualified, Ident, Shape};
use serde::{Deserialize, Serialize};

/// The index kind.
pub struct Index;

/// What an index holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSpec {
    /// Access method; None is btree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// Columns or expressions as they print: `c COLLATE x opclass DESC NULLS LAST`, defaults left out. A
    /// draft may hold several in one text.
    pub keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nulls_not_distinct: bool,
    /// Storage parameters as `name=value`, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// Left behind by a CREATE INDEX CONCURRENTLY that failed: nobody can declare it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invalid: bool,
}

static FORM: Form = Form::Either(&[
    Form::Sql(Shape::Keys),
    Form::Record(&[
        Key { name: "using", form: Form::Name, doc: "Access method; btree if absent." },
        Key { name: "keys", form: Form::Sql(Shape::Keys), doc: "Columns or expressions with their options." },
        Key { name: "unique", form: Form::Flag, doc: "UNIQUE." },
        Key { name: "include", form: Form::Names, doc: "Columns that it holds besides." },
        Key { name: "where", form: Form::Sql(Shape::Expression), doc: "Which rows it holds." },
        Key { name: "with", form: Form::Map(&Form::Text), doc: "Storage parameters." },
        Key { name: "nulls_not_distinct", form: Form::Flag, doc: "NULLs count as equal (15 and later)." },
        Key { name: "was", form: Form::Name, doc: "The name it had before." },
    ]),
]);

/// Storage parameters that can be changed in an index as it stands, with the lock that takes on it; others
/// shape what is built.
const ADJUSTABLE: [(&str, Lock); 6] = [
    ("fillfactor", Lock::ShareUpdateExclusive),
    ("deduplicate_items", Lock::ShareUpdateExclusive),
    ("fastupdate", Lock::AccessExclusive),
    ("gin_pending_list_limit", Lock::AccessExclusive),
    ("autosummarize", Lock::AccessExclusive),
    ("buffering", Lock::AccessExclusive),
];

impl Kind for Index {
    fn name(&self) -> &'static str {
        "index"
    }

    fn sections(&self) -> &'static [Section] {
        &[
            Section { parent: "table", key: "indexes", many: Many::Named, doc: "Indexes by name." },
            Section { parent: "materialized view", key: "indexes", many: Many::Named, doc: "Indexes by name." },
        ]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(parent) = parent else { return };
        let Some(keys) = yaml.scalar().or_else(|| yaml.text("keys")) else {
            out.problem(&yaml.pos, format!("index `{}` has no keys", name.text));
            return;
        };
        let mut with: Vec<String> = yaml.get("with").into_iter().flat_map(parameters).collect();
        with.sort();
        let spec = IndexSpec {
            method: yaml.text("using").map(|s| s.text.clone()).filter(|m| m != "btree"),
            unique: yaml.flag("unique"),
            keys: vec![keys.text.clone()],
            include: yaml.get("include").map(Yaml::names).unwrap_or_default(),
            nulls_not_distinct: yaml.flag("nulls_not_distinct"),
            with,
            predicate: yaml.text("where").map(|s| s.text.clone()),
            invalid: false,
        };
        let draft = out.add(parent.child("index", &name.text), &spec, &name.pos);
        draft.was(yaml);
        draft.fragment(Shape::Keys, keys);
        if let Some(predicate) = yaml.text("where") {
            draft.fragment(Shape::Expression, predicate);
        }
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        // An invalid one is written as what it was meant to be.
        let IndexSpec { method, unique, keys, include, nulls_not_distinct, with, predicate, invalid: _ } =
            node.spec.read().ok()?;
        let mut yaml = serde_yaml::Mapping::new();
        if let Some(method) = method {
            yaml.insert("using".into(), method.into());
        }
        yaml.insert("keys".into(), keys.join(", ").into());
        key::flags(&mut yaml, &[("unique", unique), ("nulls_not_distinct", nulls_not_distinct)]);
        if !include.is_empty() {
            yaml.insert("include".into(), include.into());
        }
        if let Some(predicate) = predicate {
            yaml.insert("where".into(), predicate.into());
        }
        if !with.is_empty() {
            yaml.insert("with".into(), write_parameters(&with));
        }
        match yaml.get("keys") {
            Some(keys) if yaml.len() == 1 && node.comment.is_none() => Some(keys.clone()),
            _ => Some(Value::Mapping(yaml)),
        }
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_class", parent: "pg_class", query: include_str!("index.sql") })
    }

    fn printed(&self) -> &'static [&'static str] {
        &["keys", "where"]
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let (keys, include) = element::read(row, at + 3)?;
        let with: Option<Vec<String>> = row.try_get(at + 10)?;
        let mut spec = IndexSpec {
            method: row.try_get(at + 1)?,
            unique: row.try_get(at + 2)?,
            keys,
            include,
            with: with.unwrap_or_default(),
            predicate: row.try_get(at + 11)?,
            nulls_not_distinct: row.try_get(at + 12)?,
            invalid: row.try_get(at + 13)?,
        };
        spec.with.sort();
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn declarable(&self, node: &Node) -> Option<(Spec, &'static str)> {
        let spec: IndexSpec = node.spec.read().ok()?;
        let valid = IndexSpec { invalid: false, ..spec.clone() };
        spec.invalid.then(|| (Spec::of(&valid), "is invalid and declared as it was meant: a plan builds it anew"))
    }

    fn plain_words(&self, spec: &mut serde_json::Value) {
        super::table::plain_parameters(spec);
    }

    fn phrase(&self, node: &Node) -> String {
        format!("INDEX {}", qualified(node.address.schema(), node.address.name()))
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<IndexSpec>() else { return Vec::new() };
        let IndexSpec { method, unique, keys, include, nulls_not_distinct, with, predicate, invalid: _ } = &spec;
        let mut sql = format!(
            "CREATE {}INDEX {} ON {}",
            if *unique { "UNIQUE " } else { "" },
            Ident(node.address.name()),
            relation(&node.address)
        );
        if let Some(method) = method {
            sql.push_str(&format!(" USING {}", Ident(method)));
        }
        sql.push_str(&format!(" ({})", keys.join(", ")));
        if !include.is_empty() {
            sql.push_str(&format!(" INCLUDE ({})", list(include)));
        }
        if *nulls_not_distinct {
            sql.push_str(" NULLS NOT DISTINCT");
        }
        if !with.is_empty() {
            sql.push_str(&format!(" WITH ({})", sql_parameters(with)));
        }
        if let Some(predicate) = predicate {
            sql.push_str(&format!(" WHERE {predicate}"));
        }
        let live = table_of(&node.address).iter().any(|table| scope.has_rows(table));
        let create = Change::new(sql, Lock::Share, &table_of(&node.address))
            .hazard_if(live, Hazard::BlocksWrites, "writers wait while it is built")
            .hazard_if(live && *unique, Hazard::MayFailOnData, "rows with equal keys make it fail");
        [create].into_iter().chain(super::table::replica_identity_by(node, scope)).collect()
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        vec![Change::new(format!("DROP {}", self.phrase(node)), Lock::AccessExclusive, &table_of(&node.address))]
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        let (Ok(a), Ok(b)) = (old.spec.read::<IndexSpec>(), new.spec.read::<IndexSpec>()) else {
            return Alter::Replace;
        };
        if a.invalid || (IndexSpec { with: b.with.clone(), ..a.clone() }) != b {
            return Alter::Replace;
        }
        storage(&new.address, &a.with, &b.with)
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        let sql = format!("ALTER {} RENAME TO {}", self.phrase(node), Ident(to));
        Some(Change::new(sql, Lock::ShareUpdateExclusive, &table_of(&node.address)))
    }

    fn stores_results(&self, node: &Node) -> Option<String> {
        Some(built_anew(node))
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        vec![slot(node)]
    }

    fn bond(&self, node: &Node) -> Option<(String, String)> {
        let spec = node.spec.read::<IndexSpec>().ok().filter(|spec| spec.unique && spec.predicate.is_none())?;
        let columns: Vec<String> =
            spec.keys.iter().filter_map(|key| crate::sql::name::split(key)).map(|(_, name)| name).collect();
        Some(key::target_bond(&node.address.parent()?, &columns))
    }

    fn rebind(&self, _node: &Node, below: &Address, cause: Cause, _scope: &Scope) -> Rebind {
        key::rebind_expression(below, cause)
    }

    fn preflight(&self, old: Option<&Node>, new: &Node, scope: &Scope) -> Vec<Question> {
        let Ok(spec) = new.spec.read::<IndexSpec>() else { return Vec::new() };
        let tested = old.and_then(|n| n.spec.read::<IndexSpec>().ok()).is_some_and(|a| {
            let same = (&a.keys, &a.predicate) == (&spec.keys, &spec.predicate);
            same && a.unique && !a.invalid && (a.nulls_not_distinct || !spec.nulls_not_distinct)
        });
        if !spec.unique || tested || !key::needs_live(new, scope) {
            return Vec::new();
        }
        let Some(expressions) = spec.keys.iter().map(|k| key_expression(k)).collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        key::duplicates(new, &expressions, spec.nulls_not_distinct, spec.predicate.as_deref(), scope)
    }
}

/// Until when an index gives what it was built for, in words.
pub fn built_anew(node: &Node) -> String {
    let index = qualified(node.address.schema(), node.address.name());
    format!("searches by it miss rows until REINDEX INDEX CONCURRENTLY {index}")
}

/// Indexes share their names with tables, views and sequences.
pub fn slot(node: &Node) -> (String, String) {
    ("relation".into(), qualified(node.address.schema(), node.address.name()))
}

/// From the old to the new storage parameters of an index.
pub fn storage(index: &Address, old: &[String], new: &[String]) -> Alter {
    let differing = old.iter().filter(|p| !new.contains(p)).chain(new.iter().filter(|p| !old.contains(p)));
    let mut lock = Lock::None;
    for parameter in differing {
        let name = parameter.split('=').next().unwrap_or_default();
        match ADJUSTABLE.iter().find(|(known, _)| *known == name) {
            Some((_, needed)) => lock = lock.max(*needed),
            None => return Alter::Replace,
        }
    }
    let name = qualified(index.schema(), index.name());
    let change = |words: String| Change::new(format!("ALTER INDEX {name} {words}"), lock, &table_of(index));
    Alter::InPlace(parameter_changes(old, new).into_iter().map(change).collect())
}

/// The column or expression in a printed key, without collation, opclass and order.
fn key_expression(printed: &str) -> Option<String> {
    let tokens = crate::sql::tokens(printed).ok()?;
    let mut depth = 0usize;
    let mut tokens = tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        // A name goes on with a dot or the arguments of a call; what was bracketed ends with its bracket.
        let goes_on = match tokens.peek().map(|next| next.text) {
            Some(".") => true,
            Some("(") => token.text != ")",
            _ => token.text == ".",
        };
        if depth == 0 && !goes_on {
            return printed.get(..token.end).map(str::to_owned);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::key_expression;

    #[test]
    fn keys_lose_their_options() {
        let cases = [
            ("a", "a"),
            ("\"A b\" COLLATE pg_catalog.\"C\" pg_catalog.text_pattern_ops DESC NULLS LAST", "\"A b\""),
            ("((a + 1)) DESC", "((a + 1))"),
            ("app.f(a, (b)) NULLS FIRST", "app.f(a, (b))"),
            ("lower(a) pg_catalog.text_pattern_ops", "lower(a)"),
            ("a public.gist_trgm_ops(siglen='32')", "a"),
        ];
        for (printed, wanted) in cases {
            assert_eq!(key_expression(printed).as_deref(), Some(wanted), "{printed}");
        }
    }
}
