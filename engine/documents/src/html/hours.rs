//! Opening hours as a page states them, and whether it shows them too.

use serde_json::Value;

use super::labels::Labels;
use super::seen::Seen;
use super::values::{clock, cut, each, text, words_of};

/// Rows of hours of one business.
const ROWS_MAX: usize = 60;
/// Two letters for each day of the week in what programs write.
const CODES: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];

/// A day, or a span or list of days.
#[derive(Debug, PartialEq, Eq)]
enum Day {
    Of(usize),
    Span(usize, usize),
    /// Another day in words: a holiday.
    Named(String),
}

/// Hours of some days.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hours {
    days: Vec<Day>,
    /// For how long they hold, in words.
    valid: String,
    /// When it opens and closes; none where it is closed.
    open: Option<(String, String)>,
}

impl Hours {
    /// A row of a table of them.
    pub(super) fn cells(&self, labels: &Labels) -> Vec<String> {
        let day = |day: &Day| match day {
            Day::Of(day) => labels.days[*day].to_owned(),
            Day::Span(from, to) => format!("{}–{}", labels.days[*from], labels.days[*to]),
            Day::Named(name) => name.clone(),
        };
        let days = self.days.iter().map(day).chain([self.valid.clone()]).filter(|part| !part.is_empty());
        let days = days.collect::<Vec<_>>().join(", ");
        match &self.open {
            // One cell: half of the hours answers nobody who asks for them.
            Some((opens, closes)) if opens.is_empty() || closes.is_empty() => vec![days, format!("{opens}{closes}")],
            Some((opens, closes)) => vec![days, format!("{opens}–{closes}")],
            None => vec![days, labels.closed.to_owned()],
        }
    }

    /// Whether the page shows it: its times and its first and last day.
    fn is_seen(&self, seen: &Seen, labels: &Labels) -> bool {
        let has_day = |day: &Day| match day {
            Day::Of(day) => seen.has_day(*day, labels),
            Day::Span(from, to) => seen.has_day(*from, labels) && seen.has_day(*to, labels),
            Day::Named(name) => seen.has(name),
        };
        let ends = self.days.first().into_iter().chain(self.days.last());
        let has_times = self.open.as_ref().is_none_or(|(opens, closes)| {
            let span = format!("{opens} {closes}");
            seen.has_times(&span) || (seen.has(opens) && seen.has(closes))
        });
        self.valid.is_empty() && !self.days.is_empty() && has_times && ends.into_iter().all(has_day)
    }
}

/// Whether the page shows all of them.
pub(super) fn are_seen(rows: &[Hours], seen: &Seen, labels: &Labels) -> bool {
    rows.iter().all(|row| row.is_seen(seen, labels))
}

/// The hours that a thing states, in either form.
pub(super) fn stated(thing: &Value) -> Vec<Hours> {
    let mut rows: Vec<Hours> = each(thing.get("openingHoursSpecification")).filter_map(specified).collect();
    for line in words_of(thing.get("openingHours")) {
        rows.extend(written(&line));
    }
    rows.truncate(ROWS_MAX);
    rows
}

/// `{"dayOfWeek": ["Monday"], "opens": "09:00", "closes": "17:00"}`.
fn specified(one: &Value) -> Option<Hours> {
    let days: Vec<Day> = words_of(one.get("dayOfWeek")).iter().map(|name| day(name)).collect();
    let time = |field: &str| text(one.get(field)).map(|time| clock(&time));
    let (opens, closes) = (time("opens"), time("closes"));
    let valid = [one.get("validFrom"), one.get("validThrough")].map(text);
    let valid = valid.into_iter().flatten().collect::<Vec<_>>().join(" – ");
    let is_all_day = opens.as_deref() == Some("00:00") && closes.as_deref() == Some("23:59");
    let open = match (opens, closes) {
        _ if is_all_day => Some(("00:00".to_owned(), "24:00".to_owned())),
        (None, None) => None,
        (Some(opens), Some(closes)) if opens == closes => None,
        (opens, closes) => Some((opens.unwrap_or_default(), closes.unwrap_or_default())),
    };
    (!days.is_empty() || !valid.is_empty() || open.is_some()).then_some(Hours { days, valid, open })
}

