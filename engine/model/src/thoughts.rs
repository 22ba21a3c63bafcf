//! Takes thoughts out of a reply while it streams: whatever dialect brought it, thoughts are never shown.
//! Invariant: the words that come out depend on the words that went in, never on where they were cut.

use schema::limits::REPLY_BYTES_MAX;

use super::markdown::Code;
use super::tags::{Look, Tag, begins, look};
use super::{Chunk, Stop};

/// How far a span of code that shows a mark may reach before it is taken for none.
const SPAN_BYTES_MAX: usize = 512;
/// The longest head of a message.
const HEAD_BYTES_MAX: usize = 256;
/// White space kept between what stands before a thought and what stands behind it.
const GAP_BYTES_MAX: usize = 64;

/// Folds a reply's text into what may be shown of it.
///
/// A mark in a block or a span of code is shown as it is, and so is one that stands in words as if they were
/// about it: a head in its middle, the end of a message before its end. A thought that does not end has
/// none of it shown. The end of a thought that had no beginning takes back all words since the last such end.
#[derive(Debug)]
pub(super) struct Thoughts {
    place: Place,
    code: Code,
    /// What may become a mark.
    held: String,
    /// A mark within back-ticks, and what followed it: code only if the back-ticks close.
    span: Option<(usize, String)>,
    /// The end of a thought behind a back-tick: shown in the thought if another follows.
    quoted: bool,
    /// White space after a thought.
    gap: Option<String>,
    /// Anything that can be seen has been said.
    said: bool,
    /// The same at the end of the last thought.
    said_before: bool,
    /// Bytes said since the last thought.
    since: usize,
    /// That the reply begins with the answer is known.
    sure: bool,
    /// The end of a thought, in the middle of a line of a reply that surely began with the answer: a part of
    /// that if the sentence goes on.
    lone: String,
    /// A mark that ends messages, and the white space after it: left out if nothing follows.
    over: String,
    /// A mark has divided this reply: from then on the others mean what they say.
    marked: bool,
    /// The last character, shown or not.
    last: char,
    /// The last character that was shown.
    shown: char,
    /// What this reply taught about its model.
    lesson: Option<Begins>,
}

/// How a model's replies begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// With the answer, or with a thought that says so.
    Openly,
    /// In the middle of a thought: its chat template has written the opening mark.
    InThought,
    /// With the answer, and so they go on: the server keeps thoughts apart, and no mark is one.
    Apart,
}

#[derive(Debug)]
enum Place {
    /// Words of the answer, which are shown.
    Answer,
    /// Words of a thought, which are not shown.
    Thought,
    /// What is a thought if the end of one follows, and else was the answer.
    Unsure(String),
    /// A thought that began in the middle of a line, with its mark: the answer, if it does not end.
    Aside(String),
    /// The head of a message with its mark, in a thought or in the answer.
    Head { text: String, in_thought: bool },
    /// The answer, with whatever stands in it.
    All,
}

/// What comes out of some characters.
#[derive(Default)]
struct Out {
    chunks: Vec<Chunk>,
    text: String,
    thought: bool,
}

impl Out {
    fn unsay(&mut self, bytes: usize) {
        // What is not out yet need not be taken back.
        let kept = self.text.len().saturating_sub(bytes);
        let rest = bytes - (self.text.len() - kept);
        self.text.truncate(kept);
        self.flush();
        if rest > 0 {
            self.chunks.push(Chunk::Unsaid { bytes: rest });
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.chunks.push(Chunk::Text(std::mem::take(&mut self.text)));
        }
    }
}

impl Thoughts {
    /// At the beginning of a reply.
    pub(super) fn new(begins: Begins) -> Self {
        Self {
            place: match begins {
                Begins::Openly => Place::Answer,
                Begins::InThought => Place::Unsure(String::new()),
                Begins::Apart => Place::All,
            },
            code: Code::default(),
            held: String::new(),
            span: None,
            quoted: false,
            gap: None,
            said: false,
            said_before: false,
            since: 0,
            sure: false,
            lone: String::new(),
            over: String::new(),
            marked: false,
            last: '\n',
            shown: '\n',
            lesson: None,
        }
    }

    /// Whether how it begins is known, and no guess.
    pub(super) fn is_sure(&mut self, sure: bool) {
        self.sure = sure;
    }

    /// What this reply has taught so far about how its model begins.
    pub(super) fn lesson(&self) -> Option<Begins> {
        self.lesson
    }

    /// More of the reply's text.
    pub(super) fn feed(&mut self, text: &str, chunks: &mut Vec<Chunk>) {
        if matches!(self.place, Place::All) {
            chunks.extend((!text.is_empty()).then(|| Chunk::Text(text.to_owned())));
            return;
        }
        let mut out = Out::default();
        for c in text.chars() {
            self.take(c, &mut out);
        }
        Self::give(out, chunks);
    }

    /// The model thinks in a field of its own: then its text is answer from the beginning.
    pub(super) fn thinks_apart(&mut self, chunks: &mut Vec<Chunk>) {
        if let Place::Unsure(text) = &mut self.place {
            let text = std::mem::take(text);
            self.place = Place::Answer;
            self.lesson = Some(Begins::Openly);
            self.feed(&text, chunks);
        }
    }

