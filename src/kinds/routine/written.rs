//! Routines as they are written: the key holds name and arguments, the map the rest.

use super::{set, stand_in, RoutineSpec};
use crate::error::Problem;
use crate::kinds::form::{brief, check_sql};
use crate::kinds::included::include;
use crate::kinds::{Drafts, Form, Key};
use crate::model::{Address, Node};
use crate::sql::{name, tokens, Fragment, Ident, Shape};
use crate::yaml::{Cut, Scalar, Yaml};
use serde_yaml::{Mapping, Value};

const WAS: Key =
    Key { name: "was", form: Form::Text, doc: "The name it had before, with its argument types if they differed." };
const LANGUAGE: Key = Key { name: "language", form: Form::Name, doc: "LANGUAGE; sql if there is an `atomic` body." };
const BODY: Key = Key { name: "body", form: Form::Text, doc: "The body, byte for byte; for C the link symbol." };
const FILE: Key = Key { name: "file", form: Form::Text, doc: "A file beside this one that holds the body." };
const ATOMIC: Key =
    Key { name: "atomic", form: Form::Text, doc: "What stands between BEGIN ATOMIC and END, or `return expression`." };
const LIBRARY: Key = Key { name: "library", form: Form::Text, doc: "The object file of a C function." };
const TRANSFORMS: Key =
    Key { name: "transforms", form: Form::List(&Form::Sql(Shape::Type)), doc: "TRANSFORM FOR TYPE." };
const DEFINER: Key = Key { name: "security_definer", form: Form::Flag, doc: "Runs with the rights of its owner." };
const SET: Key = Key {
    name: "set",
    form: Form::Map(&Form::Text),
    doc: "Settings while it runs, with values as in SQL: `search_path: \"''\"`.",
};

/// The form of a procedure.
pub static PROCEDURE: Form = Form::Record(&[WAS, LANGUAGE, BODY, FILE, ATOMIC, LIBRARY, TRANSFORMS, DEFINER, SET]);

/// The form of a function.
pub static FUNCTION: Form = Form::Record(&[
    WAS,
    Key {
        name: "returns",
        form: Form::Sql(Shape::Returns),
        doc: "What follows RETURNS; not needed with OUT arguments.",
    },
    LANGUAGE,
    BODY,
    FILE,
    ATOMIC,
    LIBRARY,
    TRANSFORMS,
    Key { name: "window", form: Form::Flag, doc: "WINDOW." },
    Key {
        name: "volatility",
        form: Form::Word(&VOLATILITY),
        doc: "How much its result may change; volatile if absent.",
    },
    Key { name: "immutable", form: Form::Flag, doc: "Short for `volatility: immutable`." },
    Key { name: "stable", form: Form::Flag, doc: "Short for `volatility: stable`." },
    Key { name: "volatile", form: Form::Flag, doc: "Short for `volatility: volatile`." },
    Key { name: "strict", form: Form::Flag, doc: "NULL for a NULL argument, without running." },
    DEFINER,
    Key { name: "leakproof", form: Form::Flag, doc: "Reveals nothing of its arguments but by its result." },
    Key { name: "parallel", form: Form::Word(&["unsafe", "restricted", "safe"]), doc: "PARALLEL; unsafe if absent." },
    Key { name: "cost", form: Form::Text, doc: "Estimated cost of a call." },
    Key { name: "rows", form: Form::Text, doc: "Estimated number of rows of a result." },
    Key { name: "support", form: Form::Sql(Shape::Name), doc: "Planner support function." },
    SET,
]);

const VOLATILITY: [&str; 3] = ["immutable", "stable", "volatile"];

/// Splits `name(arguments)` before its first bracket outside quotes.
pub fn split(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let at = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == '(' && !quoted
    });
    let (name, rest) = text.split_at(at?.0);
    Some((name, rest.strip_prefix('(')?.trim_end().strip_suffix(')')?))
}

/// The name of a routine alone, as PostgreSQL stores it.
pub fn bare_name(address: &Address) -> Option<String> {
    let (name, _) = split(address.name())?;
    name::split(name).map(|(_, name)| name)
}

/// The key under which a routine is written.
pub fn key(node: &Node, default_schema: &str) -> String {
    let name = split(node.address.name()).map_or(node.address.name(), |(name, _)| name);
    let arguments = node.spec.read::<RoutineSpec>().map(|spec| spec.arguments).unwrap_or_default();
    let schema = node.address.schema();
    if schema == default_schema {
        format!("{name}({arguments})")
    } else {
        format!("{}.{name}({arguments})", Ident(schema))
    }
}

