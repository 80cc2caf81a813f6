//! Related schemas: a few changes of every sort that a plan must handle, none of which the rows of
//! the schema they start from would refuse. Nothing is renamed.

use super::mutate_table as table;
use super::random::{self, name};
use super::schema::*;
use super::{acting, repair, Rng, ROLES};

type Mutation = fn(&mut Schema, &mut Rng) -> bool;

/// Each sort of change with its weight.
const SORTS: [(&str, usize, Mutation); 54] = [
    ("add table", 3, add_table),
    ("drop table", 2, drop_table),
    ("table storage", 1, table::storage),
    ("table persistence", 1, table::persistence),
    ("replica identity", 1, table::replica_identity),
    ("add column", 5, table::add_column),
    ("add generated column", 2, table::add_generated),
    ("add identity column", 1, table::add_identity),
    ("drop column", 4, table::drop_column),
    ("column type", 5, table::column_type),
    ("column not null", 3, table::column_not_null),
    ("column default", 4, table::column_default),
    ("column identity", 2, table::column_identity),
    ("serial to identity", 1, table::serial_to_identity),
    ("column collation", 1, table::column_collation),
    ("column storage", 1, table::column_storage),
    ("column compression", 1, table::column_compression),
    ("column statistics", 1, table::column_statistics),
    ("column comment", 1, table::column_comment),
    ("generated expression", 1, table::generated_expression),
    ("primary key", 2, table::primary_key),
    ("add unique", 2, table::add_unique),
    ("drop unique", 2, table::drop_unique),
    ("change unique", 1, table::change_unique),
    ("add check", 3, table::add_check),
    ("drop check", 2, table::drop_check),
    ("change check", 2, table::change_check),
    ("add foreign key", 3, table::add_foreign_key),
    ("drop foreign key", 2, table::drop_foreign_key),
    ("change foreign key", 2, table::change_foreign_key),
    ("exclusion", 2, table::exclusion),
    ("add index", 3, table::add_index),
    ("drop index", 2, table::drop_index),
    ("change index", 2, table::change_index),
    ("row security", 2, table::row_security),
    ("add policy", 2, table::add_policy),
    ("drop policy", 2, table::drop_policy),
    ("change policy", 3, table::change_policy),
    ("add trigger", 2, table::add_trigger),
    ("drop trigger", 1, table::drop_trigger),
    ("change trigger", 2, table::change_trigger),
    ("table facets", 3, table::facets),
    ("enum", 2, enumeration),
    ("enum labels", 4, enum_labels),
    ("domain", 2, domain),
    ("change domain", 2, change_domain),
    ("sequence", 2, sequence),
    ("change sequence", 2, change_sequence),
    ("function", 3, function),
    ("change function", 4, change_function),
    ("view", 4, view),
    ("change view", 4, change_view),
    ("view facets", 2, view_facets),
    ("other facets", 3, other_facets),
];

/// The names of all sorts of change.
pub fn sorts() -> impl Iterator<Item = &'static str> {
    SORTS.iter().map(|(name, _, _)| *name)
}

/// A schema to migrate to.
pub fn mutate(schema: &Schema, rng: &mut Rng) -> Schema {
    let weights: usize = SORTS.iter().map(|(_, weight, _)| weight).sum();
    let mut new = schema.clone();
    new.mutating = true;
    let changes = 1 + rng.below(4 + schema.tables.len());
    for _ in 0..changes {
        let mut at = rng.below(weights);
        for (_, weight, change) in SORTS {
            if at < weight {
                change(&mut new, rng);
                repair::repair(&mut new);
                break;
            }
            at -= weight;
        }
    }
    for at in 0..new.enums.len() {
        if schema.enumeration(&new.enums[at].name).is_some() && rng.chance(40) {
            rename_label(&mut new, at, rng);
        }
    }
    new
}

/// One change of a sort; None where nothing can be changed so.
pub fn mutate_by(schema: &Schema, rng: &mut Rng, sort: &str) -> Option<Schema> {
    let (_, _, change) = SORTS.iter().find(|(name, _, _)| *name == sort)?;
    let mut new = schema.clone();
    new.mutating = true;
    let changed = change(&mut new, rng);
    repair::repair(&mut new);
    (changed && new != *schema).then_some(new)
}

fn add_table(schema: &mut Schema, rng: &mut Rng) -> bool {
    let new = random::table(schema, rng, true);
    schema.tables.push(new);
    let at = schema.tables.len() - 1;
    random::furnish(schema, rng, at);
    true
}

