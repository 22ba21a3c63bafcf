//! A client that speaks: what it sent, how often, and what was acknowledged.

use std::collections::HashMap;

use schema::{Author, Ref, Seq};

use super::{Findings, Rule, SpokenByRef};

/// A participant's sends and acknowledgements, in the order in which they happened.
#[derive(Clone, Debug)]
pub struct Sender {
    author: Author,
    sent: Vec<Sent>,
    by_ref: HashMap<Ref, usize>,
    /// So many from the first on are acknowledged.
    settled: usize,
    /// An acknowledgement for something never sent, or a second one that differs.
    wrong: Vec<String>,
}

#[derive(Clone, Debug)]
struct Sent {
    r#ref: Ref,
    text: String,
    times: usize,
    acknowledged: Option<Seq>,
    /// How many of the messages before this one were acknowledged when it was first sent.
    settled_before: usize,
}

impl Sender {
    /// One who has said nothing yet.
    #[must_use]
    pub fn new(author: Author) -> Self {
        Self { author, sent: Vec::new(), by_ref: HashMap::new(), settled: 0, wrong: Vec::new() }
    }

    /// It sends, or sends again what got no answer.
    pub fn sends(&mut self, r#ref: &Ref, text: &str) {
        if let Some(&at) = self.by_ref.get(r#ref) {
            self.sent[at].times += 1;
            return;
        }
        self.by_ref.insert(r#ref.clone(), self.sent.len());
        self.sent.push(Sent {
            r#ref: r#ref.clone(),
            text: text.to_owned(),
            times: 1,
            acknowledged: None,
            settled_before: self.settled,
        });
    }

    /// It was told that its message is event `seq`.
    pub fn acknowledged(&mut self, r#ref: &Ref, seq: Seq) {
        match self.by_ref.get(r#ref).map(|&at| &mut self.sent[at].acknowledged) {
            Some(told @ None) => {
                *told = Some(seq);
                while self.sent.get(self.settled).is_some_and(|sent| sent.acknowledged.is_some()) {
                    self.settled += 1;
                }
            }
            Some(Some(told)) if *told == seq => {}
            Some(Some(told)) => {
                self.wrong.push(format!("{ref} was acknowledged as {told} and as {seq}", r#ref = r#ref.as_str()));
            }
            None => self.wrong.push(format!("{ref} was acknowledged and never sent", r#ref = r#ref.as_str())),
        }
    }

    /// What was sent and not acknowledged.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (&Ref, &str)> {
        self.sent.iter().filter(|sent| sent.acknowledged.is_none()).map(|sent| (&sent.r#ref, sent.text.as_str()))
    }

    /// How many messages were acknowledged.
    #[must_use]
    pub fn acknowledged_count(&self) -> usize {
        self.sent.iter().filter(|sent| sent.acknowledged.is_some()).count()
    }

    pub(super) fn has_sent(&self, author: Author, r#ref: &Ref) -> bool {
        author == self.author && self.by_ref.contains_key(r#ref)
    }

    pub(super) fn check(&self, spoken: &SpokenByRef<'_>, findings: &mut Findings) {
        for wrong in &self.wrong {
            findings.add(Rule::Kept, wrong.clone());
        }
        // The highest number among those before, of which it was certain that they stood there.
        let mut highest_settled = Vec::with_capacity(self.sent.len() + 1);
        let mut highest = 0;
        // The same among those that were sent once and taken: nothing can have overtaken these.
        let mut highest_taken = 0;
        highest_settled.push(0);
        for sent in &self.sent {
            let name = sent.r#ref.as_str();
            let found = spoken.get(&(self.author, &sent.r#ref));
            match (found, sent.acknowledged) {
                (None, Some(seq)) => findings.add(Rule::Kept, format!("{name}, acknowledged as {seq}, is lost")),
                (Some(found), Some(seq)) if found.seq != seq => {
                    findings.add(Rule::Kept, format!("{name}, acknowledged as {seq}, stands at {}", found.seq));
                }
                _ => {}
            }
            if let Some(found) = found {
                findings.unless(found.text == sent.text, Rule::Kept, || format!("{name} has other words"));
                findings.unless(found.times == 1, Rule::Once, || format!("{name} stands there {} times", found.times));
                let before = highest_settled[sent.settled_before];
                findings.unless(found.seq > before, Rule::Order, || {
                    format!("{name} stands at {}, and what was said before it at {before}", found.seq)
                });
                if sent.times == 1 && sent.acknowledged.is_some() {
                    findings.unless(found.seq > highest_taken, Rule::Order, || {
                        format!("{name} stands at {}, and what was sent before it at {highest_taken}", found.seq)
                    });
                    highest_taken = highest_taken.max(found.seq);
                }
                highest = highest.max(found.seq);
            }
            highest_settled.push(highest);
        }
    }
}
