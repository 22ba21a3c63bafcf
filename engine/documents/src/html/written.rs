//! The whole Markdown of a page: its title, its text, how to reach its owner, and its statements.
//! Invariant: nothing is said twice because it stands in the page's head or foot as well.

use engine_text::markdown::Writer;
use serde_json::Value;

use super::amounts::{has_address, has_mail, has_telephone};
use super::asides::Asides;
use super::labels;
use super::main_text::Main;
use super::render::Renderer;
use super::seen::Seen;
use super::statements;
use super::tree::Tree;

/// The level of what stands beside the main text.
const BESIDE_LEVEL: usize = 2;

/// `items` are the things that the page states in attributes.
pub(super) fn markdown(tree: &Tree, main: &Main, title: Option<&str>, items: &[Value]) -> String {
    let language = tree.first("html").and_then(|at| tree.nodes[at].attribute("lang"));
    let labels = labels::of(language);
    let mut renderer = Renderer::new(tree, main, title);
    renderer.leave(main.facts.iter().flatten().copied());
    renderer.node(tree.first("body").unwrap_or(0));
    let mut body = renderer.finish();
    let (asides, beside) = beside(tree, main, &body, labels);
    body = asides.join(body, 0);
    if body.is_empty() {
        body.push_str(beside.trim_start_matches('\n'));
    } else {
        body.push_str(&beside);
    }
    let stated = if tree.statements.is_empty() && items.is_empty() {
        String::new()
    } else {
        statements::unsaid(&tree.statements, items, Seen::new(title, &body), labels)
    };
    if !stated.is_empty() {
        if !body.is_empty() {
            body.push('\n');
        }
        body.push_str(&stated);
    }
    match title {
        // A title alone is no text.
        Some(title) if !body.trim().is_empty() => {
            let mut head = Writer::default();
            head.text(title);
            head.end_heading(1);
            format!("{}\n{body}", head.finish())
        }
        _ => body,
    }
}

/// What is kept of margins and says nothing of how to reach anybody, and of heads, feet and other margins: what has
/// no heading of its own first.
fn beside(tree: &Tree, main: &Main, body: &str, labels: &labels::Labels) -> (Asides, String) {
    let mut known = letters(body);
    let (mut plain, mut headed, mut asides) = (String::new(), String::new(), Asides::default());
    let mut renderer = Renderer::new(tree, main, None);
    for run in &main.facts {
        renderer.fix_level(BESIDE_LEVEL);
        run.iter().for_each(|at| renderer.node(*at));
        let words = renderer.finish();
        let own = letters(&words);
        if own.is_empty() || known.contains(&own) {
            continue;
        }
        known.push_str(&own);
        let is_aside = run.iter().all(|at| tree.nodes[*at].name() == "aside");
        if is_aside && !words.starts_with('#') && !(has_telephone(&words) || has_mail(&words) || has_address(&words)) {
            asides.add(&words);
            continue;
        }
        let part = if words.starts_with('#') { &mut headed } else { &mut plain };
        part.push('\n');
        part.push_str(&words);
    }
    if !plain.is_empty() {
        let mut head = Writer::default();
        head.text(labels.contact);
        head.end_heading(BESIDE_LEVEL);
        plain.insert_str(0, &format!("\n{}", head.finish()));
    }
    (asides, plain + &headed)
}

fn letters(words: &str) -> String {
    words.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
