//! What a page says of itself: its title, where its links lead, whether it wants to be kept.

use super::tree::Tree;
use crate::documents::Page;

/// A title longer than this is cut, in characters.
const TITLE_CHARS_MAX: usize = 200;
/// A link longer than this is no use to anybody, in bytes.
const LINK_BYTES_MAX: usize = 2_048;

/// Everything but the main text.
pub(super) fn read(tree: &Tree) -> Page {
    let mut page = Page { title: title(tree), ..Page::default() };
    for node in &tree.nodes {
        let attribute = |name| node.attribute(name).map(str::trim).filter(|value| !value.is_empty());
        match node.name() {
            "a" | "area" => {
                let rel = attribute("rel").unwrap_or_default().to_ascii_lowercase();
                let follow = !rel.split_whitespace().any(|word| word == "nofollow");
                if let Some(link) = attribute("href").filter(|link| follow && link.len() <= LINK_BYTES_MAX) {
                    page.links.push(link.to_owned());
                }
            }
            "base" if page.base.is_none() => page.base = attribute("href").map(str::to_owned),
            "link" if attribute("rel").is_some_and(|rel| rel.eq_ignore_ascii_case("canonical")) => {
                page.canonical = page.canonical.take().or_else(|| attribute("href").map(str::to_owned));
            }
            "meta" if attribute("name").is_some_and(is_for_us) => {
                let content = attribute("content").unwrap_or_default();
                let (noindex, nofollow) = directives(content);
                page.noindex |= noindex;
                page.nofollow |= nofollow;
            }
            _ => {}
        }
    }
    if page.nofollow {
        page.links.clear();
    }
    page
}

fn is_for_us(name: &str) -> bool {
    name.eq_ignore_ascii_case("robots") || name.eq_ignore_ascii_case("tertulia")
}

/// Whether a list of words for robots says `noindex`, and `nofollow`.
pub(crate) fn directives(content: &str) -> (bool, bool) {
    let words: Vec<String> = content.split([',', ' ']).map(|word| word.trim().to_ascii_lowercase()).collect();
    let says = |wanted: &str| words.iter().any(|word| word == wanted || word == "none");
    (says("noindex"), says("nofollow"))
}

/// The only main heading, where the title has its words too; else the title.
fn title(tree: &Tree) -> Option<String> {
    let clean = |node| {
        let words = tree.words(node);
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let words: String = words.chars().filter(|c| !c.is_control()).take(TITLE_CHARS_MAX).collect();
        Some(words).filter(|words| !words.is_empty())
    };
    let in_head = tree.nodes.iter().position(|node| node.name() == "title").and_then(clean);
    let mut headings = tree.nodes.iter().enumerate().filter(|(_, node)| node.name() == "h1").map(|(at, _)| at);
    let heading = headings.next().filter(|_| headings.next().is_none()).and_then(clean);
    match (in_head, heading) {
        (Some(title), Some(heading)) if title.to_lowercase().contains(&heading.to_lowercase()) => Some(heading),
        (Some(title), _) => Some(title),
        (None, heading) => heading,
    }
}
