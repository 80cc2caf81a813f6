//! SQL fragments: the pieces of SQL that a declaration holds, each of a shape that says where in a
//! statement it stands.
//!
//! A fragment is checked by parsing it inside a statement of its shape. What makes that safe is the
//! scanner's view: a fragment's brackets balance and never close what it did not open, and there is no
//! semicolon and, where a comma would start something new, no comma outside brackets. It can then
//! not reach out of the place it is put into.

use super::memo::{remembered, Memory};
use super::parser;

/// Where in a statement a fragment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A scalar expression: default, check, policy, predicate.
    Expression,
    /// A type name with modifiers.
    Type,
    /// What follows a column's name: type, default, constraints.
    Column,
    /// The keys of an index: a comma list of columns or expressions with their options.
    Keys,
    /// A comma list of column names.
    Columns,
    /// A SELECT, VALUES or TABLE statement.
    Query,
    /// What follows REFERENCES.
    References,
    /// What follows FOREIGN KEY: `(a) references t (b)`.
    ForeignKey,
    /// What follows EXCLUDE: `using gist (a with =)`.
    Exclusion,
    /// What follows the name in CREATE DOMAIN: type, default, checks.
    Domain,
    /// The argument list of a function, without parentheses.
    Arguments,
    /// What follows RETURNS.
    Returns,
    /// What follows the name in CREATE TRIGGER.
    Trigger,
    /// The events of a trigger: `insert or update of a`.
    Events,
    /// A function call with literal arguments, as triggers execute it.
    Call,
    /// A body of SQL statements between BEGIN ATOMIC and END.
    Atomic,
    /// A possibly qualified name.
    Name,
}

impl Shape {
    /// The statement around a fragment of this shape.
    pub fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Expression => ("SELECT (", "\n)"),
            Self::Type => ("CREATE TABLE t (c ", "\n)"),
            Self::Column => ("CREATE TABLE t (c ", "\n)"),
            Self::Keys => ("CREATE INDEX ON t USING m (", "\n)"),
            Self::Columns => ("ALTER TABLE t ADD UNIQUE (", "\n)"),
            Self::Query => ("CREATE VIEW v AS ", "\n"),
            Self::References => ("CREATE TABLE t (c int REFERENCES ", "\n)"),
            Self::ForeignKey => ("ALTER TABLE t ADD FOREIGN KEY ", "\n"),
            Self::Exclusion => ("ALTER TABLE t ADD EXCLUDE ", "\n"),
            Self::Domain => ("CREATE DOMAIN d AS ", "\n"),
            Self::Arguments => ("CREATE FUNCTION f(", "\n) RETURNS int LANGUAGE sql AS ''"),
            Self::Returns => ("CREATE FUNCTION f() RETURNS ", "\nLANGUAGE sql AS ''"),
            Self::Trigger => ("CREATE TRIGGER g ", "\n"),
            Self::Events => ("CREATE TRIGGER g BEFORE ", "\nON t EXECUTE FUNCTION f()"),
            Self::Call => ("CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION ", "\n"),
            Self::Atomic => ("CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC ", "\nEND"),
            Self::Name => ("SELECT * FROM ", "\n"),
        }
    }

    /// Whether a comma outside brackets belongs to it.
    fn lists(self) -> bool {
        match self {
            Self::Keys | Self::Columns | Self::Query | Self::Arguments | Self::Events | Self::Atomic => true,
            Self::Expression
            | Self::Type
            | Self::Column
            | Self::References
            | Self::ForeignKey
            | Self::Exclusion
            | Self::Domain
            | Self::Returns
            | Self::Trigger
            | Self::Call
            | Self::Name => false,
        }
    }

    /// What it is called in messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Expression => "expression",
            Self::Type => "type",
            Self::Column => "column definition",
            Self::Keys => "index keys",
            Self::Columns => "column list",
            Self::Query => "query",
            Self::References => "reference",
            Self::ForeignKey => "foreign key",
            Self::Exclusion => "exclusion constraint",
            Self::Domain => "domain definition",
            Self::Arguments => "argument list",
            Self::Returns => "return type",
            Self::Trigger => "trigger definition",
            Self::Events => "trigger events",
            Self::Call => "function call",
            Self::Atomic => "body",
            Self::Name => "name",
        }
    }
}

/// A piece of SQL with its shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fragment {
    pub shape: Shape,
    pub text: String,
}

impl Fragment {
    pub fn new(shape: Shape, text: impl Into<String>) -> Self {
        Self { shape, text: text.into() }
    }

