//! What a change of type makes of the values of a column (manual, CREATE CAST; section 10.4).
//!
//! An explicit cast cuts a text to the length of its type, where an assignment refuses it. So wherever
//! PostgreSQL assigns by itself, it is left to do so. What an assignment rounds or cuts all the same is a loss.

/// What follows the new type in ALTER COLUMN TYPE: empty where PostgreSQL assigns by itself. Types come as they are
/// said, each with what stands beneath it if it is a domain.
pub fn using(column: &str, (old, beneath): (&str, &str), (new, wanted): (&str, &str)) -> String {
    let (from, to) = (Type::of(beneath), Type::of(wanted));
    let bits = |name: &str| ["bit", "bit varying"].contains(&name);
    // A domain becomes what stands beneath it.
    if (beneath == new && old != new) || is_text(to.name) || (bits(from.name) && bits(to.name)) {
        return String::new();
    }
    if built_in(beneath) && built_in(new) && (is_text(from.name) || to.array || related(from.name, to.name)) {
        return format!(" USING ({column}::{new})");
    }
    // There may be no cast of its own, as between two enums.
    format!(" USING ({column}::text::{new})")
}

/// All that values lose once they are of the new type, or mean otherwise.
pub fn losses(old: &str, new: &str) -> impl Iterator<Item = &'static str> {
    loss(old, new).into_iter().chain(shifted(old, new))
}

/// Why values may be less than they were once they are of the new type; None if each stays what it is or is refused.
/// Domains come as what stands beneath them. Of types that are not PostgreSQL's own nothing is known.
fn loss(old: &str, new: &str) -> Option<&'static str> {
    const ROUNDED: &str = "digits that the new type does not hold are rounded away";
    const CUT: &str = "what the new type does not hold of a value is gone";
    if !built_in(old) || !built_in(new) {
        return None;
    }
    let (from, to) = (Type::of(old), Type::of(new));
    let (modifiers, wanted) = (from.modifiers.as_slice(), to.modifiers.as_slice());
    if from == to || is_text(to.name) || (from.array != to.array && !is_text(from.name)) {
        // What is no array becomes none without being written out; the server refuses it.
        return None;
    }
    let scale = |modifiers: &[i64]| modifiers.first().map(|_| modifiers.get(1).copied().unwrap_or_default());
    let fraction = |modifiers: &[i64]| modifiers.first().copied().unwrap_or(6);
    let rounded = |is: bool| is.then_some(ROUNDED);
    match (from.name, to.name) {
        (a, b) if integer(a).is_some() && integer(b).is_some() => None,
        ("boolean", "integer") | ("date", "timestamp" | "timestamptz") | ("time", "interval") => None,
        ("json", "jsonb") => Some("of keys that are there twice the last stays, and order and spelling are gone"),
        ("jsonb", "json") | ("cidr", "inet") | ("macaddr", "macaddr8") => None,
        ("bit" | "bit varying", "bit" | "bit varying") | ("money", "numeric") => None,
        (a, "numeric") if integer(a).is_some() => rounded(scale(wanted).is_some_and(|scale| scale < 0)),
        (a, "double precision") if integer(a).is_some_and(|bytes| bytes <= 4) => None,
        ("smallint", "real") | ("real", "double precision") => None,
        ("numeric", "numeric") => match (scale(modifiers), scale(wanted)) {
            (_, None) => None,
            (Some(had), Some(has)) => rounded(has < had),
            (None, Some(_)) => Some(ROUNDED),
        },
        ("numeric", b) if integer(b).is_some() => rounded(scale(modifiers) != Some(0)),
        (a, b) if number(a) && number(b) => Some(ROUNDED),
        ("timestamp" | "timestamptz", "timestamp" | "timestamptz")
        | ("time", "time" | "timetz")
        | ("timetz", "timetz") => rounded(fraction(wanted) < fraction(modifiers)),
        (a, "numeric") if is_text(a) => rounded(!wanted.is_empty()),
        (a, "real" | "double precision" | "money") if is_text(a) => Some(ROUNDED),
        (a, "timestamptz" | "timetz") if is_text(a) => rounded(!wanted.is_empty()),
        (a, "date" | "time" | "timestamp" | "name" | "\"char\"" | "tsvector" | "bit" | "bit varying") if is_text(a) => {
            Some(CUT)
        }
        (a, b) if is_text(a) => rounded(b.starts_with("interval") && b != "interval"),
        (a, "interval") if a.starts_with("interval") => None,
        _ => Some(CUT),
    }
}

