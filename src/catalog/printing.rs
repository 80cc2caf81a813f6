//! Expressions as the server prints them, each distinct one once.
//!
//! To print an expression over columns, PostgreSQL opens the relation, which costs more than all else in reading: a
//! template stamps the same policy on thousands of tables. So expressions that are kept as the same tree
//! (`pg_node_tree`) are printed once, in the place of one of them. That is the text of all whose columns of those
//! numbers have the same names, since nothing else of a relation is printed: types, functions and operators are in the
//! tree, and it names the relation only for whole rows and inside of sub-selects, where each is printed for itself.
//! The server prints names as they are now, whatever the snapshot shows: where a column of the one was renamed
//! meanwhile, nothing is taken from it.
//! Cost: one scan and one hash per expression. Where each is another, each is printed, as it would be without this.

use crate::error::Result;
use crate::kinds::{Kind, Known, Texts, Trees};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_postgres::{Client, Row};

/// The OID and number of what an expression belongs to, and the number of its field.
type Owner = (u32, i32, i32);

/// Expressions that are kept as one tree.
pub struct Alike {
    kind: &'static dyn Kind,
    pub trees: &'static Trees,
    owners: Vec<Owner>,
    /// The OIDs of their relations, in the same order.
    relations: Vec<u32>,
    /// The tree, where it is that of several.
    text: Option<String>,
    /// Whether it refers to anything of its relation.
    refers: bool,
}

/// The query for the trees of a kind. `settled`: nothing changes until they are printed; otherwise each is printed for
/// itself.
pub fn query(trees: &Trees, settled: bool) -> String {
    let together = if settled { "" } else { ", t.oid, t.sub, t.field" };
    format!(
        "select array_agg(t.oid), array_agg(t.sub), array_agg(t.field), array_agg(t.relation), \
                case when count(*) > 1 then t.tree::text end, \
                strpos(t.tree::text, '{{VAR ') > 0 or strpos(t.tree::text, '{{QUERY ') > 0 \
         from ({}) t (oid, sub, field, relation, tree) \
         where t.relation = any ($2) and t.tree is not null \
         group by t.tree::text{together}",
        trees.query
    )
}

/// One row of that query.
pub fn alike(kind: &'static dyn Kind, trees: &'static Trees, row: &Row) -> Result<Alike> {
    let (oids, subs, fields): (Vec<u32>, Vec<i32>, Vec<i32>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let owners = oids.into_iter().zip(subs).zip(fields).map(|((oid, sub), field)| (oid, sub, field)).collect();
    Ok(Alike { kind, trees, owners, relations: row.try_get(3)?, text: row.try_get(4)?, refers: row.try_get(5)? })
}

/// Has the server print all the expressions of some kinds; the texts, by kind. Errors: the server's.
pub async fn print(
    client: &Client,
    alike: &[Alike],
    known: &Known,
) -> std::result::Result<HashMap<&'static str, Texts>, tokio_postgres::Error> {
    let mut all: HashMap<&'static str, Texts> = HashMap::new();
    let mut asked: HashMap<&'static str, (&'static Trees, Vec<Asked>)> = HashMap::new();
    for alike in alike {
        let of = asked.entry(alike.kind.name()).or_insert_with(|| (alike.trees, Vec::new()));
        of.1.extend(alike.asked(known));
    }
    for (kind, (trees, asked)) in asked {
        let first = |asked: &Asked| asked.owners.first().copied().unwrap_or_default();
        let oids: Vec<u32> = asked.iter().map(|asked| first(asked).0).collect();
        let subs: Vec<i32> = asked.iter().map(|asked| first(asked).1).collect();
        let fields: Vec<i32> = asked.iter().map(|asked| first(asked).2).collect();
        let relations: Vec<u32> = asked.iter().map(|asked| asked.relation).collect();
        let numbers: Vec<String> = asked.iter().map(|asked| format!("{{{}}}", join(&asked.numbers))).collect();
        // The names come after the text, which waits for who changes the relation.
        let sql = format!(
            "select t.oid, t.sub, t.field, pg_get_expr(t.tree, w.within), \
                    array(select (pg_identify_object_as_address('pg_class'::regclass, w.within, n)).object_names[3] \
                          from unnest(w.numbers::int4[]) with ordinality as n (n, place) order by place) \
             from unnest($1::oid[], $2::int4[], $3::int4[], $4::oid[], $5::text[]) w (oid, sub, field, within, numbers) \
             join ({}) t (oid, sub, field, relation, tree) on t.oid = w.oid and t.sub = w.sub and t.field = w.field",
            trees.query
        );
        let mut printed: HashMap<Owner, (Arc<str>, Vec<String>)> = HashMap::new();
        for row in client.query(&sql, &[&oids, &subs, &fields, &relations, &numbers]).await? {
            // What was dropped meanwhile prints as NULL.
            let names: Vec<Option<String>> = row.try_get(4)?;
            if let Some(text) = row.try_get::<_, Option<&str>>(3)? {
                let names = names.into_iter().map(Option::unwrap_or_default).collect();
                printed.insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?), (text.into(), names));
            }
        }
        let texts = all.entry(kind).or_default();
        for asked in &asked {
            let of_now = printed.get(&first(asked)).filter(|(_, names)| *names == asked.names);
            let Some((text, _)) = of_now else { continue };
            for (oid, sub, field) in &asked.owners {
                let name = usize::try_from(field - 1).ok().and_then(|at| trees.fields.get(at));
                texts.extend(name.map(|name| ((*name, *oid, *sub), text.clone())));
            }
        }
    }
    Ok(all)
}

