//! `schema.lock`: what a declaration compiles to, kept beside it and committed with it.
//!
//! JSON lines. A header; two lines per file of the declaration; then one line per thing in the order of addresses, so
//! that a table and all below it are one block. A line holds for the majors in its `pg`, or for all of the header if
//! it has none. With a fresh lock nothing has to be compiled.
//!
//! Fresh means that each file's digest is the one noted, and that what its things need of other files is what it
//! was when they were compiled. So two changes that git merges line by line give a lock that is right or known to be
//! stale. Each file's lines seal the blocks that it declares: an edit by hand is seen.

mod line;
mod write;

pub use line::{escaped, starts_block, Locked};
use line::{lines, Addresses};
pub use write::{write, Origin};

use super::surroundings::Stubs;
use crate::declare::{Basis, Source, Sources, Tenancy};
use crate::error::{Error, Result};
use crate::model::{Address, Model, Node};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The version of the lock format: a lock of another one is compiled anew.
const FORMAT: u32 = 2;

/// Bytes from which on a lock is large.
const LARGE: usize = 4 << 20;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub pgplumb_lock: u32,
    /// Majors that were compiled.
    pub majors: Vec<u32>,
    pub settings: LockedSettings,
    /// Digest of the settings and templates that all files rest on.
    pub basis: String,
    /// Digest of what is external; empty if nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub external: String,
    /// Read from a live database: its prints were never fed back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// Digest of this line without its seal.
    pub seal: String,
}

/// What commands need of the declaration's settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedSettings {
    pub schemas: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_path: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenancy: Option<Tenancy>,
    /// What it refers to and does not own, as it was found on a target.
    #[serde(default, skip_serializing_if = "Stubs::is_empty")]
    pub stubs: Stubs,
}

/// The first line of one file. It stands apart from what changes, so that git can merge changes of two files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceLine {
    source: String,
}

/// What the second line of one file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceState {
    /// Its path below the root, which the first line says; empty for what no file declares.
    #[serde(skip)]
    source: String,
    digest: String,
    /// Whether it holds settings, templates or external things.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    basis: bool,
    /// What settings, templates and external things its own were compiled with: see [`Header::ground`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    ground: String,
    /// Digest of the blocks that it declares.
    seal: String,
    /// What these need of other files: path, and digest of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    uses: Vec<(String, String)>,
}

impl Header {
    /// A short digest of all that every file rests on: a merge may bring together files that were compiled on two.
    fn ground(&self) -> String {
        short(format!("{} {}", self.basis, self.external).as_bytes()).chars().take(8).collect()
    }

    /// With the seal that its content asks for.
    fn sealed(&self) -> Self {
        let mut header = Self { seal: String::new(), ..self.clone() };
        header.seal = short(serde_json::to_string(&header).unwrap_or_default().as_bytes());
        header
    }
}

fn short(bytes: &[u8]) -> String {
    crate::declare::files::digest(bytes)
}

/// The digest of lines in their order.
#[derive(Default)]
struct Seal(blake3::Hasher);

impl Seal {
    fn add(&mut self, line: &str) {
        self.0.update(line.as_bytes());
        self.0.update(b"\n");
    }

    /// Adds lines with their ends.
    fn add_lines(&mut self, lines: &str) {
        self.0.update(lines.as_bytes());
    }

    fn text(&self) -> String {
        crate::declare::files::short(&self.0.finalize())
    }
}

/// The seals of a body by the sources of its blocks. A body is sealed in pieces that are as long as can be: these are
/// digested faster than lines.
#[derive(Default)]
struct Seals<'a> {
    by_source: FxHashMap<&'a str, Seal>,
    /// Whose the piece is that is not sealed yet, and where it begins.
    source: Option<&'a str>,
    from: usize,
}

impl<'a> Seals<'a> {
    /// Where `body` ends so far, a block of a source begins.
    fn begin(&mut self, source: &'a str, body: &str) {
        if self.source != Some(source) {
            self.end(body);
            self.source = Some(source);
        }
    }

    /// Seals what there is.
    fn end(&mut self, body: &str) {
        if let Some(source) = self.source {
            self.by_source.entry(source).or_default().add_lines(&body[self.from..]);
        }
        self.from = body.len();
    }

    /// The seal of a source; that of nothing if there is none of it.
    fn take(&mut self, source: &str) -> String {
        self.by_source.remove(source).unwrap_or_default().text()
    }
}

/// The digest of one thing's specs, one for each line that it has.
fn spec_digest<'a>(specs: impl Iterator<Item = &'a str>) -> String {
    let mut seal = Seal::default();
    specs.for_each(|spec| seal.add(spec));
    seal.text().chars().take(16).collect()
}

