//! A column's line of DDL taken apart: the type, and each clause after it as its own text.

use super::fragment::{Fragment, Mistake, Shape};
use super::memo::{remembered, Memory};
use super::parser;
use pg_query::protobuf::ConstrType;
use pg_query::NodeEnum;

/// One clause after the type. Texts are as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clause {
    NotNull {
        name: Option<String>,
    },
    Default {
        expression: String,
    },
    Check {
        name: Option<String>,
        expression: String,
        no_inherit: bool,
    },
    PrimaryKey {
        name: Option<String>,
        deferral: Deferral,
    },
    Unique {
        name: Option<String>,
        nulls_not_distinct: bool,
        deferral: Deferral,
    },
    /// `text` is what follows REFERENCES.
    References {
        name: Option<String>,
        text: String,
    },
    /// `options` is what stands in the parentheses, if any.
    Identity {
        always: bool,
        options: Option<String>,
    },
    Generated {
        expression: String,
        stored: bool,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deferral {
    pub deferrable: bool,
    pub initially_deferred: bool,
}

/// A column's line: `text not null default 'x'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub ty: String,
    pub collation: Option<String>,
    pub storage: Option<String>,
    pub compression: Option<String>,
    pub clauses: Vec<Clause>,
}

/// Takes a line apart. Errors: what does not parse or is not part of a column.
pub fn split(text: &str) -> Result<Line, Mistake> {
    thread_local! {
        static LINES: Memory<String, Result<Line, Mistake>> = Memory::default();
    }
    remembered(&LINES, text, || take_apart(text))
}

fn take_apart(text: &str) -> Result<Line, Mistake> {
    let fragment = Fragment::new(Shape::Column, text);
    fragment.check()?;
    let (statement, start) = fragment.statement();
    let wrong = |message: &str| Mistake { offset: 0, message: message.to_owned() };
    let Some(NodeEnum::CreateStmt(create)) = parser::statement(&statement) else {
        return Err(wrong("not a column definition, or one too deep to read"));
    };
    let Some(Some(NodeEnum::ColumnDef(def))) = create.table_elts.first().map(|n| &n.node) else {
        return Err(wrong("not a column definition"));
    };
    let tokens = parser::tokens(text)?;
    let offset = |location: i32| usize::try_from(location).unwrap_or(0).saturating_sub(start);

    let mut starts: Vec<usize> = Vec::new();
    let mut constraints = Vec::new();
    for node in &def.constraints {
        if let Some(NodeEnum::Constraint(constraint)) = &node.node {
            starts.push(offset(constraint.location));
            constraints.push(constraint);
        }
    }
    let collate = def.coll_clause.as_ref().map(|c| offset(c.location));
    let word = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.text.eq_ignore_ascii_case(word));
    // STORAGE and COMPRESSION stand between the type and everything else.
    let option = |name: &str| {
        (1..tokens.len()).find(|&i| word(i, name)).and_then(|i| Some((tokens[i].start, tokens.get(i + 1)?)))
    };
    let storage = (!def.storage_name.is_empty()).then(|| option("storage")).flatten();
    let compression = (!def.compression.is_empty()).then(|| option("compression")).flatten();
    let ends = starts.iter().copied().chain(collate).chain(storage.map(|s| s.0)).chain(compression.map(|s| s.0));
    let ty_end = ends.clone().min().unwrap_or(text.len());
    let next_after = |at: usize| ends.clone().filter(|&end| end > at).min().unwrap_or(text.len());
    let after = |at: usize| text[at..next_after(at)].trim();

    let mut line = Line {
        ty: strip_comments(&text[..ty_end])?,
        collation: match collate {
            Some(at) => Some(strip_comments(after(at).get("collate".len()..).unwrap_or_default())?),
            None => None,
        },
        storage: storage.map(|s| s.1.text.to_lowercase()),
        compression: compression.map(|s| s.1.text.to_lowercase()),
        clauses: Vec::new(),
    };
    for (constraint, &at) in constraints.iter().zip(&starts) {
        let clause = after(at);
        let name = (!constraint.conname.is_empty()).then(|| constraint.conname.clone());
        match constraint.contype() {
            ConstrType::ConstrNotnull => line.clauses.push(Clause::NotNull { name }),
            ConstrType::ConstrNull | ConstrType::Undefined => {}
            ConstrType::ConstrDefault => {
                line.clauses.push(Clause::Default { expression: after_word(clause, "default")? });
            }
            ConstrType::ConstrCheck => line.clauses.push(Clause::Check {
                name,
                expression: bracketed(clause, "check")?.unwrap_or_default(),
                no_inherit: constraint.is_no_inherit,
            }),
            ConstrType::ConstrPrimary => line.clauses.push(Clause::PrimaryKey { name, deferral: Deferral::default() }),
            ConstrType::ConstrUnique => line.clauses.push(Clause::Unique {
                name,
                nulls_not_distinct: constraint.nulls_not_distinct,
                deferral: Deferral::default(),
            }),
            ConstrType::ConstrForeign => {
                line.clauses.push(Clause::References { name, text: after_word(clause, "references")? });
            }
            ConstrType::ConstrIdentity => line.clauses.push(Clause::Identity {
                always: constraint.generated_when == "a",
                options: bracketed(clause, "identity")?,
            }),
            ConstrType::ConstrGenerated => line.clauses.push(Clause::Generated {
                expression: bracketed(clause, "as")?.unwrap_or_default(),
                stored: constraint.generated_kind != "v",
            }),
            ConstrType::ConstrAttrDeferrable | ConstrType::ConstrAttrDeferred => {
                let initially_deferred = constraint.contype() == ConstrType::ConstrAttrDeferred;
                defer(line.clauses.last_mut(), initially_deferred);
            }
            ConstrType::ConstrAttrNotDeferrable | ConstrType::ConstrAttrImmediate => {}
            ConstrType::ConstrExclusion | ConstrType::ConstrAttrEnforced | ConstrType::ConstrAttrNotEnforced => {
                return Err(Mistake {
                    offset: at,
                    message: format!("`{clause}` is not supported in a column definition"),
                });
            }
        }
    }
    Ok(line)
}

