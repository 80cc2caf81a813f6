use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{read, Cut, Scalar, Style, Value, Yaml};
use crate::error::Problem;

fn parse(bytes: impl AsRef<[u8]>) -> (Option<Yaml>, Vec<Problem>) {
    let mut problems = Vec::new();
    let tree = read(&Arc::new(PathBuf::from("t.yaml")), bytes.as_ref(), &mut problems);
    (tree, problems)
}

fn good(bytes: impl AsRef<[u8]>) -> Yaml {
    let (tree, problems) = parse(bytes);
    assert!(problems.is_empty(), "{problems:#?}");
    tree.expect("a tree")
}

/// Compact form of a tree: quoted scalars in `'`, blocks in `|`, `;F` after a cut.
fn show(node: &Yaml) -> String {
    let scalar = |scalar: &Scalar| {
        let mark = match scalar.style {
            Style::Plain => "",
            Style::Quoted => "'",
            Style::Block => "|",
        };
        let cut = match scalar.cut {
            None => "",
            Some(Cut::Comment) => ";C",
            Some(Cut::Fold) => ";F",
            Some(Cut::FlowComma) => ";,",
        };
        format!("{mark}{}{mark}{cut}", scalar.text.replace('\n', "\\n"))
    };
    match &node.value {
        Value::Scalar(value) => scalar(value),
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{}={}", scalar(key), show(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
        }
    }
}

#[test]
fn trees() {
    let cases = [
        // Nothing is typed.
        ("a: 1.10\nb: 0x1F\nc: no\nd: ~\ne:\nf: null\ng: .inf\n", "{a=1.10 b=0x1F c=no d=~ e= f=null g=.inf}"),
        ("[1_000, 2026-01-01, +1, 0o7]", "[1_000 2026-01-01 +1 0o7]"),
        ("a: text not null default 'x'::text", "{a=text not null default 'x'::text}"),
        ("a: '1'\nb: \"x\\ty\"\nc: 'it''s'", "{a='1' b='x\ty' c='it's'}"),
        ("a: |\n  x\n   y # z\n\n  w\nb: |-\n  x\n", "{a=|x\\n y # z\\n\\nw\\n| b=|x|}"),
        ("a: |\n  x", "{a=|x\\n|}"),
        ("a: |\n  x\n  ", "{a=|x\\n|}"),
        ("- a\n- - b\n  - c\n-\n- {}\n- []", "[a [b c]  {} []]"),
        ("? a\n: b\n? c\n", "{a=b c=}"),
        // Nothing at all, or only a comment.
        ("", "{}"),
        ("# x\n\n", "{}"),
        ("---\n", "{}"),
        ("\u{FEFF}", "{}"),
        ("\u{FEFF}a: b", "{a=b}"),
        ("--- # x\na: b\n...\n", "{a=b}"),
        // CRLF.
        ("a: |\r\n  x\r\n  y\r\nb: c\r\n", "{a=|x\\ny\\n| b=c}"),
        ("a: b c\r\n  d\r\n", "{a=b c d;F}"),
        // Comments.
        ("a: b # c\nd: e", "{a=b;C d=e}"),
        ("a: b#c\nd: 'e' # f", "{a=b#c d='e'}"),
        ("a: b\n# c\nd: e\t# f", "{a=b d=e;C}"),
        ("[a, b # c\n]", "[a b;C]"),
        ("a: #fff\nb: 1", "{a=;C b=1}"),
        ("a:   # x\n  b: c", "{a={b=c}}"),
        // Folds.
        ("a: b\n  c\nd: e", "{a=b c;F d=e}"),
        ("a: 'b\n  c'", "{a='b c'}"),
        (
            "a: >\n  b\n  c\nd: >\n  e\nf: >-\n  g\n\n\nh: >\n\n   i\n    j\n",
            "{a=|b c\\n|;F d=|e\\n| f=|g| h=|\\ni\\n j\\n|}",
        ),
        ("a: >\n  b\n\n  c\n", "{a=|b\\nc\\n|;F}"),
        ("a: &x >\n  b\n  c\nd: &y >\n  e\n", "{a=|b c\\n|;F d=|e\\n|}"),
        ("a: >+\n\n\n", "{a=|\\n\\n|}"),
        // The comma in a flow map.
        ("{ using: gin, keys: a, b }", "{using=gin keys=a b;,=}"),
        ("{ keys: a, b, c, d: e }", "{keys=a b;,= c;,= d=e}"),
        ("{ type: numeric(10, 2), x: y }", "{type=numeric(10 2);,= x=y}"),
        ("{ keys: a,\n  b\n}", "{keys=a b;,=}"),
        ("{ a, b, c: d }", "{a= b= c=d}"),
        ("{ a: 'b', c }", "{a='b' c=}"),
        ("{ a: b, c: , d: null, 'e' }", "{a=b c= d=null 'e'=}"),
        ("{ a: {b: c}, d }", "{a={b=c} d=}"),
        ("a: b,\nc:", "{a=b, c=}"),
        // Anchors and aliases.
        ("a: &x b\nc: *x\n*x : d", "{a=b c=b b=d}"),
        ("a: &x { b: [c] }\nd: *x\ne: &y\nf: *y", "{a={b=[c]} d={b=[c]} e= f=}"),
        ("a: &x\n  b: c # d\ne: *x", "{a={b=c;C} e={b=c;C}}"),
        ("'<<': a", "{'<<'=a}"),
    ];
    for (text, expected) in cases {
        assert_eq!(show(&good(text)), expected, "{text:?}");
    }
}

