//! The conversation as the terminal knows it: frames in, lines to show out.
//! Invariant: no clock and no I/O; whatever is sent again after a reconnect is shown once.

use schema::wire::{ClientFrame, Delta, ErrorFace, ServerFrame};
use schema::{
    Author, ConversationId, End, Event, Fact, Passage, Position, Reached, Ref, Reply, Seq, SessionId, Text, Turn,
};

/// The terminal's side of a conversation.
pub(super) struct Talk {
    conversation: ConversationId,
    /// The newest event that was shown.
    seq: Seq,
    /// The reply that is being shown.
    running: Option<Running>,
    /// What the person said and nobody has answered yet.
    waiting: Option<Waiting>,
    joined: bool,
    human: bool,
    failures: usize,
    /// Makes this terminal's refs unlike all others'.
    name: SessionId,
    refs: u64,
    join: Option<Ref>,
}

struct Running {
    turn: Turn,
    text: String,
    chars: usize,
}

struct Waiting {
    r#ref: Ref,
    text: Text,
    /// Its event, once it has one.
    seq: Option<Seq>,
}

/// Something for the screen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Show {
    /// Somebody else's whole message.
    Message {
        /// Who it is from.
        from: String,
        /// What they say.
        text: Text,
    },
    /// The next piece of the assistant's reply.
    Piece(String),
    /// The reply is over.
    Over {
        /// How it ended.
        end: End,
        /// Why it went wrong.
        error: Option<String>,
        /// What it was made from.
        passages: Vec<Passage>,
    },
    /// A word from this program.
    Note(String),
}

impl Talk {
    pub(super) fn new(conversation: ConversationId) -> Self {
        Self {
            conversation,
            seq: 0,
            running: None,
            waiting: None,
            joined: false,
            human: false,
            failures: 0,
            name: SessionId::generate(),
            refs: 0,
            join: None,
        }
    }

    /// Which conversation it is.
    pub(super) const fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// Whether the next line may be said.
    pub(super) const fn ready(&self) -> bool {
        self.joined && self.waiting.is_none() && self.running.is_none()
    }

    /// Whether a reply runs or is waited for.
    pub(super) const fn replying(&self) -> bool {
        self.waiting.is_some() || self.running.is_some()
    }

    /// How many messages were not answered, or not whole.
    pub(super) const fn failures(&self) -> usize {
        self.failures
    }

