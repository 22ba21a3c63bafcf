//! Finds the main text of a page among menus, footers and notices: by what elements are for, by where they
//! stand, and by how much of them is links. What they are called is never enough.
//! Invariant: what is left out is told, and no fact about the business is in it.

use super::furniture::{self, Around};
use super::sizes::{Sizes, visible};
use super::tree::{Data, Tally, Tree};
use crate::{LeftOut, WhyLeftOut};

/// A main element with less text than this, in characters, is probably not where the text is.
const MAIN_CHARS_MIN: usize = 200;
/// What stands outside of the main element is kept with so much text that is no link, in characters.
const BESIDE_CHARS_MIN: usize = 80;
/// Parts left out that are told of one page.
const LEFT_OUT_MAX: usize = 20;
/// A part without headings that is kept whole for its facts has no more characters than this.
const FACTS_CHARS_MAX: usize = 400;
/// Elements and blocks that are looked at for facts, of one page.
const FACTS_MAX: usize = 40;

/// Which nodes are main text.
pub(super) struct Main {
    /// By node: passed over, with all under it.
    pub(super) skipped: Vec<bool>,
    /// What is kept of what is passed over: each a run of siblings, a heading first where there is one.
    pub(super) facts: Vec<Vec<usize>>,
    pub(super) left_out: Vec<LeftOut>,
}

pub(super) fn find(tree: &Tree) -> Main {
    let sizes = Sizes::of(tree);
    let body = tree.first("body").unwrap_or(0);
    let around = Around::new(tree, &sizes);
    let strict = furniture::reasons(&around, true);
    let of_strict = left(tree, &strict);
    let mut reasons = strict;
    if of_strict < MAIN_CHARS_MIN {
        // Too little is left: the page calls its text a strange name, or all of it is links.
        let lax = furniture::reasons(&around, false);
        if left(tree, &lax) > 2 * of_strict {
            reasons = lax;
        }
    }
    if let Some(root) = root(tree, body, &reasons) {
        outside(tree, &sizes, root, &mut reasons);
    }
    told(tree, &sizes, body, &reasons)
}

/// The element that says it holds the main text, if it does.
fn root(tree: &Tree, body: usize, reasons: &[Option<WhyLeftOut>]) -> Option<usize> {
    let is_main = |at: &usize| {
        let node = &tree.nodes[*at];
        node.name() == "main" || node.attribute("role") == Some("main")
    };
    let sizes: Vec<usize> = kept_sizes(tree, reasons);
    let enough = |at: &usize| sizes[tree.under(*at).end] - sizes[*at] >= MAIN_CHARS_MIN;
    let candidates = || tree.under(body);
    let main = candidates().find(is_main).filter(&enough);
    let mut articles = candidates().filter(|at| tree.nodes[*at].name() == "article");
    let article = articles.next().filter(|_| articles.next().is_none()).filter(enough);
    main.or(article)
}

/// Characters of text that are left before each node.
fn kept_sizes(tree: &Tree, reasons: &[Option<WhyLeftOut>]) -> Vec<usize> {
    let mut sizes = vec![0];
    let mut end = 0;
    for (at, node) in tree.nodes.iter().enumerate() {
        if at >= end && reasons[at].is_some() {
            end = tree.under(at).end;
        }
        let own = match &node.data {
            Data::Text(text) if at >= end => visible(text),
            _ => 0,
        };
        sizes.push(sizes[at] + own);
    }
    sizes
}

fn left(tree: &Tree, reasons: &[Option<WhyLeftOut>]) -> usize {
    kept_sizes(tree, reasons).last().copied().unwrap_or_default()
}

/// Passes over what stands outside of the main element, unless it has something to say itself.
fn outside(tree: &Tree, sizes: &Sizes, root: usize, reasons: &mut [Option<WhyLeftOut>]) {
    let headings = Tally::of(tree, |node| node.heading_level().is_some());
    let mut inner = root;
    for holder in tree.above(root) {
        for beside in tree.elements(holder).filter(|at| *at != inner) {
            let size = sizes.of[beside];
            let is_section = headings.any(&tree.under(beside)) && size.text - size.linked >= BESIDE_CHARS_MIN;
            let says = is_section || sizes.has_price(tree, beside);
            if reasons[beside].is_none() && size.text > 0 && !says {
                reasons[beside] = Some(WhyLeftOut::Outside);
            }
        }
        inner = holder;
    }
}

