//! `schema.lock`: what a declaration compiles to, kept beside it and committed with it.
//!
//! JSON lines: a header, then one line per thing in the order of addresses. A line holds for the majors
//! in its `pg`, or for all of the header if it has none. With a fresh lock nothing has to be compiled;
//! fresh means that the sources' digests are those of the header.

use crate::declare::{Source, Sources, Tenancy};
use crate::error::{Error, Result};
use crate::model::{Address, Grants, Hints, Model, Node, Spec};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of the lock format.
const FORMAT: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub pgplumb_lock: u32,
    /// Majors that were compiled.
    pub majors: Vec<u32>,
    /// What must hold for the lock to be fresh: path and digest of each source.
    pub sources: Vec<(String, String)>,
    pub settings: LockedSettings,
    /// Digest of all other lines: an edit by hand is seen.
    pub seal: String,
}

/// What commands need of the declaration's settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedSettings {
    pub schemas: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenancy: Option<Tenancy>,
}

/// One thing. Order of fields: what is compared first.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pg: Vec<u32>,
    #[serde(borrow)]
    spec: &'a RawValue,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    owner: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    comment: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grants: Option<Box<Grants>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    order: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    needs: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hints: Option<Box<Hints>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prints: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    old_prints: Vec<(String, String)>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A lock as read.
pub struct Lock {
    pub header: Header,
    text: String,
    body: usize,
}

/// Where the lock of a declaration is: in its directory, or beside its one file.
pub fn path_of(declaration: &Path) -> PathBuf {
    if declaration.is_dir() {
        declaration.join("schema.lock")
    } else {
        declaration.with_extension("lock")
    }
}

impl Lock {
    /// Reads the lock; None if there is none. Errors: another format, or edited by hand.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::new(format!("cannot read {}: {error}", path.display()))),
        };
        let broken = |why: String| {
            Error::new(format!("{} cannot be used: {why}", path.display()))
                .with_hint("run `pgplumb compile` to write it anew")
        };
        let body = text.find('\n').map_or(text.len(), |at| at + 1);
        let header: Header = serde_json::from_str(&text[..body]).map_err(|e| broken(e.to_string()))?;
        if header.pgplumb_lock != FORMAT {
            return Err(broken(format!("it has format {}, this program reads {FORMAT}", header.pgplumb_lock)));
        }
        if header.seal != seal(&text[body..]) {
            return Err(broken("it was changed by hand, or a merge left it half done".into()));
        }
        Ok(Some(Self { header, text, body }))
    }

    /// The paths of sources that are not what they were when it was written.
    pub fn stale(&self, sources: &Sources) -> Vec<String> {
        let now: BTreeMap<&str, &str> = sources.files.iter().map(|s| (s.path.as_str(), s.digest.as_str())).collect();
        let then: BTreeMap<&str, &str> = self.header.sources.iter().map(|(p, d)| (p.as_str(), d.as_str())).collect();
        let mut stale: Vec<String> = now
            .iter()
            .filter(|(path, digest)| then.get(*path) != Some(digest))
            .map(|(path, _)| *path)
            .chain(then.keys().filter(|path| !now.contains_key(*path)).copied())
            .map(str::to_owned)
            .collect();
        stale.sort();
        stale
    }

    /// Sources that are no YAML files of the declaration: bodies, by their path below its root.
    pub fn bodies(&self) -> impl Iterator<Item = &str> {
        let is_yaml = |p: &&str| p.ends_with(".yaml") || p.ends_with(".yml");
        self.header.sources.iter().map(|(path, _)| path.as_str()).filter(move |p| !is_yaml(p))
    }

    /// The model for one major. Without `deep`, dependencies are left out: a comparison needs none, and they
    /// are most of the lock. Errors: a line that is none.
    pub fn model(&self, major: u32, deep: bool) -> Result<Model> {
        let mut nodes = Vec::new();
        for text in self.text[self.body..].lines() {
            nodes.extend(node(text, major, deep)?);
        }
        Ok(Model::new(nodes))
    }

    /// What has to be known before a database is read: the nodes whose path holds one of these words.
    pub fn some(&self, major: u32, words: &[&str]) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        for text in self.text[self.body..].lines() {
            // A quote inside the path is escaped, and so is one after a comma in it.
            let path = text.strip_prefix("{\"at\":\"").and_then(|rest| rest.split("\",\"").next()).unwrap_or_default();
            if words.iter().any(|word| path.contains(word)) {
                nodes.extend(node(text, major, true)?);
            }
        }
        Ok(nodes)
    }
}

fn node(text: &str, major: u32, deep: bool) -> Result<Option<Node>> {
    let line: Line =
        serde_json::from_str(text).map_err(|e| Error::new(format!("a line of the lock cannot be read: {e}")))?;
    if !line.pg.is_empty() && !line.pg.contains(&major) {
        return Ok(None);
    }
    line.node(deep).map(Some)
}

fn address(path: &str) -> Result<Address> {
    crate::plan::address_of(path).ok_or_else(|| Error::new(format!("the lock names `{path}`, which is no address")))
}

