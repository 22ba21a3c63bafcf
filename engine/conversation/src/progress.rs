//! Handles the reports of the running turn.

use schema::{Author, End, Fact, Text, Turn, limits};

use super::floor::{Floor, Stored};
use super::machine::Call;
use super::said::Said;
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
            Progress::Unanswered => running.unanswered = true,
            Progress::HandoffRequested(reason) => self.request_handoff(reason, call),
            Progress::Unsaid { bytes } => self.on_unsaid(turn, bytes, call),
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
                said: Said::default(),
                stored: Stored { bytes: 0, chars: 0, at: call.now },
            };
        }
        let Floor::Speaking { said, stored, .. } = &mut self.floor else { return };
        if said.text().len() + piece.bytes() > limits::REPLY_BYTES_MAX {
            call.out.push(Effect::Stop);
            let ending = Ending { end: End::Length, ..Ending::default() };
            self.end_turn(ending, call);
            return self.go_on(call);
        }
        call.out.push(Effect::Delta { turn, offset: said.chars(), text: piece.clone() });
        said.push(piece.as_str(), piece.chars());
        // Stored once it is long or old enough, so that a crash loses little.
        let due = said.text().len() - stored.bytes >= limits::CHECKPOINT_BYTES
            || call.now.since(stored.at) >= limits::CHECKPOINT_AFTER;
        if due {
            self.checkpoint(turn, None, call);
        }
    }

    /// The last words were a thought. They have gone out, and may be stored: whoever has them is told at once.
    fn on_unsaid(&mut self, turn: Turn, bytes: usize, call: &mut Call<'_>) {
        let Floor::Speaking { said, stored, .. } = &mut self.floor else { return };
        let from = said.take_back(bytes);
        if from < stored.chars {
            // From there on each character is a blank of one byte now.
            stored.bytes = said.text().len() - (said.chars() - stored.chars);
        }
        if from < said.chars() {
            self.checkpoint(turn, Some(from), call);
        }
    }

    /// Stores the reply's tail, and from which character on all that was said so far was none of it.
    fn checkpoint(&mut self, turn: Turn, unsaid: Option<usize>, call: &mut Call<'_>) {
        let Floor::Speaking { said, stored, .. } = &mut self.floor else { return };
        let offset = stored.chars;
        let Some(text) = said.text().get(stored.bytes..).map(Text::from) else { return };
        *stored = Stored { bytes: said.text().len(), chars: said.chars(), at: call.now };
        self.record(Author::Assistant, Fact::Checkpoint { turn, offset, chars: None, text, unsaid }, call);
    }
}