/// Removes one of several; false if there is none.
fn remove<T>(from: &mut Vec<T>, rng: &mut Rng) -> bool {
    if from.is_empty() {
        return false;
    }
    from.remove(rng.below(from.len()));
    true
}

fn drop_table(schema: &mut Schema, rng: &mut Rng) -> bool {
    remove(&mut schema.tables, rng)
}

fn enumeration(schema: &mut Schema, rng: &mut Rng) -> bool {
    if rng.chance(35) {
        return remove(&mut schema.enums, rng);
    }
    let new = random::enumeration(schema, rng);
    schema.enums.push(new);
    true
}

/// Labels come anywhere and go, except the one that rows hold.
fn enum_labels(schema: &mut Schema, rng: &mut Rng) -> bool {
    if schema.enums.is_empty() {
        return false;
    }
    let at = rng.below(schema.enums.len());
    let one = &mut schema.enums[at];
    if rng.chance(35) && one.labels.len() > 1 {
        let held = one.held.clone();
        let victim = rng.below(one.labels.len());
        if one.labels[victim] != held {
            one.labels.remove(victim);
            return true;
        }
        return false;
    }
    for _ in 0..1 + rng.below(3) {
        let new = random::label(rng, &one.labels);
        one.labels.insert(rng.below(one.labels.len() + 1), new);
    }
    true
}

/// A label gets another name, mostly the one that rows and expressions hold. Texts that are written already follow when
/// they are printed as SQL, so it must be no other enum's.
fn rename_label(schema: &mut Schema, at: usize, rng: &mut Rng) {
    let one = &schema.enums[at];
    let old = if rng.chance(80) { one.held.clone() } else { rng.pick(&one.labels).clone() };
    if schema.enums.iter().filter(|other| other.labels.contains(&old)).count() > 1 {
        return;
    }
    let new = format!("{} {}", random::label(rng, &one.labels), rng.below(1_000_000));
    let one = &mut schema.enums[at];
    one.labels.iter_mut().filter(|label| **label == old).for_each(|label| label.clone_from(&new));
    if one.held == old {
        one.held.clone_from(&new);
    }
    one.renamed.push((old, new));
}

fn domain(schema: &mut Schema, rng: &mut Rng) -> bool {
    if rng.chance(35) {
        return remove(&mut schema.domains, rng);
    }
    let new = random::domain(schema, rng);
    schema.domains.push(new);
    true
}

fn change_domain(schema: &mut Schema, rng: &mut Rng) -> bool {
    if schema.domains.is_empty() {
        return false;
    }
    let at = rng.below(schema.domains.len());
    let old = schema.domains[at].clone();
    let check = random::domain_check(schema, rng, &old);
    let default = super::expression::value(schema, &old.base, 2);
    let one = &mut schema.domains[at];
    match rng.below(4) {
        0 => one.default = if one.default.is_some() { None } else { Some(default) },
        1 => one.not_null = !one.not_null,
        2 => return remove(&mut one.checks, rng),
        _ => one.checks.push(check),
    }
    true
}

fn sequence(schema: &mut Schema, rng: &mut Rng) -> bool {
    if rng.chance(35) {
        return remove(&mut schema.sequences, rng);
    }
    let new = random::sequence(schema, rng);
    schema.sequences.push(new);
    true
}

fn change_sequence(schema: &mut Schema, rng: &mut Rng) -> bool {
    if schema.sequences.is_empty() {
        return false;
    }
    if rng.chance(20) {
        return random::own_sequence(schema, rng);
    }
    let at = rng.below(schema.sequences.len());
    let one = &mut schema.sequences[at];
    match rng.below(6) {
        0 => one.increment += 1,
        1 => one.cache += 9,
        2 => one.cycle = !one.cycle,
        3 => one.max = if one.max.is_some() { None } else { Some(20_000) },
        4 => one.owned_by = None,
        _ => one.kind = if one.kind == "bigint" { "integer" } else { "bigint" },
    }
    true
}

fn function(schema: &mut Schema, rng: &mut Rng) -> bool {
    if rng.chance(35) {
        return remove(&mut schema.functions, rng);
    }
    let new = if rng.chance(40) {
        acting::late_function(schema, rng).into_iter().collect()
    } else {
        acting::early_function(schema, rng)
    };
    schema.functions.extend(new);
    true
}

