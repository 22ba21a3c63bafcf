//! What a page states of itself in JSON-LD, of businesses, hours, prices, events and questions, where its
//! visible text does not say it.
//! Invariant: a page that states too much or nonsense is a page that states less; nothing is invented.

use serde_json::Value;

use super::labels::Labels;
use crate::documents::markdown::Writer;

/// Things looked at of one page, …
const THINGS_MAX: usize = 300;
/// … that lie in each other so deep at most.
const DEPTH_MAX: usize = 12;
/// Values written of one page.
const VALUES_MAX: usize = 300;
/// A longer value is cut, in characters.
const VALUE_CHARS_MAX: usize = 2_000;
/// So much of the visible text is looked through for what is stated, in bytes.
const SEEN_BYTES_MAX: usize = 512 * 1024;
/// The level of the headings, below the page's title.
const LEVEL: usize = 2;

/// Markdown of what is stated and not seen; `shown` is the text that is.
pub(super) fn unsaid(statements: &[String], shown: &str, labels: &Labels) -> String {
    let mut writing =
        Writing { labels, shown: plain(shown), writer: Writer::default(), values: 0, things: 0, headed: None };
    for statement in statements {
        if let Ok(value) = serde_json::from_str::<Value>(statement.trim().trim_end_matches(';')) {
            writing.value(&value, 0);
        }
    }
    writing.writer.finish()
}

struct Writing<'a> {
    labels: &'a Labels,
    /// Letters and digits of what is seen and was written.
    shown: String,
    writer: Writer,
    values: usize,
    things: usize,
    /// The heading above what is written.
    headed: Option<String>,
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
            self.business(thing, depth);
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
        if self.is_said(&answer) || !self.takes() || self.things > THINGS_MAX {
            return;
        }
        self.heading(&asked);
        self.paragraph(&answer);
    }

    fn business(&mut self, thing: &Value, depth: usize) {
        let labels = self.labels;
        let name = text(thing.get("name").or_else(|| thing.get("contactType")));
        let name = name.unwrap_or_else(|| labels.contact.to_owned());
        for (label, field) in [(labels.telephone, "telephone"), (labels.mail, "email"), (labels.price, "priceRange")] {
            for value in words_of(thing.get(field)) {
                self.fact(&name, label, value.trim_start_matches("mailto:"));
            }
        }
        for place in
            each(thing.get("address")).chain(each(thing.get("location")).filter_map(|place| place.get("address")))
        {
            if let Some(address) = address(place) {
                self.fact(&name, labels.address, &address);
            }
        }
        self.hours(&name, thing);
        let _ = depth;
    }

    /// Hours as a table: a row a day or span of days.
    fn hours(&mut self, name: &str, thing: &Value) {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for one in each(thing.get("openingHoursSpecification")) {
            let days: Vec<String> = words_of(one.get("dayOfWeek")).iter().map(|day| self.day(day)).collect::<Vec<_>>();
            let opens = text(one.get("opens")).map(|time| clock(&time));
            let closes = text(one.get("closes")).map(|time| clock(&time));
            let valid = [one.get("validFrom"), one.get("validThrough")].map(text);
            let valid = valid.into_iter().flatten().collect::<Vec<_>>().join(" – ");
            let days =
                [days.join(", "), valid].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
            let is_closed = match (&opens, &closes) {
                (None, None) => true,
                (Some(opens), Some(closes)) => opens == closes,
                _ => false,
            };
            if days.is_empty() && is_closed {
                continue;
            }
            rows.push(if is_closed {
                let is_all_day = opens.as_deref() == Some("00:00")
                    && text(one.get("closes")).is_some_and(|time| time.starts_with("23:59"));
                if is_all_day { vec![days, "00:00–24:00".into()] } else { vec![days, self.labels.closed.into()] }
            } else {
                vec![days, span(&opens.unwrap_or_default(), &closes.unwrap_or_default())]
            });
        }
        for line in words_of(thing.get("openingHours")) {
            // `Mo-Fr 09:00-17:00`, `Sa,Su 10:00-14:00`, `Mo-Su`.
            let (days, times) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            let days: Vec<String> = days
                .split(',')
                .map(|span| span.split('-').map(|day| self.day(day)).collect::<Vec<_>>().join("–"))
                .collect();
            let (opens, closes) = times.split_once('-').unwrap_or((times, ""));
            rows.push(vec![days.join(", "), span(opens.trim(), closes.trim())]);
        }
        rows.truncate(60);
        let said = |row: &Vec<String>| row.iter().skip(1).all(|cell| cell.split('–').all(|time| self.shows(time)));
        if rows.is_empty() || rows.iter().all(said) && self.shown.contains(&plain(&rows[0][0])) || !self.takes() {
            return;
        }
        self.heading(name);
        let labels = self.labels;
        self.paragraph(&format!("{}:", labels.hours));
        let head = [labels.day, labels.hours].map(str::to_owned);
        self.writer.table_under(&head, &rows);
    }

    /// Whether the page shows a time, however it writes it: `17:30`, `5.30pm`, `17h30`.
    fn shows(&self, time: &str) -> bool {
        let Some((hour, minute)) = time.split_once(':').and_then(|(hour, rest)| Some((hour.parse::<u8>().ok()?, rest)))
        else {
            return self.shown.contains(&plain(time));
        };
        let half = if hour % 12 == 0 { 12 } else { hour % 12 };
        let day = if hour < 12 { "am" } else { "pm" };
        let mut spellings = Vec::new();
        for mark in [":", ".", "h", " h "] {
            spellings.push(format!("{hour}{mark}{minute}"));
            spellings.push(format!("{hour:02}{mark}{minute}"));
            spellings.push(format!("{half}{mark}{minute}{day}"));
            spellings.push(format!("{half}{mark}{minute} {day}"));
        }
        if minute == "00" {
            spellings.extend([
                format!("{half}{day}"),
                format!("{half} {day}"),
                format!("{hour}h"),
                format!("{hour} h"),
            ]);
            spellings.extend([format!("{hour} uhr"), format!("{hour} to "), format!("{hour} – ")]);
            spellings.extend((hour == 12).then(|| "noon".to_owned()));
        }
        spellings.iter().any(|spelling| self.shown.contains(&plain(spelling)))
    }

    fn day(&self, day: &str) -> String {
        let name = day.rsplit(['/', ':', '#']).next().unwrap_or(day).trim();
        let english = ["mo", "tu", "we", "th", "fr", "sa", "su"];
        let lower = name.to_ascii_lowercase();
        let place = lower.get(..2).and_then(|first| english.iter().position(|one| *one == first));
        place.map_or_else(|| cut(name, 40), |place| self.labels.days[place].to_owned())
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
            self.fact(name, &format!("{}{called}", self.labels.price), format!("{price} {currency}").trim());
        }
        let available = get("availability").unwrap_or_default();
        let word = match available.rsplit('/').next().unwrap_or_default() {
            "InStock" | "LimitedAvailability" | "OnlineOnly" | "InStoreOnly" => self.labels.available,
            "OutOfStock" | "SoldOut" | "Discontinued" => self.labels.sold_out,
            _ => return,
        };
        self.fact(name, &cut(name, 120), word);
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

    /// A line with a label, unless it was said.
    fn fact(&mut self, name: &str, label: &str, value: &str) {
        let key = plain(label);
        let is_word = !value.contains(|c: char| c.is_numeric() || c == '@');
        // What is no number may well stand in the text for something else.
        let said = if is_word { self.shown.contains(&(key + &plain(value))) } else { self.is_said(value) };
        if value.trim().is_empty() || said || !self.takes() {
            return;
        }
        self.heading(name);
        self.paragraph(&format!("{label}: {value}"));
    }

    fn takes(&mut self) -> bool {
        self.values += 1;
        self.values <= VALUES_MAX
    }

    /// Whether a value is in what is seen, however it is written there.
    fn is_said(&self, value: &str) -> bool {
        let value = plain(value);
        let value: String = value.chars().take(120).collect();
        value.is_empty() || self.shown.contains(&value)
    }

    fn heading(&mut self, words: &str) {
        let words = cut(words, 200);
        if self.headed.as_ref() != Some(&words) {
            self.writer.text(&words);
            self.writer.end_heading(LEVEL);
            self.headed = Some(words);
        }
    }

    fn paragraph(&mut self, words: &str) {
        self.writer.text(words);
        self.writer.end_paragraph();
        self.shown.push_str(&plain(words));
    }
}

