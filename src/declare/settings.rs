//! The settings at the top of a declaration: what it owns, what it ignores, who the tenants are.

use crate::error::{Pos, Problem};
use crate::kinds::{form, Form, Key};
use crate::sql::Shape;
use crate::yaml::{Value, Yaml};
use serde::{Deserialize, Serialize};

/// Everything at the top of a declaration that is no thing in a database.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The oldest server major it must run on.
    pub postgres: u32,
    /// The schemas that the declaration owns.
    pub schemas: Vec<String>,
    /// Patterns of what is left alone.
    pub ignore: Vec<String>,
    /// The schemas in which what the declaration runs on rows finds what it names without one.
    pub search_path: Vec<String>,
    /// The owner of everything that names none.
    pub owner: Option<String>,
    pub tenancy: Option<Tenancy>,
    pub pos: Option<Pos>,
}

/// How tenants are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenancy {
    /// The table with one row per tenant.
    pub root: String,
    /// The column that says whose a row is.
    pub column: String,
    /// What a session sees as its tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Who may see all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bypass: Option<String>,
}

/// The oldest and the newest server major that are supported.
pub const OLDEST: u32 = 14;
pub const NEWEST: u32 = 18;

/// The keys, for the reader and for the JSON Schema.
pub static KEYS: &[Key] = &[
    Key { name: "pgplumb", form: Form::Word(&["1"]), doc: "The version of this format." },
    Key { name: "postgres", form: Form::Number, doc: "The oldest PostgreSQL major it must run on." },
    Key { name: "owner", form: Form::Name, doc: "The owner of everything that names none." },
    Key {
        name: "schemas",
        form: Form::Names,
        doc: "The schemas this declaration owns; everything else is left alone.",
    },
    Key {
        name: "ignore",
        form: Form::List(&Form::Text),
        doc: "Patterns such as public.alembic_version or public.tmp_*.",
    },
    Key {
        name: "search_path",
        form: Form::Names,
        doc: "The schemas in which triggers and functions find what they name without one, when a plan runs them on rows.",
    },
    Key {
        name: "tenancy",
        form: Form::Record(&[
            Key { name: "root", form: Form::Text, doc: "The table with one row per tenant." },
            Key { name: "column", form: Form::Name, doc: "The column that says whose a row is." },
            Key { name: "current", form: Form::Sql(Shape::Expression), doc: "What a session sees as its tenant." },
            Key { name: "bypass", form: Form::Sql(Shape::Expression), doc: "Who may see all, if anyone." },
        ]),
        doc: "How tenants are told apart.",
    },
];

pub fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|k| k.name)
}

impl Settings {
    /// Collects the settings from all files. Lists add up; anything else is said once.
    pub fn read(trees: &[Yaml], problems: &mut Vec<Problem>) -> Self {
        let mut settings = Self {
            postgres: OLDEST,
            schemas: Vec::new(),
            ignore: Vec::new(),
            search_path: Vec::new(),
            owner: None,
            tenancy: None,
            pos: None,
        };
        let mut versioned = false;
        let mut said: Vec<(String, Pos)> = Vec::new();
        for (key, value) in trees.iter().flat_map(Yaml::entries) {
            versioned |= key.text == "pgplumb";
            let Some(known) = KEYS.iter().find(|k| k.name == key.text) else { continue };
            let before = problems.len();
            form::check(&known.form, value, problems);
            if problems.len() > before {
                continue;
            }
            let once = !matches!(known.name, "pgplumb" | "schemas" | "ignore");
            if let Some((_, first)) = said.iter().find(|(name, _)| once && *name == key.text) {
                problems.push(
                    Problem::new(&key.pos, format!("`{}` is said twice", key.text)).hint(format!("first at {first}")),
                );
                continue;
            }
            said.push((key.text.clone(), key.pos.clone()));
            match known.name {
                "pgplumb" => {}
                "postgres" => match value.scalar().and_then(|s| s.text.parse().ok()) {
                    Some(major) if (OLDEST..=NEWEST).contains(&major) => settings.postgres = major,
                    _ => problems.push(Problem::new(&value.pos, format!("supported majors are {OLDEST} to {NEWEST}"))),
                },
                "owner" => settings.owner = value.scalar().map(|s| s.text.clone()),
                "schemas" => {
                    settings.pos = Some(key.pos.clone());
                    settings.schemas.extend(value.names());
                }
                "ignore" => settings.ignore.extend(value.names()),
                "search_path" => {
                    settings.search_path = value.names();
                    problems.extend(searchable(&settings.search_path).err().map(|why| Problem::new(&value.pos, why)));
                }
                _ => settings.tenancy = tenancy(value, problems),
            }
        }
        if !versioned {
            if let Some(tree) = trees.first() {
                let problem = Problem::new(&tree.pos, "the version of the format is missing");
                problems.push(problem.hint("start the declaration with `pgplumb: 1`"));
            }
        }
        let mut seen = std::collections::HashSet::new();
        settings.schemas.retain(|s| seen.insert(s.clone()));
        if settings.schemas.is_empty() {
            settings.schemas.push("public".into());
        }
        for schema in settings.schemas.iter().filter(|s| s.starts_with("pg_") || *s == "information_schema") {
            if let Some(pos) = &settings.pos {
                problems.push(Problem::new(pos, format!("`{schema}` belongs to PostgreSQL itself")));
            }
        }
        settings
    }
}

/// Whether plans can search these schemas; if not, why. PostgreSQL searches its own first, and temporary things are to come
/// last.
fn searchable(schemas: &[String]) -> std::result::Result<(), String> {
    for (at, name) in schemas.iter().enumerate() {
        if name == "$user" || name.starts_with("pg_") || name.len() > 63 {
            return Err(format!("`{name}` is no schema that a plan can search for things of the application"));
        }
        if schemas[..at].contains(name) {
            return Err(format!("`{name}` stands twice in the search path"));
        }
    }
    Ok(())
}

fn tenancy(yaml: &Yaml, problems: &mut Vec<Problem>) -> Option<Tenancy> {
    let Value::Map(_) = yaml.value else { return None };
    let text = |key: &str| yaml.text(key).map(|s| s.text.clone());
    match (text("root"), text("column")) {
        (Some(root), Some(column)) => Some(Tenancy { root, column, current: text("current"), bypass: text("bypass") }),
        _ => {
            problems.push(Problem::new(&yaml.pos, "tenancy needs `root` (a table) and `column`"));
            None
        }
    }
}
