//! Loops that a node runs for as long as it lives: one that panics is begun anew after a pause, and the others do not
//! notice.
//! Invariant: a loop ends when it has come to its own end, and never by a crash.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use crate::metrics::LOOP_CRASHES;
use crate::pause::Pause;

/// A loop that has run for so long is well: its next crash is the first.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// Runs a loop to its own end. `name` is its label in the metric; `jitter` gives numbers from 0 to 1 that spread the
/// pauses. What the loop keeps from one round to the next is lost with a crash: it has to find its way again from what
/// is durable or shared.
pub(crate) async fn keep<F: Future<Output = ()>>(name: &'static str, jitter: fn() -> f64, begin: impl Fn() -> F) {
    let mut pause = Pause::new(jitter);
    loop {
        let began = Instant::now();
        // What it shares with others is theirs to keep in order: no lock of ours is held over a fold.
        if AssertUnwindSafe(async { begin().await }).catch_unwind().await.is_ok() {
            return;
        }
        metrics::counter!(LOOP_CRASHES, "loop" => name).increment(1);
        if began.elapsed() >= WELL_AFTER {
            pause.reset();
        }
        // The panic hook has logged where.
        tracing::error!(name, "a loop of the node crashed, and is begun anew after a pause");
        pause.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[tokio::test]
    async fn a_loop_that_crashes_is_begun_anew_and_counted_while_others_go_on() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let told = recorder.handle();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let (tries, rounds, began) = (Cell::new(0), Cell::new(0), Instant::now());
        let poor = keep(
            "poor",
            || 1.0,
            || async {
                tries.set(tries.get() + 1);
                tokio::task::yield_now().await;
                assert!(tries.get() > 3, "a test asked for it");
            },
        );
        let well = keep(
            "well",
            || 1.0,
            || async {
                while tries.get() <= 3 {
                    rounds.set(rounds.get() + 1);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
        );
        tokio::join!(poor, well);
        assert!(tries.get() == 4 && began.elapsed() >= Duration::from_millis(700), "after 100, 200 and 400 ms");
        assert!(rounds.get() > 3, "{rounds:?}");
        let metrics = told.render();
        assert!(metrics.contains(r#"tertulia_loop_crashes_total{loop="poor"} 3"#), "{metrics}");
        assert!(!metrics.contains(r#"loop="well""#), "{metrics}");
    }
}
