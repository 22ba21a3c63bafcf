//! A page's statements, in JSON-LD or in the attributes of its elements, about businesses, hours, prices,
//! events and questions, where its visible text does not say it.
//! Invariant: a page that states too much or nonsense is a page that states less; nothing is invented.

use engine_text::markdown::Writer;
use serde_json::Value;

use super::hours;
use super::labels::Labels;
use super::seen::Seen;
use super::values::{address, cut, each, text, words_of};

/// Things looked at of one page, …
const THINGS_MAX: usize = 300;
/// … that lie in each other so deep at most.
const DEPTH_MAX: usize = 12;
/// Values written of one page.
const VALUES_MAX: usize = 300;
/// The level of the headings, below the page's title.
const LEVEL: usize = 2;

/// Markdown of what is stated and not seen: `statements` in JSON-LD, `items` in attributes, which mostly say the same.
pub(super) fn unsaid(statements: &[String], items: &[Value], seen: Seen, labels: &Labels) -> String {
    let mut writing = Writing {
        labels,
        seen,
        writer: Writer::default(),
        values: 0,
        things: 0,
        headed: None,
        has_hours: false,
        skips_hours: false,
    };
    for statement in statements {
        if let Ok(value) = serde_json::from_str::<Value>(statement.trim().trim_end_matches(';')) {
            writing.value(&value, 0);
        }
    }
    // Hours are told once, however they are spelled.
    writing.skips_hours = writing.has_hours;
    items.iter().for_each(|item| writing.value(item, 0));
    writing.writer.finish()
}

struct Writing<'a> {
    labels: &'a Labels,
    /// What is seen and was written.
    seen: Seen,
    writer: Writer,
    values: usize,
    things: usize,
    /// The heading above what is written.
    headed: Option<String>,
    /// Hours were stated, …
    has_hours: bool,
    /// … and are not to be stated again.
    skips_hours: bool,
}

