//! Sequences (manual, CREATE SEQUENCE): those that stand alone, and those that a column owns, as `serial` makes
//! them. The sequence of an identity column is part of that column.
//!
//! An owned sequence and its column's default need each other, so it is created without its owner first. It
//! has the owner of its table, falls with its column, and is moved along by ALTER TABLE ... OWNER TO.

use super::*;
use crate::sql::{qualified, Ident, Shape};
use serde::{Deserialize, Serialize};

/// The sequence kind.
pub struct Sequence;

/// A sequence; options are only those that differ from what PostgreSQL chooses itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceSpec {
    /// None for `bigint`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub ty: Option<String>,
    /// In SQL, as [`options`] writes them: `START WITH 10 CACHE 5`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub options: String,
    /// From 15 on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlogged: bool,
    /// Schema, table and column that it falls with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<[String; 3]>,
}

const TYPES: &[&str] = &["bigint", "integer", "smallint"];

static FORM: Form = Form::Record(&[
    Key { name: "type", form: Form::Word(TYPES), doc: "`bigint` if absent." },
    Key { name: "start", form: Form::Number, doc: "START WITH." },
    Key { name: "increment", form: Form::Number, doc: "INCREMENT BY." },
    Key { name: "min", form: Form::Number, doc: "MINVALUE." },
    Key { name: "max", form: Form::Number, doc: "MAXVALUE." },
    Key { name: "cache", form: Form::Number, doc: "CACHE." },
    Key { name: "cycle", form: Form::Flag, doc: "CYCLE." },
    Key { name: "owned_by", form: Form::Sql(Shape::Name), doc: "The `table.column` that it falls with." },
    Key { name: "unlogged", form: Form::Flag, doc: "UNLOGGED (15 and later)." },
    Key { name: "was", form: Form::Text, doc: "The name it had before." },
]);

/// The options of a sequence that are not what PostgreSQL chooses for its type and direction, in SQL.
pub fn options(start: &str, increment: &str, min: &str, max: &str, cache: &str, cycle: bool, ty: &str) -> String {
    let settings = Settings {
        start: start.to_owned(),
        increment: increment.to_owned(),
        min: min.to_owned(),
        max: max.to_owned(),
        cache: cache.to_owned(),
        cycle,
    };
    let defaults = settings.defaults(ty);
    let Settings { start, increment, min, max, cache, cycle } = settings;
    let mut words = Vec::new();
    let clauses = [
        ("START WITH", start, defaults.start),
        ("INCREMENT BY", increment, defaults.increment),
        ("MINVALUE", min, defaults.min),
        ("MAXVALUE", max, defaults.max),
        ("CACHE", cache, defaults.cache),
    ];
    for (word, value, default) in clauses {
        if value != default {
            words.push(format!("{word} {value}"));
        }
    }
    if cycle {
        words.push("CYCLE".to_owned());
    }
    words.join(" ")
}

/// The clauses of ALTER SEQUENCE that set everything as [`options`] wrote it and the rest to the defaults.
pub fn reset(options: &str) -> String {
    // The type decides only about the outer bound, which is left to the server where it is not said.
    let settings = Settings::read(options, TYPES[0]);
    let defaults = settings.defaults(TYPES[0]);
    let Settings { start, increment, min, max, cache, cycle } = settings;
    let bound = |word: &str, value: &str, default: &str| {
        if value == default {
            format!("NO {word}")
        } else {
            format!("{word} {value}")
        }
    };
    let (min, max) = (bound("MINVALUE", &min, &defaults.min), bound("MAXVALUE", &max, &defaults.max));
    let cycle = if cycle { "CYCLE" } else { "NO CYCLE" };
    format!("START WITH {start} INCREMENT BY {increment} {min} {max} CACHE {cache} {cycle}")
}

/// All settings of a sequence, numbers as text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settings {
    start: String,
    increment: String,
    min: String,
    max: String,
    cache: String,
    cycle: bool,
}

impl Settings {
    /// What PostgreSQL chooses (`init_params`), for the bounds and the direction of these settings where one
    /// setting follows from another.
    fn defaults(&self, ty: &str) -> Self {
        let (lowest, highest) = match ty {
            "smallint" => ("-32768", "32767"),
            "integer" => ("-2147483648", "2147483647"),
            _ => ("-9223372036854775808", "9223372036854775807"),
        };
        let down = self.increment.starts_with('-');
        let (min, max) = if down { (lowest, "-1") } else { ("1", highest) };
        Self {
            start: if down { self.max.clone() } else { self.min.clone() },
            increment: "1".into(),
            min: min.into(),
            max: max.into(),
            cache: "1".into(),
            cycle: false,
        }
    }

