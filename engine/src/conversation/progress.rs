//! The running turn reports.

use std::ops::Range;

use schema::{Author, End, Fact, Text, Turn, limits};

use super::floor::{Floor, Stored};
use super::machine::Call;
use super::turn::{Ending, millis};
use super::{Conversation, Effect, Progress};

impl Conversation {
    /// Reports of a turn or attempt that is over are dropped: whoever ended it has the last word.
    pub(super) fn on_progress(&mut self, turn: Turn, attempt: u32, progress: Progress, call: &mut Call<'_>) {
        let Some(running) = self.floor.running_mut() else { return };
        if (running.turn, running.attempt) != (turn, attempt) {
            return;
        }
        match progress {
            Progress::Found(passages) => running.passages = passages,
            Progress::Asking { model, price, input_tokens } => {
                running.tally.asking(input_tokens);
                running.model = model;
                running.price = price;
            }
            Progress::FailedOver(failover) if running.failovers.len() < limits::FAILOVERS_MAX => {
                running.failovers.push(failover);
            }
            Progress::FailedOver(_) => {}
            Progress::Usage(usage) => running.tally.count(usage),
            Progress::Text { text, tokens } => {
                running.tally.wrote(tokens);
                self.on_text(turn, &text, call);
            }
            Progress::Unsaid { bytes } => {
                if let Floor::Speaking { text, unsaid, .. } = &mut self.floor {
                    let from = (0..=text.len().saturating_sub(bytes)).rev().find(|at| text.is_char_boundary(*at));
                    take_back(from.unwrap_or(0)..text.len(), unsaid);
                }
            }
            Progress::Ended { end, error, retry_after, spent } => {
                self.end_turn(Ending { end, answers: None, error, retry_after, spent }, call);
                self.go_on(call);
            }
        }
    }

    fn on_text(&mut self, turn: Turn, piece: &Text, call: &mut Call<'_>) {
        if piece.is_empty() {
            return;
        }
        if let Floor::Thinking(running) = &self.floor {
            self.floor = Floor::Speaking {
                first_token_ms: millis(call.now.since(running.started_at)),
                running: running.clone(),
                text: String::new(),
                chars: 0,
                stored: Stored { bytes: 0, chars: 0, at: call.now },
                unsaid: Vec::new(),
            };
        }
        let Floor::Speaking { text, chars, .. } = &mut self.floor else { return };
        if text.len() + piece.bytes() > limits::REPLY_BYTES_MAX {
            call.out.push(Effect::Stop);
            let ending = Ending { end: End::Length, ..Ending::default() };
            self.end_turn(ending, call);
            return self.go_on(call);
        }
        call.out.push(Effect::Delta { turn, offset: *chars, text: piece.clone() });
        text.push_str(piece.as_str());
        *chars += piece.chars();
        self.checkpoint(turn, call);
    }

    /// Stores the reply's tail once it is long or old enough, so that a crash loses little.
    fn checkpoint(&mut self, turn: Turn, call: &mut Call<'_>) {
        let Floor::Speaking { text, chars, stored, .. } = &mut self.floor else { return };
        let due = text.len() - stored.bytes >= limits::CHECKPOINT_BYTES
            || call.now.since(stored.at) >= limits::CHECKPOINT_AFTER;
        if !due {
            return;
        }
        let offset = stored.chars;
        let Some(tail) = text.get(stored.bytes..).map(Text::from) else { return };
        *stored = Stored { bytes: text.len(), chars: *chars, at: call.now };
        self.record(Author::Assistant, Fact::Checkpoint { turn, offset, chars: None, text: tail }, call);
    }
}

/// Notes a part as no part of the reply. A model that thinks aloud again and again widens the last one.
fn take_back(part: Range<usize>, unsaid: &mut Vec<Range<usize>>) {
    let full = unsaid.len() >= limits::UNSAID_MAX;
    match unsaid.last_mut() {
        Some(last) if full || part.start <= last.end => *last = last.start.min(part.start)..part.end,
        _ => unsaid.push(part),
    }
}
