//! Enums (manual, section 8.7; CREATE TYPE, ALTER TYPE).
//!
//! Labels can be added and renamed in place. PostgreSQL can neither take a label away nor move one: for that
//! the type is swapped for a new one, and the columns move over. There is no opposite of ADD VALUE, so the
//! way back of an added label is such a swap too: it is what `alter` finds from the new state to the old.

use super::*;
use crate::sql::name::LONGEST;
use crate::sql::{literal, qualified, Ident};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The enum kind.
pub struct Enum;

/// The labels in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnumSpec {
    pub values: Vec<String>,
}

static FORM: Form = Form::Either(&[
    Form::List(&Form::Text),
    Form::Record(&[
        Key { name: "values", form: Form::List(&Form::Text), doc: "The labels in their order." },
        Key { name: "convert", form: Form::Map(&Form::Text), doc: "Labels that are gone, and the label each becomes." },
        Key { name: "was", form: Form::Text, doc: "The name it had before." },
    ]),
]);

/// Reads the labels of a declaration, with the mistakes that a form cannot see.
fn labels(yaml: &Yaml, out: &mut Drafts) -> Vec<String> {
    let list = yaml.get("values").unwrap_or(yaml);
    let mut labels: Vec<String> = Vec::new();
    for label in list.values().iter().filter_map(Yaml::scalar) {
        if label.is_null() {
            out.problem(&label.pos, "a label cannot be null: put it in quotes");
        } else if label.text.len() > LONGEST {
            out.problem(&label.pos, format!("a label has at most {LONGEST} bytes"));
        } else if labels.contains(&label.text) {
            out.problem(&label.pos, format!("label `{}` is there twice", form::brief(&label.text)));
        } else {
            labels.push(label.text.clone());
        }
    }
    labels
}

/// Reads which label becomes which.
fn conversions(yaml: &Yaml, values: &[String], out: &mut Drafts) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    let entries = yaml.get("convert").into_iter().flat_map(Yaml::entries);
    for (from, to) in entries.filter_map(|(from, to)| Some((from, to.scalar()?))) {
        if values.contains(&from.text) {
            out.problem(&from.pos, format!("`{}` is still a value", form::brief(&from.text)));
        } else if !values.contains(&to.text) {
            out.problem(&to.pos, format!("`{}` is not one of the values", form::brief(&to.text)));
        } else {
            map.insert(from.text.clone(), to.text.clone());
        }
    }
    map
}

/// What becomes of labels between two states of an enum: as the newer one declares, and on the way back to an
/// older one the other way round, where that is not ambiguous.
pub fn mapping(old: &Node, new: &Node) -> BTreeMap<String, String> {
    let (Ok(before), Ok(after)) = (old.spec.read::<EnumSpec>(), new.spec.read::<EnumSpec>()) else {
        return BTreeMap::new();
    };
    let goes = |from: &String, to: &String| {
        before.values.contains(from) && !after.values.contains(from) && after.values.contains(to)
    };
    let declared = |node: &Node| node.hints.as_ref().map(|h| h.labels.clone()).unwrap_or_default();
    let mut map = declared(new);
    for (earlier, later) in declared(old) {
        if !before.values.contains(&earlier) {
            map.entry(later).or_insert(earlier);
        }
    }
    map.retain(|from, to| goes(from, to));
    map
}

/// The steps in place from one list of labels to another; None if labels go away or change places.
/// Each step finds its neighbour in place when it runs.
fn in_place(old: &[String], new: &[String], mapping: &BTreeMap<String, String>) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut now: Vec<&str> = Vec::new();
    for label in old {
        match mapping.get(label) {
            Some(to) if !old.contains(to) && !now.contains(&to.as_str()) => {
                steps.push(Step::Rename { from: label.clone(), to: to.clone() });
                now.push(to);
            }
            Some(_) | None => now.push(label),
        }
    }
    let mut kept = now.iter().peekable();
    let mut previous: Option<&str> = None;
    for label in new {
        if kept.next_if(|k| **k == label.as_str()).is_none() {
            let place = match (previous, now.first()) {
                (Some(previous), _) => Place::After(previous.to_owned()),
                (None, Some(first)) => Place::Before((*first).to_owned()),
                (None, None) => Place::Only,
            };
            steps.push(Step::Add { label: label.clone(), place });
        }
        previous = Some(label);
    }
    // What is left over of the old labels is gone or stands elsewhere.
    kept.next().is_none().then_some(steps)
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Rename { from: String, to: String },
    Add { label: String, place: Place },
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Only,
    Before(String),
    After(String),
}

