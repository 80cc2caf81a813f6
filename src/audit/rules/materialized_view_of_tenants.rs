//! A materialized view of tenant tables.

use super::*;
use crate::kinds::relation::relation;

pub static RULE: Rule = Rule {
    name: "materialized-view-of-tenants",
    severity: Severity::Error,
    needs_tenancy: true,
    explanation: "A materialized view holds the rows that its owner saw when it was refreshed, and row security cannot be \
        put on it: whoever may read it reads what is in it, of every tenant. It is an error if a role besides its owner may \
        read it, else a warning. Let nobody read it but its owner, and give people a view with security_barrier over it \
        that compares the tenant column with the tenant of the session; or keep the figures in a table of its own with row \
        security.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for view in facts.views.iter().filter(|v| v.materialized) {
        let Some(table) = view.tables.keys().find_map(|a| facts.tenant_table(a)) else { continue };
        let reads = |p: &crate::model::Privilege| p.name == "select";
        let readers: Vec<&str> = view
            .node
            .grants
            .iter()
            .flat_map(|g| &g.0)
            .filter(|(_, held)| held.iter().any(reads))
            .map(|(role, _)| role.as_str())
            .collect();
        let (severity, who) = match readers.as_slice() {
            [] => (Severity::Warning, "its owner may read it".to_owned()),
            readers => (Severity::Error, format!("{} may read it", readers.join(", "))),
        };
        let message = format!("it holds rows of {}, without row security; {who}", table.node.address);
        let name = relation(&view.node.address);
        let from = readers
            .iter()
            .map(|r| if *r == "public" { "PUBLIC".into() } else { crate::sql::Ident(r).to_string() })
            .collect::<Vec<_>>();
        let advice = match from.as_slice() {
            [] => format!(
                "let other roles read {name} only through a security_barrier view that compares the tenant column"
            ),
            from => format!("REVOKE SELECT ON {name} FROM {};", from.join(", ")),
        };
        out.push(Finding::new(&RULE, &view.node.address, message, advice).with(severity));
    }
}
