//! Finds the main text of a page among menus, footers and notices: by what elements are for, by
//! what they are called, and by how much of them is links.

use super::tree::{Data, Tally, Tree};

/// A main element with less text than this, in characters, is probably not where the text is.
const MAIN_CHARS_MIN: usize = 200;
/// A block with so many links or more may be a menu, …
const MENU_LINKS_MIN: usize = 3;
/// … if this part of its words or more are links, in percent, …
const MENU_LINKS_PERCENT: usize = 60;
/// … and it has no sentence longer than this outside of them, in characters.
const MENU_WORDS_MAX: usize = 80;

/// Elements that hold a page's furniture.
const FURNITURE: &[&str] = &["nav", "aside", "footer", "form"];
/// The same, by role.
const FURNITURE_ROLES: &[&str] = &[
    "navigation",
    "banner",
    "contentinfo",
    "search",
    "complementary",
    "menu",
    "menubar",
    "toolbar",
    "dialog",
    "alertdialog",
];
/// The same, by a word of class or id.
const FURNITURE_WORDS: &[&str] = &[
    "nav",
    "navbar",
    "navigation",
    "menu",
    "sidebar",
    "breadcrumb",
    "breadcrumbs",
    "footer",
    "cookie",
    "cookies",
    "consent",
    "gdpr",
    "banner",
    "social",
    "share",
    "sharing",
    "related",
    "recommended",
    "newsletter",
    "subscribe",
    "pagination",
    "pager",
    "toc",
    "skip",
    "advert",
    "ads",
    "sponsor",
    "popup",
    "modal",
    "masthead",
    "topbar",
];
/// Blocks that are looked at as a whole.
const BLOCKS: &[&str] = &["ul", "ol", "div", "section", "table", "p", "dl", "header", "td", "center"];

/// Which nodes are main text.
pub(super) struct Main {
    /// Where it is.
    pub(super) root: usize,
    /// By node: passed over, with all under it.
    pub(super) skipped: Vec<bool>,
}

pub(super) fn find(tree: &Tree) -> Main {
    let sizes = Sizes::of(tree);
    let body = tree.first("body").unwrap_or(0);
    let strict = Main { root: body, skipped: furniture(tree, &sizes, true) };
    let strict = Main { root: root(tree, body, &strict.skipped), ..strict };
    if left(tree, &strict) >= MAIN_CHARS_MIN {
        return strict;
    }
    // Too little is left: the page calls its text a strange name, or all of it is links.
    let lax = Main { root: body, skipped: furniture(tree, &sizes, false) };
    if left(tree, &lax) > 2 * left(tree, &strict) { lax } else { strict }
}

/// The element that says it holds the main text, if it does.
fn root(tree: &Tree, body: usize, skipped: &[bool]) -> usize {
    let is_main = |at: &usize| {
        let node = &tree.nodes[*at];
        node.name() == "main" || node.attribute("role") == Some("main")
    };
    let enough = |at: &usize| left(tree, &Main { root: *at, skipped: skipped.to_vec() }) >= MAIN_CHARS_MIN;
    let candidates = || tree.under(body);
    let main = candidates().find(is_main).filter(&enough);
    let mut articles = candidates().filter(|at| tree.nodes[*at].name() == "article");
    let article = articles.next().filter(|_| articles.next().is_none()).filter(enough);
    main.or(article).unwrap_or(body)
}

fn furniture(tree: &Tree, sizes: &Sizes, strict: bool) -> Vec<bool> {
    let mut skipped = vec![false; tree.nodes.len()];
    let mains = Tally::of(tree, |node| matches!(node.name(), "main" | "article"));
    let holds_main = |at: usize| mains.any(&tree.under(at));
    let headings = Tally::of(tree, |node| node.name() == "h1");
    for (at, node) in tree.nodes.iter().enumerate().skip(1) {
        if skipped[node.parent] {
            skipped[at] = true;
            continue;
        }
        let name = node.name();
        let role = node.attribute("role").unwrap_or_default();
        let mut skip = matches!(name, "nav" | "head") || FURNITURE_ROLES.contains(&role);
        if strict {
            // What has most of the page's words is its text, whatever it is called: `with-sidebar`.
            let is_most = sizes.of[at].text * 2 > sizes.of[0].text;
            skip |= FURNITURE.contains(&name) || (is_named_furniture(tree, at) && !is_most && !holds_main(at));
            // A page's own header: not the one of an article in it.
            skip |= name == "header"
                && !within(tree, at, &["main", "article", "section"])
                && !headings.any(&tree.under(at));
        }
        skipped[at] = skip || (BLOCKS.contains(&name) && sizes.is_menu(at) && !holds_main(at));
    }
    skipped
}

fn is_named_furniture(tree: &Tree, at: usize) -> bool {
    let node = &tree.nodes[at];
    if matches!(node.name(), "body" | "html" | "main" | "article" | "" | "h1" | "h2" | "h3" | "pre" | "code") {
        return false;
    }
    let is_one = |value: &str| {
        let words = value.split(|c: char| !c.is_ascii_alphanumeric());
        words.map(str::to_ascii_lowercase).any(|word| FURNITURE_WORDS.contains(&word.as_str()))
    };
    ["id", "class"].iter().any(|name| node.attribute(name).is_some_and(is_one))
}

fn within(tree: &Tree, at: usize, names: &[&str]) -> bool {
    let mut node = tree.nodes[at].parent;
    while node != 0 {
        if names.contains(&tree.nodes[node].name()) {
            return true;
        }
        node = tree.nodes[node].parent;
    }
    false
}

/// Characters of text that are left.
fn left(tree: &Tree, main: &Main) -> usize {
    let nodes = tree.under(main.root).filter(|at| !main.skipped[*at]);
    nodes.map(|at| if let Data::Text(text) = &tree.nodes[at].data { visible(text) } else { 0 }).sum()
}

fn visible(text: &str) -> usize {
    text.split_whitespace().map(|word| word.chars().count() + 1).sum()
}

/// For each node: characters under it, those of links, and how many links.
struct Sizes {
    of: Vec<Size>,
}

#[derive(Clone, Copy, Default)]
struct Size {
    text: usize,
    linked: usize,
    links: usize,
    /// The longest piece of text outside of links.
    longest: usize,
}

impl Sizes {
    fn of(tree: &Tree) -> Self {
        let mut of = vec![Size::default(); tree.nodes.len()];
        // Children come after their parents: from the end, each is whole before it is added.
        for at in (0..tree.nodes.len()).rev() {
            let node = &tree.nodes[at];
            if let Data::Text(text) = &node.data {
                let text = visible(text);
                of[at] = Size { text, linked: 0, links: 0, longest: text };
            }
            if node.name() == "a" && node.attribute("href").is_some_and(leads_to_a_page) {
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
        Self { of }
    }

    fn is_menu(&self, at: usize) -> bool {
        let Size { text, linked, links, longest } = self.of[at];
        links >= MENU_LINKS_MIN && linked * 100 >= text * MENU_LINKS_PERCENT && longest <= MENU_WORDS_MAX
    }
}

/// An address to write to or to call is an answer, not a way on.
fn leads_to_a_page(link: &str) -> bool {
    let link = link.trim().to_ascii_lowercase();
    !(link.starts_with("mailto:") || link.starts_with("tel:"))
}
