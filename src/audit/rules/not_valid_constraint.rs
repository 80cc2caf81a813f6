//! A constraint that does not hold for every row.

use super::*;
use crate::kinds::check::CheckSpec;
use crate::kinds::relation::relation;
use crate::sql::Ident;

pub static RULE: Rule = Rule {
    name: "not-valid-constraint",
    severity: Severity::Warning,
    needs_tenancy: false,
    explanation: "A constraint that is NOT VALID tests new rows only: those that were there before may break it, the planner \
        cannot rely on it, and a restored dump may fail. It is left behind by a migration that stopped half way. Mend the \
        rows and VALIDATE it, which does not block reads or writes. From 18 on a constraint may be NOT ENFORCED, which \
        tests nothing at all: that is a note.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    let keys =
        facts.tables.iter().flat_map(|t| &t.foreign_keys).map(|(node, key)| (*node, key.not_valid, key.not_enforced));
    let checks = facts.model.nodes().iter().filter(|n| n.address.kind() == "check").filter_map(|node| {
        // The kind wrote the spec itself.
        let spec: CheckSpec = node.spec.read().ok()?;
        Some((node, spec.not_valid, spec.not_enforced))
    });
    for (node, not_valid, not_enforced) in keys.chain(checks) {
        let (sql, name) = (relation(&node.address), Ident(node.address.name()));
        if not_enforced {
            let advice =
                format!("ALTER TABLE {sql} ALTER CONSTRAINT {name} ENFORCED; -- of a check: drop it and add it anew");
            out.push(
                Finding::new(&RULE, &node.address, "it is not enforced: it tests no row", advice).with(Severity::Note),
            );
        } else if not_valid {
            let advice = format!("ALTER TABLE {sql} VALIDATE CONSTRAINT {name};");
            out.push(Finding::new(
                &RULE,
                &node.address,
                "it is not valid: rows that were there before it may break it",
                advice,
            ));
        }
    }
}
