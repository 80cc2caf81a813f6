//! What stands in for a routine: the same signature, a body that does nothing.
//!
//! It takes the place of routines that others own, and of those that only a superuser may define, as long as
//! anything runs in scratch that somebody wrote.

use super::{parameters, phrase, set, RoutineSpec};
use crate::kinds::Limits;
use crate::model::{Node, Spec};

/// The routine without all that only matters inside of it.
pub fn idle(spec: &RoutineSpec) -> RoutineSpec {
    let heads = parameters(&spec.arguments).unwrap_or_default();
    let gives =
        |mode: &str| heads.iter().any(|p| p.head.get(..mode.len()).is_some_and(|h| h.eq_ignore_ascii_case(mode)));
    let returns = spec.returns.as_deref().unwrap_or_default().trim().to_lowercase();
    let body = match returns.as_str() {
        "" | "void" | "event_trigger" => "BEGIN END",
        "trigger" => "BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END",
        set if set.starts_with("setof ") || set.starts_with("table") => "BEGIN RETURN; END",
        _ if gives("out ") || gives("inout ") => "BEGIN END",
        _ => "BEGIN RETURN NULL; END",
    };
    RoutineSpec {
        arguments: spec.arguments.clone(),
        returns: spec.returns.clone(),
        language: "plpgsql".into(),
        body: Some(body.into()),
        window: spec.window,
        volatility: spec.volatility.clone(),
        strict: spec.strict,
        ..RoutineSpec::default()
    }
}

/// What a role within these limits may create instead, and what a superuser then runs to make it whole. None where
/// the role may create the routine itself, or nobody should.
///
/// A superuser must never evaluate what was declared. So what it runs names types and nothing else: a literal in
/// a default or a body would be read by the input function of its type, which may call any function.
pub fn restrained(word: &str, node: &Node, limits: &Limits) -> Option<(Node, Vec<String>)> {
    let spec: RoutineSpec = node.spec.read().ok()?;
    let reserved = |setting: &&String| {
        let name = setting.split('=').next().unwrap_or_default().to_lowercase();
        // What belongs to a library that is not loaded, only a superuser may set for a routine.
        name.contains('.') || limits.settings.contains(&name)
    };
    let stand_in = |spec: &RoutineSpec| Node { spec: Spec::of(spec), ..node.clone() };
    if !limits.languages.contains(&spec.language) {
        let bare = parameters(&spec.arguments)?.iter().all(|parameter| !parameter.has_default);
        let known = spec.library.as_deref().is_none_or(is_installed) && spec.atomic.is_none();
        let whole = spec.statement(&format!("CREATE OR REPLACE {word}"), &node.address);
        return (bare && known).then(|| (stand_in(&idle(&spec)), vec![whole]));
    }
    let above: Vec<String> = spec.set.iter().filter(reserved).map(|setting| set::clause(setting)).collect();
    let clauses: Vec<String> = spec
        .leakproof
        .then(|| "LEAKPROOF".to_owned())
        .into_iter()
        .chain(spec.support.iter().map(|name| format!("SUPPORT {name}")))
        .chain(above)
        .collect();
    if clauses.is_empty() {
        return None;
    }
    let lesser = RoutineSpec {
        leakproof: false,
        support: None,
        set: spec.set.iter().filter(|setting| !reserved(setting)).cloned().collect(),
        ..spec.clone()
    };
    let phrase = phrase(word, &node.address);
    Some((stand_in(&lesser), clauses.iter().map(|clause| format!("ALTER {phrase} {clause}")).collect()))
}

/// Whether a library is one of the installation: loading another would run what is in it.
fn is_installed(library: &str) -> bool {
    let name = library.strip_prefix("$libdir/").unwrap_or(library);
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;

    fn limits() -> Limits {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        Limits { languages: words(&["sql", "plpgsql"]), settings: words(&["log_statement"]) }
    }

    fn stands(spec: RoutineSpec) -> Option<(RoutineSpec, Vec<String>)> {
        let address = Address::root("schema", "app").child("function", "f(integer)");
        let (node, statements) = restrained("FUNCTION", &Node::new(address, Spec::of(&spec)), &limits())?;
        Some((node.spec.read().unwrap_or_default(), statements))
    }

    fn spec(language: &str) -> RoutineSpec {
        RoutineSpec {
            arguments: "a integer".into(),
            returns: Some("integer".into()),
            language: language.into(),
            body: Some("x".into()),
            ..RoutineSpec::default()
        }
    }

    #[test]
    fn a_superuser_only_adds_what_it_alone_may_say() {
        let full = RoutineSpec {
            leakproof: true,
            set: vec!["log_statement=all".into(), "work_mem=1MB".into()],
            ..spec("sql")
        };
        let (lesser, statements) = stands(full).unwrap_or_default();
        assert_eq!((lesser.body.as_deref(), lesser.leakproof, lesser.set.len()), (Some("x"), false, 1));
        assert_eq!(statements.len(), 2);
        assert!(statements.iter().all(|sql| sql.starts_with("ALTER FUNCTION app.f(integer) ")), "{statements:?}");
        assert!(stands(spec("sql")).is_none());
    }

    #[test]
    fn what_runs_outside_of_the_server_is_defined_and_never_run() {
        let (idle, statements) = stands(spec("plpython3u")).unwrap_or_default();
        assert_eq!((idle.language.as_str(), statements.len()), ("plpgsql", 1));
        let c = |library: &str| RoutineSpec { library: Some(library.into()), ..spec("c") };
        assert!(stands(c("$libdir/vector")).is_some());
        for elsewhere in ["/tmp/evil.so", "$libdir/../evil", "./evil", "$libdir/"] {
            assert!(stands(c(elsewhere)).is_none(), "{elsewhere}");
        }
        assert!(stands(RoutineSpec { arguments: "a integer DEFAULT 1".into(), ..spec("c") }).is_none());
    }
}
