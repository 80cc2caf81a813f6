//! A SECURITY DEFINER routine that its caller can redirect.

use super::*;
use crate::kinds::routine::{phrase, RoutineSpec};
use crate::sql;

pub static RULE: Rule = Rule {
    name: "definer-search-path",
    severity: Severity::Error,
    needs_tenancy: false,
    explanation: "A routine with SECURITY DEFINER runs with the rights of its owner, and finds unqualified names by the \
        search path of whoever calls it: a caller who puts a table, function or operator of that name before the one that \
        is meant has it executed with the owner's rights. Fix the path on the routine: `set: { search_path: \"''\" }`, with \
        every name in the body qualified. A path that does not name pg_temp has it searched first, for tables, so a \
        temporary table can still take the place of a real one: that is a warning; name pg_temp last. Manual: CREATE \
        FUNCTION, \"Writing SECURITY DEFINER Functions Safely\".",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for node in facts.model.nodes().iter().filter(|n| matches!(n.address.kind(), "function" | "procedure")) {
        // The kind wrote the spec itself.
        let Ok(spec) = node.spec.read::<RoutineSpec>() else { continue };
        if !spec.security_definer {
            continue;
        }
        let routine = phrase(&node.address.kind().to_uppercase(), &node.address);
        let path = spec.set.iter().find_map(|setting| setting.strip_prefix("search_path="));
        let schemas = path.map(schemas);
        let (severity, message) = match &schemas {
            None if spec.atomic.is_some() => {
                (Severity::Note, "it runs as its owner; its own names are bound, and what it calls is searched in its caller's path".to_owned())
            }
            None => (Severity::Error, "it runs as its owner, and its caller's search_path decides what its names mean".to_owned()),
            Some(schemas) if schemas.iter().any(|s| s == "$user") => {
                (Severity::Error, "it runs as its owner with \"$user\" in its search_path: a caller's own schema comes first".to_owned())
            }
            Some(schemas) if !schemas.is_empty() && !schemas.iter().any(|s| s == "pg_temp") => {
                (Severity::Warning, "its search_path does not name pg_temp, which is then searched first: a temporary table can take a real one's place".to_owned())
            }
            Some(_) => continue,
        };
        let advice = match schemas {
            Some(mut schemas) if severity == Severity::Warning => {
                schemas.push("pg_temp".into());
                let list: Vec<String> = schemas.iter().map(|s| sql::Ident(s).to_string()).collect();
                format!("ALTER {routine} SET search_path TO {};", list.join(", "))
            }
            _ => format!("ALTER {routine} SET search_path TO ''; -- once every name in its body is qualified"),
        };
        out.push(Finding::new(&RULE, &node.address, message, advice).with(severity));
    }
}

/// The schemas of a path as `pg_proc.proconfig` holds it; the empty name of an empty path is none.
fn schemas(path: &str) -> Vec<String> {
    let tokens = sql::tokens(path).unwrap_or_default();
    let names = tokens.iter().filter(|t| t.text != ",").map(|t| {
        match t.text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => t.text.to_lowercase(),
        }
    });
    names.filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_are_read_as_stored() {
        assert_eq!(super::schemas("\"\""), Vec::<String>::new());
        assert_eq!(super::schemas("\"$user\", public"), ["$user", "public"]);
        assert_eq!(super::schemas("app, \"Odd, one\", pg_temp"), ["app", "Odd, one", "pg_temp"]);
    }
}
