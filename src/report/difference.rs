//! Differences of texts: unified, three lines of context.

use super::paint::{Paint, Tone};
use super::text::line;
use similar::{ChangeTag, TextDiff};
use std::fmt::Write;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// The difference of two texts, each line after `indent`. Blanks at the end of a changed line and a missing
/// line break at the end of a text are shown.
pub fn unified(old: &str, new: &str, indent: &str, paint: Paint) -> String {
    within(old, new, CONTEXT, indent, paint)
}

/// The same with all lines that are in both: nothing of the new text is left out.
pub fn whole(old: &str, new: &str, indent: &str, paint: Paint) -> String {
    within(old, new, new.len(), indent, paint)
}

fn within(old: &str, new: &str, context: usize, indent: &str, paint: Paint) -> String {
    let mut out = String::new();
    let diff = TextDiff::from_lines(old, new);
    for (at, hunk) in diff.unified_diff().context_radius(context).iter_hunks().enumerate() {
        if at > 0 {
            let _ = writeln!(out, "{indent}{}", paint.raw(Tone::Faint, "..."));
        }
        for change in hunk.iter_changes() {
            let (sign, tone) = match change.tag() {
                ChangeTag::Equal => (' ', None),
                ChangeTag::Delete => ('-', Some(Tone::Remove)),
                ChangeTag::Insert => ('+', Some(Tone::Add)),
            };
            let text = change.value();
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = if tone.is_some() { with_blanks(text) } else { tabbed(text) };
            let text = format!("{sign} {text}");
            let text = text.trim_end();
            let painted = tone.map_or_else(|| text.to_owned(), |tone| paint.raw(tone, text));
            let _ = writeln!(out, "{}", format!("{indent}{painted}").trim_end());
            if change.missing_newline() && old.ends_with('\n') != new.ends_with('\n') {
                let _ = writeln!(out, "{indent}{}", paint.raw(Tone::Faint, "\\ no line break at the end"));
            }
        }
    }
    out
}

/// How alike two texts are, from 0 to 1.
pub fn likeness(old: &str, new: &str) -> f32 {
    TextDiff::from_lines(old, new).ratio()
}

fn tabbed(text: &str) -> String {
    text.split('\t').map(line).collect::<Vec<_>>().join("\t")
}

fn with_blanks(text: &str) -> String {
    let bare = text.trim_end_matches([' ', '\t']);
    let blanks = text[bare.len()..].chars().map(|c| if c == ' ' { r"\x20" } else { r"\t" });
    format!("{}{}", tabbed(bare), blanks.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::{unified, whole, Paint};

    #[test]
    fn nothing_is_left_out_of_the_whole() {
        let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let new = old.replace("7\n", "");
        let text = whole(&old, &new, "", Paint { color: false });
        let kept: String = text.lines().filter(|l| !l.starts_with('-')).map(|l| format!("{}\n", &l[2..])).collect();
        assert_eq!(kept, new);
    }

    #[test]
    fn three_lines_around() {
        let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let new = old.replace("\n5\n", "\nfive \n").replace("20\n", "20");
        let expected = "  2\n  3\n  4\n- 5\n+ five\\x20\n  6\n  7\n  8\n...\n  17\n  18\n  19\n- 20\n+ 20\n\\ no line break at the end\n";
        assert_eq!(unified(&old, &new, "", Paint { color: false }), expected);
    }
}