    /// The reply is over, with the model's own word or (`None`) without.
    pub(super) fn finish(&mut self, stop: Option<Stop>, chunks: &mut Vec<Chunk>) {
        let mut out = Out::default();
        if let Some((ticks, span)) = self.span.take() {
            self.end_span(ticks, &span, &mut out);
        }
        // The beginning of a mark that never came.
        for c in std::mem::take(&mut self.held).chars() {
            self.plain(c, &mut out);
        }
        if !self.lone.is_empty() {
            let lone = std::mem::take(&mut self.lone);
            self.answer_with(&lone, &mut out);
        }
        match &mut self.place {
            Place::Aside(text) if stop == Some(Stop::Completed) => {
                let text = std::mem::take(text);
                self.answer_with(&text, &mut out);
            }
            Place::Unsure(text) if stop == Some(Stop::Completed) => {
                let text = std::mem::take(text);
                self.place = Place::Answer;
                for c in text.chars() {
                    self.plain(c, &mut out);
                }
            }
            Place::Head { text, in_thought: false } if self.said => {
                let text = std::mem::take(text);
                self.answer_with(&text, &mut out);
            }
            _ => {}
        }
        if stop == Some(Stop::Completed) && self.said && !self.marked {
            self.lesson = Some(Begins::Openly);
        }
        Self::give(out, chunks);
    }

    fn give(mut out: Out, chunks: &mut Vec<Chunk>) {
        let thought = out.thought && out.text.is_empty() && out.chunks.is_empty();
        out.flush();
        chunks.append(&mut out.chunks);
        if thought {
            chunks.push(Chunk::Thinking);
        }
    }

    fn take(&mut self, c: char, out: &mut Out) {
        if !self.lone.is_empty() {
            let lone = std::mem::take(&mut self.lone);
            if c == ' ' || (c.is_ascii_punctuation() && !begins(c)) {
                self.answer_with(&lone, out);
            } else {
                self.marked = true;
                self.unsay(out);
            }
        }
        if let Some((ticks, mut span)) = self.span.take() {
            if (c == '`' || !closes(&span, ticks)) && c != '\n' && span.len() < SPAN_BYTES_MAX {
                span.push(c);
                self.span = Some((ticks, span));
                return;
            }
            self.end_span(ticks, &span, out);
            return self.take(c, out);
        }
        if std::mem::take(&mut self.quoted) && c != '`' {
            self.answers();
        }
        if self.held.is_empty() && !(begins(c) && self.may_begin()) {
            return self.plain(c, out);
        }
        self.held.push(c);
        match look(&self.held) {
            Look::Maybe => {}
            Look::Is(tag) => {
                let mark = std::mem::take(&mut self.held);
                self.on_tag(tag, mark, out);
            }
            Look::No => {
                // Its first character began nothing; one of the others may.
                let held = std::mem::take(&mut self.held);
                let mut rest = held.chars();
                if let Some(first) = rest.next() {
                    self.plain(first, out);
                }
                for c in rest {
                    self.take(c, out);
                }
            }
        }
    }

    /// Whether a mark would be one here.
    fn may_begin(&mut self) -> bool {
        if !matches!(self.place, Place::Answer) {
            return true;
        }
        self.code.end_run();
        !self.code.in_block()
    }

    /// A mark within back-ticks was followed by back-ticks that close, or it was none of code.
    fn end_span(&mut self, ticks: usize, span: &str, out: &mut Out) {
        let code = closes(span, ticks);
        if !code {
            self.code.no_span();
        }
        for c in span.chars() {
            if code { self.plain(c, out) } else { self.take(c, out) }
        }
    }

