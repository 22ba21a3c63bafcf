//! A contact or an agent says something.

use std::time::Duration;

use schema::wire::Status;
use schema::{Author, ErrorCode, Fact, Ref, Text, WhileSpeaking, limits};

use super::machine::Call;
use super::refs::{Seen, Sender};
use super::{Conversation, Effect, Floor, Outcome, Owner, Speaker, Timer};

impl Conversation {
    pub(super) fn on_say(&mut self, speaker: Speaker, r#ref: Ref, text: Text, call: &mut Call<'_>) {
        let (author, agent) = match speaker {
            Speaker::Contact => (Author::Contact, None),
            Speaker::Agent(agent) => (Author::Human, Some(agent)),
        };
        let seen = self.state.refs.look(Sender { author, agent: agent.as_ref() }, &r#ref, &text);
        // A sender's own, and answered as before, also where somebody else has the conversation now.
        if let Seen::Same(seq) = seen {
            return call.reply(Outcome { seq: Some(seq), turn: None });
        }
        if let Some(agent) = &agent
            && !self.has(agent)
        {
            return call.refuse_as_taken("take the conversation over before writing in it", &self.state.owner);
        }
        if let Seen::Other = seen {
            return call.refuse(ErrorCode::RefConflict, "this ref was used for another text; choose a new one");
        }
        if self.state.status == Status::Closed {
            self.record(Author::System, Fact::Reopened {}, call);
            // Whoever had it was done with it.
            if author == Author::Contact {
                self.give_back(call);
            }
        }
        let short = is_short(&text);
        self.record(author, Fact::Message { text, r#ref: Some(r#ref), agent, reply: None }, call);
        call.reply(Outcome { seq: Some(self.state.head), turn: None });
        if author == Author::Contact && self.state.owner == Owner::Assistant {
            self.take_in(short, call);
        }
    }

    /// Decides what a new question does to whoever has the floor.
    fn take_in(&mut self, short: bool, call: &mut Call<'_>) {
        match &mut self.floor {
            Floor::Idle => {
                if short && call.policy.floor.burst_window_ms > 0 {
                    self.floor = Floor::Listening { since: call.now, latest: call.now };
                    self.await_more(call);
                } else {
                    self.start_turn(call);
                }
            }
            Floor::Listening { since, latest } => {
                *latest = call.now;
                // A long message is the point of the burst; and nobody waits for ever.
                if short && call.now.since(*since) < limits::BURST_WINDOW_MAX {
                    self.await_more(call);
                } else {
                    self.start_turn(call);
                }
            }
            // Nothing was said yet, so nothing is lost by asking again with the whole question.
            Floor::Thinking(running) if running.attempt < limits::ATTEMPTS_MAX => self.restart_turn(call),
            Floor::Thinking(_) => {}
            Floor::Speaking { .. } => match call.policy.floor.while_speaking {
                WhileSpeaking::Queue => {}
                WhileSpeaking::Interrupt => {
                    self.cancel_turn(call);
                    self.start_turn(call);
                }
            },
        }
    }

    fn await_more(&self, call: &mut Call<'_>) {
        let after = Duration::from_millis(u64::from(call.policy.floor.burst_window_ms));
        call.out.push(Effect::Arm { timer: Timer::Burst(call.now), after });
    }

    pub(super) fn on_elapsed(&mut self, timer: Timer, call: &mut Call<'_>) {
        let Timer::Burst(armed) = timer;
        if matches!(self.floor, Floor::Listening { latest, .. } if latest == armed) {
            self.start_turn(call);
        }
    }
}

/// Whether this may be the first of several: a few words without an end to the sentence.
fn is_short(text: &Text) -> bool {
    let text = text.as_str().trim_end();
    text.len() < 4 * limits::BURST_CHARS_MAX
        && text.chars().count() < limits::BURST_CHARS_MAX
        && !text.ends_with(['?', '!', '.', '？', '！', '。', '؟', '…'])
}
