//! Scratch: databases of our own to build in, on a server that pgplumb starts itself, or on one that
//! the user names for it.

mod leftover;
mod room;

pub use room::{Built, Later, Room};

use super::server::{find, LocalServer, Options};
use super::{clones, halves};
use crate::catalog::connect::Target;
use crate::catalog::Session;
use crate::declare::{extension_schema, Declaration};
use crate::error::{Error, Result};
use crate::model::{Model, Node};
use crate::sql::Ident;
use room::LARGE;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Where scratch databases live.
#[derive(Clone, Debug)]
pub enum Place {
    /// A local server of the wanted major, started from binaries (found, or where the setting says).
    Local(Option<PathBuf>, Kept),
    /// Databases of our own on the server that a URL names.
    Server(Box<Target>),
}

/// The local server of a place between two uses: one command may need scratch for more than one thing. It ends with
/// the last copy of its place.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Empty,
    Starting(Starting),
    Ready(Box<Server>),
}

/// A server of a major that is on its way.
#[derive(Debug)]
struct Starting {
    major: u32,
    thread: Option<JoinHandle<Result<LocalServer>>>,
}

impl Starting {
    /// Waits for it. What kept it from starting, whoever starts another one sees.
    fn wait(mut self) -> Option<LocalServer> {
        self.thread.take()?.join().ok()?.ok()
    }
}

/// Nobody else would stop it.
impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A server of our own that is ready to be used, and an administrator's way to it.
#[derive(Debug)]
struct Server {
    local: LocalServer,
    admin: Target,
}

impl Kept {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the server, if there is one of this major.
    fn take(&self, major: u32) -> Slot {
        let mut slot = self.slot();
        let fits = match &*slot {
            Slot::Empty => false,
            Slot::Starting(starting) => starting.major == major,
            Slot::Ready(server) => server.local.major() == major,
        };
        if fits {
            std::mem::take(&mut slot)
        } else {
            Slot::Empty
        }
    }
}

impl Place {
    /// A local server, from binaries that are found or in a directory.
    pub fn local(binaries: Option<PathBuf>) -> Self {
        Self::Local(binaries, Kept::default())
    }

    /// Begins to start a local server of a major, for whoever opens a scratch next.
    pub fn warm(&self, major: u32) {
        let Self::Local(setting, kept) = self else { return };
        let mut slot = kept.slot();
        if matches!(*slot, Slot::Empty) {
            let setting = setting.clone();
            let start = move || LocalServer::start(&find(Some(major), setting.as_deref())?, &options());
            *slot = Slot::Starting(Starting { major, thread: Some(std::thread::spawn(start)) });
        }
    }

    /// Whether declarations can be compiled here for a major, as far as that can be known without trying.
    pub fn can_compile(&self, major: u32) -> bool {
        match self {
            Self::Local(setting, _) => find(Some(major), setting.as_deref()).is_ok(),
            Self::Server(_) => false,
        }
    }
}

/// A place to build in. Its databases go when it is closed, and a local server when it is dropped instead.
pub struct Scratch {
    admin: Target,
    /// The server, if it is ours, and where it stays when it is no longer needed here.
    local: Option<(LocalServer, Kept)>,
    /// What the names of its databases begin with.
    run: String,
    made: u32,
    major: u32,
    /// What is there before anything is built: extensions with their schemas, and what others own.
    extensions: Vec<(String, String)>,
    ground: Option<Declaration>,
    /// From how many referrers on a table is cloned for them; None: never. It changes no result.
    pub many: Option<usize>,
    /// From how many nodes on a declaration is built in two databases at once; None: never. It changes no result.
    pub apart: Option<usize>,
    /// From how many nodes on what is built is committed, piece by piece where something is refused. It changes no result.
    pub large: usize,
    /// What it is, for people.
    pub words: String,
}

/// The role that builds on a server of our own.
const BUILDER: &str = "pgplumb_scratch";

