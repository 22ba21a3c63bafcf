//! Writes Markdown piece by piece, so that no word of a document is taken for markup.
//! Invariant: the time taken grows with the text only, and indentation is bounded.

use std::fmt::Write;

/// Lists and quotes nested deeper than this stay at this depth.
const NESTING_MAX: usize = 8;
/// Columns of a table; further ones are joined to the last.
const COLUMNS_MAX: usize = 64;

/// A document being written.
#[derive(Default)]
pub struct Writer {
    out: String,
    /// Words of the paragraph being written, escaped.
    inline: String,
    /// A space stands before the next word.
    space: bool,
    /// Open lists.
    lists: usize,
    /// The bullet or number that stands before the item's first words.
    marker: Option<String>,
    quotes: usize,
    /// The last thing written is in the list that is still open.
    tight: bool,
    /// How deep the numbered list is that was written last, while nothing was written outside of it.
    numbered: Option<usize>,
}

impl Writer {
    /// Words, with any white space between them counting as one.
    pub fn text(&mut self, words: &str) {
        for c in words.chars() {
            if c.is_whitespace() {
                self.space = true;
                continue;
            }
            if c.is_control() || c == '\u{ad}' || c == '\u{200b}' {
                continue;
            }
            if std::mem::take(&mut self.space) && !self.inline.is_empty() && !self.inline.ends_with('\n') {
                self.inline.push(' ');
            }
            if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '&' | '~') {
                self.inline.push('\\');
            }
            self.inline.push(c);
        }
    }

    /// Words of code within a sentence.
    pub fn code_span(&mut self, words: &str) {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.is_empty() || words.contains('`') {
            self.text(&words);
            return;
        }
        if std::mem::take(&mut self.space) && !self.inline.is_empty() && !self.inline.ends_with('\n') {
            self.inline.push(' ');
        }
        // Writing to a `String` cannot fail.
        let _ = write!(self.inline, "`{words}`");
    }

    /// A line ends, the paragraph does not.
    pub fn line_break(&mut self) {
        self.space = false;
        let end = self.inline.trim_end().len();
        self.inline.truncate(end);
        if !self.inline.is_empty() {
            self.inline.push('\n');
        }
    }

    /// What was written since is a paragraph, or an item's words.
    pub fn end_paragraph(&mut self) {
        let words = std::mem::take(&mut self.inline);
        self.space = false;
        let words = words.trim();
        if words.is_empty() {
            return;
        }
        let indent = self.begin_block();
        for (n, line) in words.lines().enumerate() {
            if n > 0 {
                self.out.push_str("  \n");
                self.out.push_str(&indent);
            }
            self.out.push_str(&guarded(line));
        }
    }

    /// What was written since is a heading.
    pub fn end_heading(&mut self, level: usize) {
        if self.lists > 0 {
            self.end_paragraph();
            return;
        }
        let words = std::mem::take(&mut self.inline);
        self.space = false;
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.is_empty() {
            return;
        }
        self.begin_block();
        // A closing run of `#` would be taken for markup.
        let words = words.replace('#', "\\#");
        let _ = write!(self.out, "{} {words}", "#".repeat(level.clamp(1, 6)));
    }

    pub fn begin_list(&mut self) {
        self.end_paragraph();
        self.lists += 1;
    }

    pub fn begin_item(&mut self) {
        self.end_paragraph();
        self.marker = Some("- ".to_owned());
    }

    /// An item with the number that stands before it, its sign included: up to nine digits and `.` or `)`.
    pub fn begin_numbered_item(&mut self, number: &str) {
        self.end_paragraph();
        self.marker = Some(format!("{number} "));
        self.numbered = Some(self.lists);
    }

    pub fn end_list(&mut self) {
        self.end_paragraph();
        self.lists = self.lists.saturating_sub(1);
        self.marker = None;
        self.tight = self.tight && self.lists > 0;
    }

    /// What is numbered next is no part of the list that has just ended.
    pub fn end_numbers(&mut self) {
        self.end_paragraph();
        if self.numbered == Some(self.lists + 1) {
            self.begin_block();
            self.out.push_str("<!-- -->");
        }
        self.numbered = None;
    }

    pub fn begin_quote(&mut self) {
        self.end_paragraph();
        self.quotes += 1;
    }

    pub fn end_quote(&mut self) {
        self.end_paragraph();
        self.quotes = self.quotes.saturating_sub(1);
    }

    /// Lines of code, kept as they are.
    pub fn code_block(&mut self, code: &str) {
        self.end_paragraph();
        let code = code.trim_matches('\n').trim_end();
        if code.is_empty() {
            return;
        }
        let fence = "`".repeat(longest_run(code).max(2) + 1);
        let indent = self.begin_block();
        let _ = write!(self.out, "{fence}");
        for line in code.lines().chain([fence.as_str()]) {
            let _ = write!(self.out, "\n{indent}{line}");
        }
    }

    /// Whether what is written now is in a list.
    pub const fn in_list(&self) -> bool {
        self.lists > 0
    }

    /// Rows of cells under a head, which may be empty words: then its cells are. Each cell is plain words.
    pub fn table_under(&mut self, head: &[String], rows: &[Vec<String>]) {
        self.end_paragraph();
        let mut rows: Vec<Vec<String>> = rows.iter().map(|row| cells(row)).filter(|row| !row.is_empty()).collect();
        let columns = rows.iter().map(Vec::len).chain([head.len()]).max().unwrap_or(0).min(COLUMNS_MAX);
        let head = cells(head);
        // One column needs no head, unless it says something.
        if columns > 1 || !head.is_empty() {
            rows.insert(0, head);
        }
        if columns <= 1 || self.lists > 0 {
            // Not a table of anything: its rows are paragraphs.
            for cell in rows.iter().flatten() {
                self.inline.push_str(cell);
                self.end_paragraph();
            }
            return;
        }
        let indent = self.begin_block();
        for (n, row) in rows.iter().enumerate() {
            if n > 0 {
                let _ = write!(self.out, "\n{indent}");
            }
            self.out.push('|');
            for column in 0..columns {
                let _ = write!(self.out, " {} |", row.get(column).map_or("", String::as_str));
            }
            if n == 0 {
                let _ = write!(self.out, "\n{indent}|{}", "---|".repeat(columns));
            }
        }
    }

    /// The document.
    pub fn finish(mut self) -> String {
        self.end_paragraph();
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    /// Goes to a new line and writes what stands before a block; gives the indent of its next lines.
    fn begin_block(&mut self) -> String {
        let quote = "> ".repeat(self.quotes.min(NESTING_MAX));
        let depth = self.lists.min(NESTING_MAX);
        self.numbered = self.numbered.filter(|numbered| *numbered <= self.lists);
        if !self.out.is_empty() {
            // Items of one list stand close together.
            self.out.push_str(if self.tight && depth > 0 { "\n" } else { "\n\n" });
        }
        self.tight = depth > 0;
        self.out.push_str(&quote);
        let indent = format!("{quote}{}", "    ".repeat(depth));
        match self.marker.take() {
            Some(marker) => {
                self.out.push_str(&"    ".repeat(depth.saturating_sub(1)));
                let _ = write!(self.out, "{marker:<4}");
            }
            None => self.out.push_str(&"    ".repeat(depth)),
        }
        indent
    }
}

/// A line that does not begin as markup does.
fn guarded(line: &str) -> String {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=9).contains(&digits) && line[digits..].starts_with(['.', ')']) {
        return format!("{}\\{}", &line[..digits], &line[digits..]);
    }
    if line.starts_with(['#', '>', '-', '+', '=', '|', ':']) { format!("\\{line}") } else { line.to_owned() }
}

fn cells(row: &[String]) -> Vec<String> {
    let mut cells: Vec<String> = Vec::new();
    for cell in row {
        let words = escaped(cell);
        let full = cells.len() >= COLUMNS_MAX;
        match cells.last_mut() {
            Some(last) if full => {
                if !words.is_empty() {
                    last.push(' ');
                    last.push_str(&words);
                }
            }
            _ => cells.push(words),
        }
    }
    if cells.iter().all(String::is_empty) { Vec::new() } else { cells }
}

fn escaped(words: &str) -> String {
    let mut writer = Writer::default();
    writer.text(words);
    writer.inline.replace('|', "\\|")
}

fn longest_run(code: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in code.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
