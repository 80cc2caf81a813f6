//! The benchmark of scale: `pgplumb` against `pg_dump -s` and `psql -f` on the same database, in one
//! run on one machine, alternating.
//!
//! `make bench` runs it with 100, 1,000 and 10,000 tables; `make bench ARGS='-- 100 1000'` with
//! others. At 10,000 tables psql alone takes minutes, since PostgreSQL reads all triggers of a table
//! again for each foreign key to it. `PGPLUMB_BENCH_REPETITIONS` and `PGPLUMB_BENCH_MAJOR` say how
//! often each program runs, and on which server; `PGPLUMB_BENCH_LOCK=init` adopts the database
//! instead of compiling the declaration.
//!
//! The verdicts are for reading: a missed budget fails nothing.

mod order;
mod run;
mod schema;

use pgplumb::compile::lock;
use pgplumb::compile::server::{find, LocalServer, Options};
use run::{run, summary, Run};
use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What is allowed of the times and the memory of others.
const DRIFT_SHARE: f64 = 0.3;
const DRIFT_PEAK: u64 = 400 << 20;
const PLAN_SHARE: f64 = 0.3;
const PLAN_MORE: f64 = 1.0;
const INCREMENT: f64 = 1.0;
const ORDER: f64 = 0.5;
const INIT_SHARE: f64 = 1.0;
const COMPILE_SHARE: f64 = 0.3;
const GROWTH: f64 = 11.0;

/// The measurements at one number of tables.
struct Measured {
    tables: usize,
    psql: Run,
    compile: Option<Run>,
    /// A compilation after the template of all tables has changed.
    template: Option<Run>,
    dump: Run,
    init: Option<Run>,
    drift: Option<Run>,
    plan: Option<Run>,
    /// The same plan when the lock is fresh: what it takes less is what the increment takes.
    fresh: Option<Run>,
    /// Of one change, apart from reading.
    order: Option<Duration>,
}

fn main() {
    if let Err(error) = measure_all() {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn measure_all() -> Result<()> {
    let major = std::env::var("PGPLUMB_BENCH_MAJOR").ok().map(|word| word.parse()).transpose()?;
    let install = find(major, None)?;
    let options = Options { purpose: "benchmark".into(), ..Options::default() };
    let server = LocalServer::start(&install, &options)?;
    println!("PostgreSQL {}, {} times each\n", install.version, repetitions()?);

    let work = tempfile::Builder::new().prefix("pgplumb-bench-").tempdir()?;
    // The server's account may have to enter it.
    fs::set_permissions(work.path(), Permissions::from_mode(0o755))?;
    let mut all = Vec::new();
    for tables in sizes()? {
        let bench =
            Bench { tables, server: &server, bin: install.bin.clone(), work: work.path().join(tables.to_string()) };
        fs::create_dir(&bench.work)?;
        all.push(bench.measure()?);
    }
    all.iter().for_each(report);
    report_growth(&all);
    Ok(())
}

/// The numbers of tables, from the arguments; cargo adds `--bench` to them.
fn sizes() -> Result<Vec<usize>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if words.is_empty() {
        return Ok(vec![100, 1000, 10_000]);
    }
    words.iter().map(|word| word.parse().map_err(|_| format!("`{word}` is no number of tables").into())).collect()
}

fn repetitions() -> Result<usize> {
    match std::env::var("PGPLUMB_BENCH_REPETITIONS") {
        Ok(word) => Ok(word.parse::<usize>()?.max(1)),
        Err(_) => Ok(5),
    }
}

/// One number of tables: a database, a declaration and a directory of their own.
struct Bench<'a> {
    tables: usize,
    server: &'a LocalServer,
    bin: PathBuf,
    work: PathBuf,
}