pub fn declare(kind: &str, key: &Scalar, yaml: &Yaml, out: &mut Drafts) {
    let Some(signature) = Signature::read(key, out) else { return };
    let text = |key: &str| yaml.text(key).map(|s| s.text.clone());
    let atomic = yaml.text("atomic").and_then(|scalar| Atomic::read(scalar, out));
    let mut spec = RoutineSpec {
        arguments: signature.arguments.clone(),
        returns: text("returns"),
        language: language(yaml),
        body: body(yaml, out),
        atomic: atomic.as_ref().map(|a| a.clause.clone()),
        library: text("library"),
        transforms: yaml
            .get("transforms")
            .into_iter()
            .flat_map(Yaml::values)
            .filter_map(|v| Some(v.scalar()?.text.clone()))
            .collect(),
        window: yaml.flag("window"),
        volatility: volatility(yaml, out),
        leakproof: yaml.flag("leakproof"),
        strict: yaml.flag("strict"),
        security_definer: yaml.flag("security_definer"),
        parallel: text("parallel").filter(|word| word != "unsafe"),
        cost: number(yaml, "cost", out),
        rows: number(yaml, "rows", out),
        support: text("support"),
        set: settings(yaml, out),
    };
    let bodiless = spec.body.is_none() && spec.atomic.is_none();
    if out.external && (bodiless || spec.library.is_some() || ["c", "internal"].contains(&spec.language.as_str())) {
        spec = stand_in::idle(&spec);
    } else {
        one_body(key, yaml, &spec, out);
    }
    let was = yaml.text("was").map(|was| signature.formerly(&was.text));
    let address = Address::root("schema", &signature.schema).child(kind, &signature.name);
    let draft = out.add(address, &spec, &key.pos);
    if !spec.arguments.trim().is_empty() {
        draft.fragment_text(Shape::Arguments, &spec.arguments, Some(key));
    }
    if let Some(returns) = yaml.text("returns") {
        draft.fragment(Shape::Returns, returns);
    }
    if let (Some(atomic), Some(scalar)) = (atomic, yaml.text("atomic")) {
        draft.fragment_text(Shape::Atomic, &atomic.fragment, Some(scalar));
    }
    for ty in &spec.transforms {
        draft.fragment_text(Shape::Type, ty, None);
    }
    if let Some(support) = yaml.text("support") {
        draft.fragment_text(Shape::Call, &format!("{}()", support.text), Some(support));
    }
    if was.is_some() {
        draft.hints().was = was;
    }
}

/// What a key says.
struct Signature {
    schema: String,
    /// With argument types, as in addresses.
    name: String,
    arguments: String,
    types: String,
}

impl Signature {
    fn read(key: &Scalar, out: &mut Drafts) -> Option<Self> {
        let named = split(&key.text).and_then(|(name, arguments)| Some((name::split(name)?, arguments)));
        let Some(((schema, name), arguments)) = named else {
            let problem = Problem::new(&key.pos, format!("`{}` is not a name with arguments", brief(&key.text)));
            out.problems
                .push(problem.hint("write the argument list behind the name, empty or not: `f()`, `app.f(a integer)`"));
            return None;
        };
        let types = if arguments.trim().is_empty() { Some(String::new()) } else { types(arguments, out) };
        let Some(types) = types else {
            let mistake = Fragment::new(Shape::Arguments, arguments).check().err();
            let (at, message) = mistake.map_or((0, "not an argument list".to_owned()), |m| (m.offset, m.message));
            let start = key.text.trim_end().len().saturating_sub(arguments.len() + 1);
            out.problem(&key.position_of(start + at), format!("{message} in `{}`", brief(&key.text)));
            return None;
        };
        Some(Self {
            schema: schema.unwrap_or_else(|| out.default_schema().to_owned()),
            name: format!("{}({types})", Ident(&name)),
            arguments: arguments.trim().to_owned(),
            types,
        })
    }

    /// The former name in an address, from `old` or `old(types)`.
    fn formerly(&self, was: &str) -> String {
        let (name, types) = match split(was) {
            Some((name, arguments)) => (name, arguments),
            None => (was, self.types.as_str()),
        };
        let name = name::split(name).map_or_else(|| name.to_owned(), |(_, name)| name);
        format!("{}({})", Ident(&name), types.trim())
    }
}

