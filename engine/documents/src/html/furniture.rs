//! Which parts of a page are its furniture: menus, footers, forms, notices.
//! Invariant: a part is furniture by what its element is for, by where it stands or by its links; a name
//! only supports one of those.

use super::sizes::Sizes;
use super::tree::{Tally, Tree};
use crate::WhyLeftOut;

/// Roles of what leads elsewhere or is worked with.
const NAVIGATION_ROLES: &[&str] = &["navigation", "search", "menu", "menubar", "toolbar"];
/// Blocks that are looked at as a whole.
const BLOCKS: &[&str] = &["ul", "ol", "div", "section", "table", "p", "dl", "header", "td", "center"];
/// Names of what leads on.
const LEADING: &[&str] = &[
    "nav",
    "navbar",
    "navigation",
    "menu",
    "sidebar",
    "breadcrumb",
    "breadcrumbs",
    "pagination",
    "pager",
    "toc",
    "skip",
    "related",
    "recommended",
    "social",
    "share",
    "sharing",
    "footer",
    "masthead",
    "topbar",
];
/// Names of notices on what a page keeps of its visitors.
const NOTICES: &[&str] =
    &["cookie", "cookies", "consent", "gdpr", "cookiebar", "cookiebanner", "cmp", "onetrust", "cookiebot"];
/// A notice is no longer than this, in characters.
const NOTICE_CHARS_MAX: usize = 2_000;
/// What a notice on cookies says of them, in the languages we know: that they are used.
const USES: &[&str] = &[
    "use", "uses", "using", "verwend", "nutz", "setz", "einsatz", "utiliz", "usa", "usamos", "utilis", "gebruik",
    "plaats", "använd", "bruger", "bruker", "anvend", "używ", "korzyst", "stosuj", "kullan", "accept", "akzept",
    "acept", "accett", "aceit",
];
const COOKIES: &[&str] = &["cookie", "çerez", "informasjonskapsler", "ciasteczk", "kakor"];
/// A form with less text than this, in characters, has nothing to tell.
const TOP_CHARS_MAX: usize = 300;

/// A page, and what is asked of its parts.
pub(super) struct Around<'a> {
    tree: &'a Tree,
    sizes: &'a Sizes,
    mains: Tally,
    main_headings: Tally,
    headings: Tally,
    tables: Tally,
    buttons: Tally,
    /// Lies within main text by its elements' names.
    within: Vec<bool>,
}

impl<'a> Around<'a> {
    pub(super) fn new(tree: &'a Tree, sizes: &'a Sizes) -> Self {
        let mut within = vec![false; tree.nodes.len()];
        for at in 1..tree.nodes.len() {
            let parent = tree.nodes[at].parent;
            within[at] = within[parent] || matches!(tree.nodes[parent].name(), "main" | "article" | "section");
        }
        Self {
            tree,
            sizes,
            within,
            mains: Tally::of(tree, |node| {
                matches!(node.name(), "main" | "article") || node.attribute("role") == Some("main")
            }),
            main_headings: Tally::of(tree, |node| node.name() == "h1"),
            headings: Tally::of(tree, |node| node.heading_level().is_some()),
            tables: Tally::of(tree, |node| matches!(node.name(), "table" | "dl")),
            buttons: Tally::of(tree, |node| node.name() == "button" || node.attribute("role") == Some("button")),
        }
    }