/// The digest of a relation's columns, by path and spec; other lines are left out.
fn columns_digest(lines: impl Iterator<Item = (String, String)>) -> String {
    let mut seal = Seal::default();
    for (path, spec) in lines {
        let last = path.rsplit('/').next().unwrap_or_default();
        if ["column ", "view column "].iter().any(|kind| last.starts_with(kind)) {
            seal.add(&path);
            seal.add(&spec);
        }
    }
    seal.text().chars().take(16).collect()
}

/// A lock as read.
pub struct Lock {
    pub header: Header,
    sources: Vec<SourceState>,
    text: String,
    body: usize,
    /// Files whose things need something that is no longer what it was, with the paths of that.
    shaken: BTreeMap<String, Vec<String>>,
}

/// Where the lock of a declaration is: in its directory, or beside its one file.
pub fn path_of(declaration: &Path) -> PathBuf {
    if declaration.is_dir() {
        declaration.join("schema.lock")
    } else {
        declaration.with_extension("lock")
    }
}

/// The first line of a lock, which may be one that cannot be used; None if there is no such line.
pub fn header(path: &Path) -> Option<Header> {
    let mut first = String::new();
    BufReader::new(File::open(path).ok()?).read_line(&mut first).ok()?;
    serde_json::from_str(&first).ok()
}

