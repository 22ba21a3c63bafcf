//! A client as the public protocol asks for: sends one message at a time, again with the same ref
//! until it is answered, comes back with its position, and keeps at it until all is said.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use engine_conversation::{Command, Speaker};
use loadtest::checker::{Observer, Sender};
use schema::wire::{Close, ErrorFace, ServerFrame};
use schema::{Author, ConversationKey, ErrorCode, Position, Ref, Seq};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::chance::Chance;
use super::line::{Ask, Line, Told};
use super::plant::Plant;
use super::world::World;

/// Without an answer for so long, it sends again.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// Who the client is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Contact,
    Agent,
}

pub(super) struct Client {
    world: Rc<World>,
    key: ConversationKey,
    role: Role,
    name: String,
    chance: Chance,
    pub(super) sender: Sender,
    pub(super) observer: Observer,
    to_say: VecDeque<(Ref, String)>,
    outstanding: Option<Outstanding>,
    /// Joins without an answer, and from where they are.
    joins: Vec<(Ref, Position)>,
    refs: usize,
    pub(super) done: bool,
}

struct Outstanding {
    r#ref: Ref,
    text: String,
    again_at: Instant,
}

/// What the client's life tells others.
pub(super) type Shared = Rc<std::cell::RefCell<Client>>;

impl Client {
    pub(super) fn new(
        world: Rc<World>,
        key: ConversationKey,
        role: Role,
        name: String,
        words: Vec<String>,
        chance: Chance,
    ) -> Self {
        let author = if role == Role::Agent { Author::Human } else { Author::Contact };
        let to_say = words.into_iter().enumerate().map(|(n, text)| (reference(&format!("{name}-{n}")), text)).collect();
        Self {
            world,
            key,
            role,
            name,
            chance,
            sender: Sender::new(author),
            observer: Observer::that_keeps_words(),
            to_say,
            outstanding: None,
            joins: Vec::new(),
            refs: 0,
            done: false,
        }
    }

    /// Whether it has said everything and seen everything, and waits for nothing.
    pub(super) fn is_quiet(&self, head: Seq) -> bool {
        self.done && self.joins.is_empty() && self.observer.seq() == head
    }

    /// Lives until its world ends.
    pub(super) async fn live(me: Shared) {
        let (world, chance, key) = {
            let me = me.borrow();
            (Rc::clone(&me.world), me.chance.clone(), me.key)
        };
        loop {
            let Some(mut line) = world.connect(key, &chance) else {
                sleep(chance.millis(20..=300)).await;
                continue;
            };
            me.borrow_mut().join(&line);
            let again = loop {
                let act_at = Instant::now() + chance.millis(5..=600);
                tokio::select! {
                    biased;
                    told = line.told.recv() => match told {
                        Some(Told::Frame(frame)) => if !me.borrow_mut().hear(&frame) { break chance.millis(20..=500) },
                        Some(Told::Close(close)) => {
                            let wait = chance.millis(5..=300);
                            break wait * me.borrow_mut().closed(close);
                        }
                        None => break chance.millis(5..=300),
                    },
                    () = sleep_until(act_at) => if !me.borrow_mut().act(&line) { break chance.millis(0..=400) },
                }
            };
            if chance.happens(0.5) {
                line.cut.cancel();
            }
            drop(line);
            sleep(again).await;
        }
    }

    fn join(&mut self, line: &Line) {
        self.joins.clear();
        if self.chance.happens(0.05) && !self.world.is_healed() {
            // A reload: everything is looked at anew.
            self.observer.forgets();
        }
        self.observer.comes_back();
        self.listen(line, self.observer.position());
        if self.chance.happens(self.world.goes_back()) {
            // Before the answer: what was asked first is still being read.
            self.go_back(line);
        }
    }

