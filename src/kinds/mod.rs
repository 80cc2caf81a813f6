//! Kinds of things in a database: the trait that every kind implements, and the registry.
//!
//! One file holds all that the program knows of a kind: its YAML form, its catalog query (the
//! sibling `.sql`), its DDL with locks and hazards. What all kinds have in common (owner, comment,
//! grants) is in `facet`. Everything else in the program reaches kinds through [`KINDS`] only.

pub mod change;
pub mod draft;
mod entry;
pub mod facet;
pub mod form;

pub mod check;
pub mod column;
mod domain;
mod early;
mod enumeration;
mod exclusion;
mod extension;
pub mod foreign_key;
pub mod function;
mod included;
mod index;
mod key;
mod materialized_view;
mod policy;
pub mod primary_key;
mod procedure;
mod query;
mod registry;
mod relabel;
pub mod relation;
pub mod routine;
pub mod row;
pub mod row_security;
mod schema;
pub mod sequence;
pub mod stand_in;
pub mod table;
mod trigger;
pub mod unique;
mod view;
mod view_column;

pub use change::{Alter, Cause, Change, DefaultGrants, Hazard, Lock, Question, Rebind, Scope};
pub use draft::{Draft, Drafts};
pub use entry::{Asides, Known, KnownColumn, OperatorClass, Row, Texts};
pub use form::{Form, Key};
pub use registry::{
    are_overloads, child_sections, find, kind_of, kind_of_path, names, overloaded_name, rank, roles, KINDS,
};
pub use relabel::Relabel;

use crate::error::Result;
use crate::model::{Address, Hints, Model, Node, Spec};
use crate::yaml::{Scalar, Yaml};
use serde_yaml::Value;
use std::collections::BTreeMap;

/// What a catalog row says: the name below its parent, the spec, the position among siblings.
pub struct Found {
    pub name: String,
    pub spec: Spec,
    pub order: u32,
    /// What no declaration can say, in PostgreSQL's words: reported, never touched.
    pub unmodelled: Vec<String>,
}

impl Found {
    /// With a spec of the kind's own type, at no position, and nothing that cannot be declared.
    pub fn of<T: serde::Serialize>(name: String, spec: &T) -> Self {
        Self { name, spec: Spec::of(spec), order: 0, unmodelled: Vec::new() }
    }
}

/// How a kind is read from the catalog.
///
/// The query's first columns are the same for all kinds: `oid` (of the thing), `parent oid` (0 at the
/// root), `sub int4` (column number or 0), `owner oid` (or null: its parent's), `acl text` (or null); what follows is
/// the kind's own and is read by [`Kind::read`] from index [`Catalog::FIRST`] on. `$1` is the
/// array of the OIDs of the schemas to read, `$2` that of the tables in them, for kinds that come after tables.
/// `[[15: new | old]]` chooses by server major.
pub struct Catalog {
    /// The system catalog that the OIDs belong to, such as `pg_class`.
    pub class: &'static str,
    /// The catalog of the parent's OID; empty at the root.
    pub parent: &'static str,
    pub query: &'static str,
}

impl Catalog {
    /// Index of the parent's OID.
    pub const PARENT: usize = 1;
    /// Index of the first column that is the kind's own. In a query of columns these begin with the name, the OID of the
    /// base type and that of the collation.
    pub const FIRST: usize = 5;

    /// Whether it has no parent.
    pub fn is_root(&self) -> bool {
        self.parent.is_empty()
    }

    /// Whether it stands right in a schema.
    pub fn is_in_schema(&self) -> bool {
        self.parent == "pg_namespace"
    }
}

/// Expressions that the server keeps as trees (`pg_node_tree`).
pub struct Trees {
    /// The names that the kind has for them.
    pub fields: &'static [&'static str],
    /// For each its `oid` and `sub` as in the kind's own query, the number of its field, the OID of the relation that it
    /// stands in, and the tree, which may be NULL.
    pub query: &'static str,
    /// Whether such trees refer to columns as a rule: then they are printed when columns are known.
    pub over_columns: bool,
}