    /// Why a part is passed over, if it is.
    fn reason(&self, at: usize, strict: bool) -> Option<WhyLeftOut> {
        let Self { tree, sizes, .. } = *self;
        let node = &tree.nodes[at];
        let (name, role) = (node.name(), node.attribute("role").unwrap_or_default());
        let holds_main = self.mains.any(&tree.under(at));
        if name == "nav" || name == "head" || (NAVIGATION_ROLES.contains(&role) && !holds_main) {
            return Some(WhyLeftOut::Navigation);
        }
        // What something on the page opens is wanted: a table of sizes, what is in a dish.
        if name == "dialog" || matches!(role, "dialog" | "alertdialog") {
            let wanted = node.title.is_some() || sizes.has_price(tree, at) || holds_main;
            return (self.is_notice(at) || !wanted).then_some(WhyLeftOut::Dialog);
        }
        if strict {
            // What has most of the page's words is its text, whatever it is.
            let is_most = sizes.of[at].text * 2 > sizes.of[0].text;
            let may_go = !is_most && !holds_main;
            if name == "form"
                && may_go
                && !self.tables.any(&tree.under(at))
                && self.headings.count(&tree.under(at)) <= 1
            {
                return Some(WhyLeftOut::Form);
            }
            if may_go && (self.is_foot(at) || self.is_head(at)) {
                return Some(WhyLeftOut::Edge);
            }
            let is_aside = name == "aside" || role == "complementary";
            if is_aside && may_go && sizes.is_linked(at, 3, 35) {
                return Some(WhyLeftOut::Links);
            }
            if may_go && !node.is_inline() && self.is_named(at, NOTICES) && self.is_notice(at) {
                return Some(WhyLeftOut::Notice);
            }
            let leads = !node.is_inline() && node.heading_level().is_none() && self.is_named(at, LEADING);
            if leads && may_go && sizes.is_linked(at, 1, 50) && !sizes.has_price(tree, at) {
                return Some(WhyLeftOut::Links);
            }
        }
        (BLOCKS.contains(&name) && sizes.is_menu(tree, at) && !holds_main).then_some(WhyLeftOut::Links)
    }

    /// A page's own foot: not the one of an article in it.
    fn is_foot(&self, at: usize) -> bool {
        let node = &self.tree.nodes[at];
        if node.name() == "footer" || node.attribute("role") == Some("contentinfo") {
            return !self.within[at];
        }
        let behind = self.sizes.of.get(self.tree.under(at).end..).unwrap_or_default();
        // A block that is called so is one at the end of the page only.
        !node.is_inline()
            && self.is_named(at, &["footer"])
            && !self.within[at]
            && !self.main_headings.any(&self.tree.under(at))
            && behind.iter().take(64).all(|size| size.text == 0)
    }

    /// A page's own head: not the one of an article in it, nor one that says what the page is about.
    fn is_head(&self, at: usize) -> bool {
        let node = &self.tree.nodes[at];
        let is_one = node.name() == "header" || node.attribute("role") == Some("banner");
        let is_called = !node.is_inline() && self.is_named(at, &["header", "masthead", "topbar"]);
        let is_short = self.sizes.of[at].text <= TOP_CHARS_MAX && !self.headings.any(&self.tree.under(at));
        (is_one || (is_called && is_short)) && !self.within[at] && !self.main_headings.any(&self.tree.under(at))
    }

    fn is_notice(&self, at: usize) -> bool {
        let Self { tree, sizes, .. } = *self;
        if sizes.of[at].text > NOTICE_CHARS_MAX || sizes.has_price(tree, at) {
            return false;
        }
        let words = tree.line(at).to_lowercase();
        let words: Vec<&str> = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let is_use = |word: &&str| USES.iter().any(|one| word == one || (one.len() > 4 && word.starts_with(one)));
        // "use cookies", "use our own cookies": a bakery uses other things for its own.
        let says = words.iter().enumerate().any(|(n, word)| {
            let close = &words[n.saturating_sub(3)..n];
            COOKIES.iter().any(|cookie| word.starts_with(cookie)) && close.iter().any(is_use)
        });
        let stands_apart = tree.nodes[tree.nodes[at].parent].name() == "body" && !self.headings.any(&tree.under(at));
        says && (self.buttons.any(&tree.under(at)) || sizes.of[at].links > 0 || stands_apart)
    }

    fn is_named(&self, at: usize, names: &[&str]) -> bool {
        let is_one = |value: &str| {
            let words = value.split(|c: char| !c.is_ascii_alphanumeric());
            words.map(str::to_ascii_lowercase).any(|word| names.contains(&word.as_str()))
        };
        ["id", "class"].iter().any(|name| self.tree.nodes[at].attribute(name).is_some_and(is_one))
    }
}

/// By node: why it is passed over. What lies in such a node is not looked at.
pub(super) fn reasons(around: &Around, strict: bool) -> Vec<Option<WhyLeftOut>> {
    let tree = around.tree;
    let mut reasons = vec![None; tree.nodes.len()];
    let mut end = 0;
    for (at, reason) in reasons.iter_mut().enumerate().skip(1) {
        if at < end || matches!(tree.nodes[at].name(), "" | "html" | "body" | "main" | "article") {
            continue;
        }
        *reason = around.reason(at, strict);
        if reason.is_some() {
            end = tree.under(at).end;
        }
    }
    reasons
}
