//! The messages from before a world began: a log of any length, as a conversation would have left it.

use schema::{
    Author, Channel, ContactId, End, Event, Fact, Made, Ownership, Passage, Reply, Text, Timestamp, Turn, limits,
};

use super::chance::Chance;
use super::node::EPOCH_MS;
use super::sizes::{Sizes, filled};

/// A log of at least `sizes.past` events; nothing in it is under way.
pub(super) fn past(chance: &Chance, sizes: Sizes, contact: ContactId) -> Vec<Event> {
    let mut log = Log { events: Vec::new(), turn: 0, ownership: 0 };
    log.add(Author::System, Fact::Opened { contact, channel: Channel::Web, locale: None });
    // A page of the longer ones is more than a session may let wait.
    let longest = [1_200, 2_400, 9_600][chance.index(3)];
    let short = |chance: &Chance| filled("some time ago ".into(), 200 + chance.index(longest));
    while log.events.len() < sizes.past {
        if chance.happens(0.02) {
            log.human_spell(chance.index(400), || short(chance));
        } else {
            log.exchange(short(chance), short(chance));
        }
    }
    log.events
}

/// Passages as many and as long as they may be.
pub(super) fn full_passages() -> Vec<Passage> {
    let passage = |n: u32| Passage {
        n,
        source: format!("https://shop.example/{n}"),
        heading: "Returns › Parcels".into(),
        text: Text::from("ü".repeat(limits::PASSAGE_CHARS_MAX)),
    };
    (1..).take(limits::PASSAGES_MAX).map(passage).collect()
}

struct Log {
    events: Vec<Event>,
    turn: Turn,
    ownership: Ownership,
}

impl Log {
    fn add(&mut self, author: Author, fact: Fact) {
        let seq = self.events.len() as u64 + 1;
        // All of it lies before the world's first moment.
        let at = Timestamp::from_millis(EPOCH_MS - 100_000_000 + seq.cast_signed());
        self.events.push(Event { seq, at, author, fact });
    }

    fn say(&mut self, author: Author, text: String) {
        let agent = (author == Author::Human).then(|| "Ines".to_owned());
        self.add(author, Fact::Message { text: text.into(), r#ref: None, agent: agent.map(Into::into), reply: None });
    }

    fn exchange(&mut self, asked: String, answered: String) {
        self.say(Author::Contact, asked);
        let answers = self.events.len() as u64;
        self.turn += 1;
        let turn = self.turn;
        self.add(Author::Assistant, Fact::TurnStarted { turn });
        let reply = Reply { turn, end: End::Completed, answers, made: Made::default() };
        let text = answered.into();
        self.add(Author::Assistant, Fact::Message { text, r#ref: None, agent: None, reply: Some(Box::new(reply)) });
    }

    /// A human agent has the conversation for a while, and everybody writes.
    fn human_spell(&mut self, messages: usize, mut words: impl FnMut() -> String) {
        let agent = || "Ines".to_owned();
        self.ownership += 1;
        self.add(Author::Human, Fact::TakenOver { agent: agent().into(), ownership: self.ownership });
        for n in 0..messages {
            self.say(if n % 3 == 0 { Author::Contact } else { Author::Human }, words());
        }
        self.say(Author::Human, words());
        self.ownership += 1;
        self.add(Author::Human, Fact::HandedBack { agent: agent().into(), ownership: self.ownership });
    }
}
