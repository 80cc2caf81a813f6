//! A foreign key that lets one tenant's row point at another's.

use super::*;
use crate::kinds::relation::relation;
use crate::model::Address;
use crate::sql::Ident;

pub static RULE: Rule = Rule {
    name: "cross-tenant-foreign-key",
    severity: Severity::Warning,
    needs_tenancy: true,
    explanation: "PostgreSQL checks foreign keys without regard to row security. A key between two tenant tables that does \
        not carry the tenant column accepts a row that refers to another tenant's: the tenant learns which keys exist, \
        and joins, cascades and reports mix rows of two tenants. Refer to (tenant column, key), which takes a unique \
        constraint on these columns in the referenced table.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for (table, tenants) in facts.tenant_tables() {
        for (node, key) in &table.foreign_keys {
            let target = Address::root("schema", &key.references.schema).child("table", &key.references.table);
            if facts.tenant_tables_among(|a| *a == target).next().is_none() {
                continue;
            }
            let mut pairs = key.columns.iter().zip(&key.target_columns);
            if pairs.any(|(own, other)| *own == tenants.column && *other == tenants.column) {
                continue;
            }
            let list = |columns: &[String]| {
                let all = std::iter::once(&tenants.column).chain(columns.iter().filter(|c| **c != tenants.column));
                all.map(|c| Ident(c).to_string()).collect::<Vec<_>>().join(", ")
            };
            let (own, other) = (list(&key.columns), list(&key.target_columns));
            let (sql, target_sql, name) = (table.sql(), relation(&target), Ident(node.address.name()));
            let message = format!("it does not carry `{}`: a row may refer to another tenant's in {target}", tenants.column);
            let advice = format!(
                "ALTER TABLE {target_sql} ADD UNIQUE ({other});\n\
                 ALTER TABLE {sql} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} FOREIGN KEY ({own}) REFERENCES {target_sql} ({other});"
            );
            out.push(Finding::new(&RULE, &node.address, message, advice));
        }
    }
}
