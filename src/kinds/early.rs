//! What the early form of a node still needs: the types it names, and nothing of its body.

use crate::model::{Address, Node};
use crate::sql::{references, Fragment};

/// Those of a node's needs that the fragments name; the server printed them, so names are qualified.
pub fn needs_of(node: &Node, fragments: &[Fragment]) -> Vec<Address> {
    let named: Vec<_> = fragments.iter().flat_map(references).collect();
    let keeps = |address: &&Address| {
        let Some(thing) = in_schema(address) else { return address.kind() == "extension" };
        named.iter().any(|r| r.name == thing && r.schema.as_deref() == Some(address.schema()))
    };
    node.needs.iter().filter(keeps).cloned().collect()
}

/// The bare name of something directly in a schema.
fn in_schema(address: &Address) -> Option<String> {
    if address.depth() != 2 || address.schema().is_empty() {
        return None;
    }
    match address.kind() {
        "function" | "procedure" => super::routine::bare_name(address),
        _ => Some(address.name().to_owned()),
    }
}
