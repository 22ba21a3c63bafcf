//! Finds the code in a reply: text in code is shown as it is.
//! Invariant: a pure fold over characters; how they were cut into pieces makes no difference.

/// A line that begins with so much white space, after an empty one, is code.
const INDENT: usize = 4;
/// The shortest fence of a code block, in characters.
const FENCE: usize = 3;

/// Reads along with a reply in Markdown.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// The fence of the block that is open.
    fence: Option<(char, usize)>,
    /// Still on the line of the opening fence.
    opening: bool,
    /// A closing fence was seen, and nothing behind it yet.
    closing: bool,
    /// The back-ticks that opened a span.
    span: Option<usize>,
    /// Back-ticks or tildes in a row, just now, and whether the line began with them.
    run: Option<(char, usize, bool)>,
    /// White space at the line's beginning, while there is nothing else on it.
    indent: usize,
    /// Something else stands on the line.
    filled: bool,
    /// The line before was empty, and not the reply's first.
    after_empty: bool,
    /// This line is code by its indent.
    indented: bool,
}

impl Code {
    /// The next character of what is shown.
    pub(super) fn step(&mut self, c: char) {
        if c == '\n' {
            return self.end_line();
        }
        if !self.filled && matches!(c, ' ' | '\t') {
            self.indent += if c == '\t' { INDENT } else { 1 };
            return;
        }
        if matches!(c, '`' | '~') {
            match &mut self.run {
                Some((last, length, _)) if *last == c => *length += 1,
                _ => {
                    self.end_run();
                    self.run = Some((c, 1, !self.filled && self.indent < INDENT));
                }
            }
        } else {
            self.end_run();
            self.closing &= c.is_whitespace();
        }
        self.fill();
    }

    /// Another kind of character follows: decides what the back-ticks before it were.
    pub(super) fn end_run(&mut self) {
        let Some((c, length, at_start)) = self.run.take() else { return };
        match self.fence {
            // An opening fence has no back-tick behind it: this is a span that began a line.
            Some((fence, opened)) if self.opening && fence == '`' && c == '`' => {
                self.fence = None;
                self.span = (length != opened).then_some(opened);
            }
            Some((fence, opened)) => self.closing |= at_start && c == fence && length >= opened,
            None if at_start && length >= FENCE => {
                self.fence = Some((c, length));
                self.opening = true;
            }
            None if c == '`' => {
                self.span = match self.span {
                    Some(opened) if opened == length => None,
                    open => open.or(Some(length)),
                };
            }
            None => {}
        }
    }

    /// Whether what comes next stands in a block of code.
    pub(super) fn in_block(&self) -> bool {
        let indents = !self.filled && self.indent >= INDENT && self.after_empty;
        self.fence.is_some() || self.indented || indents
    }

    /// The back-ticks that would close the span in which the next character stands, if it is one:
    /// that is known only when they have come.
    pub(super) fn span(&self) -> Option<usize> {
        self.span
    }

    /// That back-tick opened no span after all.
    pub(super) fn no_span(&mut self) {
        self.span = None;
    }

    fn fill(&mut self) {
        if !self.filled {
            self.indented = self.fence.is_none() && self.indent >= INDENT && self.after_empty;
            self.filled = true;
        }
    }

    fn end_line(&mut self) {
        self.end_run();
        if self.closing {
            self.fence = None;
        }
        // Lines of code by indent follow each other without an empty one between.
        self.after_empty = !self.filled || self.indented;
        (self.closing, self.opening, self.span, self.indented) = (false, false, None, false);
        (self.filled, self.indent) = (false, 0);
    }
}
