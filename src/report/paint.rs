//! Colours: what each of them means, once.

use super::text::line;
use anstyle::{AnsiColor, Effects, Style};

/// Paints, or leaves as it is.
#[derive(Clone, Copy)]
pub struct Paint {
    pub color: bool,
}

/// What a piece of text is.
#[derive(Clone, Copy)]
pub enum Tone {
    /// Titles and the names of things.
    Title,
    /// What comes, or is there.
    Add,
    Change,
    /// What goes, or is not there.
    Remove,
    Danger,
    Warning,
    Good,
    /// Of less interest.
    Faint,
}

impl Paint {
    /// One line in a tone; safe for terminals.
    pub fn line(self, tone: Tone, text: &str) -> String {
        self.raw(tone, &line(text))
    }

    /// Text that is safe already.
    pub fn raw(self, tone: Tone, safe: &str) -> String {
        if !self.color || safe.is_empty() {
            return safe.to_owned();
        }
        let style = tone.style();
        format!("{style}{safe}{style:#}")
    }
}

impl Tone {
    fn style(self) -> Style {
        let of = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        match self {
            Self::Title => Style::new().effects(Effects::BOLD),
            Self::Add | Self::Good => of(AnsiColor::Green),
            Self::Change | Self::Warning => of(AnsiColor::Yellow),
            Self::Remove => of(AnsiColor::Red),
            Self::Danger => of(AnsiColor::Red).effects(Effects::BOLD),
            Self::Faint => Style::new().effects(Effects::DIMMED),
        }
    }
}
