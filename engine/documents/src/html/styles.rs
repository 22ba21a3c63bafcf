//! What a page's own style sheets strike and hide, by simple selectors: of one element, by its name, id and classes.
//! Invariant: what another rule may show is not taken for hidden; time grows with the style sheets and the page,
//! whatever they say.

use std::collections::{HashMap, HashSet};

use super::sink::Growing;
use super::tree::Data;

/// What is read of a page's style sheets, in bytes.
const STYLE_BYTES_MAX: usize = 512 * 1024;
/// Rules of one name that are looked at, and classes of one element.
const RULES_PER_NAME: usize = 16;
const CLASSES_MAX: usize = 32;
/// Blocks within each other.
const DEPTH_MAX: usize = 32;

/// One element's name, id and classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Selector {
    element: Option<String>,
    id: Option<String>,
    classes: Vec<String>,
}

impl Selector {
    /// By the name that fewest elements have.
    fn key(&self) -> Option<String> {
        let id = self.id.as_ref().map(|id| format!("#{id}"));
        id.or_else(|| self.classes.first().map(|class| format!(".{class}"))).or_else(|| self.element.clone())
    }

    fn weight(&self) -> (usize, usize, usize) {
        (usize::from(self.id.is_some()), self.classes.len(), usize::from(self.element.is_some()))
    }
}

/// What a rule sets, where it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sets {
    strikes: Option<bool>,
    /// `display` and `visibility` are apart: one does not undo the other.
    removes: Option<bool>,
    veils: Option<bool>,
    is_important: bool,
}

#[derive(Debug)]
struct Rule {
    selector: Selector,
    sets: Sets,
}

/// The rules of a page that strike or hide.
#[derive(Debug, Default)]
pub(super) struct Rules {
    by_key: HashMap<String, Vec<Rule>>,
    /// Names of what is shown in some case: when it is hovered over, on a wide screen, within another element.
    shown: HashSet<String>,
}

impl Rules {
    /// Of all style sheets in a page.
    pub(super) fn of(nodes: &[Growing]) -> Self {
        let (mut rules, mut room) = (Self::default(), STYLE_BYTES_MAX);
        for node in nodes {
            let Some(Data::Element { name, attributes }) = &node.data else { continue };
            let media = attributes.iter().find(|(name, _)| name == "media").map_or("", |(_, value)| value.as_str());
            let is_for_screens = matches!(media.trim().to_ascii_lowercase().as_str(), "" | "all" | "screen");
            if name != "style" || !is_for_screens {
                continue;
            }
            let text = node.first.and_then(|first| nodes[first].data.as_ref());
            if let Some(Data::Text(text)) = text
                && text.len() <= room
            {
                room -= text.len();
                rules.read(text);
            }
        }
        rules
    }

    /// Whether the element's words are struck.
    pub(super) fn strike(&self, name: &str, attributes: &[(String, String)]) -> bool {
        self.winning(name, attributes, |sets| sets.strikes)
    }

    /// Whether the element is not seen.
    pub(super) fn hide(&self, name: &str, attributes: &[(String, String)]) -> bool {
        let hides =
            self.winning(name, attributes, |sets| sets.removes) || self.winning(name, attributes, |sets| sets.veils);
        hides && !keys(name, attributes).any(|key| self.shown.contains(&key))
    }

    /// What the strongest rule for an element says.
    fn winning(&self, name: &str, attributes: &[(String, String)], said: impl Fn(&Sets) -> Option<bool>) -> bool {
        if self.by_key.is_empty() {
            return false;
        }
        let mut best = (false, (0, 0, 0), false);
        for rule in keys(name, attributes).filter_map(|key| self.by_key.get(&key)).flatten() {
            let Some(says) = said(&rule.sets) else { continue };
            let strength = (rule.sets.is_important, rule.selector.weight());
            if strength >= (best.0, best.1) && fits(&rule.selector, name, attributes) {
                best = (strength.0, strength.1, says);
            }
        }
        best.2
    }

