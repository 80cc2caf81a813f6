//! The model as rules look at it: tables with what stands below them, views with what they read.

use super::live::Roles;
use super::specs;
use super::tenants::Tenants;
use crate::error::{Error, Result};
use crate::kinds::column::ColumnSpec;
use crate::kinds::foreign_key::ForeignKeySpec;
use crate::kinds::relation;
use crate::kinds::row_security::RowSecuritySpec;
use crate::model::{Address, Model, Node};
use crate::sql;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// All that rules know.
pub struct Facts<'a> {
    pub model: &'a Model,
    pub major: u32,
    pub tenants: Option<Tenants>,
    pub roles: Roles,
    pub tables: Vec<Table<'a>>,
    pub views: Vec<View<'a>>,
}

/// A table.
pub struct Table<'a> {
    pub node: &'a Node,
    pub columns: BTreeMap<&'a str, ColumnSpec>,
    /// Both false without row security.
    pub security: RowSecuritySpec,
    pub policies: Vec<(&'a Node, specs::Policy)>,
    pub foreign_keys: Vec<(&'a Node, ForeignKeySpec)>,
    pub indexes: Vec<Index<'a>>,
}

/// An index, or a constraint that an index stands behind.
pub struct Index<'a> {
    pub node: &'a Node,
    pub unique: bool,
    pub method: Option<String>,
    /// The keys in order; None for an expression.
    pub columns: Vec<Option<String>>,
    pub predicate: Option<String>,
    pub invalid: bool,
}

/// A view or materialized view.
pub struct View<'a> {
    pub node: &'a Node,
    pub invoker: bool,
    pub materialized: bool,
    /// The tables that its rows come from, through other views too; with the view that each is read by.
    pub tables: BTreeMap<Address, Address>,
}

impl<'a> Facts<'a> {
    /// Errors: a spec that cannot be read.
    pub fn of(model: &'a Model, major: u32, tenants: Option<Tenants>, roles: Roles) -> Result<Self> {
        let mut facts = Self { model, major, tenants, roles, tables: Vec::new(), views: Vec::new() };
        for node in model.nodes() {
            match node.address.kind() {
                "table" => facts.tables.push(Table::of(node, model)?),
                "view" | "materialized view" => {
                    let materialized = node.address.kind() == "materialized view";
                    let spec: specs::View = read(node)?;
                    let tables = sources(node, model);
                    facts.views.push(View { node, invoker: spec.security_invoker, materialized, tables });
                }
                _ => {}
            }
        }
        Ok(facts)
    }

    /// The tables whose rows belong to tenants: those with the tenant column, the root left out.
    pub fn tenant_tables(&self) -> impl Iterator<Item = (&Table<'a>, &Tenants)> {
        let tenants = self.tenants.as_ref();
        self.tables
            .iter()
            .filter_map(move |table| Some((table, tenants?)))
            .filter(|(table, tenants)| table.is_of(tenants))
    }

    /// The tenant table at an address, if there is one.
    pub fn tenant_table(&self, address: &Address) -> Option<&Table<'a>> {
        // In the order of the model.
        let at = self.tables.binary_search_by(|t| t.node.address.cmp(address)).ok()?;
        self.tables.get(at).filter(|table| self.tenants.as_ref().is_some_and(|tenants| table.is_of(tenants)))
    }

    /// Whether row security does not hold a role back from a table.
    pub fn goes_around(&self, role: &str, table: &Table) -> bool {
        let owner = table.node.owner.as_deref().unwrap_or_default();
        !table.security.enabled
            || self.roles.bypasses(role)
            || (!table.security.forced && self.roles.acts_as(role, owner))
    }
}

impl<'a> Table<'a> {
    fn of(node: &'a Node, model: &'a Model) -> Result<Self> {
        let mut table = Self {
            node,
            columns: BTreeMap::new(),
            security: RowSecuritySpec { enabled: false, forced: false },
            policies: Vec::new(),
            foreign_keys: Vec::new(),
            indexes: Vec::new(),
        };
        // Not `children`: its lifetime is that of the address it is given.
        for child in model.subtree(&node.address).filter(|n| n.address.parent().as_ref() == Some(&node.address)) {
            match child.address.kind() {
                "column" => {
                    table.columns.insert(child.address.name(), read(child)?);
                }
                "row security" => table.security = read(child)?,
                "policy" => table.policies.push((child, read(child)?)),
                "foreign key" => table.foreign_keys.push((child, read(child)?)),
                "primary key" | "unique" => {
                    let specs::Key { columns } = read(child)?;
                    let columns = columns.into_iter().map(Some).collect();
                    table.indexes.push(Index {
                        node: child,
                        unique: true,
                        method: None,
                        columns,
                        predicate: None,
                        invalid: false,
                    });
                }
                "index" => table.indexes.push(Index::of(child)?),
                _ => {}
            }
        }
        Ok(table)
    }

    pub fn address(&self) -> &'a Address {
        &self.node.address
    }

    /// `app.orders` as SQL.
    pub fn sql(&self) -> String {
        relation::relation(&self.node.address)
    }

    fn is_of(&self, tenants: &Tenants) -> bool {
        self.node.address != tenants.root && self.columns.contains_key(tenants.column.as_str())
    }

    /// The permissive or the restrictive policies for a command.
    pub fn policies_for<'s>(
        &'s self,
        command: &'s str,
        restrictive: bool,
    ) -> impl Iterator<Item = &'s (&'a Node, specs::Policy)> {
        self.policies
            .iter()
            .filter(move |(_, p)| p.restrictive == restrictive && (p.command == "all" || p.command == command))
    }
}

/// The table that a foreign key refers to.
pub fn target(key: &ForeignKeySpec) -> Address {
    Address::root("schema", &key.references.schema).child("table", &key.references.table)
}

impl<'a> Index<'a> {
    fn of(node: &'a Node) -> Result<Self> {
        let specs::Index { method, unique, keys, predicate, invalid } = read(node)?;
        let columns = keys.iter().map(|key| column_of(key)).collect();
        Ok(Self { node, unique, method, columns, predicate, invalid })
    }

    /// Whether it finds rows by equality of a leading key.
    pub fn searches(&self) -> bool {
        !self.invalid && matches!(self.method.as_deref(), None | Some("btree" | "hash"))
    }
}

/// The column that an index key is, options left out; None for an expression.
fn column_of(key: &str) -> Option<String> {
    let tokens = sql::tokens(key).ok()?;
    let (first, rest) = tokens.split_first()?;
    let is_name = rest.first().is_none_or(|next| !matches!(next.text, "(" | "." | "::"));
    let (None, name) = sql::name::split(first.text).filter(|_| is_name)? else { return None };
    Some(name)
}

/// The tables that a view reads, by the relation that reads them.
fn sources(view: &Node, model: &Model) -> BTreeMap<Address, Address> {
    let mut tables = BTreeMap::new();
    let mut seen = BTreeSet::from([view.address.clone()]);
    let mut next = vec![view];
    while let Some(at) = next.pop() {
        for needed in &at.needs {
            let Some(relation) = relation::table_of(needed).pop() else { continue };
            match relation.kind() {
                "table" => {
                    tables.entry(relation).or_insert_with(|| at.address.clone());
                }
                "view" | "materialized view" if seen.insert(relation.clone()) => next.extend(model.get(&relation)),
                _ => {}
            }
        }
    }
    tables
}

fn read<T: DeserializeOwned>(node: &Node) -> Result<T> {
    node.spec.read().map_err(|e| Error::new(format!("{} cannot be audited: {e}", node.address)))
}
