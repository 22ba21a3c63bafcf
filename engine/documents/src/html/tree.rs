//! A page as a flat list of nodes, parents before children.
//! Invariant: no node lies deeper than [`DEPTH_MAX`], so that what walks the tree may recurse.

use std::ops::Range;

use super::parse;
use super::sink::Growing;
use super::styles::Rules;
use crate::Unreadable;

/// Elements within each other. Browsers stop at 512.
const DEPTH_MAX: usize = 512;

/// What is never shown, or says nothing when read.
const SILENT: &[&str] = &[
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "embed", "canvas", "audio", "video",
    "select", "input", "textarea", "map",
];
/// Elements whose text no longer holds.
const STRUCK: &[&str] = &["s", "del", "strike"];

/// Elements that stand in a line of text.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "br", "button", "cite", "code", "data", "dfn", "em", "font", "i",
    "img", "ins", "kbd", "label", "mark", "meta", "nobr", "output", "q", "rp", "rt", "ruby", "samp", "small", "span",
    "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
];
/// Elements that begin a line of their own.
const LINES: &[&str] = &["br", "p", "div", "li", "tr", "dt", "dd", "td", "th"];
/// What a page's statements about itself may have in all, in bytes.
const STATEMENTS_BYTES_MAX: usize = 512 * 1024;

pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// What the page says of itself in JSON-LD.
    pub(super) statements: Vec<String>,
}

pub(super) struct Node {
    pub(super) parent: usize,
    pub(super) data: Data,
    pub(super) children: Vec<usize>,
    /// One past the last node under it: what lies under a node stands in one run.
    pub(super) end: usize,
    pub(super) concealed: Concealed,
    /// The node whose words stand above it, and which shows it where it is hidden.
    pub(super) title: Option<usize>,
    /// It is the title of another node.
    pub(super) is_title: bool,
}

/// Whether a node is seen as the page comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concealed {
    No,
    /// From everybody.
    Hidden,
    /// From what reads aloud only.
    FromReaders,
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

    /// Whether it stands in a line of text.
    pub(super) fn is_inline(&self) -> bool {
        match &self.data {
            Data::Text(_) => true,
            Data::Element { name, .. } => INLINE.contains(&name.as_str()),
        }
    }

    /// The level of a heading.
    pub(super) fn heading_level(&self) -> Option<usize> {
        let level = self.name().strip_prefix('h')?.parse().ok()?;
        (1..=6).contains(&level).then_some(level)
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

    /// The same with one space between two words.
    pub(super) fn line(&self, node: usize) -> String {
        self.words(node).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The nodes that a node lies in, from the inside.
    pub(super) fn above(&self, node: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(node), |at| (*at != 0).then(|| self.nodes[*at].parent)).skip(1)
    }

    /// Elements that are children of a node.
    pub(super) fn elements(&self, node: usize) -> impl DoubleEndedIterator<Item = usize> {
        self.nodes[node].children.iter().copied().filter(|at| matches!(self.nodes[*at].data, Data::Element { .. }))
    }

    /// Marks every node that is the title of one.
    pub(super) fn mark_titles(&mut self) {
        for at in 0..self.nodes.len() {
            if let Some(title) = self.nodes[at].title {
                self.nodes[title].is_title = true;
            }
        }
    }

    /// The same tree without some nodes and all under them.
    pub(super) fn without(self, gone: &[bool]) -> Self {
        let mut new: Vec<Option<usize>> = Vec::with_capacity(self.nodes.len());
        let mut nodes: Vec<Node> = Vec::new();
        for (at, node) in self.nodes.into_iter().enumerate() {
            let parent = if at == 0 { Some(0) } else { new[node.parent] };
            let place = parent.filter(|_| !gone[at]);
            new.push(place.map(|_| nodes.len()));
            if let Some(parent) = place {
                let own = nodes.len();
                nodes.push(Node { parent, children: Vec::new(), end: own + 1, ..node });
                if own > 0 {
                    nodes[parent].children.push(own);
                }
            }
        }
        // Children come after their parents: from the end, each is whole before it is added.
        for at in (1..nodes.len()).rev() {
            nodes[at].title = nodes[at].title.and_then(|title| new[title]);
            let (parent, end) = (nodes[at].parent, nodes[at].end);
            nodes[parent].end = nodes[parent].end.max(end);
        }
        nodes.iter_mut().for_each(|node| node.is_title = false);
        let mut tree = Self { nodes, statements: self.statements };
        tree.mark_titles();
        tree
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
        Self::from(tree.nodes.iter().map(is_one).collect())
    }

    /// Of nodes by their number.
    pub(super) fn from(are: Vec<bool>) -> Self {
        let mut before = Vec::with_capacity(are.len() + 1);
        before.push(0);
        for is_one in are {
            before.push(before[before.len() - 1] + usize::from(is_one));
        }
        Self { before }
    }

    /// Whether there is one in a run.
    pub(super) fn any(&self, run: &Range<usize>) -> bool {
        self.count(run) > 0
    }

    /// How many there are in a run.
    pub(super) fn count(&self, run: &Range<usize>) -> usize {
        self.before[run.end] - self.before[run.start.min(run.end)]
    }
}

