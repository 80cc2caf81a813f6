//! Views (manual, CREATE VIEW).

use super::query::{Body, Written};
use super::relation::relation;
use super::*;
use crate::sql::Ident;
use serde::{Deserialize, Serialize};

/// The view kind.
pub struct View;

/// A view: its query and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewSpec {
    #[serde(flatten)]
    pub body: Body,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub security_barrier: bool,
    /// From 15 on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub security_invoker: bool,
    /// `local` or `cascaded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_option: Option<String>,
}

static FORM: Form = Form::Record(&[
    query::WAS,
    query::QUERY,
    query::FILE,
    query::COLUMNS,
    Key { name: "security_invoker", form: Form::Flag, doc: "Reads with the rights of who asks (15 and later)." },
    Key { name: "security_barrier", form: Form::Flag, doc: "Holds rows back before conditions of who asks see them." },
    Key { name: "check_option", form: Form::Word(&["local", "cascaded"]), doc: "New rows must be in the view." },
]);

impl ViewSpec {
    /// The options that are set, as WITH and SET take them.
    fn options(&self) -> Vec<(&'static str, String)> {
        let Self { body: _, security_barrier, security_invoker, check_option } = self;
        let flag = |name, on: bool| on.then(|| (name, "true".to_owned()));
        let options = [
            flag("security_barrier", *security_barrier),
            flag("security_invoker", *security_invoker),
            check_option.clone().map(|word| ("check_option", word)),
        ];
        options.into_iter().flatten().collect()
    }

    fn statement(&self, verb: &str, address: &Address) -> String {
        let mut sql = format!("{verb} VIEW {}", self.body.named(address));
        let options: Vec<String> = self.options().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !options.is_empty() {
            sql.push_str(&format!(" WITH ({})", options.join(", ")));
        }
        format!("{sql} AS\n{}", self.body.query)
    }

    fn with_hazards(&self, change: Change, old: Option<&Self>) -> Change {
        let Some(old) = old else { return change };
        let strength = |spec: &Self| match spec.check_option.as_deref() {
            None => 0,
            Some("local") => 1,
            Some(_) => 2,
        };
        change
            .hazard_if(
                old.security_invoker && !self.security_invoker,
                Hazard::AccessWidened,
                "it reads with the rights of its owner, no longer with those of who asks",
            )
            .hazard_if(
                old.security_barrier && !self.security_barrier,
                Hazard::AccessWidened,
                "conditions of who asks may see rows that it holds back",
            )
            .hazard_if(
                strength(old) > strength(self),
                Hazard::AccessWidened,
                "rows outside the view can be written through it",
            )
    }
}

impl Kind for View {
    fn name(&self) -> &'static str {
        "view"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "", key: "views", many: Many::Named, doc: "Views by name." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[Facet::Owner, Facet::Comment, Facet::Grants]
    }

    fn declare(&self, _parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(address) = out.address("view", name) else { return };
        let Some(written) = Written::read(name, yaml, out) else { return };
        let spec = ViewSpec {
            body: written.body.clone(),
            security_barrier: yaml.flag("security_barrier"),
            security_invoker: yaml.flag("security_invoker"),
            check_option: yaml.text("check_option").map(|s| s.text.clone()),
        };
        written.fragments(yaml, out.add(address, &spec, &name.pos));
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let ViewSpec { body, security_barrier, security_invoker, check_option } = node.spec.read().ok()?;
        let mut yaml = serde_yaml::Mapping::new();
        for (key, on) in [("security_invoker", security_invoker), ("security_barrier", security_barrier)] {
            if on {
                yaml.insert(key.into(), true.into());
            }
        }
        if let Some(word) = check_option {
            yaml.insert("check_option".into(), word.into());
        }
        body.write(&mut yaml);
        Some(Value::Mapping(yaml))
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_class", parent: "pg_namespace", query: include_str!("view.sql") })
    }

    fn printed(&self) -> &'static [&'static str] {
        &["query", "settings.*.default"]
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let options: Vec<String> = row.try_get::<_, Option<_>>(at + 4)?.unwrap_or_default();
        let value =
            |name: &str| options.iter().filter_map(|o| o.split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v);
        let flag = |name: &str| value(name).is_some_and(is_true);
        let spec = ViewSpec {
            body: Body::from_row(row, at + 1)?,
            security_barrier: flag("security_barrier"),
            security_invoker: flag("security_invoker"),
            check_option: value("check_option").map(str::to_lowercase),
        };
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("VIEW {}", relation(&node.address))
    }

    fn computes(&self, node: &Node) -> Option<String> {
        node.spec.read::<ViewSpec>().ok().map(|spec| spec.body.query)
    }

    fn reads_as_owner(&self, node: &Node) -> bool {
        node.spec.read::<ViewSpec>().is_ok_and(|spec| !spec.security_invoker)
    }

    fn create(&self, node: &Node, riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<ViewSpec>() else { return Vec::new() };
        let before = scope.actual.get(&node.address).and_then(|live| live.spec.read::<ViewSpec>().ok());
        let change = Change::new(spec.statement("CREATE", &node.address), Lock::None, &[]);
        let mut changes = vec![spec.with_hazards(change, before.as_ref())];
        changes.extend(query::of_riders(riders, scope));
        changes
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        let sql = format!("DROP {}", self.phrase(node));
        vec![Change::new(sql, Lock::AccessExclusive, std::slice::from_ref(&node.address))]
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        let (Ok(a), Ok(b)) = (old.spec.read::<ViewSpec>(), new.spec.read::<ViewSpec>()) else { return Alter::Replace };
        // OR REPLACE can only add columns at the end.
        if !b.body.columns.starts_with(&a.body.columns) {
            return Alter::Replace;
        }
        let on = std::slice::from_ref(&new.address);
        let mut changes = Vec::new();
        if a.body.query != b.body.query || a.body.columns != b.body.columns {
            // It forgets options that are not said again (manual, CREATE VIEW), so it says all of them.
            changes.push(Change::new(b.statement("CREATE OR REPLACE", &new.address), Lock::AccessExclusive, on));
        } else {
            let (before, after) = (a.options(), b.options());
            let set: Vec<String> =
                after.iter().filter(|o| !before.contains(o)).map(|(name, value)| format!("{name}={value}")).collect();
            let reset: Vec<String> = before
                .iter()
                .map(|(name, _)| *name)
                .filter(|n| !after.iter().any(|(a, _)| a == n))
                .map(str::to_owned)
                .collect();
            for (word, list) in [("SET", set), ("RESET", reset)] {
                if !list.is_empty() {
                    let sql = format!("ALTER {} {word} ({})", self.phrase(new), list.join(", "));
                    changes.push(Change::new(sql, Lock::AccessExclusive, on));
                }
            }
        }
        if let Some(last) = changes.pop() {
            changes.push(b.with_hazards(last, Some(&a)));
        }
        Alter::InPlace(changes)
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        let sql = format!("ALTER {} RENAME TO {}", self.phrase(node), Ident(to));
        Some(Change::new(sql, Lock::AccessExclusive, std::slice::from_ref(&node.address)))
    }

    fn early(&self, node: &Node) -> Option<Node> {
        let spec: ViewSpec = node.spec.read().ok()?;
        let (body, needs) = spec.body.early(node)?;
        // A stub is no updatable view: a check option would be refused.
        let stub = ViewSpec { body, check_option: None, ..spec };
        Some(Node { spec: Spec::of(&stub), needs, ..node.clone() })
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        query::slots(node)
    }

    fn grantable(&self, node: &Node, major: u32) -> Option<Grantable> {
        Some(query::grantable(node, major))
    }
}