/// Letters and digits alone, small: prices without zeros behind the point are the same price.
fn plain(words: &str) -> String {
    let mut end = words.len().min(SEEN_BYTES_MAX);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words[..end].chars().filter(|c| c.is_alphanumeric() || *c == '@').flat_map(char::to_lowercase).collect()
}

/// One value or several.
fn each(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (one, many) = match value {
        Some(Value::Array(values)) => (None, values.as_slice()),
        Some(Value::Null) | None => (None, &[][..]),
        one => (one, &[][..]),
    };
    one.into_iter().chain(many)
}

/// A word, number, or the name of a thing.
fn text(value: Option<&Value>) -> Option<String> {
    let words = match value? {
        Value::String(words) => unmarked(words),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => return text(values.first()),
        Value::Object(fields) => {
            return fields.get("@value").or_else(|| fields.get("name")).and_then(|value| match value {
                Value::String(words) => Some(unmarked(words)),
                _ => None,
            });
        }
        _ => return None,
    };
    Some(cut(words.trim(), VALUE_CHARS_MAX)).filter(|words| !words.is_empty())
}

fn words_of(value: Option<&Value>) -> Vec<String> {
    each(value).take(50).filter_map(|value| text(Some(value))).collect()
}

fn address(value: &Value) -> Option<String> {
    if value.is_string() {
        return text(Some(value));
    }
    let get = |field: &str| text(value.get(field));
    let town = [get("postalCode"), get("addressLocality")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let parts = [get("streetAddress"), Some(town), get("addressRegion"), get("addressCountry")];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `09:00:00` and `T09:00+01:00` as `09:00`.
fn clock(time: &str) -> String {
    let time = time.trim_start_matches('T');
    let end = time.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(time.len());
    let parts: Vec<&str> = time[..end].split(':').take(2).collect();
    parts.join(":")
}

/// From when to when; either may be left open.
fn span(opens: &str, closes: &str) -> String {
    if opens.is_empty() || closes.is_empty() { format!("{opens}{closes}") } else { format!("{opens}–{closes}") }
}

/// Answers have tags in them, often escaped.
fn unmarked(words: &str) -> String {
    let words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&quot;", "\"");
    let words = words.replace("&#39;", "'").replace("&amp;", "&");
    let mut out = String::new();
    let mut rest = words.as_str();
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let is_tag = after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        match after.split_once('>').filter(|_| is_tag) {
            Some((_, behind)) => {
                out.push(' ');
                rest = behind;
            }
            None => {
                out.push('<');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn cut(words: &str, most: usize) -> String {
    words.chars().filter(|c| !c.is_control() || c.is_whitespace()).take(most).collect()
}
