//! A command that no permissive policy covers.

use super::*;

pub static RULE: Rule = Rule {
    name: "no-policy-for-command",
    severity: Severity::Warning,
    needs_tenancy: true,
    explanation: "Row security lets nothing through that no permissive policy allows; restrictive policies only narrow \
        what others allow. A command without a permissive policy leaks nothing: it finds no rows, or fails when it \
        writes new ones, for every role that row security holds. Often this is a policy that somebody forgot. If it is \
        meant so, revoke the privilege too, so that the command fails and says why. (UPDATE and DELETE that read columns \
        need a policy for SELECT as well.)",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for (table, tenants) in facts.tenant_tables().filter(|(t, _)| t.security.enabled) {
        let missing: Vec<&str> =
            COMMANDS.into_iter().filter(|c| table.policies_for(c, false).next().is_none()).collect();
        let Some(first) = missing.first() else { continue };
        let message = format!(
            "no permissive policy is for {}: everybody whom row security holds is locked out",
            missing.join(", ")
        );
        let current = tenants.current.as_deref().unwrap_or("<the session's tenant>");
        let test = format!("({} = {current})", crate::sql::Ident(&tenants.column));
        let clause = |command: &str| if command == "insert" { "WITH CHECK" } else { "USING" };
        let sql = table.sql();
        let advice: Vec<String> = match missing.len() {
            4 => vec![format!("CREATE POLICY tenant ON {sql} USING {test};")],
            _ => missing
                .iter()
                .map(|c| format!("CREATE POLICY tenant_{c} ON {sql} FOR {} {} {test};", c.to_uppercase(), clause(c)))
                .collect(),
        };
        let advice = format!("{}\n-- or: REVOKE {} ON {sql} FROM <role>;", advice.join("\n"), first.to_uppercase());
        out.push(Finding::new(&RULE, table.address(), message, advice));
    }
}