impl Step {
    fn change(self, phrase: &str) -> Change {
        match self {
            Self::Rename { from, to } => {
                let sql = format!("ALTER {phrase} RENAME VALUE {} TO {}", literal(&from), literal(&to));
                Change::new(sql, Lock::None, &[])
            }
            Self::Add { label, place } => {
                let place = match place {
                    Place::Only => String::new(),
                    Place::Before(other) => format!(" BEFORE {}", literal(&other)),
                    Place::After(other) => format!(" AFTER {}", literal(&other)),
                };
                let sql = format!("ALTER {phrase} ADD VALUE {}{place}", literal(&label));
                Change { commit_after: true, ..Change::new(sql, Lock::None, &[]) }
            }
        }
    }
}

/// The name of the old type while its users move over.
fn aside(name: &str) -> String {
    const SUFFIX: &str = "__pgplumb_old";
    let mut end = name.len().min(LONGEST - SUFFIX.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{SUFFIX}", &name[..end])
}

/// The labels, as literals, of which nobody says what they become.
fn unmapped(before: &EnumSpec, after: &EnumSpec, mapping: &BTreeMap<String, String>) -> Vec<String> {
    let gone = before.values.iter().filter(|v| !after.values.contains(v) && !mapping.contains_key(*v));
    gone.map(|v| literal(v)).collect()
}

/// Moves the old type aside and creates the new one.
fn swap(old: &Node, new: &Node, before: &EnumSpec, after: &EnumSpec, scope: &Scope) -> Alter {
    let (schema, name) = (new.address.schema(), new.address.name());
    let old_name = aside(name);
    let mapping = mapping(old, new);
    let gone: Vec<&String> = before.values.iter().filter(|v| !after.values.contains(v)).collect();
    let unmapped = unmapped(before, after, &mapping);
    let mut targets: BTreeSet<&String> = before.values.iter().filter(|v| after.values.contains(v)).collect();
    let merged: Vec<String> = gone
        .iter()
        .filter_map(|from| Some((from, mapping.get(*from)?)))
        .filter(|(_, to)| !targets.insert(*to))
        .map(|(from, to)| format!("{} becomes {}", literal(from), literal(to)))
        .collect();
    let in_rows = domain::columns_holding(&old.address, scope)
        .iter()
        .any(|(column, _)| column.address.parent().is_some_and(|table| scope.has_rows(&table)));

    let rename = format!("ALTER TYPE {} RENAME TO {}", qualified(schema, name), Ident(&old_name));
    let create = Change::new(create_statement(new, after), Lock::None, &[]).hazard_if(
        in_rows && !unmapped.is_empty(),
        Hazard::MayFailOnData,
        format!("rows that hold {} have no value to move to; say it with `convert`", unmapped.join(", ")),
    );
    let drop = Change::new(format!("DROP TYPE {}", qualified(schema, &old_name)), Lock::None, &[]).hazard_if(
        in_rows && !merged.is_empty(),
        Hazard::DataLoss,
        format!("rows no longer tell which label they held: {}", merged.join(", ")),
    );
    Alter::Swap { begin: vec![Change::new(rename, Lock::None, &[]), create], end: vec![drop] }
}

fn create_statement(node: &Node, spec: &EnumSpec) -> String {
    let EnumSpec { values } = spec;
    let values: Vec<String> = values.iter().map(|v| literal(v)).collect();
    format!("CREATE TYPE {} AS ENUM ({})", qualified(node.address.schema(), node.address.name()), values.join(", "))
}

impl Kind for Enum {
    fn name(&self) -> &'static str {
        "enum"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "", key: "enums", many: Many::Named, doc: "Enums: a list of labels, or a map." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[Facet::Owner, Facet::Comment, Facet::Grants]
    }

    fn declare(&self, _parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(address) = out.address(self.name(), name) else { return };
        let values = labels(yaml, out);
        let convert = conversions(yaml, &values, out);
        let draft = out.add(address, &EnumSpec { values }, &name.pos);
        draft.was(yaml);
        if !convert.is_empty() {
            draft.hints().labels = convert;
        }
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let EnumSpec { values } = node.spec.read().ok()?;
        Some(values.into())
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_type", parent: "pg_namespace", query: include_str!("enumeration.sql") })
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let spec = EnumSpec { values: row.try_get(at + 1)? };
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("TYPE {}", qualified(node.address.schema(), node.address.name()))
    }

    fn create(&self, node: &Node, _riders: &[&Node], _scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read() else { return Vec::new() };
        vec![Change::new(create_statement(node, &spec), Lock::None, &[])]
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        vec![Change::new(format!("DROP {}", self.phrase(node)), Lock::None, &[])]
    }

    fn renamed_labels(&self, new: &Node, actual: &Model) -> BTreeMap<String, String> {
        let Some(old) = actual.get(&new.address).filter(|old| old.spec != new.spec) else { return BTreeMap::new() };
        let (Ok(before), Ok(after)) = (old.spec.read::<EnumSpec>(), new.spec.read::<EnumSpec>()) else {
            return BTreeMap::new();
        };
        let steps = in_place(&before.values, &after.values, &mapping(old, new)).unwrap_or_default();
        let renamed = steps.into_iter().filter_map(|step| match step {
            Step::Rename { from, to } => Some((from, to)),
            Step::Add { .. } => None,
        });
        renamed.collect()
    }

    fn renames_parts(&self, old: &Node, new: &Node) -> bool {
        let values = |node: &Node| node.spec.read::<EnumSpec>().map(|spec| spec.values).unwrap_or_default();
        let now = values(new);
        values(old).iter().any(|label| !now.contains(label))
    }

    fn alter(&self, old: &Node, new: &Node, scope: &Scope) -> Alter {
        let (Ok(before), Ok(after)) = (old.spec.read::<EnumSpec>(), new.spec.read::<EnumSpec>()) else {
            return Alter::Refuse("its state cannot be read".into());
        };
        match in_place(&before.values, &after.values, &mapping(old, new)) {
            Some(steps) => {
                let phrase = self.phrase(new);
                Alter::InPlace(steps.into_iter().map(|step| step.change(&phrase)).collect())
            }
            None => swap(old, new, &before, &after, scope),
        }
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        Some(Change::new(format!("ALTER {} RENAME TO {}", self.phrase(node), Ident(to)), Lock::None, &[]))
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        // Relations have row types of their own name.
        vec![("type".into(), qualified(node.address.schema(), node.address.name()))]
    }

    fn grantable(&self, node: &Node, _major: u32) -> Option<Grantable> {
        let on = self.phrase(node);
        Some(Grantable { on, column: None, privileges: &["usage"], default_class: 'T', public: &["usage"] })
    }

    fn preflight(&self, old: Option<&Node>, new: &Node, scope: &Scope) -> Vec<Question> {
        let Some(old) = old else { return Vec::new() };
        let (Ok(before), Ok(after)) = (old.spec.read::<EnumSpec>(), new.spec.read::<EnumSpec>()) else {
            return Vec::new();
        };
        let refused = unmapped(&before, &after, &mapping(old, new)).join(", ");
        if refused.is_empty() {
            return Vec::new();
        }
        let ask = |(column, array): (&Node, bool)| {
            let name = Ident(column.address.name());
            let condition = if array {
                format!("{name}::text[] && ARRAY[{refused}]")
            } else {
                format!("{name}::text IN ({refused})")
            };
            let sql = key::ask(column, "", &condition, scope);
            Question {
                sql,
                refused: format!("hold {refused} in {}, and nothing says what becomes of it", column.address),
            }
        };
        domain::columns_holding(&old.address, scope).into_iter().map(ask).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(old: &str, new: &str, convert: &[(&str, &str)]) -> Option<String> {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let map = convert.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let steps = in_place(&list(old), &list(new), &map)?;
        let sql: Vec<String> = steps.into_iter().map(|s| s.change("T").sql.replace("ALTER T ", "")).collect();
        Some(sql.join("; "))
    }

    #[test]
    fn labels_are_added_next_to_ones_that_exist() {
        let cases = [
            ("a b", "a b", Some("")),
            ("a b", "a b c d", Some("ADD VALUE 'c' AFTER 'b'; ADD VALUE 'd' AFTER 'c'")),
            ("b", "x y b", Some("ADD VALUE 'x' BEFORE 'b'; ADD VALUE 'y' AFTER 'x'")),
            ("a c", "a b c", Some("ADD VALUE 'b' AFTER 'a'")),
            ("", "a b", Some("ADD VALUE 'a'; ADD VALUE 'b' AFTER 'a'")),
            ("a b c", "a c", None),
            ("a b", "b a", None),
        ];
        for (old, new, wanted) in cases {
            assert_eq!(steps(old, new, &[]).as_deref(), wanted, "{old} -> {new}");
        }
    }

    #[test]
    fn labels_are_renamed_where_they_stand() {
        let renamed = steps("a b c", "a x c d", &[("b", "x")]);
        assert_eq!(renamed.as_deref(), Some("RENAME VALUE 'b' TO 'x'; ADD VALUE 'd' AFTER 'c'"));
        assert_eq!(steps("a b c", "x a c", &[("b", "x")]), None);
        assert_eq!(steps("a b c", "a c", &[("b", "c")]), None);
    }

    #[test]
    fn moved_aside_names_fit() {
        assert_eq!(aside("st"), "st__pgplumb_old");
        assert!(aside(&"ä".repeat(31)).len() <= LONGEST);
    }
}
