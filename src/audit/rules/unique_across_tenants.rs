//! A unique key that spans tenants.

use super::*;
use crate::audit::facts::{target, Index, Table};
use crate::kinds::foreign_key::ForeignKeySpec;
use crate::model::Address;
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    name: "unique-across-tenants",
    severity: Severity::Note,
    needs_tenancy: true,
    explanation: "A unique key without the tenant column holds across tenants, whatever row security hides: a tenant who \
        tries a value and is refused learns that another has it, and two tenants cannot use the same name. Begin the key \
        with the tenant column. Keys of values that nobody chooses (uuid, identity, serial) tell nothing and are not \
        reported, nor are those that a foreign key refers to; a value that must be unique everywhere, such as a token's \
        hash, is fine as it is.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    let mut referring: BTreeMap<Address, Vec<&ForeignKeySpec>> = BTreeMap::new();
    for (_, key) in facts.tables.iter().flat_map(|t| &t.foreign_keys) {
        referring.entry(target(key)).or_default().push(key);
    }
    for (table, tenants) in facts.tenant_tables() {
        let spans = |index: &&Index| {
            index.unique && !index.columns.iter().any(|c| c.as_deref() == Some(tenants.column.as_str()))
        };
        for index in table
            .indexes
            .iter()
            .filter(spans)
            .filter(|i| !i.invalid && i.columns.iter().all(|c| chosen(table, c.as_deref())))
        {
            let columns: Vec<&str> = index.columns.iter().map(|c| c.as_deref().unwrap_or("an expression")).collect();
            let refers = |key: &&ForeignKeySpec| {
                key.target_columns.len() == columns.len()
                    && key.target_columns.iter().all(|c| columns.contains(&c.as_str()))
            };
            if referring.get(table.address()).is_some_and(|keys| keys.iter().any(refers)) {
                continue;
            }
            let message = format!(
                "it holds across tenants: who tries a value of {} learns whether another tenant has it",
                columns.join(", ")
            );
            let advice = format!("in the declaration, begin the key with `{}`", tenants.column);
            out.push(Finding::new(&RULE, &index.node.address, message, advice));
        }
    }
}

/// Whether people choose the values of a column.
fn chosen(table: &Table, column: Option<&str>) -> bool {
    let Some(spec) = column.and_then(|c| table.columns.get(c)) else { return true };
    let made = spec.default.as_deref().is_some_and(|d| d.starts_with("nextval(") || d.contains("gen_random"));
    spec.ty != "uuid" && spec.identity.is_none() && !made
}
