//! Decides what texts alone leave open: two that differ and that a server printed may mean the same. Both sides are
//! taken to scratch, and what leads to one fixpoint is equal. What was found out is kept in the lock, so that
//! nobody has to ask again; where there is no scratch it stays undecided, and is never guessed.

mod doubt;

use crate::catalog::{Live, Session};
use crate::compile::closure::closure;
use crate::compile::settle::{settle, Led, Side};
use crate::compile::surroundings::{self, Ground, Owned};
use crate::compile::{lock, Scratch};
use crate::engine::{self, Choices, Desired};
use crate::error::{Error, Result};
use crate::model::{Address, Model, Node, Spec};
use crate::plan::relabel::{relabelled, relabels};
use crate::plan::rename::{renames, under_old_names};
use doubt::{doubts, printed, Doubt};
use std::collections::{BTreeMap, BTreeSet};

/// Texts of one address that differ, and of which nobody can say whether they mean the same.
#[derive(Clone, Debug)]
pub struct Undecided {
    pub address: Address,
    /// Live and desired.
    pub texts: Vec<(String, String)>,
    pub why: String,
    /// Whether scratch was there and could not tell, so that another would not help.
    pub tried: bool,
}

/// What was learned of an address: live texts, each with the desired one that means the same.
pub type Learned = BTreeMap<Address, Vec<(String, String)>>;

/// For a comparison without dependencies and without renames. Where anything is in doubt, both sides are read again,
/// with dependencies; the session's transaction is then another one.
///
/// # Errors
/// The database or the lock cannot be read.
pub async fn drift(
    choices: &Choices<'_>,
    session: &Session,
    desired: &mut Desired,
    live: &mut Live,
) -> Result<Vec<Undecided>> {
    if doubts(&live.model, &desired.model).is_empty() {
        return Ok(Vec::new());
    }
    session.release().await?;
    if !desired.deep {
        *desired = engine::desired(choices, session.major).await?;
    }
    *live = engine::live(session, &engine::wanted(desired)).await?;
    let doubts = doubts(&live.model, &desired.model);
    let question = Question { doubts: &doubts, renamed: &[], live, desired };
    let (learned, undecided) = ask(choices, session, question).await;
    learn(choices, session.major, desired, learned, false);
    Ok(undecided)
}

/// For a plan: both sides are known with dependencies, and declared renames are about to be done. What cannot be built
/// in scratch is planned as if it differed: that leads to what is declared in any case.
///
/// # Errors
/// Something stays undecided because there is no scratch.
pub async fn plan(choices: &Choices<'_>, session: &Session, desired: &mut Desired, live: &Live) -> Result<()> {
    let (renamed, actual) = renames(&live.model, &desired.model, session.major);
    let before = |address: &Address| renamed.iter().rev().fold(address.clone(), |at, r| at.moved(&r.to, &r.from));
    let relabels = relabels(&actual, &desired.model, &before);
    let actual = relabelled(&actual, &relabels.iter().collect::<Vec<_>>());
    let doubts = if renamed.is_empty() {
        doubts(&actual, &desired.model)
    } else {
        doubts(&actual, &under_old_names(&desired.model))
    };
    let renamed: Vec<(Address, Address)> = renamed.into_iter().map(|r| (r.from, r.to)).collect();
    let question = Question { doubts: &doubts, renamed: &renamed, live, desired };
    let (learned, undecided) = ask(choices, session, question).await;
    learn(choices, session.major, desired, learned, !renamed.is_empty());
    let (tried, open): (Vec<Undecided>, Vec<Undecided>) = undecided.into_iter().partition(|u| u.tried);
    for Undecided { address, why, .. } in tried {
        (choices.progress)(&format!("note: {address} may be as declared, and is taken for different: {why}"));
    }
    if open.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = open.iter().map(|u| format!("{}: {}", u.address, u.why)).collect();
    let message = format!("it is undecided whether these are as declared:\n  {}", list.join("\n  "));
    Err(Error::new(message).with_hint(
        "their texts differ and may mean the same, which only a scratch server can tell: name one with `--scratch`, \
         or declare what the database prints",
    ))
}

/// Both sides of a comparison, and what of them is in doubt.
struct Question<'a> {
    doubts: &'a [Doubt],
    /// Renames that the doubts take for done: from where to where.
    renamed: &'a [(Address, Address)],
    live: &'a Live,
    desired: &'a Desired,
}

