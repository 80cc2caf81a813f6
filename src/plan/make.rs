//! Makes the plan file out of a comparison.

use super::batch::{build, Built, Input};
use super::file::{address_of, Allowed, Held, Plan, PlanTarget, ReadScope, FORMAT};
use super::fingerprint::{fingerprints, spec_fingerprint, Fingerprints};
use super::preflight::{ask, questions};
use super::privileges::{privileges, withheld};
use super::search_path::SearchPath;
use crate::catalog::{Live, Session, Sizes, Wanted};
use crate::diff::{diff, same_spec, Delta};
use crate::error::Result;
use crate::kinds::relation::table_of;
use crate::kinds::{self, facet, Hazard, Scope};
use crate::model::{Address, Model};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A plan that is not sealed yet, with what is known beyond it.
pub struct Draft {
    pub plan: Plan,
    /// The model that it leaves behind.
    pub after: Model,
    /// Every address that it changes, by the names that it leaves behind.
    pub touched: BTreeSet<Address>,
    /// From the old to the new addresses, in the order in which they are renamed.
    pub renames: Vec<(Address, Address)>,
    /// Of what it is about.
    pub sizes: Sizes,
    pub search_path: SearchPath,
}

impl Draft {
    /// The plan, with leave for what a reviewer allows.
    ///
    /// # Errors
    /// What is allowed and is no hazard of the plan.
    pub fn seal(&self, allow: &[String]) -> Result<Plan> {
        let mut plan = self.plan.clone();
        let known = plan.not_allowed();
        for text in allow {
            plan.allowed.extend(Allowed::parse(text, &known)?);
        }
        plan.allowed.sort();
        plan.allowed.dedup();
        plan.seal()?;
        Ok(plan)
    }
}

/// The plan from what is live to what is desired. The session's transaction is open, so that the data is
/// asked in the snapshot that was compared.
pub async fn draft(
    session: &Session,
    live: &Live,
    desired: &Model,
    wanted: &Wanted,
    search_path: &SearchPath,
) -> Result<Draft> {
    let desired = readable(desired, &live.unchecked);
    let mut surroundings = live.surroundings.clone();
    // Most of what will be asked for is known by what differs.
    let deltas = diff(&live.model, &desired);
    for table in deltas.iter().filter_map(Delta::node).flat_map(|n| table_of(&n.address)) {
        surroundings.sizes.of(&table);
    }
    surroundings.sizes.ask(session).await?;
    let (built, questions) = loop {
        let input = Input { surroundings: &surroundings, ..Input::of(live, &desired, session.major, search_path) };
        let made = (build(&input, &deltas)?, questions(&input, &deltas));
        if !surroundings.sizes.ask(session).await? {
            break made;
        }
    };
    let input = Input { surroundings: &surroundings, ..Input::of(live, &desired, session.major, search_path) };
    let Built { batches, touched, after, changed, renames } = built;
    let mut plan = Plan {
        pgplumb_plan: FORMAT,
        made_by: format!("pgplumb {}", env!("CARGO_PKG_VERSION")),
        target: PlanTarget {
            identity: session.identity.clone(),
            server: session.version.clone(),
            role: session.role.clone(),
        },
        seal: String::new(),
        summary: String::new(),
        rehearsed: None,
        not_rehearsed: None,
        reads: ReadScope {
            major: session.major,
            schemas: wanted.schemas.clone(),
            ignore: wanted.ignore.clone(),
            rows: wanted.rows.iter().map(|n| (n.address.path(), n.spec.as_json().to_owned())).collect(),
            extensions: wanted.extensions.clone().unwrap_or_default(),
        },
        allowed: Vec::new(),
        findings: Vec::new(),
        not_checked: live.unchecked.clone(),
        batches,
        fingerprints: Fingerprints { changed, ..fingerprints(&touched, &live.model, &live.surroundings) },
        after: touched.iter().map(|a| (a.path(), spec_fingerprint(after.get(a)))).collect(),
        held: held(&input, &touched, &after, &renames),
    };
    let (found, not_checked) = ask(session, &questions).await?;
    settle_data_hazards(&mut plan, &found);
    plan.findings = found;
    plan.findings.extend(privileges(session, &touched, &input).await?);
    plan.not_checked.extend(not_checked);
    plan.not_checked.extend(withheld(session, &touched, &input).await?);
    plan.not_checked.extend(given(&input, &touched, &renames));
    plan.summary = summary(&plan);
    let sizes = surroundings.sizes;
    Ok(Draft { plan, after, touched, renames, sizes, search_path: search_path.clone() })
}

