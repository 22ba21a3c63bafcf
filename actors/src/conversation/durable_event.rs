//! A durable event on its way to those who listen, encoded once for all of them.

use schema::{Event, Fact, Reached};

use super::ring::Encoded;
use crate::frames::event_json;

/// An event as it leaves the gate.
pub(super) struct DurableEvent {
    pub(super) event: Encoded,
    /// For a reply that does not answer: somebody takes note of it.
    pub(super) unanswered: bool,
    /// For a checkpoint: the same without its text, and what a listener has who does not need that.
    pub(super) covered: Option<(Reached, String)>,
}

impl DurableEvent {
    /// Encodes an event. A checkpoint is written down a second time without its text.
    pub(super) fn new(event: &Event) -> Self {
        let covered = event.without_text().map(|(covered, reached)| (reached, event_json(&covered)));
        let unanswered = matches!(&event.fact, Fact::Message { reply: Some(reply), .. } if reply.made.unanswered);
        Self { event: Encoded::new(event), covered, unanswered }
    }
}
