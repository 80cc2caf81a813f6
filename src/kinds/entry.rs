//! A row of a kind's catalog query, and what it refers to by OID or number.

use crate::error::{Error, Result};
use rustc_hash::FxHashMap;
use std::ops::Deref;

/// One row of a catalog query.
pub struct Row<'a> {
    pub row: &'a tokio_postgres::Row,
    pub known: &'a Known,
}

impl Deref for Row<'_> {
    type Target = tokio_postgres::Row;

    fn deref(&self) -> &tokio_postgres::Row {
        self.row
    }
}

impl Row<'_> {
    /// The names of the columns whose numbers stand at `numbers`, of the relation whose OID stands at `relation`; none
    /// of NULL. Errors: there is no such column, because it was dropped meanwhile.
    pub fn names(&self, relation: usize, numbers: usize) -> Result<Vec<String>> {
        let oid: u32 = self.row.try_get(relation)?;
        let numbers: Option<Vec<i16>> = self.row.try_get(numbers)?;
        let name = |number| self.known.column(oid, number).map(|column| column.name.to_string());
        numbers.unwrap_or_default().into_iter().map(name).collect()
    }
}

/// What rows refer to.
#[derive(Default)]
pub struct Known {
    /// By the OID of the relation and the number.
    columns: FxHashMap<(u32, i16), KnownColumn>,
    /// `pg_opclass`, by OID.
    operator_classes: FxHashMap<u32, OperatorClass>,
    /// By access method and type: the class that is the default for just this type.
    defaults: FxHashMap<(u32, u32), u32>,
    /// `pg_collation`, by OID, qualified.
    pub collations: FxHashMap<u32, String>,
}

/// A column of a relation (`pg_attribute`). Of relations that no kind reads, nobody asks for more than the name.
pub struct KnownColumn {
    pub name: Box<str>,
    /// OID of its type, or of the type below it if that is a domain.
    pub base: u32,
    /// OID of its collation; 0 if it has none.
    pub collation: u32,
}

/// An operator class.
pub struct OperatorClass {
    /// Qualified.
    pub name: String,
    pub method: u32,
    /// The type it is for.
    pub input: u32,
    /// Whether it is the default for that type.
    pub default: bool,
    /// Whether it is taken for other types too: its own is a pseudo-type or the preferred one of its category.
    pub general: bool,
}

impl Known {
    pub fn add_column(&mut self, relation: u32, number: i16, column: KnownColumn) {
        self.columns.insert((relation, number), column);
    }

    pub fn add_operator_class(&mut self, oid: u32, class: OperatorClass) {
        if class.default {
            self.defaults.insert((class.method, class.input), oid);
        }
        self.operator_classes.insert(oid, class);
    }

    /// Errors: there is none of that number.
    pub fn column(&self, relation: u32, number: i16) -> Result<&KnownColumn> {
        let none = || Error::new(format!("relation {relation} has no column {number}"));
        self.columns.get(&(relation, number)).ok_or_else(none)
    }

    /// Errors: there is none of that OID.
    pub fn operator_class(&self, oid: u32) -> Result<&OperatorClass> {
        self.operator_classes.get(&oid).ok_or_else(|| Error::new(format!("there is no operator class {oid}")))
    }

    /// Whether an access method would take this operator class for a type without being told.
    pub fn is_taken(&self, class: &OperatorClass, base: u32) -> bool {
        class.default && (class.input == base || class.general && !self.defaults.contains_key(&(class.method, base)))
    }
}
