//! Holds a request's body to a least pace.

use std::future::Future;
use std::io;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

/// A body that fails with [`io::ErrorKind::TimedOut`] when it keeps its reader waiting for longer
/// than `patience` beyond the time that what has come may take at the least rate. So a body of any
/// bounded length has a deadline, and a slow honest one gets in. Time in which the reader does
/// something else is not the client's.
pub(crate) struct Paced<S> {
    body: S,
    patience: Duration,
    bytes_per_second: NonZeroU32,
    bytes: u64,
    /// How long the reader has waited so far.
    waited: Duration,
    waiting: Option<Waiting>,
}

struct Waiting {
    since: Instant,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    pub(crate) const fn new(body: S, patience: Duration, bytes_per_second: NonZeroU32) -> Self {
        Self { body, patience, bytes_per_second, bytes: 0, waited: Duration::ZERO, waiting: None }
    }

    /// What is left of the client's time.
    fn left(&self) -> Duration {
        let earned = Duration::from_secs_f64(self.bytes as f64 / f64::from(self.bytes_per_second.get()));
        (self.patience + earned).saturating_sub(self.waited)
    }
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for Paced<S> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_next(cx) {
            Poll::Ready(piece) => {
                if let Some(waiting) = this.waiting.take() {
                    this.waited += waiting.since.elapsed();
                }
                if let Some(Ok(piece)) = &piece {
                    this.bytes += piece.len() as u64;
                }
                Poll::Ready(piece)
            }
            Poll::Pending => {
                let left = this.left();
                let waiting = this.waiting.get_or_insert_with(|| {
                    let since = Instant::now();
                    Waiting { since, deadline: Box::pin(sleep_until(since + left)) }
                });
                ready!(waiting.deadline.as_mut().poll(cx));
                Poll::Ready(Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    /// Reads pieces of `bytes` that come `every` so often, taking `own` time for each; tells how
    /// many came before the reader was told that they come too slowly.
    async fn read(bytes: usize, every: Duration, own: Duration) -> (usize, bool) {
        let pieces = stream::unfold((), move |()| async move {
            tokio::time::sleep(every).await;
            Some((Ok(Bytes::from(vec![0; bytes])), ()))
        });
        let patience = Duration::from_secs(10);
        let mut body = Paced::new(Box::pin(pieces.take(1000)), patience, NonZeroU32::new(1000).unwrap());
        let mut read = 0;
        while let Some(piece) = body.next().await {
            match piece {
                Ok(_) => read += 1,
                Err(PayloadError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => return (read, true),
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(own).await;
        }
        (read, false)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_as_long_as_the_least_rate_gives_it() {
        let [none, second] = [Duration::ZERO, Duration::from_secs(1)];
        for (bytes, every, own, outcome) in [
            // At the least rate it may go on for ever.
            (1000, second, none, (1000, false)),
            (2000, 2 * second, none, (1000, false)),
            // A byte a second: the patience, and a hundredth of a second for it.
            (1, second, none, (10, true)),
            // Half the rate: twice the patience.
            (500, second, none, (19, true)),
            // A pause within the patience is none to the next piece.
            (20_000, 10 * second, none, (1000, false)),
            (1000, 12 * second, none, (0, true)),
            // The reader's own time is not the client's.
            (1000, second, 60 * second, (1000, false)),
        ] {
            assert_eq!(read(bytes, every, own).await, outcome, "{bytes} bytes every {every:?}");
        }
    }
}