/// Why values may mean another time once they are of the new type; None if they do not. Domains come as what stands
/// beneath them. A time without a zone is taken for one of the session's zone, which is UTC whenever a plan runs.
fn shifted(old: &str, new: &str) -> Option<&'static str> {
    let (from, to) = (Type::of(old).name, Type::of(new).name);
    let zoned = |name: &str| ["timestamptz", "timetz"].contains(&name);
    let unzoned = |name: &str| ["timestamp", "date", "time"].contains(&name);
    if zoned(from) && unzoned(to) {
        Some("the times become those of the zone UTC: say another one with `convert`, as in `a at time zone 'Europe/Paris'`")
    } else if (unzoned(from) || is_text(from)) && zoned(to) {
        Some("times without a zone are taken for times in UTC: say another one with `convert`, as in `a at time zone 'Europe/Paris'`")
    } else {
        None
    }
}

/// Whether a value that the new type's input refuses is one that the change of type refuses: it is read from text, or
/// nothing is rounded to make it fit.
pub fn refuses_by_input(old: &str, new: &str) -> bool {
    let from = Type::of(old).name;
    is_text(from) || !built_in(old) || (from != "boolean" && loss(old, new).is_none())
}

/// Types outside pg_catalog are printed with their schema.
pub fn built_in(ty: &str) -> bool {
    !ty.contains('.')
}

/// A type as `format_type` prints it, taken apart.
#[derive(Debug, PartialEq)]
struct Type<'a> {
    /// Without modifiers; types of times by their short names.
    name: &'a str,
    modifiers: Vec<i64>,
    array: bool,
}

impl<'a> Type<'a> {
    fn of(ty: &'a str) -> Self {
        let (element, array) = ty.strip_suffix("[]").map_or((ty, false), |element| (element, true));
        let (name, rest) = element.split_once('(').unwrap_or((element, ""));
        let (inside, behind) = rest.split_once(')').unwrap_or((rest, ""));
        let modifiers = inside.split(',').filter_map(|n| n.trim().parse().ok()).collect();
        let zoned = element.ends_with("with time zone");
        let name = match name.split(' ').next() {
            Some("timestamp") if zoned => "timestamptz",
            Some("timestamp") => "timestamp",
            Some("time") if zoned => "timetz",
            Some("time") => "time",
            // Fields and fractions of a second, as in `interval day to second(3)`.
            Some("interval") => element,
            _ if behind.is_empty() => name,
            _ => element,
        };
        Self { name, modifiers, array }
    }
}

fn is_text(name: &str) -> bool {
    ["text", "character varying", "character", "bpchar"].contains(&name)
}

/// Bytes of an integer.
fn integer(name: &str) -> Option<u8> {
    match name {
        "smallint" => Some(2),
        "integer" => Some(4),
        "bigint" => Some(8),
        _ => None,
    }
}

fn number(name: &str) -> bool {
    integer(name).is_some() || ["numeric", "real", "double precision", "money"].contains(&name)
}

/// Whether PostgreSQL has a cast between two of its own types.
fn related(from: &str, to: &str) -> bool {
    const FAMILIES: &[&[&str]] = &[
        &["smallint", "integer", "bigint", "numeric", "real", "double precision", "money"],
        &["smallint", "integer", "bigint", "oid", "regclass", "regproc", "regprocedure", "regtype", "regrole"],
        &["integer", "boolean"],
        &["integer", "\"char\""],
        &["integer", "bigint", "bit"],
        &["date", "timestamp", "timestamptz"],
        &["json", "jsonb"],
        &["jsonb", "boolean", "smallint", "integer", "bigint", "numeric", "real", "double precision"],
        &["inet", "cidr"],
        &["macaddr", "macaddr8"],
    ];
    const ONE_WAY: &[(&str, &str)] = &[
        ("timestamp", "time"),
        ("timestamptz", "time"),
        ("timestamptz", "timetz"),
        ("time", "timetz"),
        ("timetz", "time"),
        ("time", "interval"),
        ("interval", "time"),
    ];
    from == to
        || FAMILIES.iter().any(|family| family.contains(&from) && family.contains(&to))
        || ONE_WAY.contains(&(from, to))
        || (from.starts_with("interval") && to.starts_with("interval"))
}

