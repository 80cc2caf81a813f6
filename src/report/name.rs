//! Names of things, in full and below the thing they belong to.

use crate::model::Address;
use crate::plan::address_of;

/// The thing that a path of a plan belongs to, and what is left to say of the path there.
/// A path that cannot be read stands for itself.
pub fn split(path: &str, words: &str) -> (String, Option<String>) {
    match address_of(path) {
        Some(address) => split_address(&address),
        None => (words.to_owned(), None),
    }
}

/// The thing that an address belongs to, and what is left to say there: None if it is the thing itself.
pub fn split_address(address: &Address) -> (String, Option<String>) {
    let above = address.thing();
    let words = above.to_string();
    if above == *address {
        return (words, None);
    }
    if address.name().is_empty() {
        return (words, Some(address.kind().to_owned()));
    }
    let dotted = names(address);
    let below = dotted.strip_prefix(&names(&above)).and_then(|rest| rest.strip_prefix('.')).unwrap_or(&dotted);
    (words, Some(format!("{} {below}", address.kind())))
}

/// The names without the kind.
fn names(address: &Address) -> String {
    let words = address.to_string();
    words.get(address.kind().len() + 1..).unwrap_or_default().to_owned()
}
