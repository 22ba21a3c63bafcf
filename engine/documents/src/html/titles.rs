//! Finds the titles of parts of a page that have no heading: buttons that open panels,
//! tabs, questions with their answers.
//! Invariant: a part has one title, which lies outside of it; time grows with the page only.

use std::collections::HashMap;

use super::tree::{Concealed, Data, Tally, Tree};

/// Attributes that name what an element opens, with or without `#`.
const NAMING: &[&str] = &[
    "aria-controls",
    "data-bs-target",
    "data-target",
    "data-tab",
    "data-panel",
    "data-controls",
    "data-content",
    "data-open",
    "data-accordion",
    "commandfor",
    "popovertarget",
];
/// A title longer than this, in characters, is a text.
const TITLE_CHARS_MAX: usize = 200;
/// What has more nodes than this is no title.
const SMALL_NODES: usize = 8;
/// Words that say only that there is more.
const MORE: &[&str] = &[
    "more",
    "read more",
    "show more",
    "learn more",
    "mehr",
    "mehr lesen",
    "mehr anzeigen",
    "weiterlesen",
    "más",
    "leer más",
    "ver más",
    "mostrar más",
    "plus",
    "lire la suite",
    "voir plus",
    "en savoir plus",
    "leggi tutto",
    "leggi di più",
    "mostra di più",
    "ler mais",
    "ver mais",
    "saiba mais",
    "lees meer",
    "meer lezen",
    "toon meer",
    "czytaj więcej",
    "więcej",
    "läs mer",
    "visa mer",
    "læs mere",
    "vis mere",
    "les mer",
    "vis mer",
    "devamını oku",
    "daha fazla",
];

/// Names the titles of a tree.
pub(super) fn name(tree: &mut Tree) {
    let mut titles = Titles { found: vec![None; tree.nodes.len()] };
    titles.by_id(tree);
    titles.by_position(tree);
    titles.by_neighbour(tree);
    for (at, title) in titles.found.into_iter().enumerate() {
        tree.nodes[at].title = title;
    }
    tree.mark_titles();
}

/// Whether words only say that there is more.
pub(super) fn says_more(words: &str) -> bool {
    let words = words.to_lowercase();
    let words = words.trim_matches(|c: char| !c.is_alphanumeric());
    words.is_empty() || MORE.contains(&words)
}

/// Whether words are one question and nothing else.
pub(super) fn asks(words: &str) -> bool {
    let words = words.trim();
    let asks = |c: char| matches!(c, '?' | '？' | '؟');
    let Some(inner) = words.strip_suffix(asks) else { return false };
    // Another sentence before it makes it a text: "Any questions? Call us. Really?"
    let ends = inner.char_indices().filter(|(_, c)| asks(*c) || matches!(c, '.' | '!' | '。'));
    let mut ends = ends.filter(|(at, c)| inner[at + c.len_utf8()..].starts_with(char::is_whitespace));
    words.chars().count() <= TITLE_CHARS_MAX && ends.next().is_none()
}

struct Titles {
    /// By node.
    found: Vec<Option<usize>>,
}

impl Titles {
    fn set(&mut self, tree: &Tree, panel: usize, title: usize) {
        let apart = !tree.under(panel).contains(&title) && !tree.under(title).contains(&panel);
        if apart && self.found[panel].is_none() && panel != 0 {
            self.found[panel] = Some(title);
        }
    }

    /// By the names that parts of a page have.
    fn by_id(&mut self, tree: &Tree) {
        let mut ids: HashMap<&str, usize> = HashMap::new();
        for (at, node) in tree.nodes.iter().enumerate() {
            if let Some(id) = node.attribute("id").map(str::trim).filter(|id| !id.is_empty()) {
                ids.entry(id).or_insert(at);
            }
        }
        let part = |name: &str| ids.get(name.trim().trim_start_matches('#')).copied();
        for (at, node) in tree.nodes.iter().enumerate() {
            for name in NAMING.iter().filter_map(|name| node.attribute(name)) {
                if let Some(panel) = name.split_whitespace().next().and_then(part) {
                    self.set(tree, panel, at);
                }
            }
            let link = node.attribute("href").and_then(|link| link.trim().strip_prefix('#'));
            if let Some(panel) = link.and_then(part)
                && (opens(tree, at) || is_opened(tree, panel))
            {
                self.set(tree, panel, at);
            }
        }
        for (at, node) in tree.nodes.iter().enumerate() {
            let label = node.attribute("aria-labelledby").and_then(|names| names.split_whitespace().next());
            if let Some(title) = label.and_then(part)
                && (is_opened(tree, at) || node.attribute("role") == Some("region"))
            {
                self.set(tree, at, title);
            }
        }
    }

