//! A value of a type, for made-up rows: the same for the same type and number, and another for each number.

/// A type as far as a value of it is concerned: that below domains.
#[derive(Clone, Debug)]
pub struct Type {
    /// `pg_type.typname`.
    pub name: String,
    /// `pg_attribute.atttypmod`; -1 where there is none.
    pub modifier: i32,
    /// The type of an array's elements.
    pub element: Option<String>,
    /// The labels of an enum.
    pub labels: Vec<String>,
}

impl Type {
    /// The text of the value for a number from 1 to 9; None for types whose values nobody can guess.
    pub fn value(&self, n: usize) -> Option<String> {
        if let Some(element) = &self.element {
            let element = Self { name: element.clone(), modifier: -1, element: None, labels: self.labels.clone() };
            let value = element.value(n)?.replace('\\', r"\\").replace('"', "\\\"");
            return Some(format!("{{\"{value}\"}}"));
        }
        if !self.labels.is_empty() {
            return self.labels.get(n.checked_sub(1)? % self.labels.len()).cloned();
        }
        let day = |n: usize| format!("2000-01-{n:02}");
        Some(match self.name.as_str() {
            "bool" => (n % 2 == 1).to_string(),
            "int2" | "int4" | "int8" | "oid" | "float4" | "float8" | "money" | "numeric" => self.number(n),
            "text" | "varchar" | "bpchar" | "citext" | "name" | "char" | "ltree" => letter(n),
            "uuid" => format!("00000000-0000-4000-8000-{n:012}"),
            "date" => day(n),
            "timestamp" => format!("{} 00:00:00", day(n)),
            "timestamptz" => format!("{} 00:00:00+00", day(n)),
            "time" => format!("{n:02}:00:00"),
            "timetz" => format!("{n:02}:00:00+00"),
            "interval" => format!("{n} days"),
            "json" | "jsonb" => format!("{{\"n\": {n}}}"),
            "jsonpath" => "$".into(),
            "bytea" => format!("\\x{n:02x}"),
            "inet" | "cidr" => format!("10.0.0.{n}"),
            "macaddr" => format!("08:00:2b:01:02:{n:02x}"),
            "macaddr8" => format!("08:00:2b:01:02:03:04:{n:02x}"),
            "bit" => format!("{}1", "0".repeat(self.length(1).saturating_sub(1))),
            "varbit" => "1".into(),
            "point" => format!("({n},{n})"),
            "line" => format!("{{1,1,{n}}}"),
            "lseg" | "box" | "path" => format!("((0,0),({n},{n}))"),
            "polygon" => format!("((0,0),(1,0),({n},{n}))"),
            "circle" => format!("<({n},{n}),1>"),
            "int4range" | "int8range" | "numrange" => format!("[{n},{})", n + 1),
            "daterange" | "tsrange" | "tstzrange" => format!("[{},{})", day(n), day(n + 1)),
            "int4multirange" | "int8multirange" | "nummultirange" => format!("{{[{n},{})}}", n + 1),
            "datemultirange" | "tsmultirange" | "tstzmultirange" => format!("{{[{},{})}}", day(n), day(n + 1)),
            "tsvector" | "tsquery" => letter(n),
            "xml" => "<a/>".into(),
            "hstore" => format!("a=>{n}"),
            "cube" => format!("({n})"),
            "vector" | "halfvec" => format!("[{}]", vec![n.to_string(); self.length(3)].join(",")),
            "sparsevec" => format!("{{1:{n}}}/{}", self.length(3)),
            _ => return None,
        })
    }

    /// One that a numeric's precision and scale admit.
    fn number(&self, n: usize) -> String {
        let packed = u32::try_from(self.modifier - 4).ok().filter(|_| self.name == "numeric");
        match packed.map(|packed| (packed >> 16, usize::try_from(packed & 0x7ff).unwrap_or(0))) {
            Some((precision, scale)) if usize::try_from(precision) == Ok(scale) && scale > 0 => {
                format!("0.{n:0>scale$}")
            }
            _ => n.to_string(),
        }
    }

    fn length(&self, otherwise: usize) -> usize {
        usize::try_from(self.modifier).ok().filter(|length| *length > 0).unwrap_or(otherwise)
    }
}

fn letter(n: usize) -> String {
    char::from_digit(u32::try_from(n).unwrap_or(0) + 9, 36).unwrap_or('z').to_string()
}

#[cfg(test)]
mod tests {
    use super::Type;

    #[test]
    fn values_fit_their_types() {
        let of = |name: &str, modifier: i32| Type { name: name.into(), modifier, element: None, labels: Vec::new() };
        let numeric = |precision: i32, scale: i32| of("numeric", ((precision << 16) | scale) + 4);
        let cases = [
            (of("text", -1), "b"),
            (of("numeric", -1), "2"),
            (numeric(4, 2), "2"),
            (numeric(2, 2), "0.02"),
            (of("bit", 3), "001"),
            (of("vector", 2), "[2,2]"),
            (Type { element: Some("text".into()), ..of("_text", -1) }, "{\"b\"}"),
            (Type { labels: vec!["x".into()], ..of("status", -1) }, "x"),
        ];
        for (ty, wanted) in cases {
            assert_eq!(ty.value(2).as_deref(), Some(wanted), "{ty:?}");
        }
        assert_eq!(of("regclass", -1).value(1), None);
    }
}
