//! The dispatcher: one command in, its effects out. Each command has its own file.

use schema::{Author, ErrorCode, Event, Fact, Timestamp};

use super::{Command, Effect, Floor, Outcome, Owner, Policy, Refusal, State};

/// A conversation that is awake.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    pub(super) state: State,
    pub(super) floor: Floor,
    /// It was erased: nothing is left of what was said, and nothing is taken any more. Not part of the state, which
    /// is what the log says: of this conversation there is none.
    pub(super) erased: bool,
}

/// One command's surroundings, passed to its handler.
pub(super) struct Call<'a> {
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
    pub(super) out: &'a mut Vec<Effect>,
}

impl Conversation {
    /// A conversation as its log tells it. Send [`Command::Wake`] (or `Open`, when the log is
    /// empty) before anything else.
    #[must_use]
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut conversation = Self::default();
        for event in events {
            conversation.state.fold(event);
        }
        conversation
    }

    /// Takes in the next event of the log, while it is being read.
    pub fn fold(&mut self, event: &Event) {
        self.state.fold(event);
    }

    /// What the log says.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Who has the floor.
    #[must_use]
    pub const fn floor(&self) -> &Floor {
        &self.floor
    }

    /// Decides what a command leads to. `out` gets the effects, in order; commands that somebody
    /// waits for give exactly one [`Effect::Reply`].
    pub fn apply(&mut self, command: Command, policy: &Policy, now: Timestamp, out: &mut Vec<Effect>) {
        let mut call = Call { policy, now, out };
        let call = &mut call;
        if self.erased {
            return Self::after_erasure(&command, call);
        }
        match command {
            Command::Open { contact, channel, locale } => {
                if self.state.head > 0 {
                    return call.refuse(ErrorCode::WrongState, "the conversation is open already");
                }
                self.record(Author::System, Fact::Opened { contact, channel, locale }, call);
                call.reply(Outcome { seq: Some(self.state.head), turn: None });
            }
            Command::Wake => self.on_wake(call),
            Command::Due => self.on_due(call),
            Command::Say { speaker, r#ref, text } => self.on_say(speaker, r#ref, text, call),
            Command::Cancel { turn } => self.on_cancel(turn, call),
            Command::Take { agent } => self.on_take(agent, call),
            Command::HandBack { agent } => self.on_hand_back(agent, call),
            Command::Close => self.on_close(call),
            Command::Progress { turn, attempt, progress } => self.on_progress(turn, attempt, progress, call),
            Command::Elapsed(timer) => self.on_elapsed(timer, call),
            Command::Interrupt => self.on_interrupt(call),
            Command::Erase => self.on_erase(call),
        }
    }

    /// Decides a fact: numbers it, folds it, has it stored.
    pub(super) fn record(&mut self, author: Author, fact: Fact, call: &mut Call<'_>) {
        let event = Event { seq: self.state.head + 1, at: call.now, author, fact };
        self.state.fold(&event);
        call.out.push(Effect::Append(event));
    }
}

impl Call<'_> {
    pub(super) fn reply(&mut self, outcome: Outcome) {
        self.out.push(Effect::Reply(Ok(outcome)));
    }

    pub(super) fn refuse(&mut self, code: ErrorCode, message: &'static str) {
        self.out.push(Effect::Reply(Err(Refusal::new(code, message))));
    }

    /// The same for who does not have the conversation.
    pub(super) fn refuse_as_taken(&mut self, message: &'static str, owner: &Owner) {
        let held_by = match owner {
            Owner::Human { agent } => Some(agent.clone()),
            Owner::Assistant => None,
        };
        self.out.push(Effect::Reply(Err(Refusal { held_by, ..Refusal::new(ErrorCode::WrongState, message) })));
    }
}