/// A key in the YAML of a parent kind, under which things of a kind are declared.
pub struct Section {
    /// The parent's kind; empty at the top of a declaration.
    pub parent: &'static str,
    pub key: &'static str,
    pub many: Many,
    pub doc: &'static str,
}

/// What stands under a section's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Many {
    /// A map from names to things.
    Named,
    /// One thing; its name is derived.
    One,
    /// A list of things; their names are derived.
    List,
}

/// What is the same for all kinds that have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facet {
    Owner,
    Comment,
    Grants,
}

/// What can be granted on a thing.
pub struct Grantable {
    /// What stands after ON: `TABLE app.orders`.
    pub on: String,
    /// In a column's grants, the column that stands in parentheses after each privilege.
    pub column: Option<String>,
    /// All privileges, in the order of the manual (section 5.8), for servers of this major.
    pub privileges: &'static [&'static str],
    /// The letter of `pg_default_acl.defaclobjtype`; `-` where default privileges do not apply.
    pub default_class: char,
    /// What PUBLIC holds when nothing was granted or revoked.
    pub public: &'static [&'static str],
}

/// What a role that is no superuser may do in a database.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// The languages in which it may define routines.
    pub languages: std::collections::HashSet<String>,
    /// The settings that it may not touch.
    pub settings: std::collections::HashSet<String>,
}

/// All that the program knows of one kind.
pub trait Kind: Sync {
    /// The word in addresses: `table`, `foreign key`.
    fn name(&self) -> &'static str;

    /// Where it stands in a declaration: under which key of which parent kind ("" at the top).
    fn sections(&self) -> &'static [Section];

    /// What a declaration may say of one.
    fn form(&self) -> &'static Form;

