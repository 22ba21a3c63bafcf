//! Keeps the parts of a page that are seen, at once or after a click, and takes the rest out.
//! Invariant: what a click shows stays, what nothing shows goes; time grows with the page only.

use std::collections::{HashMap, HashSet};

use super::main_text::name_of;
use super::sizes::visible;
use super::titles::{asks, before};
use super::tree::{Concealed, Data, Node, Tally, Tree};
use crate::{LeftOut, WhyLeftOut};

/// What has more nodes than this is not compared with what stands beside it.
const COMPARED_NODES_MAX: usize = 200;

/// Hidden parts that are told of one page.
const TOLD_MAX: usize = 20;
/// Less text than this is an icon's name, in characters.
const TOLD_CHARS_MIN: usize = 20;

/// Which nodes are never seen, with all under them.
pub(super) fn hidden(tree: &Tree) -> Vec<bool> {
    let mut gone = vec![false; tree.nodes.len()];
    let mut sight = Sight {
        tree,
        templates: Tally::of(tree, |node| match &node.data {
            Data::Text(text) => ["{{", "${", "<%"].iter().any(|mark| text.contains(mark)),
            Data::Element { .. } => false,
        }),
        lines: HashMap::new(),
        names: HashMap::new(),
    };
    for at in 1..tree.nodes.len() {
        let node = &tree.nodes[at];
        gone[at] = gone[node.parent]
            || match node.concealed {
                Concealed::No => false,
                Concealed::Hidden => sight.templates.any(&tree.under(at)) || !sight.is_shown_by_a_click(at),
                Concealed::FromReaders => !sight.is_seen(at),
            };
    }
    gone
}

/// The roots of what is never seen, to be told.
pub(super) fn told(tree: &Tree, gone: &[bool]) -> Vec<LeftOut> {
    let is_root = |at: &usize| gone[*at] && !gone[tree.nodes[*at].parent];
    let roots = (1..tree.nodes.len()).filter(is_root).map(|at| (at, visible(&tree.words(at))));
    let of = |(at, chars)| LeftOut { what: name_of(tree, at), why: WhyLeftOut::Hidden, chars };
    roots.filter(|(_, chars)| *chars >= TOLD_CHARS_MIN).take(TOLD_MAX).map(of).collect()
}

struct Sight<'a> {
    tree: &'a Tree,
    /// Words that a script would fill.
    templates: Tally,
    /// By parent: the words of its children that are seen, and their names.
    lines: HashMap<usize, HashSet<String>>,
    names: HashMap<usize, HashSet<&'a str>>,
}

impl<'a> Sight<'a> {
    /// Whether what readers aloud pass over is seen by all others and says something: not an icon's name,
    /// nor a copy of what stands beside it.
    fn is_seen(&mut self, at: usize) -> bool {
        let tree = self.tree;
        if tree.nodes[at].title.is_some() {
            return true;
        }
        if tree.nodes[at].is_inline() {
            return false;
        }
        let small = |at: &usize| tree.under(*at).len() <= COMPARED_NODES_MAX;
        if !small(&at) {
            return true;
        }
        let parent = tree.nodes[at].parent;
        let beside = self.lines.entry(parent).or_insert_with(|| {
            let shown = tree.elements(parent).filter(|at| tree.nodes[*at].concealed == Concealed::No).filter(small);
            shown.map(|at| tree.line(at)).collect()
        });
        !beside.contains(&tree.line(at))
    }

    fn is_shown_by_a_click(&mut self, at: usize) -> bool {
        let node = &self.tree.nodes[at];
        let is_named = node.title.is_some() || node.attribute("role") == Some("tabpanel");
        is_named || is_all_below_a_title(self.tree, at) || self.is_more_of_the_same(at)
    }

    /// One of many of which the first are seen, with something to click at behind them.
    fn is_more_of_the_same(&mut self, at: usize) -> bool {
        let tree = self.tree;
        let node: &'a Node = &tree.nodes[at];
        if !matches!(node.name(), "li" | "tr" | "p" | "div") {
            return false;
        }
        let parent = node.parent;
        let shown = self.names.entry(parent).or_insert_with(|| {
            let shown = tree.elements(parent).map(|at| &tree.nodes[at]);
            shown.filter(|node| node.concealed == Concealed::No).map(Node::name).collect()
        });
        if !shown.contains(node.name()) {
            return false;
        }
        let clickable = |node: &Node| {
            node.name() == "button" || node.attribute("role") == Some("button") || node.attribute("href") == Some("#")
        };
        let next = tree.nodes.get(tree.under(parent).end..).unwrap_or_default().iter().take(4);
        let is_behind = next.into_iter().find(|node| !matches!(node.name(), "" | "span")).is_some_and(clickable);
        is_behind || tree.elements(parent).next_back().is_some_and(|last| clickable(&tree.nodes[last]))
    }
}

/// A heading with nothing else below it is there to be clicked at.
fn is_all_below_a_title(tree: &Tree, at: usize) -> bool {
    let node = &tree.nodes[at];
    let Some(title) = before(tree, at) else { return false };
    let first = std::iter::successors(Some(title), |one| tree.elements(*one).next()).take(4);
    let is_title = first.into_iter().any(|one| {
        let node = &tree.nodes[one];
        node.heading_level().is_some()
            || matches!(node.name(), "dt" | "summary")
            || node.attribute("aria-expanded").is_some()
    });
    let words = tree.line(title);
    if !is_title && !asks(&words) {
        return false;
    }
    let siblings = &tree.nodes[node.parent].children;
    let place = siblings.binary_search(&at).unwrap_or_default();
    let next = siblings[place..].iter().skip(1).find(|one| !tree.nodes[**one].name().is_empty());
    let ends = next.is_none_or(|next| {
        let next = &tree.nodes[*next];
        next.heading_level().is_some()
            || next.concealed == Concealed::Hidden
            || !matches!(next.name(), "p" | "ul" | "ol" | "table")
    });
    let is_part = matches!(node.name(), "div" | "section" | "dd" | "article" | "ul" | "ol")
        || node.attribute("role") == Some("region");
    ends && (is_part || asks(&words))
}
