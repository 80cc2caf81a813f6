//! Scratch: databases of our own to build in, on a server that pgplumb starts itself, or on one that
//! the user names for it.

mod leftover;
mod room;

pub use room::{Built, Room};

use super::build;
use super::server::{find, LocalServer, Options};
use crate::catalog::connect::Target;
use crate::catalog::Session;
use crate::declare::{extension_schema, Declaration};
use crate::error::{Error, Result};
use crate::model::{Model, Node};
use crate::sql::Ident;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where scratch databases live.
#[derive(Clone, Debug)]
pub enum Place {
    /// A local server of the wanted major, started from binaries (found, or where the setting says).
    Local(Option<PathBuf>),
    /// Databases of our own on the server that a URL names.
    Server(Box<Target>),
}

impl Place {
    /// Whether declarations can be compiled here for a major, as far as that can be known without trying.
    pub fn can_compile(&self, major: u32) -> bool {
        match self {
            Self::Local(setting) => find(Some(major), setting.as_deref()).is_ok(),
            Self::Server(_) => false,
        }
    }
}

/// A place to build in. Its databases go when it is closed; a local server goes when it is dropped.
pub struct Scratch {
    admin: Target,
    local: Option<LocalServer>,
    /// What the names of its databases begin with.
    run: String,
    made: u32,
    major: u32,
    /// What is there before anything is built: extensions with their schemas, and what others own.
    extensions: Vec<(String, String)>,
    ground: Option<Declaration>,
    /// What it is, for people.
    pub words: String,
}

/// The role that builds on a server of our own.
const BUILDER: &str = "pgplumb_scratch";

/// Databases on shared servers that are not removed yet.
static SHARED: Mutex<Vec<(Target, String)>> = Mutex::new(Vec::new());

