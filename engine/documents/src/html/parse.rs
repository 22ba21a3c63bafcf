//! Feeds a page to the parser and counts what it costs, so that a page is given up before it costs more
//! than its size is worth.
//! Invariant: all that the parser looks through at each tag (attributes, open elements) is bounded, and
//! it makes no more nodes than the page has bytes: its time grows with the page only.

use std::cell::Cell;

use html5ever::buffer_queue::BufferQueue;
use html5ever::interface::tree_builder::Tracer;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts, TreeSink};
use html5ever::{TokenizerResult, tokenizer::TagKind};

use super::attributes::Attributes;
use super::sink::{Growing, Handle, Sink};
use crate::Unreadable;

/// Attributes of one tag: the parser compares each with all before it.
const ATTRIBUTES_MAX: usize = 256;
/// Elements and open formatting that the parser may look through at each tag; browsers stop at 512 elements.
const OPEN_MAX: usize = 1_024;
/// Tags between two looks at how many are open.
const LOOK_EVERY: usize = 64;
/// Nodes of one page.
const NODES_MAX: usize = 1_000_000;
/// Nodes that a page may have whatever its size: the parser adds some of its own.
const NODES_FREE: usize = 64;

/// Attributes that tell us or the parser something; no other is kept, nor compared between tags.
const TELLING: &[&str] = &[
    "id",
    "class",
    "role",
    "epub:type",
    "media",
    "data-cfemail",
    "hidden",
    "aria-hidden",
    "style",
    "href",
    "rel",
    "name",
    "content",
    "reversed",
    "start",
    "alt",
    "type",
    "color",
    "face",
    "size",
    "aria-controls",
    "aria-owns",
    "aria-expanded",
    "aria-labelledby",
    "aria-selected",
    "data-bs-target",
    "data-target",
    "data-bs-toggle",
    "data-toggle",
    "data-tab",
    "data-panel",
    "data-controls",
    "data-content",
    "data-open",
    "data-accordion",
    "commandfor",
    "popovertarget",
    "popover",
    "open",
    "rowspan",
    "colspan",
    "scope",
    "lang",
    "hreflang",
    "http-equiv",
    "itemscope",
    "itemtype",
    "itemprop",
    "typeof",
    "property",
    "datetime",
    "value",
];

/// The page's nodes, the document first.
pub(super) fn nodes(html: &str) -> Result<Vec<Growing>, Unreadable> {
    let feeder = Feeder::new(html.len());
    let mut text = html;
    // Text up to a tag, then a tag with the text behind it.
    while let Some(at) = text.find('<') {
        feeder.feed(&text[..at])?;
        text = feeder.tag(&text[at + 1..])?;
    }
    feeder.feed(text)?;
    feeder.finish()
}

struct Feeder {
    tokenizer: Tokenizer<Counting>,
    queue: BufferQueue,
    /// The tag that the tokenizer is in, if it may be in one.
    open: Cell<Option<Attributes>>,
    nodes_max: usize,
}

impl Feeder {
    fn new(bytes: usize) -> Self {
        let builder = TreeBuilder::new(Sink::new(), TreeBuilderOpts::default());
        let counting = Counting { builder, tokens: Cell::new(0), tags: Cell::new(0), crowded: Cell::new(false) };
        Self {
            tokenizer: Tokenizer::new(counting, TokenizerOpts::default()),
            queue: BufferQueue::default(),
            open: Cell::new(None),
            nodes_max: NODES_MAX.min(bytes + NODES_FREE),
        }
    }

    /// Feeds a `<` and what follows it up to the next; gives the rest.
    fn tag<'a>(&self, text: &'a str) -> Result<&'a str, Unreadable> {
        // Where this says something, what was read before it is over; else it is one more letter of it.
        let spoke = self.feed("<")?;
        let mut tag = match self.open.take() {
            Some(mut tag) if !spoke => {
                tag.read("<", usize::MAX);
                tag
            }
            _ => Attributes::begin(),
        };
        let end = text.find('<').unwrap_or(text.len());
        let (mut piece, rest) = text.split_at(end);
        while !piece.is_empty() {
            let read = tag.read(piece, ATTRIBUTES_MAX + 1);
            let (now, then) = piece.split_at(read);
            if self.feed(now)? {
                // It was no tag, or it has ended.
                self.feed(then)?;
                return Ok(rest);
            }
            if tag.count > ATTRIBUTES_MAX {
                return Err(Unreadable::Costly);
            }
            piece = then;
        }
        self.open.set(Some(tag));
        Ok(rest)
    }

    /// Whether anything came of it: tags and text, not complaints.
    fn feed(&self, text: &str) -> Result<bool, Unreadable> {
        if text.is_empty() {
            return Ok(false);
        }
        let before = self.tokenizer.sink.tokens.get();
        self.queue.push_back(StrTendril::from_slice(text));
        while !matches!(self.tokenizer.feed(&self.queue), TokenizerResult::Done) {}
        self.check()?;
        Ok(self.tokenizer.sink.tokens.get() > before)
    }

    fn check(&self) -> Result<(), Unreadable> {
        let sink = &self.tokenizer.sink;
        if sink.crowded.get() {
            return Err(Unreadable::TooDeep);
        }
        match sink.builder.sink.made() {
            made if made <= self.nodes_max => Ok(()),
            made if made > NODES_MAX => Err(Unreadable::TooLong),
            _ => Err(Unreadable::Costly),
        }
    }

    fn finish(self) -> Result<Vec<Growing>, Unreadable> {
        self.tokenizer.end();
        self.check()?;
        Ok(self.tokenizer.sink.builder.sink.finish())
    }
}

/// Stands between tokenizer and tree builder, and counts what goes through.
struct Counting {
    builder: TreeBuilder<Handle, Sink>,
    tokens: Cell<usize>,
    tags: Cell<usize>,
    /// Too many elements are open at once.
    crowded: Cell<bool>,
}

impl TokenSink for Counting {
    type Handle = Handle;

    fn process_token(&self, mut token: Token, line: u64) -> TokenSinkResult<Handle> {
        if matches!(token, Token::ParseError(_)) {
            return TokenSinkResult::Continue;
        }
        self.tokens.set(self.tokens.get() + 1);
        if let Token::TagToken(tag) = &mut token {
            if tag.kind == TagKind::StartTag {
                tag.attrs.retain(|one| TELLING.contains(&&*one.name.local));
            }
            self.tags.set(self.tags.get() + 1);
            if self.tags.get().is_multiple_of(LOOK_EVERY) {
                let open = Count(Cell::new(0));
                self.builder.trace_handles(&open);
                self.crowded.set(self.crowded.get() || open.0.get() > OPEN_MAX);
            }
        }
        self.builder.process_token(token, line)
    }

    fn end(&self) {
        self.builder.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.builder.adjusted_current_node_present_but_not_in_html_namespace()
    }
}

struct Count(Cell<usize>);

impl Tracer for Count {
    type Handle = Handle;

    fn trace_handle(&self, _: &Handle) {
        self.0.set(self.0.get() + 1);
    }
}