/// A flag among options as PostgreSQL reads it, which keeps it as it was written (`parse_bool`): any case, and
/// words cut short.
fn is_true(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str| !text.is_empty() && word.starts_with(&text);
    begins("true") || begins("yes") || text == "on" || text == "1"
}

#[cfg(test)]
mod tests {
    use super::query::OutputColumn;
    use super::*;

    fn view(query: &str, columns: &[&str], security_invoker: bool) -> Node {
        let columns = columns.iter().map(|c| OutputColumn { name: (*c).to_owned(), ty: "integer".into() }).collect();
        let body = Body { query: query.into(), columns };
        let spec = ViewSpec { body, security_invoker, ..ViewSpec::default() };
        Node::new(Address::root("schema", "app").child("view", "v"), Spec::of(&spec))
    }

    fn statements(old: &Node, new: &Node) -> Option<Vec<(String, usize)>> {
        let empty = Model::default();
        let scope = Scope {
            actual: &empty,
            desired: &empty,
            major: 15,
            sizes: &|_| 0,
            held_by_policies: false,
            default_grants: &|_, _| Default::default(),
            same_spec: |live, desired| live.spec == desired.spec,
        };
        match View.alter(old, new, &scope) {
            Alter::InPlace(changes) => Some(changes.into_iter().map(|c| (c.sql, c.hazards.len())).collect()),
            _ => None,
        }
    }

    #[test]
    fn flags_are_read_as_the_server_reads_them() {
        for text in ["true", "T", "tru", "y", "YES", "on", "1"] {
            assert!(is_true(text), "{text}");
        }
        for text in ["false", "f", "n", "no", "off", "0", "o", "", "11"] {
            assert!(!is_true(text), "{text}");
        }
    }

    #[test]
    fn replacing_keeps_options_and_columns() {
        let old = view("SELECT 1 AS a", &["a"], true);
        let said = |sql: &str, hazards| Some(vec![(sql.to_owned(), hazards)]);
        let wider = "CREATE OR REPLACE VIEW app.v (a, b) WITH (security_invoker=true) AS\nSELECT 1 AS a, 2 AS b";
        assert_eq!(statements(&old, &view("SELECT 1 AS a, 2 AS b", &["a", "b"], true)), said(wider, 0));
        assert_eq!(statements(&old, &view("SELECT 1 AS b", &["b"], true)), None);
        assert_eq!(
            statements(&old, &view("SELECT 1 AS a", &["a"], false)),
            said("ALTER VIEW app.v RESET (security_invoker)", 1)
        );
    }

    #[test]
    fn an_early_view_has_the_same_columns() {
        let full = view("SELECT t.a FROM app.t", &["a"], false);
        let early = View.early(&full).unwrap_or_else(|| full.clone());
        let spec = early.spec.read::<ViewSpec>().unwrap_or_default();
        assert_eq!(spec.body.query, "SELECT NULL::integer AS a");
        assert!(statements(&early, &full).is_some());
        assert!(View.early(&view("SELECT 1", &[], false)).is_none());
    }
}