#[test]
fn nulls() {
    let tree = good("[null, ~, 'null', '~', Null, NULL, '', |]".replace(", |", ""));
    let Value::List(items) = tree.value else { panic!("a list") };
    let nulls: Vec<bool> = items.iter().map(|item| matches!(&item.value, Value::Scalar(s) if s.is_null())).collect();
    assert_eq!(nulls, [true, true, false, false, false, false, false]);
}

#[test]
fn problems() {
    let bomb = |width: usize, depth: usize| {
        let mut text = String::from("a0: &a0 [x]\n");
        for level in 1..=depth {
            let items = vec![format!("*a{}", level - 1); width].join(",");
            text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        text
    };
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), vec!["*a"; 300].join(","));
    let big = vec![b' '; (64 << 20) + 1];
    let cases: Vec<(&[u8], &str, &str, &str)> = vec![
        (b"a: 1\nb: 2\n\"a\": 3\n", "3:1", "`a` stands twice in this map: first at line 1, column 1", "merge"),
        (b"x: {a: 1, b: 2, a: 3}", "1:17", "first at line 1, column 5", "merge"),
        (b"a: b\n---\nc: d\n", "2:1", "second document", "file of its own"),
        (b"a: !!str b\n", "1:4", "tag `!!str`", "remove"),
        (b"a: &x !foo [b]\n", "1:7", "tag `!foo`", "remove"),
        (b"a: !x!foo b\n", "1:4", "a tag", "leave tags out"),
        (b"a: &x {b: c}\nd:\n  <<: *x\n", "3:3", "merge keys", "templates"),
        (b"a: &x [*x]\n", "1:8", "alias inside", "move"),
        (b"a: *x\n", "1:4", "alias of an anchor that was not set", "quotes"),
        (b"a: * from t\n", "1:4", "without a name", "quotes"),
        (b"a: [b", "2:1", "flow sequence", "close"),
        (b"[a]: b\n", "1:1", "cannot be a key", "quotes"),
        (b"{a: b}: c\n", "1:1", "cannot be a key", "quotes"),
        (b": c\n", "1:1", "key is missing", "key: value"),
        (b"a:\n\tb: c\n", "2:2", "a tab", "spaces"),
        (b"a: 'x' || y\n", "1:8", "text after a closing quote", "block"),
        (b"a: 'x\n", "1:4", "without its closing quote", "add"),
        (b"a: b: c\n", "1:5", "a `: ` inside a value", "quotes"),
        (b"a: b # c\n   d\n", "1:6", "comment inside a value", "block"),
        (b"a: \"\\d\"\n", "1:4", "unknown escape", "single quotes"),
        (b"a: \"x\\0\"\n", "1:4", "NUL character", "escape"),
        (b"a: %b\n", "1:4", "cannot start with this character", "quotes"),
        (b"a: b\nc\n", "3:1", "expected `key: value`", "missing"),
        (b"a: b\n\xC3\xA4\xFF", "2:2", "byte 0xFF", "UTF-8"),
        (b"\xFF\xFEa\0", "1:1", "UTF-16", "UTF-8"),
        (b"a: b\n\xC3\xA4 \0", "2:3", "NUL byte", "text only"),
        (b"\xEF\xBB\xBFa: b\x01", "1:5", "control character 0x01", "escape"),
        (&big, "1:1", "64 MiB", "split"),
        (long.as_bytes(), "2:764", "256 MiB", "templates"),
    ];
    for (bytes, pos, message, hint) in &cases {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        let started = Instant::now();
        let (_, problems) = parse(bytes);
        assert!(started.elapsed() < Duration::from_secs(5), "{text:?}");
        let Some(problem) = problems.first() else { panic!("no problem in {text:?}") };
        assert_eq!(problems.len(), 1, "{text:?} {problems:#?}");
        assert_eq!(format!("{}:{}", problem.pos.line, problem.pos.column), *pos, "{text:?} {problem}");
        assert!(problem.message.contains(message), "{text:?} {problem}");
        assert!(problem.hint.as_deref().unwrap_or_default().contains(hint), "{text:?} {problem}");
    }
    for bomb in [bomb(10, 9), bomb(1000, 3)] {
        let (tree, problems) = parse(bomb);
        assert!(tree.is_none() && problems[0].message.contains("2000000 values"), "{problems:?}");
    }
}

