//! The local server: it works, leaves nothing behind however its owner ends, and two never meet.
//!
//! Needs PostgreSQL binaries: `PGPLUMB_PG_ROOT`, or whatever the search finds.

use pgplumb::compile::server::{clean_leftovers, find, Install, LocalServer, Options};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Tells this test binary to be an owner of servers: see [`owner`].
const OWNER: &str = "PGPLUMB_TEST_OWNER";

fn install() -> Install {
    find(None, None).unwrap_or_else(|error| panic!("{error}"))
}

fn start(options: &Options) -> LocalServer {
    LocalServer::start(&install(), options).unwrap_or_else(|error| panic!("{error}"))
}

fn in_base(base: &Path) -> Options {
    Options { base: Some(base.to_owned()), purpose: "test".to_owned(), ..Options::default() }
}

/// A base directory that the server's account may enter and nobody else's start cleans.
fn base() -> tempfile::TempDir {
    let base = tempfile::tempdir_in("/tmp").expect("a directory in /tmp");
    fs::set_permissions(base.path(), Permissions::from_mode(0o755)).expect("its mode");
    base
}

fn directories(base: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(base).expect("the base directory");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn query(server: &LocalServer, sql: &str) -> String {
    let own = install().bin.join("psql");
    let psql = if own.exists() { own } else { PathBuf::from("psql") };
    let output = Command::new(psql).args(["-XAtq", "-c", sql]).arg(server.url("postgres")).output().expect("psql runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// Whether the process exists and is no zombie.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// All processes that were started in or for a directory.
fn processes_of(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc");
    let numbered = entries.filter_map(|entry| Some(entry.ok()?.path()));
    numbered
        .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory)))
        .map(|process| process.display().to_string())
        .collect()
}

fn soon(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "not after 10 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn serves_its_owner_alone_and_leaves_nothing() {
    let base = base();
    let mut options = in_base(base.path());
    options.settings.push(("pgplumb.tried".to_owned(), "it's a \\ test".to_owned()));
    let server = start(&options);
    let directory = server.directory().to_owned();
    let pid = server.pid();

    assert!(runs(pid));
    assert_eq!(fs::metadata(&directory).expect("the directory").mode() & 0o777, 0o700);
    assert_eq!(query(&server, "select current_user, current_setting('pgplumb.tried')"), "postgres|it's a \\ test");
    assert_eq!(query(&server, "select current_setting('listen_addresses') = ''"), "t");
    assert_eq!(query(&server, "show server_version_num")[..2], server.major().to_string());
    let databases =
        "select string_agg(datname || ' ' || pg_encoding_to_char(encoding), ', ' order by datname) from pg_database";
    assert_eq!(query(&server, databases), "postgres UTF8, template0 UTF8");

    drop(server);
    assert!(!runs(pid));
    assert_eq!(directories(base.path()), Vec::<PathBuf>::new());
    assert_eq!(processes_of(&directory), Vec::<String>::new());
}

#[test]
fn two_at_once_are_apart() {
    let base = base();
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| start(&in_base(base.path())));
        let two = scope.spawn(|| start(&in_base(base.path())));
        (one.join().expect("the first"), two.join().expect("the second"))
    });
    query(&one, "create table only_here ()");
    assert_eq!(query(&two, "select to_regclass('only_here') is null"), "t");
    assert_eq!(clean_leftovers(Some(base.path())), 0);
    drop(one);
    assert_eq!(query(&two, "select 1"), "1");
}

#[test]
fn outlives_the_thread_that_started_it() {
    let base = base();
    let server = std::thread::scope(|scope| scope.spawn(|| start(&in_base(base.path()))).join().expect("the thread"));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(query(&server, "select 1"), "1");
}

#[test]
fn a_large_transaction_finds_room_for_its_locks() {
    let base = base();
    let server = start(&in_base(base.path()));
    let tables = "do $$ begin for i in 1..3000 loop
        execute format('create table t%s (id bigint generated always as identity primary key, note text unique)', i);
        end loop; end $$";
    query(&server, tables);
    assert_eq!(query(&server, "select count(*) from pg_class where relname ~ '^t[0-9]+$'"), "3000");
}

