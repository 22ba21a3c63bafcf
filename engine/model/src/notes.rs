//! The note beside each question in a prompt: when it was asked, and in which language to answer.
//! Invariant: a line follows from the log and the profile alone, so that a later prompt repeats it.

use engine_conversation::Exchange;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schema::Locale;

use super::language::{Heard, name_of};

/// Goes through the talk from its beginning on.
pub(super) struct Notes {
    zone: TimeZone,
    /// The day of the question before, of those that are told.
    day: Option<Date>,
    /// The language of the last questions, as long as nothing speaks against it.
    language: Option<&'static str>,
    /// The language of the contact's page, as long as they have not written in another for sure.
    page: Option<&'static str>,
}

impl Notes {
    /// In a time zone of the IANA database; in UTC if there is no such. `locale` is what the contact's page said.
    pub(super) fn new(zone: &str, locale: Option<&Locale>) -> Self {
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        Self { zone, day: None, language: None, page: locale.and_then(name_of) }
    }

    /// Takes in a question that is not told again.
    pub(super) fn pass(&mut self, exchange: &Exchange) {
        for line in &exchange.asked {
            match Heard::of(line.text.as_str()) {
                Heard::Sure(language) => {
                    self.language = Some(language);
                    self.page = self.page.filter(|page| *page == language);
                }
                // Two signs that agree.
                Heard::Maybe(language) if self.language.is_none() && self.page == Some(language) => {
                    self.language = Some(language);
                }
                // Who may have changed to another language is not answered in the one before.
                Heard::Maybe(language) if self.language != Some(language) => self.language = None,
                Heard::Maybe(_) | Heard::Nothing => {}
            }
        }
    }

    /// The line for the next question that is told; none where nothing was asked.
    pub(super) fn next(&mut self, exchange: &Exchange) -> Option<String> {
        self.pass(exchange);
        let asked = exchange.asked.last()?;
        let at = Timestamp::from_millisecond(asked.at.as_millis()).ok()?.to_zoned(self.zone.clone());
        let same = self.day.replace(at.date()) == Some(at.date());
        let when = at.strftime(if same { "%H:%M" } else { "%A, %-d %B %Y, %H:%M" });
        let language = match (self.language, self.page) {
            (Some(language), _) => format!(" Answer in {language}."),
            (None, Some(page)) => format!(" Answer in {page}, unless the message is in another language."),
            (None, None) => String::new(),
        };
        Some(format!("[{when}.{language}]"))
    }
}

#[cfg(test)]
mod tests {
    use engine_conversation::Line;
    use schema::{Author, Timestamp as Moment};

    use super::*;

    fn asked(at: &str, text: &str) -> Exchange {
        let at: Moment = at.parse().unwrap();
        let line = Line { seq: 1, at, author: Author::Contact, text: text.into(), cut: false, begins_late: false };
        Exchange { asked: vec![line], ..Exchange::default() }
    }

    #[test]
    fn a_note_has_the_day_once_and_the_language_from_then_on() {
        let rows = [
            ("2026-11-28T16:46:59Z", "Hi", "[Saturday, 28 November 2026, 17:46.]"),
            ("2026-11-28T17:01:00Z", "¿Cuánto tarda el envío a Portugal?", "[18:01. Answer in Spanish.]"),
            ("2026-11-28T23:30:00Z", "ok", "[Sunday, 29 November 2026, 00:30. Answer in Spanish.]"),
            ("2026-11-29T09:00:00Z", "What is your return policy for shoes?", "[10:00.]"),
            (
                "2026-11-29T09:01:00Z",
                "I would like to know whether there is a larger size",
                "[10:01. Answer in English.]",
            ),
            ("2026-07-01T10:00:00Z", "12", "[Wednesday, 1 July 2026, 12:00. Answer in English.]"),
        ];
        let mut notes = Notes::new("Europe/Madrid", None);
        for (at, text, note) in rows {
            assert_eq!(notes.next(&asked(at, text)).as_deref(), Some(note), "{text}");
        }
        assert_eq!(notes.next(&Exchange::default()), None);
        for zone in ["", "UTC", "Mars/Olympus"] {
            let note = Notes::new(zone, None).next(&asked("2026-11-28T16:46:59Z", "Hi"));
            assert_eq!(note.as_deref(), Some("[Saturday, 28 November 2026, 16:46.]"), "{zone}");
        }
        let mut passed = Notes::new("UTC", None);
        passed.pass(&asked("2026-11-28T16:46:59Z", "¿Cuánto tarda el envío a Portugal?"));
        let note = passed.next(&asked("2026-11-28T16:50:00Z", "ok"));
        assert_eq!(note.as_deref(), Some("[Saturday, 28 November 2026, 16:50. Answer in Spanish.]"));
    }

    #[test]
    fn a_page_s_language_counts_until_the_words_tell_another() {
        let weak = |language: &str| format!(" Answer in {language}, unless the message is in another language.");
        let sure = |language: &str| format!(" Answer in {language}.");
        let rows: &[(&str, &[(&str, String)])] = &[
            ("es-ES", &[("wifi?", weak("Spanish")), ("ok", weak("Spanish"))]),
            ("es", &[("wifi?", weak("Spanish")), ("How long does the delivery to Portugal take?", sure("English"))]),
            // The page says nothing any more, once somebody has not written in its language.
            (
                "en-US",
                &[
                    ("Hola", weak("English")),
                    ("¿Cuánto tarda el envío a Portugal?", sure("Spanish")),
                    ("How long is its warranty?", String::new()),
                    ("ok", String::new()),
                ],
            ),
            ("en", &[("How long is its warranty?", sure("English")), ("ok", sure("English"))]),
            ("en", &[("Do you ship to Portugal?", weak("English")), ("ok", weak("English"))]),
            ("tlh", &[("wifi?", String::new())]),
        ];
        for (locale, said) in rows {
            let mut notes = Notes::new("UTC", Some(&locale.parse().unwrap()));
            for (at, (text, language)) in said.iter().enumerate() {
                let when = if at == 0 { "Saturday, 28 November 2026, 16:46" } else { "16:46" };
                let note = notes.next(&asked("2026-11-28T16:46:59Z", text));
                assert_eq!(note, Some(format!("[{when}.{language}]")), "{locale}: {text}");
            }
        }
    }
}