impl Writing<'_> {
    fn value(&mut self, value: &Value, depth: usize) {
        if depth > DEPTH_MAX || self.things >= THINGS_MAX {
            return;
        }
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.value(value, depth + 1)),
            Value::Object(_) => {
                self.things += 1;
                self.thing(value, depth);
            }
            _ => {}
        }
    }

    fn thing(&mut self, thing: &Value, depth: usize) {
        let kinds = words_of(thing.get("@type"));
        let is = |name: &str| kinds.iter().any(|kind| kind.rsplit(['/', ':', '#']).next() == Some(name));
        if is("FAQPage") || is("QAPage") {
            for question in each(thing.get("mainEntity")) {
                self.question(question);
            }
        } else if is("Question") {
            self.question(thing);
        } else if is("Product") || is("Service") || is("Offer") || is("Menu") || is("MenuSection") || is("MenuItem") {
            self.goods(thing, depth);
        } else if kinds.iter().any(|kind| kind.ends_with("Event") || kind == "Festival") {
            self.event(thing);
        } else if ["telephone", "openingHours", "openingHoursSpecification", "email", "priceRange"]
            .iter()
            .any(|name| thing.get(name).is_some())
            || (thing.get("address").is_some() && !is("Person"))
        {
            self.business(thing);
        }
        for name in [
            "@graph",
            "mainEntity",
            "department",
            "hasMenu",
            "hasMenuSection",
            "hasMenuItem",
            "itemListElement",
            "item",
            "hasOfferCatalog",
            "makesOffer",
            "itemOffered",
            "publisher",
            "provider",
            "contactPoint",
            "about",
            "subEvent",
        ] {
            let is_done = name == "mainEntity" && (is("FAQPage") || is("QAPage"));
            if let Some(inner) = thing.get(name).filter(|_| !is_done) {
                self.value(inner, depth + 1);
            }
        }
    }

    fn question(&mut self, question: &Value) {
        self.things += 1;
        let Some(asked) = text(question.get("name").or_else(|| question.get("text"))) else { return };
        let answers = question.get("acceptedAnswer").or_else(|| question.get("suggestedAnswer"));
        let answer = each(answers).filter_map(|answer| text(answer.get("text").or(Some(answer)))).next();
        let Some(answer) = answer else { return };
        if self.seen.has(&answer) || !self.takes() || self.things > THINGS_MAX {
            return;
        }
        self.heading(&asked);
        self.paragraph(&answer);
    }

    fn business(&mut self, thing: &Value) {
        let labels = self.labels;
        let name = text(thing.get("name").or_else(|| thing.get("contactType")));
        let name = name.unwrap_or_else(|| labels.contact.to_owned());
        for number in words_of(thing.get("telephone")) {
            let number = number.trim_start_matches("tel:");
            let is_seen = self.seen.has_telephone(number);
            self.fact_unless(is_seen, &name, labels.telephone, number);
        }
        for (label, field) in [(labels.mail, "email"), (labels.price, "priceRange")] {
            for value in words_of(thing.get(field)) {
                self.fact(&name, label, value.trim_start_matches("mailto:"));
            }
        }
        for place in
            each(thing.get("address")).chain(each(thing.get("location")).filter_map(|place| place.get("address")))
        {
            if let Some(address) = address(place) {
                let is_seen = self.seen.has(&address) || is_address_seen(place, &self.seen);
                self.fact_unless(is_seen, &name, labels.address, &address);
            }
        }
        self.hours(&name, thing);
    }

    /// Hours as a table: a row a day or span of days.
    fn hours(&mut self, name: &str, thing: &Value) {
        let rows = hours::stated(thing);
        if self.skips_hours {
            return;
        }
        self.has_hours |= !rows.is_empty();
        if rows.is_empty() || hours::are_seen(&rows, &self.seen, self.labels) || !self.takes() {
            return;
        }
        self.heading(name);
        let labels = self.labels;
        self.paragraph(&format!("{}:", labels.hours));
        let head = [labels.day, labels.hours].map(str::to_owned);
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.cells(labels)).collect();
        rows.iter().for_each(|row| self.seen.add(&row.join(" ")));
        self.writer.table_under(&head, &rows);
    }

    fn goods(&mut self, thing: &Value, depth: usize) {
        let offered = text(thing.get("itemOffered").and_then(|item| item.get("name")));
        let Some(name) = text(thing.get("name")).or(offered) else { return };
        let own = [thing]
            .into_iter()
            .filter(|thing| thing.get("price").is_some() || thing.get("priceSpecification").is_some());
        for offer in each(thing.get("offers")).chain(own).take(50) {
            self.offer(&name, offer);
            if depth < DEPTH_MAX {
                each(offer.get("offers")).take(50).for_each(|inner| self.offer(&name, inner));
            }
        }
        if let Some(range) = text(thing.get("priceRange")) {
            self.fact(&name, self.labels.price, &range);
        }
    }

    fn offer(&mut self, name: &str, offer: &Value) {
        self.things += 1;
        if self.things > THINGS_MAX {
            return;
        }
        let specification = each(offer.get("priceSpecification")).next();
        let get = |field: &str| text(offer.get(field)).or_else(|| text(specification.and_then(|one| one.get(field))));
        let currency = get("priceCurrency").unwrap_or_default();
        let price = match (get("price"), get("lowPrice"), get("highPrice")) {
            (Some(price), ..) => Some(price),
            (None, Some(low), Some(high)) if low != high => Some(format!("{low}–{high}")),
            (None, low, high) => low.or(high),
        };
        let variant = text(offer.get("name")).filter(|variant| variant != name);
        let called = variant.map_or_else(String::new, |variant| format!(" ({variant})"));
        if let Some(price) = price {
            let label = format!("{}{called}", self.labels.price);
            let whole = format!("{price} {currency}");
            let whole = whole.trim();
            let is_seen = self.seen.has_price(name, &price) || self.seen.has_near(name, &format!("{label}{whole}"));
            self.fact_unless(is_seen, name, &label, whole);
        }
        let available = get("availability").unwrap_or_default();
        let word = match available.rsplit('/').next().unwrap_or_default() {
            "InStock" | "LimitedAvailability" | "OnlineOnly" | "InStoreOnly" => self.labels.available,
            "OutOfStock" | "SoldOut" | "Discontinued" => self.labels.sold_out,
            _ => return,
        };
        let is_seen = self.seen.has_near(name, word);
        self.fact_unless(is_seen, name, &cut(name, 120), word);
    }

    fn event(&mut self, thing: &Value) {
        let labels = self.labels;
        let Some(name) = text(thing.get("name")) else { return };
        for (label, field) in [(labels.starts, "startDate"), (labels.ends, "endDate")] {
            if let Some(date) = text(thing.get(field)) {
                self.fact(&name, label, &date.replace('T', " "));
            }
        }
        for place in each(thing.get("location")).take(5) {
            let parts = [text(place.get("name")), place.get("address").and_then(address)];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            let whole = if parts.is_empty() { text(Some(place)).unwrap_or_default() } else { parts.join(", ") };
            if !whole.is_empty() {
                self.fact(&name, labels.place, &whole);
            }
        }
        for offer in each(thing.get("offers")).take(20) {
            self.offer(&name, offer);
        }
    }

    /// A line with a label, unless its value was said.
    fn fact(&mut self, name: &str, label: &str, value: &str) {
        let is_word = !value.contains(|c: char| c.is_numeric() || c == '@');
        // What is no number may well stand in the text for something else.
        let is_seen = if is_word { self.seen.has(&format!("{label}{value}")) } else { self.seen.has(value) };
        self.fact_unless(is_seen, name, label, value);
    }

    fn fact_unless(&mut self, is_seen: bool, name: &str, label: &str, value: &str) {
        if value.trim().is_empty() || is_seen || !self.takes() {
            return;
        }
        self.heading(name);
        self.paragraph(&format!("{label}: {value}"));
    }

    fn takes(&mut self) -> bool {
        self.values += 1;
        self.values <= VALUES_MAX
    }

    fn heading(&mut self, words: &str) {
        let words = cut(words, 200);
        if self.headed.as_ref() != Some(&words) {
            self.writer.text(&words);
            self.writer.end_heading(LEVEL);
            self.seen.add(&words);
            self.headed = Some(words);
        }
    }

    fn paragraph(&mut self, words: &str) {
        self.writer.text(words);
        self.writer.end_paragraph();
        self.seen.add(words);
    }
}

/// Whether street and town of an address are seen, in whatever order and however far apart.
fn is_address_seen(place: &Value, seen: &Seen) -> bool {
    let has = |field: &str| text(place.get(field)).is_some_and(|value| seen.has(&value));
    has("streetAddress") && (has("postalCode") || has("addressLocality"))
}
