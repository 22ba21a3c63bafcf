//! Divides a model's context among the parts of a prompt.
//! Invariant: shares depend on the model, the instructions and the wished length of a reply alone, and not on
//! what is said: so each turn shortens the talk where the turn before it did, and prefixes stay the same.

use std::borrow::Cow;

use super::tokens::{TOKENS_PER_LINE, estimate_tokens, quarters};
use super::window::Window;

/// The reply has at least a part in so many of the context, or as much as it may be long: a reply that is cut
/// helps nobody, and one of a quarter is long enough for what the rest can ask.
const ANSWER_PARTS: u64 = 4;
/// Of what instructions and reply leave, the question with its excerpts has a part in so many, and the talk
/// before it the other: an answer rests on the ones, and the last words on the other …
const TURN_PARTS: u64 = 2;
/// … but no more than this: the longest question and five excerpts of the longest kind, of which not both are
/// in a script of a token for each character.
const TURN_TOKENS_MAX: u64 = 8_192;
/// The question has a part in so many of that, and the excerpts what it leaves: nobody's question needs more …
const QUESTION_PARTS: u64 = 2;
/// … but no less than this, if the model's limit is to be tried at all.
const QUESTION_TOKENS_MIN: u64 = 64;
/// An excerpt that is shortened to less says nothing.
const PASSAGE_TOKENS_MIN: u64 = 48;
/// What servers add to a prompt besides its lines: marks of the template, dates of their own.
const AROUND_TOKENS: u64 = 32;
/// Earlier questions keep their excerpts where so many fit into the talk's room. In less room they would
/// push out the talk itself, which follow-up questions need more.
const REPEATED_MIN: u64 = 2;
/// One question in the talk before has a part in so many of its room …
const ASKED_PARTS: u64 = 4;
/// … and all answers to it, which may be several messages of a human agent, one in so many.
const ANSWERED_PARTS: u64 = 2;
/// However many there are, each keeps as much.
const LINE_TOKENS_MIN: u64 = 24;

/// What stands where a message's middle was.
pub(super) const SHORTENED: &str = "\n[The middle of this message is left out here.]\n";

/// The room of each part, in our estimate's tokens; without bounds where the context is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// For the question alone …
    pub(super) question: u64,
    /// … and with its excerpts.
    turn: u64,
    /// Tokens for the talk before the question.
    pub(super) history: u64,
    /// Whether earlier questions keep the excerpts that were found for them.
    pub(super) repeats: bool,
}

impl Room {
    const UNBOUNDED: Self = Self { question: u64::MAX, turn: u64::MAX, history: u64::MAX, repeats: true };

    /// The room that instructions of an estimated length leave in a window.
    pub(super) fn of(window: Window, instructions: u64, max_output_tokens: u32) -> Self {
        let Some(tokens) = window.tokens else { return Self::UNBOUNDED };
        let answer = answer_min(tokens, max_output_tokens);
        let all = window.rate.estimate(tokens - answer);
        let left = all.saturating_sub(instructions + TOKENS_PER_LINE + AROUND_TOKENS);
        let turn = (left / TURN_PARTS).clamp(QUESTION_TOKENS_MIN, TURN_TOKENS_MAX);
        let question = (turn / QUESTION_PARTS).max(QUESTION_TOKENS_MIN);
        let history = left.saturating_sub(turn);
        Self { question, turn, history, repeats: history >= REPEATED_MIN * turn }
    }

    /// The room for excerpts beside a question that took so many of its own tokens.
    pub(super) fn passages_beside(self, question: u64) -> u64 {
        if self.turn == u64::MAX { u64::MAX } else { self.turn.saturating_sub(question) }
    }

    /// The room of one earlier question.
    pub(super) fn asked(self) -> u64 {
        self.part(ASKED_PARTS)
    }

    /// The room of each of so many answers to it.
    pub(super) fn answered(self, count: usize) -> u64 {
        self.part(ANSWERED_PARTS.saturating_mul(count.max(1) as u64))
    }

    fn part(self, parts: u64) -> u64 {
        if self.history == u64::MAX { u64::MAX } else { (self.history / parts).max(LINE_TOKENS_MIN) }
    }
}

/// What the reply keeps in any case.
fn answer_min(tokens: u64, max_output_tokens: u32) -> u64 {
    u64::from(max_output_tokens).min(tokens / ANSWER_PARTS)
}

/// The limit of a reply's length beside a prompt of this estimate: as much as was wished, if it is there.
pub(super) fn answer(window: Window, prompt: u64, max_output_tokens: u32) -> u32 {
    let Some(tokens) = window.tokens else { return max_output_tokens };
    let left = tokens.saturating_sub(window.rate.tokens(prompt + AROUND_TOKENS));
    let room = left.max(answer_min(tokens, max_output_tokens)).max(1);
    u32::try_from(room).unwrap_or(u32::MAX).min(max_output_tokens)
}

/// What a piece of a prompt costs.
pub(super) fn cost(text: &str) -> u64 {
    // An empty line parts it from its neighbour where both are one side's words.
    estimate_tokens(text) + TOKENS_PER_LINE + 1
}

