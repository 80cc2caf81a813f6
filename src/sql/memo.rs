//! What was found out of a text, so that each text is looked at once: templates repeat names and expressions.

use rustc_hash::FxHashMap;
use std::borrow::Borrow;
use std::cell::RefCell;
use std::hash::Hash;
use std::thread::LocalKey;

/// The answers to one question, by what was asked about.
pub type Memory<K, T> = RefCell<FxHashMap<K, T>>;

/// The answer about something, found if it is not known yet.
pub fn remembered<Q, T>(memory: &'static LocalKey<Memory<Q::Owned, T>>, about: &Q, find: impl FnOnce() -> T) -> T
where
    Q: Hash + Eq + ToOwned + ?Sized,
    Q::Owned: Hash + Eq + Borrow<Q>,
    T: Clone,
{
    memory.with_borrow(|known| known.get(about).cloned()).unwrap_or_else(|| {
        let answer = find();
        memory.with_borrow_mut(|known| known.insert(about.to_owned(), answer.clone()));
        answer
    })
}
