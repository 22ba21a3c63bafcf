//! The running reply as a relay has heard it from the owner.
//! Invariant: its text is the owner's up to where it ends; a piece that leaves a gap is not taken.

use schema::{Event, Fact, Turn};

use super::subscriber::Speech;
use crate::frames::chars_between;

/// What stands for each character that was taken back, as at the owner.
const BLANK: char = '\n';

/// A reply that runs elsewhere, so far.
#[derive(Default)]
pub(super) struct Heard {
    turn: Turn,
    text: String,
    chars: usize,
}

impl Heard {
    /// The reply that runs, if one does.
    pub(super) fn speech(&self) -> Option<Speech<'_>> {
        (self.turn > 0).then_some(Speech { turn: self.turn, text: &self.text })
    }

    /// Takes a piece; gives where what is new in it begins, and that. None: something before it is missing.
    pub(super) fn take(&mut self, turn: Turn, offset: usize, piece: &str) -> Option<(usize, String)> {
        if self.turn != turn {
            *self = Self { turn, ..Self::default() };
        }
        let had = self.chars.checked_sub(offset)?;
        let new = chars_between(piece, had, usize::MAX).as_str().to_owned();
        let begins = self.chars;
        self.chars += new.chars().count();
        self.text.push_str(&new);
        Some((begins, new))
    }

    /// Looks at an event for what it says of the reply.
    pub(super) fn on_event(&mut self, event: &Event) {
        match &event.fact {
            Fact::Message { reply: Some(reply), .. } if reply.turn == self.turn => *self = Self::default(),
            Fact::Checkpoint { turn, unsaid: Some(from), .. } if *turn == self.turn => self.take_back(*from),
            _ => {}
        }
    }

    fn take_back(&mut self, from: usize) {
        let at = self.text.char_indices().nth(from).map_or(self.text.len(), |(at, _)| at);
        self.text.truncate(at);
        self.text.extend((from..self.chars).map(|_| BLANK));
    }
}

#[cfg(test)]
mod tests {
    use schema::{Author, Timestamp};

    use super::*;

    fn checkpoint(turn: Turn, unsaid: usize) -> Event {
        let fact = Fact::Checkpoint { turn, offset: 0, chars: None, text: "".into(), unsaid: Some(unsaid) };
        Event { seq: 1, at: Timestamp::default(), author: Author::Assistant, fact }
    }

    fn text(heard: &Heard) -> Option<(Turn, &str)> {
        heard.speech().map(|speech| (speech.turn, speech.text))
    }

    #[test]
    fn pieces_are_joined_and_overlap_once_and_a_gap_is_told() {
        let mut heard = Heard::default();
        assert_eq!(text(&heard), None);
        for (offset, piece, taken) in [
            (0, "Grü", Some((0, "Grü"))),
            (3, "ß dich", Some((3, "ß dich"))),
            (3, "ß dich, Ana", Some((9, ", Ana"))),
            (0, "Gr", Some((14, ""))),
            (15, "gap", None),
        ] {
            let found = heard.take(1, offset, piece);
            assert_eq!(found.as_ref().map(|(at, new)| (*at, new.as_str())), taken, "{piece}");
        }
        assert_eq!(text(&heard), Some((1, "Grüß dich, Ana")));
        assert_eq!(heard.take(2, 0, "Next"), Some((0, "Next".to_owned())));
        assert_eq!(text(&heard), Some((2, "Next")));
    }

    #[test]
    fn what_was_taken_back_is_blanked_and_keeps_its_place() {
        let mut heard = Heard::default();
        let _ = heard.take(1, 0, "One. thöught");
        heard.on_event(&checkpoint(2, 0));
        assert_eq!(text(&heard), Some((1, "One. thöught")), "another reply's");
        heard.on_event(&checkpoint(1, 5));
        assert_eq!(text(&heard), Some((1, "One. \n\n\n\n\n\n\n")));
        assert_eq!(heard.take(1, 12, "Two."), Some((12, "Two.".to_owned())));
    }
}