    fn read(&mut self, css: &str) {
        let css = without_comments(css);
        // What is open: whether its rules hold always.
        let mut open: Vec<bool> = Vec::new();
        let mut rest = css.as_str();
        while let Some(at) = rest.find(['{', '}', ';']) {
            let (before, sign) = (rest[..at].trim(), rest.as_bytes()[at]);
            rest = &rest[at + 1..];
            match sign {
                b'}' => {
                    open.pop();
                }
                b'{' if open.len() >= DEPTH_MAX => return,
                b'{' if before.starts_with('@') => {
                    let word = before[1..].split(|c: char| !c.is_ascii_alphabetic() && c != '-').next();
                    let word = word.unwrap_or_default().to_ascii_lowercase();
                    let holds = open.last().copied().unwrap_or(true);
                    match word.as_str() {
                        "layer" | "supports" | "scope" | "starting-style" => open.push(holds),
                        "media" if !before.to_ascii_lowercase().contains("print") => {
                            let is_screen = before[1..].trim().eq_ignore_ascii_case("media screen");
                            open.push(holds && is_screen);
                        }
                        "container" => open.push(false),
                        _ => rest = past_block(rest),
                    }
                }
                b'{' => {
                    let end = rest.find(['{', '}']).unwrap_or(rest.len());
                    let sets = sets(&rest[..end]);
                    if rest[end..].starts_with('{') {
                        // Rules within a rule are none that we know.
                        rest = past_block(rest);
                    } else {
                        rest = rest.get(end + 1..).unwrap_or_default();
                    }
                    if sets != Sets::default() {
                        let holds = open.last().copied().unwrap_or(true);
                        before.split(',').for_each(|one| self.add(one.trim(), sets, holds));
                    }
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, selector: &str, sets: Sets, holds: bool) {
        let last = selector.rsplit([' ', '>', '+', '~', '\n', '\t']).next().unwrap_or_default();
        let plain = last.split([':', '[']).next().unwrap_or_default();
        let Some(one) = compound(plain) else { return };
        let is_always = holds && plain == selector;
        // `.pane.active` is shown when a script says so: `.pane` is not hidden for good.
        let is_one = one.classes.len() + usize::from(one.id.is_some()) + usize::from(one.element.is_some()) == 1;
        if (sets.removes == Some(false) || sets.veils == Some(false)) && !(is_always && is_one) {
            self.shown.extend(one.classes.iter().map(|class| format!(".{class}")));
            self.shown.extend(one.id.iter().map(|id| format!("#{id}")));
        }
        if is_always && let Some(key) = one.key() {
            let rules = self.by_key.entry(key).or_default();
            if rules.len() < RULES_PER_NAME {
                rules.push(Rule { selector: one, sets });
            }
        }
    }
}

/// The keys under which an element's rules stand.
fn keys<'a>(name: &'a str, attributes: &'a [(String, String)]) -> impl Iterator<Item = String> + 'a {
    let value = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let classes = value("class").unwrap_or_default().split_whitespace().take(CLASSES_MAX).map(|one| format!(".{one}"));
    let id = value("id").map(|id| format!("#{}", id.trim()));
    std::iter::once(name.to_owned()).chain(classes).chain(id)
}

fn fits(selector: &Selector, name: &str, attributes: &[(String, String)]) -> bool {
    let value = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value);
    let has = |class: &String| value("class").split_whitespace().take(CLASSES_MAX).any(|one| one == class);
    selector.element.as_ref().is_none_or(|element| element == name)
        && selector.id.as_ref().is_none_or(|id| id == value("id").trim())
        && selector.classes.len() <= 4
        && selector.classes.iter().all(has)
}

/// One element's selector.
fn compound(text: &str) -> Option<Selector> {
    let mut selector = Selector::default();
    let mut rest = text;
    while !rest.is_empty() {
        let sign = rest.chars().next().filter(|c| matches!(c, '.' | '#'));
        let body = &rest[sign.map_or(0, char::len_utf8)..];
        let end = body.find(['.', '#']).unwrap_or(body.len());
        let name = &body[..end];
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_')) {
            return None;
        }
        match sign {
            Some('.') => selector.classes.push(name.to_owned()),
            Some(_) => selector.id = Some(name.to_owned()),
            None => selector.element = Some(name.to_ascii_lowercase()),
        }
        rest = &body[end..];
    }
    (selector != Selector::default()).then_some(selector)
}

/// What a rule's declarations set.
fn sets(block: &str) -> Sets {
    let mut sets = Sets::default();
    for (name, value) in block.split(';').filter_map(|one| one.split_once(':')) {
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_ascii_lowercase());
        let told = match name.as_str() {
            "text-decoration" | "text-decoration-line" => &mut sets.strikes,
            "display" => &mut sets.removes,
            "visibility" => &mut sets.veils,
            _ => continue,
        };
        let word = value.trim_end_matches("!important").trim();
        *told = Some(match name.as_str() {
            "display" => word == "none",
            "visibility" => matches!(word, "hidden" | "collapse"),
            _ => word.contains("line-through"),
        });
        sets.is_important |= value.ends_with("!important");
    }
    sets
}

