//! Scratch: databases of our own to build in, on a server that pgplumb starts itself, or on one that
//! the user names for it.

use super::server::{find, LocalServer, Options};
use crate::catalog::connect::Target;
use crate::catalog::Session;
use crate::error::{Error, Result};
use crate::sql::Ident;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where scratch databases live.
#[derive(Clone, Debug)]
pub enum Place {
    /// A local server of the wanted major, started from binaries (found, or where the setting says).
    Local(Option<PathBuf>),
    /// Databases of our own on the server that a URL names.
    Server(Box<Target>),
}

/// A place to build in. Its databases go when it is closed; a local server goes when it is dropped.
pub struct Scratch {
    admin: Target,
    local: Option<LocalServer>,
    databases: Vec<String>,
    major: u32,
    /// What it is, for people.
    pub words: String,
}

/// Names of scratch databases on shared servers start so, and end in the process and a count.
const PREFIX: &str = "pgplumb_scratch_";

/// Databases that this process made.
static MADE: AtomicU64 = AtomicU64::new(1);

impl Scratch {
    /// Opens a place for a server major and the extensions that will be needed.
    ///
    /// # Errors
    /// No binaries of that major, extensions that are not installed, another major on the server.
    pub async fn open(
        place: &Place,
        major: u32,
        extensions: &[String],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        match place {
            Place::Local(setting) => {
                let install = find(Some(major), setting.as_deref())?;
                if let Some(extension) = extensions.iter().find(|e| !install.has_extension(e)) {
                    let message = format!(
                        "extension {extension} is not installed for PostgreSQL {} in {}",
                        install.version,
                        install.bin.display()
                    );
                    return Err(Error::new(message).with_hint(format!(
                        "install it there, or name another place with `--scratch`: binaries of PostgreSQL {major} that have it, the URL of a server that has it, or `target`"
                    )));
                }
                let options = Options { purpose: "scratch".into(), ..Options::default() };
                let server = LocalServer::start(&install, &options)?;
                let admin = Target::resolve(Some(&server.url("postgres")), env)?;
                let words = format!("a local server, PostgreSQL {} from {}", install.version, install.bin.display());
                Ok(Self { admin, local: Some(server), databases: Vec::new(), major, words })
            }
            Place::Server(target) => {
                let session = Session::open(target).await?;
                if session.major != major {
                    let message =
                        format!("the scratch server is PostgreSQL {}, the target is {major}", session.version);
                    return Err(Error::new(message)
                        .with_hint("name a scratch server of the target's major, or leave `scratch` out"));
                }
                remove_leftovers(&session).await?;
                let words = format!("databases of its own on {}", target.describe());
                Ok(Self { admin: (**target).clone(), local: None, databases: Vec::new(), major, words })
            }
        }
    }

    pub fn major(&self) -> u32 {
        self.major
    }

    /// Makes roles that are missing on a local server; on a shared one they must exist.
    pub async fn roles(&self, names: &[String]) -> Result<()> {
        match self.missing_roles(names).await?.first() {
            None => Ok(()),
            Some(name) => Err(Error::new(format!("role {name} does not exist on the scratch server")).with_hint(
                "create it there; pgplumb refers to roles but never makes them on a server that is not its own",
            )),
        }
    }

    /// Makes roles on a local server; the names of those that do not exist on a shared one.
    pub async fn missing_roles(&self, names: &[String]) -> Result<Vec<String>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let session = Session::open(&self.admin).await?;
        let known =
            session.client.query("select rolname::text from pg_roles where rolname = any ($1)", &[&names]).await?;
        let known: Vec<String> = known.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?;
        let missing: Vec<String> = names.iter().filter(|name| !known.contains(name)).cloned().collect();
        if self.local.is_none() {
            return Ok(missing);
        }
        for name in &missing {
            session.client.batch_execute(&format!("CREATE ROLE {}", Ident(name))).await?;
        }
        Ok(Vec::new())
    }

    /// Whether statements can be run as the role that a plan is for. On a local server it is made one that may do
    /// everything; on a shared one it has to be ours.
    pub async fn stands_in_for(&self, role: &str) -> Result<bool> {
        let session = Session::open(&self.admin).await?;
        if session.role == role || self.local.is_none() {
            return Ok(session.role == role);
        }
        let known = session.client.query_opt("select 1 from pg_roles where rolname = $1", &[&role]).await?;
        let verb = if known.is_some() { "ALTER" } else { "CREATE" };
        session.client.batch_execute(&format!("{verb} ROLE {} SUPERUSER", Ident(role))).await?;
        Ok(true)
    }

    /// A new empty database and a session in it.
    pub async fn database(&mut self) -> Result<Session> {
        let admin = Session::open(&self.admin).await?;
        let count = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}_{count}", std::process::id());
        // A copy of the files is the quicker way, but asks for a checkpoint, which others would feel.
        let strategy = if self.local.is_some() && self.major >= 15 { " STRATEGY file_copy" } else { "" };
        let sql = format!("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'{strategy}", Ident(&name));
        admin.client.batch_execute(&sql).await.map_err(|e| {
            Error::from(e)
                .while_("creating a scratch database")
                .with_hint("scratch needs CREATEDB: use another role, or a local server")
        })?;
        self.databases.push(name.clone());
        Session::open(&self.admin.with_database(&name)).await
    }

    /// Removes the databases on a shared server.
    pub async fn close(mut self) -> Result<()> {
        if self.local.is_some() {
            return Ok(());
        }
        let session = Session::open(&self.admin).await?;
        for name in self.databases.drain(..) {
            session.client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", Ident(&name))).await?;
        }
        Ok(())
    }
}

/// Databases that runs which were killed left on a shared server. A run that is alive has a session in
/// its database, or has only just made it.
async fn remove_leftovers(session: &Session) -> Result<()> {
    let rows = session
        .client
        .query(
            "select d.datname::text from pg_database d where d.datname like $1 || '%'
               and pg_has_role(current_user, d.datdba, 'USAGE')
               and not exists (select from pg_stat_activity a where a.datid = d.oid)
               and coalesce((pg_stat_file('base/' || d.oid || '/PG_VERSION', true)).modification < now() - interval '1 hour', false)",
            &[&PREFIX.replace('_', "\\_")],
        )
        .await;
    // Only superusers may ask how old a database is; others leave leftovers to them.
    for row in rows.unwrap_or_default() {
        let name: String = row.try_get(0)?;
        session.client.batch_execute(&format!("DROP DATABASE IF EXISTS {}", Ident(&name))).await?;
    }
    Ok(())
}
