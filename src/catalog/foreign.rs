//! What a declaration refers to and does not own, as others see it: found by name, and read no further than
//! its outline. A table is its columns with their types and its keys, a view or a composite type is a table of
//! its columns, a function is its signature; what an extension brought is that extension.

use super::session::Session;
use crate::declare::{Entries, Foreign, Outline, Written, STAND_INS};
use crate::error::Result;
use crate::sql::Space;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use tokio_postgres::types::ToSql;

/// What was found of what was asked.
#[derive(Default)]
pub struct Sighting {
    pub outlines: Vec<Outline>,
    /// What is there, by its position in the question.
    pub there: HashSet<usize>,
    /// What is there and has no outline, because it is of a kind that no declaration knows: in PostgreSQL's words.
    pub beyond: Vec<(usize, String)>,
}

/// Where names lead. `$1` to `$5`: position, schema, name, name space, whether the schema was written.
const LOOK_UP: &str = "\
with asked as (
  select a.n, a.schema, a.name::name as name, a.space, a.qualified, s.oid as home
  from unnest($1::int4[], $2::text[], $3::text[], $4::text[], $5::bool[]) a (n, schema, name, space, qualified)
  join pg_namespace s on s.nspname = a.schema::name
), found as (
  select a.n, 'pg_class'::regclass as class, c.oid, c.relkind::text as sort
  from asked a join pg_class c on c.relnamespace = a.home and c.relname = a.name
  where (a.space = 'relation' and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c', 'S')
         or a.space = 'type' and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c'))
    and (a.qualified or not exists (select from pg_class b where b.relnamespace = 'pg_catalog'::regnamespace and b.relname = a.name))
  union all
  select a.n, 'pg_type'::regclass, t.oid, t.typtype::text
  from asked a join pg_type t on t.typnamespace = a.home and t.typname = a.name
  where a.space = 'type' and t.typrelid = 0
    and (a.qualified or not exists (select from pg_type b where b.typnamespace = 'pg_catalog'::regnamespace and b.typname = a.name))
  union all
  select a.n, 'pg_proc'::regclass, p.oid, p.prokind::text
  from asked a join pg_proc p on p.pronamespace = a.home and p.proname = a.name
  where a.space = 'function'
    and (a.qualified or not exists (select from pg_proc b where b.pronamespace = 'pg_catalog'::regnamespace and b.proname = a.name))
  union all
  select a.n, 'pg_operator'::regclass, o.oid, 'o'
  from asked a join pg_operator o on o.oprnamespace = a.home and o.oprname = a.name where a.space = 'other'
  union all
  select a.n, 'pg_opclass'::regclass, o.oid, 'o'
  from asked a join pg_opclass o on o.opcnamespace = a.home and o.opcname = a.name where a.space = 'other'
  union all
  select a.n, 'pg_collation'::regclass, o.oid, 'o'
  from asked a join pg_collation o on o.collnamespace = a.home and o.collname = a.name where a.space = 'other'
  union all
  select a.n, 'pg_ts_config'::regclass, o.oid, 'o'
  from asked a join pg_ts_config o on o.cfgnamespace = a.home and o.cfgname = a.name where a.space = 'other'
  union all
  select a.n, 'pg_namespace'::regclass, a.home, 'n' from asked a where a.space = 'schema'
)
select f.n, f.oid, f.class::text || ' ' || f.sort, e.extname::text, pg_describe_object(f.class, f.oid, 0)
from found f
left join pg_depend d on d.classid = f.class and d.objid = f.oid and d.objsubid = 0 and d.deptype = 'e'
left join pg_extension e on e.oid = d.refobjid
order by f.n, f.oid";

/// Extensions by name, with those that they require, and their schemas.
const EXTENSIONS: &str = "\
with recursive needed (oid) as (
  select oid from pg_extension where extname = any ($1)
  union
  select d.refobjid from needed n join pg_depend d on d.classid = 'pg_extension'::regclass and d.objid = n.oid
  where d.refclassid = 'pg_extension'::regclass
)
select e.extname::text, s.nspname::text
from needed n join pg_extension e on e.oid = n.oid join pg_namespace s on s.oid = e.extnamespace
where e.extname <> 'plpgsql' order by 1";

const RELATIONS: &str = "\
select c.oid, quote_ident(s.nspname) || '.' || quote_ident(c.relname), a.attname::text, format_type(a.atttypid, a.atttypmod),
       case when a.attcollation <> t.typcollation and a.attcollation <> 0
            then (select quote_ident(cs.nspname) || '.' || quote_ident(co.collname)
                  from pg_collation co join pg_namespace cs on cs.oid = co.collnamespace where co.oid = a.attcollation) end
