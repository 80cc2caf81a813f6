//! A tenant table that has no index to find one tenant's rows by.

use super::*;
use crate::sql::Ident;

pub static RULE: Rule = Rule {
    name: "tenant-column-not-indexed",
    severity: Severity::Warning,
    needs_tenancy: true,
    explanation: "Every query on a tenant table carries the tenant's condition, from the application or from row security. \
        Without an index that begins with the tenant column, each of them reads the rows of all tenants, and deleting a \
        tenant reads the whole table. Begin an index with it; often the indexes that are there should begin with it too. \
        Partial indexes do not count, as they hold some rows only.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for (table, tenants) in facts.tenant_tables() {
        let column = tenants.column.as_str();
        let first = |columns: &[Option<String>]| columns.first().is_some_and(|c| c.as_deref() == Some(column));
        if !table.indexes.iter().any(|i| i.searches() && i.predicate.is_none() && first(&i.columns)) {
            let address = table.node.address.child("column", column);
            let advice = format!("CREATE INDEX CONCURRENTLY ON {} ({});", table.sql(), Ident(column));
            out.push(Finding::new(
                &RULE,
                &address,
                "no index begins with it: each query reads every tenant's rows",
                advice,
            ));
        }
    }
}
