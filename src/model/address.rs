//! Addresses: where a thing stands in the tree of a database.
//!
//! An address is a path of (kind, name) segments, such as `schema app / table orders / column
//! total`. It is kept as one string with NUL between its parts: PostgreSQL's identifiers cannot
//! hold NUL, and NUL sorts first, so that the order of addresses is the order of the tree.

use std::fmt;
use std::sync::Arc;

const SEPARATOR: char = '\0';

/// Kinds whose name is the beginning of another kind's, and what that goes on with. In a path, a name that begins so
/// is written with a `\` before it.
const GOES_ON: &[(&str, &str)] = &[("row", "security "), ("view", "column ")];

/// A path of (kind, name) segments. Ordered like the tree: a parent comes right before its children.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

impl Address {
    /// The address of something that has no parent, such as a schema.
    pub fn root(kind: &str, name: &str) -> Self {
        Self(format!("{kind}{SEPARATOR}{name}").into())
    }

    /// Whether it is another, longer in its last name or below it: all that are so stand together in the order.
    pub(super) fn begins_with(&self, other: &Self) -> bool {
        self.0.starts_with(&*other.0)
    }

    /// The address of a child of this one.
    pub fn child(&self, kind: &str, name: &str) -> Self {
        let mut path = String::with_capacity(self.0.len() + kind.len() + name.len() + 2);
        for part in [&self.0, "\0", kind, "\0", name] {
            path.push_str(part);
        }
        Self(path.into())
    }

    /// Where the separators are. Names are short: a search made for long texts would take longer to begin than this one
    /// to end.
    fn separators(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        let bytes = self.0.as_bytes();
        (0..bytes.len()).filter(|at| bytes[*at] == SEPARATOR as u8)
    }

    /// How many segments it has.
    pub fn depth(&self) -> usize {
        self.separators().count().div_ceil(2)
    }

    /// The (kind, name) segments from the root on.
    pub fn segments(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.0.split(SEPARATOR);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    /// The kind of the last segment.
    pub fn kind(&self) -> &str {
        let mut separators = self.separators().rev();
        let Some(end) = separators.next() else { return "" };
        &self.0[separators.next().map_or(0, |at| at + 1)..end]
    }

    /// The name in the last segment.
    pub fn name(&self) -> &str {
        &self.0[self.separators().next_back().map_or(0, |at| at + 1)..]
    }

    pub fn parent(&self) -> Option<Self> {
        let end = self.separators().rev().nth(1)?;
        Some(Self(self.0[..end].into()))
    }

    /// What has no parent and stands above this one, or this one itself: mostly a schema.
    pub fn top(&self) -> Self {
        let end = self.separators().nth(1).unwrap_or(self.0.len());
        Self(self.0[..end].into())
    }

    /// What people think of as one thing: the relation, routine or type that this address is or stands in; a schema
    /// or what else has no parent stands for itself.
    pub fn thing(&self) -> Self {
        Self(self.thing_key().into())
    }

    /// A key that is the same for all that stand in one thing.
    pub fn thing_key(&self) -> &str {
        let end = self.separators().nth(3).unwrap_or(self.0.len());
        &self.0[..end]
    }

    /// Whether it is what people think of as one thing, or a schema or what else has no parent.
    pub fn is_thing(&self) -> bool {
        self.separators().nth(3).is_none()
    }

    /// This address or the nearest one above it that is of `kind`.
    pub fn within(&self, kind: &str) -> Option<Self> {
        let mut at = Some(self.clone());
        while let Some(address) = at {
            if address.kind() == kind {
                return Some(address);
            }
            at = address.parent();
        }
        None
    }

    /// The name of the schema that this address is in or is; empty outside schemas.
    pub fn schema(&self) -> &str {
        match self.segments().next() {
            Some(("schema", name)) => name,
            _ => "",
        }
    }

    /// Whether this address is `above` or stands below it.
    pub fn is_within(&self, above: &Self) -> bool {
        self.0.strip_prefix(&*above.0).is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATOR))
    }

    /// The same place after `from` has become `to`; unchanged if it does not stand within `from`.
    pub fn moved(&self, from: &Self, to: &Self) -> Self {
        if self.is_within(from) {
            Self(format!("{}{}", to.0, &self.0[from.0.len()..]).into())
        } else {
            self.clone()
        }
    }

    /// The sibling of the same kind with another name.
    pub fn renamed(&self, name: &str) -> Self {
        match self.parent() {
            Some(parent) => parent.child(self.kind(), name),
            None => Self::root(self.kind(), name),
        }
    }

    /// The full form that files hold: `schema app/table orders/column total`. In names, `/` and
    /// `\` are written with a `\` before them, and control characters as `\u{..}`. No two addresses have one path.
    pub fn path(&self) -> String {
        let mut path = String::with_capacity(self.0.len());
        for (kind, name) in self.segments() {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(kind);
            path.push(' ');
            if goes_on(kind, name) {
                path.push('\\');
            }
            // Most names need no `\`.
            if name.bytes().all(|b| (b' '..0x7f).contains(&b) && b != b'/' && b != b'\\') {
                path.push_str(name);
                continue;
            }
            for c in name.chars() {
                match c {
                    '/' | '\\' => path.extend(['\\', c]),
                    c if c.is_control() => path.extend(c.escape_unicode()),
                    c => path.push(c),
                }
            }
        }
        path
    }

    /// What comes in a text after its path, if the text begins with that and nothing in it is escaped, there or in JSON.
    /// Takes less time than to write the path.
    pub fn after_plain_path<'t>(&self, text: &'t str) -> Option<&'t str> {
        let (ours, theirs) = (self.0.as_bytes(), text.as_bytes().get(..self.0.len())?);
        // Where the segment's kind begins, until that ends.
        let mut kind = Some(0);
        for (at, (a, b)) in ours.iter().zip(theirs).enumerate() {
            match (a, kind) {
                (0, Some(start)) if *b == b' ' => {
                    if goes_on(&self.0[start..at], &self.0[at + 1..]) {
                        return None;
                    }
                    kind = None;
                }
                (0, None) if *b == b'/' => kind = Some(at + 1),
                (b'/' | b'\\' | b'"', _) => return None,
                _ if a == b && (b' '..0x7f).contains(a) => {}
                _ => return None,
            }
        }
        text.get(ours.len()..)
    }

    /// Reads what [`Address::path`] wrote; `kinds` gives the kind that a segment starts with, because some
    /// kinds are written in two words. None if the text is no address.
    pub fn parse<'k>(path: &str, kinds: impl Fn(&str) -> Option<&'k str>) -> Option<Self> {
        let mut parts = String::with_capacity(path.len());
        let mut rest = path;
        loop {
            let kind = kinds(rest)?;
            if !parts.is_empty() {
                parts.push(SEPARATOR);
            }
            parts.push_str(kind);
            parts.push(SEPARATOR);
            rest = rest.get(kind.len() + 1..)?;
            let end = rest.find(['/', '\\']).unwrap_or(rest.len());
            parts.push_str(&rest[..end]);
            rest = &rest[end..];
            while let Some(escaped) = rest.strip_prefix('\\') {
                let mut chars = escaped.chars();
                match chars.next()? {
                    'u' => {
                        let digits = escaped.get(2..escaped.find('}')?)?;
                        parts.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
                        rest = &escaped[digits.len() + 3..];
                    }
                    c => {
                        parts.push(c);
                        rest = chars.as_str();
                    }
                }
                let end = rest.find(['/', '\\']).unwrap_or(rest.len());
                parts.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            match rest.strip_prefix('/') {
                Some(more) => rest = more,
                None => return Some(Self(parts.into())),
            }
        }
    }
}

