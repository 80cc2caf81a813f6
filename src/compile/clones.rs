//! Stand-ins for tables that very many foreign keys refer to.
//!
//! Problem: for each foreign key PostgreSQL reads all triggers of the referenced table again, and adds two: to build n keys
//! to one table costs n² (10,000 keys: three minutes).
//! Method: some hundred keys at a time are built against a clone of that table, in a schema of its own, which holds no more
//! than the columns that are referred to and the key over them. The server tests the same types and operators as it
//! would on the table itself, and prints the same but for the name, which is put back when the catalog has been read.
//! What a clone is made of, and where one would do, is said by the kind ([`Kind::least_referent`](crate::kinds::Kind)).
//! Failure: what the server refuses is built again without clones, so that every refusal is about the table itself.

use super::scratch::Room;
use super::{read_back, Wanted};
use crate::error::Result;
use crate::kinds::{self, kind_of};
use crate::model::{Address, Model, Node, Spec};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What the names of the schemas begin with in which clones stand; a number follows.
const SCHEMA: &str = "pgplumb_clone_";

/// From how many referrers on a table is cloned.
pub const MANY: usize = 200;

/// How many of them share a clone: the square of this against what a clone costs.
const TOGETHER: usize = 64;

/// The clones that something was built against.
#[derive(Debug, Default)]
pub struct Clones {
    /// By the name of a clone's schema: the clone, and what it stands for.
    by_schema: HashMap<String, (Address, Address)>,
    /// The paths of what refers to them.
    referrers: HashSet<String>,
}

/// The model with clones of tables that have `many` referrers, and these referring to the clones. None if there are no
/// such tables.
pub fn cloned(model: &Model, many: usize) -> Option<(Model, Clones)> {
    let groups = groups(model, many);
    if groups.is_empty() || model.nodes().iter().any(|n| n.address.schema().starts_with(SCHEMA)) {
        return None;
    }
    let mut clones = Clones::default();
    let mut moved: HashMap<&Address, Node> = HashMap::new();
    let mut made: Vec<Node> = Vec::new();
    for ((table, _), referrers) in groups {
        let Some(parts) = referrers.first().and_then(|n| kind_of(&n.address).least_referent(n, &table, model)) else {
            continue;
        };
        for together in referrers.chunks(TOGETHER.min(many)) {
            let schema = format!("{SCHEMA}{}", clones.by_schema.len() + 1);
            let above = Address::root("schema", &schema);
            let clone = above.child(table.kind(), table.name());
            made.push(Node::new(above, Spec::from_json("{}")));
            made.extend(parts.iter().map(|part| Node {
                address: part.address.moved(&table, &clone),
                needs: part.needs.iter().map(|need| need.moved(&table, &clone)).collect(),
                ..part.clone()
            }));
            for referrer in together {
                moved.insert(&referrer.address, referring(referrer, &table, &clone));
                clones.referrers.insert(referrer.address.path());
            }
            clones.by_schema.insert(schema, (clone, table.clone()));
        }
    }
    if clones.by_schema.is_empty() {
        return None;
    }
    let stay = model.nodes().iter().map(|node| moved.remove(&node.address).unwrap_or_else(|| node.clone()));
    made.extend(stay);
    Some((Model::new(made), clones))
}

/// The tables with many referrers, with what these refer to there; what has rows in it is built as it is.
fn groups(model: &Model, many: usize) -> BTreeMap<(Address, Vec<String>), Vec<&Node>> {
    let rows = model.nodes().iter().filter(|n| n.address.kind() == "row");
    let filled: BTreeSet<Address> = rows.filter_map(|n| n.address.parent()).collect();
    let mut groups: BTreeMap<(Address, Vec<String>), Vec<&Node>> = BTreeMap::new();
    for node in model.nodes() {
        let (Some(to), Some(own)) = (kind_of(&node.address).referent(node), node.address.parent()) else { continue };
        if to.0 != own && !filled.contains(&to.0) && !filled.contains(&own) {
            groups.entry(to).or_default().push(node);
        }
    }
    groups.retain(|_, referrers| referrers.len() >= many);
    groups
}

/// The node, referring to one table instead of another.
fn referring(node: &Node, from: &Address, to: &Address) -> Node {
    let mut node = Node {
        spec: kinds::kind_of(&node.address).referring_to(node, to),
        needs: node.needs.iter().map(|need| need.moved(from, to)).collect(),
        ..node.clone()
    };
    node.needs.sort();
    node.needs.dedup();
    node
}

impl Clones {
    pub fn are_none(&self) -> bool {
        self.by_schema.is_empty()
    }

    /// Whether what is built at a path refers to a clone.
    pub fn is_referrer(&self, path: &str) -> bool {
        self.referrers.contains(path)
    }

    /// The schema that stands for the one of a path: the names that it sees are those of the original.
    pub fn home(&self, path: &str) -> Option<&str> {
        let schema = path.strip_prefix("schema ")?.split('/').next()?;
        self.by_schema.get(schema).map(|(_, table)| table.schema())
    }

    /// How many there are and what for; None if there are none.
    pub fn words(&self) -> Option<String> {
        let Self { by_schema, referrers } = self;
        (!self.are_none()).then(|| format!("{} references led to {} clones", referrers.len(), by_schema.len()))
    }

    /// Reads what the open transaction has built, as if there were no clones.
    ///
    /// # Errors
    /// What cannot be read.
    pub async fn read_back(&self, room: &Room, wanted: &Wanted) -> Result<Model> {
        if self.are_none() {
            return read_back(room, wanted).await;
        }
        let mut also = wanted.clone();
        also.schemas.extend(self.by_schema.keys().cloned());
        Ok(self.put_back(read_back(room, &also).await?))
    }

    fn put_back(&self, read: Model) -> Model {
        let original = |node: Node| match kind_of(&node.address).referent(&node) {
            Some((to, _)) => match self.by_schema.get(to.schema()) {
                Some((clone, table)) => referring(&node, clone, table),
                None => node,
            },
            None => node,
        };
        let nodes = read.into_nodes().into_iter().filter(|n| !self.by_schema.contains_key(n.address.schema()));
        Model::new(nodes.map(original).collect())
    }
}
