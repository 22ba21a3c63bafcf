//! Signs of life of nodes: one partition, in which each has a row.
//! Invariant: a row goes by itself, a day after its node's last beat or a minute after its goodbye; so nobody has to
//! look after what the dead have left, and no clocks are compared for it.

use std::time::Duration;

use schema::NodeId;

use super::core::Core;
use super::failure::odd;
use crate::nodes::{BEAT_STANDS, BEATS_MAX, GOODBYE_STANDS};
use crate::{Beat, Member, StoreError};

/// Whether it owns, and for how many seconds the row still stands, by the clocks of the database alone.
type Row = (Vec<u8>, Option<i64>, Option<i32>, Option<String>, Option<String>, Option<bool>, Option<i32>);

impl Core {
    /// Leaves a node's sign of life.
    pub(super) async fn leave_beat(&self, beat: &Beat) -> Result<(), StoreError> {
        let stands = if beat.is_goodbye() { GOODBYE_STANDS } else { BEAT_STANDS };
        let stands = i32::try_from(stands.as_secs()).unwrap_or(i32::MAX);
        let count = i64::try_from(beat.count).unwrap_or(i64::MAX);
        let lasts = i32::try_from(beat.lasts.as_millis()).unwrap_or(i32::MAX);
        let Member { id, address, version, owns } = &beat.member;
        let values = (id.as_bytes().as_slice(), count, lasts, address, version, owns, stands);
        self.link.write(&self.statements.leave_beat, values).await
    }

    /// The last sign of each node.
    pub(super) async fn beats(&self) -> Result<Vec<Beat>, StoreError> {
        let limit = i32::try_from(BEATS_MAX).unwrap_or(i32::MAX);
        let rows = self.link.all::<Row>(&self.statements.beats, (limit,)).await?;
        rows.into_iter().filter_map(|row| of_row(row).transpose()).collect()
    }
}

// Cells end each by itself: a row of which one is gone is about to go.
fn of_row(row: Row) -> Result<Option<Beat>, StoreError> {
    let (id, Some(count), Some(lasts), Some(address), Some(version), Some(owns), Some(stands)) = row else {
        return Ok(None);
    };
    let id = NodeId::from_bytes(id.try_into().map_err(|_| odd("a node"))?);
    let count = u64::try_from(count).map_err(|_| odd("a node"))?;
    let lasts = Duration::from_millis(u64::try_from(lasts).map_err(|_| odd("a node"))?);
    if !lasts.is_zero() {
        // What a node has left that died long ago says nothing to one that has just come.
        let age = BEAT_STANDS.saturating_sub(Duration::from_secs(u64::try_from(stands).unwrap_or_default() + 1));
        let Some(left) = lasts.checked_sub(age).filter(|left| !left.is_zero()) else { return Ok(None) };
        return Ok(Some(Beat { member: Member { id, address, version, owns }, count, lasts: left }));
    }
    Ok(Some(Beat { member: Member { id, address, version, owns }, count, lasts }))
}
