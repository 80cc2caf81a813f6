//! ACLs as PostgreSQL prints them.

use super::default_grants;
use crate::kinds::Grantable;
use crate::model::{ForeignGrant, Grants, Privilege};
use std::collections::BTreeMap;

/// Reads an ACL as PostgreSQL prints an `aclitem[]`; None (NULL) is the default. Grants made by others
/// than the owner are returned apart: only who made them can take them back.
pub fn read_acl(acl: Option<&str>, owner: &str, grantable: &Grantable) -> (Grants, Vec<ForeignGrant>) {
    let Some(acl) = acl else { return (default_grants(grantable), Vec::new()) };
    let mut grants: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    // One who took everything from himself is an owner that holds nothing; on a column that goes without saying.
    if grantable.column.is_none() {
        grants.insert(owner.to_owned(), BTreeMap::new());
    }
    let mut foreign = Vec::new();
    for element in array_elements(acl) {
        let Some(entry) = AclEntry::parse(&element) else { continue };
        let AclEntry { grantee, privileges, grantor } = entry;
        let grantee = grantee.unwrap_or_else(|| "public".into());
        if grantor != owner {
            let each = privileges.into_iter().map(|(name, grantable)| Privilege { name: name.to_owned(), grantable });
            foreign.push(ForeignGrant { grantor, grantee, privileges: each.collect(), printed: element });
            continue;
        }
        let held = grants.entry(grantee).or_default();
        for (name, option) in privileges {
            *held.entry(name.to_owned()).or_default() |= option;
        }
    }
    let mut result = Grants::default();
    for (grantee, held) in grants {
        let is_owner = grantee == owner;
        // On a column, the owner holds nothing but by a grant.
        if is_owner && grantable.column.is_none() && grantable.privileges.iter().all(|p| held.contains_key(*p)) {
            continue;
        }
        // An owner always holds grant options (manual, section 5.8).
        let held = held.into_iter().map(|(name, option)| Privilege { name, grantable: option && !is_owner }).collect();
        result.0.insert(grantee, held);
    }
    (result, foreign)
}

/// Default privileges as `pg_default_acl` holds them.
pub fn default_acl(acl: &str) -> Grants {
    let mut grants = Grants::default();
    for entry in array_elements(acl).iter().filter_map(|e| AclEntry::parse(e)) {
        let held = entry.privileges.into_iter().map(|(name, grantable)| Privilege { name: name.to_owned(), grantable });
        grants.0.entry(entry.grantee.unwrap_or_else(|| "public".into())).or_default().extend(held);
    }
    grants
}

struct AclEntry {
    grantee: Option<String>,
    privileges: Vec<(&'static str, bool)>,
    grantor: String,
}

/// Letters in ACLs and what they stand for (manual, table 5.1).
const LETTERS: [(char, &str); 13] = [
    ('a', "insert"),
    ('r', "select"),
    ('w', "update"),
    ('d', "delete"),
    ('D', "truncate"),
    ('x', "references"),
    ('t', "trigger"),
    ('X', "execute"),
    ('U', "usage"),
    ('C', "create"),
    ('m', "maintain"),
    ('c', "connect"),
    ('T', "temporary"),
];

impl AclEntry {
    /// `grantee=privileges/grantor`; names are quoted where they are not plain.
    fn parse(text: &str) -> Option<Self> {
        let (grantee, rest) = role(text)?;
        let rest = rest.strip_prefix('=')?;
        let slash = rest.find('/')?;
        let mut privileges = Vec::new();
        let mut letters = rest[..slash].chars().peekable();
        while let Some(letter) = letters.next() {
            let option = letters.next_if_eq(&'*').is_some();
            privileges.extend(LETTERS.iter().find(|(l, _)| *l == letter).map(|(_, name)| (*name, option)));
        }
        let (grantor, _) = role(&rest[slash + 1..])?;
        Some(Self { grantee: (!grantee.is_empty()).then_some(grantee), privileges, grantor })
    }
}

fn role(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['=', '/']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

/// The elements of a one-dimensional array in PostgreSQL's text form.
fn array_elements(text: &str) -> Vec<String> {
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or_default();
    let mut elements = Vec::new();
    let mut element = String::new();
    let mut quoted = false;
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => element.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => elements.push(std::mem::take(&mut element)),
            c => element.push(c),
        }
    }
    if !inner.is_empty() {
        elements.push(element);
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acls_are_read_as_printed() {
        let on = Grantable {
            on: "TABLE t".into(),
            column: None,
            privileges: &["select", "insert"],
            default_class: 'r',
            public: &[],
        };
        let (grants, foreign) = read_acl(Some("{own=ar/own,=r/own,\"\\\"o d\\\"\"\"=a*/own\",x=r/y}"), "own", &on);
        assert_eq!(grants.0.get("public").map(Vec::len), Some(1));
        assert!(!grants.0.contains_key("own"));
        let by_y = ForeignGrant {
            grantor: "y".into(),
            grantee: "x".into(),
            privileges: vec![Privilege { name: "select".into(), grantable: false }],
            printed: "x=r/y".into(),
        };
        assert_eq!(foreign, [by_y]);
        let (grants, _) = read_acl(Some("{\"\\\"o d\\\"=a*/own\"}"), "own", &on);
        assert_eq!(grants.0.get("o d"), Some(&vec![Privilege { name: "insert".into(), grantable: true }]));
        assert_eq!(grants.0.get("own"), Some(&Vec::new()), "an owner that holds nothing is not one that holds all");
        assert_eq!(read_acl(None, "own", &on).0, Grants::default());
    }
}
