//! What the parser reads from: a `str`, with a limit on the tokens that it keeps in memory.
//!
//! The parser holds all tokens of an outermost `[ ]` or `{ }` before it gives the first event (the
//! whole may turn out to be a key), at some hundred bytes for each byte of the file. Here the text
//! ends when too many tokens were scanned since the last event. The scanner looks for a byte order
//! mark exactly once for each token, which is how they are counted; `tests` notices if that changes.

use std::cell::Cell;
use std::rc::Rc;

use saphyr_parser::input::SkipTabs;
use saphyr_parser::{Input, StrInput};

/// A flow collection of more tokens is not something that people write.
const MAX_TOKENS: usize = 1_000_000;

/// Shared between the input, which the parser owns, and its user.
#[derive(Clone, Default)]
pub struct Meter(Rc<Cell<usize>>);

impl Meter {
    /// To be called at each event.
    pub fn reset(&self) {
        self.0.set(0);
    }

    pub fn is_exceeded(&self) -> bool {
        self.0.get() > MAX_TOKENS
    }

    fn count(&self) {
        self.0.set(self.0.get() + 1);
    }
}

pub struct Metered<'a> {
    text: StrInput<'a>,
    meter: Meter,
}

impl<'a> Metered<'a> {
    pub fn new(text: &'a str, meter: Meter) -> Self {
        Self { text: StrInput::new(text), meter }
    }
}

impl Input for Metered<'_> {
    fn lookahead(&mut self, count: usize) {
        if self.meter.is_exceeded() {
            self.text = StrInput::new("");
        }
        self.text.lookahead(count);
    }

    fn next_char_is(&self, c: char) -> bool {
        if c == '\u{FEFF}' {
            self.meter.count();
        }
        self.text.next_char_is(c)
    }

    fn buflen(&self) -> usize {
        self.text.buflen()
    }

    fn bufmaxlen(&self) -> usize {
        self.text.bufmaxlen()
    }

    fn raw_read_ch(&mut self) -> char {
        self.text.raw_read_ch()
    }

    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        self.text.raw_read_non_breakz_ch()
    }

    fn skip(&mut self) {
        self.text.skip();
    }

    fn skip_n(&mut self, count: usize) {
        self.text.skip_n(count);
    }

    fn peek(&self) -> char {
        self.text.peek()
    }

    fn peek_nth(&self, n: usize) -> char {
        self.text.peek_nth(n)
    }

    fn peek_opt(&self) -> Option<char> {
        self.text.peek_opt()
    }

    // The provided forms of these assert what only a buffered input has to hold.

    fn next_2_are(&self, c1: char, c2: char) -> bool {
        self.text.next_2_are(c1, c2)
    }

    fn next_3_are(&self, c1: char, c2: char, c3: char) -> bool {
        self.text.next_3_are(c1, c2, c3)
    }

    fn next_is_document_indicator(&self) -> bool {
        self.text.next_is_document_indicator()
    }

    fn next_is_document_start(&self) -> bool {
        self.text.next_is_document_start()
    }

    fn next_is_document_end(&self) -> bool {
        self.text.next_is_document_end()
    }

    fn skip_ws_to_eol(&mut self, skip_tabs: SkipTabs) -> (usize, Result<SkipTabs, &'static str>) {
        self.text.skip_ws_to_eol(skip_tabs)
    }
}
