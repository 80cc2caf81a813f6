//! Runs what a model or a declaration creates in a scratch database, in the order that plans use.

use super::attempt::bodies;
use super::clones::{cloned, Clones};
use super::scratch::{Built, Later, Room};
use crate::catalog::{Session, Surroundings, Unmanaged};
use crate::declare::{Declaration, Settings};
use crate::error::{Error, Result};
use crate::kinds::{self, Draft};
use crate::model::{Address, Hints, Model, Node, Spec};
use crate::plan::{self, Input, SearchPath};
use crate::sql::{literal, Ident};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Roles that what is built names: they must exist before policies can name them. Owners and grantees are
/// not needed, because nobody is made an owner in scratch, and nothing is granted.
pub fn roles(model: &Model) -> Vec<String> {
    let roles: BTreeSet<String> = model.nodes().iter().flat_map(|node| kinds::roles(&bare(node))).collect();
    roles.into_iter().collect()
}

/// Operations that create all nodes, in order.
pub(super) fn operations(model: &Model, major: u32) -> Result<Vec<plan::Step>> {
    let empty = Model::default();
    let input = Input {
        actual: &empty,
        desired: model,
        unmanaged: &Unmanaged::default(),
        surroundings: &Surroundings::default(),
        major,
        search_path: &SearchPath::default(),
    };
    plan::steps(&input)
}

/// The same, without what is there already, by its path.
pub(super) fn missing(model: &Model, major: u32, given: &HashSet<String>) -> Result<Vec<plan::Step>> {
    let mut steps = operations(model, major)?;
    steps.retain(|step| !given.contains(&step.at));
    Ok(steps)
}

/// What a scratch database has already, or what is said elsewhere: facets are not built in scratch.
pub(super) fn bare(node: &Node) -> Node {
    let hints = node.hints.as_ref().filter(|hints| hints.without_data);
    let hints = hints.map(|_| Box::new(Hints { without_data: true, ..Hints::default() }));
    Node { owner: None, comment: None, grants: None, hints, ..node.clone() }
}

/// A line comment at the end of a fragment must not swallow what stands behind it.
fn closed(draft: &Draft, node: Node) -> Node {
    let open: Vec<&str> = draft.fragments.iter().map(|(f, _)| f.text.as_str()).filter(|t| t.contains("--")).collect();
    let Some(mut spec) = (!open.is_empty()).then(|| node.spec.read::<Value>().ok()).flatten() else { return node };
    close(&mut spec, &open);
    Node { spec: Spec::of(&spec), ..node }
}

