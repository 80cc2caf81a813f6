//! Patterns of what is left alone: `public.alembic_version`, `public.tmp_*`.

use super::Address;

/// Whether a pattern names the address or something above it. `*` stands for any characters.
pub fn is_ignored(address: &Address, patterns: &[String]) -> bool {
    if patterns.is_empty() {
        return false;
    }
    let mut path = String::new();
    let mut names = address.segments().map(|(_, name)| name);
    names.any(|name| {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        patterns.iter().any(|pattern| matches(pattern, &path))
    })
}

fn matches(pattern: &str, text: &str) -> bool {
    let parts: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{is_ignored, matches};
    use crate::model::Address;

    #[test]
    fn patterns_match_whole_names() {
        let cases = [
            ("public.alembic_version", "public.alembic_version", true),
            ("public.tmp_*", "public.tmp_a", true),
            ("public.tmp_*", "public.atmp_a", false),
            ("*.x", "public.x", true),
            ("a*b*c", "aXbYc", true),
            ("a*bc", "abc", true),
            ("ab*b", "ab", false),
        ];
        for (pattern, text, wanted) in cases {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
        let column = Address::root("schema", "public").child("table", "alembic_version").child("column", "x");
        assert!(is_ignored(&column, &["public.alembic_version".into()]));
    }
}
