//! Texts that a declaration keeps in files of their own (`file:`).
//!
//! Such a file lies in the directory of the declaration or below it; nothing leads out of there, so that
//! a declaration from a stranger cannot read what it should not.

use super::Drafts;
use crate::error::{Pos, Problem};
use crate::yaml::Scalar;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

const MAX_BYTES: u64 = 16 << 20;

/// A text and the file it came from.
pub struct Included {
    pub text: String,
    file: Arc<PathBuf>,
}

impl Included {
    /// Where in the file a byte of the text stands.
    pub fn position_of(&self, offset: usize) -> Pos {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Pos { file: self.file.clone(), line: narrow(line), column: narrow(column) }
    }
}

/// Reads the file that a scalar names; what is wrong with it goes to the problems.
pub fn include(name: &Scalar, out: &mut Drafts) -> Option<Included> {
    match read(&out.directory, &name.text) {
        Ok((text, file)) => Some(Included { text, file: Arc::new(file) }),
        Err(reason) => {
            let problem = Problem::new(&name.pos, format!("file `{}` {reason}", super::form::brief(&name.text)));
            out.problems.push(problem.hint("name a text file in or below the directory of this declaration"));
            None
        }
    }
}

fn read(directory: &Path, name: &str) -> Result<(String, PathBuf), String> {
    let relative = Path::new(name);
    if !relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
        return Err("is outside the declaration".into());
    }
    let written = directory.join(relative);
    let words = |error: std::io::Error| format!("cannot be read: {}", error.to_string().to_lowercase());
    let (root, path) = (directory.canonicalize().map_err(words)?, written.canonicalize().map_err(words)?);
    if !path.starts_with(&root) {
        return Err("leads outside the declaration".into());
    }
    let about = path.metadata().map_err(words)?;
    if !about.is_file() {
        return Err("is not a file".into());
    }
    if about.len() > MAX_BYTES {
        return Err(format!("has {} bytes, more than the limit of 16 MiB", about.len()));
    }
    let text = String::from_utf8(std::fs::read(&path).map_err(words)?).map_err(|_| "is not UTF-8".to_owned())?;
    match text.find('\0') {
        Some(_) => Err("holds a NUL byte".into()),
        None => Ok((text, written)),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn nothing_outside_is_read() -> std::io::Result<()> {
        let outer = tempfile::tempdir()?;
        let root = outer.path().join("schema");
        std::fs::create_dir_all(root.join("sql"))?;
        std::fs::write(outer.path().join("secret"), "s")?;
        std::fs::write(root.join("sql/f.sql"), "select 1\r\n")?;
        std::fs::write(root.join("bad"), [0xFF])?;
        std::os::unix::fs::symlink(outer.path().join("secret"), root.join("link"))?;
        assert_eq!(read(&root, "sql/f.sql").map(|(text, _)| text).as_deref(), Ok("select 1\r\n"));
        assert_eq!(read(&root, "./sql/f.sql").map(|(text, _)| text).as_deref(), Ok("select 1\r\n"));
        let absolute = outer.path().join("secret");
        for name in ["../secret", "sql/../../secret", "link", "sql", "bad", "absent", &absolute.to_string_lossy()] {
            assert!(read(&root, name).is_err(), "{name}");
        }
        Ok(())
    }
}
