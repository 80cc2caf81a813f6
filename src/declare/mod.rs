//! From YAML to drafts: files, templates, settings, and all that can be checked without a server.
//!
//! [`read`] never stops at the first mistake: whatever can be found in one run is found in one run.

mod basis;
mod external;
pub mod files;
mod foreign;
mod references;
mod schema;
mod settings;
mod template;
pub mod write;

pub use basis::Basis;
pub use external::{Entries, Outline, Written, STAND_INS};
pub use files::{Source, Sources};
pub use foreign::{extension_schema, may_be_ignored, Foreign};
pub use schema::json_schema;
pub use settings::{Settings, Tenancy, NEWEST, OLDEST};

pub use self::references::Names;
use self::references::Unread;
use crate::error::{Error, Problem, Result};
use crate::kinds::{self, facet, form, Draft, Drafts, Kind, Many};
use crate::model::{Address, Node};
use crate::sql::name::LONGEST;
use crate::yaml::{self, Scalar, Value, Yaml};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A declaration as written, checked as far as that goes without a server.
pub struct Declaration {
    pub settings: Settings,
    pub drafts: Vec<Draft>,
    /// What is not owned: declared as such, or found elsewhere since.
    pub external: Vec<Draft>,
    /// What the drafts refer to and nobody declared.
    pub foreign: Vec<Foreign>,
    pub sources: Sources,
    pub basis: Basis,
    /// Schemas that are declared by being owned, and in no file.
    implied: HashSet<Address>,
}

impl Declaration {
    /// Mistakes that a server finds too, and more of their sort: for where there is none.
    pub fn doubts(&self) -> Vec<Problem> {
        references::doubts(&self.drafts, &Unread::default())
    }

    /// What is external as a declaration of its own, to be built before the rest, with what of the rest it rests on; None if
    /// there is nothing.
    pub fn ground(&self) -> Option<Self> {
        let Self { settings, drafts, external, foreign: _, sources, basis, implied: _ } = self;
        let laid: Vec<&Draft> = drafts.iter().filter(|draft| self.lays(&draft.node)).collect();
        let is_home = |schema: &Address| laid.iter().any(|draft| draft.node.address.is_within(schema));
        let is_known = |schema: &Address| external.iter().any(|known| known.node.address == *schema);
        let homes = drafts.iter().filter(|draft| draft.node.address.kind() == "schema");
        let homes = homes.filter(|draft| is_home(&draft.node.address) && !is_known(&draft.node.address));
        (!external.is_empty()).then(|| Self {
            // Nobody's bodies are checked, and names without a schema are those of their own.
            settings: Settings { schemas: Vec::new(), ..settings.clone() },
            drafts: external.iter().chain(homes).chain(laid.iter().copied()).cloned().collect(),
            external: Vec::new(),
            foreign: Vec::new(),
            sources: sources.clone(),
            basis: basis.clone(),
            implied: HashSet::new(),
        })
    }

    /// Whether something of its own is built before what is external, because that may be of this type: one of which
    /// nothing is printed, so that it stays as it is when prints are fed back.
    pub fn lays(&self, own: &Node) -> bool {
        let names_it = |draft: &Draft| draft.node.spec.as_json().contains(own.address.name());
        self.external.iter().any(names_it) && is_plain_type(own)
    }

    /// The file of each thing, by its path below the root; what is implied is in none.
    pub fn homes(&self) -> HashMap<Address, String> {
        let own = |d: &&Draft| d.node.address == d.node.address.thing() && !self.implied.contains(&d.node.address);
        let things = self.drafts.iter().filter(own);
        things.map(|d| (d.node.address.clone(), files::relative(&self.sources.root, &d.pos.file))).collect()
    }
}

/// Whether it is a type, and neither a relation nor anything with texts that a server prints.
fn is_plain_type(node: &Node) -> bool {
    let kind = kinds::kind_of(&node.address);
    let spaces: Vec<String> = kind.slots(node).into_iter().map(|(space, _)| space).collect();
    spaces == ["type"] && kind.printed().is_empty()
}

/// What need not be read because it is known already.
#[derive(Default)]
pub struct Known<'a> {
    /// The files that are known, by their paths below the root.
    pub files: HashSet<&'a str>,
    /// What they declare, as compiled before.
    pub nodes: Vec<&'a Node>,
}

/// What reading found wrong, and what it could not read because of that.
#[derive(Default)]
struct Reading {
    problems: Vec<Problem>,
    unread: Unread,
}

/// Reads a file or a directory tree of files. Errors: all mistakes found, together.
pub fn read(path: &Path) -> Result<Declaration> {
    read_part(path, &Known::default())
}

