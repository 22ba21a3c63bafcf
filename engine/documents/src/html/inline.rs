//! The words of a part of a page, gathered into lines.
//! Invariant: what a link calls or writes to is in the words, struck words are not.

use super::paragraph::Paragraph;
use super::tree::{Data, Tree};

/// Gathers words.
#[derive(Clone, Copy)]
pub(super) struct Gather<'a> {
    pub(super) tree: &'a Tree,
    pub(super) skipped: &'a [bool],
    /// Whether all buttons are words: in titles.
    pub(super) buttons: bool,
}

impl Gather<'_> {
    /// A part's words in one line, its own lines and blocks parted by something.
    pub(super) fn line(self, at: usize, between: &str) -> String {
        self.paragraph(at).joined(between)
    }

    pub(super) fn paragraph(self, at: usize) -> Paragraph {
        let mut paragraph = Paragraph::default();
        self.children(at, &mut paragraph, false);
        paragraph
    }

    fn children(self, at: usize, to: &mut Paragraph, bold: bool) {
        for child in &self.tree.nodes[at].children {
            self.node(*child, to, bold);
        }
    }

    /// A node into a paragraph. The tree is not deeper than it may recurse.
    pub(super) fn node(self, at: usize, to: &mut Paragraph, bold: bool) {
        if self.skipped[at] {
            return;
        }
        let node = &self.tree.nodes[at];
        let name = match &node.data {
            Data::Text(text) => return to.text(text, bold),
            Data::Element { name, .. } => name.as_str(),
        };
        match name {
            "br" => to.line_break(),
            "img" => {
                // What a picture shows is often said nowhere else, its name never is.
                if let Some(words) = node.attribute("alt").filter(|alt| alt.contains(' ')) {
                    to.text(words, bold);
                }
            }
            "code" | "kbd" | "samp" | "tt" => to.code(&self.tree.words(at)),
            // It belongs to the word that it is set above or below.
            "sup" | "sub" => self.children(at, to, bold),
            "button" if !self.buttons && !tells(&self.tree.line(at)) => {}
            "wbr" => {}
            _ if node.is_inline() => {
                to.begin_element();
                self.children(at, to, bold || matches!(name, "b" | "strong"));
                if name == "a" {
                    self.contact(at, to, bold);
                }
                to.end_element();
            }
            _ => {
                to.end_line();
                self.children(at, to, bold || matches!(name, "th" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6"));
                to.end_line();
            }
        }
    }

    /// The number or address behind a link that says only "Call us".
    fn contact(self, at: usize, to: &mut Paragraph, bold: bool) {
        let Some(link) = self.tree.nodes[at].attribute("href") else { return };
        let Some((scheme, rest)) = link.trim().split_once(':') else { return };
        let is_call = scheme.eq_ignore_ascii_case("tel");
        if !is_call && !scheme.eq_ignore_ascii_case("mailto") {
            return;
        }
        let rest = rest.split('?').next().unwrap_or_default();
        let to_whom = plain(rest.trim_start_matches('/')).replace("%40", "@").replace("%2B", "+").replace("%20", " ");
        let words = self.tree.words(at);
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
        let says = if is_call { digits(&words) >= 5 } else { words.contains('@') };
        if !says && (if is_call { digits(&to_whom) >= 3 } else { to_whom.contains('@') }) {
            to.text(" ", bold);
            to.text(&to_whom, bold);
        }
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// Whether a button's words are more than an order: a question, a price, a sentence.
pub(super) fn tells(words: &str) -> bool {
    words.split(' ').count() >= 4 || super::amounts::has_digit(words) || super::titles::asks(words)
}
