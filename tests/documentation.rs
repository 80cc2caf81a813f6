//! The documentation is true: its declarations are valid, its commands exist, its list of keys is complete.
//!
//! `PGPLUMB_UPDATE=1` writes the list of keys in docs/declaration.md anew.

use pgplumb::kinds::{facet, Form, Key, Kind, KINDS};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const LIST: &str = "## All keys\n";

#[test]
fn declarations_in_the_documentation_are_valid() {
    let mut checked = 0;
    for path in documents() {
        for (line, block) in blocks(&path, "yaml") {
            // Settings of a project, plans and parts of them are no declarations.
            let first = block.lines().find(|l| !l.starts_with('#') && !l.is_empty()).unwrap_or_default();
            let Some((key, _)) = first.split_once(':') else { continue };
            let whole = match key {
                "pgplumb" => block.clone(),
                key if sections().contains(key) => format!("pgplumb: 1\n{block}"),
                _ => continue,
            };
            let directory = tempfile::tempdir().expect("a directory");
            let file = directory.path().join("schema.yaml");
            fs::write(&file, whole).expect("a file");
            let output = pgplumb(&["check", file.to_str().expect("a path")]);
            assert!(output.status.success(), "{}:{line}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
            checked += 1;
        }
    }
    assert!(checked >= 10, "only {checked} declarations found");
}

/// Keys at the top of a declaration.
fn sections() -> BTreeSet<&'static str> {
    let of_kinds = KINDS
        .iter()
        .flat_map(|kind| kind.sections())
        .filter(|section| section.parent.is_empty())
        .map(|section| section.key);
    of_kinds.chain(["schemas", "templates", "tenancy", "ignore", "owner", "postgres", "external"]).collect()
}