    /// Turns what was written under one name into drafts. The YAML has been checked against
    /// [`Kind::form`] already; mistakes that the form cannot see go to `out.problems`.
    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts);

    /// The YAML form of a node, without facets; None if the parent's YAML says it (or nothing needs to).
    fn write(&self, node: &Node, model: &Model) -> Option<Value>;

    /// The key that it is written under; schema-level names without a schema live in the default one.
    fn key(&self, node: &Node, default_schema: &str) -> String {
        relation::written_key(&node.address, default_schema)
    }

    /// Whether its owner is always that of another thing, so that none is said.
    fn follows_owner(&self, node: &Node) -> bool {
        let _ = node;
        false
    }

    /// Whether its parent brings it along, so that it need not be declared.
    fn is_implied(&self) -> bool {
        false
    }

    /// Whether every new database has it, with an owner and grants of its own.
    fn is_given(&self, node: &Node) -> bool {
        let _ = node;
        false
    }

    /// How to read it from the catalog; None for what is not in the catalog.
    fn catalog(&self) -> Option<Catalog>;

    /// Where its spec holds SQL that the server printed, as paths through the spec's JSON: `generated.as`, and
    /// `checks.*.expression` for all of a map. Lists are gone into. Two such texts may differ and yet mean the same;
    /// what is not named here is equal only byte for byte.
    fn printed(&self) -> &'static [&'static str] {
        &[]
    }

    /// The labels of it that are renamed where they stand, each with its new name.
    fn renamed_labels(&self, new: &Node, actual: &Model) -> BTreeMap<String, String> {
        let _ = (new, actual);
        BTreeMap::new()
    }

    /// How it prints once labels are renamed; None if it says none of them.
    fn relabelled(&self, node: &Node, relabel: &Relabel, model: &Model) -> Option<Spec> {
        let _ = model;
        relabel.in_texts(self.printed(), &node.spec)
    }

    /// Whether the texts in its spec are values: what one prints as says nothing about another.
    fn holds_values(&self) -> bool {
        false
    }

    /// Brings what may be spelled in several ways, by rules that the manual states, into one: specs that differ are
    /// compared so.
    fn plain_words(&self, spec: &mut serde_json::Value) {
        let _ = spec;
    }

    /// What a declaration can say of a live one that is in a state which nobody can declare, and what becomes of that
    /// state, in words that follow its address.
    fn declarable(&self, node: &Node) -> Option<(Spec, &'static str)> {
        let _ = node;
        None
    }

    /// Whether its things are columns, which others refer to by number: they are read before those.
    fn is_column(&self) -> bool {
        false
    }

    /// The expressions of its rows, of tables: see [`Row::expression`].
    fn trees(&self) -> Option<&'static Trees> {
        None
    }

    /// Queries for what few of its rows have: `oid` and `sub` as in its own query, then what [`Row::aside`] gives.
    /// Parameters and `[[ ]]` as there; nothing is asked where it is empty.
    fn asides(&self) -> &'static [&'static str] {
        &[]
    }

    /// One row of the catalog query.
    fn read(&self, row: &Row, parent: Option<&Address>) -> Result<Found>;

    /// What a row of the catalog query tells of its state, which no declaration compares with.
    fn state(&self, row: &Row) -> Result<Option<Hints>> {
        let _ = row;
        Ok(None)
    }

    /// The SQL phrase that names it in ALTER, DROP and COMMENT ON: `TABLE app.orders`.
    fn phrase(&self, node: &Node) -> String;

    /// Statements that create it, with the children that ride inside the statement.
    fn create(&self, node: &Node, riders: &[&Node], scope: &Scope) -> Vec<Change>;

    /// Statements that remove it; children fall with it.
    fn drop(&self, node: &Node, scope: &Scope) -> Vec<Change>;

    /// Statements that turn the old node into the new one at the same address.
    fn alter(&self, old: &Node, new: &Node, scope: &Scope) -> Alter;

    /// The statement that renames it; None if it cannot be renamed.
    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        let _ = (node, to);
        None
    }

    /// Its spec when it is found under another address because something was renamed; None if it stays the same.
    /// What has a derived name keeps the old one.
    fn moved(&self, node: &Node, from: &Address, major: u32) -> Option<crate::model::Spec> {
        let _ = (node, from, major);
        None
    }

    /// The clause in its parent's CREATE, for kinds that can ride there, and what follows that statement.
    fn clause(&self, node: &Node, scope: &Scope) -> Option<(String, Vec<Change>)> {
        let _ = (node, scope);
        None
    }

    /// Whether what names a part of it prints otherwise after this change.
    fn renames_parts(&self, old: &Node, new: &Node) -> bool {
        let _ = (old, new);
        false
    }

    /// All that what it gives depends on, as a text to compare; None if it computes nothing.
    fn computes(&self, node: &Node) -> Option<String> {
        let _ = node;
        None
    }

    /// Whether results are stored in it that nobody computes again when what they are computed by changes; with the words
    /// that have them computed again.
    fn stores_results(&self, node: &Node) -> Option<String> {
        let _ = node;
        None
    }

    /// Whether it computes with the rights of its owner, and not of who asks.
    fn reads_as_owner(&self, node: &Node) -> bool {
        let _ = node;
        false
    }

    /// Whether it says which rows somebody may see or change.
    fn decides_on_rows(&self) -> bool {
        false
    }

    /// Whether with it, rows of its parent are held back from who asks.
    fn secures(&self, node: &Node) -> bool {
        let _ = node;
        false
    }

    /// Whether it is made of data, so that it is never recreated.
    fn holds_rows(&self) -> bool {
        false
    }

    /// Where only a superuser may create the node as it is: what a role within the limits may create instead, and
    /// what a superuser then runs to make it whole. That evaluates nothing that was declared.
    fn restrained(&self, node: &Node, limits: &Limits) -> Option<(Node, Vec<String>)> {
        let _ = (node, limits);
        None
    }

    /// Whether something outside of the thing that it belongs to can need it; what is not outward only says how
    /// that thing behaves.
    fn is_outward(&self) -> bool {
        true
    }

    /// Whether it must ride, because the parent would be a lesser thing without it.
    fn stays_with_parent(&self) -> bool {
        false
    }

    /// Whether others may count on it when they use the parent: where a part of a model is built, it comes along.
    fn completes_parent(&self) -> bool {
        self.stays_with_parent()
    }

    /// A lesser form that can be created first when the whole is part of a cycle.
    fn early(&self, node: &Node) -> Option<Node> {
        let _ = node;
        None
    }

    /// Name spaces in which its name must be unique, as (space, name); by default only its address.
    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        let _ = node;
        Vec::new()
    }

    /// The space and the name of what PostgreSQL makes with it and no node stands for: the sequence of an identity.
    fn hidden(&self, node: &Node) -> Option<(String, String)> {
        let _ = node;
        None
    }

    /// What finds another thing by more than its name: one that is created comes after the drops of all that could
    /// be found in its stead.
    fn bond(&self, node: &Node) -> Option<(String, String)> {
        let _ = node;
        None
    }

    /// The table that it refers to and asks nothing of but a key, and the columns of that key as they are named; none
    /// means the primary key.
    fn referent(&self, node: &Node) -> Option<(Address, Vec<String>)> {
        let _ = node;
        None
    }

    /// The least that `table` could be for the node to refer to it and print the same: itself, and parts of it. None if
    /// that is not certain.
    fn least_referent(&self, node: &Node, table: &Address, model: &Model) -> Option<Vec<Node>> {
        let _ = (node, table, model);
        None
    }

    /// Its spec when it refers to `table` instead.
    fn referring_to(&self, node: &Node, table: &Address) -> Spec {
        let _ = table;
        node.spec.clone()
    }

    /// What becomes of the live `node` when `below`, which it depends on, is not what it was.
    fn rebind(&self, node: &Node, below: &Address, cause: Cause, scope: &Scope) -> Rebind {
        let _ = (node, below, cause, scope);
        Rebind::Replace
    }

    /// SQL in it whose references PostgreSQL does not track, though it checks them: the body of an SQL function.
    fn untracked(&self, node: &Node) -> Option<String> {
        let _ = node;
        None
    }

    /// A query for the names, of those in its parameter, that PostgreSQL lets only a superuser create; None where ownership
    /// and privileges decide.
    fn withheld(&self) -> Option<&'static str> {
        None
    }

    /// Code in it, in a form that PostgreSQL keeps as text: what that names is looked for when it runs.
    fn code(&self, node: &Node) -> Option<String> {
        let _ = node;
        None
    }

    /// What a desired node comes after, besides what its `needs` say.
    fn comes_after(&self, node: &Node, desired: &Model) -> Vec<Address> {
        let _ = (node, desired);
        Vec::new()
    }

    /// What a live node acts upon, besides what its `needs` say: it goes before that does.
    fn goes_before(&self, node: &Node, actual: &Model) -> Vec<Address> {
        let _ = (node, actual);
        Vec::new()
    }

    /// What can be granted on it, if it has an ACL.
    fn grantable(&self, node: &Node, major: u32) -> Option<Grantable> {
        let _ = (node, major);
        None
    }

    /// Roles that its spec names.
    fn roles(&self, node: &Node) -> Vec<String> {
        let _ = node;
        Vec::new()
    }

    /// Which facets it has.
    fn facets(&self) -> &'static [Facet] {
        &[Facet::Comment]
    }

    /// Questions to the data that tell whether creating or altering will fail.
    fn preflight(&self, old: Option<&Node>, new: &Node, scope: &Scope) -> Vec<Question> {
        let _ = (old, new, scope);
        Vec::new()
    }
}
