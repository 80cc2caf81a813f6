//! The form of YAML: one description per kind, from which reading, the JSON Schema for editors and
//! the reference come.

use super::{facet, registry, Kind, Many};
use crate::error::{Pos, Problem};
use crate::sql::{Fragment, Shape};
use crate::yaml::{Cut, Scalar, Value, Yaml};

/// What may stand at a place in the YAML.
#[derive(Debug)]
pub enum Form {
    /// `true` or `false`.
    Flag,
    /// A whole number, perhaps negative.
    Number,
    /// Any scalar, taken as text.
    Text,
    /// An identifier as PostgreSQL stores it: not folded, not quoted.
    Name,
    /// A list of identifiers, or a comma line of column names as SQL reads them.
    Names,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A fragment of SQL.
    Sql(Shape),
    List(&'static Form),
    /// Free keys.
    Map(&'static Form),
    Record(&'static [Key]),
    /// The first that fits the YAML's own type (scalar, list or map).
    Either(&'static [Form]),
}

/// A key of a record.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub form: Form,
    pub doc: &'static str,
}

impl Form {
    /// Whether the YAML's own type fits.
    fn fits(&self, yaml: &Yaml) -> bool {
        match self {
            Self::Flag | Self::Number | Self::Text | Self::Name | Self::Word(_) | Self::Sql(_) => {
                matches!(yaml.value, Value::Scalar(_))
            }
            Self::Names => !matches!(yaml.value, Value::Map(_)),
            Self::List(_) => matches!(yaml.value, Value::List(_)),
            Self::Map(_) | Self::Record(_) => matches!(yaml.value, Value::Map(_)),
            Self::Either(forms) => forms.iter().any(|f| f.fits(yaml)),
        }
    }

    /// The form of what stands under a key; None if there is no such key.
    pub fn under(&self, key: &str) -> Option<&Form> {
        match self {
            Self::Record(keys) => keys.iter().find(|k| k.name == key).map(|k| &k.form),
            Self::Map(of) => Some(of),
            Self::Either(forms) => forms.iter().find_map(|f| f.under(key)),
            Self::Flag | Self::Number | Self::Text | Self::Name | Self::Names => None,
            Self::Word(_) | Self::Sql(_) | Self::List(_) => None,
        }
    }

    /// The form of each value in a list.
    pub fn each(&self) -> Option<&Form> {
        match self {
            Self::List(of) => Some(of),
            Self::Either(forms) => forms.iter().find_map(Self::each),
            Self::Flag | Self::Number | Self::Text | Self::Name | Self::Names => None,
            Self::Word(_) | Self::Sql(_) | Self::Map(_) | Self::Record(_) => None,
        }
    }

    /// Whether a scalar here is SQL.
    pub fn is_sql(&self) -> bool {
        match self {
            Self::Sql(_) | Self::Names => true,
            Self::Either(forms) => forms.iter().any(Self::is_sql),
            Self::Flag | Self::Number | Self::Text | Self::Name => false,
            Self::Word(_) | Self::List(_) | Self::Map(_) | Self::Record(_) => false,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Flag => "true or false".into(),
            Self::Number => "a whole number".into(),
            Self::Text => "a text".into(),
            Self::Name => "a name".into(),
            Self::Names => "a list of names".into(),
            Self::Word(words) => words.join(", "),
            Self::Sql(shape) => format!("SQL ({})", shape.words()),
            Self::List(_) => "a list".into(),
            Self::Map(_) | Self::Record(_) => "a map".into(),
            Self::Either(forms) => forms.iter().map(Self::words).collect::<Vec<_>>().join(" or "),
        }
    }
}

/// Checks what was written under a kind's name, with its facets and child sections.
pub fn check_kind(kind: &dyn Kind, yaml: &Yaml, problems: &mut Vec<Problem>) {
    let extra = |key: &str| {
        facet::form(kind, key).is_some() || registry::child_sections(kind.name()).any(|(s, _)| s.key == key)
    };
    let extra_names: Vec<&str> =
        registry::child_sections(kind.name()).map(|(s, _)| s.key).chain(facet::keys(kind)).collect();
    check_with(kind.form(), yaml, &extra, &extra_names, problems);
    for (key, value) in yaml.entries() {
        if let Some(form) = facet::form(kind, &key.text) {
            check(form, value, problems);
        }
        // Names of a view's columns, or what is said of them.
        let own = kind.form().under(&key.text).is_some_and(|form| form.fits(value));
        for (section, child) in registry::child_sections(kind.name()).filter(|(s, _)| s.key == key.text && !own) {
            check_section(section.many, child, value, problems);
        }
    }
}

/// Checks what stands under a section's key.
pub fn check_section(many: Many, kind: &dyn Kind, yaml: &Yaml, problems: &mut Vec<Problem>) {
    match (many, &yaml.value) {
        (Many::One, _) => check_kind(kind, yaml, problems),
        (Many::Named, Value::Map(entries)) => {
            for (name, value) in entries {
                check_name(name, problems);
                check_kind(kind, value, problems);
            }
        }
        (Many::List, Value::List(values)) => values.iter().for_each(|value| check_kind(kind, value, problems)),
        (Many::Named | Many::List, Value::Scalar(scalar)) if scalar.is_null() => {}
        (Many::Named, _) => {
            problems.push(Problem::new(&yaml.pos, format!("expected a map from names to {}", kind.name())))
        }
        (Many::List, _) => problems.push(Problem::new(&yaml.pos, "expected a list")),
    }
}

/// Checks YAML against a form.
pub fn check(form: &Form, yaml: &Yaml, problems: &mut Vec<Problem>) {
    check_with(form, yaml, &|_| false, &[], problems);
}

fn check_with(
    form: &Form,
    yaml: &Yaml,
    extra: &dyn Fn(&str) -> bool,
    extra_names: &[&str],
    problems: &mut Vec<Problem>,
) {
    if !form.fits(yaml) {
        let null = matches!(&yaml.value, Value::Scalar(s) if s.is_null());
        // `tenants:` with nothing behind it is an empty record.
        if !(null && matches!(form, Form::Record(_) | Form::Map(_) | Form::List(_))) {
            problems.push(Problem::new(&yaml.pos, format!("expected {}", form.words())));
        }
        return;
    }
    match (form, &yaml.value) {
        (Form::Either(forms), _) => {
            if let Some(form) = forms.iter().find(|f| f.fits(yaml)) {
                check_with(form, yaml, extra, extra_names, problems);
            }
        }
        (Form::Record(keys), Value::Map(entries)) => {
            for (key, value) in entries {
                match keys.iter().find(|k| k.name == key.text) {
                    Some(known) if known.form.fits(value) || !extra(&key.text) => check(&known.form, value, problems),
                    _ if extra(&key.text) => {}
                    _ => {
                        let names = keys.iter().map(|k| k.name).chain(extra_names.iter().copied());
                        problems.push(unknown_key(key, names));
                    }
                }
            }
        }
        (Form::Map(of), Value::Map(entries)) => {
            for (key, value) in entries {
                if key.text.is_empty() {
                    problems.push(Problem::new(&key.pos, "empty name"));
                }
                check(of, value, problems);
            }
        }
        (Form::List(of), Value::List(values)) => values.iter().for_each(|value| check(of, value, problems)),
        (Form::Names, Value::List(values)) => values.iter().for_each(|value| check(&Form::Name, value, problems)),
        (Form::Names, Value::Scalar(scalar)) => check_sql(Shape::Columns, scalar, problems),
        (_, Value::Scalar(scalar)) => check_scalar(form, scalar, problems),
        _ => {}
    }
}

fn check_scalar(form: &Form, scalar: &Scalar, problems: &mut Vec<Problem>) {
    let mut expected = || {
        problems.push(Problem::new(&scalar.pos, format!("expected {}, found `{}`", form.words(), brief(&scalar.text))))
    };
    match form {
        Form::Flag if flag(&scalar.text).is_none() => expected(),
        Form::Number if scalar.text.parse::<i64>().is_err() => expected(),
        Form::Word(words) if !words.contains(&scalar.text.as_str()) => {
            let mut problem =
                Problem::new(&scalar.pos, format!("`{}` is not one of {}", brief(&scalar.text), words.join(", ")));
            if let Some(near) = nearest(&scalar.text, words.iter().copied()) {
                problem = problem.hint(format!("did you mean `{near}`?"));
            }
            problems.push(problem);
        }
        Form::Name => check_name(scalar, problems),
        Form::Sql(shape) => check_sql(*shape, scalar, problems),
        _ => {}
    }
}

/// An identifier must be one that PostgreSQL can store whole.
pub fn check_name(name: &Scalar, problems: &mut Vec<Problem>) {
    if name.text.is_empty() {
        problems.push(Problem::new(&name.pos, "empty name"));
    } else if name.text.contains('\0') {
        problems.push(Problem::new(&name.pos, "a name cannot hold a NUL byte"));
    }
}

/// SQL must parse, and YAML must not have shortened it.
pub fn check_sql(shape: Shape, scalar: &Scalar, problems: &mut Vec<Problem>) {
    if let Some(cut) = scalar.cut {
        let what = match cut {
            Cut::Comment => "YAML takes what follows ` #` as a comment and cuts the SQL short",
            Cut::Fold => "YAML folds the line breaks in this SQL into spaces",
            Cut::FlowComma => "YAML ends the value at this comma",
        };
        problems.push(
            Problem::new(&scalar.pos, what).hint("put the SQL in quotes, or write it after `|` on lines of its own"),
        );
        return;
    }
    if scalar.is_null() {
        problems.push(Problem::new(&scalar.pos, format!("expected SQL ({}), found nothing", shape.words())));
        return;
    }
    if let Err(mistake) = Fragment::new(shape, scalar.text.as_str()).check() {
        let message = format!("{} in `{}`", mistake.message, brief(&scalar.text));
        problems.push(Problem::new(&scalar.position_of(mistake.offset), message));
    }
}

/// An unknown key, with the nearest known one.
pub fn unknown_key<'a>(key: &Scalar, known: impl Iterator<Item = &'a str>) -> Problem {
    let problem = Problem::new(&key.pos, format!("unknown key `{}`", brief(&key.text)));
    if key.cut == Some(Cut::FlowComma) {
        return problem.hint("the comma before it ended the value: put the SQL in quotes");
    }
    let known: Vec<&str> = known.collect();
    match nearest(&key.text, known.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("known here: {}", known.join(", "))),
    }
}

/// The word nearest to a mistyped one, if any is near.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|k| (strsim::damerau_levenshtein(&word.to_lowercase(), k), k))
        .filter(|(distance, k)| *distance <= 1 + k.len().min(word.len()) / 4)
        .min()
        .map(|(_, k)| k)
}

