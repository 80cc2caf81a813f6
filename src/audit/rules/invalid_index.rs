//! An index that no query uses and every write pays for.

use super::*;
use crate::audit::specs;
use crate::sql::qualified;

pub static RULE: Rule = Rule {
    name: "invalid-index",
    severity: Severity::Warning,
    needs_tenancy: false,
    explanation: "CREATE INDEX CONCURRENTLY and REINDEX CONCURRENTLY leave an invalid index behind when they fail: no query \
        uses it, every write pays for it, and one that was to be unique keeps nothing unique. CREATE INDEX IF NOT EXISTS \
        takes it for the real one. Build it anew, or drop it.",
    check,
};

fn check(facts: &Facts, out: &mut Vec<Finding>) {
    for node in facts.model.nodes().iter().filter(|n| n.address.kind() == "index") {
        // The kind wrote the spec itself.
        let Ok(spec) = node.spec.read::<specs::Index>() else { continue };
        if !spec.invalid {
            continue;
        }
        let name = qualified(node.address.schema(), node.address.name());
        let advice = format!("REINDEX INDEX CONCURRENTLY {name}; -- or: DROP INDEX CONCURRENTLY {name};");
        let message = if spec.unique {
            "it is invalid: no query uses it, every write pays for it, and it keeps nothing unique"
        } else {
            "it is invalid: no query uses it, and every write pays for it"
        };
        out.push(Finding::new(&RULE, &node.address, message, advice));
    }
}
