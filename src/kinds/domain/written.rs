//! Domains as they are written: a line of DDL, or a map where hints, facets or several checks are needed.

use super::{DomainCheck, DomainSpec};
use crate::kinds::{Drafts, Form, Key};
use crate::model::{Address, Node};
use crate::sql::column::{split, Clause};
use crate::sql::{Fragment, Shape};
use crate::yaml::{Scalar, Value as YamlValue, Yaml};
use serde_yaml::{Mapping, Value};

/// The form of a domain.
pub static FORM: Form = Form::Either(&[Form::Sql(Shape::Domain), Form::Record(KEYS)]);

const KEYS: &[Key] = &[
    Key { name: "type", form: Form::Sql(Shape::Domain), doc: "The type, perhaps with more of a DDL line behind it." },
    Key { name: "default", form: Form::Sql(Shape::Expression), doc: "DEFAULT expression." },
    Key { name: "not_null", form: Form::Flag, doc: "NOT NULL." },
    Key { name: "collation", form: Form::Sql(Shape::Name), doc: "COLLATE." },
    Key { name: "checks", form: Form::Map(&CHECK), doc: "Checks by name; `value` is the value." },
    Key { name: "was", form: Form::Text, doc: "The name it had before." },
];

static CHECK: Form = Form::Either(&[
    Form::Sql(Shape::Expression),
    Form::Record(&[
        Key { name: "expression", form: Form::Sql(Shape::Expression), doc: "What must not be false." },
        Key { name: "not_valid", form: Form::Flag, doc: "Values that are there already need not satisfy it." },
    ]),
]);

pub fn declare(domain: Address, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
    let line = match &yaml.value {
        YamlValue::Scalar(scalar) => Some(scalar),
        YamlValue::Map(_) | YamlValue::List(_) => yaml.text("type"),
    };
    let Some(line) = line else {
        out.problem(&yaml.pos, format!("domain `{}` has no type", name.text));
        return;
    };
    // Syntax was checked with the form already; what may follow a domain's type may follow a column's.
    let Ok(parts) = split(&line.text) else { return };
    let mut fragments = vec![(Fragment::new(Shape::Type, parts.ty.as_str()), Some(line.clone()))];
    let mut spec = DomainSpec { ty: parts.ty, collation: parts.collation, ..DomainSpec::default() };
    let mut checks: Vec<(Option<String>, DomainCheck, Scalar)> = Vec::new();
    for clause in parts.clauses {
        match clause {
            Clause::NotNull { name } => {
                spec.not_null = true;
                spec.not_null_name = name;
            }
            Clause::Default { expression } => {
                fragments.push((Fragment::new(Shape::Expression, expression.as_str()), Some(line.clone())));
                spec.default = Some(expression);
            }
            Clause::Check { name, expression, no_inherit: false } => {
                checks.push((name, DomainCheck { expression, not_valid: false }, line.clone()));
            }
            Clause::Check { .. }
            | Clause::PrimaryKey { .. }
            | Clause::Unique { .. }
            | Clause::References { .. }
            | Clause::Identity { .. }
            | Clause::Generated { .. } => {
                out.problem(&line.pos, "a domain has a default, NOT NULL and plain checks, nothing else");
            }
        }
    }
    if let Some(default) = yaml.text("default") {
        fragments.push((Fragment::new(Shape::Expression, default.text.as_str()), Some(default.clone())));
        spec.default = Some(default.text.clone());
    }
    spec.not_null |= yaml.flag("not_null");
    if let Some(collation) = yaml.text("collation") {
        spec.collation = Some(collation.text.clone());
    }
    // As a text that has it: what it refers to is found like all else.
    if let Some(collation) = &spec.collation {
        fragments.push((Fragment::new(Shape::Expression, format!("'' COLLATE {collation}")), None));
    }
    for (check, written) in yaml.get("checks").into_iter().flat_map(Yaml::entries) {
        let Some(expression) = written.scalar().or_else(|| written.text("expression")) else {
            out.problem(&check.pos, format!("check `{}` has no expression", check.text));
            continue;
        };
        let not_valid = written.flag("not_valid");
        let made = DomainCheck { expression: expression.text.clone(), not_valid };
        checks.push((Some(check.text.clone()), made, expression.clone()));
    }
    // Derived names come after the given ones, so that none is taken.
    checks.sort_by_key(|(name, _, _)| name.is_none());
    for (check_name, check, scalar) in checks {
        fragments.push((Fragment::new(Shape::Expression, check.expression.as_str()), Some(scalar.clone())));
        let given = check_name.unwrap_or_else(|| {
            let mut derived = out.derive(&domain, "", "check");
            while spec.checks.contains_key(&derived) {
                derived = out.derive(&domain, "", "check");
            }
            derived
        });
        if spec.checks.insert(given.clone(), check).is_some() {
            out.problem(&scalar.pos, format!("check `{given}` is there twice"));
        }
    }
    let draft = out.add(domain, &spec, &name.pos);
    draft.fragments = fragments;
    draft.was(yaml);
}

pub fn write(node: &Node) -> Option<Value> {
    let spec: DomainSpec = node.spec.read().ok()?;
    if spec.checks.len() <= 1 && spec.checks.values().all(|check| !check.not_valid) {
        let derived = crate::sql::name::derive(node.address.name(), "", "check", &|_| false);
        return Some(spec.definition(&|name| *name != derived).into());
    }
    let mut yaml = Mapping::new();
    let without_checks = DomainSpec { checks: Default::default(), ..spec.clone() };
    yaml.insert("type".into(), without_checks.definition(&|_| true).into());
    let mut checks = Mapping::new();
    for (name, DomainCheck { expression, not_valid }) in spec.checks {
        let mut written = Value::from(expression);
        if not_valid {
            let mut map = Mapping::new();
            map.insert("expression".into(), written);
            map.insert("not_valid".into(), true.into());
            written = Value::Mapping(map);
        }
        checks.insert(name.into(), written);
    }
    yaml.insert("checks".into(), Value::Mapping(checks));
    Some(Value::Mapping(yaml))
}

/// A check's expression as a condition on a column. The server prints VALUE in upper case, and names that
/// look the same in quotes.
pub fn applied(expression: &str, column: &str, ty: &str) -> Option<String> {
    let mut condition = String::new();
    let mut end = 0;
    for token in crate::sql::tokens(expression).ok()?.iter().filter(|t| t.text == "VALUE") {
        condition.push_str(expression.get(end..token.start)?);
        condition.push_str(&format!("({column}::{ty})"));
        end = token.end;
    }
    condition.push_str(expression.get(end..)?);
    Some(condition)
}

#[cfg(test)]
mod tests {
    use super::applied;

    #[test]
    fn checks_apply_to_columns() {
        let expression = "((VALUE ~ 'VALUE'::text) AND (length(VALUE) > 1))";
        let wanted = "(((c::text) ~ 'VALUE'::text) AND (length((c::text)) > 1))";
        assert_eq!(applied(expression, "c", "text").as_deref(), Some(wanted));
    }
}