/// `true` and `false`, in the spellings of YAML 1.1 that people still write.
pub fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "yes" | "on" | "True" | "TRUE" => Some(true),
        "false" | "no" | "off" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A text short enough for a message, without line breaks.
pub fn brief(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() > 60 {
        format!("{}...", line.chars().take(57).collect::<String>())
    } else {
        line
    }
}

impl Yaml {
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries().find(|(k, _)| k.text == key).map(|(_, v)| v)
    }

    pub fn entries(&self) -> impl Iterator<Item = (&Scalar, &Yaml)> {
        let entries: &[(Scalar, Yaml)] = match &self.value {
            Value::Map(entries) => entries,
            Value::Scalar(_) | Value::List(_) => &[],
        };
        entries.iter().map(|(k, v)| (k, v))
    }

    pub fn values(&self) -> &[Yaml] {
        match &self.value {
            Value::List(values) => values,
            Value::Scalar(_) | Value::Map(_) => &[],
        }
    }

    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The scalar under a key; None if it is absent or null.
    pub fn text(&self, key: &str) -> Option<&Scalar> {
        self.get(key)?.scalar().filter(|s| !s.is_null())
    }

    /// The flag under a key, false if absent.
    pub fn flag(&self, key: &str) -> bool {
        self.text(key).and_then(|s| flag(&s.text)).unwrap_or(false)
    }

    pub fn number(&self, key: &str) -> Option<i64> {
        self.text(key)?.text.parse().ok()
    }

    /// Names under a form of [`Form::Names`]: a list, or a comma line as SQL reads it.
    pub fn names(&self) -> Vec<String> {
        match &self.value {
            Value::List(values) => values.iter().filter_map(|v| Some(v.scalar()?.text.clone())).collect(),
            Value::Scalar(scalar) => {
                let Ok(tokens) = crate::sql::tokens(&scalar.text) else { return Vec::new() };
                tokens
                    .iter()
                    .filter(|t| t.text != ",")
                    .filter_map(|t| crate::sql::name::split(t.text).map(|(_, name)| name))
                    .collect()
            }
            Value::Map(_) => Vec::new(),
        }
    }

    /// An empty map that nobody wrote.
    pub fn empty(pos: &Pos) -> Self {
        Self { pos: pos.clone(), value: Value::Map(Vec::new()) }
    }

    /// A scalar that nobody wrote, at the position of something written.
    pub fn made(text: impl Into<String>, pos: &Pos) -> Self {
        Self { pos: pos.clone(), value: Value::Scalar(Scalar::made(text, pos)) }
    }
}
