//! Row security policies (manual, section 5.9; CREATE POLICY).

use super::relation::{relation, table_of};
use super::*;
use crate::sql::{Ident, Shape};
use serde::{Deserialize, Serialize};

/// The policy kind.
pub struct Policy;

/// What a policy says. Defaults: permissive, for all commands, to PUBLIC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySpec {
    /// `all`, `select`, `insert`, `update` or `delete`.
    #[serde(rename = "for")]
    pub command: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restrictive: bool,
    /// Sorted; empty is PUBLIC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub using: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

const COMMANDS: &[&str] = &["all", "select", "insert", "update", "delete"];

static FORM: Form = Form::Record(&[
    Key { name: "for", form: Form::Word(COMMANDS), doc: "The command it is for; all if absent." },
    Key { name: "as", form: Form::Word(&["permissive", "restrictive"]), doc: "How it combines with others." },
    Key { name: "to", form: Form::Names, doc: "Roles; PUBLIC if absent." },
    Key { name: "using", form: Form::Sql(Shape::Expression), doc: "Which existing rows it lets through." },
    Key { name: "check", form: Form::Sql(Shape::Expression), doc: "Which new rows it lets through." },
]);

impl PolicySpec {
    fn roles(&self) -> String {
        if self.to.is_empty() {
            return "PUBLIC".into();
        }
        let quoted = self.to.iter().map(|r| match r.as_str() {
            "current_user" | "session_user" | "current_role" => r.to_uppercase(),
            role => Ident(role).to_string(),
        });
        quoted.collect::<Vec<_>>().join(", ")
    }
}