impl Bench<'_> {
    fn measure(&self) -> Result<Measured> {
        self.say("create database", None);
        self.required(
            self.psql("postgres", &["-c", &format!("create database {} template template0", self.database())]),
        )?;
        let ddl = self.work.join("ddl.sql");
        schema::write_ddl(&ddl, self.tables)?;
        let psql = self.required(self.psql(&self.database(), &["-f", &ddl.display().to_string()]))?;
        self.say("psql -f", Some(psql));

        let (declaration, compile) = self.declare()?;
        let lock = lock::path_of(&declaration);
        let fresh_lock = fs::read(&lock).unwrap_or_default();
        let template = match compile {
            Some(_) => self.compile_template(&declaration, &fresh_lock)?,
            None => None,
        };
        let (mut dumps, mut drifts, mut inits) = (Vec::new(), Vec::new(), Vec::new());
        let (mut plans, mut fresh) = (Vec::new(), Vec::new());
        let mut orders = Vec::new();
        let ready = !fresh_lock.is_empty();
        for number in 0..repetitions()? {
            dumps.push(self.required(self.pg_dump())?);
            self.say("pg_dump -s", dumps.last().copied());
            if !ready {
                continue;
            }
            let adopted = self.work.join("adopted");
            inits.extend(self.pgplumb("init", &["--url", &self.url(), "--force", &adopted.display().to_string()])?);
            self.say("init", inits.last().copied());
            drifts.extend(self.pgplumb("drift", &[&declaration.display().to_string(), "--url", &self.url()])?);
            self.say("drift", drifts.last().copied());
            let (file, before) = schema::change_one_table(&declaration, number)?;
            plans.extend(self.pgplumb("plan", &[&declaration.display().to_string(), "--url", &self.url()])?);
            self.say("plan", plans.last().copied());
            fresh.extend(self.pgplumb("plan", &[&declaration.display().to_string(), "--url", &self.url()])?);
            self.say("plan, fresh lock", fresh.last().copied());
            fs::write(file, before)?;
            fs::write(&lock, &fresh_lock)?;
        }
        let dump = summary(&dumps).ok_or("pg_dump never ran")?;
        // Last: what this program itself holds counts as the peak of those that it starts.
        for _ in 0..if ready { repetitions()? } else { 0 } {
            orders.push(order::diff_and_order(&declaration, &self.url()).map_err(|error| error.to_string())?);
        }
        orders.sort();
        Ok(Measured {
            tables: self.tables,
            psql,
            compile,
            template,
            dump,
            init: summary(&inits),
            drift: summary(&drifts),
            plan: summary(&plans),
            fresh: summary(&fresh),
            order: orders.get(orders.len() / 2).copied(),
        })
    }

    /// A declaration with a fresh lock: compiled, or adopted from the database where that is asked for
    /// or nothing could be compiled.
    fn declare(&self) -> Result<(PathBuf, Option<Run>)> {
        let written = self.work.join("schema");
        if std::env::var("PGPLUMB_BENCH_LOCK").as_deref() != Ok("init") {
            schema::write_declaration(&written, self.tables)?;
            let compiled = self.pgplumb("compile", &[&written.display().to_string(), "--url", &self.url()])?;
            self.say("compile", compiled);
            if compiled.is_some() {
                return Ok((written, compiled));
            }
        }
        let adopted = self.work.join("adopted");
        let run = self.pgplumb("init", &["--url", &self.url(), &adopted.display().to_string()])?;
        self.say("init", run);
        Ok((adopted.join("schema"), None))
    }

    /// Compiles what a changed template makes of all tables, and puts back what was there.
    fn compile_template(&self, declaration: &Path, fresh_lock: &[u8]) -> Result<Option<Run>> {
        let (file, before) = schema::change_template(declaration)?;
        let compiled = self.pgplumb("compile", &[&declaration.display().to_string(), "--url", &self.url()])?;
        self.say("template", compiled);
        fs::write(file, before)?;
        fs::write(lock::path_of(declaration), fresh_lock)?;
        Ok(compiled)
    }

    fn database(&self) -> String {
        format!("bench_{}", self.tables)
    }

    fn url(&self) -> String {
        self.server.url(&self.database())
    }

    fn psql(&self, database: &str, arguments: &[&str]) -> Command {
        let mut command = self.postgres_program("psql");
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &self.server.url(database)]).args(arguments);
        command
    }

    fn pg_dump(&self) -> Command {
        let mut command = self.postgres_program("pg_dump");
        command.args(["-s", "-d", &self.url()]);
        command
    }

    /// The program beside the server's, or the one on PATH.
    fn postgres_program(&self, name: &str) -> Command {
        let own = self.bin.join(name);
        Command::new(if own.exists() { own } else { PathBuf::from(name) })
    }

    /// Runs what everything else stands on.
    fn required(&self, command: Command) -> Result<Run> {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = self.work.join("log");
        let done = run(command, &log)?;
        if done.status != 0 {
            return Err(format!("{name} failed with {}:\n{}", done.status, beginning(&log)).into());
        }
        Ok(done)
    }

    /// Runs a command of pgplumb; None, and a word about it, if it fails or finds what is not there.
    fn pgplumb(&self, name: &str, arguments: &[&str]) -> Result<Option<Run>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgplumb"));
        command.arg(name).args(arguments).current_dir(&self.work);
        let log = self.work.join(format!("{name}.log"));
        let done = run(command, &log)?;
        if done.status == 0 {
            return Ok(Some(done));
        }
        eprintln!("{:>6} tables: pgplumb {name} failed with {}:\n{}", self.tables, done.status, beginning(&log));
        // Drift where there is none is a wrong answer, but one that took its time.
        Ok((name == "drift" && done.status == 2).then_some(done))
    }

    fn say(&self, what: &str, run: Option<Run>) {
        let took = run.map(|run| format!(": {}, {}", seconds(run.wall), mega(run.peak))).unwrap_or_default();
        eprintln!("{:>6} tables: {what}{took}", self.tables);
    }
}

