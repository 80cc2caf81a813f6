//! How much there is in tables, in estimated rows.
//!
//! What was never analysed, or was empty then, has no estimate. To ask for the size of its file makes the server open it,
//! which takes time and waits for whoever has it locked. So that is asked only of what somebody wants to know.

use super::session::Session;
use crate::error::Result;
use crate::model::Address;
use rustc_hash::FxHashMap;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Estimates for all that holds rows: its OID, and how many there were when it was last looked at, if any.
const ESTIMATES: &str = "\
select c.oid, case when c.reltuples > 0 then c.reltuples::int8 end
from pg_class c where c.relkind in ('r', 'm') and c.oid >= 16384 and c.relpersistence <> 't'";

/// A row has seldom less than 100 bytes.
const FILES: &str = "select oid, pg_relation_size(oid) / 100 from unnest($1::oid[]) w (oid)";

/// Estimated rows of tables.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    rows: HashMap<Address, u64>,
    /// The OIDs of those that have no estimate yet.
    open: HashMap<Address, u32>,
    /// Of which of these somebody wanted to know.
    wanted: Arc<Mutex<BTreeSet<u32>>>,
}

impl Sizes {
    /// Asks for the estimates; `relations` are all that are managed, by their OIDs.
    pub async fn read<'a>(session: &Session, relations: impl Iterator<Item = (u32, &'a Address)>) -> Result<Self> {
        let relations: FxHashMap<u32, &Address> = relations.collect();
        let mut sizes = Self::default();
        for row in session.client.query(ESTIMATES, &[]).await? {
            let (oid, rows): (u32, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
            let Some(address) = relations.get(&oid).map(|address| (*address).clone()) else { continue };
            match rows.and_then(|rows| u64::try_from(rows).ok()) {
                Some(rows) => drop(sizes.rows.insert(address, rows)),
                None => drop(sizes.open.insert(address, oid)),
            }
        }
        Ok(sizes)
    }

    /// About how many rows there are: 0 only if there are certainly none. Where that is not known yet, 1, and it is noted
    /// that somebody wants to know.
    pub fn of(&self, address: &Address) -> u64 {
        if let Some(rows) = self.rows.get(address) {
            return *rows;
        }
        let Some(oid) = self.open.get(address) else { return 0 };
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(*oid);
        1
    }

    /// The same under the addresses that things have after renames.
    pub fn moved(&self, to: &dyn Fn(&Address) -> Address) -> Self {
        let Self { rows, open, wanted } = self;
        Self {
            rows: rows.iter().map(|(address, rows)| (to(address), *rows)).collect(),
            open: open.iter().map(|(address, oid)| (to(address), *oid)).collect(),
            wanted: wanted.clone(),
        }
    }

    /// Asks for what somebody wanted to know; whether there was anything.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn ask(&mut self, session: &Session) -> Result<bool> {
        let wanted = std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        if wanted.is_empty() {
            return Ok(false);
        }
        let oids: Vec<u32> = wanted.iter().copied().collect();
        let mut found: HashMap<u32, u64> = HashMap::new();
        for row in session.client.query(FILES, &[&oids]).await? {
            // What is gone by now has none.
            let rows: Option<i64> = row.try_get(1)?;
            found.insert(row.try_get(0)?, rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0));
        }
        self.open.retain(|address, oid| match found.get(oid) {
            Some(rows) => {
                self.rows.insert(address.clone(), *rows);
                false
            }
            None => true,
        });
        Ok(true)
    }
}
