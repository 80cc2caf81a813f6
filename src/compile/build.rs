//! Runs what a model or a declaration creates in a scratch database, in the order that plans use.

use super::clones::{cloned, Clones};
use super::mistakes::{Failure, Mistakes};
use super::scratch::{Built, Later, Room};
use crate::catalog::{Session, Surroundings, Unmanaged};
use crate::declare::{Declaration, Settings};
use crate::error::{Error, Pos, Problem, Result};
use crate::kinds::{self, Draft};
use crate::model::{Address, Hints, Model, Node, Spec};
use crate::plan::{self, Input};
use crate::sql::{literal, Ident};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What to do where scratch may not do what a superuser may.
const NO_RIGHTS: &str = "what is declared has no superuser's rights in scratch; where it needs them to be \
                         defined, name a server of your own with `--scratch URL`, as a superuser there";

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
    };
    plan::steps(&input)
}

/// The same, without what is there already, by its path.
fn missing(model: &Model, major: u32, given: &HashSet<String>) -> Result<Vec<plan::Step>> {
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
        if all_at_once(session, &steps(&whole)?, &path).await? {
            return Ok((room.end(&nodes, &later, settings, None).await?, clones));
        }
    }
    let steps = steps(&nodes)?;
    if !all_at_once(session, &steps, &path).await? {
        for step in steps {
            if run(session, &step, "''").await?.is_none() {
                continue;
            }
            // What a function runs may be named as only its own schema sees it.
            let home = plan::address_of(&step.at).map(|address| address.schema().to_owned()).unwrap_or_default();
            if let Some((sql, error)) = run(session, &step, &search_path(&home, settings)).await? {
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
fn draft(room: &Room, declaration: &Declaration, part: &Model) -> (Model, Vec<Later>) {
    let drafts: HashMap<&Address, &Draft> = declaration.drafts.iter().map(|d| (&d.node.address, d)).collect();
    let prepared = |node: &Node| match drafts.get(&node.address) {
        Some(draft) => closed(draft, bare(node)),
        None => bare(node),
    };
    room.within_limits(Model::new(part.nodes().iter().map(prepared).collect()))
}

/// The steps that create a model, with clones where there are `many` referrers.
fn first_steps(model: &Model, major: u32, many: Option<usize>) -> Result<(Vec<plan::Step>, Clones)> {
    match many.and_then(|many| cloned(model, many)) {
        Some((whole, clones)) => Ok((operations(&whole, major)?, clones)),
        None => Ok((operations(model, major)?, Clones::default())),
    }
}

/// Builds what was worked out. None, and nothing stays, if anything is refused.
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
    if all_at_once(room, &steps, &|step| names.path(step)).await? && bodies(room, declaration).await?.is_empty() {
        return Ok(Some((room.end(&model, &later, &declaration.settings, Some(declaration)).await?, clones)));
    }
    room.client.batch_execute("ROLLBACK").await?;
    Ok(None)
}

/// Builds a part of a declaration. All independent mistakes are reported, each where it was written. Tables with `many`
/// referrers are cloned.
pub async fn drafts(
    room: &Room,
    declaration: &Declaration,
    part: &Model,
    many: Option<usize>,
) -> Result<(Built, Clones)> {
    let (whole, later) = draft(room, declaration, part);
    let session: &Session = room;
    prepare(session, &declaration.settings.schemas).await?;
    let mut mistakes = Mistakes::default();
    loop {
        let model = mistakes.without(&whole);
        session.client.batch_execute("BEGIN").await?;
        let (failures, clones) = attempt(room, declaration, &model, many).await?;
        if failures.is_empty() && mistakes.is_empty() {
            return Ok((room.end(&model, &later, &declaration.settings, Some(declaration)).await?, clones));
        }
        session.client.batch_execute("ROLLBACK").await?;
        if !mistakes.note(failures, &model) {
            return Err(mistakes.into_error());
        }
    }
}

/// Under which names the steps of a declaration are run.
struct Names<'a> {
    by_path: HashMap<String, &'a Draft>,
    clones: &'a Clones,
    settings: &'a Settings,
}

impl<'a> Names<'a> {
    fn new(declaration: &'a Declaration, clones: &'a Clones) -> Self {
        let by_path = declaration.drafts.iter().map(|d| (d.node.address.path(), d)).collect();
        Self { by_path, clones, settings: &declaration.settings }
    }

    fn draft(&self, step: &plan::Step) -> Option<&'a Draft> {
        self.by_path.get(&step.at).copied()
    }

    fn path(&self, step: &plan::Step) -> String {
        let home = match self.draft(step) {
            Some(draft) => draft.node.address.schema(),
            None => self.clones.home(&step.at).unwrap_or("public"),
        };
        search_path(home, self.settings)
    }
}

