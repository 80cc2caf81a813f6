//! The lock of a declaration as it comes out of one way to compile it.

use super::server::Server;
use pgplumb::compile::lock::{path_of, write, Lock, LockedSettings, Origin};
use pgplumb::compile::surroundings::Stubs;
use pgplumb::compile::{self, Place, Scratch};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Compiles what is declared in a directory, from its lock if there is one, in scratch as it is set: what is said
/// meanwhile, and the text of the lock.
pub fn compiled(
    server: &Server,
    directory: &Path,
    set: &dyn Fn(&mut Scratch),
) -> Result<(Vec<String>, String), String> {
    let words = |error: pgplumb::error::Error| error.to_string();
    let lock = Lock::read(&path_of(directory)).map_err(words)?;
    let mut more = BTreeSet::new();
    let (reading, increment) = loop {
        let mut reading = compile::read(directory, lock.as_ref(), &more).map_err(words)?;
        let increments = reading.increments(lock.as_ref(), &[server.major], &Stubs::default(), true);
        let increment = increments.map_err(words)?.remove(&server.major).unwrap_or_default();
        if increment.unread.is_empty() {
            break (reading, increment);
        }
        more.extend(increment.unread);
    };
    let said = RefCell::new(Vec::new());
    let progress = |text: &str| said.borrow_mut().push(text.to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let place = Place::Server(Box::new(server.target("postgres")));
    let nodes = runtime.block_on(async {
        let mut scratch = Scratch::open(&place, server.major, &[], &|_| None).await?;
        set(&mut scratch);
        let nodes = compile::compile(&reading.declaration, increment, &mut scratch, &progress).await;
        scratch.close().await?;
        nodes
    });
    let nodes = nodes.map_err(words)?.ok_or("names clash")?;
    let declared = &reading.declaration.settings;
    let settings = LockedSettings {
        schemas: declared.schemas.clone(),
        ignore: declared.ignore.clone(),
        search_path: declared.search_path.clone(),
        tenancy: declared.tenancy.clone(),
        stubs: Stubs::default(),
    };
    let declaration = &reading.declaration;
    let origin = Origin {
        sources: &declaration.sources,
        basis: &declaration.basis,
        settings,
        adopted: false,
        before: lock.as_ref(),
    };
    let text = write(&BTreeMap::from([(server.major, nodes)]), &origin).map_err(words)?;
    Ok((said.into_inner(), text))
}
