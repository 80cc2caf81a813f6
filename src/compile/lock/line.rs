//! One line of the lock: a node, and where it comes from.

use crate::error::{Error, Result};
use crate::model::{Address, Grants, Hints, Node, Spec};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// A node with what the lock knows of its origin.
#[derive(Clone, Debug)]
pub struct Locked {
    pub node: Node,
    /// The file that declares it, by its path below the root; empty where no file does.
    pub source: Box<str>,
    /// Digest of what was written; None for what PostgreSQL made by itself, and in an adopted lock.
    pub written: Option<Box<str>>,
    /// The address it was written under, where the server knows a better one.
    pub alias: Option<Address>,
    /// Relations that its text takes as a whole: with other columns there, it is another thing.
    pub reads: Vec<Address>,
    /// Where in the lock that it was read from its line stands, without its end; None once that says something else.
    pub line: Option<Range<usize>>,
}

impl Locked {
    /// The address that the declaration has for it.
    pub fn written_as(&self) -> &Address {
        self.alias.as_ref().unwrap_or(&self.node.address)
    }
}

/// As it stands in the file. A line that starts a block says its source; those below it belong to the same.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    #[serde(borrow, rename = "in", default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub at: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pg: Vec<u32>,
    #[serde(borrow)]
    pub spec: &'a RawValue,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    owner: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    comment: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grants: Option<Arc<Grants>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    order: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    needs: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reads: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hints: Option<Box<Hints>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prints: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    old_prints: Vec<(String, String)>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    written: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    alias: Option<Cow<'a, str>>,
}

/// A path in a list of them: only so is it borrowed.
#[derive(Deserialize)]
struct Path<'a>(#[serde(borrow)] Cow<'a, str>);

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Whether the node of this address starts a block of the lock: what stands below it belongs to the same file.
pub fn starts_block(address: &Address) -> bool {
    address.is_thing()
}

/// How a line starts that starts a block.
pub(super) const BLOCK: &str = "{\"in\":\"";

/// The lines of a text, without their ends.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let ends = memchr::memchr_iter(b'\n', text.as_bytes());
    ends.filter_map(move |end| text.get(std::mem::replace(&mut from, end + 1)..end))
}

/// The file and the path that a line names, as they stand in it, without a look at the rest; the file is None where the
/// line does not start a block. None if the line is none.
pub(super) fn names(line: &str) -> Option<(Option<&str>, &str)> {
    let (source, rest) = at(line)?;
    Some((source, string(rest)?))
}

/// The same, with all that follows the path.
fn at(line: &str) -> Option<(Option<&str>, &str)> {
    let Some(rest) = line.strip_prefix(BLOCK) else { return Some((None, line.strip_prefix("{\"at\":\"")?)) };
    let source = string(rest)?;
    Some((Some(source), rest[source.len()..].strip_prefix("\",\"at\":\"")?))
}

/// Whether a line says of a live node its address and spec, and no facets: it holds for all majors, and owner, comment and
/// grants are not declared. Takes less time than to read the line; where it says no, nothing is known.
pub(super) fn is_bare(line: &str, live: &Node) -> bool {
    let spec = at(line).and_then(|(_, rest)| live.address.after_plain_path(rest)?.strip_prefix("\",\"spec\":"));
    let facets = [",\"owner\":", ",\"comment\":", ",\"grants\":"];
    let bare = |rest: &str| !facets.iter().any(|facet| rest.starts_with(facet));
    spec.and_then(|rest| rest.strip_prefix(live.spec.as_json())).is_some_and(bare)
}

/// Up to the quote that ends a JSON string.
fn string(text: &str) -> Option<&str> {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some(&text[..end])
}

/// A text as it stands in a JSON string, without the quotes.
pub fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

pub(super) fn parse(text: &str) -> Result<Line<'_>> {
    serde_json::from_str(text).map_err(|e| Error::new(format!("a line of the lock cannot be read: {e}")))
}

