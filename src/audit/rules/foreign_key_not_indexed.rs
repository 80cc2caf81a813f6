//! A foreign key whose referencing columns have no index.

use super::*;
use crate::audit::facts::Index;
use crate::kinds::foreign_key::ForeignKeySpec;
use crate::sql::Ident;

pub static RULE: Rule = Rule {
    name: "foreign-key-not-indexed",
    severity: Severity::Warning,
    needs_tenancy: false,
    explanation: "PostgreSQL indexes the referenced side of a foreign key and not the referencing side. Without an index \
        there, each DELETE in the referenced table, and each UPDATE of its key, reads the whole referencing table, once per \
        row, holding its locks the while. An index helps if its first columns are those of the key, in any order, or if \
        its columns are unique and all among them; a partial one only if it leaves out nothing but nulls.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for table in &facts.tables {
        for (node, key) in table.foreign_keys.iter().filter(|(_, key)| !key.not_enforced) {
            if table.indexes.iter().any(|index| serves(index, key)) {
                continue;
            }
            let columns: Vec<String> = key.columns.iter().map(|c| Ident(c).to_string()).collect();
            let columns = columns.join(", ");
            let target = crate::sql::qualified(&key.references.schema, &key.references.table);
            let message =
                format!("no index begins with {columns}: deleting from {target} reads the whole table each time");
            let advice = format!("CREATE INDEX CONCURRENTLY ON {} ({columns});", table.sql());
            out.push(Finding::new(&RULE, &node.address, message, advice));
        }
    }
}

fn serves(index: &Index, key: &ForeignKeySpec) -> bool {
    let among =
        |columns: &[Option<String>]| columns.iter().all(|c| c.as_ref().is_some_and(|c| key.columns.contains(c)));
    let n = key.columns.len();
    let begins = index.columns.get(..n).is_some_and(among);
    let whole = match &index.predicate {
        None => true,
        Some(predicate) => key.columns.iter().any(|c| *predicate == format!("({} IS NOT NULL)", Ident(c))),
    };
    index.searches() && whole && (begins || (index.unique && among(&index.columns)))
}