/// Argument types as PostgreSQL prints them; types of this declaration live in its first schema.
fn types(arguments: &str, out: &Drafts) -> Option<String> {
    Fragment::new(Shape::Arguments, arguments).check().ok()?;
    let is_type = |address: &Address| {
        let is_routine = matches!(address.kind(), "function" | "procedure" | "sequence");
        !is_routine && address.schema() == out.default_schema() && address.depth() == 2
    };
    let resolve = |ty: &str| {
        let declared = out.list.iter().map(|d| &d.node.address).any(|a| a.name() == ty && is_type(a));
        declared.then(|| out.default_schema().to_owned())
    };
    let types = name::argument_types(arguments)?;
    Some(types.iter().map(|t| t.printed(&resolve)).collect::<Vec<_>>().join(", "))
}

/// The language, with the case that people like to write folded.
fn language(yaml: &Yaml) -> String {
    match yaml.text("language").map(|s| s.text.as_str()) {
        Some(written) => {
            let known = ["sql", "plpgsql", "c", "internal"].into_iter().find(|l| l.eq_ignore_ascii_case(written));
            known.unwrap_or(written).to_owned()
        }
        None => yaml.get("atomic").map_or("", |_| "sql").to_owned(),
    }
}

/// The body in string form, inline or from its file.
fn body(yaml: &Yaml, out: &mut Drafts) -> Option<String> {
    if let Some(file) = yaml.text("file") {
        return include(file, out).map(|included| included.text);
    }
    let body = yaml.text("body")?;
    if body.cut.is_some() {
        check_sql(Shape::Atomic, body, &mut out.problems);
    }
    Some(body.text.clone())
}

fn one_body(key: &Scalar, yaml: &Yaml, spec: &RoutineSpec, out: &mut Drafts) {
    let given: Vec<&str> = ["body", "file", "atomic"].into_iter().filter(|k| yaml.get(k).is_some()).collect();
    let problem = match given.as_slice() {
        [] if spec.library.is_none() => "has no body: write `body`, `file` or `atomic`".to_owned(),
        [] | [_] if spec.language.is_empty() => "has no `language`".to_owned(),
        [] | [_] => return,
        [first, second, ..] => format!("has both `{first}` and `{second}`"),
    };
    out.problem(&key.pos, format!("`{}` {problem}", brief(&key.text)));
}

/// A body that the server binds when it is created.
struct Atomic {
    /// As it ends CREATE FUNCTION.
    clause: String,
    /// The statements, each ended.
    fragment: String,
}

impl Atomic {
    fn read(scalar: &Scalar, out: &mut Drafts) -> Option<Self> {
        let text = scalar.text.as_str();
        let blank = text.trim().is_empty();
        let words = if blank { Vec::new() } else { tokens(text).unwrap_or_default() };
        let is_return = words.first().is_some_and(|t| t.text.eq_ignore_ascii_case("return"));
        let ended = words.last().is_some_and(|t| t.text == ";");
        // A comment at the end must not swallow what follows it.
        let fragment = if ended { text.to_owned() } else { format!("{text}\n;") };
        let mut checked = scalar.clone();
        checked.text.clone_from(&fragment);
        let before = out.problems.len();
        check_sql(Shape::Atomic, &checked, &mut out.problems);
        if out.problems.len() > before {
            return None;
        }
        let clause = if is_return && !words.iter().any(|t| t.text == ";") {
            text.trim_end().to_owned()
        } else {
            format!("BEGIN ATOMIC\n{}\nEND", fragment.trim_end())
        };
        Some(Self { clause, fragment })
    }
}

fn volatility(yaml: &Yaml, out: &mut Drafts) -> Option<String> {
    let mut words: Vec<&str> = VOLATILITY.into_iter().filter(|word| yaml.flag(word)).collect();
    words.extend(yaml.text("volatility").map(|s| s.text.as_str()));
    words.dedup();
    if let [first, second, ..] = words.as_slice() {
        out.problem(&yaml.pos, format!("both {first} and {second}"));
    }
    words.first().filter(|word| **word != "volatile").map(|word| (*word).to_owned())
}

fn number(yaml: &Yaml, key: &str, out: &mut Drafts) -> Option<String> {
    let scalar = yaml.text(key)?;
    let digits = scalar.text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if digits && scalar.text.parse::<f32>().is_ok_and(|n| n.is_finite() && n > 0.0) {
        return Some(scalar.text.clone());
    }
    out.problem(&scalar.pos, format!("expected a number above 0, found `{}`", brief(&scalar.text)));
    None
}

