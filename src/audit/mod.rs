//! What a DBA wants to know about a database, tenancy first.
//!
//! - `live`: what is read besides the model: roles, schemas;
//! - `facts`: the model as rules look at it, each spec read once;
//! - `scope`: what the declaration says about it, without a server;
//! - `rules`: one file per rule, and the registry, the one list of them;
//! - `finding`: what a rule says;
//! - `view`: findings for people and machines, and the reference of the rules.
//!
//! Rules are pure functions of the facts. What could not be looked at is said, never taken for sound.

mod facts;
mod finding;
mod live;
mod rules;
mod scope;
mod specs;
mod tenants;
pub mod view;

pub use finding::{Finding, Severity};
pub use rules::{find, Rule, RULES};
pub use scope::settings;

use crate::catalog::{Session, Wanted};
use crate::declare::Tenancy;
use crate::engine;
use crate::error::Result;
use facts::Facts;
use tenants::Tenants;

/// What to look at. Without schemas: all that are not PostgreSQL's own or an extension's.
pub struct Request<'a> {
    pub schemas: Vec<String>,
    pub ignore: Vec<String>,
    pub tenancy: Option<Tenancy>,
    /// The rules to run; all if empty.
    pub rules: Vec<&'a Rule>,
    /// Lesser findings are left out.
    pub minimum: Severity,
}

/// What an audit found.
pub struct Report {
    pub database: String,
    /// `server_version`.
    pub version: String,
    pub schemas: Vec<String>,
    pub tenancy: Option<Tenancy>,
    /// Sorted: the gravest first, then by address.
    pub findings: Vec<Finding>,
    /// What was not looked at and why, in words.
    pub unchecked: Vec<String>,
}

/// Audits the database in one snapshot, which is released at the end.
pub async fn run(session: &Session, request: Request<'_>) -> Result<Report> {
    let Request { mut schemas, ignore, tenancy, rules, minimum } = request;
    if schemas.is_empty() {
        schemas = live::schemas(session).await?;
    }
    let wanted = Wanted { schemas: schemas.clone(), ignore, rows: Vec::new(), extensions: None };
    let live = engine::live(session, &wanted).await?;
    let roles = live::Roles::read(session).await?;
    session.release().await?;

    let mut unchecked = live.unchecked.clone();
    unchecked.extend(live.unmodelled.iter().map(|thing| format!("{}: not a kind that is audited", thing.what)));
    let tenants = match &tenancy {
        Some(tenancy) => Some(Tenants::resolve(tenancy, &schemas, &live.model, &mut unchecked)?),
        None => None,
    };
    let facts = Facts::of(&live.model, session.major, tenants, roles)?;
    let mut findings = Vec::new();
    let chosen = RULES.iter().filter(|rule| rules.is_empty() || rules.iter().any(|wanted| wanted.name == rule.name));
    let (untold, run): (Vec<&Rule>, Vec<&Rule>) =
        chosen.partition(|rule| rule.needs_tenancy && facts.tenants.is_none());
    run.iter().for_each(|rule| (rule.check)(&facts, &mut findings));
    if !untold.is_empty() {
        let names: Vec<&str> = untold.iter().map(|rule| rule.name).collect();
        unchecked.push(format!("rules that need to know who the tenants are, which nobody said: {}", names.join(", ")));
    }
    findings.retain(|finding| finding.severity >= minimum);
    findings.sort();
    unchecked.sort();
    unchecked.dedup();
    Ok(Report {
        database: session.identity.database.clone(),
        version: session.version.clone(),
        schemas,
        tenancy,
        findings,
        unchecked,
    })
}