/// A type of times without its precision, and that: six digits of a second if none is said.
fn seconds(ty: &str) -> Option<(String, u8)> {
    if !ty.starts_with("time") {
        return None;
    }
    match ty.split_once('(').and_then(|(name, rest)| Some((name, rest.split_once(')')?))) {
        Some((name, (digits, rest))) => Some((format!("{name}{rest}"), digits.parse().ok()?)),
        None => Some((ty.to_owned(), 6)),
    }
}

/// Type changes that PostgreSQL makes without writing the table anew (ALTER TABLE, notes).
pub fn stays_as_it_is(old: &str, new: &str) -> bool {
    let parts = |ty: &str| -> (String, Option<u64>) {
        match ty.split_once('(') {
            Some((name, rest)) => (name.to_owned(), rest.trim_end_matches(')').parse().ok()),
            None => (ty.to_owned(), None),
        }
    };
    // In UTC, in which every plan runs, a time is stored alike with its zone and without.
    let stamps = ["timestamp without time zone", "timestamp with time zone"];
    if let (Some((a, from)), Some((b, to))) = (seconds(old), seconds(new)) {
        return (a == b && from <= to) || (stamps.contains(&a.as_str()) && stamps.contains(&new));
    }
    let ((a, from), (b, to)) = (parts(old), parts(new));
    match (a.as_str(), b.as_str()) {
        ("character varying", "text") | ("text", "character varying") => b == "text" || to.is_none(),
        // More digits before the point, or any number of them.
        ("numeric", "numeric") => {
            let digits = |ty: &str| -> Option<(i64, i64)> {
                let (precision, scale) = ty.strip_prefix("numeric(")?.strip_suffix(')')?.split_once(',')?;
                Some((precision.parse().ok()?, scale.parse().ok()?))
            };
            new == "numeric" || matches!((digits(old), digits(new)), (Some((p, s)), Some((q, t))) if s == t && p <= q)
        }
        ("cidr", "inet") => true,
        ("character varying" | "bit varying", _) if a == b => to.is_none() || (from.is_some() && from <= to),
        _ => old == new,
    }
}

/// Whether a type change is from an integer to a wider one.
pub fn wider_integer(old: &str, new: &str) -> bool {
    let bytes = |ty: &str| match ty {
        "smallint" => Some(2),
        "integer" => Some(4),
        "bigint" => Some(8),
        _ => None,
    };
    matches!((bytes(old), bytes(new)), (Some(from), Some(to)) if from < to)
}

#[cfg(test)]
mod tests {
    use super::{loss, refuses_by_input, shifted, stays_as_it_is, using, wider_integer};

    fn each(cases: &[(&str, &str, bool)], says: impl Fn(&str, &str) -> bool) {
        for (old, new, wanted) in cases {
            assert_eq!(says(old, new), *wanted, "{old} -> {new}");
        }
    }

    #[test]
    fn only_wider_integers_hold_all_values() {
        let cases = [
            ("smallint", "integer", true),
            ("integer", "bigint", true),
            ("bigint", "integer", false),
            ("integer", "integer", false),
            ("integer", "numeric", false),
            ("integer", "text", false),
            ("integer[]", "bigint[]", false),
        ];
        each(&cases, wider_integer);
    }

    #[test]
    fn rewrites_are_foreseen() {
        let cases = [
            ("character varying(10)", "character varying(20)", true),
            ("character varying(10)", "text", true),
            ("numeric(8,2)", "numeric(12,2)", true),
            ("numeric(8,2)", "numeric(12,3)", false),
            ("timestamp(3) without time zone", "timestamp without time zone", true),
            ("timestamp without time zone", "timestamp(3) without time zone", false),
            ("timestamp without time zone", "timestamp with time zone", true),
            ("timestamp(3) with time zone", "timestamp without time zone", true),
            ("timestamp without time zone", "timestamp(6) with time zone", false),
            ("time without time zone", "time with time zone", false),
            ("text", "character varying(5)", false),
            ("integer", "bigint", false),
        ];
        each(&cases, stays_as_it_is);
    }

