//! Text beside the main text of a page, put where no other heading is above it.

use super::render::Renderer;

/// Parts as Markdown: those without a heading, and those with one.
#[derive(Debug, Default)]
pub(super) struct Asides {
    plain: String,
    headed: String,
}

impl Asides {
    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.headed.is_empty()
    }

    pub(super) fn add(&mut self, words: &str) {
        if words.trim().is_empty() {
            return;
        }
        // What stands before its first heading is under none.
        let at = heading(words, 0).unwrap_or(words.len());
        for (part, words) in [(&mut self.plain, &words[..at]), (&mut self.headed, &words[at..])] {
            if !words.trim().is_empty() {
                part.push_str(words.trim_end());
                part.push_str("\n\n");
            }
        }
    }

    /// The page's text with them: without a heading before its first heading but `above`, with one at its end.
    pub(super) fn join(self, body: String, above: usize) -> String {
        if self.is_empty() {
            return body;
        }
        let at = heading(&body, above).unwrap_or(body.len());
        let (before, behind) = body.split_at(at);
        let parts = [before, &self.plain, behind, &self.headed].map(str::trim_end);
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n\n") + "\n"
    }
}

impl Renderer<'_> {
    /// Whether a part beside the text would stand below the heading of what is before it: none of its own
    /// section, nor one within a text that goes on behind it.
    pub(super) fn is_apart(&self, at: usize) -> bool {
        let tree = self.tree;
        let node = &tree.nodes[at];
        let is_aside = node.name() == "aside" || node.attribute("role") == Some("complementary");
        let below = self.last_heading.is_some_and(|heading| tree.nodes[heading].name() != "h1");
        if !is_aside || !below || self.floor > 0 || self.fixed.is_some() || self.writer.in_list() {
            return false;
        }
        let parent = node.parent;
        let siblings = &tree.nodes[parent].children;
        let place = siblings.binary_search(&at).map_or(siblings.len(), |place| place + 1);
        let says = |one: &usize| !self.main.skipped[*one] && self.has_words(*one);
        let next = siblings[place..].iter().copied().find(says);
        let ends = next
            .is_none_or(|next| self.marks.headings.any(&tree.under(next)) || tree.nodes[next].name() == node.name());
        ends && matches!(tree.nodes[parent].name(), "main" | "article" | "body" | "div" | "")
    }

    /// Writes such a part under its own title or none.
    pub(super) fn aside(&mut self, at: usize) {
        self.flush();
        self.settle(false);
        let (outer, section) = (std::mem::take(&mut self.writer), self.section);
        self.section = usize::from(self.title.is_some()) + usize::from(self.has_main_heading);
        self.fixed = Some(self.section + 1);
        self.children(at);
        self.flush();
        self.settle(false);
        (self.fixed, self.section) = (None, section);
        let words = std::mem::replace(&mut self.writer, outer).finish();
        self.asides.add(&words);
    }
}

/// Where the heading begins that so many others stand before.
fn heading(markdown: &str, others: usize) -> Option<usize> {
    let (mut at, mut fence, mut found) = (0, None, 0);
    for line in markdown.split_inclusive('\n') {
        let ticks = line.trim_start().bytes().take_while(|byte| *byte == b'`').count();
        match fence {
            Some(open) if ticks >= open => fence = None,
            None if ticks >= 3 => fence = Some(ticks),
            None if line.starts_with('#') && found == others => return Some(at),
            None if line.starts_with('#') => found += 1,
            _ => {}
        }
        at += line.len();
    }
    None
}
