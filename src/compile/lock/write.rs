//! Writing the lock.

use super::line::{self, starts_block, Locked};
use super::{columns_digest, spec_digest, Header, LockedSettings, Seal, SourceLine, SourceState, FORMAT};
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
}

/// A line, the majors it holds for, and the node it says.
type Variant<'a> = (String, Vec<u32>, &'a Locked);

/// The text of a lock for the nodes of one or more majors.
pub fn write(models: &BTreeMap<u32, Vec<Locked>>, origin: &Origin) -> Result<String> {
    let majors: Vec<u32> = models.keys().copied().collect();
    let mut lines: BTreeMap<&Address, Vec<Variant>> = BTreeMap::new();
    for (major, nodes) in models {
        for locked in nodes {
            let text = line::text(locked, &[])?;
            let variants = lines.entry(&locked.node.address).or_default();
            match variants.iter_mut().find(|(t, _, _)| *t == text) {
                Some((_, majors, _)) => majors.push(*major),
                None => variants.push((text, vec![*major], locked)),
            }
        }
    }
    let mut body = String::new();
    let mut seals: FxHashMap<&str, Seal> = FxHashMap::default();
    let mut source = "";
    for (address, variants) in &lines {
        for (text, pg, locked) in variants {
            if starts_block(address) {
                source = &locked.source;
            }
            let text = if pg.len() == majors.len() { text.clone() } else { line::text(locked, pg)? };
            seals.entry(source).or_default().add(&text);
            body.push_str(&text);
            body.push('\n');
        }
    }
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
    push(&mut head, &header.sealed())?;
    // What no file declares is sealed too.
    let none = Source { path: String::new(), digest: String::new() };
    for Source { path, digest } in std::iter::once(&none).chain(&origin.sources.files) {
        push(&mut head, &SourceLine { source: path.clone() })?;
        let state = SourceState {
            source: path.clone(),
            digest: digest.clone(),
            basis: origin.basis.files.contains(path),
            seal: seals.remove(path.as_str()).unwrap_or_default().text(),
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
fn uses<'a>(lines: &BTreeMap<&'a Address, Vec<Variant<'a>>>) -> Result<FxHashMap<&'a str, BTreeSet<(String, String)>>> {
    let mut homes: FxHashMap<Address, &str> = FxHashMap::default();
    for (address, variants) in lines {
        if let (true, Some((_, _, first))) = (starts_block(address), variants.first()) {
            homes.insert((*address).clone(), &first.source);
        }
    }
    let mut used: FxHashMap<&str, BTreeSet<&Address>> = FxHashMap::default();
    for (address, variants) in lines {
        let Some(home) = homes.get(&address.thing()) else { continue };
        for (_, _, locked) in variants {
            for need in locked.node.needs.iter().chain(&locked.reads) {
                if homes.get(&need.thing()).is_some_and(|other| other != home) {
                    used.entry(home).or_default().insert(need);
                }
            }
        }
    }
    let mut digests: FxHashMap<&Address, String> = FxHashMap::default();
    let mut found: FxHashMap<&str, BTreeSet<(String, String)>> = FxHashMap::default();
    // Who takes a relation as a whole needs all of its columns, those to come included.
    let mut wholes: FxHashMap<&Address, String> = FxHashMap::default();
    for (address, variants) in lines {
        let Some(home) = homes.get(&address.thing()) else { continue };
        for relation in variants.iter().flat_map(|(_, _, locked)| &locked.reads) {
            if homes.get(relation).is_some_and(|other| other != home) {
                let digest = wholes.entry(relation).or_insert_with(|| {
                    let below = lines.range::<Address, _>(relation..).take_while(|(at, _)| at.is_within(relation));
                    let below = below.map(|(at, variants)| (*at, variants.first()));
                    columns_digest(below.filter_map(|(at, v)| Some((at.path(), v?.2.node.spec.as_json().to_owned()))))
                });
                found.entry(home).or_default().insert((format!("{}/*", relation.path()), digest.clone()));
            }
        }
    }
    for (home, needs) in used {
        for need in needs {
            let Some(variants) = lines.get(need) else { continue };
            let digest = digests
                .entry(need)
                .or_insert_with(|| spec_digest(variants.iter().map(|(_, _, locked)| locked.node.spec.as_json())));
            found.entry(home).or_default().insert((need.path(), digest.clone()));
        }
    }
    Ok(found)
}