impl Line<'_> {
    fn node(self, deep: bool) -> Result<Node> {
        let Self { at, pg: _, spec, owner, comment, grants, order, needs, hints, prints, old_prints } = self;
        let needs: Vec<Cow<'_, str>> = match needs.filter(|_| deep) {
            Some(raw) => serde_json::from_str(raw.get()).map_err(|e| Error::new(format!("{at}: {e}")))?,
            None => Vec::new(),
        };
        Ok(Node {
            address: address(&at)?,
            spec: Spec::from_json(spec.get()),
            owner: owner.map(|o| o.as_ref().into()),
            comment: comment.map(|c| c.as_ref().into()),
            grants,
            order,
            needs: needs.iter().map(|n| address(n)).collect::<Result<_>>()?,
            hints,
            prints,
            old_prints,
        })
    }
}

fn seal(body: &str) -> String {
    blake3::hash(body.as_bytes()).to_hex().chars().take(32).collect()
}

fn line(node: &Node, pg: Vec<u32>) -> Result<String> {
    let Node { address, spec, owner, comment, grants, order, needs, hints, prints, old_prints } = node;
    let fail = |e: serde_json::Error| Error::new(format!("{address} cannot be written to the lock: {e}"));
    let raw: &RawValue = serde_json::from_str(spec.as_json()).map_err(fail)?;
    let paths: Vec<String> = needs.iter().map(Address::path).collect();
    let needs = (!paths.is_empty()).then(|| serde_json::value::to_raw_value(&paths)).transpose().map_err(fail)?;
    let line = Line {
        at: Cow::Owned(address.path()),
        pg,
        spec: raw,
        owner: owner.as_deref().map(Cow::Borrowed),
        comment: comment.as_deref().map(Cow::Borrowed),
        grants: grants.clone(),
        order: *order,
        needs: needs.as_deref(),
        hints: hints.clone(),
        prints: prints.clone(),
        old_prints: old_prints.clone(),
    };
    serde_json::to_string(&line).map_err(fail)
}

/// A line, the majors it holds for, and the node it says.
type Variant<'a> = (String, Vec<u32>, &'a Node);

/// The text of a lock for the models of one or more majors.
pub fn write(models: &BTreeMap<u32, Model>, sources: &Sources, settings: LockedSettings) -> Result<String> {
    let majors: Vec<u32> = models.keys().copied().collect();
    let mut lines: BTreeMap<&Address, Vec<Variant>> = BTreeMap::new();
    for (major, model) in models {
        for node in model.nodes() {
            let text = line(node, Vec::new())?;
            let variants = lines.entry(&node.address).or_default();
            match variants.iter_mut().find(|(t, _, _)| *t == text) {
                Some((_, majors, _)) => majors.push(*major),
                None => variants.push((text, vec![*major], node)),
            }
        }
    }
    let mut body = String::new();
    for (text, pg, node) in lines.into_values().flatten() {
        if pg.len() == majors.len() {
            body.push_str(&text);
        } else {
            body.push_str(&line(node, pg)?);
        }
        body.push('\n');
    }
    let header = Header {
        pgplumb_lock: FORMAT,
        majors,
        sources: sources.files.iter().map(|Source { path, digest }| (path.clone(), digest.clone())).collect(),
        settings,
        seal: seal(&body),
    };
    let header = serde_json::to_string(&header).map_err(|e| Error::new(format!("the lock cannot be written: {e}")))?;
    Ok(format!("{header}\n{body}"))
}

/// Adds to a lock what was learned of the prints of some of its nodes, for one major; whether there was a lock that
/// knows them. Errors: the lock cannot be read or written.
pub fn learn<'a>(path: &Path, major: u32, learned: impl Iterator<Item = &'a Node>) -> Result<bool> {
    let Some(lock) = Lock::read(path)?.filter(|lock| lock.header.majors.contains(&major)) else { return Ok(false) };
    let mut models: BTreeMap<u32, Model> = BTreeMap::new();
    for known in &lock.header.majors {
        models.insert(*known, lock.model(*known, true)?);
    }
    let mut learned: BTreeMap<&Address, &Node> = learned.map(|node| (&node.address, node)).collect();
    let nodes = models.remove(&major).unwrap_or_default().into_nodes().into_iter().map(|mut node| {
        if let Some(new) = learned.remove(&node.address).filter(|new| new.spec == node.spec) {
            node.prints.clone_from(&new.prints);
            node.old_prints.clone_from(&new.old_prints);
        }
        node
    });
    let model = Model::new(nodes.collect());
    models.insert(major, model);
    let Header { pgplumb_lock: _, majors: _, sources, settings, seal: _ } = &lock.header;
    let files = sources.iter().map(|(path, digest)| Source { path: path.clone(), digest: digest.clone() });
    let sources = Sources { root: PathBuf::new(), files: files.collect() };
    store(path, &write(&models, &sources, settings.clone())?)?;
    Ok(true)
}

/// Writes the file whole or not at all.
pub fn store(path: &Path, text: &str) -> Result<()> {
    let fail = |error: std::io::Error| Error::new(format!("cannot write {}: {error}", path.display()));
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
