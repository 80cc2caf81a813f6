//! The stage: a scratch database in which a part of the actual state is built as it is, owners, grants and default
//! privileges included.

use super::part::Part;
use super::{Stop, Subject, Tried};
use crate::catalog::{Surroundings, Unmanaged};
use crate::compile::{extension, Room, Scratch};
use crate::error::{Error, Result};
use crate::kinds;
use crate::model::{Address, Model, Node, Privilege};
use crate::plan::{self, Draft, Input, SearchPath, Step};
use crate::sql::Ident;
use std::collections::BTreeSet;
use std::ops::Deref;
use tokio_postgres::error::SqlState;

/// A database to try a plan in.
pub struct Stage {
    room: Room,
    /// What the plan creates and its role may not: extensions, with their schemas. A superuser made it beforehand, when
    /// nothing that anybody declared was there yet to run with a superuser's rights.
    beforehand: BTreeSet<Address>,
}

impl Deref for Stage {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.room
    }
}

impl Stage {
    /// The statements of a step that are left to run: not those that make or drop what is there beforehand.
    pub fn statements<'s>(&self, step: &'s Step) -> &'s [String] {
        let beforehand = plan::address_of(&step.at).is_some_and(|address| self.beforehand.contains(&address));
        match step.verb.as_str() {
            "create" if beforehand => step.sql.get(1..).unwrap_or_default(),
            "drop" if beforehand => &[],
            _ => &step.sql,
        }
    }

    /// What the plan itself has made of a state.
    pub fn tried(&self, state: &Model) -> Model {
        let tried = |node: &&Node| !self.beforehand.contains(&node.address);
        Model::new(state.nodes().iter().filter(tried).cloned().collect())
    }

    /// What is to be said of the extensions that were there beforehand.
    pub fn note(&self) -> Option<String> {
        let names = self.beforehand.iter().filter(|address| address.kind() == "extension").map(Address::to_string);
        let names: Vec<String> = names.collect();
        let words = format!("a superuser created {} beforehand", names.join(", "));
        (!names.is_empty()).then_some(words)
    }
}

/// A new database with a part of the actual state, over what others own of it, and a session in it that acts as the
/// plan's role as far as that can be had.
pub async fn build(
    scratch: &mut Scratch,
    role: &Role,
    subject: &Subject<'_>,
    part: &Part,
    draft: &Draft,
) -> Tried<Stage> {
    let name = match role {
        Role::Plans(name) => Some(name.as_str()),
        Role::Own => None,
    };
    let mut room = scratch.stage(name).await?;
    // It is built like any other where it is managed.
    if subject.wanted.schemas.iter().any(|s| s == "public") {
        room.client.batch_execute("DROP SCHEMA IF EXISTS public").await?;
    }
    let owner = name.unwrap_or(&room.role).to_owned();
    let withheld = withheld(&room, draft).await?;
    lay(&mut room, &owner, subject, part, &withheld).await?;
    let given = room.given().await?;
    let (model, later) = room.within_limits(part.model.clone());
    let empty = Model::default();
    let input = Input {
        actual: &empty,
        desired: &model,
        unmanaged: &Unmanaged::default(),
        surroundings: &Surroundings::default(),
        major: room.major,
        search_path: &SearchPath::default(),
    };
    for step in plan::steps(&input)? {
        let made = usize::from(given.contains(&step.at));
        for sql in step.sql.iter().skip(made) {
            let Err(refusal) = room.client.batch_execute(sql).await else { continue };
            let failed = |error| Stop::Unable(format!("{} cannot be rebuilt in scratch: {error}", step.address));
            // Only extensions are created by a superuser, and things handed over: what that runs, nobody declared.
            let hands_over = |node: &Node| kinds::facet::hands_over(node).is_some_and(|known| known == *sql);
            let node = || plan::address_of(&step.at).and_then(|address| model.get(&address).cloned());
            let withheld = refusal.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
                && (step.at.starts_with("extension ") || node().is_some_and(|node| hands_over(&node)));
            let again = if withheld { room.as_superuser(sql).await } else { None };
            again.unwrap_or(Err(refusal)).map_err(|e| failed(Error::from(e)))?;
        }
    }
    room.make_whole(&later).await?;
    // Those of schemas that are not here give nothing to anything that is.
    let schemas = room.client.query("select nspname::text from pg_namespace", &[]).await?;
    let schemas: BTreeSet<String> =
        schemas.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, tokio_postgres::Error>>()?;
    let defaults = default_privileges(&subject.live.surroundings, role, &schemas);
    room.client.batch_execute(&defaults).await?;
    let schemas = withheld.iter().map(|(_, schema)| Address::root("schema", schema));
    let beforehand = withheld.iter().map(|(name, _)| Address::root("extension", name)).chain(schemas);
    let beforehand =
        beforehand.filter(|address| draft.after.get(address).is_some() && part.model.get(address).is_none());
    Ok(Stage { beforehand: beforehand.collect(), room })
}

