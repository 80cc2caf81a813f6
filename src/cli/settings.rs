//! `pgplumb.yaml`: the settings of a project.

use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The settings file as written. Paths are relative to the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    declaration: Option<PathBuf>,
    plans: Option<PathBuf>,
    scratch: Option<String>,
    targets: BTreeMap<String, TargetWritten>,
    lock_timeout: Option<String>,
    attempts: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TargetWritten {
    /// A URL in which `${NAME}` is a variable of the environment.
    url: Option<String>,
    /// Hazards that may never happen there, whatever a plan allows.
    never: Vec<crate::kinds::Hazard>,
}

/// The settings of a project.
#[derive(Clone, Debug, Default)]
pub struct Project {
    root: PathBuf,
    written: Written,
}

impl Project {
    /// Reads the named file, or `pgplumb.yaml` if it is there.
    pub fn read(named: Option<&Path>) -> Result<Self> {
        let path = named.unwrap_or(Path::new("pgplumb.yaml"));
        if named.is_none() && !path.exists() {
            return Ok(Self::default());
        }
        let text =
            std::fs::read_to_string(path).map_err(|e| Error::new(format!("cannot read {}: {e}", path.display())))?;
        let written = if text.trim().is_empty() {
            Written::default()
        } else {
            serde_yaml::from_str(&text).map_err(|e| Error::new(format!("{}: {e}", path.display())))?
        };
        Ok(Self { root: path.parent().map(Path::to_path_buf).unwrap_or_default(), written })
    }

    pub fn declaration(&self) -> PathBuf {
        self.root.join(self.written.declaration.clone().unwrap_or_else(|| "schema".into()))
    }

    /// The directory for plan files.
    pub fn plans(&self) -> PathBuf {
        self.root.join(self.written.plans.clone().unwrap_or_else(|| "plans".into()))
    }

    pub fn scratch(&self) -> Option<String> {
        self.written.scratch.clone()
    }

    /// How long a statement waits for a lock before the batch is tried again.
    pub fn lock_timeout(&self) -> Option<&str> {
        self.written.lock_timeout.as_deref()
    }

    /// How often a batch is tried when it does not get its locks.
    pub fn attempts(&self) -> Option<u32> {
        self.written.attempts
    }

    /// Hazards that may never happen on a target.
    pub fn never(&self, target: Option<&str>) -> &[crate::kinds::Hazard] {
        target.and_then(|name| self.written.targets.get(name)).map_or(&[], |t| &t.never)
    }

    /// The URL of a named target.
    pub fn target_url(&self, name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String> {
        let Some(target) = self.written.targets.get(name) else {
            let known = self.written.targets.keys().cloned().collect::<Vec<_>>().join(", ");
            let hint = if known.is_empty() {
                "name targets under `targets:` in pgplumb.yaml".into()
            } else {
                format!("known: {known}")
            };
            return Err(Error::new(format!("there is no target `{name}`")).with_hint(hint));
        };
        let Some(url) = &target.url else {
            return Err(Error::new(format!("target `{name}` has no url")).with_hint("write `url: ${SOME_VARIABLE}`"));
        };
        let mut text = String::new();
        let mut rest = url.as_str();
        while let Some(start) = rest.find("${") {
            text.push_str(&rest[..start]);
            let Some(end) = rest[start..].find('}') else { break };
            let variable = &rest[start + 2..start + end];
            let value = env(variable).ok_or_else(|| {
                Error::new(format!("target `{name}` needs the variable {variable}, which is not set"))
            })?;
            text.push_str(&value);
            rest = &rest[start + end + 1..];
        }
        text.push_str(rest);
        Ok(text)
    }
}