#[test]
fn all_problems_are_reported_together_in_order() {
    let (tree, problems) = parse("a: 1\nb: !x 2\nc: {d: 1, d: 2}\na: 3\n");
    assert_eq!(problems.iter().map(|p| p.pos.line).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(tree.map(|tree| show(&tree)).as_deref(), Some("{a=1 b=2 c={d=1}}"));
    let (_, problems) = parse("a: 1\n".repeat(1000));
    assert_eq!(problems.len(), 101);
}

/// `«` in a text marks where the byte `offset` of the value of `k` must be found.
#[test]
fn positions() {
    let cases = [
        ("k: «ab", 0),
        ("k: ä«b", 2),
        ("x: y\n  \nk: ab«c # d", 2),
        ("k: abc«", 3),
        ("k: abc«", 99),
        ("k: 'a«bc'", 1),
        ("k: \"ä«bc\"", 2),
        ("k: «'a''bc'", 3),
        ("k: «\"a\\tbc\"", 2),
        ("k: «ab\n  cd", 4),
        ("k: «'ab\n  cd'", 4),
        ("k: &x «ab", 0),
        ("k: &x\n  # c\n  a«b", 1),
        ("k: &x 'a«b'", 1),
        ("k: |\n  a«b", 1),
        ("k: |\n  &a «b", 3),
        ("k: |\n  ab\n\n    ä «d\nx: y", 9),
        ("k: | # c\n\n  \n  a«b", 3),
        ("k: |2-\n    a«b", 3),
        ("k: &x | # c\n\n    ab\n    c«d\n", 5),
        ("k: &x |2-\n    ab\n  c«d\n", 6),
        ("k: >\n  ab «c\n", 3),
        ("k: >\n  «ab\n  c\n", 3),
        ("\u{FEFF}k: «ab", 0),
        ("{ä: {k: a«b}}", 1),
        ("«k: |\nx: y", 0),
        ("«k:\nx: y", 0),
    ];
    for (marked, offset) in cases {
        for line_break in ["\n", "\r\n"] {
            let before = marked.split('«').next().unwrap_or_default().trim_start_matches('\u{FEFF}');
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let tree = good(marked.replace('«', "").replace('\n', line_break));
            let scalar = find(&tree).expect("the key k");
            let pos = scalar.position_of(offset);
            assert_eq!((pos.line as usize, pos.column as usize), (line, column), "{marked:?} {scalar:?}");
        }
    }
}

fn find(node: &Yaml) -> Option<&Scalar> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find_map(|(key, value)| match &value.value {
        Value::Scalar(scalar) if key.text == "k" => Some(scalar),
        _ => find(value),
    })
}

#[test]
fn nesting_is_limited_without_recursion() {
    let nested = |open: &str, close: &str, levels| format!("{}x{}", open.repeat(levels), close.repeat(levels));
    good(nested("[", "]", 64));
    good(nested("- ", "", 64));
    for text in [
        nested("[", "]", 65),
        nested("- ", "", 65),
        nested("[", "", 1 << 20),
        nested("{", "", 1 << 20),
        nested("{a: ", "", 1 << 18),
        nested("- ", "", 1 << 19),
        nested("? ", "", 1 << 19),
        nested("? - ", "", 1 << 18),
        nested("[{", "", 1 << 19),
        (0..3000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
        (0..65).fold("a: &a0 [x]\n".to_owned(), |text, n| text + &format!("b{n}: &a{} [*a{n}]\n", n + 1)),
    ] {
        let started = Instant::now();
        let (tree, problems) = parse(&text);
        let shown = &text[..40];
        assert!(tree.is_none() && problems.len() == 1, "{shown} {problems:?}");
        assert!(problems[0].message.contains("nested too deeply"), "{shown} {problems:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{shown} {:?}", started.elapsed());
    }
}

#[test]
fn large_files_are_linear() {
    let megabytes = if cfg!(debug_assertions) { 1 << 20 } else { 10 << 20 };
    let cases = [
        format!("a: |\n{}", "  select 1;\n".repeat(megabytes / 12)),
        format!("a: {}", "x".repeat(megabytes)),
        format!("a: '{}'", "word ".repeat(megabytes / 5)),
        format!("a:\n{}", "  word\n".repeat(megabytes / 7)),
        "- ä\n".repeat(megabytes / 16),
        (0..megabytes / 100).map(|n| format!("k{n}: v # c\n")).collect(),
        format!("[{}]", "a,".repeat(megabytes / 30)),
        "\n".repeat(megabytes),
        format!("a: b{}# c", " ".repeat(megabytes)),
        (0..megabytes / 200).map(|n| format!("k{n}: &a{n} v\n")).collect(),
    ];
    for text in cases {
        let started = Instant::now();
        good(&text);
        let limit = Duration::from_millis(if cfg!(debug_assertions) { 3_000 } else { 900 });
        assert!(started.elapsed() < limit, "{:?} {:?}", &text[..20], started.elapsed());
    }
}

#[test]
fn the_parser_cannot_be_made_to_hoard_tokens() {
    for text in ["[".to_owned() + &"a,".repeat(2_000_000), "{".to_owned() + &"a: [],".repeat(1_000_000)] {
        let (tree, problems) = parse(&text);
        assert!(tree.is_none() && problems.len() == 1, "{problems:?}");
        assert!(problems[0].message.contains("too long"), "{problems:?}");
    }
}