/// Opens scratch, if anything is in doubt, and follows the doubts there.
async fn ask(choices: &Choices<'_>, session: &Session, question: Question<'_>) -> (Learned, Vec<Undecided>) {
    let Question { doubts, renamed, live, desired } = question;
    if doubts.is_empty() {
        return (Learned::new(), Vec::new());
    }
    let (none, schemas) = (BTreeSet::new(), &desired.settings.schemas);
    let before = |address: &Address| renamed.iter().rev().fold(address.clone(), |at, (from, to)| at.moved(to, from));
    let matters = doubts.iter().map(|doubt| {
        let node = desired.model.get(&doubt.address);
        let mut prints = node.map(|n| n.prints.clone()).unwrap_or_default();
        if !renamed.is_empty() {
            prints.extend(node.into_iter().flat_map(|n| n.old_prints.clone()));
        }
        Matter { doubt, live: before(&doubt.address), prints }
    });
    let matters: Vec<Matter> = matters.collect();
    let answer = async {
        let parts = [
            closure(&live.model, matters.iter().map(|m| &m.live)),
            closure(&desired.model, matters.iter().map(Matter::at)),
        ];
        let owned = Owned { schemas, ignore: &desired.settings.ignore };
        let ground = match surroundings::around(session, &parts.each_ref(), &owned).await? {
            Ground::Known(ground) => ground,
            // What rests on it is astray.
            Ground::Lacking(_) | Ground::Beyond(_) => None,
        };
        let laid: Option<BTreeSet<Address>> =
            ground.as_ref().map(|ground| ground.drafts.iter().map(|draft| draft.node.address.clone()).collect());
        let there = Side { model: &live.model, astray: &live.astray, schemas, ground: laid.as_ref() };
        let wanted = Side { model: &desired.model, astray: &none, schemas, ground: laid.as_ref() };
        let mut extensions =
            [there.extensions(matters.iter().map(|m| &m.live)), wanted.extensions(matters.iter().map(Matter::at))]
                .concat();
        extensions.extend(laid.iter().flatten().filter(|a| a.kind() == "extension").map(|a| a.name().to_owned()));
        let mut scratch = Scratch::open(&choices.scratch, session.major, &extensions, choices.env).await?;
        let extension = |n: &Node| n.address.kind() == "extension";
        let own = parts.iter().flat_map(|part| part.nodes().iter().filter(|n| extension(n)).cloned());
        scratch.surround(ground.map(|ground| *ground), &Model::new(own.collect()));
        let count = matters.len();
        (choices.progress)(&format!(
            "expressions that are written otherwise: {count}; scratch tells which mean the same"
        ));
        let answer = follow(&matters, &there, &wanted, &mut scratch).await;
        if let Err(error) = scratch.close().await {
            (choices.progress)(&format!("note: {error}"));
        }
        answer
    };
    // A report says all that is certain, whatever becomes of scratch.
    answer.await.unwrap_or_else(|error| {
        let why = format!("scratch cannot be had: {}", error.message());
        (Learned::new(), matters.iter().map(|m| m.undecided(&why, false)).collect())
    })
}

/// One doubt, and what is known about it.
struct Matter<'a> {
    doubt: &'a Doubt,
    /// Where it is live: under its old name, if a rename is to be done.
    live: Address,
    /// What the server is known to print for the desired thing.
    prints: Vec<(String, String)>,
}

impl Matter<'_> {
    fn at(&self) -> &Address {
        &self.doubt.address
    }

    fn undecided(&self, why: &str, tried: bool) -> Undecided {
        let texts = self.doubt.texts.values().cloned().collect();
        Undecided { address: self.doubt.address.clone(), texts, why: why.to_owned(), tried }
    }

    /// Whether a text to which the live side leads is known to be the desired one.
    fn knows(&self, end: &str, desired: &str) -> bool {
        end == desired || self.prints.iter().any(|(print, last)| print == end && last == desired)
    }
}