/// Builds as much of a model as can be built; what the server refused, and the clones that are used.
async fn attempt(
    session: &Room,
    declaration: &Declaration,
    model: &Model,
    many: Option<usize>,
) -> Result<(Vec<Failure>, Clones)> {
    let given = session.given().await?;
    let (mut waiting, clones) = first_steps(model, session.major, many)?;
    waiting.retain(|step| !given.contains(&step.at));
    let names = Names::new(declaration, &clones);
    // Most declarations hold no mistake.
    if all_at_once(session, &waiting, &|step| names.path(step)).await? {
        return Ok((bodies(session, declaration).await?, clones));
    }
    // What a clone refuses is tried with the table itself, which has the last word.
    let direct = if clones.are_none() { Vec::new() } else { missing(model, session.major, &given)? };
    let direct = direct.into_iter().filter(|step| clones.is_referrer(&step.at));
    let mut direct: HashMap<String, plan::Step> = direct.map(|step| (step.at.clone(), step)).collect();
    let mut done_before = usize::MAX;
    let mut refused = Vec::new();
    // What the parse tree could not tell (operators, casts) shows as a failure: such steps are tried again
    // after the others, as long as that helps.
    while !waiting.is_empty() && waiting.len() < done_before {
        done_before = waiting.len();
        refused.clear();
        for mut step in std::mem::take(&mut waiting) {
            let mut outcome = run(session, &step, &names.path(&step)).await?;
            if let Some(itself) = outcome.as_ref().and_then(|_| direct.remove(&step.at)) {
                step = itself;
                outcome = run(session, &step, &names.path(&step)).await?;
            }
            if let Some((sql, error)) = outcome {
                refused.push((sql, error));
                waiting.push(step);
            }
        }
    }
    let mut failures = Vec::new();
    let failed = waiting.iter().zip(&refused).filter(|(step, _)| clones.home(&step.at).is_none());
    for (step, (sql, error)) in failed {
        let draft = names.draft(step);
        let inside = match (draft, found_inside(sql, error, draft, declaration, model)) {
            (Some(draft), None) => culprit(session, step, error, draft, declaration, model).await?,
            (_, found) => found,
        };
        failures.push(failure(step, error, draft, inside, declaration));
    }
    failures.extend(bodies(session, declaration).await?);
    Ok((failures, clones))
}

/// Bytes of SQL that are sent in one go.
const BLOCK: usize = 1 << 20;

/// Runs the steps without a look at each, under the names that `path` says; whether nothing was refused. Otherwise nothing
/// of them stays.
///
/// A block of statements is one statement to the server: at the end of each that took more than a few locks it goes
/// through all locks of the transaction (LockReassignCurrentOwner), of which a large declaration has a hundred thousand.
/// It is a loop over them, since PL/pgSQL keeps a plan for each expression that it ran, and everything that is created
/// goes through all plans that are kept (PlanCacheRelCallback).
async fn all_at_once(session: &Session, steps: &[plan::Step], path: &dyn Fn(&plan::Step) -> String) -> Result<bool> {
    let mut blocks: Vec<Vec<String>> = vec![Vec::new()];
    let (mut size, mut under) = (0, String::new());
    for step in steps {
        if size > BLOCK {
            blocks.push(Vec::new());
            size = 0;
        }
        let Some(block) = blocks.last_mut() else { continue };
        let path = path(step);
        if under != path {
            block.push(literal(&format!("SET LOCAL search_path = {path}")));
            under = path;
        }
        block.extend(step.sql.iter().map(|sql| literal(sql)));
        size += step.sql.iter().map(String::len).sum::<usize>();
    }
    session.client.batch_execute("SAVEPOINT all_at_once").await?;
    for block in blocks.iter().filter(|block| !block.is_empty()) {
        let statements = block.join(",\n");
        let body = format!(
            "DECLARE statement text; BEGIN FOREACH statement IN ARRAY ARRAY[\n{statements}\n] LOOP EXECUTE statement; END LOOP; END"
        );
        if let Err(error) = session.client.batch_execute(&format!("DO {}", literal(&body))).await {
            if error.as_db_error().is_none() {
                return Err(error.into());
            }
            session.client.batch_execute("ROLLBACK TO all_at_once; RELEASE all_at_once").await?;
            return Ok(false);
        }
    }
    session.client.batch_execute("RELEASE all_at_once").await?;
    Ok(true)
}

