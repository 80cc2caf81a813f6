//! Connecting, against a real server with TLS and SCRAM: a table of strings and environments with
//! what must come of them. Whatever happens, the password shows up nowhere.

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{chown, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgplumb::catalog::connect::{cancel, connect, Target};
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};

const SECRET: &str = "s3cr3t";
const HARD_SECRET: &str = "s3cr3t@a/b:c?d%e 'f\\g";

// ---------------------------------------------------------------- the strings alone

fn resolve(url: Option<&str>, env: &[(&str, &str)]) -> Result<Target, String> {
    let env: HashMap<&str, &str> = [("HOME", "/nonexistent")].into_iter().chain(env.iter().copied()).collect();
    Target::resolve(url, &|name| env.get(name).map(|value| (*value).to_owned())).map_err(|error| error.to_string())
}

#[test]
fn strings_and_variables_resolve_as_in_libpq() {
    type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);
    let table: &[Row] = &[
        ("postgres://u:s3cr3t@h:5433/d", &[], r#"database "d" at h:5433 as user "u""#),
        ("postgresql://u@h", &[], r#"database "u" at h:5432 as user "u""#),
        ("postgresql://h/d", &[("PGUSER", "e")], r#"database "d" at h:5432 as user "e""#),
        ("postgres://u%40corp@h/my%20db", &[], r#"database "my db" at h:5432 as user "u@corp""#),
        ("postgres://u@[::1]:5433/d", &[], r#"database "d" at [::1]:5433 as user "u""#),
        ("postgres://u@a:1,b:2,c/d", &[], r#"database "d" at a:1,b:2,c:5432 as user "u""#),
        ("postgres://u@a,b/d?port=9", &[], r#"database "d" at a:9,b:9 as user "u""#),
        ("postgres://u@%2Frun%2Fpg/d", &[], r#"database "d" at socket /run/pg:5432 as user "u""#),
        ("postgres:///d?host=/run/pg&user=u&port=6", &[], r#"database "d" at socket /run/pg:6 as user "u""#),
        ("postgres://u@/d", &[("PGHOST", "e"), ("PGPORT", "7")], r#"database "d" at e:7 as user "u""#),
        ("postgres://u@h/d?hostaddr=10.0.0.1", &[], r#"database "d" at h:5432 as user "u""#),
        ("hostaddr=10.0.0.1 user=u", &[("PGDATABASE", "e")], r#"database "e" at 10.0.0.1:5432 as user "u""#),
        ("host = h  dbname='my \\'db' user=a\\ b", &[], r#"database "my 'db" at h:5432 as user "a b""#),
        ("host=h user=u dbname=", &[("PGDATABASE", "e")], r#"database "u" at h:5432 as user "u""#),
        ("postgres://u:s3cr3t@h/d?sslmode=verify-full&connect_timeout=0", &[], r#"database "d" at h:5432 as user "u""#),
        ("postgres://u@h/d?ssl=true&options=-csearch_path%3Da", &[], r#"database "d" at h:5432 as user "u""#),
    ];
    for (url, env, expected) in table {
        let target = resolve(Some(url), env).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(target.describe(), *expected, "{url}");
        assert_eq!(target.to_string(), *expected, "{url}");
        assert!(!format!("{target:?}").contains(SECRET), "{url}: {target:?}");
    }
    let target = resolve(None, &[("PGHOST", "h"), ("PGUSER", "u")]).unwrap();
    assert_eq!((target.user(), target.database(), target.host_label()), ("u", "u", "h:5432".to_owned()));
    assert_eq!(target.with_database("x").describe(), r#"database "x" at h:5432 as user "u""#);
}

#[test]
fn mistakes_are_named_and_secrets_are_not() {
    type Row = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);
    let table: &[Row] = &[
        ("postgres://u:s3cr3t@host:bad/db", &[], &["connection URL", "port is not a number"]),
        ("postgres://u:s3cr3t@host:0/db", &[], &["port is not a number"]),
        ("postgres://u:s3cr3t@host:99999/db", &[], &["port is not a number"]),
        ("postgres://u:p@s3cr3t@host/db", &[], &["`@`", "%40"]),
        ("postgres://u:12/s3cr3t@host/db", &[], &["`@`", "%2F"]),
        ("postgres://u:s3cr3t/x@host/db", &[], &["`@`", "percent-encode"]),
        ("postgres://u:s3cr3t/x", &[], &["port is not a number", "percent-encode"]),
        ("postgres://u:a@b?s3cr3t@host/db", &[], &["no `=`"]),
        ("postgres://u:a@b?s3cr3t=1@host/db", &[], &["a parameter is unknown"]),
        ("postgres://u:s3cr3t%zz@host/db", &[], &["percent sign in the password"]),
        ("postgres://u:s3cr3t%2@host/db", &[], &["percent sign in the password", "%25"]),
        ("postgres://u:s3cr3t%ff@host/db", &[], &["the password is not text"]),
        ("postgres://u:s3cr3t@[::1/db", &[], &["IPv6"]),
        ("postgres://u:s3cr3t@::1/db", &[], &["brackets"]),
        ("postgres//u:s3cr3t@host/db", &[], &["neither a PostgreSQL URL"]),
        ("mysql://u:s3cr3t@host/db?a=b", &[], &["neither a PostgreSQL URL"]),
        ("u:s3cr3t@host", &[], &["neither a PostgreSQL URL"]),
        ("", &[], &["empty"]),
        ("host=h password=s3cr3t two words", &[], &["after `password`", "single quotes"]),
        ("host=h password=one s3cr3t=two", &[], &["a parameter is unknown"]),
        ("host=h password='s3cr3t", &[], &["quote of `password`"]),
        ("host=u:s3cr3t@h", &[], &["`host` contains an `@`"]),
        ("host=h port=s3cr3t", &[], &["`port`"]),
        ("host=h hostaddr=s3cr3t", &[], &["`hostaddr`"]),
        ("host=a,b port=1,2,3", &[], &["2 hosts", "3 ports"]),
        ("host=h sslmod=require", &[], &["`sslmod`", "`sslmode`"]),
        ("postgres://h/d?sslmode=full", &[], &["`sslmode`", "verify-full"]),
        ("postgres://h/d?username=u", &[], &["`username`", "`user`"]),
        ("postgres://h/d?aplication_name=u", &[], &["`aplication_name`", "`application_name`"]),
        ("postgres://h/d?sslcrl=f", &[], &["`sslcrl`", "not supported"]),
        ("postgres://h/d?gssencmode=require", &[], &["`gssencmode`", "disable or prefer"]),
        ("postgres://h/d?connect_timeout=soon", &[], &["`connect_timeout`"]),
        ("postgres://h/d?sslrootcert=system&sslmode=require", &[], &["too weak"]),
        ("postgres://h/d?sslnegotiation=direct", &[], &["direct"]),
        ("postgres://h/d", &[("PGREQUIREPEER", "root")], &["PGREQUIREPEER"]),
        ("postgres://h/d", &[("PGSERVICE", "none")], &["service \"none\""]),
    ];
    for (url, env, expected) in table {
        let message = resolve(Some(url), env).expect_err(url);
        assert!(!message.contains(SECRET), "{url}: {message}");
        for part in *expected {
            assert!(message.contains(part), "{url}: {part} is not in: {message}");
        }
    }
}

// ---------------------------------------------------------------- the server

struct Server {
    directory: tempfile::TempDir,
    bin: PathBuf,
    runs_as: Option<(u32, u32)>,
    port: u16,
}

impl Server {
    /// Starts a cluster with the superuser `postgres` (password [`SECRET`]), listening on 127.0.0.1
    /// and on a socket in its directory. `prepare` puts files into the directory before the start.
    fn start(settings: &str, hba: &str, prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::Builder::new().prefix("pgplumb-connect").tempdir_in("/tmp").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { directory, bin: server_binaries(), runs_as: unprivileged(), port };
        let path = server.directory.path().to_owned();
        server.give(&path);
        let password = path.join("password");
        fs::write(&password, SECRET).unwrap();
        server.give(&password);
        let data = path.join("data");
        server.run(
            "initdb",
            &["-U", "postgres", "-A", "scram-sha-256", "-N", "--no-locale", "-E", "UTF8", "--pwfile"],
            &[password.as_path(), Path::new("-D"), &data],
        );
        prepare(&path);
        for file in fs::read_dir(&path).unwrap() {
            server.give(&file.unwrap().path());
        }
        let own = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nfsync = off\n{settings}\n",
            path.display()
        );
        fs::write(data.join("postgresql.auto.conf"), own).unwrap();
        server.give(&data.join("postgresql.auto.conf"));
        fs::write(data.join("pg_hba.conf"), hba).unwrap();
        server.control("start");
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn control(&self, action: &str) {
        let (data, log) = (self.path("data"), self.path("log"));
        self.run(
            "pg_ctl",
            &[action, "-w", "-m", "fast"][..if action == "start" { 2 } else { 4 }],
            &[Path::new("-D"), &data, Path::new("-l"), &log],
        );
    }

    /// One more line for the configuration, and a restart with it.
    fn restart_with(&self, line: &str) {
        let file = self.path("data/postgresql.auto.conf");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}{line}\n")).unwrap();
        self.control("restart");
    }

    fn run(&self, program: &str, words: &[&str], paths: &[&Path]) {
        let mut command = Command::new(self.bin.join(program));
        command.args(words).args(paths).current_dir("/tmp").stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((user, group)) = self.runs_as {
            command.uid(user).gid(group);
        }
        let status = command.status().unwrap_or_else(|error| panic!("{program}: {error}"));
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        assert!(status.success(), "{program} {words:?}: {status}\n{log}");
    }

    fn give(&self, path: &Path) {
        if let Some((user, group)) = self.runs_as {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut command = Command::new(self.bin.join("pg_ctl"));
        command.args(["stop", "-m", "immediate", "-D"]).arg(self.path("data")).current_dir("/tmp");
        if let Some((user, group)) = self.runs_as {
            command.uid(user).gid(group);
        }
        let _ = command.stdout(Stdio::null()).status();
    }
}

fn server_binaries() -> PathBuf {
    let own = std::env::var_os("PGPLUMB_PG_ROOT").map(PathBuf::from);
    let roots = own.into_iter().chain([PathBuf::from("/usr/lib/postgresql")]);
    let majors = ["18", "17", "16", "15", "14"];
    let mut candidates = roots.flat_map(|root| majors.map(|major| root.join(major).join("bin")));
    candidates.find(|bin| has_tls(bin)).expect("no PostgreSQL with TLS found: set PGPLUMB_PG_ROOT")
}

/// A server that was built without OpenSSL carries the message that says so.
fn has_tls(bin: &Path) -> bool {
    let message = b"SSL is not supported by this build";
    fs::read(bin.join("postgres")).is_ok_and(|binary| !binary.windows(message.len()).any(|part| part == message))
}

/// The server refuses to run as root: who runs it then.
fn unprivileged() -> Option<(u32, u32)> {
    // SAFETY: the call has no arguments and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let text = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(|field| field.parse().unwrap());
        Some((numbers.next()?, numbers.next()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

// ---------------------------------------------------------------- certificates

fn authority(name: &str) -> (Certificate, Issuer<'static, KeyPair>) {
    let mut params = named(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate, Issuer::new(params, key))
}

fn named(common_name: &str, alternatives: &[&str]) -> CertificateParams {
    let names: Vec<String> = alternatives.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn make_certificates(directory: &Path) {
    let (ca, issuer) = authority("pgplumb test authority");
    let (other, _) = authority("another authority");
    fs::write(directory.join("ca.crt"), ca.pem()).unwrap();
    fs::write(directory.join("other.crt"), other.pem()).unwrap();
    for (file, params) in [
        ("server", named("elsewhere", &["localhost"])),
        ("common", named("localhost", &[])),
        ("client", named("certified", &[])),
        ("expired", {
            let mut params = named("elsewhere", &["localhost"]);
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
            params
        }),
    ] {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        fs::write(directory.join(format!("{file}.crt")), certificate.pem()).unwrap();
        private(&directory.join(format!("{file}.key")), &key.serialize_pem());
    }
    // What `openssl req -x509` makes: a certificate that is its own authority.
    let mut params = named("localhost", &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    fs::write(directory.join("alone.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    private(&directory.join("alone.key"), &key.serialize_pem());
}

// ---------------------------------------------------------------- the table

enum Expect {
    Tls,
    Plain,
    Fails(&'static [&'static str]),
}
use Expect::{Fails, Plain, Tls};

/// A connection string, variables of the environment, and what comes of them.
type Case = (&'static str, &'static [(&'static str, &'static str)], Expect);

/// `{name}` in a case stands for these.
fn fill(text: &str, places: &[(&str, String)]) -> String {
    places.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

async fn run(server: &Server, cases: &[Case]) {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let places = [
        ("{port}", server.port.to_string()),
        ("{dir}", server.directory.path().display().to_string()),
        ("{closed}", closed.to_string()),
        ("{silent}", silent.local_addr().unwrap().port().to_string()),
    ];
    let mut wrong = Vec::new();
    for (url, env, expect) in cases {
        let url = fill(url, &places);
        let env: HashMap<String, String> = [("HOME", "{dir}/home")]
            .iter()
            .chain(env.iter())
            .map(|(name, value)| ((*name).to_owned(), fill(value, &places)))
            .collect();
        let target = Target::resolve(Some(&url), &|name| env.get(name).cloned());
        let outcome = match &target {
            Ok(target) => connect(target).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let label = format!("{url} {env:?}");
        assert!(!format!("{target:?}").contains(SECRET), "{label}: {target:?}");
        match (outcome, expect) {
            (Ok(client), Tls | Plain) => {
                let sql = "select coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false), \
                           current_setting('application_name')";
                let row = client.query_one(sql, &[]).await.unwrap();
                if row.get::<_, bool>(0) != matches!(expect, Tls) || row.get::<_, &str>(1) != "pgplumb" {
                    wrong.push(format!("{label}: {row:?}"));
                }
            }
            (Err(message), Fails(parts)) => {
                if message.contains(SECRET) || parts.iter().any(|part| !message.contains(part)) {
                    wrong.push(format!("{label}: {parts:?} expected, not: {message}"));
                }
            }
            (Ok(_), Fails(parts)) => wrong.push(format!("{label}: connected, but {parts:?} was expected")),
            (Err(message), Tls | Plain) => wrong.push(format!("{label}: {message}")),
        }
    }
    assert!(wrong.is_empty(), "{} cases went wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_real_server_is_reached_or_the_reason_told() {
    let hba = "\
        local   all all       scram-sha-256\n\
        hostssl all certified 127.0.0.1/32 cert\n\
        hostnossl all plainonly 127.0.0.1/32 scram-sha-256\n\
        hostssl all tlsonly   127.0.0.1/32 scram-sha-256\n\
        host    all app,hard,postgres,missing 127.0.0.1/32 scram-sha-256\n";
    let settings = |directory: &str| {
        format!("ssl = on\nssl_cert_file = '{directory}/server.crt'\nssl_key_file = '{directory}/server.key'\nssl_ca_file = '{directory}/ca.crt'\n")
    };
    // Paths in the configuration are relative to the data directory.
    let server = Server::start(&settings(".."), hba, |directory| {
        make_certificates(directory);
        for home in ["home", "trusting/.postgresql", "distrusting/.postgresql", "passes"] {
            fs::create_dir_all(directory.join(home)).unwrap();
        }
        fs::copy(directory.join("ca.crt"), directory.join("trusting/.postgresql/root.crt")).unwrap();
        fs::copy(directory.join("other.crt"), directory.join("distrusting/.postgresql/root.crt")).unwrap();
        fs::copy(directory.join("client.key"), directory.join("open.key")).unwrap();
        fs::set_permissions(directory.join("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
        private(
            &directory.join("passes/.pgpass"),
            "# comment\n\
             localhost:1:postgres:app:wrong\n\
             *:*:my\\:db:app:wrong\n\
             localhost:*:postgres:hard:s3cr3t@a/b\\:c?d%e 'f\\\\g\n\
             localhost:*:postgres:app:s3cr3t\n\
             /tmp*:*:*:app:wrong\n",
        );
        let socket = directory.display().to_string().replace(':', "\\:");
        private(&directory.join("socketpass"), &format!("{socket}:*:*:app:s3cr3t\n"));
        private(&directory.join("wrongpass"), "*:*:*:*:s3cr3t-not\n");
        private(&directory.join("openpass"), "*:*:*:app:s3cr3t\n");
        fs::set_permissions(directory.join("openpass"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(
            directory.join("services"),
            "# services\n[other]\nhost=nowhere.invalid\n\n[here]\nhost=localhost\nuser=app\npassword=s3cr3t\ndbname=postgres\n[after]\nuser=x\n",
        )
        .unwrap();
    });

    let admin_url =
        format!("host={} port={} user=postgres password={SECRET}", server.directory.path().display(), server.port);
    let admin = connect(&Target::resolve(Some(&admin_url), &|_| None).unwrap()).await.unwrap();
    for role in ["app", "plainonly", "tlsonly", "certified", "outsider"] {
        admin.batch_execute(&format!("create role {role} login password '{SECRET}'")).await.unwrap();
    }
    let quoted = HARD_SECRET.replace('\'', "''");
    admin.batch_execute(&format!("create role hard login password '{quoted}'")).await.unwrap();
    for sql in ["create database closed template template0", "revoke connect on database closed from public"] {
        admin.batch_execute(sql).await.unwrap();
    }
    drop(admin);

    run(&server, &[
        // Every sslmode without a root certificate.
        ("postgres://app:s3cr3t@localhost:{port}/postgres", &[], Tls),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=disable", &[], Plain),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=allow", &[], Plain),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=prefer", &[], Tls),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=require", &[], Tls),
        ("postgres://app:s3cr3t@127.0.0.1:{port}/postgres?sslmode=require", &[], Tls),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-ca", &[], Fails(&["root.crt does not exist"])),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-full", &[], Fails(&["root.crt does not exist"])),
        // The right authority, the right and the wrong name.
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=prefer&sslrootcert={dir}/ca.crt", &[], Tls),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=require&sslrootcert={dir}/ca.crt", &[], Tls),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-ca&sslrootcert={dir}/ca.crt", &[], Tls),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={dir}/ca.crt", &[], Tls),
        ("postgres://app:s3cr3t@127.0.0.1:{port}/postgres?sslmode=require&sslrootcert={dir}/ca.crt", &[], Tls),
        ("postgres://app:s3cr3t@127.0.0.1:{port}/postgres?sslmode=verify-ca&sslrootcert={dir}/ca.crt", &[], Tls),
        ("postgres://app:s3cr3t@127.0.0.1:{port}/postgres?sslmode=verify-full&sslrootcert={dir}/ca.crt", &[], Fails(&["not valid for the host name \"127.0.0.1\"", "verify-ca"])),
        ("postgres://app:s3cr3t@elsewhere:{port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={dir}/ca.crt", &[], Fails(&["not valid for the host name \"elsewhere\""])),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={dir}/ca.crt", &[], Tls),
        ("hostaddr=127.0.0.1 port={port} user=app password=s3cr3t dbname=postgres sslmode=require", &[], Tls),
        // The wrong authority.
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=prefer&sslrootcert={dir}/other.crt", &[], Tls),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=require&sslrootcert={dir}/other.crt", &[], Fails(&["issuer is unknown", "sslrootcert"])),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-ca&sslrootcert={dir}/other.crt", &[], Fails(&["not trusted", "issuer is unknown"])),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={dir}/other.crt", &[], Fails(&["issuer is unknown"])),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslrootcert=system", &[], Fails(&["sslrootcert="])),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-ca&sslrootcert={dir}/ca.key", &[], Fails(&["ca.key does not exist"])),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-ca&sslrootcert={dir}/client.key", &[], Fails(&["holds no certificate"])),
        // The default file, and the variables.
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-full", &[("HOME", "{dir}/trusting")], Tls),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=require", &[("HOME", "{dir}/distrusting")], Fails(&["issuer is unknown"])),
        ("dbname=postgres", &[("PGHOST", "localhost"), ("PGPORT", "{port}"), ("PGUSER", "app"), ("PGPASSWORD", "s3cr3t"), ("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", "{dir}/ca.crt")], Tls),
        ("dbname=postgres", &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGUSER", "app"), ("PGPASSWORD", "s3cr3t"), ("PGSSLMODE", "disable")], Plain),
        ("port={port}", &[("PGSERVICE", "here"), ("PGSERVICEFILE", "{dir}/services")], Tls),
        ("service=nowhere", &[("PGSERVICEFILE", "{dir}/services")], Fails(&["service \"nowhere\""])),
        // Never TLS on a socket.
        ("postgres://app:s3cr3t@/postgres?host={dir}&port={port}&sslmode=verify-full", &[], Plain),
        ("postgres://app:s3cr3t@/postgres?host={dir}&port={closed}", &[], Fails(&["socket", "does not exist", "is the server running"])),
        // What pg_hba.conf allows.
        ("postgres://plainonly:s3cr3t@localhost:{port}/postgres", &[], Plain),
        ("postgres://plainonly:s3cr3t@localhost:{port}/postgres?sslmode=require", &[], Fails(&["28000", "pg_hba.conf"])),
        ("postgres://tlsonly:s3cr3t@localhost:{port}/postgres?sslmode=allow", &[], Tls),
        ("postgres://tlsonly:s3cr3t@localhost:{port}/postgres?sslmode=disable", &[], Fails(&["28000", "user \"tlsonly\""])),
        ("postgres://outsider:s3cr3t@localhost:{port}/postgres", &[], Fails(&["on the second try", "allow user \"outsider\" on database \"postgres\""])),
        // Client certificates and channel binding.
        ("postgres://certified@localhost:{port}/postgres?sslcert={dir}/client.crt&sslkey={dir}/client.key", &[], Tls),
        ("postgres://certified@localhost:{port}/postgres", &[("PGSSLCERT", "{dir}/client.crt"), ("PGSSLKEY", "{dir}/client.key")], Tls),
        ("postgres://certified@localhost:{port}/postgres", &[], Fails(&["28000"])),
        ("postgres://certified@localhost:{port}/postgres?sslcert={dir}/client.crt&sslkey={dir}/open.key", &[], Fails(&["open.key can be read by others"])),
        ("postgres://certified@localhost:{port}/postgres?sslcert={dir}/client.crt&sslkey={dir}/server.key", &[], Fails(&["sslkey belongs to sslcert"])),
        ("postgres://certified@localhost:{port}/postgres?sslcert={dir}/no.crt", &[], Fails(&["no.crt"])),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?channel_binding=require", &[], Tls),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?channel_binding=require&sslmode=disable", &[], Fails(&["channel binding"])),
        // Passwords and where they come from.
        ("postgres://hard:s3cr3t%40a%2Fb%3Ac%3Fd%25e%20%27f%5Cg@localhost:{port}/postgres", &[], Tls),
        ("host=localhost port={port} dbname=postgres user=hard password='s3cr3t@a/b:c?d%e \\'f\\\\g'", &[], Tls),
        ("postgres://hard@localhost:{port}/postgres", &[("HOME", "{dir}/passes")], Tls),
        ("postgres://app@localhost:{port}/postgres", &[("HOME", "{dir}/passes")], Tls),
        ("postgres://app@127.0.0.1:{port}/postgres", &[("HOME", "{dir}/passes")], Fails(&["asks for a password", ".pgpass"])),
        ("postgres://app@/postgres?host={dir}&port={port}", &[("PGPASSFILE", "{dir}/socketpass")], Plain),
        ("postgres://app@localhost:{port}/postgres", &[("PGPASSFILE", "{dir}/openpass")], Fails(&["asks for a password"])),
        ("postgres://app@localhost:{port}/postgres", &[("PGPASSFILE", "{dir}/wrongpass")], Fails(&["28P01", "wrongpass"])),
        ("postgres://app:s3cr3t@localhost:{port}/postgres", &[("PGPASSFILE", "{dir}/wrongpass")], Tls),
        ("postgres://app:s3cr3t-not@localhost:{port}/postgres", &[], Fails(&["28P01", "localhost", "database \"postgres\"", "user \"app\"", "check the password"])),
        ("postgres://app@localhost:{port}/postgres", &[], Fails(&["asks for a password", "PGPASSWORD"])),
        ("postgres://app@localhost:{port}/postgres", &[("PGPASSWORD", "s3cr3t-not")], Fails(&["28P01"])),
        ("postgres://missing:s3cr3t@localhost:{port}/postgres", &[], Fails(&["28P01"])),
        // Databases.
        ("postgres://app:s3cr3t@localhost:{port}/nowhere", &[], Fails(&["3D000", "\"nowhere\"", "createdb nowhere"])),
        ("postgres://app:s3cr3t@localhost:{port}/closed", &[], Fails(&["42501", "grant connect on database \"closed\""])),
        // Not reached, and the next host.
        ("postgres://app:s3cr3t@127.0.0.1:{closed}/postgres", &[], Fails(&["cannot connect to 127.0.0.1:", "connection refused", "is the server running"])),
        ("postgres://app:s3cr3t@nowhere.invalid:{port}/postgres", &[], Fails(&["unknown host \"nowhere.invalid\""])),
        ("postgres://app:s3cr3t@127.0.0.1:{silent}/postgres?connect_timeout=1", &[], Fails(&["no answer within 1 s"])),
        ("postgres://app:s3cr3t@127.0.0.1:{closed},nowhere.invalid:1,localhost:{port}/postgres", &[], Tls),
        ("postgres://app:s3cr3t@127.0.0.1:{closed},nowhere.invalid:1/postgres", &[], Fails(&["connection refused", "unknown host"])),
        ("postgres://app:s3cr3t-not@localhost:{port},127.0.0.1:{closed}/postgres", &[], Fails(&["28P01"])),
        ("postgres://app:s3cr3t@localhost:{port}/postgres?target_session_attrs=read-only", &[], Fails(&["not read only"])),
    ])
    .await;

    // A statement is cancelled over the same kind of connection.
    for mode in ["require", "disable"] {
        let url = format!("postgres://app:{SECRET}@localhost:{}/postgres?sslmode={mode}", server.port);
        let target = Target::resolve(Some(&url), &|_| None).unwrap();
        let client = connect(&target).await.unwrap();
        let token = client.cancel_token();
        let (slept, ()) = tokio::join!(client.batch_execute("select pg_sleep(60)"), async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            cancel(&target, &token).await.unwrap();
        });
        assert_eq!(slept.unwrap_err().code().map(|code| code.code()), Some("57014"), "{mode}");
    }

    // A certificate that has only a common name.
    server.restart_with("ssl_cert_file = '../common.crt'\nssl_key_file = '../common.key'");
    run(
        &server,
        &[
            ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={dir}/ca.crt", &[], Tls),
            (
                "postgres://app:s3cr3t@127.0.0.1:{port}/postgres?sslmode=verify-full&sslrootcert={dir}/ca.crt",
                &[],
                Fails(&["not valid for the host name"]),
            ),
            ("postgres://app:s3cr3t@127.0.0.1:{port}/postgres?sslmode=verify-ca&sslrootcert={dir}/ca.crt", &[], Tls),
        ],
    )
    .await;

    server.restart_with("ssl_cert_file = '../expired.crt'\nssl_key_file = '../expired.key'");
    run(
        &server,
        &[
            (
                "postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-ca&sslrootcert={dir}/ca.crt",
                &[],
                Fails(&["has expired"]),
            ),
            (
                "postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-ca&sslrootcert={dir}/expired.crt",
                &[],
                Fails(&["has expired"]),
            ),
            ("postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=require", &[], Tls),
        ],
    )
    .await;

    server.restart_with("ssl_cert_file = '../alone.crt'\nssl_key_file = '../alone.key'");
    run(
        &server,
        &[
            (
                "postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={dir}/alone.crt",
                &[],
                Tls,
            ),
            (
                "postgres://app:s3cr3t@127.0.0.1:{port}/postgres?sslmode=verify-full&sslrootcert={dir}/alone.crt",
                &[],
                Fails(&["not valid for the host name"]),
            ),
            (
                "postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-ca&sslrootcert={dir}/ca.crt",
                &[],
                Fails(&["not trusted"]),
            ),
        ],
    )
    .await;

    server.restart_with("ssl = off");
    run(
        &server,
        &[
            ("postgres://app:s3cr3t@localhost:{port}/postgres", &[], Plain),
            (
                "postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=require",
                &[],
                Fails(&["does not support SSL", "sslmode=prefer"]),
            ),
            (
                "postgres://app:s3cr3t@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={dir}/ca.crt",
                &[],
                Fails(&["does not support SSL"]),
            ),
        ],
    )
    .await;
}