from pg_class c
join pg_namespace s on s.oid = c.relnamespace
left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_type t on t.oid = a.atttypid
where c.oid = any ($1) order by s.nspname, c.relname, a.attnum";

/// Keys that foreign keys may point at, whether a constraint owns them or not.
const KEYS: &str = "\
select i.indrelid, c.relname::text, i.indisprimary,
       array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality u (att, n)
             join pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.att where u.n <= i.indnkeyatts order by u.n)
from pg_index i join pg_class c on c.oid = i.indexrelid
where i.indrelid = any ($1) and i.indisunique and i.indisvalid and i.indimmediate and not i.indisexclusion
  and i.indpred is null and i.indexprs is null
order by c.relname";

/// Signatures. Whether an argument can be left out matters, its default does not.
const ROUTINES: &str = "\
select quote_ident(s.nspname) || '.' || quote_ident(p.proname) || '(' || coalesce(a.list, '') || ')', p.prokind = 'p',
       case when p.prokind <> 'p' then pg_get_function_result(p.oid) end,
       case p.provolatile when 'i' then 'immutable' when 's' then 'stable' end, p.proisstrict, p.prokind = 'w'
from pg_proc p
join pg_namespace s on s.oid = p.pronamespace
left join lateral (
  select string_agg(concat_ws(' ', case a.mode when 'o' then 'OUT' when 'b' then 'INOUT' when 'v' then 'VARIADIC' end,
                                   nullif(quote_ident(a.name), '\"\"'), format_type(a.type, null))
                    || case when a.input and a.inputs > p.pronargs - p.pronargdefaults then ' DEFAULT NULL' else '' end,
                    ', ' order by a.n) as list
  from (
    select u.type, u.n, m.mode, coalesce(p.proargnames[u.n], '') as name, m.mode in ('i', 'b', 'v') as input,
           count(*) filter (where m.mode in ('i', 'b', 'v')) over (order by u.n) as inputs
    from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality u (type, n)
    cross join lateral (select coalesce(p.proargmodes[u.n]::text, 'i') as mode) m
  ) a
  where a.mode <> 't'
) a on true
where p.oid = any ($1) order by 1";

const ENUMS: &str = "\
select quote_ident(s.nspname) || '.' || quote_ident(t.typname),
       array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid order by e.enumsortorder)
from pg_type t join pg_namespace s on s.oid = t.typnamespace where t.oid = any ($1) order by 1";

const DOMAINS: &str = "\
select quote_ident(s.nspname) || '.' || quote_ident(t.typname), format_type(t.typbasetype, t.typtypmod)
from pg_type t join pg_namespace s on s.oid = t.typnamespace where t.oid = any ($1) order by 1";

const SEQUENCES: &str = "\
select quote_ident(s.nspname) || '.' || quote_ident(c.relname), format_type(q.seqtypid, null)
from pg_class c join pg_namespace s on s.oid = c.relnamespace join pg_sequence q on q.seqrelid = c.oid
where c.oid = any ($1) order by 1";

/// Looks for what was asked. `theirs` tells whether something of that name in that schema is not the
/// declaration's own; of several schemas the first that has one decides, as for PostgreSQL.
pub async fn sight(session: &Session, asked: &[Foreign], theirs: &dyn Fn(&str, &str) -> bool) -> Result<Sighting> {
    let mut sighting = Sighting::default();
    let mut wanted: BTreeMap<Sort, BTreeSet<u32>> = BTreeMap::new();
    let mut extensions: BTreeSet<String> = BTreeSet::new();
    for found in look_up(session, asked, theirs).await? {
        let Found { of, oid, sort, extension, words } = found;
        sighting.there.insert(of);
        match (extension, Sort::of(&sort)) {
            (Some(extension), _) => drop(extensions.insert(extension)),
            (None, Some(sort)) => drop(wanted.entry(sort).or_default().insert(oid)),
            (None, None) if sort == "pg_namespace n" => sighting.outlines.extend(asked.get(of).map(|foreign| {
                Outline { section: "schema", key: foreign.name.clone(), form: Written::Map(Vec::new()) }
            })),
            (None, None) => sighting.beyond.push((of, words)),
        }
    }
    let extensions: Vec<String> = extensions.into_iter().collect();
    for row in session.client.query(EXTENSIONS, &[&extensions]).await? {
        let form = Written::Map(vec![("schema".into(), Written::Text(row.try_get(1)?))]);
        sighting.outlines.push(Outline { section: "extensions", key: row.try_get(0)?, form });
    }
    for (sort, oids) in wanted {
        let oids: Vec<u32> = oids.into_iter().collect();
        sighting.outlines.extend(sort.read(session, &oids).await?);
    }
    Ok(sighting)
}

