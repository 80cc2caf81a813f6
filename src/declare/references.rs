//! What drafts refer to: each becomes a need (for the building order in scratch), or a mistake where it
//! certainly dangles. Only what is certain is reported here: the server finds the rest, and knows better.

use super::{form, Settings};
use crate::error::{Pos, Problem};
use crate::kinds::Draft;
use crate::model::{Address, Node};
use crate::sql::{qualify, references, Fragment, Reference, Shape, Space};
use std::collections::{HashMap, HashSet};

/// Everything declared, by name.
struct Names {
    relations: HashMap<(String, String), Address>,
    types: HashMap<(String, String), Address>,
    functions: HashMap<(String, String), Vec<Address>>,
    columns: HashSet<Address>,
    /// Whether there are extensions, which may bring any name.
    extensions: bool,
}

impl Names {
    fn new(drafts: &[Draft], known: &[&Node]) -> Self {
        let mut names = Self {
            relations: HashMap::new(),
            types: HashMap::new(),
            functions: HashMap::new(),
            columns: HashSet::new(),
            extensions: false,
        };
        for node in drafts.iter().map(|d| &d.node).chain(known.iter().copied()) {
            let address = &node.address;
            let key = |name: &str| (address.schema().to_owned(), name.to_owned());
            match address.kind() {
                "extension" => names.extensions = true,
                "column" => {
                    names.columns.insert(address.clone());
                }
                "function" | "procedure" => {
                    let Some(name) = crate::kinds::routine::bare_name(address) else { continue };
                    names.functions.entry(key(&name)).or_default().push(address.clone());
                }
                _ => {}
            }
            if address.segments().count() == 2 {
                for (space, _) in crate::kinds::kind_of(address).slots(node) {
                    match space.as_str() {
                        "relation" => drop(names.relations.insert(key(address.name()), address.clone())),
                        "type" => drop(names.types.insert(key(address.name()), address.clone())),
                        _ => {}
                    }
                }
            }
        }
        names
    }

    /// A mistake if the table has no such column.
    fn missing(&self, table: &Address, column: &str, pos: &Pos) -> Option<Problem> {
        if self.columns.contains(&table.child("column", column)) {
            return None;
        }
        let known = self.columns.iter().filter(|a| a.is_within(table)).map(Address::name);
        let problem = Problem::new(pos, format!("{table} has no column `{column}`"));
        Some(match form::nearest(column, known) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        })
    }

    /// The addresses a reference may mean; unqualified names are looked for in `home`, then in the
    /// owned schemas in their order.
    fn find(&self, reference: &Reference, home: &str, settings: &Settings) -> Vec<Address> {
        let schemas: Vec<&str> = match &reference.schema {
            Some(schema) => vec![schema],
            None => std::iter::once(home).chain(settings.schemas.iter().map(String::as_str)).collect(),
        };
        for schema in schemas {
            let key = (schema.to_owned(), reference.name.clone());
            let found = match reference.space {
                Space::Relation => self.relations.get(&key).map(|a| vec![a.clone()]),
                Space::Type => self.types.get(&key).map(|a| vec![a.clone()]),
                Space::Function => self.functions.get(&key).cloned(),
                Space::Column => None,
            };
            if let Some(found) = found {
                return found;
            }
        }
        Vec::new()
    }
}

/// What could not be read because of a mistake that is reported already: what it would have declared is not
/// known, so that nothing that may be in it is called missing.
#[derive(Default)]
pub struct Unread {
    /// Whole sections or files.
    pub all: bool,
    names: HashSet<String>,
}

impl Unread {
    /// Notes a thing by what stands as its key.
    pub fn note(&mut self, key: &str) {
        let name = crate::sql::name::split(key.split('(').next().unwrap_or_default());
        self.names.extend(name.map(|(_, name)| name));
    }