fn close(value: &mut Value, open: &[&str]) {
    match value {
        Value::String(text) if open.contains(&text.as_str()) => text.push('\n'),
        Value::Array(values) => values.iter_mut().for_each(|v| close(v, open)),
        Value::Object(map) => map.values_mut().for_each(|v| close(v, open)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Builds what was read from scratch before. It worked once, so a failure is a defect of ours. Tables with `many`
/// referrers are cloned.
pub async fn model(room: &Room, model: &Model, settings: &Settings, many: Option<usize>) -> Result<(Built, Clones)> {
    let (nodes, later) = room.within_limits(Model::new(model.nodes().iter().map(bare).collect()));
    prepare(room, &settings.schemas).await?;
    let session: &Session = room;
    let given = room.given().await?;
    session.client.batch_execute("BEGIN").await?;
    let steps = |model: &Model| missing(model, session.major, &given);
    let path = |_: &plan::Step| "''".to_owned();
    if let Some((whole, clones)) = many.and_then(|many| cloned(&nodes, many)) {
        if all_at_once(session, steps(&whole)?, &path).await? {
            return Ok((room.end(&nodes, &later, settings, None).await?, clones));
        }
    }
    let steps = steps(&nodes)?;
    if !all_at_once(session, steps.clone(), &path).await? {
        for step in steps {
            if run(session, &step, Unit::Savepoint, "''").await?.is_none() {
                continue;
            }
            // What a function runs may be named as only its own schema sees it.
            let home = plan::address_of(&step.at).map(|address| address.schema().to_owned()).unwrap_or_default();
            if let Some((sql, error)) = run(session, &step, Unit::Savepoint, &search_path(&home, settings)).await? {
                return Err(Error::from(error)
                    .while_(format!("building {} from its own print, `{sql}`", step.address))
                    .with_hint("this is a defect of pgplumb: please report it with the declaration"));
            }
        }
    }
    Ok((room.end(&nodes, &later, settings, None).await?, Clones::default()))
}

pub(super) async fn prepare(session: &Session, schemas: &[String]) -> Result<()> {
    if !schemas.iter().any(|s| s == "public") {
        return Ok(());
    }
    Ok(session.client.batch_execute("CREATE SCHEMA IF NOT EXISTS public").await?)
}

/// What is to be run to build a part of a declaration: drafts as they are written, and what they rest on as it was printed
/// before.
pub struct Work {
    model: Model,
    later: Vec<Later>,
    steps: Vec<plan::Step>,
    clones: Clones,
}

impl Work {
    /// Works it out, without asking a server. Tables with `many` referrers are cloned.
    pub fn of(room: &Room, declaration: &Declaration, part: &Model, many: Option<usize>) -> Result<Self> {
        let (model, later) = draft(room, declaration, part);
        let (steps, clones) = first_steps(&model, room.major, many)?;
        Ok(Self { model, later, steps, clones })
    }
}

/// The part as it is built in a room, and what is added to it when all is there.
pub(super) fn draft(room: &Room, declaration: &Declaration, part: &Model) -> (Model, Vec<Later>) {
    let drafts: HashMap<&Address, &Draft> = declaration.drafts.iter().map(|d| (&d.node.address, d)).collect();
    let prepared = |node: &Node| match drafts.get(&node.address) {
        Some(draft) => closed(draft, bare(node)),
        None => bare(node),
    };
    room.within_limits(Model::new(part.nodes().iter().map(prepared).collect()))
}

/// The steps that create a model, with clones where there are `many` referrers.
pub(super) fn first_steps(model: &Model, major: u32, many: Option<usize>) -> Result<(Vec<plan::Step>, Clones)> {
    match many.and_then(|many| cloned(model, many)) {
        Some((whole, clones)) => Ok((operations(&whole, major)?, clones)),
        None => Ok((operations(model, major)?, Clones::default())),
    }
}

/// Builds what was worked out. None if anything is refused: then the room is of no more use.
///
/// # Errors
/// The connection is lost; what was built within limits cannot be made whole.
pub async fn at_once(room: &Room, work: Work, declaration: &Declaration) -> Result<Option<(Built, Clones)>> {
    let Work { model, later, mut steps, clones } = work;
    prepare(room, &declaration.settings.schemas).await?;
    let given = room.given().await?;
    steps.retain(|step| !given.contains(&step.at));
    room.client.batch_execute("BEGIN").await?;
    let names = Names::new(declaration, &clones);
    if all_at_once(room, steps, &|step| names.path(step)).await? && bodies(room, declaration).await?.is_empty() {
        return Ok(Some((room.end(&model, &later, &declaration.settings, Some(declaration)).await?, clones)));
    }
    Ok(None)
}

/// The drafts of a declaration in the order of their addresses, and under which names their steps are run.
pub(super) struct Names<'a> {
    drafts: Vec<&'a Draft>,
    by_path: HashMap<String, &'a Draft>,
    clones: &'a Clones,
    pub(super) settings: &'a Settings,
}

impl<'a> Names<'a> {
    pub(super) fn new(declaration: &'a Declaration, clones: &'a Clones) -> Self {
        let by_path = declaration.drafts.iter().map(|d| (d.node.address.path(), d)).collect();
        let mut drafts: Vec<&Draft> = declaration.drafts.iter().collect();
        drafts.sort_by(|a, b| a.node.address.cmp(&b.node.address));
        Self { drafts, by_path, clones, settings: &declaration.settings }
    }

    pub(super) fn draft(&self, step: &plan::Step) -> Option<&'a Draft> {
        self.by_path.get(&step.at).copied()
    }

    /// What is declared at an address and below it.
    pub(super) fn within<'b>(&self, address: &'b Address) -> impl Iterator<Item = &'a Draft> + use<'a, 'b, '_> {
        let start = self.drafts.partition_point(|draft| draft.node.address < *address);
        self.drafts[start..].iter().copied().take_while(move |draft| draft.node.address.is_within(address))
    }

    pub(super) fn path(&self, step: &plan::Step) -> String {
        let home = match self.draft(step) {
            Some(draft) => draft.node.address.schema(),
            None => self.clones.home(&step.at).unwrap_or("public"),
        };
        search_path(home, self.settings)
    }
}