/// One thing that a name leads to.
struct Found {
    /// The position of the name.
    of: usize,
    oid: u32,
    /// Its catalog, and there its `relkind`, `typtype` or `prokind`.
    sort: String,
    extension: Option<String>,
    words: String,
}

async fn look_up(session: &Session, asked: &[Foreign], theirs: &dyn Fn(&str, &str) -> bool) -> Result<Vec<Found>> {
    let mut places: Vec<(usize, &str, &Foreign)> = Vec::new();
    for (at, foreign) in asked.iter().enumerate() {
        let schemas = foreign.schemas.iter().filter(|schema| theirs(schema, &foreign.name));
        places.extend(schemas.map(|schema| (at, schema.as_str(), foreign)));
        if foreign.space == Space::Schema {
            places.push((at, &foreign.name, foreign));
        }
    }
    let numbers: Vec<i32> = (0..).take(places.len()).collect();
    let schemas: Vec<&str> = places.iter().map(|(_, schema, _)| *schema).collect();
    let names: Vec<&str> = places.iter().map(|(_, _, foreign)| foreign.name.as_str()).collect();
    let spaces: Vec<&str> = places.iter().map(|(_, _, foreign)| word(foreign.space)).collect();
    let qualified: Vec<bool> = places.iter().map(|(_, _, foreign)| foreign.qualified).collect();
    let rows = session.client.query(LOOK_UP, &[&numbers, &schemas, &names, &spaces, &qualified]).await?;
    let mut found: Vec<Found> = Vec::new();
    let mut first: BTreeMap<usize, &str> = BTreeMap::new();
    for row in rows {
        let number: i32 = row.try_get(0)?;
        let Some((of, schema, _)) = usize::try_from(number).ok().and_then(|n| places.get(n)) else { continue };
        if *first.entry(*of).or_insert(schema) == *schema {
            let words: Option<String> = row.try_get(4)?;
            found.push(Found {
                of: *of,
                oid: row.try_get(1)?,
                sort: row.try_get(2)?,
                extension: row.try_get(3)?,
                words: words.unwrap_or_default(),
            });
        }
    }
    Ok(found)
}

fn word(space: Space) -> &'static str {
    match space {
        Space::Relation => "relation",
        Space::Function => "function",
        Space::Type => "type",
        Space::Other => "other",
        Space::Schema => "schema",
    }
}

/// What is read by one query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Relation,
    Sequence,
    Routine,
    Enum,
    Domain,
    Collation,
    Configuration,
    Operator,
    Aggregate,
    Range,
}

impl Sort {
    fn of(words: &str) -> Option<Self> {
        Some(match words {
            "pg_class S" => Self::Sequence,
            "pg_proc f" | "pg_proc p" | "pg_proc w" => Self::Routine,
            "pg_type e" => Self::Enum,
            "pg_type d" => Self::Domain,
            "pg_type r" | "pg_type m" => Self::Range,
            "pg_collation o" => Self::Collation,
            "pg_ts_config o" => Self::Configuration,
            "pg_operator o" => Self::Operator,
            "pg_proc a" => Self::Aggregate,
            words if words.starts_with("pg_class ") => Self::Relation,
            _ => return None,
        })
    }

    async fn read(self, session: &Session, oids: &[u32]) -> Result<Vec<Outline>> {
        match self {
            Self::Relation => relations(session, oids).await,
            Self::Routine => routines(session, oids).await,
            Self::Sequence => typed(session, "sequences", SEQUENCES, oids).await,
            Self::Domain => typed(session, "domains", DOMAINS, oids).await,
            Self::Collation | Self::Configuration | Self::Operator | Self::Aggregate | Self::Range => {
                stand_ins(session, self, oids).await
            }
            Self::Enum => {
                let rows = session.client.query(ENUMS, &[&oids]).await?;
                let outline = |row: &tokio_postgres::Row| {
                    Ok(Outline { section: "enums", key: row.try_get(0)?, form: Written::Names(row.try_get(1)?) })
                };
                rows.iter().map(outline).collect()
            }
        }
    }
}