    /// A new socket: join from where this terminal is.
    pub(super) fn join(&mut self) -> Option<ClientFrame> {
        self.joined = false;
        let reached = self.running.as_ref().map(|running| Reached { turn: running.turn, offset: running.chars });
        let r#ref = self.next_ref()?;
        self.join = Some(r#ref.clone());
        let after = Position { seq: self.seq, reached };
        Some(ClientFrame::Join { r#ref, conversation: Some(self.conversation), after, locale: None })
    }

    /// The message that is on its way, to be sent again on a new socket: its ref makes it one.
    pub(super) fn unanswered(&self) -> Option<ClientFrame> {
        self.waiting.as_ref().map(|waiting| self.say_frame(waiting))
    }

    /// The person says something.
    pub(super) fn say(&mut self, text: &str) -> Option<ClientFrame> {
        let waiting = Waiting { r#ref: self.next_ref()?, text: text.into(), seq: None };
        let frame = self.say_frame(&waiting);
        self.waiting = Some(waiting);
        Some(frame)
    }

    /// The person wants the reply to stop.
    pub(super) fn cancel(&mut self) -> Option<ClientFrame> {
        let turn = self.running.as_ref().map(|running| running.turn);
        Some(ClientFrame::Cancel { r#ref: self.next_ref()?, conversation: self.conversation, turn })
    }

    /// The node says something. `Err` is the end of the chat.
    pub(super) fn on_frame(&mut self, frame: ServerFrame) -> Result<Vec<Show>, ErrorFace> {
        match frame {
            ServerFrame::Event { conversation, event } if conversation == self.conversation => Ok(self.on_event(event)),
            ServerFrame::Delta(delta) if delta.conversation == self.conversation => Ok(self.on_delta(&delta)),
            ServerFrame::Reply { r#ref, ok, error } => self.on_reply(&r#ref, ok.as_ref(), error),
            ServerFrame::Error { error, .. } => Ok(vec![Show::Note(error.message)]),
            _ => Ok(Vec::new()),
        }
    }

    fn on_reply(
        &mut self,
        r#ref: &Ref,
        ok: Option<&serde_json::Value>,
        error: Option<ErrorFace>,
    ) -> Result<Vec<Show>, ErrorFace> {
        if self.join.as_ref() == Some(r#ref) {
            return match error {
                Some(error) => Err(error),
                None => {
                    self.joined = true;
                    Ok(Vec::new())
                }
            };
        }
        if self.waiting.as_ref().is_some_and(|waiting| waiting.r#ref == *r#ref) {
            if let Some(error) = error {
                self.waiting = None;
                self.failures += 1;
                return Ok(vec![Show::Note(format!("not said: {} ({})", error.message, error.code))]);
            }
            let seq = ok.and_then(|ok| ok.get("seq")).and_then(serde_json::Value::as_u64);
            if let Some(waiting) = &mut self.waiting {
                waiting.seq = waiting.seq.or(seq);
            }
            if self.human {
                self.waiting = None;
                return Ok(vec![Show::Note("delivered; a human has this conversation".into())]);
            }
            return Ok(Vec::new());
        }
        Ok(error.map(|error| Show::Note(error.message)).into_iter().collect())
    }

    fn on_delta(&mut self, delta: &Delta) -> Vec<Show> {
        if self.running.as_ref().is_none_or(|running| running.turn != delta.turn) {
            self.running = Some(Running { turn: delta.turn, text: String::new(), chars: 0 });
        }
        let Some(running) = &mut self.running else { return Vec::new() };
        // What lies before is shown already. A piece that lies ahead leaves a gap, which the whole
        // reply fills.
        if delta.offset > running.chars {
            return Vec::new();
        }
        running.take(delta.text.as_str().chars().skip(running.chars - delta.offset).collect())
    }

    fn on_event(&mut self, event: Event) -> Vec<Show> {
        if event.seq <= self.seq {
            return Vec::new();
        }
        self.seq = event.seq;
        match event.fact {
            Fact::Message { text, reply: Some(reply), .. } => self.on_assistant(&text, *reply),
            Fact::Message { text, r#ref, agent, reply: None } => {
                if let Some(waiting) = self.waiting.as_mut().filter(|waiting| Some(&waiting.r#ref) == r#ref.as_ref()) {
                    waiting.seq = Some(event.seq);
                    return Vec::new();
                }
                if event.author == Author::Human {
                    self.waiting = None;
                }
                let from = agent.map(|agent| agent.to_string()).unwrap_or_else(|| match event.author {
                    Author::Contact => "you".into(),
                    _ => "a human".into(),
                });
                vec![Show::Message { from, text }]
            }
            Fact::TakenOver { agent, .. } => {
                self.human = true;
                self.waiting = None;
                vec![Show::Note(format!("{agent} took over"))]
            }
            Fact::HandedBack { agent, .. } => {
                self.human = false;
                vec![Show::Note(format!("{agent} handed back to the assistant"))]
            }
            Fact::Closed { .. } => vec![Show::Note("the conversation was closed; say something to reopen it".into())],
            Fact::HandoffRequested { .. } => vec![Show::Note("a person was asked to join".into())],
            Fact::Opened { .. } | Fact::TurnStarted { .. } | Fact::Checkpoint { .. } | Fact::Reopened {} => Vec::new(),
        }
    }

    fn on_assistant(&mut self, text: &Text, reply: Reply) -> Vec<Show> {
        // An older one can only be left over from before a long absence.
        let shown = self.running.take_if(|running| running.turn <= reply.turn);
        let mut running = shown.filter(|running| running.turn == reply.turn).unwrap_or(Running {
            turn: reply.turn,
            text: String::new(),
            chars: 0,
        });
        let mut shows = match text.as_str().strip_prefix(running.text.as_str()) {
            Some(rest) => running.take(rest.into()),
            // What came in pieces is not how the reply begins: the whole one holds.
            None => vec![Show::Note("the reply is:".into()), Show::Piece(text.as_str().into())],
        };
        // A reply to what was said before us, or one from the past, does not answer us.
        let answered = |waiting: &mut Waiting| waiting.seq.is_some_and(|seq| seq <= reply.answers);
        if self.waiting.take_if(answered).is_some() && matches!(reply.end, End::Failed | End::Incomplete) {
            self.failures += 1;
        }
        shows.push(Show::Over { end: reply.end, error: reply.made.error, passages: reply.made.passages });
        shows
    }

    fn say_frame(&self, waiting: &Waiting) -> ClientFrame {
        ClientFrame::Say {
            r#ref: waiting.r#ref.clone(),
            conversation: self.conversation,
            text: waiting.text.clone(),
            agent: None,
        }
    }

    fn next_ref(&mut self) -> Option<Ref> {
        self.refs += 1;
        // It always parses: it is short and visible.
        format!("{}-{}", self.name, self.refs).parse().ok()
    }
}

impl Running {
    fn take(&mut self, piece: String) -> Vec<Show> {
        if piece.is_empty() {
            return Vec::new();
        }
        self.chars += piece.chars().count();
        self.text.push_str(&piece);
        vec![Show::Piece(piece)]
    }
}

#[cfg(test)]
mod tests;