/// Bytes of SQL that are sent in one go.
const BLOCK: usize = 1 << 20;

/// Steps that are sent in one go.
pub(super) struct Block {
    pub steps: Vec<plan::Step>,
    /// One statement that runs them all.
    sql: String,
}

/// Cuts steps into blocks, under the names that `path` says.
///
/// A block of statements is one statement to the server: at the end of each that took more than a few locks it goes
/// through all locks of the transaction (LockReassignCurrentOwner), of which a large declaration has a hundred thousand.
/// It is a loop over them, since PL/pgSQL keeps a plan for each expression that it ran, and everything that is created
/// goes through all plans that are kept (PlanCacheRelCallback).
pub(super) fn blocks(steps: Vec<plan::Step>, path: &dyn Fn(&plan::Step) -> String) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut steps = steps.into_iter().peekable();
    while steps.peek().is_some() {
        let (mut taken, mut statements) = (Vec::new(), Vec::new());
        let (mut size, mut under) = (0, String::new());
        while let Some(step) = steps.next_if(|_| size <= BLOCK) {
            let path = path(&step);
            if under != path {
                statements.push(literal(&format!("SET LOCAL search_path = {path}")));
                under = path;
            }
            statements.extend(step.sql.iter().map(|sql| literal(sql)));
            size += step.sql.iter().map(String::len).sum::<usize>();
            taken.push(step);
        }
        let statements = statements.join(",\n");
        let body = format!(
            "DECLARE statement text; BEGIN FOREACH statement IN ARRAY ARRAY[\n{statements}\n] LOOP EXECUTE statement; END LOOP; END"
        );
        blocks.push(Block { steps: taken, sql: format!("DO {}", literal(&body)) });
    }
    blocks
}

impl Block {
    /// Runs them; whether nothing was refused. Otherwise nothing of them stays.
    pub async fn run(&self, session: &Session, unit: Unit) -> Result<bool> {
        Ok(unit.run(session, "", &[&self.sql]).await?.is_none())
    }
}

/// Runs the steps without a look at each, under the names that `path` says; whether nothing was refused. Otherwise nothing
/// of them stays.
async fn all_at_once(session: &Session, steps: Vec<plan::Step>, path: &dyn Fn(&plan::Step) -> String) -> Result<bool> {
    let blocks = blocks(steps, path);
    let statements: Vec<&String> = blocks.iter().map(|block| &block.sql).collect();
    Ok(Unit::Savepoint.run(session, "", &statements).await?.is_none())
}

/// What stays as a whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A part of the transaction that is open.
    Savepoint,
    /// A transaction of its own.
    Transaction,
}

/// A statement and why the server refused it.
pub(super) type Refusal = (String, tokio_postgres::Error);

impl Unit {
    /// Runs statements, after something that goes before them. On failure nothing of them stays.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn run(self, session: &Session, first: &str, statements: &[&String]) -> Result<Option<Refusal>> {
        let (begin, end, undo) = match self {
            Self::Savepoint => ("SAVEPOINT unit", "RELEASE unit", "ROLLBACK TO unit; RELEASE unit"),
            Self::Transaction => ("BEGIN", "COMMIT", "ROLLBACK"),
        };
        session.client.batch_execute(&format!("{begin}; {first}")).await?;
        let end = end.to_owned();
        for sql in statements.iter().copied().chain([&end]) {
            if let Err(error) = session.client.batch_execute(sql).await {
                if error.as_db_error().is_none() {
                    return Err(error.into());
                }
                // A commit that fails has rolled back.
                if *sql != end {
                    session.client.batch_execute(undo).await?;
                }
                return Ok(Some((sql.clone(), error)));
            }
        }
        Ok(None)
    }
}

/// Where names without a schema are looked for, in SQL.
pub fn search_path(home: &str, settings: &Settings) -> String {
    let schemas = std::iter::once(home).chain(settings.schemas.iter().map(String::as_str)).chain(["public"]);
    schemas.filter(|s| !s.is_empty()).map(|s| Ident(s).to_string()).collect::<Vec<_>>().join(", ")
}

/// Runs a step under the names that `path` says; on failure, the statement and the server's error.
pub(super) async fn run(session: &Session, step: &plan::Step, unit: Unit, path: &str) -> Result<Option<Refusal>> {
    unit.run(session, &format!("SET LOCAL search_path = {path}"), &step.sql.iter().collect::<Vec<_>>()).await
}
