//! Writing the lock.

use super::line::{self, starts_block, Locked};
use super::{columns_digest, spec_digest, Header, Lock, LockedSettings, Seals, SourceLine, SourceState, FORMAT};
use crate::declare::{Basis, Source, Sources};
use crate::error::{Error, Result};
use crate::model::Address;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// What a lock is written from, besides the nodes.
pub struct Origin<'a> {
    pub sources: &'a Sources,
    pub basis: &'a Basis,
    pub settings: LockedSettings,
    /// Read from a live database and never compiled.
    pub adopted: bool,
    /// The lock from which nodes were read that know the place of their line.
    pub before: Option<&'a Lock>,
}

/// What a line says; several lines of one address hold for different majors.
type Line<'a> = &'a Locked;

/// The text of a lock for the nodes of one or more majors.
pub fn write(models: &BTreeMap<u32, Vec<Locked>>, origin: &Origin) -> Result<String> {
    let majors: Vec<u32> = models.keys().copied().collect();
    let mut nodes: Vec<(u32, &Locked)> = Vec::with_capacity(models.values().map(Vec::len).sum());
    nodes.extend(models.iter().flat_map(|(major, nodes)| nodes.iter().map(|locked| (*major, locked))));
    // Stable: of one address, the majors stay in their order.
    nodes.sort_by(|(_, a), (_, b)| a.node.address.cmp(&b.node.address));
    let mut lines: Vec<Line> = Vec::with_capacity(nodes.len());
    let before = origin.before.filter(|lock| lock.header.majors == majors);
    let mut body = String::with_capacity(before.map_or(0, |lock| lock.text.len() + lock.text.len() / 8));
    let mut seals = Seals::default();
    for same in nodes.chunk_by(|(_, a), (_, b)| a.node.address == b.node.address) {
        let Some((_, first)) = same.first() else { continue };
        if starts_block(&first.node.address) {
            seals.begin(&first.source, &body);
        }
        if let Some(text) =
            before.and_then(|before| before.line_of(same.iter().map(|(_, locked)| *locked), majors.len()))
        {
            body.push_str(text);
            body.push('\n');
            lines.extend(same.first().map(|(_, locked)| *locked));
            continue;
        }
        let mut variants: Vec<(String, Vec<u32>, &Locked)> = Vec::new();
        for (major, locked) in same {
            let text = line::text(locked, &[])?;
            match variants.iter_mut().find(|(t, _, _)| *t == text) {
                Some((_, holds_for, _)) => holds_for.push(*major),
                None => variants.push((text, vec![*major], locked)),
            }
        }
        for (text, holds_for, locked) in variants {
            body.push_str(&if holds_for.len() == majors.len() { text } else { line::text(locked, &holds_for)? });
            body.push('\n');
            lines.push(locked);
        }
    }
    seals.end(&body);
    let uses = uses(&lines)?;
    let mut head = String::new();
    let header = Header {
        pgplumb_lock: FORMAT,
        majors,
        settings: origin.settings.clone(),
        basis: origin.basis.digest.clone(),
        external: origin.basis.external.clone(),
        adopted: origin.adopted,
        seal: String::new(),
    };
    let ground = header.ground();
    push(&mut head, &header.sealed())?;
    // What no file declares is sealed too.
    let none = Source { path: String::new(), digest: String::new() };
    for Source { path, digest } in std::iter::once(&none).chain(&origin.sources.files) {
        push(&mut head, &SourceLine { source: path.clone() })?;
        let state = SourceState {
            source: path.clone(),
            digest: digest.clone(),
            basis: origin.basis.files.contains(path),
            ground: ground.clone(),
            seal: seals.take(path),
            uses: uses.get(path.as_str()).map(|u| u.iter().cloned().collect()).unwrap_or_default(),
        };
        push(&mut head, &state)?;
    }
    Ok(head + &body)
}

fn push<T: serde::Serialize>(text: &mut String, line: &T) -> Result<()> {
    let json = serde_json::to_string(line).map_err(|e| Error::new(format!("the lock cannot be written: {e}")))?;
    text.push_str(&json);
    text.push('\n');
    Ok(())
}

/// What each file needs of the others, as path and digest: where these change without it (in a merge), it is stale.
fn uses<'a>(lines: &[Line<'a>]) -> Result<FxHashMap<&'a str, BTreeSet<(String, String)>>> {
    let mut homes: FxHashMap<&str, &str> = FxHashMap::default();
    for line in lines.iter().filter(|line| starts_block(&line.node.address)) {
        homes.entry(line.node.address.thing_key()).or_insert(&line.source);
    }
    let elsewhere = |home: &str, need: &Address| homes.get(need.thing_key()).is_some_and(|other| *other != home);
    // All lines of an address; they stand together.
    let of = |address: &Address| {
        let start = lines.partition_point(|line| line.node.address < *address);
        let count = lines[start..].iter().take_while(|line| line.node.address == *address).count();
        &lines[start..start + count]
    };
    let mut used: FxHashMap<&str, BTreeSet<&Address>> = FxHashMap::default();
    let mut found: FxHashMap<&str, BTreeSet<(String, String)>> = FxHashMap::default();
    // Who takes a relation as a whole needs all of its columns, those to come included.
    let mut wholes: FxHashMap<&Address, String> = FxHashMap::default();
    for line in lines {
        let Some(home) = homes.get(line.node.address.thing_key()).copied() else { continue };
        let needs = line.node.needs.iter().chain(&line.reads).filter(|need| elsewhere(home, need));
        needs.for_each(|need| used.entry(home).or_default().extend([need]));
        for relation in line.reads.iter().filter(|relation| elsewhere(home, relation)) {
            let digest = wholes.entry(relation).or_insert_with(|| {
                let start = lines.partition_point(|line| line.node.address < *relation);
                let below = lines[start..].iter().take_while(|line| line.node.address.is_within(relation));
                let below: Vec<&Line> = below.collect();
                // Of several majors, the first.
                let first = below.chunk_by(|a, b| a.node.address == b.node.address).filter_map(|same| same.first());
                columns_digest(first.map(|line| (line.node.address.path(), line.node.spec.as_json().to_owned())))
            });
            found.entry(home).or_default().insert((format!("{}/*", relation.path()), digest.clone()));
        }
    }
    let mut digests: FxHashMap<&Address, String> = FxHashMap::default();
    for (home, needs) in used {
        for need in needs {
            if of(need).is_empty() {
                continue;
            }
            let digest = digests
                .entry(need)
                .or_insert_with(|| spec_digest(of(need).iter().map(|line| line.node.spec.as_json())));
            found.entry(home).or_default().insert((need.path(), digest.clone()));
        }
    }
    Ok(found)
}