    /// Asks to be sent everything from a position on.
    fn listen(&mut self, line: &Line, from: Position) {
        self.refs += 1;
        let r#ref = reference(&format!("{}-join-{}", self.name, self.refs));
        self.joins.push((r#ref.clone(), from));
        // A line that is gone already shows itself at the next frame.
        let _ = line.asks.send(Ask::Join { r#ref, from: self.world.planted(from) });
    }

    /// Wants to see again what it has seen, on the same line.
    fn go_back(&mut self, line: &Line) {
        let reached = usize::try_from(self.observer.seq()).unwrap_or(usize::MAX);
        let seq = (reached - self.chance.index(reached + 1).min(800)) as u64;
        self.listen(line, Position { seq, reached: None });
    }

    /// The node has ended the line. Gives by how much longer than usual it is to be left alone.
    fn closed(&mut self, close: Close) -> u32 {
        self.world.tell(|| format!("{} is closed: {close:?}", self.name));
        let in_vain = if close == Close::SLOW_CONSUMER { self.observer.was_too_slow() } else { 0 };
        1 << in_vain.min(10)
    }

    /// Deals with a frame; false when this line is of no more use.
    fn hear(&mut self, raw: &str) -> bool {
        self.world.tell(|| format!("{} hears {raw}", self.name));
        self.observer.frame(raw);
        let Ok(frame) = serde_json::from_str::<ServerFrame>(raw) else {
            self.world.complain(format!("{} cannot read {raw}", self.name));
            return false;
        };
        match frame {
            ServerFrame::Event { event, .. } => self.observer.event(&event),
            ServerFrame::Delta(delta) => self.observer.delta(delta.turn, delta.offset, delta.text.as_str()),
            ServerFrame::Reply { r#ref, ok, error } if self.joins.iter().any(|(join, _)| *join == r#ref) => {
                let Some(ok) = ok.filter(|_| error.is_none()) else { return false };
                let asked = self.joins.iter().position(|(join, _)| *join == r#ref).map(|at| self.joins.remove(at));
                if let Some((_, from)) = asked {
                    self.observer.goes_back(from);
                }
                if ok["complete"] == Value::Bool(false)
                    && let Some(after) = ok["after"].as_u64()
                {
                    self.observer.skipped_to(after);
                }
            }
            ServerFrame::Reply { r#ref, ok, error } => self.answered(&r#ref, ok.as_ref(), error.as_ref()),
            // The conversation cannot be heard for now: come again.
            ServerFrame::Error { .. } | ServerFrame::GoingAway { .. } => return false,
            ServerFrame::Hello { .. } | ServerFrame::Signal(_) => {}
        }
        true
    }

    fn answered(&mut self, r#ref: &Ref, ok: Option<&Value>, error: Option<&ErrorFace>) {
        if let Some(seq) = ok.and_then(|ok| ok["seq"].as_u64()) {
            if r#ref.as_str().contains("-act-") {
                return;
            }
            self.sender.acknowledged(r#ref, seq);
            self.outstanding.take_if(|outstanding| outstanding.r#ref == *r#ref);
            return;
        }
        let Some(outstanding) = self.outstanding.as_mut().filter(|outstanding| outstanding.r#ref == *r#ref) else {
            return;
        };
        match error.map(|error| error.code) {
            // An agent who does not hold the conversation may not speak in it.
            Some(ErrorCode::WrongState) => self.outstanding = None,
            _ => outstanding.again_at = Instant::now() + self.chance.millis(50..=1_500),
        }
    }

    /// Does the next thing; false when it goes away from this line.
    fn act(&mut self, line: &Line) -> bool {
        let healed = self.world.is_healed();
        if !healed && self.chance.happens(0.08) {
            return false;
        }
        if let Some(outstanding) = &mut self.outstanding {
            if Instant::now() >= outstanding.again_at {
                outstanding.again_at = Instant::now() + PATIENCE;
                let (r#ref, text) = (outstanding.r#ref.clone(), outstanding.text.clone());
                self.say(line, &r#ref, &text);
            }
        } else if let Some((r#ref, text)) = self.to_say.pop_front() {
            self.outstanding =
                Some(Outstanding { r#ref: r#ref.clone(), text: text.clone(), again_at: Instant::now() + PATIENCE });
            self.say(line, &r#ref, &text);
            if self.chance.happens(0.1) {
                // The same frame twice, as an impatient client sends it.
                self.say(line, &r#ref, &text);
            }
        } else {
            self.done = true;
        }
        if !healed && self.chance.happens(0.1) {
            self.meddle(line);
        }
        if !healed && self.joins.is_empty() && self.chance.happens(self.world.goes_back()) {
            self.go_back(line);
        }
        true
    }

    fn say(&mut self, line: &Line, r#ref: &Ref, text: &str) {
        self.sender.sends(r#ref, text);
        let speaker = match self.role {
            Role::Contact => Speaker::Contact,
            Role::Agent => Speaker::Agent("Ines".into()),
        };
        let command = Command::Say { speaker, r#ref: r#ref.clone(), text: text.into() };
        let _ = line.asks.send(Ask::Command { r#ref: r#ref.clone(), command });
    }

    /// Stops a reply, closes the conversation, takes it over or gives it back.
    fn meddle(&mut self, line: &Line) {
        let agent = || "Ines".to_owned();
        let command = match (self.role, self.chance.index(3)) {
            (Role::Contact, 0 | 1) => Command::Cancel { turn: None },
            (Role::Contact, _) => Command::Close,
            (Role::Agent, 0 | 1) => Command::Take { agent: agent().into() },
            (Role::Agent, _) => Command::HandBack { agent: agent().into() },
        };
        self.refs += 1;
        let _ = line.asks.send(Ask::Command { r#ref: reference(&format!("{}-act-{}", self.name, self.refs)), command });
    }
}

impl World {
    /// Where a client says it stands; a planted fault has it stand a little off.
    fn planted(&self, position: Position) -> Position {
        match (self.plant(), position.reached) {
            (Some(Plant::CharacterSkipped), Some(mut reached)) if reached.offset > 0 => {
                reached.offset += 1;
                Position { reached: Some(reached), ..position }
            }
            (Some(Plant::EventRepeated), _) => Position { seq: position.seq.saturating_sub(1), ..position },
            _ => position,
        }
    }
}

fn reference(name: &str) -> Ref {
    name.parse().unwrap_or_else(|_| unreachable!("names here are short and visible"))
}