    /// Reads what [`options`] wrote; what is not said is the default.
    fn read(options: &str, ty: &str) -> Self {
        let words: Vec<&str> = options.split_whitespace().collect();
        let after = |word: &str| words.iter().position(|w| *w == word).and_then(|at| words.get(at + 1)).copied();
        Self::filled(
            after("WITH"),
            after("BY"),
            after("MINVALUE"),
            after("MAXVALUE"),
            after("CACHE"),
            words.contains(&"CYCLE"),
            ty,
        )
    }

    fn filled(
        start: Option<&str>,
        increment: Option<&str>,
        min: Option<&str>,
        max: Option<&str>,
        cache: Option<&str>,
        cycle: bool,
        ty: &str,
    ) -> Self {
        let text = |value: Option<&str>, default: &str| value.unwrap_or(default).to_owned();
        let mut settings = Self {
            start: String::new(),
            increment: text(increment, "1"),
            min: String::new(),
            max: String::new(),
            cache: text(cache, "1"),
            cycle,
        };
        let bounds = settings.defaults(ty);
        settings.min = text(min, &bounds.min);
        settings.max = text(max, &bounds.max);
        settings.start = text(start, &settings.defaults(ty).start);
        settings
    }

    /// The clauses of ALTER SEQUENCE that lead from other settings to these; also whether a bound moves.
    fn clauses_from(&self, old: &Self, ty: &str, retyped: bool) -> (Vec<String>, bool) {
        let Self { start, increment, min, max, cache, cycle } = self;
        let defaults = self.defaults(ty);
        let mut clauses = Vec::new();
        if *start != old.start {
            clauses.push(format!("START WITH {start}"));
        }
        if *increment != old.increment {
            clauses.push(format!("INCREMENT BY {increment}"));
        }
        let mut moved = false;
        for (word, value, before, default) in
            [("MINVALUE", min, &old.min, &defaults.min), ("MAXVALUE", max, &old.max, &defaults.max)]
        {
            moved |= value != before;
            // A new type brings its own bounds along.
            if value != before || retyped {
                clauses.push(if value == default { format!("NO {word}") } else { format!("{word} {value}") });
            }
        }
        if *cache != old.cache {
            clauses.push(format!("CACHE {cache}"));
        }
        if *cycle != old.cycle {
            clauses.push(if *cycle { "CYCLE".into() } else { "NO CYCLE".into() });
        }
        (clauses, moved)
    }
}

impl SequenceSpec {
    /// The type that it counts in.
    pub fn type_name(&self) -> &str {
        self.ty.as_deref().unwrap_or(TYPES[0])
    }

    /// The column that it falls with.
    pub fn owner_column(&self) -> Option<Address> {
        let [schema, table, column] = self.owned_by.as_ref()?;
        Some(Address::root("schema", schema).child("table", table).child("column", column))
    }

    fn owned_by_sql(&self) -> String {
        match &self.owned_by {
            Some([schema, table, column]) => format!("{}.{}", qualified(schema, table), Ident(column)),
            None => "NONE".into(),
        }
    }
}

/// Splits `table.column` or `schema.table.column` as SQL reads it.
fn split_column(text: &str, default_schema: &str) -> Option<[String; 3]> {
    let tokens = crate::sql::tokens(text).ok()?;
    let mut parts = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match (at % 2, token.text) {
            (0, name) => parts.push(crate::sql::name::split(name)?.1),
            (_, ".") => {}
            _ => return None,
        }
    }
    if parts.len() == 2 {
        parts.insert(0, default_schema.to_owned());
    }
    parts.try_into().ok()
}

/// Whether the column is an identity there: then its sequence is its own business.
fn is_identity(column: &Address, model: &Model) -> bool {
    let spec: Option<serde_json::Value> = model.get(column).and_then(|node| node.spec.read().ok());
    spec.is_some_and(|spec| spec.get("identity").is_some_and(|identity| !identity.is_null()))
}

