//! What an index is over, element by element, from the vectors of `pg_index` (manual, CREATE INDEX).

use super::super::{Catalog, Row};
use crate::error::Result;
use crate::sql::{literal, Ident};

/// OID of the collation `pg_catalog."default"`, fixed in `pg_collation.dat`.
const DEFAULT_COLLATION: u32 = 100;
/// Bits of `pg_index.indoption`.
const DESC: i16 = 1;
const NULLS_FIRST: i16 = 2;

/// The keys as SQL and the names of the included columns. At `at` stand `indkey`, `indnkeyatts`, `indclass`,
/// `indcollation`, `indoption`, the expressions in their order, and parameters of operator classes.
pub fn read(row: &Row, at: usize) -> Result<(Vec<String>, Vec<String>)> {
    let relation: u32 = row.try_get(Catalog::PARENT)?;
    let numbers: Vec<i16> = row.try_get(at)?;
    let keys: i32 = row.try_get(at + 1)?;
    let keys = usize::try_from(keys).unwrap_or(0).min(numbers.len());
    let (classes, collations): (Vec<u32>, Vec<u32>) = (row.try_get(at + 2)?, row.try_get(at + 3)?);
    let options: Vec<i16> = row.try_get(at + 4)?;
    let expressions: Option<Vec<String>> = row.try_get(at + 5)?;
    let parameters: Option<Vec<String>> = row.try_get(at + 6)?;
    let (mut expressions, parameters) = (expressions.unwrap_or_default().into_iter(), parameters.unwrap_or_default());
    let mut texts = Vec::with_capacity(keys);
    for (n, number) in numbers[..keys].iter().enumerate() {
        let column = if *number == 0 { None } else { Some(row.known.column(relation, *number)?) };
        let mut text = match column {
            Some(column) => Ident(&column.name).to_string(),
            None => expressions.next().unwrap_or_default(),
        };
        let collation = collations.get(n).copied().unwrap_or_default();
        if collation != 0 && collation != column.map_or(DEFAULT_COLLATION, |column| column.collation) {
            let name = row.known.collations.get(&collation).map_or("", String::as_str);
            text.push_str(&format!(" COLLATE {name}"));
        }
        let class = row.known.operator_class(classes.get(n).copied().unwrap_or_default())?;
        let with = parameters_of(&parameters, n + 1);
        if !with.is_empty() {
            text.push_str(&format!(" {}({})", class.name, with.join(", ")));
        } else if column.map_or(!class.default, |column| !row.known.is_taken(class, column.base)) {
            text.push_str(&format!(" {}", class.name));
        }
        let option = options.get(n).copied().unwrap_or_default();
        text.push_str(match (option & DESC != 0, option & NULLS_FIRST != 0) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        });
        texts.push(text);
    }
    let included = numbers[keys..].iter().map(|number| Ok(row.known.column(relation, *number)?.name.to_string()));
    Ok((texts, included.collect::<Result<_>>()?))
}

/// Those of the element with this number, each of which is `number name=value`.
fn parameters_of(all: &[String], element: usize) -> Vec<String> {
    let own = all.iter().filter_map(|text| {
        let (number, option) = text.split_once(' ')?;
        let (name, value) = option.split_once('=')?;
        (number.parse() == Ok(element)).then(|| format!("{}={}", Ident(name), literal(value)))
    });
    own.collect()
}
