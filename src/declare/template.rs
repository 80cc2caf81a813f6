//! Templates: what tables of one sort have in common, stamped on each that says `use`.

use super::{Sections, Settings};
use crate::error::Problem;
use crate::kinds::{self, facet, form, Form, Kind, Many};
use crate::sql::{name, placeholder};
use crate::yaml::{Scalar, Value, Yaml};
use std::collections::BTreeMap;
use std::ops::Range;

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
    kind: &dyn Kind,
    templates: &Templates,
    table: &Scalar,
    yaml: &Yaml,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) -> Option<Yaml> {
    yaml.get("use")?;
    let (schema, name) = name::split(&table.text)?;
    let schema = schema.or_else(|| settings.schemas.first().cloned()).unwrap_or_default();
    let names = Names { table: &name, schema: &schema, column: None };
    let mut merged = yaml.clone();
    let mut way = Way { path: Vec::new(), left: MOST };
    merge_used(kind, templates, yaml, names, &mut merged, &mut way, problems);
    if way.left == 0 {
        problems
            .push(Problem::new(&table.pos, format!("`{}` uses more than {MOST} templates, all in all", table.text)));
    }
    Some(merged)
}

fn merge_used(
    kind: &dyn Kind,
    templates: &Templates,
    yaml: &Yaml,
    names: Names,
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
        merge(kind, &names.fill_kind(kind, found, problems), &template, into, problems);
        way.path.push(template);
        merge_used(kind, templates, found, names, into, way, problems);
        way.path.pop();
    }
}

/// Adds what the template says to the table: named things side by side, single values unless the table
/// says its own.
fn merge(kind: &dyn Kind, template: &Yaml, name: &str, into: &mut Yaml, problems: &mut Vec<Problem>) {
    let Value::Map(entries) = &mut into.value else { return };
    for (key, value) in template.entries().filter(|(k, _)| k.text != "use") {
        let many = kinds::child_sections(kind.name()).find(|(s, _)| s.key == key.text).map(|(s, _)| s.many);
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

/// What placeholders stand for, at one place of a template.
#[derive(Clone, Copy)]
struct Names<'a> {
    table: &'a str,
    schema: &'a str,
    column: Option<&'a str>,
}

impl<'a> Names<'a> {
    fn known(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let Self { table, schema, column } = *self;
        [("table", table), ("schema", schema)].into_iter().chain(column.map(|column| ("column", column)))
    }

    /// What is declared of one thing of a kind, with `${name}` replaced; in a column, `${column}` is its name.
    fn fill_kind(self, kind: &dyn Kind, yaml: &Yaml, problems: &mut Vec<Problem>) -> Yaml {
        let Value::Map(entries) = &yaml.value else { return self.fill_form(Some(kind.form()), yaml, problems) };
        let mut filled = Vec::new();
        for (key, value) in entries {
            let section = kinds::child_sections(kind.name()).find(|(section, _)| section.key == key.text);
            let value = match section {
                Some((section, child)) => self.fill_section(section.many, child, value, problems),
                None => {
                    let form = facet::form(kind, &key.text).or_else(|| kind.form().under(&key.text));
                    self.fill_form(form, value, problems)
                }
            };
            filled.push((self.fill(false, key, problems), value));
        }
        Yaml { pos: yaml.pos.clone(), value: Value::Map(filled) }
    }

    fn fill_section(self, many: Many, child: &dyn Kind, yaml: &Yaml, problems: &mut Vec<Problem>) -> Yaml {
        let value = match (many, &yaml.value) {
            (Many::Named, Value::Map(entries)) => {
                let mut filled = Vec::new();
                for (key, value) in entries {
                    let key = self.fill(false, key, problems);
                    let column = if child.name() == "column" { Some(key.text.as_str()) } else { self.column };
                    let value = Names { column, ..self }.fill_kind(child, value, problems);
                    filled.push((key, value));
                }
                Value::Map(filled)
            }
            (Many::List, Value::List(values)) => {
                Value::List(values.iter().map(|value| self.fill_kind(child, value, problems)).collect())
            }
            _ => return self.fill_kind(child, yaml, problems),
        };
        Yaml { pos: yaml.pos.clone(), value }
    }

    /// What has no form is no SQL: it is a mistake that is found later.
    fn fill_form(self, form: Option<&Form>, yaml: &Yaml, problems: &mut Vec<Problem>) -> Yaml {
        let value = match &yaml.value {
            Value::Scalar(scalar) => Value::Scalar(self.fill(form.is_some_and(Form::is_sql), scalar, problems)),
            Value::List(values) => {
                let each = form.and_then(Form::each);
                Value::List(values.iter().map(|value| self.fill_form(each, value, problems)).collect())
            }
            Value::Map(entries) => {
                let mut filled = Vec::new();
                for (key, value) in entries {
                    let value = self.fill_form(form.and_then(|form| form.under(&key.text)), value, problems);
                    filled.push((self.fill(false, key, problems), value));
                }
                Value::Map(filled)
            }
        };
        Yaml { pos: yaml.pos.clone(), value }
    }

    /// A scalar with its placeholders replaced: in SQL each is an identifier or part of a string, elsewhere the name
    /// as it is.
    fn fill(self, is_sql: bool, scalar: &Scalar, problems: &mut Vec<Problem>) -> Scalar {
        let text = scalar.text.as_str();
        let mut found: Vec<(Range<usize>, &str)> = Vec::new();
        let mut from = 0;
        while let Some(start) = text[from..].find("${").map(|at| from + at) {
            let end = text[start..].find('}').map(|at| start + at);
            let value = end.and_then(|end| self.known().find(|(known, _)| *known == &text[start + 2..end]));
            let (Some(end), Some((_, value))) = (end, value) else {
                let known = self.known().map(|(known, _)| format!("${{{known}}}")).collect::<Vec<_>>().join(", ");
                let message = format!("unknown placeholder in `{}`", form::brief(&text[start..]));
                problems.push(Problem::new(&scalar.pos, message).hint(format!("known here: {known}")));
                return scalar.clone();
            };
            found.push((start..end + 1, value));
            from = end + 1;
        }
        if found.is_empty() {
            return scalar.clone();
        }
        if is_sql {
            return match placeholder::fill(text, &found) {
                Ok(filled) => scalar.with_text(filled),
                Err(mistake) => {
                    let problem = Problem::new(&scalar.position_of(mistake.offset), mistake.message);
                    problems.push(problem.hint("placeholders may be names, parts of names and parts of plain strings"));
                    scalar.clone()
                }
            };
        }
        let mut filled = text.to_owned();
        for (range, value) in found.into_iter().rev() {
            filled.replace_range(range, value);
        }
        scalar.with_text(filled)
    }
}
