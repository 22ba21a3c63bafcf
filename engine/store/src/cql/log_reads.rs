//! Reading logs, page by page, through their segments.

use engine_privacy::Cipher;
use schema::{ConversationKey, Seq};
use scylla::response::PagingState;
use uuid::Uuid;

use super::core::Core;
use super::failure::odd;
use super::segments::{Segment, number, seq};
use crate::sealed::event::Stored;
use crate::{Page, PageBounds, StoreError};

/// Rows read at a time while nothing is known of their size: any one may be large.
const FIRST_ROWS: usize = 16;

type StoredEvent = (i64, Option<i8>, Option<String>, Option<Vec<u8>>);

impl Core {
    /// The events after `after`, as many as `bounds` allows, and the head.
    pub(super) async fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Result<Page, StoreError> {
        // What is remembered of it may be another life of it.
        for is_remembered in [self.places.log(key).is_some(), false] {
            let Some((log, tail)) = self.log(key).await? else { return Err(StoreError::NotFound) };
            match self.last_segment(log, tail).await? {
                Some((at, segment)) if !segment.is_retired() => {
                    self.places.found(key, log, at);
                    return self.read_log(key, log, (at, segment), after, bounds).await;
                }
                // Its log was never opened: whoever began it was stopped.
                None if tail == 0 && !is_remembered => return Ok(Page::default()),
                _ => self.places.forget(key),
            }
            if !is_remembered {
                break;
            }
        }
        Err(StoreError::NotFound)
    }

    async fn read_log(
        &self,
        key: ConversationKey,
        log: Uuid,
        (tail, last): (i32, Segment),
        after: Seq,
        bounds: PageBounds,
    ) -> Result<Page, StoreError> {
        let mut page = Page { head: last.head, ..Page::default() };
        if bounds.events == 0 || after >= last.head {
            return Ok(page);
        }
        let Some(cipher) = self.cipher(log).await? else {
            // It is being erased: its key went first.
            return Err(StoreError::NotFound);
        };
        let (mut at, mut after, mut bytes) = (self.segment_of(log, tail, &last, after + 1).await?, after, 0);
        loop {
            let is_full =
                self.read_segment((key, log, at), &cipher, &mut after, bounds, (&mut page, &mut bytes)).await?;
            if is_full || at == tail {
                break;
            }
            at += 1;
        }
        page.head = page.head.max(after.min(page.events.last().map_or(0, |event| event.seq)));
        Ok(page)
    }

    /// Reads on in one segment. True when the page holds no more.
    async fn read_segment(
        &self,
        (key, log, segment): (ConversationKey, Uuid, i32),
        cipher: &Cipher,
        after: &mut Seq,
        bounds: PageBounds,
        (page, bytes): (&mut Page, &mut usize),
    ) -> Result<bool, StoreError> {
        let (mut rows, mut from) = (FIRST_ROWS.min(bounds.events), PagingState::start());
        let values = (log, segment, number(*after));
        loop {
            let (found, next) = self.link.page::<StoredEvent>(&self.statements.events, values, rows, from).await?;
            for (number, format, body, sealed) in found {
                let number = seq(number)?;
                let (Some(format), Some(body)) = (format, body) else { return Err(odd("an event")) };
                let stored = Stored { seq: number, format: format.into(), body: &body, sealed: sealed.as_deref() };
                let whole = stored.open(key, Some(cipher));
                let whole = whole.map_err(|what| StoreError::Corrupt(format!("event {number} of {key} {what}")))?;
                if !bounds.admit(page.events.len(), *bytes, whole.bytes) {
                    return Ok(true);
                }
                *bytes += whole.bytes;
                *after = number;
                page.events.push(whole.event);
            }
            if page.events.len() >= bounds.events {
                return Ok(true);
            }
            let Some(next) = next else { return Ok(false) };
            from = next;
            // As many as fit, if they are like those before.
            let mean = (*bytes / page.events.len().max(1)).max(1);
            let room = bounds.bytes.saturating_sub(*bytes) / mean + 1;
            rows = room.clamp(1, bounds.events - page.events.len());
        }
    }

    /// The segment that a log ends with, as a majority has it.
    pub(super) async fn last_segment(&self, log: Uuid, from: i32) -> Result<Option<(i32, Segment)>, StoreError> {
        let mut at = from;
        loop {
            match self.segment_lately(log, at).await? {
                Some(Segment { next: Some(next), .. }) if next > at => {
                    // The next one is opened after this one is sealed.
                    match self.segment_lately(log, next).await? {
                        Some(segment) if segment.next.is_none() => return Ok(Some((next, segment))),
                        Some(_) => at = next,
                        None => return Ok(self.segment_lately(log, at).await?.map(|segment| (at, segment))),
                    }
                }
                found => return Ok(found.map(|segment| (at, segment))),
            }
        }
    }

    /// The segment with an event, which is not behind the last one.
    async fn segment_of(&self, log: Uuid, tail: i32, last: &Segment, event: Seq) -> Result<i32, StoreError> {
        if event >= last.first {
            return Ok(tail);
        }
        let (mut low, mut high) = (0, tail);
        // The first event of `low` is not behind it, that of `high` is.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let segment = self.segment_lately(log, middle).await?.ok_or(StoreError::NotFound)?;
            if event >= segment.first { low = middle } else { high = middle }
        }
        Ok(low)
    }
}
