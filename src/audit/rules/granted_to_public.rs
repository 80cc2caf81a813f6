//! A table that everybody may use and no row security protects.

use super::*;

pub static RULE: Rule = Rule {
    name: "granted-to-public",
    severity: Severity::Warning,
    needs_tenancy: false,
    explanation: "PUBLIC is every role of the cluster, those of other applications and those made tomorrow included. A \
        privilege of PUBLIC on a table without row security opens all its rows to them. Revoke it and grant what is needed \
        to the roles that need it.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for table in facts.tables.iter().filter(|t| !t.security.enabled) {
        let Some(held) = table.node.grants.as_ref().and_then(|g| g.0.get("public")).filter(|held| !held.is_empty())
        else {
            continue;
        };
        let names: Vec<&str> = held.iter().map(|p| p.name.as_str()).collect();
        let message = format!("every role may {} it, and it has no row security", names.join(", "));
        let advice = format!("REVOKE {} ON {} FROM PUBLIC;", names.join(", ").to_uppercase(), table.sql());
        out.push(Finding::new(&RULE, table.address(), message, advice));
    }
}