/// What follows the block that a text is within.
fn past_block(text: &str) -> &str {
    let mut depth = 1_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
    }
    ""
}

fn without_comments(css: &str) -> String {
    let mut plain = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(at) = rest.find("/*") {
        plain.push_str(&rest[..at]);
        rest = rest[at + 2..].find("*/").map_or("", |end| &rest[at + 2 + end + 2..]);
    }
    plain.push_str(rest);
    plain.replace("<!--", "").replace("-->", "")
}

#[cfg(test)]
mod tests {
    use crate::html::read;

    #[test]
    fn a_class_strikes_and_hides_as_a_style_does() {
        let page = "<p>Price: <span class='old big' id=was>€120</span> €89";
        for (css, is_shown) in [
            (".old{text-decoration:line-through}", false),
            (".x,.old { color: red; text-decoration-line: line-through !important }", false),
            ("span.old.big{text-decoration:line-through red}", false),
            ("#was{display:none}", false),
            ("/* .new{} */ @charset 'x'; span { visibility : HIDDEN }", false),
            ("@supports (x:y) { .old{display:none} }", false),
            ("@media screen { .old{display:none} }", false),
            ("@media print { .old{display:none} }", true),
            ("@media (max-width:600px) { .old{display:none} }", true),
            ("@keyframes x { from{display:none} } .old{color:red}", true),
            (".older{display:none} b.old{display:none} .old.small{display:none}", true),
            (".old{display:none} .card:hover .old{display:block}", true),
            (".old{display:none} @media (min-width:600px){.old{display:inline}}", true),
            (".old{display:none} .old.big{display:inline}", true),
            // A script adds the class; nothing in the page tells which control calls it.
            (".old{display:none} .old.active{display:block}", true),
            (".old{visibility:hidden} .old.active{visibility:visible}", true),
            ("#was{display:none} #was.active{display:block}", true),
            (".old{display:none} .new.active{display:block}", false),
            (".old{text-decoration:line-through} #was{text-decoration:none}", true),
            (".old{text-decoration:underline}", true),
            (".old{", true),
            ("}}} .old{display:none}", false),
        ] {
            let made = read(&format!("<style>{css}</style>{page}")).unwrap().markdown;
            assert_eq!(made.contains("€120"), is_shown, "{css}: {made}");
            assert!(made.contains("€89"), "{css}: {made}");
        }
        let print = read(&format!("{page}<style media=print>.old{{display:none}}</style>")).unwrap().markdown;
        assert!(print.contains("€120"));
        let many =
            format!("<style>{}</style>{}", ".a{display:none}".repeat(20_000), "<b class=a>x</b><p>y".repeat(20_000));
        assert!(!read(&many).unwrap().markdown.contains('x'));
        let deep = format!("<style>{}</style><p>y", "a{".repeat(100_000));
        assert!(read(&deep).unwrap().markdown.contains('y'));
    }
}
