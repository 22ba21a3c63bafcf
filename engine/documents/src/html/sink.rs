//! Where the parser puts the nodes of a page: one list, each node linked to its neighbours.
//! Invariant: every step costs the same however many nodes there are, but for the children that a step
//! hands over; what is no text of the page is not kept.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use html5ever::interface::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::StrTendril;
use html5ever::{Attribute, ExpandedName, LocalName, QualName, ns};

use super::tree::Data;

/// A page's node while it is parsed.
pub(super) struct Growing {
    /// None for comments and the like, and for what stands outside of the page.
    pub(super) data: Option<Data>,
    parent: Option<usize>,
    pub(super) first: Option<usize>,
    last: Option<usize>,
    pub(super) next: Option<usize>,
    previous: Option<usize>,
    /// Of a template: what stands in it.
    contents: Option<usize>,
}

/// A node as the parser knows it.
#[derive(Clone)]
pub(super) struct Handle {
    at: usize,
    name: Rc<QualName>,
}

/// Takes what the parser finds.
pub(super) struct Sink {
    nodes: RefCell<Vec<Growing>>,
    unnamed: Rc<QualName>,
}

impl Sink {
    /// With the document as its only node, number 0.
    pub(super) fn new() -> Self {
        let sink =
            Self { nodes: RefCell::default(), unnamed: Rc::new(QualName::new(None, ns!(), LocalName::from(""))) };
        sink.make(Some(Data::Element { name: String::new(), attributes: Vec::new() }));
        sink
    }

    /// Nodes made so far, also those that are in no tree.
    pub(super) fn made(&self) -> usize {
        self.nodes.borrow().len()
    }

    fn make(&self, data: Option<Data>) -> usize {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Growing { data, parent: None, first: None, last: None, next: None, previous: None, contents: None });
        nodes.len() - 1
    }

    fn unnamed(&self, at: usize) -> Handle {
        Handle { at, name: Rc::clone(&self.unnamed) }
    }

    /// The node for a child, unless its text was joined to the text before it.
    fn joined(&self, before: Option<usize>, child: NodeOrText<Handle>) -> Option<usize> {
        let text = match child {
            NodeOrText::AppendNode(node) => return Some(node.at),
            NodeOrText::AppendText(text) => text,
        };
        if let Some(before) = before
            && let Some(Data::Text(words)) = &mut self.nodes.borrow_mut()[before].data
        {
            words.push_str(&text);
            return None;
        }
        Some(self.make(Some(Data::Text(text.to_string()))))
    }
}

fn detach(nodes: &mut [Growing], at: usize) {
    let Growing { parent, previous, next, .. } = nodes[at];
    let Some(parent) = parent else { return };
    match previous {
        Some(previous) => nodes[previous].next = next,
        None => nodes[parent].first = next,
    }
    match next {
        Some(next) => nodes[next].previous = previous,
        None => nodes[parent].last = previous,
    }
    let node = &mut nodes[at];
    (node.parent, node.previous, node.next) = (None, None, None);
}

/// Puts a node among a parent's children: before one of them, or behind the last.
fn attach(nodes: &mut [Growing], at: usize, parent: usize, before: Option<usize>) {
    detach(nodes, at);
    let previous = before.map_or(nodes[parent].last, |before| nodes[before].previous);
    let node = &mut nodes[at];
    (node.parent, node.previous, node.next) = (Some(parent), previous, before);
    match previous {
        Some(previous) => nodes[previous].next = Some(at),
        None => nodes[parent].first = Some(at),
    }
    match before {
        Some(before) => nodes[before].previous = Some(at),
        None => nodes[parent].last = Some(at),
    }
}

fn kept(attributes: Vec<Attribute>) -> Vec<(String, String)> {
    attributes.into_iter().map(|one| (one.name.local.to_string(), one.value.to_string())).collect()
}

impl TreeSink for Sink {
    type Handle = Handle;
    type Output = Vec<Growing>;
    type ElemName<'a> = ExpandedName<'a>;

    fn finish(self) -> Vec<Growing> {
        self.nodes.into_inner()
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> Handle {
        self.unnamed(0)
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> ExpandedName<'a> {
        target.name.expanded()
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> Handle {
        let data = Data::Element { name: name.local.to_string(), attributes: kept(attributes) };
        let at = self.make(Some(data));
        if flags.template {
            let contents = self.make(None);
            self.nodes.borrow_mut()[at].contents = Some(contents);
        }
        Handle { at, name: Rc::new(name) }
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        self.unnamed(self.make(None))
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        self.unnamed(self.make(None))
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        let last = self.nodes.borrow()[parent.at].last;
        if let Some(child) = self.joined(last, child) {
            attach(&mut self.nodes.borrow_mut(), child, parent.at, None);
        }
    }

    fn append_based_on_parent_node(&self, element: &Handle, previous: &Handle, child: NodeOrText<Handle>) {
        if self.nodes.borrow()[element.at].parent.is_some() {
            self.append_before_sibling(element, child);
        } else {
            self.append(previous, child);
        }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &Handle) -> Handle {
        let contents = self.nodes.borrow()[target.at].contents;
        contents.map_or_else(|| target.clone(), |at| self.unnamed(at))
    }

    fn same_node(&self, one: &Handle, other: &Handle) -> bool {
        one.at == other.at
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &Handle, child: NodeOrText<Handle>) {
        let Growing { parent, previous, .. } = self.nodes.borrow()[sibling.at];
        let Some(parent) = parent else { return };
        if let Some(child) = self.joined(previous, child)
            && child != sibling.at
        {
            attach(&mut self.nodes.borrow_mut(), child, parent, Some(sibling.at));
        }
    }

    fn add_attrs_if_missing(&self, target: &Handle, attributes: Vec<Attribute>) {
        if let Some(Data::Element { attributes: own, .. }) = &mut self.nodes.borrow_mut()[target.at].data {
            // Few names are kept of any tag, so that there are few here however often they come.
            let missing = kept(attributes).into_iter().filter(|(name, _)| !own.iter().any(|(known, _)| known == name));
            let missing: Vec<(String, String)> = missing.collect();
            own.extend(missing);
        }
    }

    fn remove_from_parent(&self, target: &Handle) {
        detach(&mut self.nodes.borrow_mut(), target.at);
    }

    fn reparent_children(&self, node: &Handle, new_parent: &Handle) {
        let mut nodes = self.nodes.borrow_mut();
        while let Some(child) = nodes[node.at].first {
            attach(&mut nodes, child, new_parent.at, None);
        }
    }
}
