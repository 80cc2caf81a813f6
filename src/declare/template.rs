//! Templates: what tables of one sort have in common, stamped on each that says `use`.

use super::{Sections, Settings};
use crate::error::Problem;
use crate::kinds::{self, form, Many};
use crate::sql::name;
use crate::yaml::{Scalar, Value, Yaml};
use std::collections::BTreeMap;

/// How deep templates may use templates.
const DEEPEST: usize = 8;

/// How many templates one table may use, those that templates use included.
const MOST: usize = 1000;

/// Where stamping is, and how much of it is still allowed.
struct Way {
    path: Vec<String>,
    left: usize,
}

/// All templates by name.
pub type Templates = BTreeMap<String, Yaml>;

pub fn collect(sections: &Sections, problems: &mut Vec<Problem>) -> Templates {
    let mut templates = Templates::new();
    for (_, name, yaml) in sections.iter().filter(|(key, _, _)| key == "templates") {
        if !matches!(yaml.value, Value::Map(_)) {
            problems.push(Problem::new(&yaml.pos, format!("template `{}` is a map like a table's", name.text)));
            continue;
        }
        templates.insert(name.text.clone(), yaml.clone());
    }
    templates
}

/// The table's YAML with its templates merged in; None if it uses none. The table's own things come
/// first; a name that two of them give is a mistake.
pub fn stamp(
    templates: &Templates,
    table: &Scalar,
    yaml: &Yaml,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) -> Option<Yaml> {
    yaml.get("use")?;
    let (schema, name) = name::split(&table.text)?;
    let schema = schema.or_else(|| settings.schemas.first().cloned()).unwrap_or_default();
    let values = [("table", name.as_str()), ("schema", schema.as_str())];
    let mut merged = yaml.clone();
    let mut way = Way { path: Vec::new(), left: MOST };
    merge_used(templates, yaml, &values, &mut merged, &mut way, problems);
    if way.left == 0 {
        problems
            .push(Problem::new(&table.pos, format!("`{}` uses more than {MOST} templates, all in all", table.text)));
    }
    Some(merged)
}

fn merge_used(
    templates: &Templates,
    yaml: &Yaml,
    values: &[(&str, &str)],
    into: &mut Yaml,
    way: &mut Way,
    problems: &mut Vec<Problem>,
) {
    let Some(used) = yaml.get("use") else { return };
    for template in used.names() {
        if way.left == 0 {
            return;
        }
        way.left -= 1;
        let Some(found) = templates.get(&template) else {
            let mut problem = Problem::new(&used.pos, format!("there is no template `{template}`"));
            if let Some(near) = form::nearest(&template, templates.keys().map(String::as_str)) {
                problem = problem.hint(format!("did you mean `{near}`?"));
            }
            problems.push(problem);
            continue;
        };
        if way.path.contains(&template) || way.path.len() >= DEEPEST {
            problems
                .push(Problem::new(&used.pos, format!("template `{template}` uses itself: {}", way.path.join(" -> "))));
            continue;
        }
        let stamped = substitute(found, values, false, problems);
        merge(&stamped, &template, into, problems);
        way.path.push(template);
        merge_used(templates, found, values, into, way, problems);
        way.path.pop();
    }
}

/// Adds what the template says to the table: named things side by side, single values unless the table
/// says its own.
fn merge(template: &Yaml, name: &str, into: &mut Yaml, problems: &mut Vec<Problem>) {
    let Value::Map(entries) = &mut into.value else { return };
    for (key, value) in template.entries().filter(|(k, _)| k.text != "use") {
        let many = kinds::child_sections("table").find(|(s, _)| s.key == key.text).map(|(s, _)| s.many);
        let Some((_, own)) = entries.iter_mut().find(|(k, _)| k.text == key.text) else {
            entries.push((key.clone(), value.clone()));
            continue;
        };
        match (many, &mut own.value, &value.value) {
            (Some(Many::Named), Value::Map(own), Value::Map(more)) => {
                for (child, yaml) in more {
                    if let Some((first, _)) = own.iter().find(|(k, _)| k.text == child.text) {
                        let problem =
                            Problem::new(&child.pos, format!("template `{name}` stamps `{}` twice", child.text));
                        problems.push(problem.hint(format!("the other one is at {}", first.pos)));
                    } else {
                        own.push((child.clone(), yaml.clone()));
                    }
                }
            }
            (Some(Many::List), Value::List(own), Value::List(more)) => own.extend(more.iter().cloned()),
            _ => {}
        }
    }
}

/// The YAML with `${name}` replaced; below `columns`, `${column}` is the column's name.
fn substitute(yaml: &Yaml, values: &[(&str, &str)], columns: bool, problems: &mut Vec<Problem>) -> Yaml {
    let value = match &yaml.value {
        Value::Scalar(scalar) => Value::Scalar(fill(scalar, values, problems)),
        Value::List(list) => Value::List(list.iter().map(|y| substitute(y, values, false, problems)).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| {
                    let key = fill(key, values, problems);
                    let named: Vec<(&str, &str)>;
                    let values = if columns {
                        named = values.iter().copied().chain([("column", key.text.as_str())]).collect();
                        &named
                    } else {
                        values
                    };
                    let value = substitute(value, values, key.text == "columns", problems);
                    (key, value)
                })
                .collect(),
        ),
    };
    Yaml { pos: yaml.pos.clone(), value }
}

fn fill(scalar: &Scalar, values: &[(&str, &str)], problems: &mut Vec<Problem>) -> Scalar {
    if !scalar.text.contains("${") {
        return scalar.clone();
    }
    let mut text = String::new();
    let mut rest = scalar.text.as_str();
    while let Some(at) = rest.find("${") {
        text.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after.find('}');
        let name = end.map(|end| &after[..end]);
        match values.iter().find(|(known, _)| Some(*known) == name) {
            Some((_, value)) => text.push_str(value),
            None => {
                let known = values.iter().map(|(k, _)| format!("${{{k}}}")).collect::<Vec<_>>().join(", ");
                let shown = form::brief(&rest[at..]);
                problems.push(
                    Problem::new(&scalar.position_of(0), format!("unknown placeholder in `{shown}`"))
                        .hint(format!("known here: {known}")),
                );
                return scalar.clone();
            }
        }
        rest = &after[end.map_or(0, |end| end + 1)..];
    }
    text.push_str(rest);
    scalar.with_text(text)
}