/// OWNED BY, after giving the sequence to the owner of the table: PostgreSQL wants them equal.
fn own(kind: &Sequence, node: &Node, old: Option<&Node>, spec: &SequenceSpec, scope: &Scope) -> Vec<Change> {
    let mut changes = Vec::new();
    let on = std::slice::from_ref(&node.address);
    let phrase = kind.phrase(node);
    let table = spec.owner_column().and_then(|column| column.parent());
    let owner_in = |model: &Model| table.as_ref().and_then(|t| model.get(t)).and_then(|t| t.owner.clone());
    let wanted = owner_in(scope.desired).or_else(|| owner_in(scope.actual));
    let already_owned = old.and_then(|n| n.spec.read::<SequenceSpec>().ok()).is_some_and(|s| s.owned_by.is_some());
    // A new one belongs to whoever creates it, until it is told otherwise.
    let owner = old.and_then(|n| n.owner.clone().or_else(|| node.owner.clone()));
    if let Some(wanted) = wanted.filter(|w| owner.as_ref() != Some(w)) {
        if already_owned {
            // The owner of an owned sequence cannot be changed (0A000).
            changes.push(Change::new(format!("ALTER {phrase} OWNED BY NONE"), Lock::ShareRowExclusive, on));
        }
        let sql = format!("ALTER {phrase} OWNER TO {}", Ident(&wanted));
        changes.push(Change::new(sql, Lock::AccessExclusive, on));
    }
    let sql = format!("ALTER {phrase} OWNED BY {}", spec.owned_by_sql());
    changes.push(Change::new(sql, Lock::ShareRowExclusive, on));
    changes
}

/// Whether its column, which was an identity, makes it when it ceases to be one.
fn made_by_column(node: &Node, scope: &Scope) -> bool {
    let spec = scope.desired.get(&node.address).unwrap_or(node).spec.read::<SequenceSpec>();
    let column = spec.ok().and_then(|spec| spec.owner_column());
    scope.actual.get(&node.address).is_none()
        && column.is_some_and(|c| is_identity(&c, scope.actual) && !is_identity(&c, scope.desired))
}