/// Reads the files that are not known. Errors: as with [`read`], as far as these files have a part in them.
pub fn read_part(path: &Path, known: &Known) -> Result<Declaration> {
    let mut reading = Reading::default();
    let (sources, trees) = files::load(path, &|file| !known.files.contains(file), &mut reading.problems)?;
    of_trees(sources, &trees, known, reading)
}

/// Reads a declaration that is in no file. Errors: as with [`read`].
pub fn read_text(text: &str) -> Result<Declaration> {
    let mut reading = Reading::default();
    let sources = Sources { root: PathBuf::new(), files: Vec::new() };
    let tree = yaml::read(&Arc::new(PathBuf::new()), text.as_bytes(), &mut reading.problems);
    of_trees(sources, &Vec::from_iter(tree), &Known::default(), reading)
}

/// What YAML declares. Errors: all mistakes found, together.
fn of_trees(mut sources: Sources, trees: &[Yaml], known: &Known, mut reading: Reading) -> Result<Declaration> {
    reading.unread.all |= !reading.problems.is_empty();
    let basis = Basis::of(trees, &sources.root);
    let settings = Settings::read(trees, &mut reading.problems);
    let mut out = Drafts::new(settings.schemas.clone());
    known.nodes.iter().for_each(|node| out.take(&node.address));
    out.root = sources.root.clone();
    let before = reading.problems.len();
    let elsewhere: Vec<&str> = settings::keys().chain([external::KEY]).collect();
    let sections = merge(trees.iter(), &elsewhere, &["templates"], &mut reading.problems);
    reading.unread.all |= reading.problems.len() > before;
    let templates = template::collect(&sections, &mut reading.problems);
    let mut implied = HashSet::new();
    for schema in &settings.schemas {
        let address = Address::root("schema", schema);
        let is_known = known.nodes.iter().any(|node| node.address == address);
        if !is_known && !sections.iter().any(|(key, name, _)| key == "schema" && name.text == *schema) {
            implied.insert(address);
            let pos = settings.pos.clone().unwrap_or_else(|| sources.start());
            declare_one(
                kinds::find("schema"),
                None,
                &Scalar::made(schema.as_str(), &pos),
                &Yaml::empty(&pos),
                &settings,
                &mut out,
            );
        }
    }
    declare_sections(&sections, &templates, &settings, &mut out, &mut reading);
    sources.add_bodies(&out.files);
    reading.problems.append(&mut out.problems);
    let mut drafts = out.list;
    count_siblings(&mut drafts);
    let (mut external, files) = external::read(trees, &templates, &settings, &sources.root, &mut reading);
    sources.add_bodies(&files);
    let Reading { mut problems, unread } = reading;
    check_names(&drafts, &known.nodes, &|address| not_owned(address, &settings), &mut problems);
    problems.extend(circles(&drafts, &known.nodes));
    let foreign = references::resolve(&mut drafts, &mut external, &known.nodes, &settings, &unread, &mut problems);
    if problems.is_empty() {
        return Ok(Declaration { settings, drafts, external, foreign, sources, basis, implied });
    }
    problems.extend(references::doubts(&drafts, &unread));
    problems.sort();
    problems.dedup();
    Err(Error::Declaration(problems))
}

/// Declares all that stands in sections.
fn declare_sections(
    sections: &Sections,
    templates: &template::Templates,
    settings: &Settings,
    out: &mut Drafts,
    reading: &mut Reading,
) {
    let Reading { problems, unread } = reading;
    for (section, kind) in kinds::child_sections("") {
        for (_, name, yaml) in sections.iter().filter(|(key, _, _)| key == section.key) {
            out.directory = name.pos.file.parent().map(Path::to_path_buf).unwrap_or_default();
            let known = problems.len() + out.problems.len();
            let stamped = if kind.name() == "table" {
                template::stamp(kind, templates, name, yaml, settings, problems)
            } else {
                None
            };
            let yaml = stamped.as_ref().unwrap_or(yaml);
            let before = problems.len();
            form::check_name(name, problems);
            form::check_kind(kind, yaml, problems);
            if problems.len() == before {
                declare_one(Some(kind), None, name, yaml, settings, out);
                problems.extend(moved_from_elsewhere(name, yaml, out));
            }
            if problems.len() + out.problems.len() > known {
                unread.note(&name.text);
            }
        }
    }
}

