//! A table that hangs on tenant tables and does not say whose its rows are.

use super::*;
use crate::audit::facts;
use crate::model::Address;
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    name: "tenant-column-missing",
    severity: Severity::Note,
    needs_tenancy: true,
    explanation: "A table has no tenant column and refers, itself or through other such tables, to a tenant table: its rows \
        belong to tenants all the same, but only a join says to which. Row security on it has to look into other tables \
        for each row, and nothing keeps a row from referring to another tenant's. Add the column, make it part of the \
        foreign key, and treat the table as the tenant table it is. If its rows are shared by all, nothing is wrong.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    let Some(tenants) = &facts.tenants else { return };
    // Each table that belongs to tenants, with what it refers to that does.
    let mut reached: BTreeMap<&Address, Option<Address>> =
        facts.tenant_tables().map(|(t, _)| (t.address(), None)).collect();
    loop {
        let before = reached.len();
        for table in facts.tables.iter().filter(|t| t.node.address != tenants.root) {
            let mut targets = table.foreign_keys.iter().map(|(_, key)| facts::target(key));
            if let (false, Some(target)) =
                (reached.contains_key(table.address()), targets.find(|t| reached.contains_key(t)))
            {
                reached.insert(table.address(), Some(target));
            }
        }
        if reached.len() == before {
            break;
        }
    }
    for (address, target) in reached {
        let Some(target) = target else { continue };
        let column = &tenants.column;
        let message = format!(
            "it refers to {target} and has no `{column}`: its rows belong to tenants, and only a join says to which"
        );
        let advice = format!("in the declaration, give it `{column}` as its siblings have it, and make it part of the foreign key to {target}");
        out.push(Finding::new(&RULE, address, message, advice));
    }
}