/// What no kind describes.
async fn stand_ins(session: &Session, sort: Sort, oids: &[u32]) -> Result<Vec<Outline>> {
    let of = |of: Sort| if of == sort { oids } else { &[] };
    let of_each = [Sort::Collation, Sort::Configuration, Sort::Operator, Sort::Aggregate, Sort::Range].map(of);
    let parameters = of_each.each_ref().map(|oids| oids as &(dyn ToSql + Sync));
    let rows = session.client.query(include_str!("stand_ins.sql"), &parameters).await?;
    let outline = |row: &tokio_postgres::Row| {
        let text = |at: usize| -> Result<Written> { Ok(Written::Text(row.try_get(at)?)) };
        let form = Written::Map(vec![
            ("schema".into(), text(1)?),
            ("name".into(), text(2)?),
            ("space".into(), text(3)?),
            ("sql".into(), Written::Names(row.try_get(4)?)),
            ("types".into(), Written::Names(row.try_get(5)?)),
        ]);
        Ok(Outline { section: STAND_INS, key: row.try_get(0)?, form })
    };
    rows.iter().map(outline).collect()
}

/// What has a type and nothing else.
async fn typed(session: &Session, section: &'static str, query: &str, oids: &[u32]) -> Result<Vec<Outline>> {
    let rows = session.client.query(query, &[&oids]).await?;
    let outline = |row: &tokio_postgres::Row| {
        let form = texts([("type", Some(row.try_get(1)?))]);
        Ok(Outline { section, key: row.try_get(0)?, form })
    };
    rows.iter().map(outline).collect()
}

/// Those that are said.
fn texts<const N: usize>(entries: [(&str, Option<String>); N]) -> Written {
    let said = entries.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Written::Text(text?))));
    Written::Map(said.collect())
}

/// The keys of a relation.
#[derive(Default)]
struct Keys {
    primary: Option<Written>,
    uniques: Entries,
}

async fn relations(session: &Session, oids: &[u32]) -> Result<Vec<Outline>> {
    let mut keys: BTreeMap<u32, Keys> = BTreeMap::new();
    for row in session.client.query(KEYS, &[&oids]).await? {
        let (relation, name, primary): (u32, String, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let columns = ("columns".to_owned(), Written::Names(row.try_get(3)?));
        let of = keys.entry(relation).or_default();
        if primary {
            of.primary = Some(Written::Map(vec![("name".into(), Written::Text(name)), columns]));
        } else {
            of.uniques.push((name, Written::Map(vec![columns])));
        }
    }
    // Rows come relation by relation, column by column.
    let mut outlines: Vec<Outline> = Vec::new();
    let mut open: Option<(u32, String, Entries)> = None;
    for row in session.client.query(RELATIONS, &[&oids]).await? {
        let oid: u32 = row.try_get(0)?;
        if open.as_ref().is_none_or(|(last, _, _)| *last != oid) {
            outlines.extend(open.take().map(|whole| relation(whole, &mut keys)));
            open = Some((oid, row.try_get(1)?, Vec::new()));
        }
        let column: Option<String> = row.try_get(2)?;
        if let (Some((_, _, columns)), Some(column)) = (&mut open, column) {
            columns.push((column, texts([("type", row.try_get(3)?), ("collation", row.try_get(4)?)])));
        }
    }
    outlines.extend(open.map(|whole| relation(whole, &mut keys)));
    Ok(outlines)
}

fn relation((oid, key, columns): (u32, String, Entries), keys: &mut BTreeMap<u32, Keys>) -> Outline {
    let Keys { primary, uniques } = keys.remove(&oid).unwrap_or_default();
    let mut form = vec![("columns".to_owned(), Written::Map(columns))];
    form.extend(primary.map(|primary| ("primary_key".to_owned(), primary)));
    if !uniques.is_empty() {
        form.push(("uniques".to_owned(), Written::Map(uniques)));
    }
    Outline { section: "tables", key, form: Written::Map(form) }
}

async fn routines(session: &Session, oids: &[u32]) -> Result<Vec<Outline>> {
    let rows = session.client.query(ROUTINES, &[&oids]).await?;
    let outline = |row: &tokio_postgres::Row| {
        let flag = |at: usize| -> Result<Option<String>> {
            let on: bool = row.try_get(at)?;
            Ok(on.then(|| "true".to_owned()))
        };
        let form = texts([
            ("returns", row.try_get(2)?),
            ("volatility", row.try_get(3)?),
            ("strict", flag(4)?),
            ("window", flag(5)?),
        ]);
        let section = if row.try_get(1)? { "procedures" } else { "functions" };
        Ok(Outline { section, key: row.try_get(0)?, form })
    };
    rows.iter().map(outline).collect()
}
