//! A row of a kind's catalog query, and what it refers to by OID or number.

use crate::error::{Error, Result};
use rustc_hash::FxHashMap;
use std::ops::Deref;
use std::sync::Arc;

/// One row of a catalog query.
pub struct Row<'a> {
    pub row: &'a tokio_postgres::Row,
    pub known: &'a Known,
    /// Of its kind.
    pub texts: &'a Texts,
    /// Of its kind.
    pub asides: &'a Asides,
}

/// Printed expressions, by field, OID and number.
pub type Texts = FxHashMap<(&'static str, u32, i32), Arc<str>>;

/// What few rows have, by the number of the query, OID and number.
pub type Asides = FxHashMap<(usize, u32, i32), tokio_postgres::Row>;

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

    /// An expression as it prints, if there is one: that says the flag at `at`. Errors: it was dropped meanwhile.
    pub fn expression(&self, field: &'static str, at: usize) -> Result<Option<String>> {
        if !self.row.try_get::<_, bool>(at)? {
            return Ok(None);
        }
        let (oid, sub): (u32, i32) = (self.row.try_get(0)?, self.row.try_get(2)?);
        let text = self.texts.get(&(field, oid, sub));
        let gone = || Error::new(format!("the {field} of {oid} is gone"));
        text.map(|text| Some(text.to_string())).ok_or_else(gone)
    }

    /// What the kind's query of that number among [`super::Kind::asides`] says of `sub` of it.
    pub fn aside(&self, query: usize, sub: i32) -> Result<Option<&tokio_postgres::Row>> {
        Ok(self.asides.get(&(query, self.row.try_get(0)?, sub)))
    }

    /// The schema and the name of the relation whose OID stands at `relation`. Errors: it was dropped meanwhile.
    pub fn relation(&self, relation: usize) -> Result<(String, String)> {
        let oid: u32 = self.row.try_get(relation)?;
        let name = self.known.referenced.get(&oid).cloned();
        name.ok_or_else(|| Error::new(format!("there is no relation {oid}")))
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
    /// Schema and name of relations that foreign keys refer to, by OID.
    pub referenced: FxHashMap<u32, (String, String)>,
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

    /// Takes in what another one knows.
    pub fn add(&mut self, other: Self) {
        let Self { columns, operator_classes, defaults, referenced, collations } = other;
        self.columns.extend(columns);
        self.operator_classes.extend(operator_classes);
        self.defaults.extend(defaults);
        self.referenced.extend(referenced);
        self.collations.extend(collations);
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
