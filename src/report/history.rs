//! The journal, for people.

use crate::apply::journal::Entry;

/// One line an entry, the newest first.
pub fn history(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "no plan was applied here yet\n".into();
    }
    let mut text = String::new();
    for entry in entries {
        let Entry { id, action, seal, summary, role, started_at, seconds, batches, batches_done, state, message } = entry;
        let took = seconds.map_or_else(String::new, |s| format!(" in {s:.1} s"));
        text.push_str(&format!("{started_at}  {action:8}  {state:7}  {batches_done}/{batches} batches{took}  by {role}  {summary}  (run {id}, seal {})\n", &seal.chars().take(8).collect::<String>()));
        if let Some(message) = message {
            text.push_str(&format!("    {}\n", message.replace('\n', "\n    ")));
        }
    }
    text
}
