//! Snapshots, sealed under the conversation's key. The head is a snapshot's time, so that of two the further one
//! stands, whichever comes last.

use engine_privacy::OVERHEAD_BYTES;
use schema::{ConversationKey, Epoch, Seq, limits};

use super::core::Core;
use super::segments::number;
use crate::sealed::snapshot::label;
use crate::{Snapshot, StoreError};

/// Bits of a snapshot's time below its head: of two of the same events the later one stands.
const HEAD_SHIFT: u32 = 12;

impl Core {
    /// The one that is kept, if there is one.
    pub(super) async fn snapshot(&self, key: ConversationKey) -> Result<Option<Snapshot>, StoreError> {
        let Some((log, _)) = self.log(key).await? else { return Ok(None) };
        let found = self.link.one::<(Option<i64>, Option<Vec<u8>>)>(&self.statements.snapshot, (log,)).await?;
        let Some((Some(head), Some(sealed))) = found else { return Ok(None) };
        if sealed.len() > limits::SNAPSHOT_BYTES + OVERHEAD_BYTES {
            return Ok(None);
        }
        let Some(cipher) = self.cipher(log).await? else { return Ok(None) };
        let Ok(head) = Seq::try_from(head) else { return Ok(None) };
        // One that cannot be opened is damaged, and no snapshot: the log is read in its place.
        Ok(cipher.open(&label(key, head), &sealed).ok().map(|bytes| Snapshot { head, bytes }))
    }

    /// Keeps a snapshot of the events up to `head`.
    pub(super) async fn set_snapshot(
        &self,
        key: ConversationKey,
        epoch: Epoch,
        head: Seq,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        if bytes.len() > limits::SNAPSHOT_BYTES {
            return Ok(false);
        }
        let log = match self.places.end(key, epoch) {
            // What was decided here is past doubt.
            Some(end) if end.head >= head => end.log,
            _ => {
                let (log, tail) = self.log(key).await?.ok_or(StoreError::NotFound)?;
                match self.tail(log, tail).await?.live() {
                    Some(segment) if segment.is_owned_by(epoch) && segment.head >= head => log,
                    Some(_) => return Err(StoreError::Fenced),
                    None => return Err(StoreError::NotFound),
                }
            }
        };
        let found = self.link.one::<(Option<i64>, Option<i64>)>(&self.statements.snapshot_head, (log,)).await?;
        let mut time = number(head) << HEAD_SHIFT;
        if let Some((Some(kept), written)) = found {
            if kept > number(head) {
                return Ok(false);
            }
            if kept == number(head) {
                time = time.max(written.unwrap_or_default() + 1);
            }
        }
        let cipher = self.cipher(log).await?.ok_or(StoreError::NotFound)?;
        let sealed = cipher.seal(&label(key, head), bytes);
        let sealed = sealed.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        self.link.write_at(time, &self.statements.set_snapshot, (log, number(head), sealed)).await?;
        Ok(true)
    }
}
