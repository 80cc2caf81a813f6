//! Findings.

use super::Rule;
use crate::model::Address;
use serde::Serialize;
use std::cmp::Reverse;

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It will do harm one day: to safety, integrity or speed.
    Warning,
    /// Rows of one tenant can be reached by another, or something does not do what it seems to.
    Error,
}

impl Severity {
    /// The gravest first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Note];

    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    pub fn meaning(self) -> &'static str {
        match self {
            Self::Error => "Rows of one tenant can be reached by another, or something does not do what it seems to",
            Self::Warning => "It will do harm one day: to safety, integrity or speed",
            Self::Note => "Worth knowing",
        }
    }
}

/// What a rule found at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static str,
    pub severity: Severity,
    pub address: Address,
    pub message: String,
    /// SQL or YAML that mends it, or words where neither does.
    pub advice: String,
}

impl Finding {
    /// A finding of the rule's own severity.
    pub fn new(rule: &Rule, address: &Address, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            rule: rule.name,
            severity: rule.severity,
            address: address.clone(),
            message: message.into(),
            advice: advice.into(),
        }
    }

    pub fn with(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    fn key(&self) -> (Reverse<Severity>, &Address, &str, &str) {
        (Reverse(self.severity), &self.address, self.rule, &self.message)
    }
}

impl PartialOrd for Finding {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Finding {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
