//! `external:`, what a declaration refers to and does not own, in the forms of what it owns.
//!
//! It is built in scratch before all that is owned, and nowhere else: it is never planned, compared, dropped or
//! granted. What others cannot see of a thing (its policies, its rows) may be said and is left out, so that what
//! `inspect` writes fits. What is copied from a target takes the same way: an [`Outline`] is what could have
//! been written.

use super::foreign::{extension_schema, may_be_ignored, Foreign, Search};
use super::references::{outline, qualify_statements, Names};
use super::template::Templates;
use super::{check_names, declare_sections, is_plain_type, merge, Declaration, Reading, Sections, Settings};
use crate::error::{Error, Pos, Problem, Result};
use crate::kinds::stand_in::{StandInSpace, StandInSpec};
use crate::kinds::{self, form, Draft, Drafts, Form};
use crate::model::Address;
use crate::sql::{references, Shape};
use crate::yaml::{Scalar, Value, Yaml};
use std::path::Path;

/// The key at the top of a declaration.
pub const KEY: &str = "external";

/// The key below it that names schemas.
pub const SCHEMAS: &str = "schemas";

pub const DOC: &str = "What is referred to and not owned, in the same forms: it stands in where the declaration is \
                       compiled, and is never planned, compared or granted.";

pub const SCHEMAS_DOC: &str = "Schemas that others own; names without a schema below `external` live in the first.";

/// Reads what stands under `external` in all files; bodies that it names go to `files`.
pub(super) fn read(
    trees: &[Yaml],
    templates: &Templates,
    settings: &Settings,
    root: &Path,
    reading: &mut Reading,
) -> (Vec<Draft>, Vec<(std::path::PathBuf, Vec<u8>)>) {
    let written = trees.iter().flat_map(Yaml::entries).filter(|(key, _)| key.text == KEY).map(|(_, value)| value);
    let mut blocks = Vec::new();
    for block in written {
        match &block.value {
            Value::Map(_) => blocks.push(block),
            Value::Scalar(scalar) if scalar.is_null() => {}
            Value::Scalar(_) | Value::List(_) => {
                let problem = Problem::new(&block.pos, "`external` is a map with keys such as `tables`");
                reading.problems.push(problem);
            }
        }
    }
    let mut schemas: Vec<(String, Pos)> = Vec::new();
    for list in blocks.iter().filter_map(|block| block.get(SCHEMAS)) {
        let before = reading.problems.len();
        form::check(&Form::Names, list, &mut reading.problems);
        if reading.problems.len() == before {
            schemas.extend(list.names().into_iter().map(|name| (name, list.pos.clone())));
        }
    }
    for (name, pos) in schemas.iter().filter(|(name, _)| settings.schemas.contains(name)) {
        let problem = Problem::new(pos, format!("schema {name} is owned and external"));
        reading.problems.push(problem.hint("name it in one of the two"));
    }
    let sections = merge(blocks.into_iter(), &[SCHEMAS], &[], &mut reading.problems);
    let mut out = Drafts::new(schemas.iter().map(|(name, _)| name.clone()).collect());
    out.root = root.to_path_buf();
    declare(&sections, templates, settings, &mut out, reading);
    check_names(&out.list, &[], &|address| owned(address, settings), &mut reading.problems);
    add_schemas(&mut out.list, schemas);
    (out.list, out.files)
}

/// Declares sections, without what others cannot see.
fn declare(sections: &Sections, templates: &Templates, settings: &Settings, out: &mut Drafts, reading: &mut Reading) {
    out.external = true;
    declare_sections(sections, templates, settings, out, reading);
    reading.problems.append(&mut out.problems);
    out.list.retain(|draft| kinds::kind_of(&draft.node.address).is_outward());
}

/// Why an address has no place under `external`.
fn owned(address: &Address, settings: &Settings) -> Option<(String, String)> {
    let owned = settings.schemas.iter().any(|schema| schema == address.schema());
    let ignored =
        |at: &Address| may_be_ignored(at.schema(), at.segments().nth(1).map_or("", |(_, name)| name), settings);
    (owned && !ignored(address)).then(|| {
        let message = format!("{address} is in a schema that this declaration owns");
        (message, "declare it outside of `external`, or say under `ignore` that it is left alone".into())
    })
}

/// Adds the schemas that things are in, or that extensions put their things into.
fn add_schemas(drafts: &mut Vec<Draft>, named: Vec<(String, Pos)>) {
    let mut out = Drafts::new(Vec::new());
    let implied = drafts.iter().filter_map(|draft| {
        let within = StandInSpec::of(&draft.node).map(|spec| spec.schema).or_else(|| extension_schema(&draft.node));
        let schema = within.unwrap_or_else(|| draft.node.address.schema().to_owned());
        Some((schema, draft.pos.clone())).filter(|(schema, _)| !schema.is_empty())
    });
    for (schema, pos) in named.into_iter().chain(implied) {
        let address = Address::root("schema", &schema);
        if !drafts.iter().chain(&out.list).any(|draft| draft.node.address == address) {
            let empty: [(); 0] = [];
            out.add(address, &empty, &pos);
        }
    }
    drafts.append(&mut out.list);
}

