//! What a declaration refers to and does not own, where it does not say so itself: copied from a target, or kept
//! in the lock since it was.
//!
//! A [`Stubs`] holds outlines only: signatures without bodies, tables as columns and keys. So what is built over
//! them prints as over the things themselves, and nobody's code is copied.

use crate::catalog::{self, Session};
use crate::declare::write::document;
use crate::declare::{self, extension_schema, may_be_ignored, Declaration, Foreign, Names, Settings};
use crate::error::{Error, Problem, Result};
use crate::kinds::{form::nearest, Draft};
use crate::model::{Address, Model, Node, Spec};
use crate::sql::Space;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Things that others own, as paths and specs. What stands on one level stands in its order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stubs(Vec<(String, serde_json::Value)>);

impl Stubs {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(drafts: &[Draft]) -> Result<Self> {
        let mut nodes: Vec<&Node> = drafts.iter().map(|draft| &draft.node).collect();
        let parent = |node: &Node| node.address.parent().map(|parent| parent.path());
        // Parents come first, columns as they stand in their table.
        nodes.sort_by_cached_key(|node| match parent(node) {
            Some(parent) if node.address.depth() > 2 => (parent, 1, node.order, node.address.path()),
            _ => (node.address.path(), 0, 0, String::new()),
        });
        let entry = |node: &&Node| -> Result<(String, serde_json::Value)> {
            let spec = node.spec.read().map_err(|e| Error::new(format!("{}: {e}", node.address)))?;
            Ok((node.address.path(), spec))
        };
        Ok(Self(nodes.iter().map(entry).collect::<Result<_>>()?))
    }

    fn drafts(&self, declaration: &Declaration) -> Result<Vec<Draft>> {
        let pos = declaration.sources.start();
        let draft = |(at, (path, spec)): (usize, &(String, serde_json::Value))| {
            let address = crate::plan::address_of(path)
                .ok_or_else(|| Error::new(format!("the lock names `{path}`, which is no address")))?;
            let mut node = Node::new(address, Spec::of(spec));
            node.order = u32::try_from(at).unwrap_or(u32::MAX);
            Ok(Draft { node, pos: pos.clone(), fragments: Vec::new(), statements: Vec::new(), reads: Vec::new() })
        };
        self.0.iter().enumerate().map(draft).collect()
    }
}

/// Rounds in which what was copied may need more to be copied; no chain of types is longer.
const ROUNDS: usize = 50;

/// Adds to a declaration what it refers to and nobody declared: from the target if there is one, else from what the
/// lock kept. Returns what belongs into the lock.
///
/// # Errors
/// What is not there, at the place in the YAML that names it.
pub async fn complete(declaration: &mut Declaration, target: Option<&Session>, kept: Option<&Stubs>) -> Result<Stubs> {
    let declared = declaration.external.len();
    let problems = match target {
        Some(session) => {
            session.snapshot().await?;
            let missing = copy(declaration, session).await?;
            session.release().await?;
            missing.into_iter().map(Missing::problem).collect()
        }
        None => {
            let mut kept = kept.map(|kept| kept.drafts(declaration)).transpose()?.unwrap_or_default();
            let addresses = |drafts: &[Draft]| drafts.iter().map(|d| d.node.address.clone()).collect::<HashSet<_>>();
            let (known, own) = (addresses(&declaration.external), addresses(&declaration.drafts));
            // What was others' may be owned by now; schemas hold what is ignored in them.
            kept.retain(|Draft { node: Node { address, .. }, .. }| {
                let theirs = match address.segments().nth(1) {
                    Some((_, name)) => is_theirs(address.schema(), name, &declaration.settings),
                    None => !address.schema().is_empty() || !own.contains(address),
                };
                theirs && !known.contains(address)
            });
            declaration.adopt(kept);
            unknown(declaration)
        }
    };
    if problems.is_empty() {
        return Stubs::of(declaration.external.get(declared..).unwrap_or_default());
    }
    Err(Error::Declaration(problems))
}

/// Whether something of that name in that schema is not the declaration's own.
fn is_theirs(schema: &str, name: &str, settings: &Settings) -> bool {
    !settings.schemas.iter().any(|own| own == schema) || may_be_ignored(schema, name, settings)
}

/// What models that were read from servers rest on and others own.
pub enum Ground {
    /// As the database has it, to be built before the models; None if that is nothing.
    Known(Option<Box<Declaration>>),
    /// The database lacks something: what, and what to do.
    Lacking(Error),
    /// Why nothing can stand in for it.
    Beyond(String),
}

