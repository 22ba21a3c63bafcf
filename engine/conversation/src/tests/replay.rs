//! Folding the log gives the state that lived it, whatever was commanded.

use std::time::Duration;

use proptest::prelude::*;
use schema::wire::Status;
use schema::{
    Author, Channel, End, Event, Fact, FloorPolicy, HandoffReason, Text, Timestamp, UnfinishedTurns, WhileSpeaking,
    limits,
};

use super::super::*;
use super::snapshot::woken;

/// After which the default policy closes.
const HOURS: Duration = Duration::from_secs(72 * 3_600);

/// One step: which command, and a number it may use.
fn steps() -> impl Strategy<Value = Vec<(u8, u16)>> {
    prop::collection::vec((0u8..24, any::<u16>()), 1..120)
}

fn command(kind: u8, n: u16, conversation: &Conversation, armed: Option<Timer>) -> Option<Command> {
    let running = conversation.floor().running().map(|running| (running.turn, running.attempt));
    // Now and then a report of a turn or attempt that is over.
    let (turn, attempt) = running.map_or((1, 1), |(turn, attempt)| (turn - u32::from(n.is_multiple_of(13)), attempt));
    let progress = |progress| Some(Command::Progress { turn, attempt, progress });
    let say = |speaker| {
        let words = ["hi", "where is my order?", "and another thing that is long enough."][usize::from(n % 3)];
        Some(Command::Say { speaker, r#ref: (n % 40).to_string().parse().unwrap(), text: words.into() })
    };
    match kind {
        0..=4 => say(Speaker::Contact),
        5 => say(Speaker::Agent(["Bo", "Cy"][usize::from(n / 40 % 2)].into())),
        6..=10 => progress(Progress::Text { text: Text::from("word ".repeat(usize::from(n % 200) + 1)), tokens: 1 }),
        11 | 12 => {
            let end = [End::Completed, End::Incomplete, End::Failed, End::Length][usize::from(n % 4)];
            progress(Progress::Ended { end, error: None, retry_after: None, spent: None })
        }
        13 => Some(Command::Cancel { turn: (n.is_multiple_of(2)).then_some(turn) }),
        14 => Some(Command::Take { agent: ["Bo", "Cy"][usize::from(n % 2)].into() }),
        15 => Some(Command::HandBack { agent: "Bo".into() }),
        16 => Some(Command::Close),
        17 => armed.map(Command::Elapsed),
        18 => Some(Command::Interrupt),
        19 => progress(Progress::Unsaid { bytes: usize::from(n % 300) }),
        20 => progress(Progress::Unanswered),
        21 => {
            let reason = if n.is_multiple_of(2) { HandoffReason::Asked } else { HandoffReason::Complaint };
            progress(Progress::HandoffRequested(reason))
        }
        22 => Some(Command::Due),
        _ => None, // a crash
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn replay_equals_live(
        steps in steps(),
        interrupt in any::<bool>(),
        rerun in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 16),
    ) {
        let policy = Policy {
            floor: FloorPolicy {
                while_speaking: if interrupt { WhileSpeaking::Interrupt } else { WhileSpeaking::Queue },
                unfinished_turns: if rerun { UnfinishedTurns::Rerun } else { UnfinishedTurns::Mark },
                ..FloorPolicy::default()
            },
            profile_version: 3,
            closing: false,
        };
        let mut log: Vec<Event> = Vec::new();
        let mut conversation = Conversation::default();
        let (mut armed, mut unsaid) = (None, false);
        let mut now = 0;
        let open = Command::Open { contact: schema::ContactId::from_bytes([7; 16]), channel: Channel::Web, locale: "es-ES".parse().ok() };
        let mut commands = vec![open];
        for step in std::iter::once(None).chain(steps.into_iter().map(Some)) {
            if let Some((kind, n)) = step {
                now += i64::from(n % 700);
                match command(kind, n, &conversation, armed) {
                    Some(command) => commands.push(command),
                    None => {
                        conversation = woken(&log, usize::from(n) % (log.len() + 1));
                        commands.push(Command::Wake);
                    }
                }
            }
            for command in commands.drain(..) {
                unsaid |= matches!(command, Command::Progress { progress: Progress::Unsaid { .. }, .. });
                let waits = !matches!(command, Command::Wake | Command::Progress { .. } | Command::Elapsed(_) | Command::Interrupt);
                let mut out = Vec::new();
                conversation.apply(command, &policy, Timestamp::from_millis(now), &mut out);
                let replies = out.iter().filter(|effect| matches!(effect, Effect::Reply(_))).count();
                prop_assert_eq!(replies, usize::from(waits));
                for effect in out {
                    match effect {
                        Effect::Append(event) => log.push(event),
                        Effect::Arm { timer, .. } => armed = Some(timer),
                        _ => {}
                    }
                }
            }
            // Living it and reading it must be the same, after every single command.
            let read = Conversation::from_events(&log);
            prop_assert_eq!(read.state(), conversation.state());
            check_log(&log, unsaid)?;
            // What is due can be told from the log, and whoever has something to do has a moment for it.
            let at = Timestamp::from_millis(now);
            let due = conversation.due(&policy.floor, at);
            prop_assert_eq!(read.due(&policy.floor, at), due);
            let state = conversation.state();
            let owed = state.asked > state.answered && state.owner == Owner::Assistant;
            let open = state.status == Status::Open;
            let soon = Some(at.plus(limits::REPLY_DUE_AFTER));
            prop_assert!(!(state.unfinished.is_some() || owed && open) || due.is_some() && due <= soon, "{due:?}");
            prop_assert!(!open || state.head <= 1 || due.is_some_and(|due| due <= state.last_at.plus(HOURS)), "{due:?}");
            // Told so a second time, it finds nothing to do.
            let mut told = (conversation.clone(), Vec::new());
            told.0.apply(Command::Due, &policy, at, &mut told.1);
            let after_first = told.0.state().head;
            told.0.apply(Command::Due, &policy, at, &mut told.1);
            prop_assert_eq!(told.0.state().head, after_first);
            let human = matches!(conversation.state().owner, Owner::Human { .. });
            prop_assert!(!(human && conversation.floor().running().is_some()), "the assistant runs under a human");
            let unfinished = conversation.state().unfinished.as_ref().map(|unfinished| unfinished.turn);
            prop_assert_eq!(unfinished, conversation.floor().running().map(|running| running.turn));
        }
        for cut in cuts {
            let cut = cut.index(log.len() + 1);
            let snapped = woken(&log, cut);
            prop_assert_eq!(snapped.state(), conversation.state(), "from a snapshot of {} events", cut);
        }
    }
}

/// What must hold of every log: seqs without gaps, one end for each turn, at most one turn open.
fn check_log(log: &[Event], unsaid: bool) -> Result<(), TestCaseError> {
    let mut open = None;
    let mut turns = 0;
    let (mut checkpointed, mut waits) = (0, false);
    for (index, event) in log.iter().enumerate() {
        prop_assert_eq!(event.seq, index as u64 + 1);
        match &event.fact {
            Fact::HandoffRequested { .. } => {
                prop_assert!(!std::mem::replace(&mut waits, true), "a person was asked for twice");
                prop_assert!(open.is_some());
            }
            Fact::HandedBack { .. } => waits = false,
            Fact::Message { reply: None, .. } if event.author == Author::Human => waits = false,
            Fact::TurnStarted { turn } => {
                prop_assert_eq!(open, None);
                turns += 1;
                prop_assert_eq!(*turn, turns);
                open = Some(*turn);
                checkpointed = 0;
            }
            Fact::Checkpoint { turn, offset, text, .. } => {
                prop_assert_eq!(open, Some(*turn));
                prop_assert_eq!(*offset, checkpointed);
                checkpointed += text.chars();
            }
            Fact::Message { reply: Some(reply), text, .. } => {
                prop_assert_eq!(event.author, Author::Assistant);
                prop_assert_eq!(open, Some(reply.turn));
                prop_assert!(unsaid || text.chars() >= checkpointed);
                open = None;
            }
            _ => {}
        }
    }
    Ok(())
}