fn beginning(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().take(15).map(|line| format!("    {line}\n")).collect()
}

fn seconds(wall: Duration) -> String {
    format!("{:.2} s", wall.as_secs_f64())
}

fn mega(bytes: u64) -> String {
    format!("{} MB", bytes >> 20)
}

fn verdict(kept: bool) -> &'static str {
    if kept {
        "kept"
    } else {
        "MISSED"
    }
}

fn report(measured: &Measured) {
    let Measured { tables, psql, compile, template, dump, init, drift, plan, fresh, order } = measured;
    println!("{tables} tables");
    let line = |what: &str, run: &Run, of: &str, base: &Run, allowed: Option<f64>, peak: Option<u64>| {
        let (wall, base) = (run.wall.as_secs_f64(), base.wall.as_secs_f64());
        let wall_budget = allowed.map(|allowed| format!("{:.2} s {}", allowed, verdict(wall <= allowed)));
        let peak_budget = peak.map(|peak| format!("{} {}", mega(peak), verdict(run.peak <= peak)));
        let budget: Vec<String> = wall_budget.into_iter().chain(peak_budget).collect();
        let ratio = format!("{:.2} x {of}", wall / base);
        let budget = if budget.is_empty() { String::new() } else { format!("budget {}", budget.join(", ")) };
        println!("  {what:<12}{:>10}{:>9}   {ratio:<19} {budget}", seconds(run.wall), mega(run.peak));
    };
    let absent = |what: &str| println!("  {what:<12} not measured: it failed, or has not been asked for");
    let (dumped, built) = (dump.wall.as_secs_f64(), psql.wall.as_secs_f64());
    line("psql -f", psql, "psql -f", psql, None, None);
    for (what, run) in [("compile", compile), ("template", template)] {
        match run {
            Some(run) => line(what, run, "psql -f", psql, Some(COMPILE_SHARE * built), None),
            None => absent(what),
        }
    }
    line("pg_dump -s", dump, "pg_dump -s", dump, None, None);
    match init {
        Some(run) => line("init", run, "pg_dump -s", dump, Some(INIT_SHARE * dumped), None),
        None => absent("init"),
    }
    match drift {
        Some(run) => line("drift", run, "pg_dump -s", dump, Some(DRIFT_SHARE * dumped), Some(DRIFT_PEAK)),
        None => absent("drift"),
    }
    match plan {
        Some(run) => line("plan", run, "pg_dump -s", dump, Some(PLAN_SHARE * dumped + PLAN_MORE), None),
        None => absent("plan"),
    }
    if let (Some(stale), Some(fresh)) = (plan, fresh) {
        let took = stale.wall.saturating_sub(fresh.wall);
        let kept = verdict(took.as_secs_f64() <= INCREMENT);
        println!(
            "  {:<12}{:>10}   of plan: it takes less with a fresh lock   budget {INCREMENT} s {kept}",
            "increment",
            seconds(took)
        );
    }
    match order {
        Some(took) => {
            let kept = verdict(took.as_secs_f64() <= ORDER);
            println!(
                "  {:<12}{:>10}   apart from reading, of one change   budget {ORDER} s {kept}",
                "diff + order",
                seconds(*took)
            );
        }
        None => absent("diff + order"),
    }
    println!();
}

/// From each number of tables to ten times as many.
fn report_growth(all: &[Measured]) {
    for small in all {
        for large in all.iter().filter(|large| large.tables == 10 * small.tables) {
            let growth = |what: &str, small: Option<Run>, large: Option<Run>| {
                if let (Some(small), Some(large)) = (small, large) {
                    let times = large.wall.as_secs_f64() / small.wall.as_secs_f64();
                    println!("  {what:<12}{times:>8.1} x   budget {GROWTH} x {}", verdict(times <= GROWTH));
                }
            };
            println!("{} to {} tables", small.tables, large.tables);
            growth("compile", small.compile, large.compile);
            growth("drift", small.drift, large.drift);
            growth("plan", small.plan, large.plan);
            growth("pg_dump -s", Some(small.dump), Some(large.dump));
            println!();
        }
    }
}
