//! Names of files for things with any name: plain, short, and different on every file system.

use std::collections::HashSet;

/// Bytes of a file's name without its suffix.
const LONGEST: usize = 100;

/// Names that some systems keep for devices, whatever the suffix.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The paths given until now.
pub struct Paths {
    taken: HashSet<String>,
}

impl Paths {
    pub fn new(first: &str) -> Self {
        Self { taken: HashSet::from([first.to_owned()]) }
    }

    /// A file at the top.
    pub fn top(&mut self, key: &str) -> String {
        self.free(&plain(key))
    }

    /// A file in the directory of a key.
    pub fn within(&mut self, directory: &str, name: &str) -> String {
        self.free(&format!("{}/{}", plain(directory), plain(name)))
    }

    fn free(&mut self, stem: &str) -> String {
        let mut path = format!("{stem}.yaml");
        let mut number = 1_u32;
        while !self.taken.insert(path.clone()) {
            number += 1;
            path = format!("{stem}-{number}.yaml");
        }
        path
    }
}

/// Lower-case letters, digits, `_`, and dots only inside.
fn plain(name: &str) -> String {
    let mut out: String = name
        .chars()
        .filter(|c| *c != '"')
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' })
        .take(LONGEST)
        .collect();
    out = out.trim_matches('.').to_owned();
    let device = out.split('.').next().is_some_and(|stem| {
        let numbered = (stem.starts_with("com") || stem.starts_with("lpt")) && stem.len() == 4;
        DEVICES.contains(&stem) || numbered
    });
    if out.is_empty() || device {
        out.insert(0, '_');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Paths;

    #[test]
    fn names_are_safe_and_differ() {
        let mut paths = Paths::new("schema.yaml");
        let names = [
            "orders",
            "\"Orders\"",
            "app.orders",
            "\"../x\"",
            "..",
            "\"a/b\"",
            "\"a\\b\"",
            "con",
            "com1.x",
            "é",
            "ü",
            "\"a\nb\"",
        ];
        let found: Vec<String> = names.iter().map(|name| paths.within("tables", name)).collect();
        let wanted = [
            "tables/orders.yaml",
            "tables/orders-2.yaml",
            "tables/app.orders.yaml",
            "tables/_x.yaml",
            "tables/_.yaml",
            "tables/a_b.yaml",
            "tables/a_b-2.yaml",
            "tables/_con.yaml",
            "tables/_com1.x.yaml",
            "tables/_-2.yaml",
            "tables/_-3.yaml",
            "tables/a_b-3.yaml",
        ];
        assert_eq!(found, wanted);
        assert_eq!(paths.within("tables", &"x".repeat(300)).len(), "tables/.yaml".len() + 100);
        assert_eq!(paths.top("schema"), "schema-2.yaml");
    }
}
