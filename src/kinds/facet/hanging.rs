//! Grants that hang on grants: what a role passed on by its grant option is its own to take back, and a REVOKE that
//! would take the option away fails without CASCADE (manual, REVOKE).

use crate::kinds::{kind_of, Scope};
use crate::model::{Address, ForeignGrant, Grants, Node};
use std::collections::BTreeSet;

/// Why a live node cannot get the grants of the new one: each chain of who has a privilege from whom.
pub fn hanging<'f>(
    old: &Node,
    new: &Node,
    scope: &Scope,
    foreign: &dyn Fn(&Address) -> &'f [ForeignGrant],
) -> Vec<String> {
    let (Some(before), Some(after)) = (old.grants.as_deref(), new.grants.as_deref()) else { return Vec::new() };
    let mut found = Vec::new();
    for (role, held) in &before.0 {
        for privilege in held {
            let name = privilege.name.as_str();
            let kept = after.0.get(role).into_iter().flatten().find(|p| p.name == name);
            if kept.is_some_and(|kept| kept.grantable || !privilege.grantable) {
                continue;
            }
            // A REVOKE on a relation revokes on its columns too.
            let columns = scope.actual.children(&old.address).filter(|child| {
                let on = kind_of(&child.address).grantable(child, scope.major);
                on.is_some_and(|on| on.column.is_some())
            });
            for node in std::iter::once(old).chain(columns) {
                let optional = node.grants.as_deref().is_some_and(|grants| holds_option(grants, role, name));
                let others = foreign(&node.address);
                let also = others.iter().any(|g| g.grantee == *role && g.has_option(name));
                let chain = chain(role, name, others);
                if optional && !also && !chain.is_empty() {
                    found.push(format!(
                        "{} on {} cannot be revoked from {role} while others have it by its grant option: {}",
                        name.to_uppercase(),
                        node.address,
                        chain.join(", ")
                    ));
                }
            }
        }
    }
    found
}

fn holds_option(grants: &Grants, role: &str, privilege: &str) -> bool {
    grants.0.get(role).into_iter().flatten().any(|p| p.name == privilege && p.grantable)
}

/// Who has the privilege from the role, and from whom it was passed on to.
fn chain(role: &str, privilege: &str, foreign: &[ForeignGrant]) -> Vec<String> {
    let (mut links, mut waiting, mut seen) = (Vec::new(), vec![role], BTreeSet::from([role]));
    while let Some(from) = waiting.pop() {
        for grant in foreign.iter().filter(|g| g.grantor == from && g.has(privilege)) {
            links.push(format!("{} from {from}", grant.grantee));
            if seen.insert(grant.grantee.as_str()) {
                waiting.push(&grant.grantee);
            }
        }
    }
    links
}
