//! A policy that lets rows through whatever tenant they belong to.
//!
//! Permissive policies add up, so each has to confine rows by itself, in every branch of its ORs; restrictive
//! ones that hold for at least the same roles and commands confine what the others let through.

use super::*;
use crate::audit::facts::Table;
use crate::audit::specs::Policy;
use crate::audit::tenants::Tenants;
use crate::model::Node;
use crate::sql::predicate::{branches, Branch, Hold, Subject};
use crate::sql::Ident;
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    name: "policy-without-tenant",
    severity: Severity::Error,
    needs_tenancy: true,
    explanation: "A permissive policy of a tenant table lets rows through without looking at whose they are: its \
        expression, or one branch of an OR in it, neither compares the tenant column nor is the declared bypass. \
        Permissive policies add up, so one such policy undoes all others. USING decides which rows are seen, WITH CHECK \
        which may be written (where it is absent, USING does both). `is not null`, `<>` and the like mention the column \
        and say nothing about whose a row is. Compare the tenant column in every branch; put what is meant for \
        administrators in `tenancy: bypass`; or hold everything to the tenant with one restrictive policy. A warning \
        says that only another table's tenant column is compared: that holds as long as that table's rows cannot be \
        chosen by the tenant.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for (table, tenants) in facts.tenant_tables() {
        let subject =
            Subject { table: table.node.address.name(), column: &tenants.column, bypass: tenants.bypass.as_deref() };
        let expressions = table.policies.iter().flat_map(|(_, p)| [p.using.as_deref(), p.check.as_deref()]).flatten();
        let read: Read = expressions.map(|e| (e, branches(e, &subject))).collect();
        for (node, policy) in table.policies.iter().filter(|(_, p)| !p.restrictive) {
            let commands = COMMANDS.into_iter().filter(|c| policy.command == "all" || policy.command == *c);
            let mut loose: Vec<Loose> = Vec::new();
            for (command, clause) in commands.flat_map(|c| clauses(c).iter().map(move |clause| (c, *clause))) {
                if confined(table, policy, command, clause, &read) {
                    continue;
                }
                for found in self::loose(policy, clause, &read) {
                    match loose.iter_mut().find(|known| known.text == found.text && known.clause == found.clause) {
                        Some(known) if known.commands.contains(&command) => {}
                        Some(known) => known.commands.push(command),
                        None => loose.push(Loose { commands: vec![command], ..found }),
                    }
                }
            }
            out.extend(loose.into_iter().map(|loose| finding(table, node, tenants, loose)));
        }
    }
}

/// The branches of each expression in a table's policies; None if nobody could read it.
type Read<'a> = BTreeMap<&'a str, Option<Vec<Branch>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clause {
    Using,
    Check,
}

impl Clause {
    fn words(self) -> &'static str {
        match self {
            Self::Using => "USING",
            Self::Check => "WITH CHECK",
        }
    }
}

/// The clauses that decide for a command (manual, CREATE POLICY, table 300).
fn clauses(command: &str) -> &'static [Clause] {
    match command {
        "insert" => &[Clause::Check],
        "update" => &[Clause::Using, Clause::Check],
        _ => &[Clause::Using],
    }
}

/// The expression that decides, with the clause it was written in: without WITH CHECK, USING tests new rows.
fn expression(policy: &Policy, clause: Clause) -> (Clause, Option<&str>) {
    let using = (Clause::Using, policy.using.as_deref());
    match (clause, policy.check.as_deref()) {
        (Clause::Check, Some(check)) => (Clause::Check, Some(check)),
        (Clause::Check, None) | (Clause::Using, _) => using,
    }
}

/// A way through that does not say whose rows it is for.
struct Loose {
    clause: Clause,
    commands: Vec<&'static str>,
    /// The branch; None if nobody could read the expression.
    text: Option<String>,
    whole: bool,
    hold: Hold,
}

fn loose(policy: &Policy, clause: Clause, read: &Read) -> Vec<Loose> {
    let (clause, expression) = expression(policy, clause);
    // A clause that is absent lets everything through.
    let Some(expression) = expression else {
        return vec![Loose { clause, commands: Vec::new(), text: Some("true".into()), whole: true, hold: Hold::Free }];
    };
    match read.get(expression).and_then(Option::as_ref) {
        None => vec![Loose { clause, commands: Vec::new(), text: None, whole: true, hold: Hold::Indirect }],
        Some(all) => {
            let whole = all.len() == 1;
            let loose = all.iter().filter(|b| b.hold != Hold::Holds);
            loose
                .map(|b| Loose { clause, commands: Vec::new(), text: Some(b.text.clone()), whole, hold: b.hold })
                .collect()
        }
    }
}

/// Whether a restrictive policy for at least the same roles confines the rows of a command.
fn confined(table: &Table, policy: &Policy, command: &str, clause: Clause, read: &Read) -> bool {
    table.policies_for(command, true).any(|(_, restrictive)| {
        let covers = restrictive.to.is_empty()
            || (!policy.to.is_empty() && policy.to.iter().all(|r| restrictive.to.contains(r)));
        let (_, expression) = expression(restrictive, clause);
        let all = expression.and_then(|e| read.get(e)?.as_ref());
        covers && all.is_some_and(|all| all.iter().all(|b| b.hold == Hold::Holds))
    })
}

fn finding(table: &Table, node: &Node, tenants: &Tenants, loose: Loose) -> Finding {
    let Loose { clause, commands, text, whole, hold } = loose;
    let (words, commands, column) = (clause.words(), commands.join(", "), &tenants.column);
    let branch = match (&text, whole) {
        (None, _) => "the expression".to_owned(),
        (Some(text), true) => format!("`{text}`"),
        (Some(text), false) => format!("the branch `{text}`"),
    };
    let message = match (hold, &text) {
        (_, None) => {
            format!("for {commands}, {words} cannot be analysed: see for yourself that it compares `{column}`")
        }
        (Hold::Indirect, _) => format!("for {commands}, {branch} of {words} compares `{column}` of another table only"),
        (Hold::Free | Hold::Holds, _) => {
            format!("for {commands}, {branch} of {words} lets rows through whatever their `{column}` is")
        }
    };
    let current = tenants.current.as_deref().unwrap_or("<the session's tenant>");
    let test = format!("{} = {current}", Ident(column));
    let test = match &text {
        Some(text) if text != "true" => format!("{test} AND ({text})"),
        _ => test,
    };
    let policy = format!("ALTER POLICY {} ON {} {words}", Ident(node.address.name()), table.sql());
    let advice = match whole {
        true => format!("{policy} ({test});"),
        false => format!("{policy} (<the other branches> OR {test}); -- or without this branch"),
    };
    let severity = if hold == Hold::Free { Severity::Error } else { Severity::Warning };
    Finding::new(&RULE, &node.address, message, advice).with(severity)
}