/// What of a thing's parts makes its creation fail, where the server does not say: the one without which it
/// does not fail so.
async fn culprit(
    session: &Session,
    step: &plan::Step,
    error: &tokio_postgres::Error,
    draft: &Draft,
    declaration: &Declaration,
    model: &Model,
) -> Result<Option<(Address, Pos)>> {
    let whole = &draft.node.address;
    let words = |error: &tokio_postgres::Error| error.as_db_error().map(|db| db.message().to_owned());
    let alone: Vec<&Node> = model.nodes().iter().filter(|n| n.address.is_within(whole)).collect();
    // What uses columns is rather at fault than they are.
    let (columns, others): (Vec<&Node>, Vec<&Node>) =
        alone.iter().copied().filter(|n| n.address != *whole).partition(|n| n.address.kind() == "column");
    // First everything, to see that it fails so by itself.
    for part in std::iter::once(None).chain(others.into_iter().chain(columns).map(Some)) {
        let left = alone.iter().filter(|n| part.is_none_or(|p| !n.address.is_within(&p.address)));
        let Ok(steps) = operations(&Model::new(left.map(|n| (*n).clone()).collect()), session.major) else { continue };
        let Some(trial) = steps.into_iter().find(|s| s.at == step.at) else { continue };
        session.client.batch_execute("SAVEPOINT trial").await?;
        let refused = run(session, &trial, &search_path(whole.schema(), &declaration.settings)).await?;
        session.client.batch_execute("ROLLBACK TO trial; RELEASE trial").await?;
        let same = refused.is_some_and(|(_, e)| words(&e) == words(error));
        match part {
            None if !same => return Ok(None),
            Some(part) if !same => {
                let draft = declaration.drafts.iter().find(|d| d.node.address == part.address);
                return Ok(draft.map(|d| (d.node.address.clone(), d.pos.clone())));
            }
            None | Some(_) => {}
        }
    }
    Ok(None)
}

/// Where names without a schema are looked for, in SQL.
pub fn search_path(home: &str, settings: &Settings) -> String {
    let schemas = std::iter::once(home).chain(settings.schemas.iter().map(String::as_str)).chain(["public"]);
    schemas.filter(|s| !s.is_empty()).map(|s| Ident(s).to_string()).collect::<Vec<_>>().join(", ")
}

/// Runs a step under the names that `path` says; on failure, the statement and the server's error.
async fn run(session: &Session, step: &plan::Step, path: &str) -> Result<Option<(String, tokio_postgres::Error)>> {
    session.client.batch_execute(&format!("SAVEPOINT step; SET LOCAL search_path = {path}")).await?;
    for sql in &step.sql {
        if let Err(error) = session.client.batch_execute(sql).await {
            if error.as_db_error().is_none() {
                return Err(error.into());
            }
            session.client.batch_execute("ROLLBACK TO step").await?;
            return Ok(Some((sql.clone(), error)));
        }
    }
    session.client.batch_execute("RELEASE step").await?;
    Ok(None)
}

