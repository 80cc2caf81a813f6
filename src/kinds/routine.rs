//! Functions and procedures (manual, CREATE FUNCTION, CREATE PROCEDURE): what both kinds share.
//!
//! A routine's name in its address is SQL as PostgreSQL prints it, `"Odd name"(integer, app.st)`, with
//! the types of its input arguments: that is what tells it from others and what ALTER and DROP take.
//! Bodies in string form are bytes; `BEGIN ATOMIC` and `RETURN` bodies are what the server prints.

mod set;
mod stand_in;
mod written;

use super::early::needs_of;
use super::*;
use crate::sql::{literal, tokens, Fragment, Ident, Shape};
use serde::{Deserialize, Serialize};
pub use stand_in::restrained;
pub use written::{bare_name, declare, key, split, write, FUNCTION, PROCEDURE};

/// Fields that the server prints: defaults of arguments, and bodies that it parses.
pub const PRINTED: &[&str] = &["arguments", "atomic"];

/// Whether two addresses may name one routine: the same schema, name and number of arguments.
pub fn same_shape(a: &Address, b: &Address) -> bool {
    let count_of = |at: &Address| split(at.name()).map(|(_, types)| types.split(", ").count());
    let (name, count) = (bare_name(a), count_of(a));
    name.is_some() && a.kind() == b.kind() && a.parent() == b.parent() && name == bare_name(b) && count == count_of(b)
}

/// What a routine is. The name and the argument types are in the address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoutineSpec {
    /// The whole list, with modes, names and defaults.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub arguments: String,
    /// None for procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returns: Option<String>,
    pub language: String,
    /// A body in string form; for C the link symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// `BEGIN ATOMIC ... END` or `RETURN ...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub atomic: Option<String>,
    /// The object file of a C function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// Types with TRANSFORM.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub window: bool,
    /// `immutable` or `stable`; None is volatile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volatility: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leakproof: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub security_definer: bool,
    /// `restricted` or `safe`; None is unsafe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<String>,
    /// None if it is the language's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// Qualified planner support function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support: Option<String>,
    /// Settings as `pg_proc.proconfig` holds them (`name=value`), sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

pub fn read(row: &Row) -> Result<Found> {
    let at = Catalog::FIRST;
    let (name, types): (&str, &str) = (row.try_get(at)?, row.try_get(at + 1)?);
    let transforms: Option<Vec<String>> = row.try_get(at + 8)?;
    let set: Option<Vec<String>> = row.try_get(at + 18)?;
    let mut spec = RoutineSpec {
        arguments: row.try_get(at + 2)?,
        returns: row.try_get(at + 3)?,
        language: row.try_get(at + 4)?,
        body: row.try_get(at + 5)?,
        atomic: row.try_get(at + 6)?,
        library: row.try_get(at + 7)?,
        transforms: transforms.unwrap_or_default(),
        window: row.try_get(at + 9)?,
        volatility: row.try_get(at + 10)?,
        leakproof: row.try_get(at + 11)?,
        strict: row.try_get(at + 12)?,
        security_definer: row.try_get(at + 13)?,
        parallel: row.try_get(at + 14)?,
        cost: row.try_get(at + 15)?,
        rows: row.try_get(at + 16)?,
        support: row.try_get(at + 17)?,
        set: set.unwrap_or_default(),
    };
    spec.set.sort();
    Ok(Found::of(format!("{}({types})", Ident(name)), &spec))
}

/// `FUNCTION app.f(integer)`. Of procedures, the mode is said: without it `p(integer)` may also mean one
/// with an OUT argument (manual, DROP PROCEDURE).
pub fn phrase(word: &str, address: &Address) -> String {
    let schema = Ident(address.schema());
    match split(address.name()).and_then(|(name, types)| Some((name, parameters(types)?))) {
        Some((name, types)) if word == "PROCEDURE" => {
            let types: Vec<String> = types.iter().map(|t| format!("IN {}", t.head)).collect();
            format!("{word} {schema}.{name}({})", types.join(", "))
        }
        _ => format!("{word} {schema}.{}", address.name()),
    }
}

