//! The simulated world's model: slow, sometimes broken, and never saying the same twice, so that a
//! word of one reply in another is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::model::{Chunk, ChunkStream, Model, ModelError, Prompt, Stop};
use schema::ErrorCode;
use tokio::time::sleep;

use super::chance::Chance;

/// Words of one or more bytes a character, and of one or two code units.
const WORDS: [&str; 5] = ["yes ", "señor ", "🌿 ", "tal vez ", "\n- "];

pub(super) struct Brain {
    chance: Chance,
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
    pub(super) fn new(chance: Chance) -> Self {
        Self { chance, calls: AtomicU64::new(0) }
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

    fn ask(&self, _: Arc<Prompt>) -> ChunkStream {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let (fate, chance) = (self.fate(), self.chance.fork());
        let words = chance.index(14);
        let pace = chance.draw(1..=150);
        Box::pin(async_stream::stream! {
            sleep(chance.delay(60)).await;
            if matches!(fate, Fate::FailsAtOnce) {
                yield Err(failed());
                return;
            }
            for n in 0..words {
                sleep(chance.millis(0..=pace)).await;
                yield Ok(Chunk::Text(format!("r{call}.{n} {}", WORDS[chance.index(WORDS.len())])));
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
    ModelError { code: ErrorCode::ModelUnavailable, retry_after: None, detail: "it was to fail".into() }
}
