//! Names of scratch databases on servers that others use too, and what runs that were killed left there.
//!
//! A name says when its run began, by the server's clock, and holds what no other run's does. A database whose
//! run began long ago and in which nobody is has lost its owner: no run takes that long between two sessions.

use crate::catalog::Session;
use crate::error::Result;
use crate::sql::Ident;
use std::hash::{BuildHasher, Hasher, RandomState};

const PREFIX: &str = "pgplumb_scratch_";

/// Seconds after which a database without a session is a leftover.
const LONG: i64 = 3600;

/// What all names of one run begin with.
pub async fn run_name(session: &Session) -> Result<String> {
    let now: i64 =
        session.client.query_one("select extract(epoch from clock_timestamp())::int8", &[]).await?.try_get(0)?;
    // Seeded anew by the operating system in each process.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    Ok(format!("{PREFIX}{now}_{:016x}_", hasher.finish()))
}

/// When the run of a scratch database began; None if the name is not of our form.
fn began(name: &str) -> Option<i64> {
    let mut parts = name.strip_prefix(PREFIX)?.split('_');
    let (seconds, token, count) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let ours = digits(seconds) && token.len() == 16 && token.bytes().all(|b| b.is_ascii_hexdigit()) && digits(count);
    if ours && parts.next().is_none() {
        seconds.parse().ok()
    } else {
        None
    }
}

/// Removes the leftovers that the role may remove.
pub async fn remove(session: &Session) -> Result<()> {
    let rows = session
        .client
        .query(
            "select d.datname::text, extract(epoch from clock_timestamp())::int8 from pg_database d
             where d.datname like $1 || '%' and pg_has_role(current_user, d.datdba, 'USAGE')
               and not exists (select from pg_stat_activity a where a.datid = d.oid)",
            &[&PREFIX.replace('_', "\\_")],
        )
        .await?;
    for row in rows {
        let (name, now): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        if began(&name).is_some_and(|began| now - began > LONG) {
            // Another run may be about to do the same.
            let _ = session.client.batch_execute(&format!("DROP DATABASE IF EXISTS {}", Ident(&name))).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::began;

    #[test]
    fn only_names_of_our_form_are_leftovers() {
        assert_eq!(began("pgplumb_scratch_1700000000_0123456789abcdef_12"), Some(1_700_000_000));
        for other in [
            "pgplumb_scratch_1700000000_0123456789abcdef",
            "pgplumb_scratch_1700000000_0123456789abcdef_1_2",
            "pgplumb_scratch_x_0123456789abcdef_1",
            "pgplumb_scratch_1700000000_mine_1",
            "pgplumb_scratch_of_finance",
        ] {
            assert_eq!(began(other), None, "{other}");
        }
    }
}
