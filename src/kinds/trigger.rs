//! Triggers on tables and views (manual, chapter 39; CREATE TRIGGER).

use super::relation::{relation, table_of};
use super::*;
use crate::sql::{Ident, Shape};
use serde::{Deserialize, Serialize};

/// The trigger kind.
pub struct Trigger;

/// A trigger. Defaults: for each statement, without a condition, enabled as created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerSpec {
    /// `before`, `after` or `instead of`.
    pub timing: String,
    /// `insert or delete or update of a, b or truncate`, columns sorted by name.
    pub events: String,
    /// `row` or `statement`.
    pub level: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The function with its arguments.
    pub execute: String,
    /// The transition table of old rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_table: Option<String>,
    /// The transition table of new rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_table: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub constraint: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferrable: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initially_deferred: bool,
    /// The other table of a constraint trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `origin`, `replica`, `always` or `disabled`.
    pub enabled: String,
}

const TIMINGS: &[&str] = &["before", "after", "instead of"];
const STATES: &[&str] = &["origin", "replica", "always", "disabled"];

static FORM: Form = Form::Record(&[
    Key { name: "timing", form: Form::Word(TIMINGS), doc: "When it fires." },
    Key { name: "events", form: Form::Sql(Shape::Events), doc: "What fires it: `insert or update of a, b`." },
    Key {
        name: "level",
        form: Form::Word(&["row", "statement"]),
        doc: "FOR EACH; `statement` if absent, as in SQL, where `row` is not the only choice.",
    },
    Key { name: "when", form: Form::Sql(Shape::Expression), doc: "The condition under which it fires." },
    Key { name: "execute", form: Form::Sql(Shape::Call), doc: "The function with its arguments: `f('x')`." },
    Key { name: "referencing", form: Form::Record(REFERENCING), doc: "Names of transition tables." },
    Key { name: "constraint", form: Form::Flag, doc: "A constraint trigger." },
    Key { name: "deferrable", form: Form::Flag, doc: "DEFERRABLE (constraint triggers)." },
    Key { name: "initially_deferred", form: Form::Flag, doc: "INITIALLY DEFERRED (constraint triggers)." },
    Key { name: "from", form: Form::Sql(Shape::Name), doc: "The other table of a constraint trigger." },
    Key { name: "enabled", form: Form::Word(STATES), doc: "Which sessions fire it; `origin` if absent." },
    Key { name: "was", form: Form::Name, doc: "The name it had before." },
]);

const REFERENCING: &[Key] = &[
    Key { name: "old", form: Form::Name, doc: "OLD TABLE AS." },
    Key { name: "new", form: Form::Name, doc: "NEW TABLE AS." },
];

// Bits of `pg_trigger.tgtype` (`catalog/pg_trigger.h`).
const ROW: i32 = 1;
const BEFORE: i32 = 1 << 1;
const INSERT: i32 = 1 << 2;
const DELETE: i32 = 1 << 3;
const UPDATE: i32 = 1 << 4;
const TRUNCATE: i32 = 1 << 5;
const INSTEAD: i32 = 1 << 6;

/// The events in `tgtype`, in the order of `pg_get_triggerdef`.
fn events(bits: i32, columns: &[String]) -> String {
    let mut update = "update".to_owned();
    if !columns.is_empty() {
        let columns: Vec<String> = columns.iter().map(|c| Ident(c).to_string()).collect();
        update.push_str(&format!(" of {}", columns.join(", ")));
    }
    let all = [(INSERT, "insert"), (DELETE, "delete"), (UPDATE, update.as_str()), (TRUNCATE, "truncate")];
    let on: Vec<&str> = all.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, word)| *word).collect();
    on.join(" or ")
}