pub fn create(word: &str, node: &Node, scope: &Scope) -> Vec<Change> {
    let Ok(spec) = node.spec.read::<RoutineSpec>() else { return Vec::new() };
    let before = scope.actual.get(&node.address).and_then(|live| live.spec.read::<RoutineSpec>().ok());
    let change = Change::new(spec.statement(&format!("CREATE {word}"), &node.address), Lock::None, &[]);
    vec![with_hazards(change, before.as_ref(), &spec)]
}

pub fn drop(word: &str, node: &Node) -> Vec<Change> {
    vec![Change::new(format!("DROP {}", phrase(word, &node.address)), Lock::None, &[])]
}

pub fn alter(word: &str, old: &Node, new: &Node) -> Alter {
    let (Ok(a), Ok(b)) = (old.spec.read::<RoutineSpec>(), new.spec.read::<RoutineSpec>()) else {
        return Alter::Replace;
    };
    if !b.can_replace(&a) {
        return Alter::Replace;
    }
    let change = Change::new(b.statement(&format!("CREATE OR REPLACE {word}"), &new.address), Lock::None, &[]);
    Alter::InPlace(vec![with_hazards(change, Some(&a), &b)])
}

pub fn rename(word: &str, node: &Node, to: &str) -> Option<Change> {
    // The new address has argument types behind the name as the old one has.
    let name = split(to).map_or(to, |(name, _)| name);
    Some(Change::new(format!("ALTER {} RENAME TO {name}", phrase(word, &node.address)), Lock::None, &[]))
}

/// The address of a routine once a type in its list of arguments has another name; None if none is of that type.
pub fn retyped(address: &Address, from: &Address, to: &Address) -> Option<Address> {
    if !matches!(address.kind(), "function" | "procedure") {
        return None;
    }
    let (name, types) = split(address.name())?;
    let qualified = |at: &Address| crate::sql::qualified(at.schema(), at.name());
    let now = renamed_in(types, &qualified(from), &qualified(to));
    (now != types).then(|| address.renamed(&format!("{name}({now})")))
}

/// What it says of itself after that.
pub fn moved(node: &Node, from: &Address) -> Option<Spec> {
    let mut spec: RoutineSpec = node.spec.read().ok()?;
    let (before, now) = (split(from.name())?.1, split(node.address.name())?.1);
    for (old, new) in parameters(before)?.iter().zip(parameters(now)?) {
        let (old, new) = (old.head.trim_end_matches("[]"), new.head.trim_end_matches("[]"));
        spec.arguments = renamed_in(&spec.arguments, old, new);
        spec.returns = spec.returns.map(|returns| renamed_in(&returns, old, new));
    }
    Some(Spec::of(&spec))
}