/// What is passed over with all under it, what is kept of it, and what is told.
fn told(tree: &Tree, sizes: &Sizes, body: usize, reasons: &[Option<WhyLeftOut>]) -> Main {
    let mut main = Main { skipped: vec![false; tree.nodes.len()], facts: Vec::new(), left_out: Vec::new() };
    let headings = Tally::of(tree, |node| node.heading_level().is_some());
    let mut end = 0;
    for (at, reason) in reasons.iter().enumerate() {
        if at < end {
            main.skipped[at] = true;
            continue;
        }
        if reason.is_none() && sizes.has_fact(tree, at) && is_margin(tree, at) {
            // All of it is kept, yet not below the last heading of the main text.
            main.skipped[at] = true;
            end = tree.under(at).end;
            main.facts.push(vec![at]);
            continue;
        }
        let Some(why) = *reason else { continue };
        main.skipped[at] = true;
        end = tree.under(at).end;
        if at < body || sizes.of[at].text == 0 {
            continue;
        }
        if why != WhyLeftOut::Notice {
            facts(tree, sizes, &headings, at, &mut main.facts);
        }
        if main.left_out.len() < LEFT_OUT_MAX {
            main.left_out.push(LeftOut { what: name_of(tree, at), why, chars: sizes.of[at].text });
        }
    }
    let kept: Vec<usize> = main.facts.iter().flatten().copied().collect();
    for fact in kept {
        let mut end = 0;
        for at in tree.under(fact) {
            let name = tree.nodes[at].name();
            let is_menu = name == "nav" || (matches!(name, "ul" | "ol" | "div") && sizes.is_menu(tree, at));
            if at >= end && is_menu && at != fact {
                end = tree.under(at).end;
            }
            main.skipped[at] = at < end;
        }
    }
    main
}

fn is_margin(tree: &Tree, at: usize) -> bool {
    let node = &tree.nodes[at];
    (node.name() == "aside" || node.attribute("role") == Some("complementary"))
        && !tree.above(at).any(|above| matches!(tree.nodes[above].name(), "main" | "article"))
}

/// The parts of a part that say what a visitor asks for, each with the heading above it.
fn facts(tree: &Tree, sizes: &Sizes, headings: &Tally, at: usize, found: &mut Vec<Vec<usize>>) {
    if found.len() >= FACTS_MAX || !sizes.has_fact(tree, at) {
        return;
    }
    let node = &tree.nodes[at];
    let run = tree.under(at);
    let inner = run.start + 1..run.end;
    let linked = sizes.is_linked(at, 3, 40);
    let whole = node.name() != "form" && sizes.of[at].text <= FACTS_CHARS_MAX && headings.count(&inner) <= 1 && !linked;
    let has_blocks = node.children.iter().any(|child| !tree.nodes[*child].is_inline());
    if whole || (!has_blocks && !linked) {
        found.push(vec![at]);
        return;
    }
    // A heading and what stands below it, up to the next.
    let mut runs: Vec<Vec<usize>> = vec![Vec::new()];
    for child in node.children.iter().copied() {
        let holds_heading = tree.nodes[child].heading_level().is_some();
        if holds_heading {
            runs.push(Vec::new());
        }
        if let Some(run) = runs.last_mut() {
            run.push(child);
        }
    }
    for run in runs {
        let (Some(first), true) = (run.first(), run.iter().any(|at| sizes.has_fact(tree, *at))) else { continue };
        let has_heading = tree.nodes[*first].heading_level().is_some();
        let text: usize = run.iter().map(|at| sizes.of[*at].text).sum();
        if (has_heading && text <= 2 * FACTS_CHARS_MAX) || run.iter().all(|at| tree.nodes[*at].is_inline()) {
            found.push(run.into_iter().filter(|at| !sizes.is_menu(tree, *at)).collect());
        } else {
            run.into_iter().for_each(|at| facts(tree, sizes, headings, at, found));
        }
    }
}

/// What an element is called: `footer`, `div#cookies.notice`.
pub(super) fn name_of(tree: &Tree, at: usize) -> String {
    const NAME_CHARS_MAX: usize = 60;
    let node = &tree.nodes[at];
    let mut name = node.name().to_owned();
    let plain =
        |word: &str| word.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect::<String>();
    if let Some(id) = node.attribute("id").map(plain).filter(|id| !id.is_empty()) {
        name.push('#');
        name.push_str(&id);
    }
    let class = node.attribute("class").and_then(|class| class.split_whitespace().next()).map(plain);
    if let Some(class) = class.filter(|class| !class.is_empty()) {
        name.push('.');
        name.push_str(&class);
    }
    name.chars().take(NAME_CHARS_MAX).collect()
}
