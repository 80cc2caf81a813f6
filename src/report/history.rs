//! The journal, for people.

use super::text::{count, line};
use crate::apply::journal::Entry;
use std::fmt::Write;

/// One line an entry, the newest first.
pub fn history(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "no plan was applied here yet\n".into();
    }
    let mut text = String::new();
    for entry in entries {
        let Entry { id, action, seal, summary, role, started_at, seconds, batches, batches_done, state, message } =
            entry;
        let took = seconds.map_or_else(String::new, |s| format!(" in {s:.1} s"));
        let seal: String = seal.chars().take(8).collect();
        let batches = count(usize::try_from(*batches).unwrap_or_default(), "transaction");
        let _ = writeln!(
            text,
            "{}  {:8}  {:7}  {batches_done} of {batches}{took}  by {}  {}  (run {id}, seal {})",
            line(started_at),
            line(action),
            line(state),
            line(role),
            line(summary),
            line(&seal)
        );
        for part in message.iter().flat_map(|message| message.lines()) {
            let _ = writeln!(text, "    {}", line(part));
        }
    }
    text
}
