//! Hostile YAML: whatever the bytes, reading ends soon and does not panic; and whatever a text, it
//! comes back as it was after `serde_yaml` wrote it. The same inputs in each run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgplumb::yaml::{read, Scalar, Value, Yaml};

const ITERATIONS: usize = 20_000;

const SEEDS: &[&str] = &[
    "pgplumb: 1\nschemas: [public, \"Odd\"]\ntables:\n  a.b:\n    columns:\n      id: uuid primary key # key\n      t:\n        type: text\n        default: \"'x\\t'\"\n",
    "indexes:\n  i: { using: gin, keys: a, b, with: { lists: 100 } }\ngrants: { app: [select, insert] }\n? x\n: y\n",
    "functions:\n  f(a int):\n    body: |\n      select 1;\n\n        -- ä\n    query: >-\n      a\n      b\n\n      c\n    c: 'it''s\n      folded'\n",
    "a: &x [1, 2, {b: c}]\nb: *x\nc: &y\n  - *x\n  - &z d\nd: [*y, *z]\n--- # two\ne: !!str f\n<<: *x\n",
    "- - a\n  - ~\n- \"\\u00e4\\x41\"\n-\n- k: v\n  l:\n  - m\n- plain\n  folded # c\n- []\n- {}\n",
];

const TOKENS: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ",",
    ": ",
    ":",
    "- ",
    "-",
    "? ",
    "?",
    "|",
    ">",
    "|2+\n",
    ">-\n",
    "'",
    "\"",
    "\\",
    "\\x",
    "#",
    " #",
    "&a ",
    "*a",
    "&",
    "*",
    "!",
    "!!",
    "!<",
    "!x!",
    "%",
    "%YAML 1.2\n",
    "%TAG ! x\n",
    "---",
    "\n---\n",
    "...",
    "\n...\n",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "  ",
    "<<: ",
    "~",
    "null",
    "@",
    "`",
    "\u{FEFF}",
    "\u{85}",
    "\u{2028}",
    "ä",
    "𝄞",
    "\0",
    "\u{1}",
    "\x7f",
    "a: b\n",
    "[[[[[[[[",
    "{{{{{{{{",
    "- - - - - ",
    "? ? ? ? ",
    "*a *a",
    "\"\\U00110000\"",
    "\"\\0\"",
    "=",
    "\"\\\n",
];

#[test]
fn mutations_neither_panic_nor_hang() {
    let file = Arc::new(PathBuf::from("fuzz.yaml"));
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for iteration in 0..ITERATIONS {
        let bytes = mutated(&mut random);
        let started = Instant::now();
        let mut problems = Vec::new();
        let tree = read(&file, &bytes, &mut problems);
        let took = started.elapsed();
        let shown = String::from_utf8_lossy(&bytes);
        assert!(took < Duration::from_secs(1), "iteration {iteration} took {took:?}: {shown:?}");
        assert!(tree.is_some() || !problems.is_empty(), "iteration {iteration}: nothing said of {shown:?}");
        for problem in &problems {
            assert!(problem.hint.as_ref().is_some_and(|hint| !hint.is_empty()), "{problem} lacks a hint: {shown:?}");
            assert!(problem.pos.line >= 1 && problem.pos.column >= 1, "{problem}: {shown:?}");
        }
        if let Some(tree) = &tree {
            let text =
                String::from_utf8(bytes).expect("a tree comes from text").replace("\r\n", "\n").replace('\r', "\n");
            let lines: Vec<&str> = text.trim_start_matches('\u{FEFF}').split('\n').collect();
            walk(tree, &mut |scalar| check_positions(scalar, &lines));
        }
    }
}

/// Each position lies in the file, and where one is said to be exact it holds that character.
fn check_positions(scalar: &Scalar, lines: &[&str]) {
    for (byte, c) in scalar.text.char_indices() {
        let pos = scalar.position_of(byte);
        let line = lines.get(pos.line as usize - 1).unwrap_or_else(|| panic!("{pos} of {scalar:?} in {lines:?}"));
        let there = line.chars().chain(['\n']).nth(pos.column as usize - 1);
        let exact = pos != scalar.pos && c != '\n';
        assert!(!exact || there == Some(c), "{pos} of {scalar:?} holds {there:?}, not {c:?}, in {lines:?}");
    }
    scalar.position_of(usize::MAX);
}

fn walk(node: &Yaml, see: &mut impl FnMut(&Scalar)) {
    match &node.value {
        Value::Scalar(scalar) => see(scalar),
        Value::List(items) => items.iter().for_each(|item| walk(item, see)),
        Value::Map(entries) => entries.iter().for_each(|(key, value)| {
            see(key);
            walk(value, see);
        }),
    }
}

#[test]
fn what_serde_yaml_writes_reads_back() {
    let file = Arc::new(PathBuf::from("written.yaml"));
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    for _ in 0..ITERATIONS / 10 {
        let texts: Vec<String> = (0..8).map(|_| random.text()).collect();
        let map: serde_yaml::Mapping =
            texts.iter().enumerate().map(|(n, text)| (format!("k{n}").into(), text.clone().into())).collect();
        let written = serde_yaml::to_string(&map).expect("strings can be written");
        let mut problems = Vec::new();
        let tree = read(&file, written.as_bytes(), &mut problems);
        assert!(problems.is_empty(), "{problems:?} in {written:?}");
        let Some(Yaml { value: Value::Map(entries), .. }) = tree else { panic!("no map in {written:?}") };
        let back = entries.iter().map(|(_, value)| match &value.value {
            Value::Scalar(scalar) => scalar.text.as_str(),
            Value::List(_) | Value::Map(_) => panic!("no text in {written:?}"),
        });
        assert!(back.eq(texts.iter().map(String::as_str)), "{texts:?} became {entries:?} by {written:?}");
    }
}

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(SEEDS).as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let (at, to) = (random.below(bytes.len() + 1), random.below(bytes.len() + 1));
        let (from, to) = (at.min(to), at.max(to));
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(from..to)),
            3 if bytes.len() < 4096 => {
                let part = bytes[from..to].repeat(1 + random.below(3));
                drop(bytes.splice(at..at, part));
            }
            4 => {
                let token = random.pick(TOKENS).repeat(1 + random.below(80));
                drop(bytes.splice(at..at, token.into_bytes()));
            }
            5 => {
                let other = random.pick(SEEDS).as_bytes();
                let start = random.below(other.len());
                drop(bytes.splice(at..at, other[start..].to_vec()));
            }
            _ => {
                let token = random.pick(TOKENS).as_bytes().to_vec();
                drop(bytes.splice(at..at, token));
            }
        }
    }
    bytes
}

/// xorshift64
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// Text that may be in a declaration: anything but NUL. Not the line and paragraph separators
    /// and NEL, which `serde_yaml` writes as line breaks (YAML 1.1) and YAML 1.2 reads as text.
    fn text(&mut self) -> String {
        let parts = self.below(9);
        let text: String = (0..parts)
            .map(|_| match self.below(4) {
                0 => char::from_u32(self.next() as u32 % 0x2FF).unwrap_or(' ').to_string(),
                1 => ["\n", " ", "\n  ", "select 'a'", ";\n", "ab", "\n\n"][self.below(7)].to_owned(),
                _ => self.pick(TOKENS).to_owned(),
            })
            .collect();
        text.replace(['\0', '\u{85}', '\u{2028}', '\u{2029}'], "")
    }
}