/// The first of the exchanges that are told again, by what each costs.
///
/// They are gone through as they came. When they get more than the room, the oldest are let go until half
/// of it is free, so that for many turns the first one stays the same.
pub(super) fn first_kept(costs: &[u64], room: u64) -> usize {
    let (mut first, mut sum) = (0, 0_u64);
    for (at, cost) in costs.iter().enumerate() {
        sum = sum.saturating_add(*cost);
        if sum <= room {
            continue;
        }
        while sum > room / 2 && first < at {
            sum = sum.saturating_sub(costs.get(first).copied().unwrap_or_default());
            first += 1;
        }
        if sum > room {
            (first, sum) = (at + 1, 0);
        }
    }
    first
}

/// A text of at most about so many tokens: its beginning and its end, with a mark between them.
pub(super) fn shortened(text: &str, room: u64) -> Cow<'_, str> {
    if room == u64::MAX || estimate_tokens(text) <= room {
        return text.into();
    }
    let half = 2 * room.saturating_sub(estimate_tokens(SHORTENED) + 1);
    let fits = |sum: &mut u64, c: char| {
        *sum += quarters(c);
        *sum <= half
    };
    let mut sum = 0;
    let head = text.char_indices().find(|(_, c)| !fits(&mut sum, *c)).map_or(text.len(), |(at, _)| at);
    let mut sum = 0;
    let tail = text.char_indices().rev().find(|(_, c)| !fits(&mut sum, *c)).map_or(0, |(at, c)| at + c.len_utf8());
    let (head, tail) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
    format!("{}{SHORTENED}{}", head.trim_end(), tail.trim_start()).into()
}

/// An excerpt's text of at most about so many tokens, or none if that would say nothing.
pub(super) fn excerpt(text: &str, room: u64) -> Option<String> {
    (room >= PASSAGE_TOKENS_MIN).then(|| shortened(text, room).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::window::Rate;
    use super::*;

    fn window(tokens: u64) -> Window {
        Window { tokens: Some(tokens), rate: Window::UNKNOWN.rate }
    }

    #[test]
    fn shares_add_up_to_the_context() {
        for (tokens, instructions, wished, expected) in [
            (2_048, 300, 1_024, Room { question: 223, turn: 446, history: 446, repeats: false }),
            (8_192, 300, 1_024, Room { question: 1_349, turn: 2_699, history: 2_699, repeats: false }),
            (32_768, 300, 1_024, Room { question: 4_096, turn: 8_192, history: 16_867, repeats: true }),
            (512, 2_000, 1_024, Room { question: 64, turn: 64, history: 0, repeats: false }),
        ] {
            let room = Room::of(window(tokens), instructions, wished);
            assert_eq!(room, expected, "{tokens}");
            let rate: Rate = window(tokens).rate;
            let all = instructions + TOKENS_PER_LINE + AROUND_TOKENS + room.turn + room.history;
            if room.history > 0 {
                assert!(rate.tokens(all) + answer_min(tokens, wished) <= tokens, "{tokens}");
            }
        }
        assert_eq!(Room::of(Window::UNKNOWN, 9_999, 1), Room::UNBOUNDED);
    }

    #[test]
    fn the_oldest_go_in_steps() {
        let kept = |costs: &[u64], room| first_kept(costs, room);
        for (costs, room, first) in [
            (&[][..], 10, 0),
            (&[5, 5], 10, 0),
            (&[5, 5, 1], 10, 2),
            (&[5, 5, 1, 4, 5], 10, 2),
            (&[2, 2, 2, 2, 2, 2], 10, 4),
            (&[2, 2, 2, 2, 2, 2, 2, 2, 2], 10, 4),
            (&[2, 2, 2, 2, 2, 2, 2, 2, 2, 2], 10, 8),
            (&[1, 9], 10, 0),
            (&[2, 9], 10, 1),
            (&[2, 11], 10, 2),
            (&[2, 11, 3], 10, 2),
            (&[1, 1], 0, 2),
            (&[u64::MAX, u64::MAX], u64::MAX, 0),
        ] {
            assert_eq!(kept(costs, room), first, "{costs:?} in {room}");
        }
    }

    #[test]
    fn a_long_message_keeps_its_beginning_and_its_end() {
        let long = format!("begin {} end", "word ".repeat(500));
        for room in [24, 64, 200] {
            let short = shortened(&long, room);
            assert!(estimate_tokens(&short) <= room, "{room}: {}", estimate_tokens(&short));
            assert!(short.starts_with("begin") && short.ends_with("end") && short.contains(SHORTENED), "{short}");
        }
        let chinese = "保修期是多久".repeat(300);
        assert!(estimate_tokens(&shortened(&chinese, 100)) <= 100);
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened(&long, u64::MAX), long.as_str());
        assert_eq!(shortened(&"x".repeat(99), 0).trim(), SHORTENED.trim());
        assert_eq!(excerpt(&long, 10), None);
    }

    #[test]
    fn the_reply_may_be_as_long_as_there_is_room() {
        for (tokens, prompt, wished, answered) in [
            (2_048, 100, 1_024, 1_024),
            (2_048, 1_000, 1_024, 758),
            (2_048, 5_000, 1_024, 512),
            (2_048, 5_000, 100, 100),
        ] {
            assert_eq!(answer(window(tokens), prompt, wished), answered, "{prompt} of {tokens}");
        }
        assert_eq!(answer(Window::UNKNOWN, 1 << 40, 7), 7);
    }
}