fn settings(yaml: &Yaml, out: &mut Drafts) -> Vec<String> {
    let mut settings = Vec::new();
    for (name, value) in yaml.get("set").into_iter().flat_map(Yaml::entries) {
        let Some(value) = value.scalar() else { continue };
        let cut = value.cut.or(name.cut);
        if matches!(cut, Some(Cut::Comment | Cut::FlowComma)) {
            let problem = Problem::new(&name.pos, "YAML cuts this value short");
            out.problems.push(problem.hint("put the value in quotes"));
        } else if let Some(setting) = set::stored(&name.text, &value.text).filter(|_| !value.is_null()) {
            settings.push(setting);
        } else {
            let problem =
                Problem::new(&value.pos, format!("`{}` is no value for {}", brief(&value.text), brief(&name.text)));
            out.problems.push(problem.hint("write it as SQL does; the empty search path is \"''\""));
        }
    }
    settings.sort();
    settings
}

pub fn write(node: &Node) -> Option<Value> {
    let RoutineSpec {
        arguments: _,
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
    } = node.spec.read().ok()?;
    let mut yaml = Mapping::new();
    if let Some(returns) = returns {
        yaml.insert("returns".into(), returns.into());
    }
    if atomic.is_none() || language != "sql" {
        yaml.insert("language".into(), language.into());
    }
    if let Some(word) = volatility {
        yaml.insert(word.into(), true.into());
    }
    let flags =
        [("window", window), ("leakproof", leakproof), ("strict", strict), ("security_definer", security_definer)];
    for (key, _) in flags.into_iter().filter(|(_, on)| *on) {
        yaml.insert(key.into(), true.into());
    }
    let number = |text: String| text.parse::<u32>().map_or_else(|_| Value::from(text.as_str()), Value::from);
    let texts = [
        ("parallel", parallel.map(Value::from)),
        ("cost", cost.map(number)),
        ("rows", rows.map(number)),
        ("support", support.map(Value::from)),
        ("library", library.map(Value::from)),
        ("transforms", (!transforms.is_empty()).then(|| transforms.into())),
    ];
    for (key, value) in texts {
        yaml.extend(value.map(|value| (key.into(), value)));
    }
    if !set.is_empty() {
        let entries = set.iter().map(|s| set::written(s)).map(|(name, value)| (name.into(), value.into()));
        yaml.insert("set".into(), Value::Mapping(entries.collect()));
    }
    if let Some(body) = body {
        yaml.insert("body".into(), body.into());
    }
    if let Some(atomic) = atomic {
        yaml.insert("atomic".into(), statements(&atomic).into());
    }
    Some(Value::Mapping(yaml))
}

/// What stands between BEGIN ATOMIC and END; a RETURN as it is.
fn statements(atomic: &str) -> String {
    let inner = atomic.strip_prefix("BEGIN ATOMIC").and_then(|text| text.trim_end().strip_suffix("END"));
    match inner {
        Some(inner) => format!("{}\n", inner.trim()),
        None => atomic.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_split_before_the_arguments() {
        assert_eq!(split("f()"), Some(("f", "")));
        assert_eq!(split("app.\"a(b\"(x int default f(1)) "), Some(("app.\"a(b\"", "x int default f(1)")));
        assert_eq!(split("f"), None);
    }

    #[test]
    fn atomic_bodies_lose_their_frame() {
        assert_eq!(statements("BEGIN ATOMIC\n SELECT 1;\nEND"), "SELECT 1;\n");
        assert_eq!(statements("RETURN (a + 1)"), "RETURN (a + 1)");
    }

    #[test]
    fn keys_read_back() {
        let spec = RoutineSpec { arguments: "a integer, OUT b text".into(), ..RoutineSpec::default() };
        let address = Address::root("schema", "app").child("function", "\"F\"(integer)");
        let node = Node::new(address, crate::model::Spec::of(&spec));
        assert_eq!(key(&node, "app"), "\"F\"(a integer, OUT b text)");
        assert_eq!(key(&node, "public"), "app.\"F\"(a integer, OUT b text)");
        let types = types("a int, t st, out b text", &Drafts::new(vec!["app".into()]));
        assert_eq!(types.as_deref(), Some("integer, st"));
    }
}