    fn may_hold(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

/// Fills in what each draft needs, qualifies the names in its data statements, and reports what dangles. Gives what a
/// server would refuse too, together with much that cannot be seen here.
pub fn resolve(
    drafts: &mut [Draft],
    known: &[&Node],
    settings: &Settings,
    unread: &Unread,
    problems: &mut Vec<Problem>,
) -> Vec<Problem> {
    let names = Names::new(drafts, known);
    let mut doubts = Vec::new();
    let mut seen: HashMap<Fragment, Vec<Reference>> = HashMap::new();
    for draft in drafts.iter_mut() {
        let home = draft.node.address.schema().to_owned();
        // What a kind knows itself comes first.
        let mut needs = std::mem::take(&mut draft.node.needs);
        let mut reads = Vec::new();
        for (fragment, scalar) in &draft.fragments {
            let whole = takes_whole_relations(&fragment.text);
            let found = seen.entry(fragment.clone()).or_insert_with(|| references(fragment));
            for reference in found.iter() {
                if reference.space == Space::Column {
                    if !unread.may_hold(draft.node.address.thing().name()) {
                        let pos = || place(&draft.pos, fragment, scalar.as_ref(), reference);
                        doubts.extend(no_column(&draft.node.address, fragment, &reference.name, &names, pos));
                    }
                    continue;
                }
                let addresses = names.find(reference, &home, settings);
                if addresses.is_empty() && !unread.may_hold(&reference.name) {
                    let pos = place(&draft.pos, fragment, scalar.as_ref(), reference);
                    problems.extend(dangling(reference, fragment, &names, settings, &pos));
                }
                if whole && reference.space == Space::Relation {
                    reads.extend(addresses.iter().cloned());
                }
                needs.extend(addresses);
            }
        }
        reads.sort();
        reads.dedup();
        draft.reads = reads;
        for statement in &draft.statements {
            let found = references(statement);
            needs.extend(found.iter().flat_map(|r| names.find(r, &home, settings)));
        }
        needs.retain(|need| !draft.node.address.is_within(need));
        needs.sort();
        needs.dedup();
        draft.node.needs = needs;
        let schema_of = |r: &Reference| names.find(r, &home, settings).first().map(|a| a.schema().to_owned());
        if let Some(hints) = &mut draft.node.hints {
            for text in [&mut hints.backfill, &mut hints.convert].into_iter().flatten() {
                *text = qualify(&Fragment::new(Shape::Expression, text.as_str()), &schema_of);
            }
        }
        if !draft.node.address.parent().is_some_and(|table| unread.may_hold(table.name())) {
            columns_exist(draft, &names, problems);
        }
    }
    doubts
}

/// Whether the text may mean all columns of what it names. Too often said rather than missed: a product of two columns
/// costs no more than a needless look.
fn takes_whole_relations(text: &str) -> bool {
    text.contains('*') || text.to_ascii_lowercase().contains("natural")
}

fn place(pos: &Pos, fragment: &Fragment, scalar: Option<&crate::yaml::Scalar>, reference: &Reference) -> Pos {
    let Some(scalar) = scalar else { return pos.clone() };
    // The fragment may be a part of what was written.
    let start = scalar.text.find(&fragment.text).unwrap_or(0);
    scalar.position_of(start + reference.offset.unwrap_or(0))
}

fn dangling(
    reference: &Reference,
    fragment: &Fragment,
    names: &Names,
    settings: &Settings,
    pos: &Pos,
) -> Option<Problem> {
    // A string that only looks like a name has no offset.
    reference.offset?;
    let owned = reference.schema.as_ref().map(|s| settings.schemas.contains(s));
    let target = matches!(fragment.shape, Shape::References | Shape::ForeignKey);
    let certain = match (reference.space, owned) {
        (_, Some(false)) => false,
        (Space::Relation, Some(true)) => target || !names.extensions,
        (Space::Relation, None) => !reference.name.starts_with("pg_") && (target || !names.extensions),
        (Space::Function | Space::Type, Some(true)) => !names.extensions,
        (Space::Function | Space::Type, None) | (Space::Column, _) => false,
    };
    if !certain {
        return None;
    }
    let (what, known): (_, Vec<&str>) = match reference.space {
        Space::Relation => ("table or view", names.relations.keys().map(|(_, n)| n.as_str()).collect()),
        Space::Function => ("function", names.functions.keys().map(|(_, n)| n.as_str()).collect()),
        Space::Type => ("type", names.types.keys().map(|(_, n)| n.as_str()).collect()),
        Space::Column => return None,
    };
    let problem = Problem::new(pos, format!("there is no {what} `{}`", reference.name));
    Some(match form::nearest(&reference.name, known.into_iter()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint("declare it, or qualify it with the schema it lives in"),
    })
}

/// The columns that every table has (manual, section 5.5).
const SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// A mistake if what belongs to a table names a column that the table does not have.
fn no_column(
    address: &Address,
    fragment: &Fragment,
    column: &str,
    names: &Names,
    pos: impl Fn() -> Pos,
) -> Option<Problem> {
    let table = address.thing();
    // The name of the table stands for a whole row, as `new` and `old` do in triggers.
    let whole = column == table.name() || address.kind() == "trigger";
    let of_table = matches!(fragment.shape, Shape::Expression | Shape::Keys | Shape::Exclusion);
    let certain = table.kind() == "table" && of_table && !whole;
    if !certain || SYSTEM.contains(&column) {
        return None;
    }
    names.missing(&table, column, &pos())
}

/// Keys name columns that are there, here and in the table that a foreign key points at.
fn columns_exist(draft: &Draft, names: &Names, problems: &mut Vec<Problem>) {
    let address = &draft.node.address;
    let Some(table) = address.parent().filter(|p| p.kind() == "table") else { return };
    let Ok(spec) = draft.node.spec.read::<serde_json::Value>() else { return };
    let text = |value: Option<&serde_json::Value>| value.and_then(|v| v.as_str()).map(str::to_owned);
    let target = spec.get("references").and_then(|on| {
        let key = (text(on.get("schema"))?, text(on.get("table"))?);
        names.relations.get(&key).filter(|address| address.kind() == "table")
    });
    for (key, of) in [("columns", Some(&table)), ("include", Some(&table)), ("target_columns", target)] {
        let Some(of) = of else { continue };
        let columns = spec.get(key).and_then(|c| c.as_array()).into_iter().flatten().filter_map(|c| c.as_str());
        problems.extend(columns.filter_map(|column| names.missing(of, column, &draft.pos)));
    }
}
