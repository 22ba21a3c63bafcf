//! The main text of a page, written as Markdown.

use super::main_text::Main;
use super::tree::{Data, Tally, Tree};
use crate::documents::markdown::Writer;

/// Elements that stand in a line of text.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "data", "del", "dfn", "em", "font", "i", "ins", "kbd",
    "label", "mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time",
    "tt", "u", "var", "wbr",
];

pub(super) fn markdown(tree: &Tree, main: &Main, title: Option<&str>) -> String {
    let below_title = usize::from(title.is_some());
    let mut renderer = Renderer {
        tree,
        main,
        title,
        writer: Writer::default(),
        below_title,
        words: Tally::of(tree, |node| matches!(&node.data, Data::Text(text) if !text.trim().is_empty())),
        blocks: Tally::of(tree, |node| {
            matches!(node.name(), "table" | "h1" | "h2" | "h3" | "pre" | "ul" | "ol" | "blockquote")
        }),
    };
    renderer.node(main.root);
    let body = renderer.writer.finish();
    match title {
        // A title alone is no text.
        Some(title) if !body.trim().is_empty() => {
            let mut head = Writer::default();
            head.text(title);
            head.end_heading(1);
            format!("{}\n{body}", head.finish())
        }
        _ => body,
    }
}

struct Renderer<'a> {
    tree: &'a Tree,
    main: &'a Main,
    title: Option<&'a str>,
    writer: Writer,
    /// How far the page's own headings are moved down.
    below_title: usize,
    /// Texts that say something.
    words: Tally,
    /// What no table of data has in it.
    blocks: Tally,
}

impl Renderer<'_> {
    /// The tree is not deeper than it may recurse.
    fn node(&mut self, at: usize) {
        if self.main.skipped[at] {
            return;
        }
        let node = &self.tree.nodes[at];
        let name = match &node.data {
            Data::Text(text) => return self.writer.text(text),
            Data::Element { name, .. } => name.as_str(),
        };
        match name {
            "br" => self.writer.line_break(),
            "hr" => self.writer.end_paragraph(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading(at, name),
            "ul" | "menu" => self.list(at, None),
            "ol" => self.list(at, Some(node.attribute("start").and_then(|n| n.parse().ok()).unwrap_or(1))),
            "li" => {
                self.writer.begin_item();
                self.children(at);
                self.writer.end_paragraph();
            }
            "pre" => self.writer.code_block(&self.tree.words(at)),
            "code" | "kbd" | "samp" | "tt" => self.writer.code_span(&self.tree.words(at)),
            "blockquote" => {
                self.writer.begin_quote();
                self.children(at);
                self.writer.end_quote();
            }
            "table" if self.is_of_data(at) => self.table(at),
            "img" => {
                // What a picture shows is often said nowhere else, its name never is.
                if let Some(words) = node.attribute("alt").filter(|alt| alt.contains(' ')) {
                    self.writer.text(words);
                }
            }
            // A question and its answer.
            "summary" | "dt" if self.words.any(&self.tree.under(at)) => {
                self.writer.end_paragraph();
                self.children(at);
                self.writer.end_paragraph();
            }
            name if INLINE.contains(&name) => self.children(at),
            _ => {
                self.writer.end_paragraph();
                self.children(at);
                self.writer.end_paragraph();
            }
        }
    }

    fn children(&mut self, at: usize) {
        for child in &self.tree.nodes[at].children {
            self.node(*child);
        }
    }

    fn heading(&mut self, at: usize, name: &str) {
        self.writer.end_paragraph();
        let words = self.tree.words(at).split_whitespace().collect::<Vec<_>>().join(" ");
        // Many pages put a sign for a link behind each heading.
        let words = words.trim_end_matches(['#', '¶', '§']).trim_end();
        if name == "h1" && self.title.is_some_and(|title| title.eq_ignore_ascii_case(words)) {
            return;
        }
        let level = name[1..].parse::<usize>().unwrap_or(6) + self.below_title;
        self.writer.text(words);
        self.writer.end_heading(level);
    }

    fn list(&mut self, at: usize, first: Option<u64>) {
        self.writer.begin_list(first);
        self.children(at);
        self.writer.end_list();
    }

    /// A table that lays out a page has blocks in its cells, or one column.
    fn is_of_data(&self, at: usize) -> bool {
        !self.blocks.any(&(at + 1..self.tree.under(at).end))
    }

    fn table(&mut self, at: usize) {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for node in self.tree.under(at).skip(1).filter(|node| !self.main.skipped[*node]) {
            match self.tree.nodes[node].name() {
                "tr" => rows.push(Vec::new()),
                "td" | "th" => {
                    let words = self.tree.words(node);
                    if let Some(row) = rows.last_mut() {
                        row.push(words);
                    }
                }
                "caption" => {
                    self.writer.end_paragraph();
                    self.writer.text(&self.tree.words(node));
                }
                _ => {}
            }
        }
        self.writer.table(&rows);
    }
}
