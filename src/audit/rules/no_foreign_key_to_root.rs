//! A tenant table whose rows may name a tenant that does not exist.

use super::*;
use crate::audit::facts::{target, Table};
use crate::audit::tenants::Tenants;
use crate::kinds::foreign_key::ForeignKeySpec;
use crate::model::Address;
use crate::sql::Ident;
use std::collections::BTreeSet;

pub static RULE: Rule = Rule {
    name: "no-foreign-key-to-root",
    severity: Severity::Warning,
    needs_tenancy: true,
    explanation: "Nothing ties the tenant column to the table of tenants: rows may name a tenant that does not exist, and \
        those of a deleted tenant stay behind, to be found by whoever gets its key next. Add a foreign key to the root, \
        NOT VALID first and then VALIDATE, so that nothing is blocked for long. A key that carries the tenant column to \
        another tenant table counts too, if all its columns are NOT NULL and that table is tied to the root.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    let Some(tenants) = &facts.tenants else { return };
    let mut tied: BTreeSet<&Address> = BTreeSet::new();
    // Keys through other tables: each round ties those that refer to what is tied already.
    loop {
        let before = tied.len();
        for (table, _) in facts.tenant_tables() {
            if !tied.contains(table.address())
                && table.foreign_keys.iter().any(|(_, key)| ties(key, table, tenants, &tied))
            {
                tied.insert(table.address());
            }
        }
        if tied.len() == before {
            break;
        }
    }
    for (table, _) in facts.tenant_tables().filter(|(t, _)| !tied.contains(t.address())) {
        let (sql, column) = (table.sql(), Ident(&tenants.column));
        let root = crate::kinds::relation::relation(&tenants.root);
        let name = crate::sql::name::derive(table.node.address.name(), &tenants.column, "fkey", &|_| false);
        let name = Ident(&name);
        let advice = format!(
            "ALTER TABLE {sql} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {root} NOT VALID;\n\
             ALTER TABLE {sql} VALIDATE CONSTRAINT {name};"
        );
        let address = table.node.address.child("column", &tenants.column);
        let message = format!("no foreign key ties it to {}: it may name a tenant that does not exist", tenants.root);
        out.push(Finding::new(&RULE, &address, message, advice));
    }
}

fn ties(key: &ForeignKeySpec, table: &Table, tenants: &Tenants, tied: &BTreeSet<&Address>) -> bool {
    let target = target(key);
    let mut pairs = key.columns.iter().zip(&key.target_columns);
    if key.not_enforced {
        return false;
    }
    if target == tenants.root {
        return key.columns.len() == 1 && key.columns.contains(&tenants.column);
    }
    let not_null = |column: &String| table.columns.get(column.as_str()).is_some_and(|c| c.not_null);
    tied.contains(&target)
        && pairs.any(|(own, other)| *own == tenants.column && *other == tenants.column)
        && key.columns.iter().all(not_null)
}