/// Something that is not owned, as it could have been written under `external`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The key of the section.
    pub section: &'static str,
    /// The key in it: a name with its schema, as SQL reads it.
    pub key: String,
    pub form: Written,
}

/// The section of outlines that no one can write: what they hold is a [`StandInSpec`] and the types that it names.
pub const STAND_INS: &str = "stand-ins";

fn stand_in(Outline { section: _, key, form }: Outline, pos: &Pos, out: &mut Drafts) {
    let Written::Map(entries) = form else { return };
    let (mut spec, mut types) = (StandInSpec::default(), Vec::new());
    for (key, value) in entries {
        match (key.as_str(), value) {
            ("schema", Written::Text(text)) => spec.schema = text,
            ("name", Written::Text(text)) => spec.name = text,
            ("space", Written::Text(text)) if text == "function" => spec.space = StandInSpace::Function,
            ("space", Written::Text(text)) if text == "type" => spec.space = StandInSpace::Type,
            ("sql", Written::Names(sql)) => spec.sql = sql,
            ("types", Written::Names(names)) => types = names,
            _ => {}
        }
    }
    let schema = spec.schema.clone();
    let draft = out.add(StandInSpec::address(&key), &spec, pos);
    for ty in &types {
        draft.fragment_text(Shape::Type, ty, None);
    }
    draft.node.needs.push(Address::root("schema", &schema));
}

/// YAML that a program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    Text(String),
    Names(Vec<String>),
    Map(Entries),
}

/// The keys of a map and what stands under them.
pub type Entries = Vec<(String, Written)>;

impl Written {
    fn yaml(self, pos: &Pos) -> Yaml {
        let value = match self {
            Self::Text(text) => Value::Scalar(Scalar::made(text, pos)),
            Self::Names(names) => Value::List(names.into_iter().map(|name| Yaml::made(name, pos)).collect()),
            Self::Map(entries) => {
                let pair = |(key, value): (String, Self)| (Scalar::made(key, pos), value.yaml(pos));
                Value::Map(entries.into_iter().map(pair).collect())
            }
        };
        Yaml { pos: pos.clone(), value }
    }
}

impl Declaration {
    /// Takes outlines in as external. Returns what they refer to that is not declared.
    ///
    /// # Errors
    /// What a server printed is no valid declaration.
    pub fn adopt_outlines(&mut self, outlines: Vec<Outline>) -> Result<Vec<Foreign>> {
        let pos = self.sources.start();
        let (stand_ins, outlines): (Vec<Outline>, Vec<Outline>) =
            outlines.into_iter().partition(|outline| outline.section == STAND_INS);
        let sections: Sections = outlines
            .into_iter()
            .map(|Outline { section, key, form }| (section.to_owned(), Scalar::made(key, &pos), form.yaml(&pos)))
            .collect();
        let mut out = Drafts::new(Vec::new());
        let mut reading = Reading::default();
        declare(&sections, &Templates::new(), &self.settings, &mut out, &mut reading);
        if !reading.problems.is_empty() {
            return Err(Error::Declaration(reading.problems));
        }
        stand_ins.into_iter().for_each(|outline| stand_in(outline, &pos, &mut out));
        let own = Names::new(self.drafts.iter().map(|d| &d.node));
        out.list.retain(|draft| !self.needs_own(draft, &own));
        add_schemas(&mut out.list, Vec::new());
        let known = |draft: &Draft| self.external.iter().any(|known| known.node.address == draft.node.address);
        out.list.retain(|draft| !known(draft));
        Ok(self.adopt(out.list))
    }

    /// Whether a copy names something that this declaration owns, and that cannot be built before it.
    fn needs_own(&self, draft: &Draft, own: &Names) -> bool {
        let home = draft.node.address.schema();
        let references = draft.fragments.iter().flat_map(|(fragment, _)| references(fragment));
        let needed = references.filter(|r| r.schema.is_some()).flat_map(|r| own.find(&r, home, &self.settings));
        let nodes = |address: Address| self.drafts.iter().map(|d| &d.node).find(|node| node.address == address);
        needed.into_iter().filter_map(nodes).any(|node| !is_plain_type(node))
    }

    /// Takes drafts in as external. Returns what they refer to that is not declared.
    pub fn adopt(&mut self, mut drafts: Vec<Draft>) -> Vec<Foreign> {
        let new = Names::new(drafts.iter().map(|d| &d.node));
        let (own, known) =
            (Names::new(self.drafts.iter().map(|d| &d.node)), Names::new(self.external.iter().map(|d| &d.node)));
        let mut search = Search::new(&self.settings, self.drafts.iter().chain(&self.external).chain(&drafts));
        for draft in &mut drafts {
            outline(draft, &self.settings, &[&new, &known, &own], &mut search);
        }
        for draft in &mut self.drafts {
            qualify_statements(draft, &self.settings, &[&own, &known, &new]);
        }
        let foreign = search.found();
        self.external.append(&mut drafts);
        foreign
    }
}
