//! Joins text that is ready already, so that one piece carries many chunks when they come fast.
//! Invariant: it never waits: the first words pass at once, and so does everything when nothing else is ready.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::time::Instant;

use super::Piece;

/// A piece is passed on when it has this many bytes, whatever else is ready …
const JOIN_BYTES_MAX: usize = 4 * 1024;
/// … or when it has been joined for this long.
const JOIN_TIME_MAX: Duration = Duration::from_millis(10);

/// A stream of a turn's pieces.
pub trait Pieces: Stream<Item = Piece> + Unpin {}
impl<S: Stream<Item = Piece> + Unpin> Pieces for S {}

/// The same pieces in the same order, neighbouring texts joined.
pub struct Joined<S> {
    inner: S,
    first_passed: bool,
    /// What came after the text that was passed on.
    held: Option<Piece>,
    done: bool,
}

impl<S: Pieces> Joined<S> {
    /// Joins the pieces of `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner, first_passed: false, held: None, done: false }
    }

    /// The stream whose pieces are joined.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S: Pieces> Stream for Joined<S> {
    type Item = Piece;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let this = self.get_mut();
        if let Some(piece) = this.held.take() {
            return Poll::Ready(Some(piece));
        }
        if this.done {
            return Poll::Ready(None);
        }
        let mut text = match Pin::new(&mut this.inner).poll_next(cx) {
            Poll::Ready(Some(Piece::Text(text))) if this.first_passed => text,
            Poll::Ready(Some(piece)) => {
                this.first_passed |= matches!(piece, Piece::Text(_));
                return Poll::Ready(Some(piece));
            }
            Poll::Ready(None) => {
                this.done = true;
                return Poll::Ready(None);
            }
            Poll::Pending => return Poll::Pending,
        };
        let begun = Instant::now();
        while text.len() < JOIN_BYTES_MAX && begun.elapsed() < JOIN_TIME_MAX {
            match Pin::new(&mut this.inner).poll_next(cx) {
                Poll::Ready(Some(Piece::Text(more))) => text.push_str(&more),
                Poll::Ready(Some(other)) => {
                    this.held = Some(other);
                    break;
                }
                Poll::Ready(None) => {
                    this.done = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        Poll::Ready(Some(Piece::Text(text)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures_util::{StreamExt, stream};

    use super::super::ModelError;
    use super::*;

    /// Gives the row's pieces; `-` is a moment at which nothing is ready.
    fn source(row: &str) -> impl Pieces {
        let mut steps: VecDeque<String> = row.split(' ').map(str::to_owned).collect();
        stream::poll_fn(move |cx| match steps.pop_front().as_deref() {
            None => Poll::Ready(None),
            Some("-") => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(model) if model.starts_with('@') => {
                Poll::Ready(Some(Piece::FailedOver { model: model.to_owned(), error: ModelError::truncated("") }))
            }
            Some(text) => Poll::Ready(Some(Piece::Text(text.to_owned()))),
        })
    }

    #[tokio::test]
    async fn ready_text_is_joined_and_order_kept() {
        for (given, expected) in [
            ("a", "a"),
            ("a b c", "a bc"),
            ("a - b c - d", "a bc d"),
            ("@m a b @n c d - e", "@m a b @n cd e"),
            ("- - a b", "a b"),
            ("@m - @n", "@m @n"),
        ] {
            let pieces: Vec<String> = Joined::new(source(given))
                .map(|piece| match piece {
                    Piece::Text(text) => text,
                    Piece::FailedOver { model, .. } => model,
                    other => format!("{other:?}"),
                })
                .collect()
                .await;
            assert_eq!(pieces.join(" "), expected, "{given}");
        }
    }

    #[tokio::test]
    async fn a_flood_is_cut_into_pieces_and_loses_nothing() {
        let flood = stream::iter((0..10_000).map(|n| Piece::Text(format!("{n},"))));
        let pieces: Vec<Piece> = Joined::new(flood).collect().await;
        let mut whole = String::new();
        for piece in &pieces {
            let Piece::Text(text) = piece else { panic!("{piece:?}") };
            assert!(text.len() <= JOIN_BYTES_MAX + 5);
            whole.push_str(text);
        }
        assert_eq!(whole, (0..10_000).map(|n| format!("{n},")).collect::<String>());
        assert!(pieces.len() < 100, "{}", pieces.len());
    }
}