impl Kind for Sequence {
    fn name(&self) -> &'static str {
        "sequence"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section {
            parent: "",
            key: "sequences",
            many: Many::Named,
            doc: "Sequences; those of `serial` and identity columns need not be said.",
        }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[Facet::Owner, Facet::Comment, Facet::Grants]
    }

    fn declare(&self, _parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(address) = out.address(self.name(), name) else { return };
        let ty = yaml.text("type").map_or(TYPES[0], |s| s.text.as_str());
        // As a number: `+5` and `05` are 5.
        let number = |key: &str| yaml.number(key).map(|n| n.to_string());
        let (start, increment, min, max, cache) =
            (number("start"), number("increment"), number("min"), number("max"), number("cache"));
        let Settings { start, increment, min, max, cache, cycle } = Settings::filled(
            start.as_deref(),
            increment.as_deref(),
            min.as_deref(),
            max.as_deref(),
            cache.as_deref(),
            yaml.flag("cycle"),
            ty,
        );
        let mut owned_by = None;
        if let Some(column) = yaml.text("owned_by") {
            owned_by = split_column(&column.text, address.schema());
            if owned_by.is_none() {
                out.problem(&column.pos, "expected `table.column` or `schema.table.column`");
            }
            if let Some(owner) = yaml.text("owner") {
                out.problem(
                    &owner.pos,
                    "a sequence that is owned by a column has the owner of its table: leave this out",
                );
            }
        }
        let spec = SequenceSpec {
            ty: (ty != TYPES[0]).then(|| ty.to_owned()),
            options: options(&start, &increment, &min, &max, &cache, cycle, ty),
            unlogged: yaml.flag("unlogged"),
            owned_by,
        };
        let draft = out.add(address, &spec, &name.pos);
        draft.was(yaml);
        draft.node.needs.extend(spec.owner_column());
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let spec: SequenceSpec = node.spec.read().ok()?;
        let settings = Settings::read(&spec.options, spec.type_name());
        let defaults = settings.defaults(spec.type_name());
        let mut yaml = serde_yaml::Mapping::new();
        let SequenceSpec { ty, options: _, unlogged, owned_by } = &spec;
        if let Some(ty) = ty {
            yaml.insert("type".into(), ty.as_str().into());
        }
        let Settings { start, increment, min, max, cache, cycle } = settings;
        let numbers = [
            ("start", start, defaults.start),
            ("increment", increment, defaults.increment),
            ("min", min, defaults.min),
            ("max", max, defaults.max),
            ("cache", cache, defaults.cache),
        ];
        for (key, value, default) in numbers {
            if let (true, Ok(number)) = (value != default, value.parse::<i64>()) {
                yaml.insert(key.into(), number.into());
            }
        }
        if cycle {
            yaml.insert("cycle".into(), true.into());
        }
        if owned_by.is_some() {
            yaml.insert("owned_by".into(), spec.owned_by_sql().into());
        }
        if *unlogged {
            yaml.insert("unlogged".into(), true.into());
        }
        Some(Value::Mapping(yaml))
    }

    fn follows_owner(&self, node: &Node) -> bool {
        node.spec.read::<SequenceSpec>().is_ok_and(|spec| spec.owned_by.is_some())
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_class", parent: "pg_namespace", query: include_str!("sequence.sql") })
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let ty: String = row.try_get(at + 1)?;
        let number = |index: usize| row.try_get::<_, i64>(at + index).map(|n| n.to_string());
        let options =
            options(&number(2)?, &number(3)?, &number(4)?, &number(5)?, &number(6)?, row.try_get(at + 7)?, &ty);
        let (schema, table, column) = (row.try_get(at + 9)?, row.try_get(at + 10)?, row.try_get(at + 11)?);
        let owned_by = match (schema, table, column) {
            (Some(schema), Some(table), Some(column)) => Some([schema, table, column]),
            _ => None,
        };
        let spec =
            SequenceSpec { ty: (ty != TYPES[0]).then_some(ty), options, unlogged: row.try_get(at + 8)?, owned_by };
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("SEQUENCE {}", qualified(node.address.schema(), node.address.name()))
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<SequenceSpec>() else { return Vec::new() };
        // A column that was an identity makes its sequence itself when it ceases to be one.
        if made_by_column(node, scope) {
            return Vec::new();
        }
        let SequenceSpec { ty, options, unlogged, owned_by } = &spec;
        let mut sql = format!("CREATE {}{}", if *unlogged { "UNLOGGED " } else { "" }, self.phrase(node));
        if let Some(ty) = ty {
            sql.push_str(&format!(" AS {ty}"));
        }
        if !options.is_empty() {
            sql.push_str(&format!(" {options}"));
        }
        let mut changes = vec![Change::new(sql, Lock::None, &[])];
        if owned_by.is_some() {
            changes.extend(own(self, node, None, &spec, scope));
        }
        changes
    }

    fn drop(&self, node: &Node, scope: &Scope) -> Vec<Change> {
        let column = node.spec.read::<SequenceSpec>().ok().and_then(|spec| spec.owner_column());
        if let Some(column) = column.filter(|c| scope.actual.get(c).is_some()) {
            // It falls with its column, or the column takes it away when it becomes an identity.
            if scope.desired.get(&column).is_none() || is_identity(&column, scope.desired) {
                return Vec::new();
            }
        }
        let on = std::slice::from_ref(&node.address);
        let change = Change::new(format!("DROP {}", self.phrase(node)), Lock::AccessExclusive, on);
        vec![change.hazard(Hazard::DataLoss, "its position is lost")]
    }

    fn alter(&self, old: &Node, new: &Node, scope: &Scope) -> Alter {
        let (Ok(before), Ok(after)) = (old.spec.read::<SequenceSpec>(), new.spec.read::<SequenceSpec>()) else {
            return Alter::Refuse("its state cannot be read".into());
        };
        let SequenceSpec { ty, options, unlogged, owned_by } = &after;
        let on = std::slice::from_ref(&new.address);
        let phrase = self.phrase(new);
        let mut changes = Vec::new();

        let retyped = *ty != before.ty;
        if retyped || *options != before.options {
            let settings = Settings::read(options, after.type_name());
            let earlier = Settings::read(&before.options, before.type_name());
            let (mut clauses, moved) = settings.clauses_from(&earlier, after.type_name(), retyped);
            if retyped {
                clauses.insert(0, format!("AS {}", after.type_name()));
            }
            let change = Change::new(format!("ALTER {phrase} {}", clauses.join(" ")), Lock::ShareRowExclusive, on);
            changes.push(change.hazard_if(moved, Hazard::MayFailOnData, "its position may be outside the new bounds"));
        }
        if *unlogged != before.unlogged {
            let state = if *unlogged { "UNLOGGED" } else { "LOGGED" };
            let change = Change::new(format!("ALTER {phrase} SET {state}"), Lock::AccessExclusive, on);
            changes.push(change.hazard_if(
                *unlogged,
                Hazard::DataLoss,
                "a crash of the server sets it back to its start",
            ));
        }
        if *owned_by != before.owned_by && !made_by_column(new, scope) {
            changes.extend(own(self, new, Some(old), &after, scope));
        }
        Alter::InPlace(changes)
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        let sql = format!("ALTER {} RENAME TO {}", self.phrase(node), Ident(to));
        Some(Change::new(sql, Lock::AccessExclusive, std::slice::from_ref(&node.address)))
    }

    fn early(&self, node: &Node) -> Option<Node> {
        let mut spec: SequenceSpec = node.spec.read().ok()?;
        spec.owned_by.take()?;
        Some(Node { spec: Spec::of(&spec), needs: Vec::new(), ..node.clone() })
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        vec![("relation".into(), qualified(node.address.schema(), node.address.name()))]
    }

    fn rebind(&self, node: &Node, below: &Address, cause: Cause, scope: &Scope) -> Rebind {
        let Ok(spec) = node.spec.read::<SequenceSpec>() else { return Rebind::Replace };
        let column = spec.owner_column();
        if !column.is_some_and(|column| column.is_within(below)) {
            return Rebind::Replace;
        }
        match cause {
            // Let go, so that it keeps its position when the column is dropped.
            Cause::Replaced => {
                let release = Change::new(
                    format!("ALTER {} OWNED BY NONE", self.phrase(node)),
                    Lock::ShareRowExclusive,
                    std::slice::from_ref(&node.address),
                );
                Rebind::Lift { before: vec![release], after: own(self, node, Some(node), &spec, scope) }
            }
            Cause::Rebuilt | Cause::Swapped => Rebind::Keep,
        }
    }

    fn grantable(&self, node: &Node, _major: u32) -> Option<Grantable> {
        let on = self.phrase(node);
        Some(Grantable {
            on,
            column: None,
            privileges: &["select", "update", "usage"],
            default_class: 'S',
            public: &[],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: &str = "9223372036854775807";

    #[test]
    fn only_what_differs_is_said() {
        assert_eq!(options("1", "1", "1", MAX, "1", false, "bigint"), "");
        assert_eq!(options("10", "1", "1", "2147483647", "5", false, "integer"), "START WITH 10 CACHE 5");
        assert_eq!(options("1", "1", "1", "2147483647", "1", true, "bigint"), "MAXVALUE 2147483647 CYCLE");
        assert_eq!(options("-1", "-2", "-32768", "-1", "1", false, "smallint"), "INCREMENT BY -2");
        assert_eq!(options("5", "1", "5", MAX, "1", false, "bigint"), "MINVALUE 5");
    }

    #[test]
    fn settings_read_back_and_change() {
        let old = Settings::read("MINVALUE 5", "bigint");
        assert_eq!((old.start.as_str(), old.max.as_str()), ("5", MAX));
        let new = Settings::read("INCREMENT BY -1 CYCLE", "bigint");
        let (clauses, moved) = new.clauses_from(&old, "bigint", false);
        assert_eq!(clauses, ["START WITH -1", "INCREMENT BY -1", "NO MINVALUE", "NO MAXVALUE", "CYCLE"]);
        assert!(moved);
    }

    #[test]
    fn everything_is_reset() {
        let all = "START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1 NO CYCLE";
        assert_eq!(reset(""), all);
        let down = "START WITH 9 INCREMENT BY -1 NO MINVALUE MAXVALUE 9 CACHE 1 CYCLE";
        assert_eq!(reset("INCREMENT BY -1 MAXVALUE 9 CYCLE"), down);
    }

    #[test]
    fn columns_split() {
        let split = |text| split_column(text, "app").map(|parts| parts.join("|"));
        assert_eq!(split("t.c").as_deref(), Some("app|t|c"));
        assert_eq!(split("\"S\".\"a.b\".C").as_deref(), Some("S|a.b|c"));
        assert_eq!(split("t"), None);
    }
}