/// Leads the live side to its end, and the desired one where that does not meet what is known of it: a lock that
/// was written without scratch does not hold fixpoints.
async fn follow(
    matters: &[Matter<'_>],
    there: &Side<'_>,
    wanted: &Side<'_>,
    scratch: &mut Scratch,
) -> Result<(Learned, Vec<Undecided>)> {
    let (mut learned, mut undecided) = (Learned::new(), Vec::new());
    let live: Vec<Address> = matters.iter().map(|m| m.live.clone()).collect();
    let live = settle(there, &live, scratch).await?;
    let mut open: Vec<(&Matter, Trail)> = Vec::new();
    for matter in matters {
        match live.get(&matter.live) {
            Some(Led::To(specs)) => {
                let trail = Trail::of(&matter.live, specs, matter.doubt.texts.iter().map(|(at, (live, _))| (at, live)));
                let meets = |at: &String, desired: &String| trail.end(at).is_some_and(|end| matter.knows(end, desired));
                if matter.doubt.texts.iter().all(|(at, (_, desired))| meets(at, desired)) {
                    learned.insert(matter.at().clone(), trail.pairs(matter, |_| true));
                } else {
                    open.push((matter, trail));
                }
            }
            // Nothing that is declared rests on what is not managed: it is another thing.
            Some(Led::Astray(_)) => {}
            Some(Led::Failed(why)) => undecided.push(matter.undecided(&format!("the live one: {why}"), true)),
            None => {}
        }
    }
    if open.is_empty() {
        return Ok((learned, undecided));
    }
    let desired: Vec<Address> = open.iter().map(|(m, _)| m.at().clone()).collect();
    let desired = settle(wanted, &desired, scratch).await?;
    for (matter, trail) in open {
        match desired.get(matter.at()) {
            Some(Led::To(specs)) => {
                let texts = matter.doubt.texts.iter().map(|(at, (_, desired))| (at, desired));
                let other = Trail::of(matter.at(), specs, texts);
                let meet = |at: &String| {
                    let desired = matter.doubt.texts.get(at).map(|(_, desired)| desired.as_str());
                    let knows = |end: &str| desired.is_some_and(|desired| matter.knows(end, desired));
                    trail.end(at).is_some_and(|end| knows(end) || other.end(at) == Some(end))
                };
                let pairs = trail.pairs(matter, meet);
                if !pairs.is_empty() {
                    learned.insert(matter.at().clone(), pairs);
                }
            }
            Some(Led::Astray(why) | Led::Failed(why)) => {
                undecided.push(matter.undecided(&format!("the declared one: {why}"), true));
            }
            None => {}
        }
    }
    Ok((learned, undecided))
}

/// The texts at each place of a spec, from the first print to the last.
struct Trail(BTreeMap<String, Vec<String>>);

impl Trail {
    fn of<'a>(at: &Address, specs: &[Spec], first: impl Iterator<Item = (&'a String, &'a String)>) -> Self {
        let mut trail: BTreeMap<String, Vec<String>> =
            first.map(|(place, text)| (place.clone(), vec![text.clone()])).collect();
        for spec in specs {
            let mut texts = printed(at, spec);
            // A place that is lost on the way leads nowhere.
            trail.retain(|place, row| texts.remove(place).map(|text| row.push(text)).is_some());
        }
        Self(trail)
    }

    fn end(&self, place: &str) -> Option<&str> {
        self.0.get(place)?.last().map(String::as_str)
    }

    /// All texts on the way at the places that are equal, each with the desired one.
    fn pairs(&self, matter: &Matter, equal: impl Fn(&String) -> bool) -> Vec<(String, String)> {
        let places = matter.doubt.texts.iter().filter(|(place, _)| equal(place));
        let each = places.flat_map(|(place, (_, desired))| {
            let texts = self.0.get(place).into_iter().flatten().filter(move |text| *text != desired);
            texts.map(|text| (text.clone(), desired.clone()))
        });
        each.collect()
    }
}

/// Notes what was learned, in the model at hand and in the lock. A lock that cannot be written is no failure: the
/// next comparison asks again.
fn learn(choices: &Choices<'_>, major: u32, desired: &mut Desired, learned: Learned, renaming: bool) {
    if learned.is_empty() {
        return;
    }
    let nodes = std::mem::take(&mut desired.model).into_nodes().into_iter().map(|mut node| {
        if let Some(pairs) = learned.get(&node.address) {
            let prints = if renaming { &mut node.old_prints } else { &mut node.prints };
            prints.extend(pairs.iter().cloned());
            prints.sort();
            prints.dedup();
        }
        node
    });
    desired.model = Model::new(nodes.collect());
    if choices.locked {
        return;
    }
    desired.lock.finish(choices.progress);
    let path = lock::path_of(&choices.declaration);
    let learned = learned.keys().filter_map(|address| desired.model.get(address));
    match lock::learn(&path, major, learned) {
        Ok(true) => desired.lock.wrote(),
        Ok(false) => {}
        Err(error) => (choices.progress)(&format!("note: {error}")),
    }
}