impl Lock {
    /// Reads the lock; None if there is none. Errors: another format, or edited by hand.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::new(format!("cannot read {}: {error}", path.display()))),
        };
        Self::parse(text).map(Some).map_err(|why| {
            Error::new(format!("{} cannot be used: {why}", path.display()))
                .with_hint("run `pgplumb compile` to write it anew")
        })
    }

    fn parse(mut text: String) -> std::result::Result<Self, String> {
        // As an editor or git may have left the ends of lines.
        if text.contains('\r') {
            text = text.replace("\r\n", "\n");
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        const CONFLICT: &str = "it was changed by hand, or a merge left it half done";
        let broken = |error: serde_json::Error| format!("{CONFLICT}: {error}");
        let first = text.lines().next().unwrap_or_default();
        // Of another format only the version is known.
        let format = serde_json::from_str::<serde_json::Value>(first).map_err(broken)?;
        let format = format.get("pgplumb_lock").and_then(serde_json::Value::as_u64).unwrap_or_default();
        if format != u64::from(FORMAT) {
            return Err(format!("it has format {format}, this program reads {FORMAT}"));
        }
        let header: Header = serde_json::from_str(first).map_err(broken)?;
        if header != header.sealed() {
            return Err(CONFLICT.to_owned());
        }
        let mut body = first.len() + 1;
        let mut sources = Vec::new();
        let mut lines = text.lines().skip(1);
        while let Some(first) = lines.next().filter(|line| line.starts_with("{\"source\"")) {
            let second = lines.next().unwrap_or_default();
            let SourceLine { source } = serde_json::from_str(first).map_err(broken)?;
            sources.push(SourceState { source, ..serde_json::from_str(second).map_err(broken)? });
            body += first.len() + second.len() + 2;
        }
        let mut lock = Self { header, sources, body: body.min(text.len()), text, shaken: BTreeMap::new() };
        lock.verify().map_err(|why| why.unwrap_or_else(|| CONFLICT.to_owned()))?;
        Ok(lock)
    }

    /// Compares the seals, and finds what is shaken. Errors: a seal does not hold, with the words for it if there are any.
    fn verify(&mut self) -> std::result::Result<(), Option<String>> {
        let mut used: FxHashMap<String, Vec<String>> = FxHashMap::default();
        for (path, _) in self.sources.iter().flat_map(|s| &s.uses) {
            used.entry(line::escaped(path)).or_default();
        }
        let body = &self.text[self.body..];
        let (mut seals, mut at) = (Seals::default(), 0);
        for line in lines(body) {
            let (source, path) = line::names(line).ok_or(None)?;
            if let Some(source) = source {
                seals.begin(source, &body[..at]);
            }
            seals.source.ok_or(None)?;
            at += line.len() + 1;
            if let Some(specs) = used.get_mut(path) {
                let spec = line::parse(line).map_err(|e| Some(e.to_string()))?.spec.get().to_owned();
                specs.push(spec);
            }
        }
        seals.end(body);
        let mut columns: FxHashMap<&str, String> = FxHashMap::default();
        for (path, _) in self.sources.iter().flat_map(|s| &s.uses).filter(|(path, _)| path.ends_with("/*")) {
            let relation = path.trim_end_matches("/*");
            if !columns.contains_key(relation) {
                columns.insert(relation, self.columns_of(relation).map_err(|e| Some(e.to_string()))?);
            }
        }
        let mut shaken = BTreeMap::new();
        for SourceState { source, digest: _, basis: _, ground: _, seal, uses } in &self.sources {
            if seals.take(&line::escaped(source)) != *seal {
                return Err(None);
            }
            let holds = |(path, digest): &(String, String)| {
                if let Some(now) = path.strip_suffix("/*").and_then(|relation| columns.get(relation)) {
                    return now == digest;
                }
                used.get(&line::escaped(path))
                    .is_some_and(|specs| spec_digest(specs.iter().map(String::as_str)) == *digest)
            };
            let moved: Vec<String> = uses.iter().filter(|u| !holds(u)).map(|(path, _)| path.clone()).collect();
            if !moved.is_empty() {
                shaken.insert(source.clone(), moved);
            }
        }
        if !seals.by_source.is_empty() {
            return Err(None);
        }
        self.shaken = shaken;
        Ok(())
    }

    /// The digest of the columns of the relation with this path.
    fn columns_of(&self, relation: &str) -> Result<String> {
        let below = format!("{{\"at\":\"{}/", line::escaped(relation));
        let mut found: Vec<(String, String)> = Vec::new();
        for text in lines(&self.text[self.body..]).filter(|text| text.starts_with(&below)) {
            let line = line::parse(text)?;
            if found.last().is_none_or(|(path, _)| *path != line.at) {
                found.push((line.at.into_owned(), line.spec.get().to_owned()));
            }
        }
        Ok(columns_digest(found.into_iter()))
    }

    /// Whether to read it takes longer than anybody notices.
    pub fn is_large(&self) -> bool {
        self.text.len() > LARGE
    }

    /// The paths of sources that are not what they were when it was written.
    pub fn stale(&self, sources: &Sources) -> Vec<String> {
        let now: BTreeMap<&str, &str> = sources.files.iter().map(|s| (s.path.as_str(), s.digest.as_str())).collect();
        let then: BTreeMap<&str, &str> =
            self.named().map(|line| (line.source.as_str(), line.digest.as_str())).collect();
        let mut stale: BTreeSet<&str> = self.shaken.keys().map(String::as_str).collect();
        stale.extend(self.on_other_ground());
        stale.extend(now.iter().filter(|(path, digest)| then.get(*path) != Some(digest)).map(|(path, _)| *path));
        stale.extend(then.keys().filter(|path| !now.contains_key(*path)).copied());
        stale.into_iter().map(str::to_owned).collect()
    }

    /// The files whose things were compiled with other settings, templates or external things than the lock says: a merge
    /// brought them together, and nothing of the lock can be trusted to be one.
    fn on_other_ground(&self) -> impl Iterator<Item = &str> {
        let ground = self.header.ground();
        let others = self.sources.iter().filter(move |line| !line.ground.is_empty() && line.ground != ground);
        others.map(|line| line.source.as_str())
    }

    /// Whether all of it was compiled with the same settings, templates and external things.
    pub fn is_one(&self) -> bool {
        self.on_other_ground().next().is_none()
    }

    /// The files of the declaration.
    fn named(&self) -> impl Iterator<Item = &SourceState> {
        self.sources.iter().filter(|line| !line.source.is_empty())
    }

    /// What is no longer what it was when things of other files were compiled that need it: a merge brought them together.
    pub fn moved(&self) -> Vec<Address> {
        let paths = self.shaken.values().flatten().map(|path| path.trim_end_matches("/*"));
        paths.filter_map(crate::plan::address_of).collect()
    }

    /// The files that hold settings, templates and external things.
    pub fn basis(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter(|line| line.basis).map(|line| line.source.as_str())
    }

    /// Sources that are no YAML files of the declaration: bodies, by their path below its root.
    pub fn bodies(&self) -> impl Iterator<Item = &str> {
        self.named().map(|line| line.source.as_str()).filter(|path| is_body(path))
    }

    /// The YAML files of the declaration with their digests.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.named().map(|line| (line.source.as_str(), line.digest.as_str())).filter(|(path, _)| !is_body(path))
    }

    /// The model for one major. Errors: a line that is none.
    pub fn model(&self, major: u32) -> Result<Model> {
        let (mut nodes, mut addresses) = (Vec::new(), Addresses::default());
        for text in lines(&self.text[self.body..]) {
            let line = line::parse(text)?;
            if line.holds_for(major) {
                nodes.push(line.node(&mut addresses, true)?);
            }
        }
        Ok(Model::new(nodes))
    }

    /// The model for one major, for a comparison with what is live and for nothing else: without dependencies, and where
    /// a line says what is live, without anything that only matters if it does not. Errors: a line that is none.
    pub fn beside(&self, live: &Model, major: u32) -> Result<Model> {
        let (body, live) = (&self.text[self.body..], live.nodes());
        let middle = memchr::memchr(b'\n', &body.as_bytes()[body.len() / 2..]);
        let middle = middle.map(|end| body.len() / 2 + end + 1).filter(|at| self.is_large() && *at < body.len());
        let Some(middle) = middle else { return Ok(Model::new(beside(body, live, major)?)) };
        let (first, later) = body.split_at(middle);
        let next = lines(later).next().map(line::parse).transpose()?;
        let next = next.map(|line| line.node(&mut Addresses::default(), false)).transpose()?;
        let (live, later_live) =
            live.split_at(next.map_or(live.len(), |next| live.partition_point(|node| node.address < next.address)));
        let (first, later) = std::thread::scope(|scope| {
            let later = scope.spawn(|| beside(later, later_live, major));
            (beside(first, live, major), later.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let mut nodes = first?;
        nodes.extend(later?);
        Ok(Model::new(nodes))
    }

    /// The line of nodes at one address, if it is the same for all of the lock's majors, of which there are so `many`, and
    /// nothing of it has changed.
    fn line_of<'a>(&self, nodes: impl Iterator<Item = &'a Locked>, many: usize) -> Option<&str> {
        let mut places = nodes.map(|locked| locked.line.as_ref());
        let place = places.next()??;
        let others = places.try_fold(1, |count, other| (other == Some(place)).then_some(count + 1))?;
        self.text.get(place.clone()).filter(|_| others == many)
    }

    /// All nodes for one major, with their origin. Errors: a line that is none.
    pub fn locked(&self, major: u32) -> Result<Vec<Locked>> {
        let (mut nodes, mut addresses) = (Vec::new(), Addresses::default());
        let mut source = String::new();
        let mut at = self.body;
        for text in lines(&self.text[self.body..]) {
            let line = line::parse(text)?;
            let place = at..at + text.len();
            at = place.end + 1;
            if let Some(named) = &line.source {
                if **named != source {
                    source = named.to_string();
                }
            }
            if line.holds_for(major) {
                nodes.push(Locked { line: Some(place), ..line.locked(&source, &mut addresses, true)? });
            }
        }
        Ok(nodes)
    }
}

/// The nodes of some lines beside those live nodes that can be at their addresses; both are in the order of addresses.
fn beside(text: &str, live: &[Node], major: u32) -> Result<Vec<Node>> {
    let (mut nodes, mut addresses) = (Vec::with_capacity(live.len()), Addresses::default());
    let mut ahead = live;
    for text in lines(text) {
        if let Some((first, rest)) = ahead.split_first().filter(|(first, _)| line::is_bare(text, first)) {
            nodes.push(first.bare());
            ahead = rest;
            continue;
        }
        let line = line::parse(text)?;
        if line.holds_for(major) {
            let node = line.node(&mut addresses, false)?;
            ahead = &ahead[ahead.partition_point(|live| live.address <= node.address)..];
            nodes.push(node);
        }
    }
    Ok(nodes)
}

fn is_body(path: &str) -> bool {
    !path.ends_with(".yaml") && !path.ends_with(".yml")
}

/// Adds to a lock what was learned of the prints of some of its nodes, for one major; whether there was a lock that
/// knows them. Errors: the lock cannot be read or written.
pub fn learn<'a>(path: &Path, major: u32, learned: impl Iterator<Item = &'a Node>) -> Result<bool> {
    let holds = |lock: &Lock| lock.header.majors.contains(&major) && lock.is_one();
    let Some(lock) = Lock::read(path)?.filter(holds) else { return Ok(false) };
    let mut models: BTreeMap<u32, Vec<Locked>> = BTreeMap::new();
    for known in &lock.header.majors {
        models.insert(*known, lock.locked(*known)?);
    }
    let learned: BTreeMap<&Address, &Node> = learned.map(|node| (&node.address, node)).collect();
    for Locked { node, line, .. } in models.get_mut(&major).into_iter().flatten() {
        if let Some(new) = learned.get(&node.address).filter(|new| new.spec == node.spec) {
            node.prints.clone_from(&new.prints);
            node.old_prints.clone_from(&new.old_prints);
            *line = None;
        }
    }
    let Header { pgplumb_lock: _, majors: _, settings, basis, external, adopted, seal: _ } = &lock.header;
    let source = |state: &SourceState| Source { path: state.source.clone(), digest: state.digest.clone() };
    let sources = Sources { root: PathBuf::new(), files: lock.named().map(source).collect() };
    let basis =
        Basis { files: lock.basis().map(str::to_owned).collect(), digest: basis.clone(), external: external.clone() };
    let origin =
        Origin { sources: &sources, basis: &basis, settings: settings.clone(), adopted: *adopted, before: Some(&lock) };
    store(path, &write(&models, &origin)?)?;
    Ok(true)
}

/// Writes the file whole or not at all.
pub fn store(path: &Path, text: &str) -> Result<()> {
    // Not the error's own words: they name a temporary file.
    let fail = |error: std::io::Error| Error::new(format!("cannot write {}: {}", path.display(), error.kind()));
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(fail)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(fail)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(fail)?;
    }
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}
