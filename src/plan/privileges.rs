//! Privileges: what the role lacks for what a plan touches, and what new owners would lack, asked before anybody reviews it.

use super::batch::Input;
use super::Finding;
use crate::catalog::Session;
use crate::error::Result;
use crate::kinds;
use crate::model::{Address, Model, Node};
use std::collections::{BTreeMap, BTreeSet};

/// Whether the role may write the journal, or make it where it is not there yet.
const JOURNAL: &str = "\
select case
  when s.oid is null then has_database_privilege(current_database(), 'CREATE')
  when t.oid is null then has_schema_privilege(s.oid, 'USAGE') and has_schema_privilege(s.oid, 'CREATE')
  else has_schema_privilege(s.oid, 'USAGE') and has_table_privilege(t.oid, 'SELECT')
    and has_table_privilege(t.oid, 'INSERT') and has_table_privilege(t.oid, 'UPDATE')
end
from (select) one
left join pg_namespace s on s.nspname = 'pgplumb'
left join pg_class t on t.relnamespace = s.oid and t.relname = 'run'";

/// What the role lacks for what the plan touches: ownership of live things, CREATE in schemas, the journal.
pub async fn privileges(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<Finding>> {
    let mut findings = missing_roles(session, touched, input).await?;
    findings.extend(kept_from_keys(session, touched, input).await?);
    if session.superuser {
        return Ok(findings);
    }
    let mut owners: Vec<(String, Address)> = Vec::new();
    let mut schemas: Vec<Address> = Vec::new();
    for address in touched {
        let relation = kinds::relation::table_of(address).into_iter().next().unwrap_or_else(|| address.clone());
        if let Some(owner) = input.actual.get(&relation).and_then(|n| n.owner.as_deref()) {
            owners.push((owner.to_owned(), relation.clone()));
        }
        let schema = Some(address.top()).filter(|s| s != address && input.actual.get(s).is_some());
        if input.actual.get(&relation).is_none() {
            schemas.extend(schema);
        }
    }
    if !touched.is_empty() && !session.client.query_one(JOURNAL, &[]).await?.try_get::<_, bool>(0)? {
        let text = format!(
            "role {} may not write the journal there: give it the schema, or CREATE on the database once",
            session.role
        );
        findings.push(Finding { address: "schema pgplumb".into(), text, rows: None, examples: Vec::new() });
    }
    findings.extend(new_owners(session, touched, input).await?);
    findings.extend(unreferable(session, touched, input).await?);
    owners.sort();
    owners.dedup();
    schemas.sort();
    schemas.dedup();
    for (owner, address) in owners {
        let row =
            session.client.query_one("select pg_has_role(current_user, $1::text::name, 'USAGE')", &[&owner]).await?;
        if !row.try_get::<_, bool>(0)? {
            let text =
                format!("belongs to role {owner}, and {} is not a member of it: it cannot be altered", session.role);
            findings.push(Finding { address: address.to_string(), text, rows: None, examples: Vec::new() });
        }
    }
    for schema in schemas {
        let name = schema.name().to_owned();
        let row = session.client.query_one("select has_schema_privilege($1::text, 'CREATE')", &[&name]).await?;
        if !row.try_get::<_, bool>(0)? {
            let text = format!("role {} may not create anything in it", session.role);
            findings.push(Finding { address: schema.to_string(), text, rows: None, examples: Vec::new() });
        }
    }
    Ok(findings)
}

/// What is created and PostgreSQL lets only a superuser create. Providers of servers let other roles too, and no catalog
/// says so.
pub async fn withheld(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<String>> {
    let new = touched.iter().filter(|a| input.actual.get(a).is_none() && input.desired.get(a).is_some());
    let mut words = Vec::new();
    for address in new.filter(|_| !session.superuser) {
        let Some(sql) = kinds::kind_of(address).withheld() else { continue };
        if session.client.query_opt(sql, &[&[address.name()].as_slice()]).await?.is_some() {
            words.push(format!(
                "{address}: whether role {} may create it (PostgreSQL lets superusers, some providers others too)",
                session.role
            ));
        }
    }
    Ok(words)
}

/// New owners that the role may not hand things over to, or that may not have them where they are (manual, ALTER TABLE,
/// OWNER TO).
async fn new_owners(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<Finding>> {
    let sql =
        "select pg_has_role(current_user, r.oid, $3), coalesce(has_schema_privilege(r.oid, s.oid, 'CREATE'), true)
               from pg_roles r left join pg_namespace s on s.nspname = $2::text where r.rolname = $1::text";
    // Before 16, whoever was a member could.
    let way = if session.major >= 16 { "SET" } else { "MEMBER" };
    let mut findings = Vec::new();
    for node in touched.iter().filter_map(|address| input.desired.get(address)) {
        let Some(owner) = node.owner.as_deref() else { continue };
        let live = input.actual.get(&node.address).map_or(Some(session.role.as_str()), |live| live.owner.as_deref());
        if live == Some(owner) {
            continue;
        }
        let schema = if node.address.parent().is_some() { node.address.schema() } else { "" };
        let Some(row) = session.client.query_opt(sql, &[&owner, &schema, &way]).await? else { continue };
        let mut say = |text: String| {
            findings.push(Finding { address: node.address.to_string(), text, rows: None, examples: Vec::new() });
        };
        if !row.try_get::<_, bool>(0)? {
            say(format!("is to belong to role {owner}, and {} may not act as it", session.role));
        } else if !row.try_get::<_, bool>(1)? {
            say(format!("is to belong to role {owner}, which may not create anything in schema {schema}"));
        }
    }
    Ok(findings)
}

/// New owners who may not use the schema of a table with foreign keys: PostgreSQL looks into it for them as its owner.
async fn kept_from_keys(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<Finding>> {
    let sql = "select r.rolsuper or coalesce(has_schema_privilege(r.oid, s.oid, 'USAGE'), false)
                 or exists (select from pg_roles g where g.rolname = any ($3) and pg_has_role(r.oid, g.oid, 'USAGE'))
               from pg_roles r left join pg_namespace s on s.nspname = $2::text where r.rolname = $1::text";
    let is_new = |node: &&Node| {
        let live = input.actual.get(&node.address).and_then(|live| live.owner.as_deref());
        node.owner.is_some() && live != node.owner.as_deref()
    };
    let holding = touched.iter().filter(|address| kinds::kind_of(address).holds_rows());
    let tables: Vec<&Node> = holding.filter_map(|address| input.desired.get(address)).filter(is_new).collect();
    let keyed = if tables.is_empty() { BTreeSet::new() } else { keyed(input.desired) };
    let tables = tables.into_iter().filter(|node| keyed.contains(&node.address));
    let mut by_place: BTreeMap<(&str, Address), Vec<&Node>> = BTreeMap::new();
    for node in tables {
        let owner = node.owner.as_deref().unwrap_or_default();
        by_place.entry((owner, node.address.top())).or_default().push(node);
    }
    let mut findings = Vec::new();
    for ((owner, schema), tables) in by_place {
        let (name, users) = (schema.name(), users(&schema, input.desired));
        let row = session.client.query_opt(sql, &[&owner, &name, &users]).await?;
        let may_use = row.map(|row| row.try_get::<_, bool>(0)).transpose()?;
        // A role that is missing is said elsewhere.
        if may_use.unwrap_or(true) || users.iter().any(|user| user == "public") {
            continue;
        }
        let text = format!(
            "is to belong to role {owner}, which may not use {schema}: PostgreSQL looks for what foreign keys refer to \
             as the owner, and would refuse rows"
        );
        let of = |node: &Node| Finding {
            address: node.address.to_string(),
            text: text.clone(),
            rows: None,
            examples: Vec::new(),
        };
        findings.extend(tables.into_iter().map(of));
    }
    Ok(findings)
}

/// Those who may use a schema as it is declared.
fn users(schema: &Address, desired: &Model) -> Vec<String> {
    let node = desired.get(schema);
    let held = node.and_then(|node| node.grants.as_ref()).into_iter().flat_map(|grants| &grants.0);
    let granted = held.filter(|(_, held)| held.iter().any(|p| p.name == "usage")).map(|(role, _)| role.clone());
    granted.chain(node.and_then(|node| node.owner.as_deref()).map(str::to_owned)).collect()
}

/// The tables that have foreign keys or are referred to by some.
fn keyed(desired: &Model) -> BTreeSet<Address> {
    let ends = |key: &Node| {
        let (referent, _) = kinds::kind_of(&key.address).referent(key)?;
        Some([key.address.parent()?, referent])
    };
    desired.nodes().iter().filter_map(ends).flatten().collect()
}

/// Tables that foreign keys are to refer to, and the role may not.
async fn unreferable(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<Finding>> {
    let sql = "select has_table_privilege(t.oid, 'REFERENCES') or has_any_column_privilege(t.oid, 'REFERENCES')
               from pg_class t join pg_namespace s on s.oid = t.relnamespace where s.nspname = $1::text and t.relname = $2::text";
    let mut findings = Vec::new();
    for node in touched.iter().filter_map(|address| input.desired.get(address)) {
        let Some((table, _)) = kinds::kind_of(&node.address).referent(node) else { continue };
        let (schema, name) = (table.schema(), table.name());
        let Some(row) = session.client.query_opt(sql, &[&schema, &name]).await? else { continue };
        if !row.try_get::<_, bool>(0)? {
            let text = format!("refers to {table}, on which {} lacks REFERENCES", session.role);
            findings.push(Finding { address: node.address.to_string(), text, rows: None, examples: Vec::new() });
        }
    }
    Ok(findings)
}

/// Roles that what is desired names and the server does not have.
async fn missing_roles(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<Finding>> {
    let mut named: Vec<(String, &Address)> = Vec::new();
    for address in touched {
        if let Some(node) = input.desired.get(address) {
            named.extend(kinds::roles(node).into_iter().map(|role| (role, address)));
        }
    }
    named.sort();
    named.dedup_by(|a, b| a.0 == b.0);
    let roles: Vec<&str> = named.iter().map(|(role, _)| role.as_str()).collect();
    let rows = session.client.query("select rolname::text from pg_roles where rolname = any ($1)", &[&roles]).await?;
    let known: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?;
    let missing = named.into_iter().filter(|(role, _)| !known.contains(role));
    Ok(missing
        .map(|(role, address)| Finding {
            address: address.to_string(),
            text: format!("names role {role}, which does not exist: pgplumb refers to roles and never creates them"),
            rows: None,
            examples: Vec::new(),
        })
        .collect())
}
