//! What stands in for something that others own and no kind describes: a collation, an operator, an aggregate, a
//! text search configuration, a range type. It is copied from a target by its outline, built in scratch before all
//! that is owned, and nowhere else.

use super::*;
use crate::sql::Space;
use serde::{Deserialize, Serialize};

/// The kind of stand-ins.
pub struct StandIn;

/// Statements that make something of the same name that prints the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandInSpec {
    pub schema: String,
    pub name: String,
    pub space: StandInSpace,
    pub sql: Vec<String>,
}

/// The name space it is looked up in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandInSpace {
    Function,
    Type,
    #[default]
    Other,
}

impl StandInSpec {
    /// What a node stands in for; None of other kinds.
    pub fn of(node: &Node) -> Option<Self> {
        (node.address.kind() == StandIn.name()).then(|| node.spec.read().ok()).flatten()
    }

    /// Its name space.
    pub fn space(&self) -> Space {
        match self.space {
            StandInSpace::Function => Space::Function,
            StandInSpace::Type => Space::Type,
            StandInSpace::Other => Space::Other,
        }
    }

    /// The address of one, by what PostgreSQL calls what it stands in for.
    pub fn address(words: &str) -> Address {
        Address::root(StandIn.name(), words)
    }
}

impl Kind for StandIn {
    fn name(&self) -> &'static str {
        "stand in"
    }

    fn sections(&self) -> &'static [Section] {
        &[]
    }

    fn form(&self) -> &'static Form {
        &Form::Record(&[])
    }

    fn facets(&self) -> &'static [Facet] {
        &[]
    }

    fn declare(&self, _parent: Option<&Address>, _name: &Scalar, _yaml: &Yaml, _out: &mut Drafts) {}

    fn write(&self, _node: &Node, _model: &Model) -> Option<Value> {
        None
    }

    fn catalog(&self) -> Option<Catalog> {
        None
    }

    fn read(&self, _row: &Row, _parent: Option<&Address>) -> Result<Found> {
        Err(crate::error::Error::new("a stand-in is in no catalog"))
    }

    fn phrase(&self, node: &Node) -> String {
        node.address.name().to_owned()
    }

    fn create(&self, node: &Node, _riders: &[&Node], _scope: &Scope) -> Vec<Change> {
        let sql = StandInSpec::of(node).map(|spec| spec.sql).unwrap_or_default();
        sql.into_iter().map(|sql| Change::new(sql, Lock::None, &[])).collect()
    }

    fn drop(&self, _node: &Node, _scope: &Scope) -> Vec<Change> {
        Vec::new()
    }

    fn alter(&self, _old: &Node, _new: &Node, _scope: &Scope) -> Alter {
        Alter::InPlace(Vec::new())
    }
}
