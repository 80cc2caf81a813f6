//! What an audit reads besides the model: which schemas there are, and which roles row security does not hold.

use crate::apply::journal::SCHEMA;
use crate::catalog::Session;
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet};

/// The schemas that are neither PostgreSQL's own nor an extension's nor pgplumb's journal.
pub async fn schemas(session: &Session) -> Result<Vec<String>> {
    let sql = "select n.nspname::text from pg_namespace n
               where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', $1)
                 and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
               order by n.nspname::text collate \"C\"";
    let mut names = Vec::new();
    for row in session.client.query(sql, &[&SCHEMA]).await? {
        names.push(row.try_get(0)?);
    }
    Ok(names)
}

/// The roles of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// Superusers and roles with BYPASSRLS.
    bypassing: BTreeSet<String>,
    /// Role to the roles whose privileges it has at once, itself left out.
    inherits: BTreeMap<String, BTreeSet<String>>,
}

impl Roles {
    /// Reads them in the transaction that is open.
    pub async fn read(session: &Session) -> Result<Self> {
        let mut roles = Self::default();
        let bypassing = "select rolname::text from pg_roles where rolsuper or rolbypassrls";
        for row in session.client.query(bypassing, &[]).await? {
            roles.bypassing.insert(row.try_get(0)?);
        }
        // PostgreSQL's own predefined roles own nothing.
        let members = "select m.rolname::text, r.rolname::text
                       from pg_auth_members a join pg_roles m on m.oid = a.member join pg_roles r on r.oid = a.roleid
                       where r.oid >= 16384 and m.rolinherit";
        for row in session.client.query(members, &[]).await? {
            roles.inherits.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?);
        }
        Ok(roles)
    }

    /// Whether the role sees all rows of every table.
    pub fn bypasses(&self, role: &str) -> bool {
        self.bypassing.contains(role)
    }

    /// Whether a role acts with the rights of another.
    pub fn acts_as(&self, role: &str, other: &str) -> bool {
        let mut seen = BTreeSet::from([role]);
        let mut next = vec![role];
        while let Some(at) = next.pop() {
            if at == other {
                return true;
            }
            next.extend(self.inherits.get(at).into_iter().flatten().map(String::as_str).filter(|r| seen.insert(r)));
        }
        false
    }
}