impl Kind for Policy {
    fn name(&self) -> &'static str {
        "policy"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "table", key: "policies", many: Many::Named, doc: "Row security policies by name." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(table) = parent else { return };
        let text = |key: &str| yaml.text(key).map(|s| s.text.clone());
        let mut to = yaml.get("to").map(Yaml::names).unwrap_or_default();
        to.retain(|role| !role.eq_ignore_ascii_case("public"));
        to.sort();
        let spec = PolicySpec {
            command: text("for").unwrap_or_else(|| "all".into()),
            restrictive: text("as").as_deref() == Some("restrictive"),
            to,
            using: text("using"),
            check: text("check"),
        };
        if spec.command == "insert" && spec.using.is_some() {
            out.problem(&name.pos, "a policy for insert has no `using`: new rows are tested by `check`");
        }
        if matches!(spec.command.as_str(), "select" | "delete") && spec.check.is_some() {
            out.problem(
                &name.pos,
                format!("a policy for {} has no `check`: existing rows are tested by `using`", spec.command),
            );
        }
        let draft = out.add(table.child("policy", &name.text), &spec, &name.pos);
        draft.was(yaml);
        for key in ["using", "check"] {
            if let Some(scalar) = yaml.text(key) {
                draft.fragment(Shape::Expression, scalar);
            }
        }
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let PolicySpec { command, restrictive, to, using, check } = node.spec.read().ok()?;
        let mut yaml = serde_yaml::Mapping::new();
        yaml.insert("for".into(), command.into());
        if restrictive {
            yaml.insert("as".into(), "restrictive".into());
        }
        if !to.is_empty() {
            yaml.insert("to".into(), to.into());
        }
        for (key, text) in [("using", using), ("check", check)] {
            if let Some(text) = text {
                yaml.insert(key.into(), text.into());
            }
        }
        Some(Value::Mapping(yaml))
    }

    fn is_outward(&self) -> bool {
        false
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_policy", parent: "pg_class", query: include_str!("policy.sql") })
    }

    fn printed(&self) -> &'static [&'static str] {
        &["using", "check"]
    }

    fn trees(&self) -> Option<&'static Trees> {
        Some(&Trees {
            fields: &["using", "check"],
            query: "select p.oid, 0, e.field, p.polrelid, e.tree from pg_policy p \
                    cross join lateral (values (1, p.polqual), (2, p.polwithcheck)) e (field, tree)",
            over_columns: true,
        })
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let spec = PolicySpec {
            command: row.try_get(at + 1)?,
            restrictive: row.try_get(at + 2)?,
            to: row.try_get(at + 3)?,
            using: row.expression("using", at + 4)?,
            check: row.expression("check", at + 5)?,
        };
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("POLICY {} ON {}", Ident(node.address.name()), relation(&node.address))
    }

    fn decides_on_rows(&self) -> bool {
        true
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<PolicySpec>() else { return Vec::new() };
        let PolicySpec { command, restrictive, to: _, using, check } = &spec;
        let mut sql = format!("CREATE {}", self.phrase(node));
        if *restrictive {
            sql.push_str(" AS RESTRICTIVE");
        }
        if command != "all" {
            sql.push_str(&format!(" FOR {}", command.to_uppercase()));
        }
        sql.push_str(&format!(" TO {}", spec.roles()));
        for (word, text) in [("USING", using), ("WITH CHECK", check)] {
            if let Some(text) = text {
                sql.push_str(&format!(" {word} ({text})"));
            }
        }
        // The same text may call another function of that name.
        let calls = |node: &Node| -> Vec<Address> {
            node.needs.iter().filter(|need| need.kind() == "function").cloned().collect()
        };
        let same = scope
            .actual
            .get(&node.address)
            .is_some_and(|live| calls(live) == calls(node) && covers(live, node, scope.same_spec));
        let widens = !restrictive && !same && secured_already(&node.address, scope);
        vec![Change::new(sql, Lock::AccessExclusive, &table_of(&node.address)).hazard_if(
            widens,
            Hazard::AccessWidened,
            "one more permissive policy lets through what no other does",
        )]
    }

    fn drop(&self, node: &Node, scope: &Scope) -> Vec<Change> {
        let restrictive = node.spec.read::<PolicySpec>().is_ok_and(|s| s.restrictive);
        let same = scope
            .desired
            .get(&node.address)
            .is_some_and(|wanted| covers(wanted, node, |wide, narrow| (scope.same_spec)(narrow, wide)));
        let stays = !same && node.address.parent().is_some_and(|table| scope.desired.get(&table).is_some());
        vec![Change::new(format!("DROP {}", self.phrase(node)), Lock::AccessExclusive, &table_of(&node.address))
            .hazard_if(restrictive && stays, Hazard::AccessWidened, "a restrictive policy no longer holds rows back")]
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        let (Ok(a), Ok(b)) = (old.spec.read::<PolicySpec>(), new.spec.read::<PolicySpec>()) else {
            return Alter::Replace;
        };
        let PolicySpec { command, restrictive, to, using, check } = &b;
        // ALTER POLICY can neither change the command or the mode nor take a clause away.
        let lost = (a.using.is_some() && using.is_none()) || (a.check.is_some() && check.is_none());
        if a.command != *command || a.restrictive != *restrictive || lost {
            return Alter::Replace;
        }
        let mut sql = format!("ALTER {}", self.phrase(new));
        if a.to != *to {
            sql.push_str(&format!(" TO {}", b.roles()));
        }
        for (word, before, after) in [("USING", &a.using, using), ("WITH CHECK", &a.check, check)] {
            if let (true, Some(text)) = (before != after, after) {
                sql.push_str(&format!(" {word} ({text})"));
            }
        }
        let change = Change::new(sql, Lock::AccessExclusive, &table_of(&new.address));
        Alter::InPlace(vec![change.hazard(Hazard::AccessWidened, "other rows are let through than before")])
    }

    fn roles(&self, node: &Node) -> Vec<String> {
        let to = node.spec.read::<PolicySpec>().map(|spec| spec.to).unwrap_or_default();
        to.into_iter().filter(|r| !matches!(r.as_str(), "current_user" | "session_user" | "current_role")).collect()
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        let sql = format!("ALTER {} RENAME TO {}", self.phrase(node), Ident(to));
        Some(Change::new(sql, Lock::AccessExclusive, &table_of(&node.address)))
    }
}

/// Whether one of two policies decides by what the other decides by, and for all commands that the other is for.
fn covers(wide: &Node, narrow: &Node, same: impl Fn(&Node, &Node) -> bool) -> bool {
    if same(wide, narrow) {
        return true;
    }
    let (Ok(all), Ok(one)) = (wide.spec.read::<PolicySpec>(), narrow.spec.read::<PolicySpec>()) else { return false };
    // What is read or deleted is tested by `using` alone.
    let checked = !matches!(one.command.as_str(), "select" | "delete");
    let is_wider = all.command == "all" && one.command != "insert";
    let check = all.check.clone().filter(|_| checked);
    let as_one = PolicySpec { command: one.command.clone(), check, ..all };
    is_wider && same(&Node { spec: Spec::of(&as_one), ..wide.clone() }, narrow)
}

/// Whether row security is on for the live table, so that a policy changes who sees what.
fn secured_already(policy: &Address, scope: &Scope) -> bool {
    policy.parent().is_some_and(|table| scope.actual.get(&table.child("row security", "")).is_some())
}
