//! A page as a flat list of nodes, parents before children.
//! Invariant: no node lies deeper than [`DEPTH_MAX`], so that what walks the tree may recurse.

use std::ops::Range;

use super::parse;
use super::sink::Growing;
use crate::documents::Unreadable;

/// Elements within each other. Browsers stop at 512.
const DEPTH_MAX: usize = 512;

/// What is never shown, or says nothing when read.
const SILENT: &[&str] = &[
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "embed", "canvas", "audio", "video",
    "select", "button", "input", "textarea", "dialog", "map",
];

/// Elements that begin a line of their own.
const LINES: &[&str] = &["br", "p", "div", "li", "tr", "dt", "dd", "td", "th"];

pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
}

pub(super) struct Node {
    pub(super) parent: usize,
    pub(super) data: Data,
    pub(super) children: Vec<usize>,
    /// One past the last node under it: what lies under a node stands in one run.
    pub(super) end: usize,
}

pub(super) enum Data {
    Text(String),
    Element { name: String, attributes: Vec<(String, String)> },
}

impl Node {
    /// The element's name; nothing for text.
    pub(super) fn name(&self) -> &str {
        match &self.data {
            Data::Element { name, .. } => name,
            Data::Text(_) => "",
        }
    }

    pub(super) fn attribute(&self, wanted: &str) -> Option<&str> {
        match &self.data {
            Data::Element { attributes, .. } => {
                attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
            }
            Data::Text(_) => None,
        }
    }
}

impl Tree {
    /// A node and all under it.
    pub(super) fn under(&self, node: usize) -> Range<usize> {
        node..self.nodes[node].end
    }

    /// The words of a node, its white space as it stands.
    pub(super) fn words(&self, node: usize) -> String {
        let mut words = String::new();
        for node in &self.nodes[self.under(node)] {
            match &node.data {
                Data::Text(text) => words.push_str(text),
                // The words of two lines or blocks are not one word.
                Data::Element { name, .. } if LINES.contains(&name.as_str()) && !words.ends_with('\n') => {
                    words.push('\n');
                }
                Data::Element { .. } => {}
            }
        }
        words
    }

    /// The first element of this name.
    pub(super) fn first(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name() == name)
    }
}

/// How many nodes of one sort there are, for any run of nodes at one price: elements lie within each other,
/// and looking through all of one for each would cost as much again at every depth.
pub(super) struct Tally {
    /// Of the nodes before each.
    before: Vec<usize>,
}

impl Tally {
    pub(super) fn of(tree: &Tree, is_one: impl Fn(&Node) -> bool) -> Self {
        let mut before = Vec::with_capacity(tree.nodes.len() + 1);
        before.push(0);
        for (at, node) in tree.nodes.iter().enumerate() {
            before.push(before[at] + usize::from(is_one(node)));
        }
        Self { before }
    }

    /// Whether there is one in a run.
    pub(super) fn any(&self, run: &Range<usize>) -> bool {
        self.before[run.end] > self.before[run.start]
    }
}

pub(super) fn parse(html: &str) -> Result<Tree, Unreadable> {
    let mut growing = parse::nodes(html)?;
    let mut tree = Tree { nodes: Vec::new() };
    // What is still to be taken, last first; a mark closes the node it names.
    let mut todo: Vec<(Step, usize)> = vec![(Step::Open { at: 0, parent: 0 }, 0)];
    while let Some((step, depth)) = todo.pop() {
        let (from, parent) = match step {
            Step::Open { at, parent } => (at, parent),
            Step::Close(node) => {
                tree.nodes[node].end = tree.nodes.len();
                continue;
            }
        };
        // Its next sibling comes after all that is under it.
        if let Some(next) = growing[from].next {
            todo.push((Step::Open { at: next, parent }, depth));
        }
        let Growing { data, first, .. } = &mut growing[from];
        let Some(data) = data.take().filter(is_shown) else { continue };
        if depth > DEPTH_MAX {
            return Err(Unreadable::TooDeep);
        }
        let at = tree.nodes.len();
        tree.nodes.push(Node { parent, data, children: Vec::new(), end: at + 1 });
        if at > 0 {
            tree.nodes[parent].children.push(at);
        }
        todo.push((Step::Close(at), depth));
        todo.extend(first.map(|first| (Step::Open { at: first, parent: at }, depth + 1)));
    }
    Ok(tree)
}

enum Step {
    Open { at: usize, parent: usize },
    Close(usize),
}

fn is_shown(data: &Data) -> bool {
    match data {
        Data::Text(_) => true,
        Data::Element { name, attributes } => !SILENT.contains(&name.as_str()) && !is_hidden(attributes),
    }
}

fn is_hidden(attributes: &[(String, String)]) -> bool {
    attributes.iter().any(|(name, value)| match name.as_str() {
        // `until-found` is text that a search in the page would open.
        "hidden" => value != "until-found",
        "aria-hidden" => value == "true",
        "style" => {
            let style: String = value.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
            style.contains("display:none") || style.contains("visibility:hidden")
        }
        _ => false,
    })
}