/// The role that does there what the others may not.
const ADMIN: &str = "pgplumb_admin";

/// Databases on shared servers that are made or about to be, and not removed yet.
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
            Place::Local(setting, kept) => {
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
                let words = format!("a local server, PostgreSQL {} from {}", install.version, install.bin.display());
                let Server { local, admin } = match kept.take(major) {
                    Slot::Ready(server) => *server,
                    Slot::Starting(starting) => match starting.wait() {
                        Some(local) => prepare(local, env).await?,
                        None => prepare(LocalServer::start(&install, &options())?, env).await?,
                    },
                    Slot::Empty => prepare(LocalServer::start(&install, &options())?, env).await?,
                };
                let session = Session::open(&admin).await?;
                Self::new(admin, &session, Some((local, kept.clone())), words).await
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

    async fn new(admin: Target, session: &Session, local: Option<(LocalServer, Kept)>, words: String) -> Result<Self> {
        let run = leftover::run_name(session).await?;
        let major = session.major;
        Ok(Self {
            admin,
            run,
            made: 0,
            major,
            extensions: Vec::new(),
            ground: None,
            many: Some(clones::MANY),
            // One that others use too is spared.
            apart: local.is_some().then_some(halves::MANY),
            large: LARGE,
            local,
            words,
        })
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

    /// Whether statements can be run as the role that a plan is for, which is no superuser for that. On a local server
    /// it sees all rows, as whoever applies a plan does, and is made a member of the `owners`, so that it can give things to
    /// them, but of none that could reach out of the database; on a shared one it has to be ours.
    pub async fn stands_in_for(&self, role: &str, owners: &[String]) -> Result<bool> {
        let session = Session::open(&self.admin).await?;
        if self.local.is_none() {
            return Ok(session.role == role);
        }
        let known = session.client.query_opt("select 1 from pg_roles where rolname = $1", &[&role]).await?;
        let verb = if known.is_some() { "ALTER" } else { "CREATE" };
        let mut sql = format!("{verb} ROLE {} LOGIN BYPASSRLS", Ident(role));
        let harmless = "select rolname::text from pg_roles
            where rolname = any ($1) and rolname <> $2 and not rolsuper and rolname !~ '^pg_'";
        for row in session.client.query(harmless, &[&owners, &role]).await? {
            let owner: String = row.try_get(0)?;
            sql.push_str(&format!("; GRANT {} TO {}", Ident(&owner), Ident(role)));
        }
        session.client.batch_execute(&sql).await?;
        Ok(true)
    }

    /// Says what each database is to hold before anything is built in it: what the declaration calls
    /// external, and on a server of our own the extensions, which may need a superuser.
    pub fn surround(&mut self, ground: Option<Declaration>, part: &Model) {
        let external = ground.iter().flat_map(|ground| &ground.drafts).map(|draft| &draft.node);
        let nodes = part.nodes().iter().chain(external);
        self.extensions = nodes.filter_map(extension).collect();
        self.ground = ground;
    }

    /// A new database for a plan to be tried in, without anything in it. On a server of our own the room is that of the
    /// `role`, which owns the database and is no superuser.
    ///
    /// # Errors
    /// The server's refusals.
    pub async fn stage(&mut self, role: Option<&str>) -> Result<Room> {
        let target = self.create(role).await?;
        let Some(role) = role.filter(|_| self.local.is_some()) else {
            return Ok(Room::open(Session::open(&target).await?));
        };
        let above = Session::open(&target).await?;
        // Before 15, `public` belongs to whoever made the server.
        above.client.batch_execute(&format!("ALTER SCHEMA public OWNER TO {}", Ident(role))).await?;
        Room::below(Session::open(&target.with_user(role)).await?, above).await
    }

    /// A new database with what others own, and nothing else, and a session in it.
    ///
    /// # Errors
    /// What is wrong with what is declared as external; the server's refusals.
    pub async fn database(&mut self) -> Result<Room> {
        let target = self.create(Some(BUILDER)).await?;
        let mut room = if self.local.is_some() {
            let above = Session::open(&target).await?;
            Room::below(Session::open(&target.with_user(BUILDER)).await?, above).await?
        } else {
            Room::open(Session::open(&target).await?)
        };
        room.large = self.large;
        room.extend(&self.extensions, BUILDER).await?;
        if let Some(ground) = &self.ground {
            room.lay(ground).await?;
        }
        Ok(room)
    }

    /// Creates a database, on a server of our own with the owner, and gives the target of an administrator's session in it.
    async fn create(&mut self, owner: Option<&str>) -> Result<Target> {
        let admin = Session::open(&self.admin).await?;
        self.made += 1;
        let name = format!("{}{}", self.run, self.made);
        let owner = owner.filter(|_| self.local.is_some()).map(|owner| format!("OWNER {} ", Ident(owner)));
        // A copy of the files is the quicker way, but asks for a checkpoint, which others would feel.
        let strategy = if self.local.is_some() && self.major >= 15 { " STRATEGY file_copy" } else { "" };
        let sql = format!(
            "CREATE DATABASE {} {}TEMPLATE template0 ENCODING 'UTF8'{strategy}",
            Ident(&name),
            owner.unwrap_or_default()
        );
        let target = self.admin.with_database(&name);
        if self.local.is_none() {
            // Before it is there: who is interrupted may not hear that it was made.
            shared().push((self.admin.clone(), name));
        }
        admin.client.batch_execute(&sql).await.map_err(|e| {
            Error::from(e)
                .while_("creating a scratch database")
                .with_hint("scratch needs CREATEDB: use another role, or a local server")
        })?;
        Ok(target)
    }

    /// Removes the databases on a shared server; a server of our own stays with its place.
    pub async fn close(mut self) -> Result<()> {
        if let Some((local, kept)) = self.local.take() {
            *kept.slot() = Slot::Ready(Box::new(Server { local, admin: self.admin }));
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

fn options() -> Options {
    Options { purpose: "scratch".into(), ..Options::default() }
}

/// Gives a server of our own the two roles that use it.
async fn prepare(local: LocalServer, env: &dyn Fn(&str) -> Option<String>) -> Result<Server> {
    let admin = Target::resolve(Some(&local.url("postgres")), env)?;
    let session = Session::open(&admin).await?;
    let sql = format!(
        "CREATE ROLE {BUILDER} LOGIN BYPASSRLS; CREATE ROLE {ADMIN} SUPERUSER LOGIN; \
         REVOKE ALL ON DATABASE postgres FROM PUBLIC"
    );
    session.client.batch_execute(&sql).await?;
    // A role of this name owns things in many databases, and is no superuser here.
    let admin = admin.with_user(ADMIN);
    let session = Session::open(&admin).await?;
    session.client.batch_execute("ALTER ROLE postgres RENAME TO pgplumb_first").await?;
    Ok(Server { local, admin })
}

/// The name of an extension and its schema; None of anything else.
pub fn extension(node: &Node) -> Option<(String, String)> {
    Some((node.address.name().to_owned(), extension_schema(node)?))
}

fn drop_database(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", Ident(name))
}

/// Removes what scratch left on shared servers when something ended it. What cannot be removed now, a later run
/// removes. Whoever calls it while it is at work waits until it is done.
pub async fn abandon() {
    static AT_WORK: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = AT_WORK.lock().await;
    let left: Vec<(Target, String)> = shared().drain(..).collect();
    for (admin, name) in left {
        if let Ok(session) = Session::open(&admin).await {
            // A server goes on making a database that nobody waits for.
            let making = "select pg_terminate_backend(pid, 10000) from pg_stat_activity
                where pid <> pg_backend_pid() and query like 'CREATE DATABASE%' and strpos(query, $1) > 0";
            let _ = session.client.query(making, &[&name]).await;
            let _ = session.client.batch_execute(&drop_database(&name)).await;
        }
    }
}