#[test]
fn tells_why_it_did_not_start() {
    let base = base();
    let mut options = in_base(base.path());
    options.settings.push(("shared_buffers".to_owned(), "many".to_owned()));
    let error = LocalServer::start(&install(), &options).expect_err("a wrong setting").to_string();
    assert!(error.contains("did not start") && error.contains("shared_buffers"), "{error}");
    assert_eq!(directories(base.path()), Vec::<PathBuf>::new());

    options.settings = vec![("port = 1 #".to_owned(), "x".to_owned())];
    let error = LocalServer::start(&install(), &options).expect_err("no name").to_string();
    assert!(error.contains("is not the name of a PostgreSQL setting"), "{error}");
}

#[test]
fn tells_what_it_found_when_a_major_is_missing() {
    let error = find(Some(7), None).expect_err("nobody has 7").to_string();
    let there = install();
    for part in ["PostgreSQL 7", &there.version, "searched", "PATH", "/usr/lib/postgresql", "PGPLUMB_PG_ROOT"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    let error = find(None, Some(Path::new("/nowhere"))).expect_err("nothing there").to_string();
    assert!(error.contains("no PostgreSQL server binaries in /nowhere"), "{error}");
}

#[test]
fn finds_by_directory_prefix_and_root() {
    let there = install();
    let root = base();
    let prefix = there.bin.parent().expect("a parent");
    std::os::unix::fs::symlink(prefix, root.path().join(there.major.to_string())).expect("a link");
    for setting in [&there.bin, prefix, root.path()] {
        assert_eq!(find(Some(there.major), Some(setting)).expect("it is there").bin, there.bin);
    }
    assert!(there.has_extension("plpgsql"));
    assert!(!there.has_extension("no_such_extension"));
    assert!(!there.has_extension("../plpgsql"));
}

#[test]
fn a_broken_copy_of_the_cluster_is_replaced() {
    let home = base();
    let base = base();
    let mut owner = Owner::start("wait", base.path(), Some(home.path()));
    owner.kill();
    let kept = find_file(home.path(), "pg_control").expect("a copy is kept in XDG_CACHE_HOME");
    let length = fs::metadata(&kept).expect("pg_control").len() as usize;
    fs::write(&kept, vec![0; length]).expect("it can be broken");
    let mut owner = Owner::start("wait", base.path(), Some(home.path()));
    owner.kill();
    assert!(fs::read(&kept).expect("pg_control").iter().any(|byte| *byte != 0));
}

fn find_file(directory: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(directory).ok()?.filter_map(|entry| Some(entry.ok()?.path())).find_map(|path| {
        if path.file_name().is_some_and(|found| found == name) {
            Some(path)
        } else {
            find_file(&path, name)
        }
    })
}

fn own_uid() -> u32 {
    fs::metadata("/proc/self").expect("/proc/self").uid()
}

#[test]
fn runs_binaries_that_its_account_cannot_reach() {
    if own_uid() != 0 {
        return; // everybody can reach what they run
    }
    let closed = base();
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).expect("its mode");
    let there = install();
    let prefix = there.bin.parent().expect("a prefix");
    let copy = |from: &Path, to: &Path| {
        assert!(Command::new("cp").arg("-aL").args([from, to]).status().expect("cp runs").success());
    };
    let closed_prefix = closed.path().join("pg/copy");
    fs::create_dir(closed.path().join("pg")).expect("a directory");
    copy(prefix, &closed_prefix);
    // Some packagers put libraries beside the installation and name them relative to it.
    for beside in directories(prefix.ancestors().nth(2).expect("a grandparent")) {
        if beside.extension().is_some_and(|extension| extension == "libs") {
            copy(&beside, &closed.path().join(beside.file_name().expect("a name")));
        }
    }

    let install = find(Some(there.major), Some(&closed_prefix)).expect("the copy is found");
    let base = base();
    let server = LocalServer::start(&install, &in_base(base.path())).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(query(&server, "select 1"), "1");

    let copy = server.install().bin.ancestors().nth(2).expect("the copy's directory").to_owned();
    assert!(copy.to_string_lossy().starts_with("/tmp/pgplumb-bin-"), "{}", copy.display());
    drop(server);
    fs::remove_dir_all(copy).expect("the copy is removed");
}

