//! The stage: a scratch database in which a part of the actual state is built as it is, owners, grants and default
//! privileges included.

use super::part::Part;
use super::{Stop, Subject, Tried};
use crate::catalog::{Session, Surroundings, Unmanaged};
use crate::compile::Scratch;
use crate::error::{Error, Result};
use crate::model::{Model, Node, Privilege};
use crate::plan::{self, Input};
use crate::sql::Ident;
use std::collections::BTreeSet;
use tokio_postgres::error::SqlState;

/// A new database with a part of the actual state, and a session in it that acts as the plan's role as far as that
/// can be had.
pub async fn build(scratch: &mut Scratch, role: &Role, subject: &Subject<'_>, part: &Part) -> Tried<Session> {
    let name = match role {
        Role::Plans(name) => Some(name.as_str()),
        Role::Own => None,
    };
    let (session, above) = scratch.stage(name).await?;
    session.client.batch_execute(&ground(subject, part)).await?;
    let empty = Model::default();
    let input = Input {
        actual: &empty,
        desired: &part.model,
        unmanaged: &Unmanaged::default(),
        surroundings: &Surroundings::default(),
        major: session.major,
    };
    for step in plan::steps(&input)? {
        for sql in &step.sql {
            let Err(refusal) = session.client.batch_execute(sql).await else { continue };
            let failed = |error| Stop::Unable(format!("{} cannot be rebuilt in scratch: {error}", step.address));
            // Only extensions are created by a superuser: what they run, nobody declared.
            let withheld =
                refusal.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) && step.at.starts_with("extension ");
            match above.as_ref().filter(|_| withheld) {
                Some(above) => above.client.batch_execute(sql).await.map_err(|e| failed(Error::from(e)))?,
                None => return Err(failed(Error::from(refusal))),
            }
        }
    }
    let defaults = default_privileges(&subject.live.surroundings, role);
    session.client.batch_execute(&defaults).await?;
    Ok(session)
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
    let role = if scratch.stands_in_for(role, &names).await? { Role::Plans(role.clone()) } else { Role::Own };
    Ok((role, missing.into_iter().collect()))
}

/// What has to be there, or gone, before the first statement.
fn ground(subject: &Subject<'_>, part: &Part) -> String {
    let mut sql = String::new();
    // It is built like any other where it is managed.
    if subject.wanted.schemas.iter().any(|s| s == "public") {
        sql.push_str("DROP SCHEMA IF EXISTS public;");
    }
    let schemas: BTreeSet<String> = extensions(part).into_iter().map(|(_, schema)| schema).collect();
    let known =
        |name: &String| part.model.nodes().iter().any(|n| n.address.kind() == "schema" && n.address.name() == name);
    for name in schemas.iter().filter(|name| !known(name)) {
        sql.push_str(&format!("CREATE SCHEMA IF NOT EXISTS {};", Ident(name)));
    }
    sql
}

/// The extensions with their schemas.
fn extensions(part: &Part) -> Vec<(String, String)> {
    let named = |node: &Node| {
        let spec = node.spec.read::<serde_json::Value>().ok().filter(|_| node.address.kind() == "extension")?;
        Some((node.address.name().to_owned(), spec.get("schema")?.as_str()?.to_owned()))
    };
    part.model.nodes().iter().filter_map(named).collect()
}

/// The default privileges that the plan was made for: what they give to new things, its statements leave out.
fn default_privileges(surroundings: &Surroundings, role: &Role) -> String {
    let mut sql = String::new();
    for (class, schema, wanted) in &surroundings.default_grants {
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