/// Validates string bodies now that everything they may mention is there.
async fn bodies(session: &Session, declaration: &Declaration) -> Result<Vec<Failure>> {
    let mut problems = Vec::new();
    let schemas = &declaration.settings.schemas;
    let rows = session
        .client
        .query(
            "select p.oid, n.nspname::text, p.proname::text, l.lanvalidator::regproc::text,
                    pg_get_function_identity_arguments(p.oid), oidvectortypes(p.proargtypes)
             from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
             where n.nspname = any ($1) and l.lanvalidator <> 0 and p.prokind in ('f', 'p', 'w')
               and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
             order by p.oid",
            &[schemas],
        )
        .await?;
    for row in rows {
        let (oid, schema, name, validator): (u32, String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let path: Vec<String> = std::iter::once(&schema)
            .chain(schemas)
            .map(|s| Ident(s).to_string())
            .chain(["public".to_owned()])
            .collect();
        let sql = format!(
            "SAVEPOINT body; SET LOCAL search_path = {}; SET LOCAL check_function_bodies = on; SELECT {validator}({oid})",
            path.join(", ")
        );
        if let Err(error) = session.client.batch_execute(&sql).await {
            let types: String = row.try_get(5)?;
            let parent = Address::root("schema", &schema);
            let draft = declaration.drafts.iter().find(|d| {
                ["function", "procedure"].contains(&d.node.address.kind())
                    && kinds::routine::bare_name(&d.node.address).as_deref() == Some(name.as_str())
                    && d.node.address.parent().as_ref() == Some(&parent)
                    && (d.node.address.name().ends_with(&format!("({types})")))
            });
            let pos = draft.map_or_else(|| declaration.sources.start(), |d| d.pos.clone());
            let words = Error::from(error).to_string();
            problems.push(Failure {
                of: draft.map_or_else(String::new, |d| d.node.address.path()),
                culprit: None,
                problem: Problem::new(&pos, format!("body of {name}: {words}")),
                message: words,
            });
            session.client.batch_execute("ROLLBACK TO body").await?;
        }
        session.client.batch_execute("ROLLBACK TO body").await?;
    }
    Ok(problems)
}

/// A refusal with its place in the YAML: the part that is at fault, else where the thing is declared.
fn failure(
    step: &plan::Step,
    error: &tokio_postgres::Error,
    draft: Option<&Draft>,
    inside: Option<(Address, Pos)>,
    declaration: &Declaration,
) -> Failure {
    let message = error.as_db_error().map_or_else(
        || error.to_string(),
        |db| {
            let detail = db.detail().map(|d| format!("; {d}")).unwrap_or_default();
            format!("{} ({}){detail}", db.message(), db.code().code())
        },
    );
    let own = || draft.map(|d| (d.node.address.clone(), d.pos.clone()));
    let (culprit, words, pos) = match inside.or_else(own) {
        Some((address, pos)) => (Some(address.clone()), address.to_string(), pos),
        None => (plan::address_of(&step.at), step.address.clone(), declaration.sources.start()),
    };
    let mut problem = Problem::new(&pos, format!("{words}: {message}"));
    problem.hint = error.as_db_error().and_then(|db| db.hint()).map(str::to_owned);
    if error.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) && problem.hint.is_none() {
        problem = problem.hint(NO_RIGHTS);
    }
    Failure { of: step.at.clone(), culprit, message, problem }
}

/// The part at fault that the server points at: the fragment that holds the position, else the part that bears
/// the name it complains about.
fn found_inside(
    sql: &str,
    error: &tokio_postgres::Error,
    draft: Option<&Draft>,
    declaration: &Declaration,
    model: &Model,
) -> Option<(Address, Pos)> {
    use tokio_postgres::error::ErrorPosition;
    let (db, draft) = (error.as_db_error()?, draft?);
    // Riders are written inside the statement of their parent.
    let within = |d: &&Draft| d.node.address.is_within(&draft.node.address) && model.get(&d.node.address).is_some();
    let at = match db.position() {
        Some(ErrorPosition::Original(position)) => {
            let chars = usize::try_from(*position).unwrap_or(1).saturating_sub(1);
            sql.char_indices().nth(chars).map(|(byte, _)| byte)
        }
        _ => None,
    };
    let mut found = None;
    // The longest text that stands there: short ones stand in many places.
    let mut longest = 0;
    for candidate in declaration.drafts.iter().filter(within) {
        for (fragment, scalar) in &candidate.fragments {
            let Some(scalar) = scalar else { continue };
            for (start, _) in sql.match_indices(&fragment.text) {
                let Some(at) = at.filter(|at| (start..start + fragment.text.len()).contains(at)) else { continue };
                if fragment.text.len() > longest {
                    longest = fragment.text.len();
                    let inside = scalar.text.find(&fragment.text).unwrap_or(0) + (at - start);
                    found = Some((candidate.node.address.clone(), scalar.position_of(inside)));
                }
            }
        }
    }
    let name = db.message().split('"').nth(1).filter(|_| found.is_none());
    let named = |d: &&Draft| d.node.address != draft.node.address && name == Some(d.node.address.name());
    found.or_else(|| {
        declaration.drafts.iter().filter(within).find(named).map(|d| (d.node.address.clone(), d.pos.clone()))
    })
}