/// What is printed once, for the first of its owners.
struct Asked {
    owners: Vec<Owner>,
    /// The OID of the relation that the server has to look at; 0 for none.
    relation: u32,
    /// The columns that it refers to and their names, where others share it.
    numbers: Vec<i16>,
    names: Vec<String>,
}

fn join(numbers: &[i16]) -> String {
    numbers.iter().map(i16::to_string).collect::<Vec<_>>().join(",")
}

impl Alike {
    fn asked(&self, known: &Known) -> Vec<Asked> {
        let alone =
            |owners: Vec<Owner>, relation: u32| Asked { owners, relation, numbers: Vec::new(), names: Vec::new() };
        if !self.refers {
            return vec![alone(self.owners.clone(), 0)];
        }
        let numbers = self.text.as_deref().and_then(column_numbers);
        let mut shared: HashMap<Vec<&str>, Asked> = HashMap::new();
        let mut asked = Vec::new();
        for (owner, relation) in self.owners.iter().zip(&self.relations) {
            let name = |number: &i16| Some(&*known.column(*relation, *number).ok()?.name);
            let names = numbers.as_ref().and_then(|numbers| numbers.iter().map(name).collect::<Option<Vec<&str>>>());
            match names {
                Some(names) => shared.entry(names).or_insert_with(|| alone(Vec::new(), *relation)).owners.push(*owner),
                None => asked.push(alone(vec![*owner], *relation)),
            }
        }
        asked.extend(shared.into_iter().map(|(names, shared)| Asked {
            numbers: numbers.clone().unwrap_or_default(),
            names: names.into_iter().map(str::to_owned).collect(),
            ..shared
        }));
        asked
    }
}

/// The numbers of the columns that a tree refers to; None if what it prints as depends on more of the relation.
fn column_numbers(tree: &str) -> Option<Vec<i16>> {
    if tree.contains("{QUERY ") {
        return None;
    }
    let mut numbers = Vec::new();
    for after in tree.split(":varattno ").skip(1) {
        let number: i16 = after.split(' ').next()?.parse().ok()?;
        if number == 0 {
            return None;
        }
        numbers.push(number);
    }
    // System columns have the same names everywhere.
    numbers.retain(|number| *number > 0);
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::column_numbers;

    #[test]
    fn trees_name_their_columns() {
        assert_eq!(
            column_numbers("{VAR :varno 1 :varattno 10 :x 1} {VAR :varattno 2 } {VAR :varattno 10 }"),
            Some(vec![2, 10])
        );
        assert_eq!(column_numbers("{VAR :varattno -1 } {CONST :constvalue 4 [ 1 0 0 0 ]}"), Some(vec![]));
        assert_eq!(column_numbers("{VAR :varattno 0 }"), None);
        assert_eq!(column_numbers("{SUBLINK :subselect {QUERY :commandType 1 }} {VAR :varattno 1 }"), None);
    }
}