fn change_function(schema: &mut Schema, rng: &mut Rng) -> bool {
    if schema.functions.is_empty() {
        return false;
    }
    let at = rng.below(schema.functions.len());
    let one = &mut schema.functions[at];
    match rng.below(7) {
        0..=2 => match one.purpose {
            Purpose::Number => acting::number_body(rng, one),
            Purpose::Trigger => acting::trigger_body(rng, one),
            Purpose::Tenant => one.body = "select coalesce(current_setting('app.tenant', true), 'v1')".into(),
            // The strings differ, and the meaning not.
            Purpose::Other if one.language == "sql" && !one.atomic => one.body += " -- again",
            Purpose::Other => return false,
        },
        3 if one.purpose == Purpose::Number => {
            one.returns = if one.returns == "numeric" { "bigint".into() } else { "numeric".into() };
        }
        3 => one.facets.private = !one.facets.private,
        4 => {
            one.security_definer = !one.security_definer;
            one.search_path = one.security_definer.then_some("''");
        }
        5 if !one.procedure => one.cost = if one.cost.is_some() { None } else { Some(300) },
        5 => one.facets.comment = random::comment(rng),
        _ if !one.procedure => one.parallel = if one.parallel == "safe" { "" } else { "safe" },
        _ => one.facets.owner = None,
    }
    true
}

fn view(schema: &mut Schema, rng: &mut Rng) -> bool {
    if rng.chance(35) {
        return remove(&mut schema.views, rng);
    }
    let new = acting::view(schema, rng);
    let some = new.is_some();
    schema.views.extend(new);
    some
}

fn change_view(schema: &mut Schema, rng: &mut Rng) -> bool {
    if schema.views.is_empty() {
        return false;
    }
    let at = rng.below(schema.views.len());
    let old = schema.views[at].clone();
    match rng.below(3) {
        0 => {
            // What comes later may stand on this one, so it takes only what comes earlier.
            let later = schema.views.split_off(at);
            let query = acting::query(schema, rng);
            schema.views.extend(later);
            let Some((query, outputs, simple)) = query else { return false };
            let one = &mut schema.views[at];
            (one.query, one.outputs, one.simple) = (query, outputs, simple);
            if !simple {
                one.options.retain(|(option, _)| *option != "check_option");
            }
        }
        1 if !old.materialized => schema.views[at].options = acting::view_options(schema, rng, &old),
        1 => {
            let index = acting::view_index(schema, rng, &old);
            schema.views[at].indexes.extend(index);
        }
        _ if old.materialized && !old.indexes.is_empty() => return remove(&mut schema.views[at].indexes, rng),
        _ => {
            let one = &mut schema.views[at];
            let Some((column, kind)) = one.outputs.first().cloned().filter(|_| one.simple) else { return false };
            // One more column at the end, which `create or replace` can do.
            let extra = name(schema, rng, "extra");
            let one = &mut schema.views[at];
            one.query.sql =
                one.query.sql.replacen(" from ", &format!(", x.{} as {} from ", quote(&column), quote(&extra)), 1);
            one.outputs.push((extra, kind));
        }
    }
    true
}

fn view_facets(schema: &mut Schema, rng: &mut Rng) -> bool {
    if schema.views.is_empty() {
        return false;
    }
    let at = rng.below(schema.views.len());
    change_facets(&mut schema.views[at].facets, rng, &random::TABLE_PRIVILEGES);
    true
}

fn other_facets(schema: &mut Schema, rng: &mut Rng) -> bool {
    let mut all: Vec<(&mut Facets, &[&'static str])> = Vec::new();
    all.extend(schema.enums.iter_mut().map(|one| (&mut one.facets, &["usage"][..])));
    all.extend(schema.domains.iter_mut().map(|one| (&mut one.facets, &["usage"][..])));
    all.extend(schema.sequences.iter_mut().map(|one| (&mut one.facets, &["usage", "select", "update"][..])));
    all.extend(schema.functions.iter_mut().map(|one| (&mut one.facets, &["execute"][..])));
    all.extend(schema.schemas.iter_mut().skip(1).map(|one| (&mut one.facets, &["usage", "create"][..])));
    if all.is_empty() {
        return false;
    }
    let at = rng.below(all.len());
    let (facets, privileges) = &mut all[at];
    change_facets(facets, rng, privileges);
    true
}

pub fn change_facets(facets: &mut Facets, rng: &mut Rng, privileges: &[&'static str]) {
    match rng.below(5) {
        0 => facets.comment = if facets.comment.is_some() { None } else { Some("it's\nnew: \\ #".into()) },
        1 => facets.owner = Some(rng.pick(&ROLES).to_string()),
        2 => {
            remove(&mut facets.grants, rng);
        }
        3 => {
            for grant in &mut facets.grants {
                grant.grant_option = grant.role != "public" && !grant.grant_option;
            }
        }
        _ => facets.grants.push(random::grant(rng, privileges)),
    }
}
