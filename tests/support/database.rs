//! A database for a test, what is in its tables, and the loop of pgplumb on it.

use super::dump::Dump;
use super::server::Server;
use pgplumb::apply;
use pgplumb::catalog::connect::Target;
use pgplumb::catalog::Session;
use pgplumb::compile::Place;
use pgplumb::decide;
use pgplumb::diff::diff;
use pgplumb::drift::Drift;
use pgplumb::engine::{self, Choices, Live};
use pgplumb::model::{Address, Model, Node};
use pgplumb::plan::{self, not_allowed, Allowed, Plan};
use pgplumb::rehearsal::{rehearse, Subject};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// A database that goes when it is dropped.
pub struct Database<'a> {
    pub server: &'a Server,
    pub name: String,
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // The server goes soon anyway.
        let _ = self.server.psql("postgres", &format!("drop database if exists {} with (force)", self.name));
    }
}

/// Rows by table, each a map from column to the JSON of its value.
pub type Rows = BTreeMap<String, Vec<BTreeMap<String, serde_json::Value>>>;

/// Types by (table, column), of columns that values are stored in.
pub type Types = BTreeMap<(String, String), String>;

/// A plan, and how else the database was found to differ.
pub struct Compared {
    pub plan: Plan,
    pub drift: Drift,
    /// Where what was announced is not what the rehearsal measured.
    pub corrections: Vec<String>,
}

impl Database<'_> {
    pub fn target(&self) -> Target {
        self.server.target(&self.name)
    }

    pub fn psql(&self, script: &str) -> Result<String, String> {
        self.server.psql(&self.name, script)
    }

    pub fn dump(&self) -> Result<Dump, String> {
        Ok(Dump::of(&self.server.pg_dump(&self.name)?))
    }

    /// What pg_dump says of a database that was restored from a dump of this one.
    pub fn dump_restored(&self) -> Result<Dump, String> {
        self.server.dump_restored(&self.server.pg_dump(&self.name)?, self.has_public()?)
    }

    pub fn has_public(&self) -> Result<bool, String> {
        Ok(self.psql("select 1 from pg_namespace where nspname = 'public'")?.trim() == "1")
    }

    /// A database on a server of this or a newer major, restored from what its pg_dump says of this one, rows included.
    pub fn restored_on<'s>(&self, server: &'s Server) -> Result<Database<'s>, String> {
        let text = server.pg_dump_of(self)?;
        let copy = server.database();
        // Every new database has this schema; this one may have lost it, or have one of its own making.
        if !self.has_public()? || text.lines().any(|line| line == "CREATE SCHEMA public;") {
            copy.psql("drop schema public")?;
        }
        copy.psql(&text)?;
        Ok(copy)
    }

    /// All rows of all tables that are not the system's or pgplumb's.
    pub fn rows(&self) -> Result<Rows, String> {
        let tables = "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'pgplumb') order by 1";
        let names = self.psql(tables)?;
        let selects: Vec<String> = names
            .lines()
            .map(|name| {
                let label = name.replace('\'', "''");
                format!("select '{label}', count(*) from {name};\nselect to_jsonb(t) from only {name} t;\n")
            })
            .collect();
        let printed = self.psql(&selects.concat())?;
        let mut rows = Rows::new();
        let mut table = String::new();
        for line in printed.lines() {
            if line.starts_with('{') {
                let row = serde_json::from_str(line).map_err(|error| format!("{table}: {error}: {line}"))?;
                rows.entry(table.clone()).or_default().push(row);
            } else if let Some((name, _)) = line.rsplit_once('|') {
                table = name.to_owned();
                rows.entry(table.clone()).or_default();
            }
        }
        Ok(rows)
    }

    /// The types of all columns of the tables of [`Database::rows`].
    pub fn types(&self) -> Result<Types, String> {
        let sql = "select json_build_array(format('%I.%I', n.nspname, c.relname), a.attname, format_type(a.atttypid, a.atttypmod))
            from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'pgplumb')
              and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''";
        let printed = self.psql(sql)?;
        let read = |line: &str| serde_json::from_str::<[String; 3]>(line).map_err(|error| format!("{line}: {error}"));
        printed.lines().map(|line| read(line).map(|[table, column, kind]| ((table, column), kind))).collect()
    }

    /// Plans the way to a declaration, as the command does. The lock is written beside the declaration.
    pub async fn plan(&self, declaration: &Path) -> Result<Compared, String> {
        self.planned(declaration, Some(&|_| {}), false).await
    }

    /// The same with a plan that something is done to before it is rehearsed.
    pub async fn plan_spoilt(&self, declaration: &Path, spoil: &dyn Fn(&mut Plan)) -> Result<Compared, String> {
        self.planned(declaration, Some(spoil), false).await
    }

    /// The same without a rehearsal: to see whether anything is to be done.
    pub async fn compare(&self, declaration: &Path) -> Result<Compared, String> {
        self.planned(declaration, None, false).await
    }

    /// The same, and what was read around what differs is what is read as a whole, and makes the same plan again.
    pub async fn compare_whole(&self, declaration: &Path) -> Result<Compared, String> {
        self.planned(declaration, None, true).await
    }

    async fn planned(
        &self,
        declaration: &Path,
        rehearsed: Option<&dyn Fn(&mut Plan)>,
        whole: bool,
    ) -> Result<Compared, String> {
        let place = Place::Server(Box::new(self.server.target("postgres")));
        let words = |error: pgplumb::error::Error| error.to_string();
        let target = self.target();
        let choices = Choices {
            declaration: declaration.to_owned(),
            scratch: place,
            target: Some(&target),
            locked: false,
            env: &|_| None,
            progress: &|_| {},
        };
        let session = Arc::new(engine::open(&target).await.map_err(words)?);
        let (mut desired, live) = engine::both(&choices, &session, true).await.map_err(words)?;
        let wanted = engine::wanted(&desired);
        let search_path = plan::SearchPath::of(&desired.settings.search_path);
        if whole {
            let session = engine::open(&target).await.map_err(words)?;
            is_as_whole(&live, &engine::live(&session, &wanted).await.map_err(words)?, &desired.model)?;
        }
        decide::plan(&choices, &session, &mut desired, &live).await.map_err(words)?;
        let mut draft = plan::draft(&session, &live, &desired.model, &wanted, &search_path).await.map_err(words)?;
        if whole {
            let again = plan::draft(&session, &live, &desired.model, &wanted, &search_path).await.map_err(words)?;
            let text = |draft: &plan::Draft| draft.seal(&[]).and_then(|plan| plan.write()).map_err(words);
            if text(&again)? != text(&draft)? {
                return Err(format!("the second plan is another:\n{}\nfirst:\n{}", text(&again)?, text(&draft)?));
            }
        }
        session.release().await.map_err(words)?;
        let mut corrections = Vec::new();
        if let Some(spoil) = rehearsed {
            spoil(&mut draft.plan);
            let subject = Subject::new(&live, &desired.model, &wanted);
            let findings = rehearse(&choices.scratch, choices.env, &session, subject, &mut draft, &|_| {}).await;
            corrections = findings.map_err(words)?.corrections;
        }
        let plan = draft.seal(&[]).map_err(words)?;
        let drift = Drift::of(&live, &desired.model, &[], session.major);
        Ok(Compared { plan, drift, corrections })
    }

    pub async fn apply(&self, plan: &Plan) -> Result<(), String> {
        let (session, target) = self.session().await?;
        apply::apply(plan, &session, &options(&target)).await.map(drop).map_err(|error| error.to_string())
    }

    /// Rolls a plan back and allows all that this may lose.
    pub async fn rollback(&self, plan: &Plan) -> Result<(), String> {
        let (session, target) = self.session().await?;
        let undo = plan.batches.iter().flat_map(|batch| not_allowed(&batch.undo, &[]));
        let allow: Vec<String> = undo.map(|a| format!("{}:{}", a.hazard.word(), a.address)).collect();
        apply::rollback(plan, &session, &allow, &options(&target)).await.map(drop).map_err(|error| error.to_string())
    }

    async fn session(&self) -> Result<(Session, Target), String> {
        let target = self.target();
        let session = engine::open(&target).await.map_err(|error| error.to_string())?;
        Ok((session, target))
    }
}

