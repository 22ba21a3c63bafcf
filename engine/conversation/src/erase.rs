//! Everything that was said goes for good.
//! Invariant: after it no text, no ref and no name is left in the machine, and nothing it is told changes that.

use schema::ErrorCode;

use super::machine::Call;
use super::{Command, Conversation, Effect, Floor, Outcome, State};

impl Conversation {
    /// The running reply is stopped and not ended: a reply in the log would be one more thing to erase. What stays is
    /// the number of the newest event, so that what comes late is seen to be late.
    pub(super) fn on_erase(&mut self, call: &mut Call<'_>) {
        if self.floor.running().is_some() {
            call.out.push(Effect::Stop);
        }
        self.state = State { head: self.state.head, ..State::default() };
        self.floor = Floor::Idle;
        self.erased = true;
        call.reply(Outcome::default());
    }

    /// Whether it was erased: what is asked of it is refused as it is for a conversation that never was.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.erased
    }

    /// Whoever waits for an answer is told that there is no such conversation; what comes late is nothing.
    pub(super) fn after_erasure(command: &Command, call: &mut Call<'_>) {
        match command {
            Command::Open { .. }
            | Command::Say { .. }
            | Command::Cancel { .. }
            | Command::Take { .. }
            | Command::HandBack { .. }
            | Command::Close => call.refuse(ErrorCode::UnknownConversation, "the conversation was erased"),
            // Once more is no error: the caller may not have had the first answer.
            Command::Erase => call.reply(Outcome::default()),
            Command::Wake | Command::Due | Command::Progress { .. } | Command::Elapsed(_) | Command::Interrupt => {}
        }
    }
}
