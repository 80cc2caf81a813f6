//! Views against golden files under `tests/golden/report`; `UPDATE_GOLDEN=1` writes them anew.

use pgplumb::decide::Undecided;
use pgplumb::drift::{Change, Drift};
use pgplumb::model::{Address, Grants, Hints, Model, Node, Privilege, Spec};
use pgplumb::plan::Plan;
use pgplumb::report::{self, DriftFormat, DriftSubject, PlanFormat};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/report")
}

#[track_caller]
fn assert_golden(name: &str, text: &str) {
    let path = golden().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected != text {
        let difference = similar::TextDiff::from_lines(expected.as_str(), text).unified_diff().to_string();
        panic!("{name} differs; UPDATE_GOLDEN=1 writes it anew\n{difference}");
    }
}

/// Nothing but line breaks, tabs and, where colours are wanted, their sequences.
#[track_caller]
fn assert_safe(text: &str, color: bool) {
    let mut plain = text.to_owned();
    if color {
        assert!(text.contains("\u{1b}["), "no colours");
        for number in ["0", "1", "2", "31", "32", "33"] {
            plain = plain.replace(&format!("\u{1b}[{number}m"), "");
        }
    }
    let raw =
        plain.chars().find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || ('\u{202a}'..='\u{202e}').contains(c));
    assert_eq!(raw, None, "{plain}");
}

fn plan() -> Plan {
    serde_yaml::from_str(&std::fs::read_to_string(golden().join("plan.yaml")).unwrap()).unwrap()
}

fn empty_plan() -> Plan {
    let mut plan = plan();
    (plan.batches, plan.findings, plan.not_checked, plan.allowed) = Default::default();
    plan
}

#[test]
fn plans() {
    let plan = plan();
    let formats = [PlanFormat::Human, PlanFormat::Sql, PlanFormat::Markdown, PlanFormat::Json];
    for (format, name) in formats.into_iter().zip(["human", "sql", "markdown", "json"]) {
        let there = report::plan(&plan, format, false);
        let back = report::way_back(&plan, format, false);
        assert_safe(&there, false);
        assert_safe(&back, false);
        assert_golden(&format!("plan.{name}.txt"), &there);
        assert_golden(&format!("plan.back.{name}.txt"), &back);
        assert_eq!(there, report::plan(&plan, format, false));
    }
    let color = report::plan(&plan, PlanFormat::Human, true);
    assert_safe(&color, true);
    assert_golden("plan.human.color.txt", &color);
    assert_eq!(report::plan(&plan, PlanFormat::Json, true), report::plan(&plan, PlanFormat::Json, false));
}

#[test]
fn empty_plans_are_friendly() {
    let all = [PlanFormat::Human, PlanFormat::Sql, PlanFormat::Markdown].map(|f| report::plan(&empty_plan(), f, false));
    assert_golden("plan.empty.txt", &all.join("---\n"));
}

