//! A page as a flat list of nodes, parents before children.
//! Invariant: no node lies deeper than [`DEPTH_MAX`], so that what walks the tree may recurse.

use std::ops::Range;

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

use crate::documents::Unreadable;

/// Elements within each other. Browsers stop at 512.
const DEPTH_MAX: usize = 512;
/// Elements that seem open at once, by their tags alone: honest pages forget a few.
const OPEN_MAX: usize = 8_192;
/// Nodes of one page.
const NODES_MAX: usize = 1_000_000;

/// What is never shown, or says nothing when read.
const SILENT: &[&str] = &[
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "embed", "canvas", "audio", "video",
    "select", "button", "input", "textarea", "dialog", "map",
];

/// Elements that have no end, or may leave it out.
const UNCLOSED: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "p", "li",
    "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "optgroup", "colgroup", "rt", "rp",
];
/// What drawings are made of: within one, a tag that ends in `/>` is whole, as nowhere else in HTML.
const DRAWN: &[&str] = &[
    "g",
    "path",
    "polygon",
    "polyline",
    "line",
    "rect",
    "circle",
    "ellipse",
    "text",
    "tspan",
    "defs",
    "use",
    "symbol",
    "lineargradient",
    "radialgradient",
    "stop",
    "clippath",
    "mask",
    "marker",
    "pattern",
    "image",
    "animate",
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

pub(super) fn parse(html: &str) -> Result<Tree, Unreadable> {
    if is_deep(html) {
        return Err(Unreadable::TooDeep);
    }
    let dom = parse_document(RcDom::default(), ParseOpts::default()).one(html);
    let mut tree = Tree { nodes: Vec::new() };
    // What is still to be taken, last first; a mark closes the node it names.
    let mut todo: Vec<(Step, usize)> = vec![(Step::Open(dom.document.clone(), 0), 0)];
    while let Some((step, depth)) = todo.pop() {
        let (handle, parent) = match step {
            Step::Open(handle, parent) => (handle, parent),
            Step::Close(node) => {
                tree.nodes[node].end = tree.nodes.len();
                continue;
            }
        };
        if depth > DEPTH_MAX {
            return Err(Unreadable::TooDeep);
        }
        if tree.nodes.len() > NODES_MAX {
            return Err(Unreadable::TooLong);
        }
        let Some(data) = data_of(&handle) else { continue };
        let at = tree.nodes.len();
        tree.nodes.push(Node { parent, data, children: Vec::new(), end: at + 1 });
        if at > 0 {
            tree.nodes[parent].children.push(at);
        }
        todo.push((Step::Close(at), depth));
        let children = handle.children.borrow();
        todo.extend(children.iter().rev().map(|child| (Step::Open(child.clone(), at), depth + 1)));
    }
    // Not sooner: a node that is dropped empties those below it.
    drop(dom);
    Ok(tree)
}

/// Whether so many elements are open at once that the parser, which looks through all of them at
/// each tag, would take for ever. Elements that need no closing tag do not count.
fn is_deep(html: &str) -> bool {
    let mut open = 0usize;
    let mut in_drawing = false;
    for tag in html.split('<').skip(1) {
        if let Some(ended) = tag.strip_prefix('/') {
            open = open.saturating_sub(1);
            in_drawing &= !ended.get(..3).is_some_and(|name| name.eq_ignore_ascii_case("svg"));
            continue;
        }
        let end = tag.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = tag[..end].to_ascii_lowercase();
        // Any other element may have ended the drawing for the parser.
        in_drawing = name == "svg" || (in_drawing && DRAWN.contains(&name.as_str()));
        let is_whole = in_drawing && tag.split('>').next().is_some_and(|tag| tag.ends_with('/'));
        if !name.is_empty() && !is_whole && !UNCLOSED.contains(&name.as_str()) {
            open += 1;
            if open > OPEN_MAX {
                return true;
            }
        }
    }
    false
}

enum Step {
    Open(Handle, usize),
    Close(usize),
}

fn data_of(handle: &Handle) -> Option<Data> {
    match &handle.data {
        NodeData::Document => Some(Data::Element { name: String::new(), attributes: Vec::new() }),
        NodeData::Text { contents } => Some(Data::Text(contents.borrow().to_string())),
        NodeData::Element { name, attrs, .. } => {
            let name = name.local.to_string();
            if SILENT.contains(&name.as_str()) {
                return None;
            }
            let attributes: Vec<(String, String)> =
                attrs.borrow().iter().map(|one| (one.name.local.to_string(), one.value.to_string())).collect();
            (!is_hidden(&attributes)).then_some(Data::Element { name, attributes })
        }
        _ => None,
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
