//! What a plan has to know of a database besides its model: sizes, default privileges, and what stands in
//! owned schemas without being managed.

use super::load::Loaded;
use super::session::Session;
use super::sizes::Sizes;
use crate::error::Result;
use crate::kinds::{facet, DefaultGrants};
use crate::model::Grants;

/// Sizes and default privileges.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    pub sizes: Sizes,
    /// The role that statements run as.
    pub role: String,
    /// Whether policies can hold it back: it is neither a superuser nor has BYPASSRLS.
    pub held_by_policies: bool,
    /// Its default privileges, by class letter and schema ("" for all schemas).
    pub default_grants: Vec<(char, String, Grants)>,
    /// The raw rows of default privileges, for the fingerprint.
    pub default_acl: Vec<String>,
}

impl Surroundings {
    /// Asks for them.
    pub async fn read(session: &Session, loaded: &Loaded) -> Result<Self> {
        let mut surroundings = Self { role: session.role.clone(), ..Self::default() };
        let relations = loaded.ids.iter().filter(|((class, _, sub), _)| *class == "pg_class" && *sub == 0);
        surroundings.sizes = Sizes::read(session, relations.map(|((_, oid, _), address)| (*oid, address))).await?;
        let held = "select not (rolsuper or rolbypassrls) from pg_roles where rolname = current_user";
        surroundings.held_by_policies = session.client.query_one(held, &[]).await?.try_get(0)?;
        let defaults = "select d.defaclobjtype::text, coalesce(n.nspname::text, ''), d.defaclacl::text
                        from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace
                        where d.defaclrole = (select oid from pg_roles where rolname = current_user)
                        order by 1, 2";
        for row in session.client.query(defaults, &[]).await? {
            let (class, schema, acl): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            surroundings.default_acl.push(format!("{class} {schema} {acl}"));
            let class = class.chars().next().unwrap_or('-');
            surroundings.default_grants.push((class, schema, facet::default_acl(&acl)));
        }
        Ok(surroundings)
    }

    /// What default privileges give on a new thing of a class in a schema.
    pub fn grants(&self, class: char, schema: &str) -> DefaultGrants {
        let of = |wanted: &str| {
            let found = self.default_grants.iter().find(|(of, within, _)| *of == class && within == wanted);
            found.map(|(_, _, grants)| grants.clone())
        };
        let added = if schema.is_empty() { None } else { of(schema) };
        DefaultGrants { creator: self.role.clone(), instead: of(""), added: added.unwrap_or_default() }
    }
}

/// A relation in an owned schema that no kind reads, although one reads its like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    pub schema: String,
    pub name: String,
    /// What it is, in words: `a partitioned table`.
    pub what: String,
}

/// Something in an owned schema that no kind models.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Unmodelled {
    /// PostgreSQL's words for it: `foreign table public.f`.
    pub what: String,
}