    #[test]
    fn losses_are_known() {
        let cases = [
            ("text", "character varying(5)", false),
            ("character varying(20)", "character(5)", false),
            ("text[]", "character varying(2)[]", false),
            ("integer", "text", false),
            ("bigint", "integer", false),
            ("integer", "numeric(5,0)", false),
            ("integer", "double precision", false),
            ("bigint", "double precision", true),
            ("numeric(10,2)", "integer", true),
            ("numeric(10,0)", "integer", false),
            ("numeric(12,4)", "numeric(12,2)", true),
            ("numeric(12,2)", "numeric(8,4)", false),
            ("numeric", "numeric(8,4)", true),
            ("numeric(8,4)", "numeric", false),
            ("numeric(8,4)[]", "numeric(8,2)[]", true),
            ("double precision", "real", true),
            ("double precision", "numeric", true),
            ("real", "double precision", false),
            ("timestamp with time zone", "date", true),
            ("date", "timestamp with time zone", false),
            ("timestamp(6) without time zone", "timestamp(0) without time zone", true),
            ("timestamp(0) without time zone", "timestamp without time zone", false),
            ("timestamp with time zone", "timestamp without time zone", false),
            ("timestamp with time zone", "time without time zone", true),
            ("time with time zone", "time without time zone", true),
            ("text", "integer", false),
            ("text", "uuid", false),
            ("text", "date", true),
            ("text", "timestamp with time zone", false),
            ("text", "numeric(8,2)", true),
            ("text", "numeric", false),
            ("inet", "cidr", true),
            ("json", "jsonb", true),
            ("jsonb", "json", false),
            ("interval", "interval day", true),
            ("interval(3)", "interval", false),
            ("interval hour to minute[]", "interval[]", false),
            ("interval(3)", "interval(0)", true),
            ("boolean", "integer", false),
            ("integer", "boolean", true),
            ("public.mood", "character varying(3)", false),
            ("public.vector(3)", "public.halfvec(3)", false),
        ];
        each(&cases, |old, new| loss(old, new).is_some());
    }

    #[test]
    fn times_are_shifted_between_zones() {
        let cases = [
            ("timestamp without time zone", "timestamp with time zone", true),
            ("timestamp(3) with time zone", "timestamp without time zone", true),
            ("timestamp with time zone[]", "date[]", true),
            ("date", "timestamp with time zone", true),
            ("text", "timestamp with time zone", true),
            ("timestamp with time zone", "text", false),
            ("date", "timestamp without time zone", false),
            ("time with time zone", "time(0) with time zone", false),
            ("text", "date", false),
        ];
        each(&cases, |old, new| shifted(old, new).is_some());
    }

    #[test]
    fn nothing_is_cast_that_is_assigned() {
        let cases = [
            ("text", "character varying(5)", ""),
            ("public.mood", "character varying(5)", ""),
            ("integer[]", "text[]", ""),
            ("bit(8)", "bit(4)", ""),
            ("numeric(10,2)", "integer", " USING (c::integer)"),
            ("text", "integer", " USING (c::integer)"),
            ("timestamp with time zone", "date", " USING (c::date)"),
            ("time without time zone", "timestamp without time zone", " USING (c::text::timestamp without time zone)"),
            ("public.a", "public.b", " USING (c::text::public.b)"),
            ("text", "public.b", " USING (c::text::public.b)"),
        ];
        for (old, new, wanted) in cases {
            assert_eq!(using("c", (old, old), (new, new)), wanted, "{old} -> {new}");
        }
        // A domain over a text with a length.
        assert_eq!(using("c", ("text", "text"), ("public.short", "character varying(5)")), "");
    }

    #[test]
    fn what_is_rounded_is_not_refused() {
        assert!(refuses_by_input("text", "integer") && refuses_by_input("bigint", "integer"));
        assert!(refuses_by_input("public.mood", "integer") && !refuses_by_input("numeric(10,2)", "integer"));
        assert!(!refuses_by_input("boolean", "integer"));
    }
}
