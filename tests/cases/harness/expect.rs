//! What a case expects beyond the rules for all: `expect.yaml`.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// All keys are optional; without the file, a plan without any hazard that needs leave is expected.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The majors it is for; all if empty.
    pub majors: Vec<u32>,
    /// Extensions that the server must have.
    pub needs: Vec<String>,
    /// A text of the error that planning ends with.
    pub refuses: Option<String>,
    /// A text of the reason why the plan cannot be rehearsed.
    pub not_rehearsed: Option<String>,
    /// A text of what is measured though nobody announced it, because only a server can know.
    pub measured: Option<String>,
    /// The hazards that need leave, no more and no less: `data_loss:table public.x`.
    pub hazards: Vec<String>,
    /// Texts of the plan's statements and hazards.
    pub contains: Vec<String>,
    /// Texts that are not in it.
    pub lacks: Vec<String>,
    /// Whether nothing is to be done.
    pub nothing: bool,
    /// A text of the error that applying ends with; the database is then as before, or the way back leads there.
    pub fails: Option<String>,
    /// Queries and what psql prints for them after the plan was applied; what they write is not kept.
    pub rows: BTreeMap<String, String>,
    /// Renamed tables and columns: the name before to the name after, `public.t` or `public.t.c`.
    pub renamed: BTreeMap<String, String>,
    /// Tables and columns whose values change: `public.t` or `public.t.c`.
    pub changed: Vec<String>,
    /// Entries of the result's dump that are not compared, by a text in them; say why in a comment.
    pub except: Vec<String>,
    /// The same for the dump after the way back.
    pub undo_except: Vec<String>,
    /// Whether the state before agrees with the declaration in the eyes of pgplumb once it has come back.
    pub undo_agrees: bool,
    /// A text of the error that the way back ends with.
    pub no_undo: Option<String>,
}

impl Expect {
    pub fn read(path: &Path) -> Result<Self, String> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        serde_yaml::from_str(&text).map_err(|error| error.to_string())
    }
}
