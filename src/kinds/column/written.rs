//! Columns as they are written: a line of DDL, or a map where hints or facets are needed.

use super::{ColumnSpec, Generated, Identity};
use crate::kinds::{check, foreign_key, primary_key, unique, Drafts, Form, Key};
use crate::model::{Address, Node};
use crate::sql::column::{split, Clause};
use crate::sql::{Fragment, Shape};
use crate::yaml::{Scalar, Value as YamlValue, Yaml};
use serde_yaml::{Mapping, Value};

/// The form of a column.
pub static FORM: Form = Form::Either(&[Form::Sql(Shape::Column), Form::Record(KEYS)]);

const KEYS: &[Key] = &[
    Key { name: "type", form: Form::Sql(Shape::Column), doc: "The type, perhaps with more of a DDL line behind it." },
    Key { name: "not_null", form: Form::Flag, doc: "NOT NULL." },
    Key {
        name: "not_null_not_valid",
        form: Form::Flag,
        doc: "NOT NULL is NOT VALID: rows that exist already are not tested (18 and later).",
    },
    Key { name: "default", form: Form::Sql(Shape::Expression), doc: "DEFAULT expression." },
    Key { name: "identity", form: Form::Word(&["always", "by default"]), doc: "GENERATED ... AS IDENTITY." },
    Key { name: "generated", form: Form::Sql(Shape::Expression), doc: "GENERATED ALWAYS AS (expression) STORED." },
    Key { name: "virtual", form: Form::Flag, doc: "Generated when read, not stored (18 and later)." },
    Key { name: "collation", form: Form::Sql(Shape::Name), doc: "COLLATE." },
    Key { name: "storage", form: Form::Word(&["plain", "external", "main", "extended"]), doc: "SET STORAGE." },
    Key { name: "compression", form: Form::Word(&["pglz", "lz4"]), doc: "SET COMPRESSION." },
    Key { name: "statistics", form: Form::Number, doc: "SET STATISTICS." },
    Key { name: "primary_key", form: Form::Flag, doc: "PRIMARY KEY." },
    Key { name: "unique", form: Form::Flag, doc: "UNIQUE." },
    Key { name: "check", form: Form::Sql(Shape::Expression), doc: "CHECK (expression)." },
    Key { name: "references", form: Form::Sql(Shape::References), doc: "REFERENCES what follows." },
    Key { name: "was", form: Form::Name, doc: "The name it had before." },
    Key { name: "backfill", form: Form::Sql(Shape::Expression), doc: "The value for rows that exist already." },
    Key {
        name: "convert",
        form: Form::Sql(Shape::Expression),
        doc: "Turns a value of the old type into the new type.",
    },
];

