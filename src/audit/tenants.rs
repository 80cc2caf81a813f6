//! The tenancy as found in the database.

use crate::declare::Tenancy;
use crate::error::{Error, Result};
use crate::model::{Address, Model, Node};
use crate::sql::{name, Fragment, Shape};

/// Who the tenants are and how rows say whose they are.
#[derive(Clone, Debug)]
pub struct Tenants {
    /// The table with one row per tenant, whether or not it is there.
    pub root: Address,
    pub column: String,
    pub current: Option<String>,
    pub bypass: Option<String>,
}

impl Tenants {
    /// Finds the root: in the schema it names, else in the first of the schemas that has such a table.
    pub fn resolve(tenancy: &Tenancy, schemas: &[String], model: &Model, unchecked: &mut Vec<String>) -> Result<Self> {
        let Tenancy { root, column, current, bypass } = tenancy;
        let (schema, table) = name::split(root).ok_or_else(|| {
            Error::new(format!("the tenancy root `{root}` is no name of a table"))
                .with_hint("write `table` or `schema.table`")
        })?;
        let at = |schema: &str| Address::root("schema", schema).child("table", &table);
        let known = |address: &Address| model.get(address).is_some();
        let address = match &schema {
            Some(schema) => at(schema),
            None => {
                let first = schemas.iter().map(|s| at(s)).find(known);
                first.unwrap_or_else(|| at(schemas.first().map_or("public", String::as_str)))
            }
        };
        let has_column = |n: &Node| n.address.kind() == "column" && n.address.name() == column;
        if !model.nodes().is_empty() && !model.nodes().iter().any(has_column) {
            // Otherwise a slip of the pen would give the all-clear.
            return Err(Error::new(format!("no table has a column `{column}`, which is said to tell tenants apart"))
                .with_hint("correct the tenancy's `column` in the declaration, or --tenant-column"));
        }
        if let Some(bypass) = bypass {
            Fragment::new(Shape::Expression, bypass.as_str()).check().map_err(|mistake| {
                Error::new(format!("the tenancy's bypass `{bypass}` is no SQL expression: {}", mistake.message))
            })?;
        }
        if !known(&address) {
            unchecked.push(format!("{address}: the tenancy names it as its root, and it is not there"));
        }
        Ok(Self { root: address, column: column.clone(), current: current.clone(), bypass: bypass.clone() })
    }
}
