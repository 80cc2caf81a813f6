//! A view that reads tenant tables with the rights of its owner.

use super::*;
use crate::audit::facts::{Table, View};
use crate::kinds::relation::relation;

pub static RULE: Rule = Rule {
    name: "view-around-row-security",
    severity: Severity::Error,
    needs_tenancy: true,
    explanation: "A view reads its tables with the rights of the role that owns the view, not of the one who asks, and row \
        security is applied to that owner. If it holds the owner back no more (a superuser, BYPASSRLS, or the owner of a \
        table where it is not forced), the view shows every tenant's rows: an error. Otherwise policies for certain roles \
        are still those of the wrong role: a warning. Views that read tenant tables through other views count too. From 15 \
        on, set security_invoker on each view along the way (`security_invoker: true`). On 14 there is no such option: \
        give the view to a role of its own that owns no table and has no BYPASSRLS, with policies that compare the \
        tenant column with a setting of the session; then the view is as tight as the table.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for view in facts.views.iter().filter(|v| !v.materialized && !v.invoker) {
        let owner = view.node.owner.as_deref().unwrap_or_default();
        let tables: Vec<&Table> = view.tables.keys().filter_map(|a| facts.tenant_table(a)).collect();
        let (around, held): (Vec<&Table>, Vec<&Table>) = tables.into_iter().partition(|t| facts.goes_around(owner, t));
        // Tables without row security are reported themselves; on 14, what holds the owner is all there is.
        let lesser = facts.major < 15;
        let (severity, table, words) = match (around.first(), held.first()) {
            (Some(first), _) => {
                let table = around.iter().find(|t| t.security.enabled).unwrap_or(first);
                let severity = if table.security.enabled { Severity::Error } else { Severity::Warning };
                let words = if table.security.enabled {
                    "whom row security does not hold there"
                } else {
                    "and that has no row security yet"
                };
                (severity, *table, words)
            }
            (None, Some(first)) if !lesser => {
                (Severity::Warning, *first, "whose policies then apply instead of those of who asks")
            }
            (None, _) => continue,
        };
        let message = format!(
            "it reads {}{} with the rights of its owner, `{owner}`, {words}",
            table.node.address,
            through(view, table)
        );
        out.push(Finding::new(&RULE, &view.node.address, message, advice(facts, view)).with(severity));
    }
}

fn through(view: &View, table: &Table) -> String {
    match view.tables.get(table.address()) {
        Some(by) if *by != view.node.address => format!(" through {by}"),
        _ => String::new(),
    }
}

fn advice(facts: &Facts, view: &View) -> String {
    let name = relation(&view.node.address);
    if facts.major >= 15 {
        return format!("ALTER VIEW {name} SET (security_invoker = true);");
    }
    format!("ALTER VIEW {name} OWNER TO <a role that owns no tenant table and has no BYPASSRLS>; -- 14 has no security_invoker")
}
