//! What kinds below a relation share: naming it, and naming its rows.

use super::Scope;
use crate::model::Address;
use crate::sql::name::split;
use crate::sql::{qualified, Ident};

/// The qualified name of the relation that an address is or stands below.
pub fn relation(address: &Address) -> String {
    let relation = address.segments().nth(1).map_or("", |(_, name)| name);
    qualified(address.schema(), relation)
}

/// The key of a thing in a declaration: of one in a schema its name as SQL reads it, with the schema unless
/// that is the default one; of any other its name as it is.
pub fn written_key(address: &Address, default_schema: &str) -> String {
    if address.schema().is_empty() || address.depth() != 2 {
        return address.name().to_owned();
    }
    if address.schema() == default_schema {
        written_name(address.name())
    } else {
        format!("{}.{}", written_name(address.schema()), written_name(address.name()))
    }
}

/// Quoted only where the name alone would be read as another: keywords are names here.
fn written_name(name: &str) -> String {
    match split(name) {
        Some((None, read)) if read == name => read,
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// The relation an address is or stands in, as the target of a lock.
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

/// An SQL expression that names a row of the live relation: its primary key, or else where it is.
pub fn row_key(address: &Address, scope: &Scope) -> String {
    let columns = table_of(address)
        .iter()
        .flat_map(|table| scope.actual.children(table))
        .filter(|n| n.address.kind() == "primary key")
        .find_map(|n| n.spec.read::<serde_json::Value>().ok())
        .and_then(|spec| {
            Some(spec.get("columns")?.as_array()?.iter().filter_map(|c| Some(c.as_str()?.to_owned())).collect())
        })
        .unwrap_or_else(Vec::new);
    match columns.as_slice() {
        [] => "ctid::text".into(),
        columns => {
            let parts: Vec<String> = columns.iter().map(|c| format!("{}::text", Ident(c))).collect();
            format!("concat_ws(', ', {})", parts.join(", "))
        }
    }
}