    /// Parts of one sort of which some are hidden, behind as many things to click at: tabs without names.
    fn by_position(&mut self, tree: &Tree) {
        let clickable = Tally::of(tree, |node| {
            let opens =
                node.attribute("href").is_some_and(|link| link.starts_with('#') || link.starts_with("javascript"));
            node.name() == "button" || matches!(node.attribute("role"), Some("tab" | "button")) || opens
        });
        let items = Tally::of(tree, |node| node.name() == "li");
        for parent in 0..tree.nodes.len() {
            let mut elements = tree.elements(parent);
            let Some(first_hidden) = elements.find(|at| tree.nodes[*at].concealed == Concealed::Hidden) else {
                continue;
            };
            let sort = |at: usize| {
                let node = &tree.nodes[at];
                (node.name(), node.attribute("class").and_then(|class| class.split_whitespace().next()))
            };
            let group: Vec<usize> =
                tree.elements(parent).filter(|at| sort(*at) == sort(first_hidden) && sort(*at).1.is_some()).collect();
            let some_shown = group.iter().any(|at| tree.nodes[*at].concealed == Concealed::No);
            let Some(first) = group.first().filter(|_| some_shown && group.len() > 1) else { continue };
            let before = before(tree, *first).or_else(|| before(tree, parent));
            let Some(bar) = before else { continue };
            let run = tree.under(bar);
            let is_one: Box<dyn Fn(usize) -> bool> = if clickable.count(&run) == group.len() {
                Box::new(|at| clickable.any(&(at..at + 1)))
            } else if items.count(&run) == group.len() {
                Box::new(|at| items.any(&(at..at + 1)))
            } else {
                continue;
            };
            for (panel, title) in group.iter().zip(run.filter(|at| is_one(*at))) {
                self.set(tree, *panel, title);
            }
        }
    }

    /// By what stands directly before: something to click at, or a question.
    fn by_neighbour(&mut self, tree: &Tree) {
        let blocks = Tally::of(tree, |node| !node.is_inline());
        let headings = Tally::of(tree, |node| node.heading_level().is_some());
        for parent in 0..tree.nodes.len() {
            let name = tree.nodes[parent].name();
            if tree.nodes[parent].is_inline() || matches!(name, "table" | "tbody" | "tr" | "ul" | "ol" | "form" | "nav")
            {
                continue;
            }
            let elements: Vec<usize> = tree.elements(parent).collect();
            let mut pairs: Vec<(usize, usize)> = Vec::new();
            let mut sure = false;
            for pair in elements.windows(2) {
                let [one, next] = *pair else { continue };
                let node = &tree.nodes[one];
                if self.found[next].is_some()
                    || tree.nodes[next].is_inline()
                    || tree.nodes[next].heading_level().is_some()
                {
                    continue;
                }
                let button = matches!(node.name(), "button") || node.attribute("role") == Some("button");
                let small = tree.under(one).len() <= SMALL_NODES && !blocks.any(&(one + 1..tree.under(one).end));
                let holder = matches!(node.name(), "div" | "p" | "span" | "a" | "header");
                if !small || !(button || holder) || headings.any(&tree.under(one)) {
                    continue;
                }
                let words = tree.line(one);
                // A list of questions has no answers in it.
                let next_asks = || tree.under(next).len() <= SMALL_NODES && asks(&tree.line(next));
                let asks = asks(&words) && !next_asks();
                let says = button && !words.is_empty() && !says_more(&words);
                if !asks && !says {
                    continue;
                }
                sure |= node.attribute("aria-expanded").is_some() || (asks && node.name() != "p");
                pairs.push((one, next));
            }
            // One button before one block may be anything.
            if sure || pairs.len() > 1 {
                for (title, panel) in pairs {
                    self.set(tree, panel, title);
                }
            }
        }
    }
}

/// The element directly before another, if no words stand between them.
pub(super) fn before(tree: &Tree, at: usize) -> Option<usize> {
    let siblings = &tree.nodes[tree.nodes[at].parent].children;
    let place = siblings.binary_search(&at).ok()?;
    for one in siblings[..place].iter().rev() {
        match &tree.nodes[*one].data {
            Data::Element { .. } => return Some(*one),
            Data::Text(text) if text.trim().is_empty() => {}
            Data::Text(_) => return None,
        }
    }
    None
}

/// Whether an element says that it opens something.
fn opens(tree: &Tree, at: usize) -> bool {
    let node = &tree.nodes[at];
    matches!(node.attribute("role"), Some("tab" | "button"))
        || ["data-toggle", "data-bs-toggle", "aria-expanded", "aria-selected"]
            .iter()
            .any(|name| node.attribute(name).is_some())
}

/// Whether an element is one that something opens.
fn is_opened(tree: &Tree, at: usize) -> bool {
    let node = &tree.nodes[at];
    node.concealed != Concealed::No || node.attribute("role") == Some("tabpanel")
}
