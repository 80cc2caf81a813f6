//! A foreign key that lets one tenant's row point at another's.

use super::*;
use crate::audit::facts::{target, Table};
use crate::kinds::foreign_key::ForeignKeySpec;
use crate::kinds::relation::relation;
use crate::sql::Ident;

pub static RULE: Rule = Rule {
    name: "cross-tenant-foreign-key",
    severity: Severity::Warning,
    needs_tenancy: true,
    explanation:
        "PostgreSQL checks foreign keys without regard to row security. A key between two tenant tables that does \
        not carry the tenant column accepts a row that refers to another tenant's: the tenant learns which keys exist, \
        and joins, cascades and reports mix rows of two tenants. Refer to (tenant column, key), which takes a unique \
        constraint on these columns in the referenced table. A key beside it that does carry the column is as good.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for (table, tenants) in facts.tenant_tables() {
        let column = &tenants.column;
        for (node, key) in &table.foreign_keys {
            let Some(referenced) = facts.tenant_table(&target(key)) else { continue };
            // The key itself, or one beside it that says the same of the same row.
            let carried = table.foreign_keys.iter().any(|(_, other)| {
                target(other) == *referenced.address()
                    && carries(other, column)
                    && pairs(key).all(|p| pairs(other).any(|o| o == p))
            });
            if carried {
                continue;
            }
            let message = format!(
                "it does not carry `{column}`: a row may refer to another tenant's in {}",
                referenced.address()
            );
            out.push(Finding::new(
                &RULE,
                &node.address,
                message,
                advice(facts, node.address.name(), key, referenced, column),
            ));
        }
    }
}

fn pairs(key: &ForeignKeySpec) -> impl Iterator<Item = (&String, &String)> {
    key.columns.iter().zip(&key.target_columns)
}

fn carries(key: &ForeignKeySpec, column: &String) -> bool {
    !key.not_enforced && pairs(key).any(|(own, other)| own == column && other == column)
}

/// In YAML, because a plan then does it without blocking anybody.
fn advice(facts: &Facts, name: &str, key: &ForeignKeySpec, referenced: &Table, column: &String) -> String {
    let with_tenant = |columns: &[String]| -> Vec<String> {
        std::iter::once(column).chain(columns.iter().filter(|c| *c != column)).cloned().collect()
    };
    let list = |columns: &[String]| columns.iter().map(|c| Ident(c).to_string()).collect::<Vec<_>>().join(", ");
    let (own, other) = (with_tenant(&key.columns), with_tenant(&key.target_columns));
    let mut line = format!("({}) references {} ({})", list(&own), relation(referenced.address()), list(&other));
    if let Some(action) = &key.on_update {
        line.push_str(&format!(" on update {}", action.to_lowercase()));
    }
    match key.on_delete.as_deref() {
        // The tenant column must stay as it is, which can be said from 15 on.
        Some(action) if action.starts_with("SET") && facts.major >= 15 => {
            let columns = if key.set_columns.is_empty() { &key.columns } else { &key.set_columns };
            line.push_str(&format!(" on delete {} ({})", action.to_lowercase(), list(columns)));
        }
        Some(action) if action.starts_with("SET") => {}
        Some(action) => line.push_str(&format!(" on delete {}", action.to_lowercase())),
        None => {}
    }
    let mut advice = format!("foreign_keys: {{ {}: {} }}", Ident(name), serde_json::Value::from(line));
    if facts.major < 15 && key.on_delete.as_deref().is_some_and(|action| action.starts_with("SET")) {
        advice.push_str("  # before 15, ON DELETE cannot leave the tenant column as it is");
    }
    let is_it = |columns: &[Option<String>]| {
        columns.len() == other.len() && columns.iter().flatten().all(|c| other.contains(c))
    };
    if !referenced.indexes.iter().any(|i| i.unique && i.predicate.is_none() && is_it(&i.columns)) {
        let unique = crate::sql::name::derive(referenced.node.address.name(), &other.join("_"), "key", &|_| false);
        advice.push_str(&format!(
            "\nuniques: {{ {}: {} }}  # in {}",
            Ident(&unique),
            serde_json::Value::from(list(&other)),
            relation(referenced.address())
        ));
    }
    advice
}