/// Who owns and may use what the plan leaves behind, where that is declared and was otherwise.
fn held(
    input: &Input,
    touched: &BTreeSet<Address>,
    after: &Model,
    renames: &[(Address, Address)],
) -> BTreeMap<String, Held> {
    let before = |address: &Address| renames.iter().rev().fold(address.clone(), |at, (from, to)| at.moved(to, from));
    let declared = touched.iter().filter_map(|address| after.get(address).and(input.desired.get(address)));
    let nodes = declared.filter(|node| {
        let wanted = Held::of(node);
        wanted != Held::default() && input.actual.get(&before(&node.address)).is_none_or(|live| !wanted.holds(live))
    });
    nodes.map(|node| (node.address.path(), Held::of(node))).collect()
}

/// What the target's default privileges give on new things of which no grants are declared, in words.
fn given(input: &Input, touched: &BTreeSet<Address>, renames: &[(Address, Address)]) -> Vec<String> {
    let sizes = |_: &Address| 0;
    let default_grants = |class: char, schema: &str| input.surroundings.grants(class, schema);
    let scope = Scope {
        actual: input.actual,
        desired: input.desired,
        major: input.major,
        sizes: &sizes,
        held_by_policies: input.surroundings.held_by_policies,
        default_grants: &default_grants,
        same_spec,
    };
    let before = |address: &Address| renames.iter().rev().fold(address.clone(), |at, (from, to)| at.moved(to, from));
    let new = touched.iter().filter(|address| input.actual.get(&before(address)).is_none());
    let mut words = Vec::new();
    for node in new.filter_map(|address| input.desired.get(address)) {
        for (role, privileges) in facet::given(kinds::kind_of(&node.address), node, &scope) {
            let role = if role == "public" { "PUBLIC".to_owned() } else { format!("role {role}") };
            let list = privileges.join(", ");
            words.push(format!(
                "{}: its grants are not declared, and default privileges of this database give {list} to {role}",
                node.address
            ));
        }
    }
    words
}

/// The desired model without what the role may not read: nobody knows whether it is there.
fn readable<'a>(desired: &'a Model, unchecked: &[String]) -> Cow<'a, Model> {
    let unknown = |address: &Address| {
        let words = format!("{address}: ");
        unchecked.iter().any(|u| u.starts_with(&words))
    };
    if unchecked.is_empty() {
        return Cow::Borrowed(desired);
    }
    Cow::Owned(Model::new(desired.nodes().iter().filter(|n| !unknown(&n.address)).cloned().collect()))
}

/// Where the data was asked and said yes, a step no longer may fail on it; where it said no, it will.
fn settle_data_hazards(plan: &mut Plan, found: &[super::Finding]) {
    for step in plan.batches.iter_mut().flat_map(|b| &mut b.steps) {
        for note in step.hazards.iter_mut().filter(|n| n.hazard == Hazard::MayFailOnData) {
            if let Some(finding) = found.iter().find(|f| f.address == step.address) {
                note.why = format!("it will fail: {}", finding.text);
                note.needs_leave = true;
            }
        }
    }
}

fn summary(plan: &Plan) -> String {
    let count = |verbs: &[&str]| plan.steps().filter(|s| verbs.contains(&s.verb.as_str())).count();
    let parts = [
        (count(&["create"]), "to create"),
        (count(&["alter", "release", "validate"]), "to change"),
        (count(&["rename"]), "to rename"),
        (count(&["drop"]), "to drop"),
    ];
    let words: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if words.is_empty() {
        "in agreement".into()
    } else {
        words.join(", ")
    }
}

impl ReadScope {
    /// What has to be read to check a plan's fingerprints.
    pub fn wanted(&self) -> Wanted {
        let rows = self.rows.iter().filter_map(|(path, spec)| {
            Some(crate::model::Node::new(address_of(path)?, crate::model::Spec::from_json(spec)))
        });
        Wanted {
            schemas: self.schemas.clone(),
            ignore: self.ignore.clone(),
            rows: rows.collect(),
            extensions: Some(self.extensions.clone()),
        }
    }
}