#[test]
fn commands_in_the_documentation_exist() {
    let known = commands();
    for path in documents() {
        for (line, block) in blocks(&path, "sh") {
            let calls =
                block.lines().filter_map(|l| l.split("pgplumb ").nth(1)).filter_map(|rest| rest.split(' ').next());
            for command in calls.filter(|command| !command.starts_with(['-', '.'])) {
                assert!(
                    known.iter().any(|k| k == command),
                    "{}:{line}: there is no `pgplumb {command}`",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn every_command_and_option_is_documented() {
    let text = fs::read_to_string(repository().join("docs/commands.md")).expect("docs/commands.md");
    let common = options(&["history", "--help"])
        .into_iter()
        .filter(|o| ["--url", "--limit", "--format"].iter().all(|own| o != own));
    let common: BTreeSet<String> = common.collect();
    for command in commands().into_iter().filter(|name| name != "help") {
        let title = format!("\n## {command}\n");
        let section =
            text.split_once(&title).unwrap_or_else(|| panic!("docs/commands.md has no section `{command}`")).1;
        let section = section.split("\n## ").next().unwrap_or_default();
        let there = options(&[&command, "--help"]);
        for option in there.iter().filter(|option| !common.contains(*option) && *option != "--url") {
            assert!(section.contains(option.as_str()), "docs/commands.md does not explain {option} of {command}");
        }
        let said =
            section.split(|c: char| c.is_whitespace() || "`(),;:.=".contains(c)).filter(|word| word.starts_with("--"));
        for option in said {
            assert!(there.contains(option), "docs/commands.md says that {command} has {option}");
        }
    }
    for option in common {
        assert!(text.contains(&option), "docs/commands.md does not explain {option}");
    }
}

#[test]
fn every_key_is_documented() {
    let path = repository().join("docs/declaration.md");
    let text = fs::read_to_string(&path).expect("docs/declaration.md");
    let (guide, _) = text.split_once(LIST).expect("the heading of the list of keys");
    let wanted = format!("{guide}{LIST}{}", keys());
    if std::env::var_os("PGPLUMB_UPDATE").is_some() && text != wanted {
        fs::write(&path, &wanted).expect("docs/declaration.md can be written");
        return;
    }
    assert!(
        text == wanted,
        "docs/declaration.md does not list the keys as they are; PGPLUMB_UPDATE=1 writes the list anew"
    );
}

#[test]
fn every_key_of_a_plan_is_documented() {
    let text = fs::read_to_string(repository().join("docs/plan-file.md")).expect("docs/plan-file.md");
    let plan = fs::read_to_string(repository().join("plans/enpyco/before.yaml")).expect("a plan");
    let plan: serde_yaml::Value = serde_yaml::from_str(&plan).expect("YAML");
    let maps = [&plan, &plan["batches"][0], &plan["batches"][0]["steps"][0], &plan["fingerprints"]];
    for key in
        maps.into_iter().filter_map(|map| map.as_mapping()).flat_map(|map| map.keys()).filter_map(|key| key.as_str())
    {
        assert!(text.contains(&format!("`{key}`")), "docs/plan-file.md does not explain {key}");
    }
}

/// The list of keys: one table for each kind, in the order of the registry.
fn keys() -> String {
    let mut text =
        String::from("\nThis list is made from the program. `owner`, `comment` and `grants` are explained above.\n");
    for kind in KINDS {
        let places: Vec<String> = kind
            .sections()
            .iter()
            .map(
                |s| if s.parent.is_empty() { format!("`{}`", s.key) } else { format!("`{}` of a {}", s.key, s.parent) },
            )
            .collect();
        let Some(section) = kind.sections().first() else { continue };
        text.push_str(&format!("\n### {}\n\n{}: {}\n", kind.name(), places.join(", "), section.doc));
        let keys = record(kind.form());
        let more: Vec<&str> = facet::keys(*kind).chain(children(*kind)).collect();
        if !keys.is_empty() {
            text.push_str("\n| key | is | |\n|---|---|---|\n");
        }
        for Key { name, form, doc } in keys {
            text.push_str(&format!("| `{name}` | {} | {} |\n", words(form), doc.replace('|', "\\|")));
        }
        if !more.is_empty() {
            let more = more.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            text.push_str(&format!("\n{}: {more}.\n", if keys.is_empty() { "Keys" } else { "Also" }));
        }
    }
    text
}

/// The keys of what is declared under this kind's sections.
fn children(kind: &dyn Kind) -> impl Iterator<Item = &'static str> + '_ {
    KINDS
        .iter()
        .flat_map(|child| child.sections())
        .filter(|section| section.parent == kind.name())
        .map(|section| section.key)
}

/// The keys of the map form.
fn record(form: &'static Form) -> &'static [Key] {
    match form {
        Form::Record(keys) => keys,
        Form::Either(forms) => forms.iter().map(record).find(|keys| !keys.is_empty()).unwrap_or_default(),
        _ => &[],
    }
}

fn words(form: &Form) -> String {
    match form {
        Form::Flag => "true or false".into(),
        Form::Number => "number".into(),
        Form::Text => "text".into(),
        Form::Name => "name".into(),
        Form::Names => "names".into(),
        Form::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Form::Sql(shape) => format!("SQL: {}", shape.words()),
        Form::List(of) => format!("list of {}", words(of)),
        Form::Map(of) => format!("map to {}", words(of)),
        Form::Record(keys) => {
            format!("map of {}", keys.iter().map(|key| format!("`{}`", key.name)).collect::<Vec<_>>().join(", "))
        }
        Form::Either(forms) => forms.iter().map(words).collect::<Vec<_>>().join("; or "),
    }
}

/// The subcommands, as the program lists them.
fn commands() -> Vec<String> {
    let help = String::from_utf8(pgplumb(&["--help"]).stdout).expect("UTF-8");
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    list.filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect()
}

/// The long options that a help text lists.
fn options(arguments: &[&str]) -> BTreeSet<String> {
    let help = String::from_utf8(pgplumb(arguments).stdout).expect("UTF-8");
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words =
        lines.flat_map(|line| line.split([' ', ',', '['])).filter(|word| word.starts_with("--") && word.len() > 2);
    words.map(str::to_owned).collect()
}

fn pgplumb(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgplumb")).args(arguments).current_dir("/tmp").output().expect("pgplumb runs")
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and the pages of docs/.
fn documents() -> Vec<PathBuf> {
    let pages = fs::read_dir(repository().join("docs")).expect("a directory");
    let mut paths: Vec<PathBuf> = pages.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "md"));
    paths.push(repository().join("README.md"));
    paths.sort();
    paths
}

/// The fenced blocks of a language, with their lines.
fn blocks(path: &Path, language: &str) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a document");
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(of) => {
                inside = of == language;
                if inside {
                    blocks.push((at + 1, String::new()));
                }
            }
            None if inside => {
                if let Some((_, block)) = blocks.last_mut() {
                    block.push_str(line);
                    block.push('\n');
                }
            }
            None => {}
        }
    }
    blocks
}