/// Another process that owns a server.
struct Owner {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    directory: PathBuf,
    postmaster: u32,
}

impl Owner {
    fn start(mode: &str, base: &Path, cache: Option<&Path>) -> Owner {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "owner", "--nocapture", "--test-threads=1"]);
        command.env(OWNER, format!("{mode} {}", base.display())).stdout(Stdio::piped());
        if let Some(cache) = cache {
            command.env("XDG_CACHE_HOME", cache);
        }
        let mut process = command.spawn().expect("it starts");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let told = next(&mut lines, "server ");
        let (postmaster, directory) = told.split_once(' ').expect("pid and directory");
        let (postmaster, directory) = (postmaster.parse().expect("a pid"), PathBuf::from(directory));
        Owner { process, lines, directory, postmaster }
    }

    fn kill(&mut self) {
        self.process.kill().expect("kill -9");
        self.process.wait().expect("it ends");
    }
}

fn next(lines: &mut impl Iterator<Item = std::io::Result<String>>, start: &str) -> String {
    lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once(start).map(|(_, rest)| rest.to_owned()))
        .unwrap_or_else(|| panic!("the owner did not say {start}"))
}

/// Not a test by itself: what a process started by [`Owner`] does.
#[test]
fn owner() {
    let Ok(told) = std::env::var(OWNER) else { return };
    let (mode, base) = told.split_once(' ').expect("mode and base");
    let server = start(&in_base(Path::new(base)));
    println!("\nserver {} {}", server.pid(), server.directory().display());
    match mode {
        "wait" => std::thread::sleep(Duration::from_secs(120)),
        "stop_all" => {
            let _other = start(&in_base(Path::new(base)));
            pgplumb::compile::server::stop_all();
            println!("stopped {}", directories(Path::new(base)).len());
            std::process::exit(0);
        }
        other => panic!("unknown mode {other}"),
    }
}

#[test]
fn a_killed_owner_takes_its_server_along_and_the_next_start_cleans_up() {
    let base = base();
    let mut owner = Owner::start("wait", base.path(), None);
    assert!(runs(owner.postmaster));
    owner.kill();
    if cfg!(target_os = "linux") {
        soon("the server is gone", || !runs(owner.postmaster) && processes_of(&owner.directory).is_empty());
    }
    assert!(owner.directory.exists());

    let foreign = base.path().join("pgplumb-mine");
    fs::create_dir(&foreign).expect("a directory with nearly such a name");
    let server = start(&in_base(base.path()));
    assert!(!owner.directory.exists());
    assert!(foreign.exists());
    assert_eq!(query(&server, "select 1"), "1");
}

#[test]
fn a_server_that_hangs_after_its_owner_died_is_ended_by_the_next_start() {
    let base = base();
    let mut owner = Owner::start("wait", base.path(), None);
    let stopped = Command::new("kill").args(["-STOP", &owner.postmaster.to_string()]).status().expect("kill runs");
    assert!(stopped.success());
    owner.kill();
    assert!(runs(owner.postmaster));
    assert_eq!(clean_leftovers(Some(base.path())), 1);
    assert!(!runs(owner.postmaster));
    soon("its children are gone", || processes_of(&owner.directory).is_empty());
    assert_eq!(directories(base.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_leftover_whose_process_id_is_somebody_elses_harms_nobody() {
    let base = base();
    let mut owner = Owner::start("wait", base.path(), None);
    owner.kill();
    soon("the server is gone", || !runs(owner.postmaster));
    let mut bystander = Command::new("sleep").arg("60").spawn().expect("sleep runs");
    let pid_file = owner.directory.join("data/postmaster.pid");
    fs::write(pid_file, format!("{}\n", bystander.id())).expect("the file can be written");
    assert_eq!(clean_leftovers(Some(base.path())), 1);
    assert!(runs(bystander.id()));
    bystander.kill().expect("it runs");
    bystander.wait().expect("it ends");
}

#[test]
fn stop_all_leaves_nothing() {
    let base = base();
    let mut owner = Owner::start("stop_all", base.path(), None);
    assert_eq!(next(&mut owner.lines, "stopped "), "0");
    assert!(owner.process.wait().expect("it ends").success());
    assert!(!runs(owner.postmaster));
}
