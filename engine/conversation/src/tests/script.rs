//! Runs a little script against the machine, and writes its effects down.

use std::fmt::Write as _;

use expect_test::Expect;
use schema::{Channel, End, Event, Fact, FloorPolicy, Text, Timestamp};

use super::super::*;

/// Runs `script` (steps between bars) and compares what comes out. Steps: `say WORDS`,
/// `again WORDS` (the last ref once more), `agent WORDS` (Bo's), `other WORDS` (Cy's), `agent-again WORDS`,
/// `other-again WORDS`, `text PIECE`, `unsay BYTES`, `unknown`,
/// `wants REASON`, `end NAME`, `late PIECE` (of
/// an earlier attempt), `cancel`, `take NAME`, `back`, `close`, `elapse`, `+Nms`, `interrupt`, `erase`, `crash`, `due`
/// (the index says that something is), `when` (the next moment that the index is to have).
pub(super) fn check(policy: &FloorPolicy, script: &str, expected: &Expect) {
    let policy = Policy { floor: policy.clone(), profile_version: 1, closing: false };
    let mut run = Run { policy, ..Run::default() };
    run.apply(Command::Open { contact: schema::ContactId::from_bytes([7; 16]), channel: Channel::Web, locale: None });
    run.lines.clear();
    for step in script.split('|').map(str::trim) {
        run.step(step);
    }
    expected.assert_eq(&(run.lines.join("\n") + "\n"));
}

#[derive(Default)]
struct Run {
    conversation: Conversation,
    policy: Policy,
    now: i64,
    log: Vec<Event>,
    refs: u32,
    armed: Option<Timer>,
    lines: Vec<String>,
}

impl Run {
    fn step(&mut self, step: &str) {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        let running = self.conversation.floor().running().map(|r| (r.turn, r.attempt));
        let (turn, attempt) = running.unwrap_or((self.conversation.state().turns, 1));
        let progress = |progress| Command::Progress { turn, attempt, progress };
        let text = |text: &str| Progress::Text { text: Text::from(text), tokens: 1 };
        let command = match verb {
            "say" | "again" | "agent" | "agent-again" | "other" | "other-again" => {
                self.refs += u32::from(!verb.ends_with("again"));
                let speaker = match verb {
                    "agent" | "agent-again" => Speaker::Agent("Bo".into()),
                    "other" | "other-again" => Speaker::Agent("Cy".into()),
                    _ => Speaker::Contact,
                };
                Command::Say { speaker, r#ref: self.refs.to_string().parse().unwrap(), text: rest.into() }
            }
            "text" => progress(text(rest)),
            "unsay" => progress(Progress::Unsaid { bytes: rest.parse().unwrap() }),
            "unknown" => progress(Progress::Unanswered),
            "wants" => progress(Progress::HandoffRequested(serde_json::from_str(&format!("\"{rest}\"")).unwrap())),
            "late" => Command::Progress { turn, attempt: attempt - 1, progress: text(rest) },
            "end" => {
                let end = serde_json::from_str::<End>(&format!("\"{rest}\"")).unwrap();
                progress(Progress::Ended { end, error: None, retry_after: None, spent: None })
            }
            "cancel" => Command::Cancel { turn: None },
            "erase" => Command::Erase,
            "take" => Command::Take { agent: rest.into() },
            "back" => Command::HandBack { agent: "Bo".into() },
            "close" => Command::Close,
            "interrupt" => Command::Interrupt,
            "elapse" => Command::Elapsed(self.armed.expect("a timer was armed")),
            "due" => Command::Due,
            "when" => {
                let moment = self.conversation.due(&self.policy.floor, Timestamp::from_millis(self.now));
                let moment = moment.map_or_else(|| "never".into(), |at| format!("{} ms", at.as_millis()));
                self.lines.push(format!("> when: {moment}"));
                return;
            }
            "crash" => {
                self.conversation = Conversation::from_events(&self.log);
                Command::Wake
            }
            wait => {
                let millis = wait.strip_prefix('+').and_then(|wait| wait.strip_suffix("ms"));
                self.now += millis.unwrap_or_else(|| panic!("no such step: {step}")).parse::<i64>().unwrap();
                return;
            }
        };
        self.lines.push(format!("> {}", if step.len() > 60 { verb } else { step }));
        self.apply(command);
    }

    fn apply(&mut self, command: Command) {
        let mut out = Vec::new();
        self.conversation.apply(command, &self.policy, Timestamp::from_millis(self.now), &mut out);
        for effect in out {
            let line = match effect {
                Effect::Append(event) => {
                    let line = describe(&event);
                    self.log.push(event);
                    line
                }
                Effect::Reply(Ok(outcome)) => format!("reply {}", outcome.seq.unwrap_or_default()),
                Effect::Reply(Err(refusal)) => format!("refuse {}", refusal.code),
                Effect::Delta { turn, offset, text } => {
                    format!("delta t{turn}@{offset} {}", if text.bytes() > 60 { "…" } else { text.as_str() })
                }
                Effect::Ask { turn, attempt } => format!("ask t{turn} #{attempt}"),
                Effect::Stop => "stop".into(),
                Effect::Arm { timer, after } => {
                    self.armed = Some(timer);
                    format!("arm {after:?}")
                }
            };
            self.lines.push(format!("  {line}"));
        }
    }
}

fn describe(event: &Event) -> String {
    let mut line = format!("{} {}", event.seq, event.fact.name());
    if let Fact::Checkpoint { unsaid: Some(from), .. } = &event.fact {
        write!(line, " unsaid from {from}").unwrap();
    }
    if let Fact::Message { text, reply, .. } = &event.fact {
        let words = if text.bytes() > 60 { format!("{} bytes", text.bytes()) } else { text.as_str().to_owned() };
        write!(line, " {:?} \"{words}\"", event.author).unwrap();
        if let Some(reply) = reply {
            write!(line, " t{} {} answers {}", reply.turn, reply.end.name(), reply.answers).unwrap();
            line.push_str(if reply.made.unanswered { " unanswered" } else { "" });
        }
    }
    line
}
