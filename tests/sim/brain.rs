//! The simulated world's model: slow, sometimes broken, and never saying the same twice, so that a
//! word of one reply in another is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use engine_model::{Chunk, ChunkStream, Model, ModelError, Prompt, Signal, Stop};
use schema::{ErrorCode, HandoffReason};
use tokio::time::sleep;

use super::chance::Chance;
use super::held;
use super::plant::Plant;
use super::sizes::{Sizes, filled};

/// Words of one or more bytes a character, and of one or two code units.
const WORDS: [&str; 5] = ["yes ", "señor ", "🌿 ", "tal vez ", "\n- "];

pub(super) struct Brain {
    chance: Chance,
    sizes: Sizes,
    plant: Option<Plant>,
    /// Bytes of all prompts so far.
    prompted: AtomicUsize,
    calls: AtomicU64,
}

#[derive(Clone, Copy)]
enum Fate {
    Speaks,
    FailsAtOnce,
    FailsMidway,
    Stalls,
    BreaksOff,
}

impl Brain {
    pub(super) fn new(chance: Chance, sizes: Sizes, plant: Option<Plant>) -> Self {
        Self { chance, sizes, plant, prompted: AtomicUsize::new(0), calls: AtomicU64::new(0) }
    }

    /// What it tells beside its words, before them.
    fn signal(&self) -> Option<Signal> {
        match self.chance.draw(0..=9) {
            0..3 => Some(Signal::Unanswered),
            3 => Some(Signal::HandoffRequested(HandoffReason::Asked)),
            4 => Some(Signal::HandoffRequested(HandoffReason::Complaint)),
            _ => None,
        }
    }

    fn fate(&self) -> Fate {
        match self.chance.draw(0..=99) {
            0..8 => Fate::FailsAtOnce,
            8..14 => Fate::FailsMidway,
            14..17 => Fate::Stalls,
            17..20 => Fate::BreaksOff,
            _ => Fate::Speaks,
        }
    }
}

impl Model for Brain {
    fn name(&self) -> &'static str {
        "builtin"
    }

    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream {
        let bytes = prompt.system.len() + prompt.lines.iter().map(|line| line.text.bytes()).sum::<usize>();
        let before = self.prompted.fetch_add(bytes, Ordering::Relaxed);
        held::prompt(bytes + if self.plant == Some(Plant::NothingForgotten) { before } else { 0 });
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let (fate, chance) = (self.fate(), self.chance.fork());
        // A long reply comes in larger pieces and quicker, so that it takes no longer than others.
        let bytes = if self.chance.happens(0.5) { self.sizes.reply_bytes(&chance) } else { 0 };
        let piece = (bytes / 60).max(16);
        let words = chance.index(14).max(bytes / piece);
        let pace = chance.draw(1..=150).min(12_000 / words.max(1) as u64);
        let signal = self.signal();
        Box::pin(async_stream::stream! {
            if let Some(signal) = signal {
                yield Ok(Chunk::Signal(signal));
            }
            sleep(chance.delay(60)).await;
            if matches!(fate, Fate::FailsAtOnce) {
                yield Err(failed());
                return;
            }
            for n in 0..words {
                sleep(chance.millis(0..=pace)).await;
                let word = format!("r{call}.{n} {}", WORDS[chance.index(WORDS.len())]);
                yield Ok(Chunk::Text(if bytes > 0 { filled(word, piece) } else { word }));
                match fate {
                    Fate::FailsMidway if n == words / 2 => {
                        yield Err(failed());
                        return;
                    }
                    Fate::Stalls if n == words / 2 => std::future::pending().await,
                    Fate::BreaksOff if n == words / 2 => return,
                    _ => {}
                }
            }
            yield Ok(Chunk::End(Stop::Completed));
        })
    }
}

fn failed() -> ModelError {
    ModelError { code: ErrorCode::ModelUnavailable, retry_after: None, detail: "it was to fail".into(), oversize: None }
}