/// The text with another name where the old one stands whole.
fn renamed_in(text: &str, old: &str, new: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || ['_', '$', '"', '.'].contains(&c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(old).filter(|_| old != new) {
        let (before, behind) = (&rest[..at], &rest[at + old.len()..]);
        let last = before.chars().next_back().or_else(|| out.chars().next_back());
        let whole = !last.is_some_and(part) && !behind.starts_with(part);
        out.push_str(before);
        out.push_str(if whole { new } else { old });
        rest = behind;
    }
    out + rest
}

/// What it gives depends on its text and on as whom and under which settings that runs, not on what the planner is told.
pub fn computes(node: &Node) -> Option<String> {
    let spec: RoutineSpec = node.spec.read().ok()?;
    let told = RoutineSpec {
        volatility: None,
        leakproof: false,
        parallel: None,
        cost: None,
        rows: None,
        support: None,
        ..spec
    };
    Some(Spec::of(&told).as_json().to_owned())
}

/// The body of an SQL function in string form: PostgreSQL checks that what it names is there, and forgets it.
pub fn untracked(node: &Node) -> Option<String> {
    node.spec.read::<RoutineSpec>().ok().filter(|spec| spec.language == "sql").and_then(|spec| spec.body)
}

/// The body of a routine whose language says in SQL what it works on.
pub fn code(node: &Node) -> Option<String> {
    let speaks_sql = |spec: &RoutineSpec| ["sql", "plpgsql"].contains(&spec.language.as_str());
    node.spec.read::<RoutineSpec>().ok().filter(speaks_sql).and_then(|spec| spec.body)
}

/// Functions and procedures share one name space.
pub fn slots(node: &Node) -> Vec<(String, String)> {
    vec![("function".into(), format!("{}.{}", Ident(node.address.schema()), node.address.name()))]
}

/// A body in string form notices nothing; argument types and atomic bodies hold on to what they name.
pub fn rebind(node: &Node, cause: Cause) -> Rebind {
    let atomic = node.spec.read::<RoutineSpec>().is_ok_and(|spec| spec.atomic.is_some());
    match cause {
        Cause::Rebuilt if !atomic => Rebind::Keep,
        Cause::Rebuilt | Cause::Replaced | Cause::Swapped => Rebind::Replace,
    }
}

/// The same signature with a body that needs nothing, for routines whose bodies the server binds.
pub fn early(node: &Node) -> Option<Node> {
    let mut spec: RoutineSpec = node.spec.read().ok()?;
    spec.atomic.take()?;
    spec.body = Some(match spec.returns.as_deref() {
        Some(ty) if ty != "void" && !ty.starts_with("SETOF ") && !ty.starts_with("TABLE(") => {
            format!("SELECT NULL::{ty}")
        }
        _ => "SELECT NULL".into(),
    });
    let signature = [(Shape::Arguments, Some(&spec.arguments)), (Shape::Returns, spec.returns.as_ref())];
    let fragments: Vec<Fragment> =
        signature.into_iter().filter_map(|(shape, text)| Some(Fragment::new(shape, text?.as_str()))).collect();
    Some(Node { needs: needs_of(node, &fragments), spec: Spec::of(&spec), ..node.clone() })
}

pub fn grantable(word: &str, node: &Node) -> Grantable {
    Grantable {
        on: phrase(word, &node.address),
        column: None,
        privileges: &["execute"],
        default_class: 'f',
        public: &["execute"],
    }
}

fn with_hazards(change: Change, old: Option<&RoutineSpec>, new: &RoutineSpec) -> Change {
    let Some(old) = old else { return change };
    let path = |spec: &RoutineSpec| spec.set.iter().find_map(|s| s.strip_prefix("search_path=").map(str::to_owned));
    let (before, after) = (path(old), path(new));
    // Nothing but what is built in is found on an empty one.
    let empty = |path: &String| path.is_empty() || path == "\"\"" || path == "pg_catalog";
    change
        .hazard_if(
            new.security_definer && !old.security_definer,
            Hazard::AccessWidened,
            "it runs with the rights of its owner, no longer with those of its caller",
        )
        .hazard_if(
            new.security_definer && before.is_some() && after.is_none(),
            Hazard::AccessWidened,
            "its caller chooses the search path under which it runs with the rights of its owner",
        )
        .hazard_if(
            new.security_definer
                && before.as_ref().is_some_and(empty)
                && after.as_ref().is_some_and(|path| !empty(path)),
            Hazard::AccessWidened,
            "who may create in a schema of its search path can have it run other things with the rights of its owner",
        )
        .hazard_if(
            new.leakproof && !old.leakproof,
            Hazard::AccessWidened,
            "it may see rows before row security and security barriers hold them back",
        )
}

impl RoutineSpec {
    fn statement(&self, verb: &str, address: &Address) -> String {
        let Self {
            arguments,
            returns,
            language,
            body,
            atomic,
            library,
            transforms,
            window,
            volatility,
            leakproof,
            strict,
            security_definer,
            parallel,
            cost,
            rows,
            support,
            set,
        } = self;
        let name = split(address.name()).map_or(address.name(), |(name, _)| name);
        let mut sql = format!("{verb} {}.{name}({arguments})", Ident(address.schema()));
        if let Some(returns) = returns {
            sql.push_str(&format!("\nRETURNS {returns}"));
        }
        sql.push_str(&format!("\nLANGUAGE {}", Ident(language)));
        if !transforms.is_empty() {
            let each = transforms.iter().map(|ty| format!("FOR TYPE {ty}"));
            sql.push_str(&format!(" TRANSFORM {}", each.collect::<Vec<_>>().join(", ")));
        }
        let flag = |on: bool, words: &str| on.then(|| words.to_owned());
        let valued = |word: &str, value: &Option<String>| value.as_ref().map(|v| format!("{word} {v}"));
        let options = [
            flag(*window, "WINDOW"),
            volatility.as_ref().map(|word| word.to_uppercase()),
            flag(*leakproof, "LEAKPROOF"),
            flag(*strict, "STRICT"),
            flag(*security_definer, "SECURITY DEFINER"),
            parallel.as_ref().map(|word| format!("PARALLEL {}", word.to_uppercase())),
            valued("COST", cost),
            valued("ROWS", rows),
            valued("SUPPORT", support),
        ];
        for option in options.into_iter().flatten() {
            sql.push_str(&format!(" {option}"));
        }
        for setting in set {
            sql.push_str(&format!("\n{}", set::clause(setting)));
        }
        match (atomic, library, body) {
            (Some(atomic), _, _) => sql.push_str(&format!("\n{atomic}")),
            (None, Some(library), Some(symbol)) => {
                sql.push_str(&format!("\nAS {}, {}", literal(library), literal(symbol)))
            }
            (None, Some(library), None) => sql.push_str(&format!("\nAS {}", literal(library))),
            (None, None, body) => sql.push_str(&format!("\nAS {}", quote_body(body.as_deref().unwrap_or_default()))),
        }
        sql
    }

    /// Whether CREATE OR REPLACE gets there from `old`: the result, the arguments and their names stay, no
    /// default goes away, and a window function stays one.
    fn can_replace(&self, old: &Self) -> bool {
        if self.returns != old.returns || self.window != old.window {
            return false;
        }
        let (Some(a), Some(b)) = (parameters(&old.arguments), parameters(&self.arguments)) else { return false };
        let fits = |(old, new): (&Parameter, &Parameter)| {
            // An argument without a name may get one.
            let named =
                new.head.strip_suffix(old.head).is_some_and(|name| name.ends_with(' ') && !name.trim().contains(' '));
            (old.head == new.head || named) && (!old.has_default || new.has_default)
        };
        a.len() == b.len() && a.iter().zip(&b).all(fits)
    }
}

/// One argument of a list as the server prints it.
struct Parameter<'a> {
    /// Mode, name and type.
    head: &'a str,
    has_default: bool,
}

