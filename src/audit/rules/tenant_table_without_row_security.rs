//! A tenant table that row security does not protect.

use super::*;

pub static RULE: Rule = Rule {
    name: "tenant-table-without-row-security",
    severity: Severity::Error,
    needs_tenancy: true,
    explanation: "A table has the tenant column, and row security is off: whoever may read the table reads the rows of \
        every tenant, and one forgotten condition in the application shows them to another. Write policies that compare \
        the tenant column with the tenant of the session, then switch row security on and force it (`rls: forced`), in \
        this order, so that nobody is locked out in between.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for (table, tenants) in facts.tenant_tables().filter(|(table, _)| !table.security.enabled) {
        let column = &tenants.column;
        let message = match table.policies.len() {
            0 => format!("it has `{column}` and no row security: every tenant's rows are open to whoever may read it"),
            1 => "row security is off, so that its policy has no effect".to_owned(),
            n => format!("row security is off, so that its {n} policies have no effect"),
        };
        let sql = table.sql();
        let mut advice = String::new();
        if table.policies.is_empty() {
            let current = tenants.current.as_deref().unwrap_or("<the session's tenant>");
            let column = crate::sql::Ident(column);
            advice.push_str(&format!("CREATE POLICY tenant ON {sql} USING ({column} = {current});\n"));
        }
        advice.push_str(&format!(
            "ALTER TABLE {sql} ENABLE ROW LEVEL SECURITY;\nALTER TABLE {sql} FORCE ROW LEVEL SECURITY;"
        ));
        out.push(Finding::new(&RULE, table.address(), message, advice));
    }
}