/// The extensions, with their schemas, that the plan creates, if there is one among them that only a superuser may.
async fn withheld(room: &Room, draft: &Draft) -> Result<Vec<(String, String)>> {
    let created = draft.plan.steps().filter(|step| step.verb == "create").filter_map(|step| plan::address_of(&step.at));
    let created: Vec<&Node> = created.filter_map(|address| draft.after.get(&address)).collect();
    for node in &created {
        if room.withholds(&node.address).await? {
            // One may require another.
            return Ok(created.into_iter().filter_map(extension).collect());
        }
    }
    Ok(Vec::new())
}

/// Lays what is there before anything that is managed: the schemas that extensions want, and what others own.
async fn lay(
    room: &mut Room,
    owner: &str,
    subject: &Subject<'_>,
    part: &Part,
    withheld: &[(String, String)],
) -> Tried<()> {
    let theirs: Vec<(String, String)> =
        subject.ground.iter().flat_map(|ground| &ground.drafts).filter_map(|draft| extension(&draft.node)).collect();
    let unknown = part.lacking.iter().filter(|name| theirs.iter().all(|(known, _)| known != *name));
    let all: Vec<(String, String)> =
        unknown.map(|name| (name.clone(), "public".to_owned())).chain(theirs.iter().chain(withheld).cloned()).collect();
    let refused = room.extend(&all, owner).await?;
    if let Some((name, _)) = withheld.iter().find(|(name, _)| refused.contains(name)) {
        return Err(Stop::Unable(format!("extension {name} cannot be created in scratch before all else is there")));
    }
    if let Some(ground) = subject.ground {
        room.lay(ground)
            .await
            .map_err(|e| Stop::Unable(format!("what others own cannot be rebuilt in scratch: {e}")))?;
    }
    let known =
        |name: &String| part.model.nodes().iter().any(|n| n.address.kind() == "schema" && n.address.name() == name);
    let schemas: BTreeSet<String> =
        part.model.nodes().iter().filter_map(extension).map(|(_, schema)| schema).filter(|name| !known(name)).collect();
    for name in schemas {
        room.client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", Ident(&name))).await?;
    }
    Ok(())
}

/// As whom statements run.
pub enum Role {
    /// As the role that the plan is for, which owns the database.
    Plans(String),
    /// As whoever scratch belongs to.
    Own,
}

/// Provides the roles. On a server that is not ours those that are missing are named: they cannot be made.
pub async fn roles(scratch: &Scratch, part: &Part, surroundings: &Surroundings) -> Result<(Role, BTreeSet<String>)> {
    let defaults = surroundings.default_grants.iter().flat_map(|(_, _, grants)| grants.0.keys());
    let names: BTreeSet<&String> = part.roles.iter().chain(defaults.filter(|name| *name != "public")).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let missing = scratch.missing_roles(&names).await?;
    let role = &surroundings.role;
    // Of no other: what is revoked would be taken for a grant that one of them made.
    let owners: Vec<String> = part.owners.iter().cloned().collect();
    let role = if scratch.stands_in_for(role, &owners).await? { Role::Plans(role.clone()) } else { Role::Own };
    Ok((role, missing.into_iter().collect()))
}

/// The default privileges that the plan was made for, in the schemas that there are: what they give to new things, its
/// statements leave out.
fn default_privileges(surroundings: &Surroundings, role: &Role, schemas: &BTreeSet<String>) -> String {
    let mut sql = String::new();
    let here = |schema: &String| schema.is_empty() || schemas.contains(schema);
    for (class, schema, wanted) in surroundings.default_grants.iter().filter(|(_, schema, _)| here(schema)) {
        let Some(plural) = plural(*class) else { continue };
        let within = if schema.is_empty() { String::new() } else { format!(" IN SCHEMA {}", Ident(schema)) };
        let mut say = |words: &str| sql.push_str(&format!("ALTER DEFAULT PRIVILEGES{within} {words};"));
        let creator = surroundings.role.as_str();
        // Those for all schemas stand in place of what everybody has by default.
        if schema.is_empty() {
            say(&format!("REVOKE ALL ON {} FROM PUBLIC", plural));
            say(&format!("REVOKE ALL ON {} FROM CURRENT_ROLE", plural));
        }
        for (grantee, held) in &wanted.0 {
            let who = match (grantee.as_str(), role) {
                ("public", _) => "PUBLIC".to_owned(),
                (name, Role::Own) if name == creator => "CURRENT_ROLE".to_owned(),
                (name, _) => Ident(name).to_string(),
            };
            for Privilege { name, grantable } in held {
                let option = if *grantable { " WITH GRANT OPTION" } else { "" };
                say(&format!("GRANT {} ON {} TO {who}{option}", name.to_uppercase(), plural));
            }
        }
    }
    sql
}

/// What ALTER DEFAULT PRIVILEGES calls a class of `pg_default_acl.defaclobjtype`.
fn plural(class: char) -> Option<&'static str> {
    match class {
        'r' => Some("TABLES"),
        'S' => Some("SEQUENCES"),
        'f' => Some("ROUTINES"),
        'T' => Some("TYPES"),
        'n' => Some("SCHEMAS"),
        _ => None,
    }
}