/// Whether kind and name could be taken for another kind.
fn goes_on(kind: &str, name: &str) -> bool {
    GOES_ON.iter().any(|(of, rest)| *of == kind && name.starts_with(rest))
}

/// The short form for people: `column app.orders.total`, with names quoted where SQL would.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        for (i, (kind, name)) in self.segments().enumerate() {
            // What is there at most once below its parent has no name of its own.
            if name.is_empty() && i > 0 {
                continue;
            }
            if i > 0 {
                f.write_str(".")?;
            }
            let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if (plain && !name.is_empty()) || kind == "function" || kind == "procedure" {
                f.write_str(&name.replace(char::is_control, "?"))?;
            } else {
                write!(f, "\"{}\"", name.replace('"', "\"\"").replace(char::is_control, "?"))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn paths_read_back() {
        let kinds = |s: &str| ["schema", "table", "column"].into_iter().find(|k| s.starts_with(&format!("{k} ")));
        for name in ["total", "we/ird \\ na\"me", "new\nline", "", "schema x"] {
            let address = Address::root("schema", "app").child("table", name).child("column", name);
            let plain = ["total", "", "schema x"].contains(&name).then_some("\"");
            assert_eq!(address.after_plain_path(&format!("{}\"", address.path())), plain);
            assert_eq!(Address::parse(&address.path(), kinds), Some(address));
        }
        let column = Address::root("view", "v").child("view column", "c");
        assert_eq!(column.after_plain_path("view v/view column c"), Some(""));
        assert_eq!(column.after_plain_path("view v/view column cd"), Some("d"));
        for other in ["view v/view column d", "view v view column c", "view v", "view w/view column c"] {
            assert_eq!(column.after_plain_path(other), None, "{other}");
        }
        assert_eq!(Address::root("view", "column c").after_plain_path("view column c"), None);
        assert_eq!(Address::parse("shema app", kinds), None);
    }

    #[test]
    fn order_is_the_tree() {
        let table = Address::root("schema", "app").child("table", "a");
        let child = table.child("column", "x");
        let sibling = Address::root("schema", "app").child("table", "a b");
        assert!(table < child && child < sibling);
        assert!(child.is_within(&table) && !sibling.is_within(&table));
        assert_eq!(child.moved(&table, &sibling), sibling.child("column", "x"));
        assert_eq!((child.thing(), table.thing(), table.top().thing()), (table.clone(), table.clone(), table.top()));
    }
}