fn parameters(list: &str) -> Option<Vec<Parameter<'_>>> {
    if list.trim().is_empty() {
        return Some(Vec::new());
    }
    let (mut depth, mut start, mut default) = (0i32, 0, None);
    let mut found = Vec::new();
    let mut end = |start: usize, end: usize, default: Option<usize>| {
        let head = list.get(start..default.unwrap_or(end)).unwrap_or_default().trim();
        if !head.is_empty() {
            found.push(Parameter { head, has_default: default.is_some() });
        }
    };
    for token in tokens(list).ok()? {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "," if depth == 0 => {
                end(start, token.start, default.take());
                start = token.end;
            }
            word if depth == 0 && default.is_none() && (word == "=" || word.eq_ignore_ascii_case("default")) => {
                default = Some(token.start);
            }
            _ => {}
        }
    }
    end(start, list.len(), default);
    Some(found)
}

/// A dollar-quoted body, with the first tag of a fixed row that does not occur in it.
fn quote_body(body: &str) -> String {
    if !body.contains("$$") && !body.ends_with('$') {
        return format!("$${body}$$");
    }
    let tags = ["$body".to_owned()].into_iter().chain((1..100).map(|n| format!("$body{n}")));
    match tags.into_iter().find(|tag| !body.contains(tag.as_str())) {
        Some(tag) => format!("{tag}${body}{tag}$"),
        None => literal(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(arguments: &str) -> RoutineSpec {
        RoutineSpec { arguments: arguments.into(), returns: Some("integer".into()), ..RoutineSpec::default() }
    }

    #[test]
    fn replacing_keeps_signatures() {
        let cases = [
            ("a integer", "a integer DEFAULT 1", true),
            ("a integer DEFAULT 1", "a integer DEFAULT f(2, 3)", true),
            ("a integer DEFAULT 1", "a integer", false),
            ("a integer", "b integer", false),
            ("integer", "b integer", true),
            ("a integer, OUT x text", "a integer, OUT y text", false),
            ("a integer, b text DEFAULT 'x, y'::text", "a integer, b text DEFAULT NULL::text", true),
            ("", "", true),
            ("", "a integer", false),
        ];
        for (old, new, can) in cases {
            assert_eq!(spec(new).can_replace(&spec(old)), can, "{old} -> {new}");
        }
    }

    #[test]
    fn types_are_renamed_in_signatures() {
        let at = |kind: &str, name: &str| Address::root("schema", "app").child(kind, name);
        let (from, to) = (at("table", "items"), at("table", "Things"));
        let now = |name: &str| retyped(&at("function", name), &from, &to).map(|a| a.name().to_owned());
        let wanted = "f(app.\"Things\", integer, app.\"Things\"[])";
        assert_eq!(now("f(app.items, integer, app.items[])").as_deref(), Some(wanted));
        assert_eq!(now("app.items(app.items2, x.app.items, text)"), None);
        let spec = RoutineSpec {
            arguments: "a app.items, n integer DEFAULT 1, more app.items[]".into(),
            returns: Some("SETOF app.items".into()),
            ..RoutineSpec::default()
        };
        let node = Node::new(at("function", wanted), Spec::of(&spec));
        let after: RoutineSpec = moved(&node, &at("function", "f(app.items, integer, app.items[])"))
            .expect("a routine")
            .read()
            .expect("a spec");
        assert_eq!(after.arguments, "a app.\"Things\", n integer DEFAULT 1, more app.\"Things\"[]");
        assert_eq!(after.returns.as_deref(), Some("SETOF app.\"Things\""));
    }

    #[test]
    fn bodies_are_quoted_whole() {
        let cases = [
            ("select 1", "$$select 1$$"),
            ("select $1", "$$select $1$$"),
            ("select '$$'", "$body$select '$$'$body$"),
            ("cost in $", "$body$cost in $$body$"),
            ("$$ $body$", "$body1$$$ $body$$body1$"),
        ];
        for (body, quoted) in cases {
            assert_eq!(quote_body(body), quoted);
        }
    }

    #[test]
    fn statements_say_everything() {
        let spec = RoutineSpec {
            language: "sql".into(),
            body: Some("select 1".into()),
            volatility: Some("stable".into()),
            security_definer: true,
            set: vec!["search_path=\"\", \"My S\"".into(), "work_mem=64MB".into()],
            ..spec("a integer")
        };
        let address = Address::root("schema", "app").child("function", "\"F\"(integer)");
        let wanted = "CREATE FUNCTION app.\"F\"(a integer)\nRETURNS integer\nLANGUAGE sql STABLE SECURITY DEFINER\n\
                      SET search_path TO '', 'My S'\nSET work_mem TO '64MB'\nAS $$select 1$$";
        assert_eq!(spec.statement("CREATE FUNCTION", &address), wanted);
    }

    #[test]
    fn an_early_form_needs_its_types_only() {
        let schema = Address::root("schema", "app");
        let (ty, table) = (schema.child("enum", "st"), schema.child("table", "t"));
        let full = RoutineSpec { atomic: Some("RETURN (SELECT count(*) FROM app.t)".into()), ..spec("x app.st") };
        let mut node = Node::new(schema.child("function", "f(app.st)"), Spec::of(&full));
        node.needs = vec![ty.clone(), table];
        let early = early(&node).unwrap_or_else(|| node.clone());
        assert_eq!(early.needs, [ty]);
        assert!(matches!(alter("FUNCTION", &early, &node), Alter::InPlace(_)));
    }
}
