//! Policies on a table whose row security is off.

use super::*;

pub static RULE: Rule = Rule {
    name: "policies-without-effect",
    severity: Severity::Error,
    needs_tenancy: false,
    explanation: "A table has policies, and row security is off: PostgreSQL keeps the policies and does not apply them, so \
        the table looks protected and is not. Switch row security on, or drop the policies. (Tenant tables are reported \
        by tenant-table-without-row-security.)",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for table in facts.tables.iter().filter(|t| !t.security.enabled && !t.policies.is_empty()) {
        if facts.tenant_table(table.address()).is_some() {
            continue;
        }
        let names: Vec<&str> = table.policies.iter().map(|(node, _)| node.address.name()).collect();
        let message = format!("row security is off, so that its policies have no effect: {}", names.join(", "));
        out.push(Finding::new(
            &RULE,
            table.address(),
            message,
            format!("ALTER TABLE {} ENABLE ROW LEVEL SECURITY;", table.sql()),
        ));
    }
}
