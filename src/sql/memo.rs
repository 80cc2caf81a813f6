//! What was found out of a text, so that each text is looked at once: templates repeat names and expressions.

use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::thread::LocalKey;

/// The answers to one question, by text.
pub type Memory = RefCell<FxHashMap<Box<str>, bool>>;

/// The answer for a text, found if it is not known yet.
pub fn remembered(memory: &'static LocalKey<Memory>, text: &str, find: impl FnOnce() -> bool) -> bool {
    memory.with_borrow_mut(|known| match known.get(text) {
        Some(answer) => *answer,
        None => *known.entry(text.into()).or_insert_with(find),
    })
}