/// Whoever reads a plan that was not tried is told so, and why.
#[test]
fn plans_that_were_not_rehearsed_say_so() {
    let mut plan = plan();
    plan.untried("no scratch\u{1b}[2J");
    let formats = [PlanFormat::Human, PlanFormat::Sql, PlanFormat::Markdown];
    for text in formats.iter().flat_map(|f| [report::plan(&plan, *f, false), report::way_back(&plan, *f, false)]) {
        assert_safe(&text, false);
        assert!(text.contains("Not rehearsed: no scratch"), "{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&report::plan(&plan, PlanFormat::Json, false)).unwrap();
    assert_eq!((&json["rehearsed"], json["not_rehearsed"].is_string()), (&false.into(), true));
}

#[test]
fn plans_as_json_are_the_plan_and_more() {
    let json: serde_json::Value = serde_json::from_str(&report::plan(&plan(), PlanFormat::Json, false)).unwrap();
    for (key, value) in serde_json::to_value(plan()).unwrap().as_object().unwrap() {
        assert_eq!(&json[key], value, "{key}");
    }
    assert_eq!(json["counts"]["drop"], 2);
    assert_eq!(json["needs_leave"]["options"][0], r#"--allow 'data_loss:column app.orders."it'\''s | `odd`"'"#);
}

fn node(address: Address, spec: &str) -> Node {
    Node::new(address, Spec::from_json(spec))
}

fn grants(list: &[(&str, &[&str])]) -> Option<Arc<Grants>> {
    let held =
        |names: &[&str]| names.iter().map(|n| Privilege { name: (*n).into(), grantable: *n == "insert" }).collect();
    Some(Arc::new(Grants(list.iter().map(|(role, names)| ((*role).to_owned(), held(names))).collect())))
}

/// A live and a declared model that differ in every way.
fn models() -> (Model, Model) {
    let app = Address::root("schema", "app");
    let table = |name: &str| app.child("table", name);
    let orders = table("orders");
    let mut live = vec![node(app.clone(), "{}"), node(orders.clone(), r#"{"unlogged":true}"#)];
    let mut declared = vec![node(app.clone(), "{}"), node(orders.clone(), "{}")];
    live[1].owner = Some("somebody".into());
    live[1].grants = grants(&[("public", &["select"]), ("clerk", &["select", "insert"])]);
    declared[1].owner = Some("app_owner".into());
    declared[1].comment = Some("".into());
    declared[1].grants = grants(&[("clerk", &["select"]), ("auditor", &["select"])]);

    let column = |name: &str| orders.child("column", name);
    live.push(node(column("total"), r#"{"type":"integer","default":"0"}"#));
    declared.push(node(column("total"), r#"{"type":"numeric(10,2)","not_null":true,"identity":{"always":true}}"#));
    live.push(node(column("legacy\n\u{1b}[31m| `x`"), r#"{"type":"text"}"#));
    declared.push(node(column("state"), r#"{"type":"text"}"#));
    declared.push(node(orders.child("row security", ""), r#"{"enabled":true}"#));
    live.push(node(orders.child("policy", "p"), r#"{"command":"select","to":["public"],"using":"true"}"#));
    let long = "(tenant_id = ( SELECT app.current_tenant() AS current_tenant)) OR ( SELECT app.is_admin() AS is_admin)";
    declared
        .push(node(orders.child("policy", "p"), &format!(r#"{{"command":"all","to":["clerk"],"using":"{long}"}}"#)));
    let mut print = node(orders.child("check", "c"), r#"{"expression":"a"}"#);
    print.prints = vec![("b".into(), "a".into())];
    print.comment = Some("why".into());
    declared.push(print);
    live.push(node(orders.child("check", "c"), r#"{"expression":"b","no_inherit":true}"#));
    live.push(node(orders.child("row", "1"), r#"{"key":["id"],"values":{"id":"1","name":"old"}}"#));
    declared.push(node(orders.child("row", "1"), r#"{"key":["id"],"values":{"id":"1","name":null}}"#));

    // A whole table on either side, and one under its former name.
    for (name, is_live) in [("invoices", false), ("extra", true), ("customers", false), ("clients", true)] {
        let side = if is_live { &mut live } else { &mut declared };
        side.push(node(table(name), "{}"));
        side.extend(["a", "b"].map(|c| node(table(name).child("column", c), r#"{"type":"text"}"#)));
        side.push(node(table(name).child("index", "i"), "{}"));
        side.push(node(table(name).child("row security", ""), "{}"));
    }
    if let Some(customers) = declared.iter_mut().find(|n| n.address == table("customers")) {
        customers.hints = Some(Box::new(Hints { was: Some("clients".into()), ..Hints::default() }));
    }

    let body = |n: u32| format!("\ndeclare\n  n int;\nbegin\n  -- one\n  n := {n};\n  -- two\n  return n;\nend\n");
    let function =
        |text: String| Spec::of(&serde_json::json!({"returns": "integer", "language": "plpgsql", "body": text}));
    declared.push(Node::new(app.child("function", "f(integer)"), function(body(1))));
    live.push(Node::new(
        app.child("function", "f(integer)"),
        function(body(2).replace("one", "\u{1b}[2Jone ").replace('\n', "\r\n")),
    ));
    let view = |columns: &[&str]| {
        let columns: Vec<_> = columns.iter().map(|c| serde_json::json!({"name": c, "type": "text"})).collect();
        Spec::of(&serde_json::json!({"query": "SELECT *\n  FROM x", "columns": columns}))
    };
    declared.push(Node::new(app.child("view", "v"), view(&["a", "b"])));
    live.push(Node::new(app.child("view", "v"), view(&["a"])));
    declared.push(node(app.child("enum", "state"), r#"{"values":["draft","sent"]}"#));
    live.push(node(app.child("enum", "state"), r#"{"values":["draft"]}"#));
    let mut free = node(table("free"), "{}");
    declared.push(free.clone());
    free.grants = grants(&[("reporter", &["select"])]);
    live.push(free);
    (Model::new(live), Model::new(declared))
}

fn subject() -> DriftSubject {
    DriftSubject { declaration: "schema".into(), database: "shop\u{9b}31m".into(), server: "16.14".into() }
}

/// A text of which nobody can say whether it is another one, at the address that it is found at.
fn open(live: &Model, declared: &Model, address: &Address, field: &str) -> Undecided {
    let text = |model: &Model| {
        let spec: serde_json::Value = model.get(address).unwrap().spec.read().unwrap();
        spec[field].as_str().unwrap().to_owned()
    };
    let why = "scratch cannot be had: no PostgreSQL 16\u{1b}[2J was found".to_owned();
    Undecided { address: address.clone(), texts: vec![(text(live), text(declared))], why, tried: false }
}

fn drift() -> Drift {
    let (live, declared) = models();
    // In part: the rest of the policy differs for certain.
    let policy = Address::root("schema", "app").child("table", "orders").child("policy", "p");
    let open = open(&live, &declared, &policy, "using");
    let mut drift = Drift::with_open(&live, &declared, &[open], 16);
    drift.notes.not_checked =
        vec!["row app.states.\"1\": permission denied for table states <&>\u{1b}[1m (42501)".into()];
    drift.notes.not_managed = vec!["foreign table app.remote".into()];
    drift.notes.foreign_grants = vec![(Address::root("schema", "app").child("table", "orders"), "clerk=r/boss".into())];
    drift
}

#[test]
fn drifts() {
    let drift = drift();
    let formats = [DriftFormat::Human, DriftFormat::Json, DriftFormat::Junit, DriftFormat::Markdown];
    for (format, name) in formats.into_iter().zip(["human", "json", "junit", "markdown"]) {
        let text = report::drift(&drift, &subject(), format, false);
        assert_safe(&text, false);
        assert_golden(&format!("drift.{name}.txt"), &text);
    }
    let color = report::drift(&drift, &subject(), DriftFormat::Human, true);
    assert_safe(&color, true);
    assert_golden("drift.human.color.txt", &color);
}

#[test]
fn agreement_and_doubt() {
    let (_, declared) = models();
    let mut drift = Drift::between(&declared, &declared, 16);
    assert!(drift.is_empty());
    let formats = [DriftFormat::Human, DriftFormat::Json, DriftFormat::Junit, DriftFormat::Markdown];
    let view = |drift: &Drift| formats.map(|f| report::drift(drift, &subject(), f, false)).join("---\n");
    assert_golden("drift.agreement.txt", &view(&drift));
    drift.notes.not_checked = vec!["row app.states.\"1\": permission denied".into()];
    assert_golden("drift.not_checked.txt", &view(&drift));

    let check = Address::root("schema", "app").child("table", "orders").child("check", "c");
    let live = declared.nodes().iter().cloned().map(|mut node| {
        if node.address == check {
            node.spec = Spec::from_json(r#"{"expression":"c | `d`"}"#);
        }
        node
    });
    let live = Model::new(live.collect());
    let mut drift = Drift::with_open(&live, &declared, &[open(&live, &declared, &check, "expression")], 16);
    assert!(drift.is_empty() && !drift.is_whole());
    assert_golden("drift.undecided.txt", &view(&drift));
    drift.notes.not_checked = vec!["row app.states.\"1\": permission denied".into()];
    assert_golden("drift.undecided_and_not_checked.txt", &report::drift(&drift, &subject(), DriftFormat::Human, false));
}

#[test]
fn differences_are_what_they_are() {
    let drift = drift();
    let found: Vec<(String, Change)> = drift.differences.iter().map(|d| (d.address.to_string(), d.change)).collect();
    let at = |address: &str| found.iter().find(|(a, _)| a == address).map(|(_, change)| *change);
    assert_eq!(at("table app.invoices"), Some(Change::Missing));
    assert_eq!(at("column app.invoices.a"), None, "falls with its table");
    assert_eq!(at("table app.extra"), Some(Change::Extra));
    assert_eq!(at("table app.free"), None, "its grants are not declared");
    let fields = |address: &str| {
        let found = drift.differences.iter().find(|d| d.address.to_string() == address);
        found.into_iter().flat_map(|d| &d.fields).map(|f| f.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(fields("check app.orders.c"), ["no_inherit", "comment"], "another print of one text is no difference");
    assert_eq!(fields("policy app.orders.p"), ["for", "to"], "whether `using` differs is open");
    let [undecided] = drift.undecided.as_slice() else { panic!("{:?}", drift.undecided) };
    assert_eq!(undecided.difference.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["using"]);
    assert_eq!(fields("column app.orders.total"), ["default", "identity", "not_null", "type"]);
    assert_eq!(fields("row app.orders.1"), ["values.name"]);
    assert_eq!(
        fields("table app.orders"),
        ["unlogged", "owner", "comment", "grants to auditor", "grants to clerk", "grants to public"]
    );
    let customers = drift.differences.iter().find(|d| d.address.name() == "customers").unwrap();
    assert_eq!(customers.was.as_ref().map(ToString::to_string).as_deref(), Some("table app.clients"));
    assert_eq!(customers.below["column"], 2);
}
