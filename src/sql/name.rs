//! Names: qualified names in text, the names that PostgreSQL derives, and how it prints types.

use super::parser;

/// Bytes that an identifier may have (NAMEDATALEN - 1).
pub const LONGEST: usize = 63;

/// Splits `schema.name` or `name` as SQL reads it: unquoted parts fold to lower case, which PostgreSQL does to
/// nothing but ASCII where characters have several bytes. None if the text is not such a name.
pub fn split(text: &str) -> Option<(Option<String>, String)> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut end = None;
            let mut chars = quoted.char_indices().peekable();
            while let Some((at, c)) = chars.next() {
                if c == '"' {
                    if chars.peek().is_some_and(|(_, next)| *next == '"') {
                        chars.next();
                    } else {
                        end = Some(at + 1);
                        break;
                    }
                }
                name.push(c);
            }
            (name, quoted.get(end?..)?)
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let word = &rest[..end];
            let starts = word.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
            if !starts || !word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                return None;
            }
            (word.to_ascii_lowercase(), &rest[end..])
        };
        if part.is_empty() || part.contains('\0') {
            return None;
        }
        parts.push(part);
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => break,
            None => return None,
        }
    }
    match <[String; 2]>::try_from(parts) {
        Ok([schema, name]) => Some((Some(schema), name)),
        Err(mut parts) if parts.len() == 1 => Some((None, parts.pop()?)),
        Err(_) => None,
    }
}

/// The name PostgreSQL gives a constraint or sequence nobody named: parts joined by `_`, cut to fit
/// (the longer of the first two loses first), numbered when taken (`ChooseRelationName`).
pub fn derive(table: &str, columns: &str, label: &str, taken: &dyn Fn(&str) -> bool) -> String {
    let mut numbered = label.to_owned();
    let mut pass = 0;
    loop {
        let name = fit(table, columns, &numbered);
        if !taken(&name) {
            return name;
        }
        pass += 1;
        numbered = format!("{label}{pass}");
    }
}

/// Whether PostgreSQL derives this name, with a number where others were taken: which they were depends on what was
/// created first.
pub fn is_derived(name: &str, table: &str, columns: &str, label: &str) -> bool {
    let number = &name[name.trim_end_matches(|c: char| c.is_ascii_digit()).len()..];
    let numbered;
    let label = if number.is_empty() || number.starts_with('0') {
        label
    } else {
        numbered = format!("{label}{number}");
        &numbered
    };
    let parts = name.strip_prefix(table).and_then(|rest| rest.strip_suffix(label));
    let between = parts.and_then(|rest| rest.strip_prefix('_')?.strip_suffix('_'));
    // Only what has to be cut is harder than that.
    let is_cut = table.len() + columns.len() + label.len() + 2 > LONGEST;
    between == Some(columns) || is_cut && name == derive(table, columns, label, &|_| false)
}

fn fit(table: &str, columns: &str, label: &str) -> String {
    let overhead = label.len() + 1 + usize::from(!columns.is_empty());
    let room = LONGEST.saturating_sub(overhead);
    let (mut first, mut second) = (table.len(), columns.len());
    while first + second > room {
        if first > second {
            first -= 1;
        } else {
            second -= 1;
        }
    }
    let (table, columns) = (clip(table, first), clip(columns, second));
    if columns.is_empty() {
        format!("{table}_{label}")
    } else {
        format!("{table}_{columns}_{label}")
    }
}

fn clip(text: &str, mut bytes: usize) -> &str {
    while !text.is_char_boundary(bytes) {
        bytes -= 1;
    }
    &text[..bytes]
}

/// Built-in types: what people write and what PostgreSQL prints (`format_type`).
const PRINTED: [(&str, &str); 14] = [
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("bool", "boolean"),
    ("varchar", "character varying"),
    ("bpchar", "character"),
    ("varbit", "bit varying"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("time", "time without time zone"),
    ("timetz", "time with time zone"),
    ("char", "\"char\""),
];

/// A type as the parser read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// None for built-in types and unqualified names.
    pub schema: Option<String>,
    pub name: String,
    pub array: bool,
    /// Whether the name was a built-in that the grammar itself knows.
    pub builtin: bool,
}