/// The plan with leave for all that needs it, said as on the command line.
pub fn allowed(mut plan: Plan) -> Plan {
    let known = plan.not_allowed();
    let words = known.iter().map(|a| format!("{}:{}", a.hazard.word(), a.address));
    let said: BTreeSet<Allowed> = words.flat_map(|text| Allowed::parse(&text, &known).expect("a hazard")).collect();
    plan.allowed = said.into_iter().collect();
    assert_eq!(plan.allowed, known);
    plan.seal().expect("a plan can be sealed");
    plan
}

/// Whether what was read around what differs says the same as what was read as a whole.
fn is_as_whole(live: &Live, whole: &Live, desired: &Model) -> Result<(), String> {
    let differing: BTreeSet<Address> =
        diff(&live.model, desired).iter().filter_map(|d| Some(&d.node()?.address)).cloned().collect();
    for node in whole.model.nodes() {
        let near = live.model.get(&node.address).ok_or_else(|| format!("{} was not read", node.address))?;
        // Of several keys that a foreign key can rest on, the server takes any.
        let is_any = |need: &Address| {
            let is_key = matches!(need.kind(), "primary key" | "unique" | "index");
            node.address.kind() == "foreign key" && is_key && !differing.contains(need)
        };
        let certain = |needs: &[Address]| needs.iter().filter(|need| !is_any(need)).cloned().collect::<BTreeSet<_>>();
        if certain(&near.needs) != certain(&node.needs) {
            return Err(format!("{} needs {:?}, and is said to need {:?}", node.address, node.needs, near.needs));
        }
    }
    let dependents = |live: &Live, on: &Address| {
        let found = live.unmanaged.dependents.get(on).into_iter().flatten();
        found.map(|dependent| dependent.what.clone()).collect::<BTreeSet<String>>()
    };
    // What depends on what differs may have to be made anew, and what depends on that.
    let (mut concerned, mut before) = (differing.clone(), 0);
    while concerned.len() > before {
        before = concerned.len();
        let depends = |node: &&Node| node.needs.iter().chain(&node.address.parent()).any(|on| concerned.contains(on));
        let more: Vec<Address> = whole.model.nodes().iter().filter(depends).map(|node| node.address.clone()).collect();
        concerned.extend(more);
    }
    for address in &concerned {
        let (near, all) = (dependents(live, address), dependents(whole, address));
        if near != all {
            return Err(format!("on {address} depends {all:?}, and {near:?} is said to"));
        }
    }
    for address in &differing {
        if live.astray.contains(address) != whole.astray.contains(address) {
            return Err(format!("{address} is astray for one of two"));
        }
    }
    Ok(())
}

fn options(target: &Target) -> apply::Options<'_> {
    apply::Options { target, never: &[], lock_timeout: "3s", attempts: 1, progress: &|_| {} }
}
