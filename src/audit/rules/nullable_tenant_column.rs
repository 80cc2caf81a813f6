//! A tenant column that may be null.

use super::*;
use crate::sql::Ident;

pub static RULE: Rule = Rule {
    name: "nullable-tenant-column",
    severity: Severity::Warning,
    needs_tenancy: true,
    explanation: "A row whose tenant is null belongs to nobody: policies that compare it let nobody see it, a policy that \
        treats null as shared shows it to all, and neither foreign keys nor unique keys test it. Fill the rows that have \
        none (`backfill:` in the declaration does it in one statement), then set NOT NULL.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for (table, tenants) in facts.tenant_tables() {
        if table.columns.get(tenants.column.as_str()).is_some_and(|column| !column.not_null) {
            let address = table.node.address.child("column", &tenants.column);
            let advice = format!("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL;", table.sql(), Ident(&tenants.column));
            out.push(Finding::new(&RULE, &address, "it may be null: such a row belongs to no tenant", advice));
        }
    }
}
