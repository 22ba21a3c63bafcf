//! The turn's part of a conversation: the attempt that runs, with all that it holds.
//! Invariant: whatever ends it (its own end, a newer attempt, a crash) gives all of that back: the tenant's
//! permit, the node's work, the gauge, the connection to the model and the way to stop it.

use std::sync::Arc;
use std::time::Instant;

use engine_conversation::Progress;
use schema::Turn;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::pulse::Pulse;
use crate::admission::Work;
use crate::metrics::{TURN_FIRST_TOKEN, TURN_GAP, TURNS_RUNNING};
use crate::runtime::Attached;
use crate::spans::HeldSpan;
use crate::tenant::TurnPermit;

/// The attempt that runs: made when its stream is attached, dropped by whatever ends it. All that it holds is given
/// back by being dropped, so that no way to end can forget a part.
pub(super) struct ActiveTurn {
    attached: Attached,
    token: CancellationToken,
    began: Instant,
    last_piece: Option<Instant>,
    pulse: Arc<Pulse>,
    /// Counts against the tenant's quota for as long as it is held; none when there was no room.
    _permit: Option<TurnPermit>,
    /// Counts as the node's work for as long as it is held.
    _work: Work,
    _running: RunningCount,
    span: HeldSpan,
}

/// Counts as a running turn for as long as it is held.
struct RunningCount;

impl ActiveTurn {
    /// An attempt whose stream was attached. From now on `token` can be reached past the mailbox.
    pub(super) fn begin(
        turn: Turn,
        attached: Attached,
        token: CancellationToken,
        pulse: Arc<Pulse>,
        permit: Option<TurnPermit>,
        work: Work,
        span: HeldSpan,
    ) -> Self {
        pulse.set_turn(Some((turn, token.clone())));
        metrics::gauge!(TURNS_RUNNING).increment(1);
        Self {
            attached,
            token,
            began: Instant::now(),
            last_piece: None,
            pulse,
            _permit: permit,
            _work: work,
            _running: RunningCount,
            span,
        }
    }

    /// Its stream, to be detached when it ends before the stream does.
    pub(super) const fn attached(&self) -> Attached {
        self.attached
    }

    /// What its reports are a part of.
    pub(super) fn span(&self) -> Span {
        self.span.get()
    }

    /// Measures what the listener feels.
    pub(super) fn on_piece(&mut self, progress: &Progress, at: Instant) {
        if let Progress::Text { .. } = progress {
            match self.last_piece.replace(at) {
                None => metrics::histogram!(TURN_FIRST_TOKEN).record(at.duration_since(self.began)),
                Some(last) => metrics::histogram!(TURN_GAP).record(at.duration_since(last)),
            }
        }
    }
}

impl Drop for ActiveTurn {
    fn drop(&mut self) {
        self.token.cancel();
        self.pulse.set_turn(None);
    }
}

impl Drop for RunningCount {
    fn drop(&mut self) {
        metrics::gauge!(TURNS_RUNNING).decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::admission::{Admission, Share};

    #[test]
    fn whatever_ends_it_gives_all_of_it_back() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let (admission, share) = (Admission::new(1, 1), Share::default());
            let begin = |turn, pulse: &Arc<Pulse>, token: &CancellationToken| {
                let work = admission.begin(&share);
                ActiveTurn::begin(
                    turn,
                    Attached::default(),
                    token.clone(),
                    Arc::clone(pulse),
                    None,
                    work,
                    HeldSpan::NONE,
                )
            };
            let running = || recorder.handle().render().contains("tertulia_turns_running 1");
            let ways_to_end: [fn(ActiveTurn); 2] = [drop, |turn| {
                let crash = catch_unwind(AssertUnwindSafe(|| {
                    let _held = turn;
                    std::panic::resume_unwind(Box::new(()));
                }));
                assert!(crash.is_err());
            }];
            for end in ways_to_end {
                let (pulse, token) = (Arc::<Pulse>::default(), CancellationToken::new());
                let turn = begin(7, &pulse, &token);
                assert!(running() && share.work() == 1 && !token.is_cancelled());
                end(turn);
                assert!(!running() && share.work() == 0 && token.is_cancelled());
                assert!(!pulse.has_turn());
            }
        });
    }
}