/// A former name in another schema: nothing is moved from schema to schema, and nothing taken for new and gone that
/// somebody meant to keep.
fn moved_from_elsewhere(name: &Scalar, yaml: &Yaml, out: &Drafts) -> Option<Problem> {
    let schema = |text: &str| {
        let name = text.split('(').next().unwrap_or_default();
        crate::sql::name::split(name).map(|(schema, _)| schema)
    };
    let was = yaml.text("was")?;
    let before = schema(&was.text)??;
    let now = schema(&name.text)?.unwrap_or_else(|| out.default_schema().to_owned());
    let problem = Problem::new(&was.pos, format!("`{}` is in another schema than what it became", was.text));
    let hint = "move it with ALTER ... SET SCHEMA first: a plan renames within a schema";
    (before != now).then(|| problem.hint(hint))
}

/// Names that change hands among themselves: nobody could tell whether they have done so already.
fn circles<'a>(drafts: &'a [Draft], known: &[&'a Node]) -> Vec<Problem> {
    let nodes = drafts.iter().map(|draft| &draft.node).chain(known.iter().copied());
    let formers: HashMap<&Address, Address> = nodes
        .filter_map(|node| Some((&node.address, node.address.renamed(node.hints.as_ref()?.was.as_deref()?))))
        .filter(|(now, former)| *now != former)
        .collect();
    let in_circle = |draft: &&Draft| {
        let mut at = &draft.node.address;
        // A way that does not come back has an end, or leads into a circle of others.
        (0..formers.len()).any(|_| match formers.get(at) {
            Some(former) => {
                at = former;
                *at == draft.node.address
            }
            None => false,
        })
    };
    let named = drafts.iter().filter(|draft| formers.contains_key(&draft.node.address)).filter(in_circle);
    let problem = |draft: &Draft| {
        let text = format!("the former names that start at {} lead back to it", draft.node.address);
        Problem::new(&draft.pos, text).hint("give one of them a third name first, in a plan of its own")
    };
    named.map(problem).collect()
}

/// Key, name and what was written, over all files.
type Sections = Vec<(String, Scalar, Yaml)>;

/// Brings the sections of all trees together; a name that stands twice is a mistake. Keys that are read
/// `elsewhere` are passed over; `more` are sections besides those of the kinds.
fn merge<'a>(
    trees: impl Iterator<Item = &'a Yaml>,
    elsewhere: &[&str],
    more: &[&str],
    problems: &mut Vec<Problem>,
) -> Sections {
    let mut sections: Sections = Vec::new();
    let mut seen: HashMap<(String, String), crate::error::Pos> = HashMap::new();
    let known: Vec<&str> = kinds::child_sections("").map(|(s, _)| s.key).collect();
    for tree in trees {
        if !matches!(tree.value, Value::Map(_)) {
            problems.push(Problem::new(&tree.pos, "a declaration is a map with keys such as `tables`"));
        }
        for (key, value) in tree.entries() {
            if elsewhere.contains(&key.text.as_str()) {
                continue;
            }
            if !known.iter().chain(more).any(|known| *known == key.text) {
                let all = known.iter().chain(elsewhere).chain(more).copied();
                problems.push(form::unknown_key(key, all));
                continue;
            }
            let entries: Vec<(Scalar, Yaml)> = match &value.value {
                Value::Map(entries) => entries.clone(),
                // `extensions: [vector]`
                Value::List(values) => {
                    values.iter().filter_map(|v| Some((v.scalar()?.clone(), Yaml::empty(&v.pos)))).collect()
                }
                Value::Scalar(scalar) if scalar.is_null() => Vec::new(),
                Value::Scalar(_) => {
                    problems.push(Problem::new(&value.pos, format!("expected a map under `{}`", key.text)));
                    Vec::new()
                }
            };
            for (name, yaml) in entries {
                let first = seen.entry((key.text.clone(), name.text.clone())).or_insert_with(|| name.pos.clone());
                if *first == name.pos {
                    sections.push((key.text.clone(), name, yaml));
                } else {
                    problems.push(
                        Problem::new(&name.pos, format!("`{}` is declared twice in `{}`", name.text, key.text))
                            .hint(format!("first at {first}")),
                    );
                }
            }
        }
    }
    sections
}

