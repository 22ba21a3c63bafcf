//! A page's statements in the attributes of its elements (microdata, RDFa), as JSON-LD would make them.
//! Invariant: an element belongs to the innermost thing around it; what is taken is bounded in number and length.

use serde_json::{Map, Value};

use super::tree::{Data, Tree};

/// Things of one page.
const ITEMS_MAX: usize = 300;
/// Values of one page.
const VALUES_MAX: usize = 3_000;
/// Names of one value.
const NAMES_MAX: usize = 4;
/// A longer value is cut, in characters; of so many nodes it is taken together.
const VALUE_CHARS_MAX: usize = 2_000;
const VALUE_NODES_MAX: usize = 500;
/// Values that are an address, wherever a link stands for them.
const OF_LINKS: &[&str] = &["availability", "itemCondition", "dayOfWeek", "url", "sameAs"];
/// Elements whose value is an address of something that has no words.
const PICTURES: &[&str] = &["img", "audio", "video", "source", "embed", "iframe", "object", "track"];

/// A thing that is stated.
struct Item {
    types: Vec<String>,
    values: Vec<(String, Stated)>,
    /// It is a value of another.
    is_inner: bool,
    /// One past the last node in it.
    end: usize,
}

enum Stated {
    Words(String),
    Item(usize),
}

/// The things that are no value of another, in their order.
pub(super) fn stated(tree: &Tree) -> Vec<Value> {
    let items = read(tree);
    let inner: Vec<bool> = items.iter().map(|item| item.is_inner).collect();
    let mut made: Vec<Option<Value>> = items.iter().map(|_| None).collect();
    // What lies in a thing comes after it.
    for (at, item) in items.into_iter().enumerate().rev() {
        let mut fields: Map<String, Value> = Map::new();
        fields.insert("@type".into(), item.types.into());
        for (name, value) in item.values {
            let value = match value {
                Stated::Words(words) => Some(Value::String(words)),
                Stated::Item(inner) => made.get_mut(inner).and_then(Option::take),
            };
            if let (Some(value), Value::Array(values)) =
                (value, fields.entry(name).or_insert_with(|| Value::Array(Vec::new())))
            {
                values.push(value);
            }
        }
        made[at] = Some(Value::Object(fields));
    }
    made.into_iter().zip(inner).filter(|(_, is_inner)| !is_inner).filter_map(|(item, _)| item).collect()
}

fn read(tree: &Tree) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut values_left = VALUES_MAX;
    for (at, node) in tree.nodes.iter().enumerate() {
        while open.last().is_some_and(|item| items[*item].end <= at) {
            open.pop();
        }
        let types = node.attribute("itemtype").or_else(|| node.attribute("typeof"));
        let is_item = node.attribute("itemscope").is_some() || node.attribute("typeof").is_some();
        let names = node.attribute("itemprop").or_else(|| node.attribute("property")).unwrap_or_default();
        let around = open.last().copied();
        if is_item && items.len() < ITEMS_MAX {
            let types = types.unwrap_or_default().split_whitespace().map(last_word).collect();
            open.push(items.len());
            items.push(Item { types, values: Vec::new(), is_inner: false, end: tree.under(at).end });
        }
        let Some(around) = around else { continue };
        for name in names.split_whitespace().map(last_word).take(NAMES_MAX) {
            let Some(left) = values_left.checked_sub(1) else { break };
            values_left = left;
            let value = match open.last() {
                Some(item) if is_item && *item != around => {
                    items[*item].is_inner = true;
                    Some(Stated::Item(*item))
                }
                // One thing too many.
                _ if is_item => None,
                _ => value(tree, at, &name).map(Stated::Words),
            };
            items[around].values.extend(value.map(|value| (name, value)));
        }
    }
    items
}

/// `https://schema.org/Product`, `schema:Product`.
fn last_word(name: &str) -> String {
    name.rsplit(['/', ':', '#']).next().unwrap_or(name).chars().take(60).collect()
}

/// What an element says of something.
fn value(tree: &Tree, at: usize, name: &str) -> Option<String> {
    let node = &tree.nodes[at];
    let attribute = |name: &str| node.attribute(name).map(str::to_owned);
    let link = || attribute("href").filter(|link| !link.trim().is_empty());
    let words = match node.name() {
        _ if node.attribute("content").is_some() => attribute("content"),
        "time" => attribute("datetime").or_else(|| Some(words(tree, at))),
        "data" | "meter" => attribute("value").or_else(|| Some(words(tree, at))),
        "link" => link(),
        "a" | "area" if OF_LINKS.contains(&name) => link(),
        // What is called or written to, not what the link says of it.
        "a" | "area" => {
            let own = link().and_then(|link| {
                let number = link.strip_prefix("tel:").or_else(|| link.strip_prefix("mailto:"));
                number.map(|number| number.split('?').next().unwrap_or_default().to_owned())
            });
            own.or_else(|| Some(words(tree, at)))
        }
        name if PICTURES.contains(&name) => None,
        _ => Some(words(tree, at)),
    };
    // What a script would fill in says nothing.
    let is_template = |words: &str| ["{{", "${", "<%"].iter().any(|mark| words.contains(mark));
    let words: String = words?.trim().chars().take(VALUE_CHARS_MAX).collect();
    (!words.is_empty() && !is_template(&words)).then_some(words)
}

fn words(tree: &Tree, at: usize) -> String {
    let mut words = String::new();
    for node in tree.nodes[tree.under(at)].iter().take(VALUE_NODES_MAX) {
        if let Data::Text(text) = &node.data {
            words.extend(text.chars().take(VALUE_CHARS_MAX));
        } else if !node.is_inline() || node.name() == "br" {
            words.push(' ');
        }
        if words.len() > 4 * VALUE_CHARS_MAX {
            break;
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