    fn on_tag(&mut self, tag: Tag, mark: String, out: &mut Out) {
        let (marked, said) = (self.marked, self.said);
        let in_line = said && self.shown != '\n' && !self.gap.as_ref().is_some_and(|gap| gap.contains('\n'));
        let in_words = in_line && matches!(self.place, Place::Answer);
        self.marked |= !said || (!in_words && matches!(tag, Tag::Open | Tag::Close));
        match (&mut self.place, tag) {
            (Place::Answer, tag) => match (self.code.span(), tag) {
                (Some(ticks), _) => self.span = Some((ticks, mark)),
                (None, Tag::Open) if in_words => {
                    out.thought = true;
                    self.place = Place::Aside(mark);
                }
                (None, Tag::Open) => {
                    if !self.said {
                        self.lesson = Some(Begins::Openly);
                    }
                    self.place = Place::Thought;
                    out.thought = true;
                }
                (None, Tag::Close) if in_words && self.sure => self.lone = mark,
                (None, Tag::Close) => {
                    self.marked = true;
                    self.unsay(out);
                }
                // A message begins where none has, or where one has ended.
                (None, Tag::Head) if said && self.over.is_empty() => self.answer_with(&mark, out),
                (None, Tag::Head) => {
                    let text = std::mem::take(&mut self.over) + &mark;
                    self.place = Place::Head { text, in_thought: false };
                }
                (None, Tag::Answer | Tag::Wrap | Tag::Body | Tag::Over) if marked || !said => {}
                (None, Tag::Body | Tag::Wrap) => self.answer_with(&mark, out),
                (None, Tag::Answer | Tag::Over) => {
                    self.end_message(out);
                    self.over = mark;
                }
            },
            (Place::Head { text, .. }, Tag::Body) => {
                let answer = text.contains("final");
                self.marked = true;
                self.place = Place::Thought;
                if answer {
                    self.answers();
                }
            }
            // What looked like a head was a word in the thought that ends here.
            (Place::Head { in_thought: true, .. }, Tag::Close) => {
                self.marked = true;
                self.answers();
            }
            (Place::Head { text, .. }, _) => text.push_str(&mark),
            (Place::All, _) => {}
            (Place::Unsure(text), Tag::Open) if text.trim().is_empty() => {
                self.lesson = Some(Begins::Openly);
                self.place = Place::Thought;
            }
            (Place::Thought | Place::Unsure(_), Tag::Open | Tag::Body | Tag::Wrap) => {}
            (Place::Aside(text), Tag::Open | Tag::Body | Tag::Wrap) => text.push_str(&mark),
            (Place::Thought | Place::Aside(_) | Place::Unsure(_), Tag::Head) => {
                self.place = Place::Head { text: mark, in_thought: true }
            }
            (Place::Thought | Place::Aside(_) | Place::Unsure(_), Tag::Close) if self.last == '`' => self.quoted = true,
            (Place::Thought | Place::Aside(_) | Place::Unsure(_), Tag::Close | Tag::Answer | Tag::Over) => {
                self.marked = true;
                self.answers();
            }
        }
    }

    /// A thought is over.
    fn answers(&mut self) {
        if matches!(&self.place, Place::Unsure(text) if !text.trim().is_empty()) {
            self.lesson = Some(Begins::InThought);
        }
        self.place = Place::Answer;
        self.gap = Some(String::new());
        (self.since, self.said_before) = (0, self.said);
        self.last = self.shown;
    }

    /// What looked like answer was a thought.
    fn unsay(&mut self, out: &mut Out) {
        if !self.said_before {
            self.lesson = Some(Begins::InThought);
        }
        out.unsay(self.since);
        out.thought = true;
        self.said = self.said_before;
        self.code = Code::default();
        self.shown = '\n';
        self.answers();
    }

    /// A character that is no part of a mark.
    fn plain(&mut self, c: char, out: &mut Out) {
        self.last = c;
        match &mut self.place {
            Place::Answer => {
                // What stands before the first word makes no code of it.
                if self.said || !c.is_whitespace() {
                    self.code.step(c);
                }
                if !self.over.is_empty() {
                    if c.is_whitespace() {
                        return self.over.push(c);
                    }
                    self.end_message(out);
                }
                self.show(c, out);
            }
            Place::Thought => out.thought = true,
            Place::Aside(text) => {
                out.thought = true;
                text.push(c);
                if text.len() > REPLY_BYTES_MAX {
                    self.place = Place::Thought;
                }
            }
            Place::Unsure(text) => {
                out.thought = true;
                text.push(c);
                if text.len() > REPLY_BYTES_MAX {
                    self.place = Place::Thought;
                }
            }
            Place::Head { text, in_thought } => {
                text.push(c);
                if text.len() > HEAD_BYTES_MAX {
                    let (text, in_thought) = (std::mem::take(text), *in_thought);
                    if in_thought {
                        self.place = Place::Thought;
                    } else {
                        self.answer_with(&text, out);
                    }
                }
            }
            Place::All => {}
        }
    }

    /// What looked like a mark was a part of the answer.
    fn answer_with(&mut self, text: &str, out: &mut Out) {
        self.place = Place::Answer;
        for c in text.chars() {
            self.plain(c, out);
        }
    }

    /// The message goes on behind a mark that seemed to end it: the mark was a part of it.
    fn end_message(&mut self, out: &mut Out) {
        for c in std::mem::take(&mut self.over).chars() {
            self.show(c, out);
        }
    }

    fn show(&mut self, c: char, out: &mut Out) {
        if let Some(gap) = &mut self.gap {
            if c.is_whitespace() {
                if gap.len() < GAP_BYTES_MAX {
                    gap.push(c);
                }
                return;
            }
            // One space or one empty line stays of those before and behind a thought.
            let apart = !self.shown.is_whitespace() || (gap.contains('\n') && self.shown != '\n');
            if self.said && apart {
                self.since += gap.len();
                out.text.push_str(gap);
            }
            self.gap = None;
        }
        self.said |= !c.is_whitespace();
        self.since += c.len_utf8();
        self.shown = c;
        out.text.push(c);
    }
}

/// Whether a span ends with just so many back-ticks.
fn closes(span: &str, ticks: usize) -> bool {
    span.len() - span.trim_end_matches('`').len() == ticks
}

#[cfg(test)]
#[path = "thoughts_tests.rs"]
mod tests;
