//! Measures the text of a page's parts, the share of links in it, and where it names facts.
//! Invariant: each node is looked at once, from the last to the first.

use super::amounts::{has_fact, price_count};
use super::tree::{Data, Tally, Tree};

/// A block with so many links or more may be a menu, …
const MENU_LINKS_MIN: usize = 3;
/// … if this part of its words or more are links, in percent, …
const MENU_LINKS_PERCENT: usize = 60;
/// … it has no sentence longer than this outside of them, in characters, …
const MENU_WORDS_MAX: usize = 80;
/// … and names fewer prices than these: a list of goods is no menu to click through.
const MENU_PRICES_MAX: usize = 2;

/// For each node: what is under it.
pub(super) struct Sizes {
    pub(super) of: Vec<Size>,
    prices: Tally,
    /// Texts, blocks without blocks in them, and links to write or to call, that say what a visitor asks for.
    facts: Tally,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Size {
    /// Characters.
    pub(super) text: usize,
    /// Those of links.
    pub(super) linked: usize,
    pub(super) links: usize,
    /// The longest piece of text outside of links.
    pub(super) longest: usize,
}

impl Sizes {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut of = vec![Size::default(); tree.nodes.len()];
        // Children come after their parents: from the end, each is whole before it is added.
        for at in (0..tree.nodes.len()).rev() {
            let node = &tree.nodes[at];
            if let Data::Text(text) = &node.data {
                let text = visible(text);
                of[at] = Size { text, linked: 0, links: 0, longest: text };
            }
            // What opens a part of this page leads nowhere else.
            if node.name() == "a" && !node.is_title && node.attribute("href").is_some_and(leads_to_a_page) {
                of[at] = Size { text: of[at].text, linked: of[at].text, links: 1, longest: 0 };
            }
            if at > 0 {
                let own = of[at];
                let parent = &mut of[node.parent];
                parent.text += own.text;
                parent.linked += own.linked;
                parent.links += own.links;
                parent.longest = parent.longest.max(own.longest);
            }
        }
        let blocks = Tally::of(tree, |node| !node.is_inline());
        let is_leaf = |at: usize| !tree.nodes[at].is_inline() && !blocks.any(&(at + 1..tree.under(at).end));
        let facts: Vec<bool> = (0..tree.nodes.len())
            .map(|at| match &tree.nodes[at].data {
                Data::Text(text) => has_fact(text),
                Data::Element { name, .. } if name == "a" => is_contact(tree.nodes[at].attribute("href")),
                Data::Element { name, .. } if name == "address" => of[at].text > 0,
                Data::Element { .. } => is_leaf(at) && has_fact(&tree.words(at)),
            })
            .collect();
        let prices = Tally::of(tree, |node| matches!(&node.data, Data::Text(text) if price_count(text, 1) > 0));
        Self { of, prices, facts: Tally::from(facts) }
    }

    /// Whether a part says what a visitor asks for.
    pub(super) fn has_fact(&self, tree: &Tree, at: usize) -> bool {
        self.facts.any(&tree.under(at))
    }

    pub(super) fn has_price(&self, tree: &Tree, at: usize) -> bool {
        self.prices.any(&tree.under(at))
    }

    /// Whether so many links or more are so much of a part, in percent.
    pub(super) fn is_linked(&self, at: usize, links_min: usize, percent: usize) -> bool {
        let Size { text, linked, links, .. } = self.of[at];
        links >= links_min && linked * 100 >= text * percent
    }

    pub(super) fn is_menu(&self, tree: &Tree, at: usize) -> bool {
        self.is_linked(at, MENU_LINKS_MIN, MENU_LINKS_PERCENT)
            && self.of[at].longest <= MENU_WORDS_MAX
            && self.prices.count(&tree.under(at)) < MENU_PRICES_MAX
    }
}

pub(super) fn visible(text: &str) -> usize {
    text.split_whitespace().map(|word| word.chars().count() + 1).sum()
}

/// An address to write to or to call is an answer, not a way on.
fn leads_to_a_page(link: &str) -> bool {
    !is_contact(Some(link))
}

fn is_contact(link: Option<&str>) -> bool {
    let scheme = link.and_then(|link| link.trim().split_once(':')).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto") || scheme.eq_ignore_ascii_case("tel"))
}
