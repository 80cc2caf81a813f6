//! Names put into SQL text where placeholders stand, so that each stays one name and nothing more.
//!
//! PostgreSQL's own scanner says what a placeholder is part of: it reads the text with a harmless word in each
//! placeholder's stead. A token that is an identifier is printed anew, quoted where the whole of it needs that;
//! in a string the name is text; in a comment nothing is done.

use super::fragment::Mistake;
use super::parser;
use super::Ident;
use std::ops::Range;

/// The text with a name in the stead of each range, which are in order. Errors: a text that has no tokens, and a
/// placeholder where a name has no safe form (in a dollar-quoted string, in an escape string).
pub fn fill(text: &str, names: &[(Range<usize>, &str)]) -> Result<String, Mistake> {
    // A word that stands nowhere else. Its first letter is in it once, so that it begins nowhere but where it was put.
    let mut word = "name_".to_owned();
    while text.to_ascii_lowercase().contains(&word) {
        word.push('_');
    }
    let mut stood_in = String::new();
    let mut end = 0;
    for (range, _) in names {
        stood_in.push_str(&text[end..range.start]);
        stood_in.push_str(&word);
        end = range.end;
    }
    stood_in.push_str(&text[end..]);
    let mistake = |message: &str| {
        let (offset, written) = names.first().map_or((0, ""), |(range, _)| (range.start, &text[range.clone()]));
        Mistake { offset, message: message.replace(&word, written) }
    };
    let tokens = parser::tokens(&stood_in).map_err(|unread| mistake(&unread.message))?;
    let mut names = names.iter();
    let mut put = |part: &str, value: &dyn Fn(&Range<usize>, &str) -> String| {
        let mut pieces = part.split(&word);
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for (piece, (range, name)) in pieces.zip(&mut names) {
            filled.push_str(&value(range, name));
            filled.push_str(piece);
        }
        filled
    };
    let as_written = |range: &Range<usize>, _: &str| text[range.clone()].to_owned();
    let as_it_is = |_: &Range<usize>, name: &str| name.to_owned();
    let in_string = |_: &Range<usize>, name: &str| name.replace('\'', "''");
    let mut filled = String::new();
    let mut end = 0;
    for token in tokens {
        filled.push_str(&put(&stood_in[end..token.start], &as_written));
        end = token.end;
        if !token.text.contains(&word) {
            filled.push_str(token.text);
        } else if let Some(quoted) = token.text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            filled.push_str(&Ident(&put(&quoted.replace("\"\"", "\""), &as_it_is)).to_string());
        } else if let Some(string) = plain_string(token.text) {
            filled.push_str(&format!("'{}'", put(string, &in_string)));
        } else if is_plain_name(token.text) {
            filled.push_str(&Ident(&put(&token.text.to_ascii_lowercase(), &as_it_is)).to_string());
        } else {
            return Err(mistake(&format!("a name cannot be put into `{}`", token.text)));
        }
    }
    filled.push_str(&put(&stood_in[end..], &as_written));
    Ok(filled)
}

fn is_plain_name(token: &str) -> bool {
    !token.starts_with('$') && token.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
}

/// What is inside a string of the plain sort and of one piece, where nothing but quotes is special.
fn plain_string(token: &str) -> Option<&str> {
    let inside = token.strip_prefix('\'')?.strip_suffix('\'')?;
    (!inside.replace("''", "").contains('\'')).then_some(inside)
}

#[cfg(test)]
mod tests {
    use super::fill;

    /// Fills each `?` of the text.
    fn filled(text: &str, name: &str) -> Option<String> {
        let ranges: Vec<_> = text.match_indices('?').map(|(at, _)| (at..at + 1, name)).collect();
        fill(text, &ranges).ok()
    }

    #[test]
    fn a_name_stays_one_name() {
        let hostile = "a\"; drop 'x' \\ $$ --\n*/";
        let cases = [
            ("? (id)", "orders", Some("orders (id)")),
            ("? (id)", "Orders", Some("\"Orders\" (id)")),
            ("? (id)", "user", Some("\"user\" (id)")),
            ("?.? = old_?_x", "a", Some("a.a = old_a_x")),
            ("OLD_?_x", "A b", Some("\"old_A b_x\"")),
            ("\"Old ?\"", "a", Some("\"Old a\"")),
            ("\"?\"\"\"", "a\"", Some("\"a\"\"\"\"\"")),
            ("'of ?' || ?", "it's", Some("'of it''s' || \"it's\"")),
            ("f('?''?')", "\\'", Some("f('\\''''\\''')")),
            ("a -- ?\n/* ? */ = ?", "*/ b", Some("a -- ?\n/* ? */ = \"*/ b\"")),
            ("name_ = ? and NAME__1", "name__", Some("name_ = name__ and NAME__1")),
            ("?", hostile, Some("\"a\"\"; drop 'x' \\ $$ --\n*/\"")),
            ("'?'", hostile, Some("'a\"; drop ''x'' \\ $$ --\n*/'")),
            ("$$?$$", "a", None),
            ("e'?'", "a", None),
            ("u&\"?\"", "a", None),
            ("'a'\n'?'", "a", None),
            ("1?", "a", None),
            ("'?", "a", None),
        ];
        for (text, name, wanted) in cases {
            assert_eq!(filled(text, name).as_deref(), wanted, "{text} with {name}");
        }
    }
}
