//! What kinds below a relation share: naming it.

use crate::model::Address;
use crate::sql::qualified;

/// The qualified name of the relation that an address is or stands below.
pub fn relation(address: &Address) -> String {
    let relation = address.segments().nth(1).map_or("", |(_, name)| name);
    qualified(address.schema(), relation)
}

/// The relation an address stands in, as the target of a lock.
pub fn table_of(address: &Address) -> Vec<Address> {
    let mut at = address.clone();
    while let Some(parent) = at.parent() {
        if parent.kind() == "schema" {
            return vec![at];
        }
        at = parent;
    }
    Vec::new()
}