impl TypeName {
    /// As `format_type` prints it without modifiers under an empty search path.
    pub fn printed(&self, resolve: &dyn Fn(&str) -> Option<String>) -> String {
        let name = match PRINTED.iter().find(|(written, _)| *written == self.name) {
            Some((_, printed)) if self.schema.is_none() => (*printed).to_owned(),
            _ => match self.schema.clone().or_else(|| resolve(&self.name)) {
                Some(schema) => super::qualified(&schema, &self.name),
                None => super::Ident(&self.name).to_string(),
            },
        };
        if self.array {
            format!("{name}[]")
        } else {
            name
        }
    }
}

/// The types of a function's input arguments, from its argument list.
pub fn argument_types(arguments: &str) -> Option<Vec<TypeName>> {
    use pg_query::protobuf::FunctionParameterMode as Mode;
    let statement = format!("CREATE FUNCTION f({arguments}\n) RETURNS int LANGUAGE sql AS ''");
    let pg_query::NodeEnum::CreateFunctionStmt(function) = parser::statement(&statement)? else { return None };
    let mut types = Vec::new();
    for parameter in &function.parameters {
        let Some(pg_query::NodeEnum::FunctionParameter(parameter)) = &parameter.node else { return None };
        if matches!(parameter.mode(), Mode::FuncParamOut | Mode::FuncParamTable) {
            continue;
        }
        let Some(ty) = &parameter.arg_type else { return None };
        let parts: Vec<&str> = ty
            .names
            .iter()
            .filter_map(|n| match &n.node {
                Some(pg_query::NodeEnum::String(s)) => Some(s.sval.as_str()),
                _ => None,
            })
            .collect();
        let (schema, name) = match parts.as_slice() {
            ["pg_catalog", name] => (None, *name),
            [schema, name] => (Some((*schema).to_owned()), *name),
            [name] => (None, *name),
            _ => return None,
        };
        let builtin = parts.len() == 2 && schema.is_none();
        types.push(TypeName { schema, name: name.to_owned(), array: !ty.array_bounds.is_empty(), builtin });
    }
    Some(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_as_sql_reads_them() {
        let cases = [
            ("orders", Some((None, "orders"))),
            ("App.Orders", Some((Some("app"), "orders"))),
            ("ÄRGER", Some((None, "Ärger"))),
            ("\"My \"\"S\"\"\".\"O.d\"", Some((Some("My \"S\""), "O.d"))),
            ("a.b.c", None),
            ("a b", None),
            ("", None),
            ("\"x", None),
        ];
        for (text, wanted) in cases {
            let found = split(text);
            assert_eq!(found.as_ref().map(|(s, n)| (s.as_deref(), n.as_str())), wanted, "{text}");
        }
    }

    #[test]
    fn derived_names_fit() {
        assert_eq!(derive("t", "a", "check", &|n| n == "t_a_check"), "t_a_check1");
        assert_eq!(derive("orders", "", "pkey", &|_| false), "orders_pkey");
        let long = derive(&"x".repeat(60), "customer_id", "fkey", &|_| false);
        assert_eq!((long.len(), long.ends_with("x_customer_id_fkey")), (63, true));
        for (table, column) in [("t", "a"), (&*"x".repeat(60), "customer_id"), (&*"ä".repeat(31), &*"ö".repeat(26))] {
            let name = derive(table, column, "not_null", &|_| false);
            assert!(is_derived(&name, table, column, "not_null"), "{name}");
            assert!(!is_derived(&name, table, "other", "not_null"), "{name}");
            let third = derive(table, column, "not_null", &|n| n == name || n.ends_with("null1"));
            assert!(is_derived(&third, table, column, "not_null"), "{third}");
            assert!(third.ends_with("not_null2"), "{third}");
            assert!(!is_derived(&format!("{third}x"), table, column, "not_null"));
        }
    }

    #[test]
    fn argument_types_print_like_the_server() {
        let printed = |text| {
            argument_types(text)
                .map(|types| types.iter().map(|t| t.printed(&|_| Some("app".into()))).collect::<Vec<_>>().join(", "))
        };
        assert_eq!(
            printed("a int, b timestamptz default now(), out c text").as_deref(),
            Some("integer, timestamp with time zone")
        );
        assert_eq!(printed("s varchar(10)[], t app.st").as_deref(), Some("character varying[], app.st"));
    }
}