/// Declares one thing, its facets, and what stands in its sections.
fn declare_one(
    kind: Option<&dyn Kind>,
    parent: Option<&Address>,
    name: &Scalar,
    yaml: &Yaml,
    settings: &Settings,
    out: &mut Drafts,
) {
    let Some(kind) = kind else { return };
    let before = out.list.len();
    let problems = out.problems.len();
    kind.declare(parent, name, yaml, out);
    let Some(at) = (before..out.list.len()).rev().find(|&i| out.list[i].node.address.kind() == kind.name()) else {
        return;
    };
    let mut found = Vec::new();
    if let Some(draft) = out.list.get_mut(at) {
        facet::declare(kind, yaml, draft, settings.postgres.max(17), &mut found);
        let owned = kind.facets().contains(&kinds::Facet::Owner) && !kind.follows_owner(&draft.node);
        if draft.node.owner.is_none() && owned {
            draft.node.owner = settings.owner.as_deref().map(Into::into);
        }
    }
    out.problems.append(&mut found);
    if out.problems.len() > problems {
        return;
    }
    let address = out.list[at].node.address.clone();
    let mut sections: Vec<_> = kinds::child_sections(kind.name()).collect();
    // Reference rows need to know columns and keys.
    sections.sort_by_key(|(section, _)| section.many == Many::List);
    for (section, child) in sections {
        let Some(value) = yaml.get(section.key) else { continue };
        match section.many {
            Many::Named => {
                for (name, yaml) in value.entries() {
                    declare_one(Some(child), Some(&address), name, yaml, settings, out);
                }
            }
            Many::One => {
                let name = Scalar::made("", &value.pos);
                declare_one(Some(child), Some(&address), &name, value, settings, out);
            }
            Many::List => {
                for yaml in value.values() {
                    let name = Scalar::made("", &yaml.pos);
                    declare_one(Some(child), Some(&address), &name, yaml, settings, out);
                }
            }
        }
    }
}

/// The place of each among its siblings, from 1, as PostgreSQL counts columns: what stands elsewhere has no part in it.
fn count_siblings(drafts: &mut [Draft]) {
    let mut counts: FxHashMap<(Option<Address>, String), u32> = FxHashMap::default();
    for node in drafts.iter_mut().map(|d| &mut d.node).filter(|node| node.order > 0) {
        let count = counts.entry((node.address.parent(), node.address.kind().to_owned())).or_default();
        *count += 1;
        node.order = *count;
    }
}

/// Why an address has no place outside of `external`.
fn not_owned(address: &Address, settings: &Settings) -> Option<(String, String)> {
    let owned = settings.schemas.iter().any(|schema| schema == address.schema());
    (!owned).then(|| {
        let message = format!("{address} is in a schema that this declaration does not own");
        let owned = settings.schemas.join(", ");
        (message, format!("owned: {owned}; add it under `schemas`, or put the thing under `external`"))
    })
}

/// Names that PostgreSQL would cut, and two things in one name space; `known` is declared in files that are not read,
/// `misplaced` says why an address has no place here, and what to do.
fn check_names(
    drafts: &[Draft],
    known: &[&Node],
    misplaced: &dyn Fn(&Address) -> Option<(String, String)>,
    problems: &mut Vec<Problem>,
) {
    let mut taken: FxHashMap<(String, String), (&Address, Option<&Draft>)> = FxHashMap::default();
    // Of what is known, only what bears the name of a draft can be in its way.
    let names: FxHashSet<&str> = drafts.iter().map(|d| d.node.address.name()).collect();
    let addresses: FxHashSet<&Address> = drafts.iter().map(|d| &d.node.address).collect();
    for node in known.iter().filter(|n| names.contains(n.address.name())) {
        let own = addresses.contains(&node.address).then(|| ("address".to_owned(), node.address.path()));
        for slot in kinds::kind_of(&node.address).slots(node).into_iter().chain(own) {
            taken.insert(slot, (&node.address, None));
        }
    }
    for draft in drafts {
        let address = &draft.node.address;
        let name = match address.kind() {
            "row" => "",
            _ => address.name().split('(').next().unwrap_or_default(),
        };
        if name.len() > LONGEST {
            let problem = Problem::new(&draft.pos, format!("the name `{name}` has {} bytes", name.len()));
            problems.push(problem.hint(format!("PostgreSQL cuts names to {LONGEST} bytes: choose a shorter one")));
        }
        if let Some((message, hint)) = misplaced(address).filter(|_| !address.schema().is_empty()) {
            problems.push(Problem::new(&draft.pos, message).hint(hint));
        }
        let own = ("address".to_owned(), address.path());
        for slot in kinds::kind_of(address).slots(&draft.node).into_iter().chain([own]) {
            if let Some((other, first)) = taken.get(&slot) {
                let mut problem = Problem::new(&draft.pos, format!("{address} and {other} would have one name"));
                problem.hint = first.map(|first| format!("the other is at {}", first.pos));
                problems.push(problem);
                break;
            }
            taken.insert(slot, (address, Some(draft)));
        }
    }
}
