//! Repeats a call that the store surely did not do: within a budget of time, with pauses between the tries.

use std::future::Future;
use std::time::Duration;

use engine_store::StoreError;
use schema::limits;
use tokio::time::Instant;

use crate::pause::Pause;

/// The first pause.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What is left of a budget of tries.
pub(crate) struct Patience {
    until: Instant,
    pause: Pause,
}

impl Patience {
    /// A whole budget. `jitter` gives numbers from 0 to 1 that spread the pauses.
    pub(crate) fn new(jitter: fn() -> f64) -> Self {
        let pause = Pause::between(PAUSE_MIN, PAUSE_MAX, jitter);
        Self { until: Instant::now() + limits::APPEND_TRIES_FOR, pause }
    }

    /// Waits before the next try; false when there is to be none.
    pub(crate) async fn wait(&mut self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        self.pause.wait().await;
        true
    }
}

/// Asks for something that may be asked for twice until the store answers it.
///
/// # Errors
/// The store's last one; at once, if asking again does not help.
pub(crate) async fn patiently<T, F>(jitter: fn() -> f64, ask: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut patience = Patience::new(jitter);
    loop {
        let answer = ask().await;
        let passes = matches!(answer, Err(StoreError::Busy | StoreError::Unavailable(_) | StoreError::Ending(_)));
        if !passes || !patience.wait().await {
            return answer;
        }
    }
}
