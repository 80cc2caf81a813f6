//! Who stands in the way when a lock is not to be had.

use crate::catalog::Session;
use crate::plan::Batch;

/// The sessions that hold locks on the tables of a batch, the longest transaction first. What the role may not see
/// of others (their transaction's age) is left out, and so is everything if the question fails: it only explains.
const HOLDERS: &str = "\
select format('pid %s (%s%s) holds %s on %s%s', l.pid, coalesce(a.usename, 'nobody'),
              coalesce(', ' || nullif(a.application_name, ''), ''), string_agg(distinct l.mode, ', '),
              string_agg(distinct l.relation::regclass::text, ', '),
              coalesce(format(', in a transaction for %s s', extract(epoch from clock_timestamp() - a.xact_start)::int8), ''))
from pg_locks l left join pg_stat_activity a on a.pid = l.pid
where l.granted and l.locktype = 'relation' and l.pid <> pg_backend_pid()
  and l.relation in (select to_regclass(t) from unnest($1::text[]) t)
group by l.pid, a.usename, a.application_name, a.xact_start
order by a.xact_start nulls last, l.pid limit 3";

/// Those sessions in words; empty if none is known.
pub async fn holders(session: &Session, batch: &Batch) -> String {
    let tables: Vec<&str> = batch.locks.iter().map(|lock| lock.table.as_str()).collect();
    let rows = session.client.query(HOLDERS, &[&tables]).await.unwrap_or_default();
    let words: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    words.join("; ")
}