/// Finds what others own of what models rest on, as a database has it, within the transaction that is open.
///
/// # Errors
/// The database cannot be read.
pub async fn around(session: &Session, models: &[&Model], owned: &Owned<'_>) -> Result<Ground> {
    let Owned { schemas, ignore } = owned;
    let mut copied: Vec<Draft> = Vec::new();
    let mut ground = None;
    for model in models {
        // What it refers to is found where it is in a declaration: in its texts.
        let text = document(model, session.major, schemas, ignore, &[], false).text();
        let mut declaration = match declare::read_text(&text) {
            Ok(declaration) => declaration,
            Err(error) => return Ok(Ground::Beyond(unplaced(&error))),
        };
        declaration.adopt(copied);
        if !declaration.foreign.is_empty() {
            if let Some(first) = copy(&mut declaration, session).await?.into_iter().next() {
                let Problem { message, hint, .. } = first.problem();
                return Ok(match hint {
                    Some(hint) => Ground::Lacking(Error::new(message).with_hint(hint)),
                    None => Ground::Beyond(message),
                });
            }
        }
        let before: Option<Box<Declaration>> = ground.take();
        ground = declaration.ground().map(Box::new);
        // What they own is laid as the first has it.
        if let (Some(ground), Some(before)) = (&mut ground, before) {
            let is_laid = |draft: &Draft| declaration.lays(&draft.node);
            for draft in ground.drafts.iter_mut().filter(|draft| is_laid(draft)) {
                if let Some(first) = before.drafts.iter().find(|first| first.node.address == draft.node.address) {
                    draft.clone_from(first);
                }
            }
        }
        copied = declaration.external;
    }
    Ok(Ground::Known(ground))
}

/// What a declaration calls its own.
pub struct Owned<'a> {
    pub schemas: &'a [String],
    pub ignore: &'a [String],
}

/// Mistakes in a text that nobody wrote: where they stand says nothing.
fn unplaced(error: &Error) -> String {
    match error {
        Error::Declaration(problems) => problems.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; "),
        failed @ Error::Failed { .. } => failed.to_string(),
    }
}

/// What a declaration refers to and cannot have from a database.
struct Missing {
    foreign: Foreign,
    /// What stands in its place, of a kind that has no outline.
    beyond: Option<String>,
}

impl Missing {
    fn problem(self) -> Problem {
        let Self { foreign, beyond } = self;
        if let Some(words) = beyond {
            let message = format!("{words} belongs to others, and is of a kind that nothing can stand in for here");
            return Problem::new(&foreign.pos, message);
        }
        let message = format!("there is no {} `{}` in the database", foreign.kind(), foreign.words());
        Problem::new(&foreign.pos, message)
            .hint("somebody else has to make it there; declare it under `external` if it is to come")
    }
}

/// Copies from the target until nothing new is referred to; what it does not have.
async fn copy(declaration: &mut Declaration, session: &Session) -> Result<Vec<Missing>> {
    let mut asked = declaration.foreign.clone();
    let mut known: HashSet<(Space, Vec<String>, String)> = HashSet::new();
    let mut missing = Vec::new();
    for _ in 0..ROUNDS {
        asked.retain(|foreign| known.insert((foreign.space, foreign.schemas.clone(), foreign.name.clone())));
        if asked.is_empty() {
            break;
        }
        let settings = declaration.settings.clone();
        let theirs = |schema: &str, name: &str| is_theirs(schema, name, &settings);
        let mut sighting = catalog::sight(session, &asked, &theirs).await?;
        let beyond: HashMap<usize, &String> = sighting.beyond.iter().map(|(at, words)| (*at, words)).collect();
        for (at, foreign) in asked.iter().enumerate().filter(|(_, foreign)| foreign.certain) {
            let beyond = beyond.get(&at).map(|words| (*words).clone());
            if beyond.is_some() || !sighting.there.contains(&at) {
                missing.push(Missing { foreign: foreign.clone(), beyond });
            }
        }
        // What is declared as an extension is built as such.
        let own = |name: &str| {
            let address = Address::root("extension", name);
            declaration.drafts.iter().any(|draft| draft.node.address == address)
        };
        sighting.outlines.retain(|outline| outline.section != "extensions" || !own(&outline.key));
        asked = declaration.adopt_outlines(sighting.outlines)?;
    }
    Ok(missing)
}

/// What is certainly somebody else's, and of which nothing is known.
fn unknown(declaration: &Declaration) -> Vec<Problem> {
    let names = Names::new(declaration.external.iter().map(|d| &d.node));
    let extended: HashSet<String> =
        declaration.external.iter().filter_map(|draft| extension_schema(&draft.node)).collect();
    let is_known = |foreign: &&Foreign| match foreign.space {
        Space::Schema => names.has_schema(&foreign.name),
        Space::Relation | Space::Function | Space::Type | Space::Other => {
            foreign.schemas.iter().any(|schema| extended.contains(schema))
                || !names.find(&foreign.reference(), "", &declaration.settings).is_empty()
        }
    };
    let mut problems = Vec::new();
    for foreign in declaration.foreign.iter().filter(|f| f.certain && !is_known(f)) {
        let (kind, words) = (foreign.kind(), foreign.words());
        let problem =
            Problem::new(&foreign.pos, format!("{kind} `{words}` is not declared here, and nothing is known of it"));
        let external = declaration.external.iter().map(|draft| &draft.node.address);
        let similar: Vec<String> = external
            .filter(|address| address.depth() == 2)
            .map(|address| {
                let name = crate::kinds::routine::bare_name(address).unwrap_or_else(|| address.name().to_owned());
                format!("{}.{name}", address.schema())
            })
            .collect();
        problems.push(problem.hint(match nearest(&words, similar.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it under `external`, or name a database that has it with --url".to_owned(),
        }));
    }
    problems
}