/// Reads addresses of lines in their order.
#[derive(Default)]
pub(super) struct Addresses<'a> {
    /// The last one that starts a block: most lines stand right below it.
    block: Option<(&'a str, Address)>,
    /// What things of that block need, and what those of others do, by path: most is needed by several.
    near: Vec<(Cow<'a, str>, Address)>,
    far: HashMap<Cow<'a, str>, Address>,
}

impl<'a> Addresses<'a> {
    fn of(&mut self, path: Cow<'a, str>) -> Result<Address> {
        let address = match self.below(&path) {
            Some(address) => address,
            None => address(&path)?,
        };
        if let (true, Cow::Borrowed(path)) = (starts_block(&address), path) {
            self.block = Some((path, address.clone()));
            self.near.clear();
        }
        Ok(address)
    }

    /// The address of what stands right below the block; None if that takes more than a look.
    fn below(&self, path: &str) -> Option<Address> {
        let (block, above) = self.block.as_ref()?;
        let rest = path.strip_prefix(block)?.strip_prefix('/')?;
        let kind = crate::kinds::kind_of_path(rest).filter(|_| !rest.contains(['/', '\\']))?;
        Some(above.child(kind, rest.get(kind.len() + 1..)?))
    }

    /// The address of something that is needed.
    fn needed(&mut self, path: Cow<'a, str>) -> Result<Address> {
        if let Some((_, known)) = self.near.iter().find(|(other, _)| *other == path) {
            return Ok(known.clone());
        }
        if let Some(found) = self.below(&path) {
            self.near.push((path, found.clone()));
            return Ok(found);
        }
        if let Some(known) = self.far.get(&path) {
            return Ok(known.clone());
        }
        let found = address(&path)?;
        self.far.insert(path, found.clone());
        Ok(found)
    }
}

fn address(path: &str) -> Result<Address> {
    crate::plan::address_of(path).ok_or_else(|| Error::new(format!("the lock names `{path}`, which is no address")))
}

impl<'a> Line<'a> {
    pub fn holds_for(&self, major: u32) -> bool {
        self.pg.is_empty() || self.pg.contains(&major)
    }

    /// The node. Without `deep`, what it needs is left out.
    pub fn node(self, addresses: &mut Addresses<'a>, deep: bool) -> Result<Node> {
        Ok(self.locked("", addresses, deep)?.node)
    }

    /// The node with its origin, but without the place of its line; `source` is the file that the block's first line names.
    pub fn locked(self, source: &str, addresses: &mut Addresses<'a>, deep: bool) -> Result<Locked> {
        let Self {
            source: _,
            at,
            pg: _,
            spec,
            owner,
            comment,
            grants,
            order,
            needs,
            reads,
            hints,
            prints,
            old_prints,
            written,
            alias,
        } = self;
        let needs: Vec<Path<'a>> = match needs.filter(|_| deep) {
            Some(raw) => serde_json::from_str(raw.get()).map_err(|e| Error::new(format!("{at}: {e}")))?,
            None => Vec::new(),
        };
        let node = Node {
            address: addresses.of(at)?,
            spec: Spec::from_json(spec.get()),
            owner: owner.map(|o| o.as_ref().into()),
            comment: comment.map(|c| c.as_ref().into()),
            grants,
            order,
            needs: needs.into_iter().map(|Path(path)| addresses.needed(path)).collect::<Result<_>>()?,
            hints,
            prints,
            old_prints,
        };
        Ok(Locked {
            node,
            source: source.into(),
            written: written.map(|w| w.as_ref().into()),
            alias: alias.map(|a| address(&a)).transpose()?,
            reads: reads.iter().map(|r| address(r)).collect::<Result<_>>()?,
            line: None,
        })
    }
}

/// The line of a node, without its end.
pub(super) fn text(locked: &Locked, pg: &[u32]) -> Result<String> {
    let Locked { node, source, written, alias, reads, line: _ } = locked;
    let Node { address, spec, owner, comment, grants, order, needs, hints, prints, old_prints } = node;
    let fail = |e: serde_json::Error| Error::new(format!("{address} cannot be written to the lock: {e}"));
    let raw: &RawValue = serde_json::from_str(spec.as_json()).map_err(fail)?;
    let paths: Vec<String> = needs.iter().map(Address::path).collect();
    let needs = (!paths.is_empty()).then(|| serde_json::value::to_raw_value(&paths)).transpose().map_err(fail)?;
    let line = Line {
        source: starts_block(address).then_some(Cow::Borrowed(source)),
        at: Cow::Owned(address.path()),
        pg: pg.to_vec(),
        spec: raw,
        owner: owner.as_deref().map(Cow::Borrowed),
        comment: comment.as_deref().map(Cow::Borrowed),
        grants: grants.clone(),
        order: *order,
        needs: needs.as_deref(),
        reads: reads.iter().map(Address::path).collect(),
        hints: hints.clone(),
        prints: prints.clone(),
        old_prints: old_prints.clone(),
        written: written.as_deref().map(Cow::Borrowed),
        alias: alias.as_ref().map(|a| Cow::Owned(a.path())),
    };
    serde_json::to_string(&line).map_err(fail)
}