/// `Mo-Fr 09:00-17:00`, `Sa,Su 10:00-14:00`, `Mo-Su`, `Mo-Fr 9:00-12:00 14:00-18:00, Sa 10:00-14:00`.
fn written(line: &str) -> Vec<Hours> {
    let mut rows: Vec<Hours> = Vec::new();
    let (mut days, mut timed) = (String::new(), false);
    let line = line.replace([';', '\n'], " ").replace(" - ", "-").replace(" – ", "-").replace('–', "-");
    let push = |days: &str, span: Option<&str>, rows: &mut Vec<Hours>| {
        let days: Vec<Day> = days.split(',').map(str::trim).filter(|part| !part.is_empty()).map(span_of_days).collect();
        let (opens, closes) = span.map(|span| span.split_once('-').unwrap_or((span, ""))).unwrap_or_default();
        let open = Some((cut(opens.trim(), 20), cut(closes.trim(), 20)));
        if !days.is_empty() || span.is_some() {
            rows.push(Hours { days, valid: String::new(), open });
        }
    };
    for word in line.split_whitespace().take(4 * ROWS_MAX) {
        let word = word.trim_end_matches(',');
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            push(&days, Some(word), &mut rows);
            timed = true;
        } else {
            if std::mem::take(&mut timed) {
                days.clear();
            }
            days.push_str(if days.is_empty() { "" } else { "," });
            days.push_str(word);
        }
    }
    if !timed {
        push(&days, None, &mut rows);
    }
    rows
}

fn span_of_days(words: &str) -> Day {
    match words.split_once('-').map(|(from, to)| (day(from), day(to))) {
        Some((Day::Of(from), Day::Of(to))) => Day::Span(from, to),
        _ => day(words),
    }
}

/// `Monday`, `https://schema.org/Monday`, `Mo`.
fn day(name: &str) -> Day {
    let name = name.rsplit(['/', ':', '#']).next().unwrap_or(name).trim();
    let lower = name.to_ascii_lowercase();
    let place = lower.get(..2).and_then(|first| CODES.iter().position(|one| *one == first));
    place.map_or_else(|| Day::Named(cut(name, 40)), Day::Of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::labels;

    #[test]
    fn hours_are_read_as_programs_write_them() {
        let en = labels::of(None);
        for (line, expected) in [
            ("Mo-Fr 09:00-17:00", "Monday–Friday|09:00–17:00"),
            ("Sa,Su 10:00-14:00", "Saturday, Sunday|10:00–14:00"),
            ("Mo-Su", "Monday–Sunday|"),
            (
                "Mo-Fr 9:00-12:00 14:00-18:00, Sa 10:00-14:00",
                "Monday–Friday|9:00–12:00 / Monday–Friday|14:00–18:00 / Saturday|10:00–14:00",
            ),
            ("Mon - Fri 9am-5pm", "Monday–Friday|9am–5pm"),
            ("", ""),
        ] {
            let rows: Vec<String> = written(line).iter().map(|row| row.cells(en).join("|")).collect();
            assert_eq!(rows.join(" / "), expected, "{line}");
        }
    }

    #[test]
    fn hours_that_are_shown_are_known_in_other_spellings() {
        let en = labels::of(None);
        let shown = "Mon–Fri 9am to 5.30pm, Saturdays 10–14. Closed on Sundays.";
        for (line, expected) in [
            ("Mo-Fr 09:00-17:30", true),
            ("Mo-Fr 09:00-17:30, Sa 10:00-14:00", true),
            ("Mo-Fr 09:00-18:00", false),
            ("Tu 09:00-17:30", false),
        ] {
            assert_eq!(are_seen(&written(line), &Seen::new(None, shown), en), expected, "{line}");
        }
    }
}