pub fn declare(table: &Address, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
    let line = match &yaml.value {
        YamlValue::Scalar(scalar) => Some(scalar),
        YamlValue::Map(_) | YamlValue::List(_) => yaml.text("type"),
    };
    let Some(line) = line else {
        out.problem(&yaml.pos, format!("column `{}` has no type", name.text));
        return;
    };
    // Syntax was checked with the form already.
    let Ok(parts) = split(&line.text) else { return };
    let mut spec = ColumnSpec {
        ty: parts.ty.clone(),
        collation: parts.collation.clone(),
        storage: parts.storage.clone(),
        compression: parts.compression.clone(),
        ..ColumnSpec::default()
    };
    let column = &name.text;
    let mut fragments = vec![(Fragment::new(Shape::Type, parts.ty), Some(line.clone()))];
    let mut clauses: Vec<(Clause, Scalar)> = parts.clauses.into_iter().map(|c| (c, line.clone())).collect();
    let mut map_clause = |key: &str, make: &dyn Fn(&Scalar) -> Clause| {
        if let Some(scalar) = yaml
            .text(key)
            .filter(|s| !matches!(key, "primary_key" | "unique") || crate::kinds::form::flag(&s.text) == Some(true))
        {
            clauses.push((make(scalar), scalar.clone()));
        }
    };
    map_clause("default", &|s| Clause::Default { expression: s.text.clone() });
    map_clause("generated", &|s| Clause::Generated { expression: s.text.clone(), stored: !yaml.flag("virtual") });
    map_clause("identity", &|s| Clause::Identity { always: s.text == "always", options: None });
    map_clause("primary_key", &|_| Clause::PrimaryKey { name: None, deferral: Default::default() });
    map_clause("unique", &|_| Clause::Unique { name: None, nulls_not_distinct: false, deferral: Default::default() });
    map_clause("check", &|s| Clause::Check { name: None, expression: s.text.clone(), no_inherit: false });
    map_clause("references", &|s| Clause::References { name: None, text: s.text.clone() });
    for (clause, scalar) in clauses {
        match clause {
            Clause::NotNull { name } => {
                spec.not_null = true;
                spec.not_null_name = name;
            }
            Clause::Default { expression } => {
                fragments.push((Fragment::new(Shape::Expression, expression.as_str()), Some(scalar)));
                spec.default = Some(expression);
            }
            Clause::Identity { always, options } => {
                spec.not_null = true;
                spec.identity = Some(Identity { always, options: options.unwrap_or_default(), sequence: None });
            }
            Clause::Generated { expression, stored } => {
                fragments.push((Fragment::new(Shape::Expression, expression.as_str()), Some(scalar)));
                spec.generated = Some(Generated { expression, is_virtual: !stored });
            }
            Clause::PrimaryKey { name, deferral } => {
                spec.not_null = true;
                primary_key::declare_column(table, column, name, deferral, &scalar, out);
            }
            Clause::Unique { name, nulls_not_distinct, deferral } => {
                unique::declare_column(table, column, name, nulls_not_distinct, deferral, &scalar, out);
            }
            Clause::Check { name, expression, no_inherit } => {
                check::declare_column(table, column, name, &expression, no_inherit, &scalar, out);
            }
            Clause::References { name, text } => foreign_key::declare_column(table, column, name, &text, &scalar, out),
        }
    }
    spec.not_null_not_valid = yaml.flag("not_null_not_valid");
    spec.not_null |= yaml.flag("not_null") || spec.not_null_not_valid;
    if let Some(collation) = yaml.text("collation") {
        spec.collation = Some(collation.text.clone());
    }
    // As a text that has it: what it refers to is found like all else.
    if let Some(collation) = &spec.collation {
        fragments.push((Fragment::new(Shape::Expression, format!("'' COLLATE {collation}")), None));
    }
    for (key, slot) in [("storage", &mut spec.storage), ("compression", &mut spec.compression)] {
        if let Some(word) = yaml.text(key) {
            *slot = Some(word.text.clone());
        }
    }
    spec.statistics = yaml.number("statistics").and_then(|n| i32::try_from(n).ok());
    let order = out.list.len();
    let draft = out.add(table.child("column", column), &spec, &name.pos);
    draft.node.order = u32::try_from(order).unwrap_or(u32::MAX);
    draft.fragments = fragments;
    draft.was(yaml);
    if let Some(backfill) = yaml.text("backfill") {
        draft.hints().backfill = Some(backfill.text.clone());
        draft.statements.push(Fragment::new(Shape::Expression, backfill.text.as_str()));
    }
    if let Some(convert) = yaml.text("convert") {
        draft.hints().convert = Some(convert.text.clone());
        draft.statements.push(Fragment::new(Shape::Expression, convert.text.as_str()));
    }
}

pub fn write(node: &Node) -> Option<Value> {
    let spec: ColumnSpec = node.spec.read().ok()?;
    let line = spec.definition(true);
    if spec.storage.is_none() && spec.statistics.is_none() && !spec.not_null_not_valid {
        return Some(Value::String(line));
    }
    let mut yaml = Mapping::new();
    yaml.insert("type".into(), line.into());
    if spec.not_null_not_valid {
        yaml.insert("not_null_not_valid".into(), true.into());
    }
    if let Some(storage) = spec.storage {
        yaml.insert("storage".into(), storage.into());
    }
    if let Some(statistics) = spec.statistics {
        yaml.insert("statistics".into(), statistics.into());
    }
    Some(Value::Mapping(yaml))
}