pub(super) fn parse(html: &str) -> Result<Tree, Unreadable> {
    let mut growing = parse::nodes(html)?;
    let rules = Rules::of(&growing);
    let mut tree = Tree { nodes: Vec::new(), statements: Vec::new() };
    let mut room = STATEMENTS_BYTES_MAX;
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
        let first = *first;
        let Some(data) = data.take() else { continue };
        if !may_be_shown(&data, &rules) {
            if is_statement(&data)
                && let Some(Data::Text(text)) = first.and_then(|first| growing[first].data.take())
                && text.len() <= room
            {
                room -= text.len();
                tree.statements.push(text);
            }
            continue;
        }
        if depth > DEPTH_MAX {
            return Err(Unreadable::TooDeep);
        }
        let at = tree.nodes.len();
        let concealed = concealed(&data, &rules);
        tree.nodes.push(Node {
            parent,
            data,
            children: Vec::new(),
            end: at + 1,
            concealed,
            title: None,
            is_title: false,
        });
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

fn may_be_shown(data: &Data, rules: &Rules) -> bool {
    let Data::Element { name, attributes } = data else { return true };
    // What an element says itself goes before what rules say of it.
    let is_struck = || match style(attributes).filter(|style| style.contains("text-decoration")) {
        Some(style) => sets(&style, "text-decoration", "line-through"),
        None => !matches!(name.as_str(), "html" | "body") && rules.strike(name, attributes),
    };
    !SILENT.contains(&name.as_str()) && !STRUCK.contains(&name.as_str()) && !is_struck()
}

fn is_statement(data: &Data) -> bool {
    let Data::Element { name, attributes } = data else { return false };
    let kind = attributes.iter().find(|(name, _)| name == "type").map(|(_, value)| value.trim());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    name == "script" && essence.trim().eq_ignore_ascii_case("application/ld+json")
}

fn concealed(data: &Data, rules: &Rules) -> Concealed {
    let Data::Element { name, attributes } = data else { return Concealed::No };
    // Many pages hide all of themselves until their scripts have run.
    if matches!(name.as_str(), "html" | "body") {
        return Concealed::No;
    }
    let has = |wanted: &str| attributes.iter().any(|(name, _)| name == wanted);
    // `until-found` is text that a search in the page would open.
    let is_hidden = attributes.iter().any(|(name, value)| name == "hidden" && value != "until-found");
    let is_closed = (name == "dialog" && !has("open")) || has("popover");
    let style = style(attributes).unwrap_or_default();
    let by_style = sets(&style, "display", "none") || sets(&style, "visibility", "hidden");
    let says_itself = ["display", "visibility"].iter().any(|property| sets(&style, property, ""));
    let by_style = by_style || (!says_itself && rules.hide(name, attributes));
    if is_hidden || is_closed || by_style {
        Concealed::Hidden
    } else if attributes.iter().any(|(name, value)| name == "aria-hidden" && value == "true") {
        Concealed::FromReaders
    } else {
        Concealed::No
    }
}

/// The style of an element, without white space and in small letters.
fn style(attributes: &[(String, String)]) -> Option<String> {
    let (_, style) = attributes.iter().find(|(name, _)| name == "style")?;
    Some(style.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase())
}

/// Whether a property that begins so has this value or part of one.
fn sets(style: &str, property: &str, value: &str) -> bool {
    let mut pairs = style.split(';').filter_map(|pair| pair.split_once(':'));
    pairs.any(|(name, set)| name.starts_with(property) && set.contains(value))
}
