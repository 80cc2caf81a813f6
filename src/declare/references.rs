//! What drafts refer to: each becomes a need (for the building order in scratch), or a mistake where it
//! certainly dangles. Only what is certain is reported here: the server finds the rest, and knows better. What
//! is neither declared nor a mistake is foreign: see `foreign`.

use super::foreign::{may_be_ignored, Foreign, Search};
use super::{form, Settings};
use crate::error::{Pos, Problem};
use crate::kinds::stand_in::StandInSpec;
use crate::kinds::Draft;
use crate::model::{Address, Node};
use crate::sql::{mentions, own_columns, qualify, references, Fragment, Reference, Shape, Space};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::HashSet;

/// Everything declared, by name.
#[derive(Default)]
pub struct Names {
    relations: FxHashMap<(String, String), Address>,
    types: FxHashMap<(String, String), Address>,
    functions: FxHashMap<(String, String), Vec<Address>>,
    /// Of stand-ins.
    others: FxHashMap<(String, String), Vec<Address>>,
    columns: FxHashSet<Address>,
    schemas: FxHashSet<String>,
    /// Whether there are extensions, which may bring any name.
    extensions: bool,
}

impl Names {
    pub fn new<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Self {
        let nodes = nodes.into_iter();
        let mut names = Self::default();
        // About half of a schema is columns.
        names.columns.reserve(nodes.size_hint().0 / 2);
        for node in nodes {
            let address = &node.address;
            let key = |name: &str| (address.schema().to_owned(), name.to_owned());
            match address.kind() {
                "extension" => names.extensions = true,
                "schema" => drop(names.schemas.insert(address.name().to_owned())),
                "column" => {
                    names.columns.insert(address.clone());
                }
                "function" | "procedure" => {
                    let Some(name) = crate::kinds::routine::bare_name(address) else { continue };
                    names.functions.entry(key(&name)).or_default().push(address.clone());
                }
                _ => {}
            }
            if let Some(spec) = StandInSpec::of(node) {
                let (space, key) = (spec.space(), (spec.schema, spec.name));
                match space {
                    Space::Function => names.functions.entry(key).or_default().push(address.clone()),
                    Space::Type => drop(names.types.insert(key, address.clone())),
                    Space::Other | Space::Relation | Space::Schema => {
                        names.others.entry(key).or_default().push(address.clone());
                    }
                }
            }
            if address.depth() == 2 {
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
    /// owned schemas in their order, then in `public`.
    pub fn find(&self, reference: &Reference, home: &str, settings: &Settings) -> Vec<Address> {
        for schema in searched(reference, home, settings) {
            let key = (schema.to_owned(), reference.name.clone());
            let found = match reference.space {
                Space::Relation => self.relations.get(&key).map(|a| vec![a.clone()]),
                Space::Type => self.types.get(&key).map(|a| vec![a.clone()]),
                Space::Function => self.functions.get(&key).cloned(),
                Space::Other => self.others.get(&key).cloned(),
                Space::Schema => None,
            };
            if let Some(found) = found {
                return found;
            }
        }
        Vec::new()
    }

    pub fn has_schema(&self, name: &str) -> bool {
        self.schemas.contains(name)
    }
}

/// The schemas in which a name is looked for, in that order.
pub fn searched<'a>(reference: &'a Reference, home: &'a str, settings: &'a Settings) -> Vec<&'a str> {
    match &reference.schema {
        Some(schema) => vec![schema],
        None => std::iter::once(home).chain(settings.schemas.iter().map(String::as_str)).chain(["public"]).collect(),
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

/// Fills in what each draft needs, qualifies the names in its data statements, and reports what dangles.
/// Returns what is neither declared nor a mistake. `known` is declared in files that are not read.
pub fn resolve(
    drafts: &mut [Draft],
    external: &mut [Draft],
    known: &[&Node],
    settings: &Settings,
    unread: &Unread,
    problems: &mut Vec<Problem>,
) -> Vec<Foreign> {
    let own = Names::new(drafts.iter().map(|d| &d.node).chain(known.iter().copied()));
    let others = Names::new(external.iter().map(|d| &d.node));
    let mut search = Search::new(settings, drafts.iter().chain(external.iter()));
    for draft in drafts.iter_mut() {
        let home = draft.node.address.schema().to_owned();
        // What a kind knows itself comes first.
        let mut needs = std::mem::take(&mut draft.node.needs);
        let mut reads = Vec::new();
        for (fragment, scalar) in &draft.fragments {
            let whole = takes_whole_relations(&fragment.text);
            for reference in &references(fragment) {
                let addresses = own.find(reference, &home, settings);
                let known = !addresses.is_empty() || !others.find(reference, &home, settings).is_empty();
                if !known && !unread.may_hold(&reference.name) {
                    let pos = || place(&draft.pos, fragment, scalar.as_ref(), reference.offset);
                    match dangling(reference, fragment, &own, &home, settings) {
                        Some(what) => problems.push(what.at(&pos(), reference)),
                        None => search.note(reference, fragment.shape, &home, pos),
                    }
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
            for reference in references(statement) {
                needs.extend(own.find(&reference, &home, settings));
                search.note_in_text(&reference, &home, &draft.pos, &[&own, &others]);
            }
        }
        for reference in in_body(draft) {
            search.note_in_text(&reference, &home, &draft.pos, &[&own, &others]);
        }
        // A sequence names the table whose column it falls with, though no fragment says so.
        for column in needs.iter().filter(|need| need.kind() == "column") {
            let table = column.thing();
            let reference = Reference {
                space: Space::Relation,
                schema: Some(table.schema().to_owned()),
                name: table.name().to_owned(),
                offset: Some(0),
            };
            let declared = |names: &Names| !names.find(&reference, &home, settings).is_empty();
            if !declared(&own) && !declared(&others) {
                search.note(&reference, Shape::Name, &home, || draft.pos.clone());
            }
        }
        search.note_schema(draft, &others);
        needs.retain(|need| !draft.node.address.is_within(need));
        needs.sort();
        needs.dedup();
        draft.node.needs = needs;
        qualify_statements(draft, settings, &[&own, &others]);
        if !draft.node.address.parent().is_some_and(|table| unread.may_hold(table.name())) {
            columns_exist(draft, &own, problems);
        }
    }
    for draft in external.iter_mut() {
        outline(draft, settings, &[&others, &own], &mut search);
        columns_exist(draft, &others, problems);
    }
    search.found()
}

/// Fills in what a draft of something that is not owned needs of its like, and notes what is not known.
pub fn outline(draft: &mut Draft, settings: &Settings, names: &[&Names], search: &mut Search) {
    let home = draft.node.address.schema().to_owned();
    for (fragment, scalar) in &draft.fragments {
        for reference in references(fragment) {
            let found =
                names.iter().map(|names| names.find(&reference, &home, settings)).find(|found| !found.is_empty());
            match found {
                Some(found) => draft.node.needs.extend(found),
                None => {
                    let pos = || place(&draft.pos, fragment, scalar.as_ref(), reference.offset);
                    search.note(&reference, fragment.shape, &home, pos);
                }
            }
        }
    }
    let own = draft.node.address.clone();
    draft.node.needs.retain(|need| !own.is_within(need));
    draft.node.needs.sort();
    draft.node.needs.dedup();
}

/// Puts the schema before unqualified names in what runs on the target as it is written.
pub fn qualify_statements(draft: &mut Draft, settings: &Settings, names: &[&Names]) {
    let home = draft.node.address.schema().to_owned();
    let schema_of = |reference: &Reference| {
        let found = names.iter().find_map(|names| names.find(reference, &home, settings).into_iter().next());
        found.map(|address| address.schema().to_owned())
    };
    if let Some(hints) = &mut draft.node.hints {
        for text in [&mut hints.backfill, &mut hints.convert].into_iter().flatten() {
            *text = qualify(&Fragment::new(Shape::Expression, text.as_str()), &schema_of);
        }
    }
}

/// Whether the text may mean all columns of what it names. Too often said rather than missed: a product of two columns
/// costs no more than a needless look.
fn takes_whole_relations(text: &str) -> bool {
    text.contains('*') || text.to_ascii_lowercase().contains("natural")
}

/// What a body in string form refers to, as far as can be seen.
fn in_body(draft: &Draft) -> Vec<Reference> {
    let Ok(spec) = draft.node.spec.read::<serde_json::Value>() else { return Vec::new() };
    let text = |key: &str| spec.get(key).and_then(serde_json::Value::as_str);
    let (Some(language), Some(body)) = (text("language"), text("body")) else { return Vec::new() };
    let statements = Fragment::new(Shape::Atomic, format!("{body}\n;"));
    match language {
        "sql" if statements.check().is_ok() => references(&statements),
        _ => mentions(body),
    }
}

fn place(pos: &Pos, fragment: &Fragment, scalar: Option<&crate::yaml::Scalar>, offset: Option<usize>) -> Pos {
    let Some(scalar) = scalar else { return pos.clone() };
    // The fragment may be a part of what was written.
    let start = scalar.text.find(&fragment.text).unwrap_or(0);
    scalar.position_of(start + offset.unwrap_or(0))
}

/// A name that nothing bears.
struct Dangling {
    what: &'static str,
    nearest: Option<String>,
}

impl Dangling {
    fn at(self, pos: &Pos, reference: &Reference) -> Problem {
        let problem = Problem::new(pos, format!("there is no {} `{}`", self.what, reference.name));
        match self.nearest {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint("declare it, or qualify it with the schema it lives in"),
        }
    }
}

fn dangling(
    reference: &Reference,
    fragment: &Fragment,
    names: &Names,
    home: &str,
    settings: &Settings,
) -> Option<Dangling> {
    // A string that only looks like a name has no offset.
    reference.offset?;
    let owned = reference.schema.as_ref().map(|s| settings.schemas.contains(s));
    let target = matches!(fragment.shape, Shape::References | Shape::ForeignKey);
    let certain = match (reference.space, owned) {
        (_, Some(false)) | (Space::Other | Space::Schema, _) => false,
        (Space::Relation, Some(true)) => target || !names.extensions,
        (Space::Relation, None) => !reference.name.starts_with("pg_") && (target || !names.extensions),
        (Space::Function | Space::Type, Some(true)) => !names.extensions,
        (Space::Function | Space::Type, None) => false,
    };
    if !certain || searched(reference, home, settings).iter().any(|s| may_be_ignored(s, &reference.name, settings)) {
        return None;
    }
    let (what, known): (_, Vec<&str>) = match reference.space {
        Space::Relation => ("table or view", names.relations.keys().map(|(_, n)| n.as_str()).collect()),
        Space::Function => ("function", names.functions.keys().map(|(_, n)| n.as_str()).collect()),
        Space::Type => ("type", names.types.keys().map(|(_, n)| n.as_str()).collect()),
        Space::Other | Space::Schema => return None,
    };
    let nearest = form::nearest(&reference.name, known.into_iter()).map(str::to_owned);
    Some(Dangling { what, nearest })
}

/// Bytes from which on a fragment is not looked at for columns: no person wrote that.
const LONGEST: usize = 1 << 16;

/// The columns that every table has (manual, section 5.5).
const SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// What belongs to a table and names a column that the table does not have. A server says so too, with much that
/// cannot be seen here.
pub fn doubts(drafts: &[Draft], unread: &Unread) -> Vec<Problem> {
    let names = Names::new(drafts.iter().map(|d| &d.node));
    let mut found = Vec::new();
    for draft in drafts {
        let table = draft.node.address.thing();
        if table.kind() != "table" || table == draft.node.address || unread.may_hold(table.name()) {
            continue;
        }
        let shapes = [Shape::Expression, Shape::Keys, Shape::Exclusion];
        let own = |f: &&(Fragment, _)| shapes.contains(&f.0.shape) && f.0.text.len() < LONGEST;
        for (fragment, scalar) in draft.fragments.iter().filter(own) {
            for (column, offset) in own_columns(fragment) {
                // The name of the table stands for a whole row, as `new` and `old` do in triggers.
                let whole = column == table.name() || draft.node.address.kind() == "trigger";
                if !whole && !SYSTEM.contains(&column.as_str()) {
                    let pos = place(&draft.pos, fragment, scalar.as_ref(), offset);
                    found.extend(names.missing(&table, &column, &pos));
                }
            }
        }
    }
    found.sort();
    found
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
