//! What is read of a live database for a comparison.

use super::depend::Unmanaged;
use super::load::Loaded;
use super::surroundings::{Surroundings, Unmodelled, Unread};
use crate::model::{Address, ForeignGrant, Model};
use std::collections::BTreeSet;

/// A live database as read for a comparison.
pub struct Live {
    pub model: Model,
    pub unmanaged: Unmanaged,
    pub surroundings: Surroundings,
    pub unmodelled: Vec<Unmodelled>,
    pub unread: Vec<Unread>,
    /// What could not be read, in words.
    pub unchecked: Vec<String>,
    /// Grants that another role than the owner made.
    pub foreign_grants: Vec<(Address, ForeignGrant)>,
    /// With dependencies: what rests on something that is not managed.
    pub astray: BTreeSet<Address>,
}

/// What was read, without what plans need besides.
impl From<Loaded> for Live {
    fn from(loaded: Loaded) -> Self {
        let Loaded { model, unchecked, foreign_grants, unmodelled, unread, astray, .. } = loaded;
        let (unmanaged, surroundings) = (Unmanaged::default(), Surroundings::default());
        Self { model, unmanaged, surroundings, unmodelled, unread, unchecked, foreign_grants, astray }
    }
}
