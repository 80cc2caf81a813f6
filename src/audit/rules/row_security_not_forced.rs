//! Row security that does not hold for the table's owner.

use super::*;

pub static RULE: Rule = Rule {
    name: "row-security-not-forced",
    severity: Severity::Warning,
    needs_tenancy: true,
    explanation: "Row security does not apply to the owner of a table unless it is forced. Applications often connect as \
        the role that ran the migrations, and so own every table and see every tenant's rows without an error; so does \
        each function with SECURITY DEFINER and each view of that owner. Force it (`rls: forced`). Superusers and roles \
        with BYPASSRLS are never held back: the application must not connect as one.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for (table, _) in facts.tenant_tables().filter(|(t, _)| t.security.enabled && !t.security.forced) {
        let owner = table.node.owner.as_deref().unwrap_or("its owner");
        let message = format!("row security is not forced: its owner, `{owner}`, sees every tenant's rows");
        out.push(Finding::new(
            &RULE,
            table.address(),
            message,
            format!("ALTER TABLE {} FORCE ROW LEVEL SECURITY;", table.sql()),
        ));
    }
}
