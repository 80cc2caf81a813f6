//! The search path under which a plan runs what is declared on rows.
//!
//! Plans name everything with its schema and run with an empty path. But to write rows is to fire triggers, and to test
//! them is to call functions, whose bodies may name things without a schema, as applications do with a path of their own.
//! A declaration can say that path. It is set around such statements alone, and around none that stores an expression: that
//! must mean the same whoever may create things in these schemas (manual, section 5.10.6). Questions to the data have none
//! either: nobody has reviewed what they would call.

use crate::sql::Ident;

/// Schemas as SET takes them; nothing where the path stays empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPath(String);

impl SearchPath {
    /// Temporary things, which would otherwise come first, are searched last.
    pub fn of(schemas: &[String]) -> Self {
        if schemas.is_empty() {
            return Self::default();
        }
        let names = schemas.iter().map(|name| Ident(name).to_string()).chain(["pg_temp".to_owned()]);
        Self(names.collect::<Vec<_>>().join(", "))
    }

    /// The statements that set the path for the rest of a transaction and make it empty again; None where it stays empty.
    pub fn around(&self) -> Option<(String, String)> {
        let Self(path) = self;
        (!path.is_empty()).then(|| (format!("SET LOCAL search_path = {path}"), "SET LOCAL search_path = ''".to_owned()))
    }
}