    /// The statement that holds the fragment, and the offset of the fragment in it.
    pub fn statement(&self) -> (String, usize) {
        let (before, after) = self.shape.around();
        (format!("{before}{}{after}", self.text), before.len())
    }

    /// Whether it is valid SQL of its shape that stays in its place.
    pub fn check(&self) -> Result<(), Mistake> {
        thread_local! {
            static CHECKED: Memory<Fragment, Result<(), Mistake>> = Memory::default();
        }
        remembered(&CHECKED, self, || self.look())
    }

    fn look(&self) -> Result<(), Mistake> {
        if self.text.trim().is_empty() {
            return Err(Mistake { offset: 0, message: format!("empty {}", self.shape.words()) });
        }
        if let Some(offset) = endless_operator(&self.text) {
            return Err(Mistake { offset, message: "an operator without end".to_owned() });
        }
        self.stays_inside()?;
        let (statement, start) = self.statement();
        parser::syntax(&statement).map_err(|mistake| {
            let offset = mistake.offset.saturating_sub(start);
            // What the parser met behind it, nobody wrote.
            let message = if offset < self.text.len() { mistake.message } else { "unexpected end".to_owned() };
            Mistake { offset: offset.min(self.text.len()), message }
        })?;
        // Where semicolons are at home, an END could close the body and a statement of its own follow.
        if self.shape == Shape::Atomic && parser::statements(&statement) != Some(1) {
            return Err(Mistake {
                offset: 0,
                message: "the body does not stay between BEGIN ATOMIC and END".to_owned(),
            });
        }
        Ok(())
    }

    fn stays_inside(&self) -> Result<(), Mistake> {
        let mut depth = 0i64;
        for token in parser::tokens(&self.text)? {
            let mistake = |message: &str| Err(Mistake { offset: token.start, message: message.to_owned() });
            match token.text {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                ";" if self.shape != Shape::Atomic => return mistake("a semicolon does not belong here"),
                "," if depth == 0 && !self.shape.lists() => {
                    return mistake(&format!("a comma does not belong into one {}", self.shape.words()));
                }
                _ => {}
            }
            if depth < 0 {
                return mistake("a closing bracket without its opening one");
            }
        }
        if depth > 0 {
            return Err(Mistake { offset: self.text.len(), message: "a bracket is not closed".to_owned() });
        }
        Ok(())
    }
}

/// Where a run of operator characters starts that is longer than any operator. PostgreSQL's scanner takes
/// quadratic time for it.
fn endless_operator(text: &str) -> Option<usize> {
    const LONGEST: usize = 10_000;
    let mut start = 0;
    text.bytes().enumerate().find_map(|(at, byte)| {
        if !b"+-*/<>=~!@#%^&|`?".contains(&byte) {
            start = at + 1;
        }
        (at - start.min(at) >= LONGEST).then_some(start)
    })
}

/// What is wrong in a fragment, at a byte offset of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub offset: usize,
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::{Fragment, Shape};

    #[test]
    fn fragments_stay_in_their_place() {
        let cases = [
            (Shape::Expression, "a > 0 and b in ('x', 'y')", None),
            (Shape::Expression, "1); drop table x; --", Some(1)),
            (Shape::Expression, "a, b", Some(1)),
            (Shape::Expression, "a = = b", Some(4)),
            (Shape::Expression, "a -- comment", None),
            (Shape::Column, "varchar(20) not null default 'a'", None),
            (Shape::Column, "int, d int", Some(3)),
            (Shape::Keys, "a, lower(b) desc nulls last", None),
            (Shape::Query, "select 1; drop table x", Some(8)),
            (Shape::Query, "select 'a;b' as x", None),
            (Shape::ForeignKey, "(a) references t (b) on delete cascade", None),
            (Shape::References, "t (id) on delete set null", None),
            (Shape::Exclusion, "using gist (a with =)", None),
            (Shape::Arguments, "a int, b text default 'x'", None),
            (Shape::Atomic, "select 1; select 2;", None),
            (
                Shape::Atomic,
                "select 1; end; drop table t; create function g() returns int begin atomic select 1;",
                Some(0),
            ),
            (Shape::Type, "numeric(10, 2)[]", None),
            (Shape::Expression, "", Some(0)),
        ];
        for (shape, text, wrong_at) in cases {
            let found = Fragment::new(shape, text).check();
            assert_eq!(found.as_ref().err().map(|m| m.offset), wrong_at, "{shape:?} {text}: {found:?}");
        }
    }
}