fn defer(clause: Option<&mut Clause>, initially: bool) {
    match clause {
        Some(Clause::PrimaryKey { deferral, .. } | Clause::Unique { deferral, .. }) => {
            *deferral = Deferral { deferrable: true, initially_deferred: deferral.initially_deferred || initially };
        }
        Some(Clause::References { text, .. }) => {
            if !text.to_lowercase().contains("deferrable") {
                text.push_str(" deferrable");
            }
            if initially {
                text.push_str(" initially deferred");
            }
        }
        _ => {}
    }
}

/// The text with comments taken out.
fn strip_comments(text: &str) -> Result<String, Mistake> {
    let tokens = parser::tokens(text)?;
    let mut stripped = String::new();
    let mut end = tokens.first().map_or(0, |t| t.start);
    for token in &tokens {
        if token.start > end {
            stripped.push(' ');
        }
        stripped.push_str(token.text);
        end = token.end;
    }
    Ok(stripped)
}

/// What follows the first token that is `word`.
fn after_word(clause: &str, word: &str) -> Result<String, Mistake> {
    let tokens = parser::tokens(clause)?;
    let end = tokens.iter().find(|t| t.text.eq_ignore_ascii_case(word)).map_or(0, |t| t.end);
    let last = tokens.last().map_or(clause.len(), |t| t.end);
    Ok(clause.get(end..last).unwrap_or_default().trim().to_owned())
}

/// What stands in the first pair of brackets after the token `word`.
fn bracketed(clause: &str, word: &str) -> Result<Option<String>, Mistake> {
    let tokens = parser::tokens(clause)?;
    let Some(from) = tokens.iter().position(|t| t.text.eq_ignore_ascii_case(word)) else { return Ok(None) };
    let mut depth = 0;
    let mut open = None;
    for token in &tokens[from..] {
        match token.text {
            "(" => {
                depth += 1;
                open = open.or(Some(token.end));
            }
            ")" => {
                depth -= 1;
                if let (0, Some(open)) = (depth, open) {
                    return Ok(Some(clause[open..token.start].trim().to_owned()));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_apart() -> Result<(), Mistake> {
        let line = split("varchar(20) collate \"C\" constraint nn not null default upper('a') check (length(x) > 1) references t (id) on delete set null deferrable initially deferred unique")?;
        assert_eq!(line.ty, "varchar(20)");
        assert_eq!(line.collation.as_deref(), Some("\"C\""));
        assert_eq!(
            line.clauses,
            [
                Clause::NotNull { name: Some("nn".into()) },
                Clause::Default { expression: "upper('a')".into() },
                Clause::Check { name: None, expression: "length(x) > 1".into(), no_inherit: false },
                Clause::References {
                    name: None,
                    text: "t (id) on delete set null deferrable initially deferred".into()
                },
                Clause::Unique { name: None, nulls_not_distinct: false, deferral: Deferral::default() },
            ]
        );
        let line = split("bigint generated always as identity (start 10) primary key")?;
        assert_eq!(
            line.clauses,
            [
                Clause::Identity { always: true, options: Some("start 10".into()) },
                Clause::PrimaryKey { name: None, deferral: Deferral::default() },
            ]
        );
        let line = split("text generated always as (a || 'x') stored -- note")?;
        assert_eq!(line.clauses, [Clause::Generated { expression: "a || 'x'".into(), stored: true }]);
        assert_eq!(split("text storage external compression lz4 not null")?.storage.as_deref(), Some("external"));
        Ok(())
    }
}