/// What `pg_get_triggerdef` says after WHEN (without its brackets) and after EXECUTE FUNCTION. Keywords are in
/// upper case there and bare, so that no name is taken for one.
fn tail(definition: &str) -> Option<(Option<String>, String)> {
    let tokens = crate::sql::tokens(definition).ok()?;
    let mut when = None;
    let mut from = 0;
    if let Some(at) = tokens.iter().position(|t| t.text == "WHEN") {
        let mut depth = 0i64;
        let close = tokens.iter().enumerate().skip(at + 1).find(|(_, token)| {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let (end, close) = close?;
        when = Some(definition.get(tokens.get(at + 1)?.end..close.start)?.to_owned());
        from = end;
    }
    let execute = tokens.get(from..)?.iter().position(|t| t.text == "EXECUTE")?;
    let function = tokens.get(from + execute + 1)?;
    Some((when, definition.get(function.end..)?.trim().to_owned()))
}

impl TriggerSpec {
    fn statement(&self, node: &Node, replace: bool) -> String {
        let Self {
            timing,
            events,
            level,
            when,
            execute,
            old_table,
            new_table,
            constraint,
            deferrable,
            initially_deferred,
            from,
            enabled: _,
        } = self;
        let mut sql = String::from(match (*constraint, replace) {
            (true, _) => "CREATE CONSTRAINT TRIGGER",
            (false, true) => "CREATE OR REPLACE TRIGGER",
            (false, false) => "CREATE TRIGGER",
        });
        let name = Ident(node.address.name());
        sql.push_str(&format!(" {name} {} {events} ON {}", timing.to_uppercase(), relation(&node.address)));
        if let Some(from) = from {
            sql.push_str(&format!(" FROM {from}"));
        }
        if *deferrable || *initially_deferred {
            sql.push_str(" DEFERRABLE");
        }
        if *initially_deferred {
            sql.push_str(" INITIALLY DEFERRED");
        }
        if old_table.is_some() || new_table.is_some() {
            sql.push_str(" REFERENCING");
        }
        for (word, table) in [("OLD", old_table), ("NEW", new_table)] {
            if let Some(table) = table {
                sql.push_str(&format!(" {word} TABLE AS {}", Ident(table)));
            }
        }
        sql.push_str(&format!(" FOR EACH {}", level.to_uppercase()));
        if let Some(when) = when {
            sql.push_str(&format!(" WHEN ({when})"));
        }
        sql.push_str(&format!(" EXECUTE FUNCTION {execute}"));
        sql
    }

    /// ALTER TABLE ... ENABLE or DISABLE TRIGGER.
    fn state_change(&self, node: &Node) -> Change {
        let word = match self.enabled.as_str() {
            "disabled" => "DISABLE",
            "replica" => "ENABLE REPLICA",
            "always" => "ENABLE ALWAYS",
            _ => "ENABLE",
        };
        let sql = format!("ALTER TABLE {} {word} TRIGGER {}", relation(&node.address), Ident(node.address.name()));
        Change::new(sql, Lock::ShareRowExclusive, &table_of(&node.address))
    }

    /// The same trigger in another state.
    fn in_state(&self, enabled: &str) -> Self {
        Self { enabled: enabled.to_owned(), ..self.clone() }
    }

    fn problems(&self, table: &Address, pos: &crate::error::Pos, out: &mut Drafts) {
        if !self.constraint && (self.deferrable || self.initially_deferred || self.from.is_some()) {
            out.problem(
                pos,
                "`deferrable`, `initially_deferred` and `from` are for constraint triggers: add `constraint: true`",
            );
        }
        if self.constraint && self.timing != "after" {
            out.problem(pos, "a constraint trigger fires `after`");
        }
        if table.kind() == "view" && self.enabled != "origin" {
            out.problem(pos, "a trigger on a view cannot be disabled or limited to some sessions");
        }
    }
}

/// The live triggers of its table that an UPDATE of a column fires.
pub fn fired_by_update(column: &Address, scope: &Scope) -> Vec<String> {
    let Some(table) = column.parent() else { return Vec::new() };
    let name = Ident(column.name()).to_string();
    let live = scope.actual.children_of(&table, "trigger").filter_map(|node| Some((node, node.spec.read().ok()?)));
    let fired = live.filter(|(_, spec): &(&Node, TriggerSpec)| {
        let of = |event: &str| event.strip_prefix("update of ").is_some_and(|list| list.split(", ").any(|c| c == name));
        let awake = ["origin", "always"].contains(&spec.enabled.as_str());
        awake && spec.events.split(" or ").any(|event| event == "update" || of(event))
    });
    fired.map(|(node, _)| node.address.name().to_owned()).collect()
}

impl Kind for Trigger {
    fn name(&self) -> &'static str {
        "trigger"
    }

    fn sections(&self) -> &'static [Section] {
        &[
            Section { parent: "table", key: "triggers", many: Many::Named, doc: "Triggers by name." },
            Section { parent: "view", key: "triggers", many: Many::Named, doc: "Triggers by name." },
        ]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(table) = parent else { return };
        let text = |key: &str| yaml.text(key).map(|s| s.text.clone());
        let (Some(timing), Some(events), Some(execute)) = (text("timing"), text("events"), text("execute")) else {
            out.problem(
                &name.pos,
                format!("trigger `{}` needs `timing`, `events` and `execute`", form::brief(&name.text)),
            );
            return;
        };
        let table_name = |key: &str| yaml.get("referencing")?.text(key).map(|s| s.text.clone());
        let constraint = yaml.flag("constraint");
        let only_row = constraint || timing == "instead of";
        let spec = TriggerSpec {
            timing,
            events,
            level: text("level").unwrap_or_else(|| if only_row { "row".into() } else { "statement".into() }),
            when: text("when"),
            execute,
            old_table: table_name("old"),
            new_table: table_name("new"),
            constraint,
            deferrable: yaml.flag("deferrable") || yaml.flag("initially_deferred"),
            initially_deferred: yaml.flag("initially_deferred"),
            from: text("from"),
            enabled: text("enabled").unwrap_or_else(|| "origin".into()),
        };
        spec.problems(table, &name.pos, out);
        let draft = out.add(table.child("trigger", &name.text), &spec, &name.pos);
        draft.was(yaml);
        let fragments =
            [("events", Shape::Events), ("when", Shape::Expression), ("execute", Shape::Call), ("from", Shape::Name)];
        for (key, shape) in fragments {
            if let Some(scalar) = yaml.text(key) {
                draft.fragment(shape, scalar);
            }
        }
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let TriggerSpec {
            timing,
            events,
            level,
            when,
            execute,
            old_table,
            new_table,
            constraint,
            deferrable,
            initially_deferred,
            from,
            enabled,
        } = node.spec.read().ok()?;
        let mut yaml = serde_yaml::Mapping::new();
        let mut put = |key: &str, value: Value| yaml.insert(key.into(), value);
        if constraint {
            put("constraint", true.into());
        }
        put("timing", timing.into());
        put("events", events.into());
        if let Some(from) = from {
            put("from", from.into());
        }
        for (key, on) in [("deferrable", deferrable && !initially_deferred), ("initially_deferred", initially_deferred)]
        {
            if on {
                put(key, true.into());
            }
        }
        if old_table.is_some() || new_table.is_some() {
            let mut tables = serde_yaml::Mapping::new();
            for (key, table) in [("old", old_table), ("new", new_table)] {
                if let Some(table) = table {
                    tables.insert(key.into(), table.into());
                }
            }
            put("referencing", Value::Mapping(tables));
        }
        put("level", level.into());
        if let Some(when) = when {
            put("when", when.into());
        }
        put("execute", execute.into());
        if enabled != "origin" {
            put("enabled", enabled.into());
        }
        Some(Value::Mapping(yaml))
    }

    fn is_outward(&self) -> bool {
        false
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_trigger", parent: "pg_class", query: include_str!("trigger.sql") })
    }

    fn printed(&self) -> &'static [&'static str] {
        &["when"]
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let name: String = row.try_get(at)?;
        let bits: i32 = row.try_get(at + 1)?;
        let state: &str = row.try_get(at + 2)?;
        let columns: Option<Vec<String>> = row.try_get(at + 9)?;
        let function: String = row.try_get(at + 10)?;
        let definition: Option<&str> = row.try_get(at + 11)?;
        let (when, execute) = match definition {
            None => (None, function),
            Some(text) => tail(text).ok_or_else(|| {
                crate::error::Error::new(format!("cannot read the definition of trigger {}: {text}", Ident(&name)))
            })?,
        };
        let timing = match bits & (BEFORE | INSTEAD) {
            0 => "after",
            BEFORE => "before",
            _ => "instead of",
        };
        let enabled = match state {
            "D" => "disabled",
            "R" => "replica",
            "A" => "always",
            _ => "origin",
        };
        let spec = TriggerSpec {
            timing: timing.into(),
            events: events(bits, &columns.unwrap_or_default()),
            level: if bits & ROW != 0 { "row".into() } else { "statement".into() },
            when,
            execute,
            old_table: row.try_get(at + 7)?,
            new_table: row.try_get(at + 8)?,
            constraint: row.try_get(at + 3)?,
            deferrable: row.try_get(at + 4)?,
            initially_deferred: row.try_get(at + 5)?,
            from: row.try_get(at + 6)?,
            enabled: enabled.into(),
        };
        Ok(Found::of(name, &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("TRIGGER {} ON {}", Ident(node.address.name()), relation(&node.address))
    }

    fn create(&self, node: &Node, _riders: &[&Node], _scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<TriggerSpec>() else { return Vec::new() };
        let mut changes =
            vec![Change::new(spec.statement(node, false), Lock::ShareRowExclusive, &table_of(&node.address))];
        if spec.enabled != "origin" {
            changes.push(spec.state_change(node));
        }
        changes
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        vec![Change::new(format!("DROP {}", self.phrase(node)), Lock::AccessExclusive, &table_of(&node.address))]
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        let (Ok(before), Ok(after)) = (old.spec.read::<TriggerSpec>(), new.spec.read::<TriggerSpec>()) else {
            return Alter::Replace;
        };
        if before.in_state(&after.enabled) == after {
            return Alter::InPlace(vec![after.state_change(new)]);
        }
        if before.constraint || after.constraint {
            return Alter::Replace;
        }
        let mut changes =
            vec![Change::new(after.statement(new, true), Lock::ShareRowExclusive, &table_of(&new.address))];
        // OR REPLACE enables it again.
        if after.enabled != "origin" {
            changes.push(after.state_change(new));
        }
        Alter::InPlace(changes)
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        let sql = format!("ALTER {} RENAME TO {}", self.phrase(node), Ident(to));
        Some(Change::new(sql, Lock::AccessExclusive, &table_of(&node.address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_cut() {
        let text = "CREATE TRIGGER \"WHEN\" BEFORE UPDATE ON s.\"EXECUTE\" FOR EACH ROW \
                    WHEN (((old.a)::text <> ') EXECUTE'::text)) EXECUTE FUNCTION s.f('WHEN (')";
        let wanted = (Some("((old.a)::text <> ') EXECUTE'::text)".to_owned()), "s.f('WHEN (')".to_owned());
        assert_eq!(tail(text), Some(wanted));
        let plain = "CREATE TRIGGER g AFTER INSERT ON s.t FOR EACH STATEMENT EXECUTE FUNCTION s.f('a', 'b')";
        assert_eq!(tail(plain), Some((None, "s.f('a', 'b')".to_owned())));
    }

    #[test]
    fn events_are_canonical() {
        let columns = ["a".to_owned(), "B".to_owned()];
        assert_eq!(events(INSERT | UPDATE | TRUNCATE, &columns), "insert or update of a, \"B\" or truncate");
        assert_eq!(events(DELETE, &[]), "delete");
    }
}
