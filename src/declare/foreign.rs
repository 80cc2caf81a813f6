//! What a declaration refers to and does not declare, neither as its own nor under `external:`.
//!
//! Most of it belongs to PostgreSQL itself (`now`, `text`), some to extensions, some to others: only a server
//! can tell. What certainly belongs to others is so by its schema.

use super::references::{searched, Names};
use super::Settings;
use crate::error::Pos;
use crate::kinds::Draft;
use crate::model::{is_ignored, Address};
use crate::sql::{Reference, Shape, Space};
use std::collections::{HashMap, HashSet};

/// A name that nothing declared bears.
#[derive(Clone, Debug)]
pub struct Foreign {
    pub space: Space,
    /// Where it may be, in the order in which PostgreSQL looks.
    pub schemas: Vec<String>,
    pub name: String,
    /// Whether the schema was written; else PostgreSQL's own things come first.
    pub qualified: bool,
    /// Where it was written first.
    pub pos: Pos,
    /// Whether it certainly is somebody else's, so that nothing can be built without it.
    pub certain: bool,
}

impl Foreign {
    /// The name as a person would write it.
    pub fn words(&self) -> String {
        match (self.space, self.schemas.first()) {
            (Space::Schema, _) => self.name.clone(),
            (_, Some(schema)) if self.qualified => format!("{schema}.{}", self.name),
            _ => self.name.clone(),
        }
    }

    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self.space {
            Space::Relation => "table or view",
            Space::Function => "function",
            Space::Type => "type",
            Space::Other => "operator, operator class or collation",
            Space::Schema => "schema",
        }
    }

    /// As a reference again, to look for it among what was declared.
    pub fn reference(&self) -> Reference {
        let schema = self.schemas.first().filter(|_| self.qualified).cloned();
        Reference { space: self.space, schema, name: self.name.clone(), offset: None }
    }
}

/// Collects what is foreign, each name once.
pub struct Search<'a> {
    settings: &'a Settings,
    /// Schemas into which extensions put their things: what is in them nobody has to declare.
    extended: HashSet<String>,
    found: HashMap<(Space, Option<String>, String, String), Foreign>,
}

impl<'a> Search<'a> {
    /// `declared` is everything that was declared, by its owners or as external.
    pub fn new<'d>(settings: &'a Settings, declared: impl Iterator<Item = &'d Draft>) -> Self {
        let extended = declared.filter_map(extension_schema).collect();
        Self { settings, extended, found: HashMap::new() }
    }

    /// Notes a reference in a fragment of this shape; `pos` is asked only if it says something new.
    pub fn note(&mut self, reference: &Reference, shape: Shape, home: &str, pos: impl FnOnce() -> Pos) {
        // What follows EXECUTE FUNCTION has no offset in the parse tree.
        let exact = reference.offset.is_some() || shape == Shape::Call || reference.space == Space::Other;
        let certain = exact && self.belongs_to_others(reference);
        self.add(reference, home, certain, pos);
    }

    /// Notes a reference in a text that only runs later, unless one of `names` holds it.
    pub fn note_in_text(&mut self, reference: &Reference, home: &str, pos: &Pos, names: &[&Names]) {
        let known = |names: &&Names| !names.find(reference, home, self.settings).is_empty();
        if !names.iter().any(known) {
            self.add(reference, home, false, || pos.clone());
        }
    }

    /// Notes the schema that an extension is to live in.
    pub fn note_schema(&mut self, draft: &Draft, external: &Names) {
        let Some(schema) = extension_schema(draft) else { return };
        // Every database has `public`.
        if schema == "public"
            || is_system(&schema)
            || self.settings.schemas.contains(&schema)
            || external.has_schema(&schema)
        {
            return;
        }
        let reference = Reference { space: Space::Schema, schema: None, name: schema, offset: None };
        self.add(&reference, "", true, || draft.pos.clone());
    }

    /// What was found, in the order of where it was written.
    pub fn found(self) -> Vec<Foreign> {
        let mut found: Vec<Foreign> = self.found.into_values().collect();
        found.sort_by(|a, b| (&a.pos, a.space, &a.schemas, &a.name).cmp(&(&b.pos, b.space, &b.schemas, &b.name)));
        found
    }

    fn add(&mut self, reference: &Reference, home: &str, certain: bool, pos: impl FnOnce() -> Pos) {
        let Reference { space, schema, name, offset: _ } = reference;
        if schema.as_deref().is_some_and(is_system) {
            return;
        }
        let key = (*space, schema.clone(), name.clone(), if schema.is_some() { String::new() } else { home.into() });
        if self.found.get(&key).is_some_and(|known| known.certain || !certain) {
            return;
        }
        let mut schemas: Vec<String> =
            searched(reference, home, self.settings).into_iter().map(str::to_owned).collect();
        let mut seen = HashSet::new();
        schemas.retain(|schema| !schema.is_empty() && seen.insert(schema.clone()));
        let qualified = schema.is_some();
        let foreign = Foreign { space: *space, schemas, name: name.clone(), qualified, pos: pos(), certain };
        self.found.insert(key, foreign);
    }

    fn belongs_to_others(&self, reference: &Reference) -> bool {
        let Some(schema) = &reference.schema else { return false };
        let owned = self.settings.schemas.contains(schema) && !may_be_ignored(schema, &reference.name, self.settings);
        !owned && !self.extended.contains(schema) && !is_system(schema)
    }
}

/// The schema that an extension puts its things into; None of anything else.
pub fn extension_schema(draft: &Draft) -> Option<String> {
    if draft.node.address.kind() != "extension" {
        return None;
    }
    let spec: serde_json::Value = draft.node.spec.read().ok()?;
    Some(spec.get("schema")?.as_str()?.to_owned())
}

/// Whether the declaration leaves something of this name in this schema alone.
pub fn may_be_ignored(schema: &str, name: &str, settings: &Settings) -> bool {
    // The kind does not matter, but the name of a function has its arguments behind it.
    let address = Address::root("schema", schema).child("table", name);
    let routine = format!("{schema}.{name}(");
    is_ignored(&address, &settings.ignore) || settings.ignore.iter().any(|pattern| pattern.starts_with(&routine))
}

/// Whether a schema is PostgreSQL's own.
fn is_system(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}