fn shared() -> MutexGuard<'static, Vec<(Target, String)>> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

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
                let install = find(Some(major), setting.as_deref())
                    .map_err(|e| e.with_hint_if_none("name a server of that major with `--scratch`"))?;
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
                let session = Session::open(&admin).await?;
                let sql =
                    format!("CREATE ROLE {BUILDER} LOGIN; REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC");
                session.client.batch_execute(&sql).await?;
                let words = format!("a local server, PostgreSQL {} from {}", install.version, install.bin.display());
                Self::new(admin, &session, Some(server), words).await
            }
            Place::Server(target) => {
                let session = Session::open(target).await?;
                if session.major != major {
                    let message =
                        format!("the scratch server is PostgreSQL {}, the target is {major}", session.version);
                    return Err(Error::new(message).with_hint(format!(
                        "name a scratch server of PostgreSQL {major}, or leave `scratch` out to use binaries installed here"
                    )));
                }
                let available = "select name::text from pg_available_extensions where name = any ($1)";
                let rows = session.client.query(available, &[&extensions]).await?;
                let names: Vec<String> =
                    rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?;
                if let Some(extension) = extensions.iter().find(|e| !names.contains(e)) {
                    let message =
                        format!("extension {extension} is not installed on the scratch server {}", target.host_label());
                    return Err(
                        Error::new(message).with_hint("install it there, or name another place with `--scratch`")
                    );
                }
                leftover::remove(&session).await?;
                let mut words = format!("databases of its own on {}", target.describe());
                if session.superuser {
                    words.push_str(", a superuser: what the declaration runs there has its rights");
                }
                Self::new((**target).clone(), &session, None, words).await
            }
        }
    }

    async fn new(admin: Target, session: &Session, local: Option<LocalServer>, words: String) -> Result<Self> {
        let run = leftover::run_name(session).await?;
        let major = session.major;
        Ok(Self { admin, local, run, made: 0, major, extensions: Vec::new(), ground: None, words })
    }

    pub fn major(&self) -> u32 {
        self.major
    }

    /// Makes roles that are missing on a local server; on a shared one they must exist.
    pub async fn roles(&self, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let session = Session::open(&self.admin).await?;
        for name in names {
            let known = session.client.query_opt("select 1 from pg_roles where rolname = $1", &[name]).await?;
            match (known, &self.local) {
                (Some(_), _) => {}
                (None, Some(_)) => session.client.batch_execute(&format!("CREATE ROLE {}", Ident(name))).await?,
                (None, None) => {
                    return Err(Error::new(format!("role {name} does not exist on the scratch server")).with_hint(
                        "create it there, or compile on a local server (`--scratch local`); pgplumb refers to roles but never makes them on a server that is not its own",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Says what each database is to hold before anything is built in it: what the declaration calls
    /// external, and on a server of our own the extensions, which may need a superuser.
    pub fn surround(&mut self, declaration: &Declaration, part: &Model) {
        let external = declaration.external.iter().map(|draft| &draft.node);
        let extensions = part.nodes().iter().chain(external);
        let named = |node: &Node| Some((node.address.name().to_owned(), extension_schema(node)?));
        self.extensions = extensions.filter_map(named).collect();
        self.ground = declaration.ground();
    }

    /// A new database with what others own, and nothing else, and a session in it.
    ///
    /// # Errors
    /// What is wrong with what is declared as external; the server's refusals.
    pub async fn database(&mut self) -> Result<Room> {
        let admin = Session::open(&self.admin).await?;
        self.made += 1;
        let name = format!("{}{}", self.run, self.made);
        let owner = if self.local.is_some() { format!("OWNER {BUILDER} ") } else { String::new() };
        // A copy of the files is the quicker way, but asks for a checkpoint, which others would feel.
        let strategy = if self.local.is_some() && self.major >= 15 { " STRATEGY file_copy" } else { "" };
        let sql = format!("CREATE DATABASE {} {owner}TEMPLATE template0 ENCODING 'UTF8'{strategy}", Ident(&name));
        admin.client.batch_execute(&sql).await.map_err(|e| {
            Error::from(e)
                .while_("creating a scratch database")
                .with_hint("scratch needs CREATEDB: use another role, or a local server")
        })?;
        let target = self.admin.with_database(&name);
        let room = if self.local.is_some() {
            let above = Session::open(&target).await?;
            self.extend(&above).await?;
            Room::below(Session::open(&target.with_user(BUILDER)).await?, above).await?
        } else {
            shared().push((self.admin.clone(), name));
            Room::open(Session::open(&target).await?)
        };
        if let Some(ground) = &self.ground {
            let whole = Model::new(ground.drafts.iter().map(|draft| draft.node.clone()).collect());
            build::drafts(&room, ground, &whole).await?;
            room.client.batch_execute("COMMIT").await?;
        }
        Ok(room)
    }

    /// Creates the extensions, as far as that works: what does not is refused when its turn comes, and said
    /// where it was declared.
    async fn extend(&self, above: &Session) -> Result<()> {
        let mut waiting: Vec<&(String, String)> = self.extensions.iter().collect();
        let mut before = usize::MAX;
        // One may require another.
        while !waiting.is_empty() && waiting.len() < before {
            before = waiting.len();
            let mut refused = Vec::new();
            for extension in waiting {
                let (name, schema) = (Ident(&extension.0), Ident(&extension.1));
                let make = match extension.1.as_str() {
                    system if system.starts_with("pg_") => String::new(),
                    _ => format!("CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {BUILDER}; "),
                };
                let sql = format!("{make}CREATE EXTENSION IF NOT EXISTS {name} WITH SCHEMA {schema}");
                if let Err(error) = above.client.batch_execute(&sql).await {
                    if error.as_db_error().is_none() {
                        return Err(error.into());
                    }
                    refused.push(extension);
                }
            }
            waiting = refused;
        }
        Ok(())
    }

    /// Removes the databases on a shared server.
    pub async fn close(self) -> Result<()> {
        if self.local.is_some() {
            return Ok(());
        }
        let session = Session::open(&self.admin).await?;
        let mine: Vec<String> =
            shared().iter().map(|(_, name)| name.clone()).filter(|n| n.starts_with(&self.run)).collect();
        for name in mine {
            session.client.batch_execute(&drop_database(&name)).await?;
            shared().retain(|(_, known)| *known != name);
        }
        Ok(())
    }
}

fn drop_database(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", Ident(name))
}

/// Removes what scratch left on shared servers when something ended it. What cannot be removed now, a later run
/// removes.
pub async fn abandon() {
    let left: Vec<(Target, String)> = shared().drain(..).collect();
    for (admin, name) in left {
        if let Ok(session) = Session::open(&admin).await {
            let _ = session.client.batch_execute(&drop_database(&name)).await;
        }
    }
}
