//! What the signals of the system mean to a node: the first one to stop drains it, another one ends it at once.
//! Invariant: no signal that is sent to a process from outside by habit ends a node without a drain, and none that
//! whoever started it had told the system to keep away (`nohup`) does anything.

use std::future::Future;
use std::io::{self, Write as _};

use engine_config::LogFormat;

/// Completes at the first signal to stop. A second one ends the process at once. From now on no signal ends it
/// unheard, also before this is waited for.
pub(crate) fn stopped(format: LogFormat) -> impl Future<Output = ()> {
    let mut signals = Signals::new();
    async move {
        signals.asked_to_stop().await;
        const STOPPING: &str = "stopping; once more to stop at once";
        match format {
            LogFormat::Json => tracing::info!("{STOPPING}"),
            LogFormat::Text => drop(writeln!(io::stderr(), "{STOPPING}")),
        }
        actix_web::rt::spawn(async move {
            signals.asked_to_stop_at_once().await;
            std::process::exit(130);
        });
    }
}

#[cfg(unix)]
use unix::Signals;
#[cfg(unix)]
pub(crate) use unix::pass_over;

#[cfg(unix)]
mod unix {
    use std::task::Poll;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Signals {
        asked: Vec<Signal>,
        /// The terminal was closed. Its shell and the system may both say so, so that it never counts as another one.
        hung_up: Option<Signal>,
    }

    impl Signals {
        pub(super) fn new() -> Self {
            let asked = [SignalKind::interrupt(), SignalKind::terminate()].into_iter().flat_map(signal).collect();
            let hung_up = if is_left_alone(SignalKind::hangup()) { None } else { signal(SignalKind::hangup()).ok() };
            Self { asked, hung_up }
        }

        pub(super) async fn asked_to_stop(&mut self) {
            any(self.asked.iter_mut().chain(&mut self.hung_up)).await;
        }

        pub(super) async fn asked_to_stop_at_once(&mut self) {
            any(self.asked.iter_mut()).await;
        }
    }

    /// Has the signals that other programs take as orders of their own do nothing here.
    pub(crate) fn pass_over() {
        for (kind, name) in [(SignalKind::user_defined1(), "SIGUSR1"), (SignalKind::user_defined2(), "SIGUSR2")] {
            let Ok(mut heard) = signal(kind) else { continue };
            actix_web::rt::spawn(async move {
                while heard.recv().await.is_some() {
                    tracing::info!(signal = name, "this signal means nothing to a node");
                }
            });
        }
    }

    /// Completes when one of them comes.
    async fn any<'a>(signals: impl Iterator<Item = &'a mut Signal>) {
        let mut signals: Vec<_> = signals.collect();
        std::future::poll_fn(|context| match signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Whether the system keeps a signal away from this process, as `nohup` has it: to listen to it would undo that.
    /// Where that cannot be found out, the signal stays what it is.
    fn is_left_alone(kind: SignalKind) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        is_among_ignored(kind.as_raw_value(), &status).unwrap_or(true)
    }

    /// What the system tells of a process, a bit for each signal, names the signal as ignored.
    fn is_among_ignored(signal: i32, status: &str) -> Option<bool> {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        let mask = u128::from_str_radix(mask.trim(), 16).ok()?;
        let bit = u32::try_from(signal).ok()?.checked_sub(1)?;
        Some(mask.checked_shr(bit)? & 1 == 1)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_signal_that_is_kept_away_is_told_by_its_bit() {
            for (status, found) in [
                ("Name:\ttertulia\nSigBlk:\tffff\nSigIgn:\t0000000000001001\n", [Some(true), Some(false)]),
                ("SigIgn:\t0000000000001000\n", [Some(false), Some(false)]),
                ("SigIgn:\t0000000000000200\n", [Some(false), Some(true)]),
                ("SigIgn:\tmany\n", [None, None]),
                ("", [None, None]),
            ] {
                assert_eq!([1, 10].map(|signal| is_among_ignored(signal, status)), found, "{status:?}");
            }
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    const fn new() -> Self {
        Self
    }

    async fn asked_to_stop(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn asked_to_stop_at_once(&mut self) {
        self.asked_to_stop().await;
    }
}

#[cfg(not(unix))]
pub(crate) const fn pass_over() {}
