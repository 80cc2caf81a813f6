//! A connection on which everything prints the same, whatever the server, database or role has set.

use super::connect::{connect, Target};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

/// What changes how things are printed or stored, fixed. Each of these may be set by ALTER ROLE or ALTER
/// DATABASE; `row_security = off` turns rows that a policy would hide into an error.
const SETTINGS: &[(&str, &str)] = &[
    ("lock_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("exit_on_error", "off"),
    ("search_path", ""),
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("quote_all_identifiers", "off"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("xmloption", "content"),
    ("default_tablespace", ""),
    ("default_table_access_method", "heap"),
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    ("backslash_quote", "safe_encoding"),
    ("check_function_bodies", "off"),
    ("row_security", "off"),
    ("session_replication_role", "origin"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_deferrable", "off"),
    ("client_min_messages", "warning"),
    ("array_nulls", "on"),
    ("lc_monetary", "C"),
];

/// Begins what sees one state of the database.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Settings that only a superuser may change; where they are as wanted already, nothing is asked.
const PRIVILEGED: &[&str] = &["session_replication_role"];

/// Which server and database this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `pg_control_system().system_identifier`; None where the role may not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    pub database: String,
    pub database_oid: u32,
}

/// An open connection with fixed settings.
pub struct Session {
    pub client: Client,
    /// The server's major version.
    pub major: u32,
    /// `server_version`, such as `16.14`.
    pub version: String,
    pub identity: Identity,
    /// The role that statements run as.
    pub role: String,
    pub superuser: bool,
    target: Target,
}

impl Session {
    /// Connects and fixes the settings.
    pub async fn open(target: &Target) -> Result<Self> {
        let client = connect(target).await?;
        client.batch_execute(&fixed()).await.map_err(|e| Error::from(e).while_("fixing the session's settings"))?;
        let row = client
            .query_one(
                "select current_setting('server_version_num')::int, current_setting('server_version'), current_database()::text, \
                 (select oid from pg_database where datname = current_database()), current_user::text, \
                 (select rolsuper from pg_roles where rolname = current_user)",
                &[],
            )
            .await?;
        let number: i32 = row.try_get(0)?;
        let version: String = row.try_get(1)?;
        let major = u32::try_from(number / 10_000).unwrap_or(0);
        let supported = crate::declare::OLDEST..=crate::declare::NEWEST;
        if !supported.contains(&major) {
            let hint = format!("supported are {} to {}", supported.start(), supported.end());
            return Err(Error::new(format!("the server is PostgreSQL {version}")).with_hint(hint));
        }
        let system = client.query_one("select system_identifier::text from pg_control_system()", &[]).await;
        let identity = Identity {
            system: system.ok().and_then(|row| row.try_get(0).ok()),
            database: row.try_get(2)?,
            database_oid: row.try_get(3)?,
        };
        let version = version.split(' ').next().unwrap_or_default().to_owned();
        Ok(Self {
            client,
            major,
            version,
            identity,
            role: row.try_get(4)?,
            superuser: row.try_get(5)?,
            target: target.clone(),
        })
    }

    /// Fixes the settings again, after code ran that may have changed them.
    pub async fn fix(&self) -> Result<()> {
        Ok(self.client.batch_execute(&fixed()).await?)
    }

    /// Begins the one transaction that everything is read in.
    pub async fn snapshot(&self) -> Result<()> {
        Ok(self.client.batch_execute(SNAPSHOT).await?)
    }

    /// Another connection that sees what this one's snapshot shows; None where none can be had, such as for want of
    /// connections. Errors: those of this connection.
    pub async fn twin(&self) -> std::result::Result<Option<Self>, tokio_postgres::Error> {
        let Ok(twin) = Self::open(&self.target).await else { return Ok(None) };
        let snapshot: String = match self.client.query_one("select pg_export_snapshot()", &[]).await {
            Ok(row) => row.try_get(0)?,
            Err(_) => {
                self.client.batch_execute(&format!("ROLLBACK; {SNAPSHOT}")).await?;
                return Ok(None);
            }
        };
        // Another server, where the target names several, does not know it.
        let sql = format!("{SNAPSHOT}; SET TRANSACTION SNAPSHOT '{snapshot}'");
        Ok(twin.client.batch_execute(&sql).await.is_ok().then_some(twin))
    }

    /// Ends it.
    pub async fn release(&self) -> Result<()> {
        Ok(self.client.batch_execute("ROLLBACK").await?)
    }
}

/// What fixes the settings of a session.
fn fixed() -> String {
    // What could stop or delay the rest comes first, and as commands that nothing is planned for.
    // Parallel workers take longer to start than a catalog to scan, and cores from those whose database it is.
    let mut sql = String::from("SET statement_timeout = 0; SET jit = off; SET max_parallel_workers_per_gather = 0;");
    for (name, value) in SETTINGS {
        if PRIVILEGED.contains(name) {
            let condition = format!("current_setting('{name}') <> '{value}'");
            sql.push_str(&format!("SELECT set_config('{name}', '{value}', false) WHERE {condition};"));
        } else {
            sql.push_str(&format!("SELECT set_config('{name}', '{value}', false);"));
        }
    }
    sql.push_str("SET ROLE NONE;");
    // From 17 on.
    sql.push_str("SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout';");
    sql
}

/// Chooses by server major in a catalog query: `[[15: new | old]]`.
pub fn for_major(query: &str, major: u32) -> String {
    let mut text = String::with_capacity(query.len());
    let mut rest = query;
    while let Some(start) = rest.find("[[") {
        text.push_str(&rest[..start]);
        let Some(end) = rest[start..].find("]]") else { break };
        let choice = &rest[start + 2..start + end];
        let (from, both) = choice.split_once(':').unwrap_or(("0", choice));
        let (new, old) = both.split_once(" |").unwrap_or((both, ""));
        let chosen = if from.trim().parse().is_ok_and(|from: u32| major >= from) { new } else { old };
        text.push_str(chosen.trim());
        rest = &rest[start + end + 2..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::for_major;

    #[test]
    fn majors_choose() {
        let query = "select [[15: i.x | false]], a[1] [[18: left join y | ]] from t";
        assert_eq!(for_major(query, 14), "select false, a[1]  from t");
        assert_eq!(for_major(query, 18), "select i.x, a[1] left join y from t");
    }
}
