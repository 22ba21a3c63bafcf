//! The question that a reply had to answer, read from the log.

use schema::{Author, Event, Fact, Seq, Timestamp, limits};

/// A question as it stood before a reply.
#[derive(Clone, PartialEq, Eq)]
pub struct Asked {
    /// The question's words, shortened.
    pub words: String,
    /// When the reply to it came.
    pub at: Timestamp,
    /// Whether the reply said that it does not know.
    pub unanswered: bool,
}

/// What the reply `seq` was to answer; none where `events`, a piece of a log that ends with it, has no such
/// reply or no words before it.
#[must_use]
pub fn asked(events: &[Event], seq: Seq) -> Option<Asked> {
    let event = events.iter().find(|event| event.seq == seq)?;
    let Fact::Message { reply: Some(reply), .. } = &event.fact else { return None };
    let before = events.iter().rev().filter(|before| before.seq < seq);
    // Further back it was answered by somebody else, or by the reply before.
    let since = before.clone().find_map(|before| match &before.fact {
        Fact::Message { reply: Some(earlier), .. } if earlier.answers < reply.answers => Some(earlier.answers),
        Fact::Message { reply: None, .. } if before.author == Author::Human => Some(before.seq),
        _ => None,
    });
    let mut said: Vec<&str> = before
        .filter(|before| before.author == Author::Contact && before.seq <= reply.answers)
        .filter(|before| before.seq > since.unwrap_or_default())
        .filter_map(|before| match &before.fact {
            Fact::Message { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    said.reverse();
    let words = shortened(&said.join(" "));
    (!words.is_empty()).then_some(Asked { words, at: event.at, unanswered: reply.made.unanswered })
}

/// One line of the first words.
fn shortened(said: &str) -> String {
    let mut words = String::new();
    let mut chars = 0;
    for c in said.chars().map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c }) {
        if c == ' ' && (words.is_empty() || words.ends_with(' ')) {
            continue;
        }
        if chars == limits::UNANSWERED_CHARS_MAX {
            words.push('…');
            break;
        }
        words.push(c);
        chars += 1;
    }
    words.truncate(words.trim_end().len());
    words
}

#[cfg(test)]
mod tests {
    use schema::{End, Made, Reply};

    use super::*;

    fn said(seq: Seq, author: Author, text: &str) -> Event {
        let fact = Fact::Message { text: text.into(), r#ref: None, agent: None, reply: None };
        Event { seq, at: Timestamp::from_millis(0), author, fact }
    }

    fn reply(seq: Seq, answers: Seq) -> Event {
        let made = Made { unanswered: true, ..Made::default() };
        let reply = Box::new(Reply { turn: 1, end: End::Completed, answers, made });
        let fact = Fact::Message { text: "x".into(), r#ref: None, agent: None, reply: Some(reply) };
        Event { seq, at: Timestamp::from_millis(9), author: Author::Assistant, fact }
    }

    #[test]
    fn the_question_is_what_was_said_since_the_last_answer() {
        use Author::{Contact, Human};
        let log = [
            said(2, Contact, "Do you ship?"),
            reply(3, 2),
            said(4, Contact, "hi"),
            said(5, Contact, "to\n\n Norway? "),
            said(6, Contact, "Too late."),
            reply(7, 5),
            said(8, Human, "I am Bo."),
            said(9, Contact, "x".repeat(limits::UNANSWERED_CHARS_MAX + 1).as_str()),
            reply(10, 9),
            reply(11, 9),
        ];
        let long = "x".repeat(limits::UNANSWERED_CHARS_MAX) + "…";
        for (seq, words) in [
            (3, Some("Do you ship?")),
            (7, Some("hi to Norway?")),
            (10, Some(long.as_str())),
            // Asked once more after a crash.
            (11, Some(long.as_str())),
            (4, None),
            (12, None),
        ] {
            let found = asked(&log, seq);
            assert_eq!(found.as_ref().map(|asked| asked.words.as_str()), words, "{seq}");
            assert!(found.is_none_or(|asked| asked.unanswered && asked.at == Timestamp::from_millis(9)));
        }
        assert!(asked(&log[3..4], 5).is_none() && asked(&[reply(1, 0)], 1).is_none());
    }
}
