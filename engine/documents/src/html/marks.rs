//! Counts the nodes of each sort in a page, for any run of them.

use super::tree::{Data, Tally, Tree};

/// How many nodes of a sort there are.
pub(super) struct Marks {
    /// Texts that say something and are not passed over.
    pub(super) words: Tally,
    pub(super) blocks: Tally,
    pub(super) headings: Tally,
    pub(super) titles: Tally,
    /// What makes a list one of sections.
    pub(super) sections: Tally,
    /// What no table of data has in it.
    pub(super) layout: Tally,
    pub(super) tables: Tally,
    pub(super) rows: Tally,
    pub(super) cells: Tally,
    pub(super) table_heads: Tally,
}

impl Marks {
    pub(super) fn of(tree: &Tree, skipped: &[bool]) -> Self {
        let says = |at: usize| matches!(&tree.nodes[at].data, Data::Text(text) if !text.trim().is_empty());
        Self {
            words: Tally::from((0..tree.nodes.len()).map(|at| says(at) && !skipped[at]).collect()),
            blocks: Tally::of(tree, |node| !node.is_inline()),
            headings: Tally::of(tree, |node| node.heading_level().is_some()),
            titles: Tally::of(tree, |node| node.is_title),
            sections: Tally::of(tree, |node| {
                node.heading_level().is_some() || node.is_title || matches!(node.name(), "details" | "dl" | "table")
            }),
            layout: Tally::of(tree, |node| {
                matches!(node.name(), "h1" | "h2" | "h3" | "pre" | "ul" | "ol" | "blockquote" | "details")
            }),
            tables: Tally::of(tree, |node| node.name() == "table"),
            rows: Tally::of(tree, |node| node.name() == "tr"),
            cells: Tally::of(tree, |node| matches!(node.name(), "td" | "th")),
            table_heads: Tally::of(tree, |node| matches!(node.name(), "th" | "caption")),
        }
    }
}
