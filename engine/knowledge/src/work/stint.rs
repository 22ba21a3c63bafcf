//! Who changes a tenant's documents at the moment, as the stamp's record tells all nodes that share the store.
//! Invariant: documents change between a stint's beginning and its end alone, and both raise the stamp's version; a
//! stint that never ends is taken out by whoever meets it, which raises it as well. So whoever has read the
//! documents at a version will see another one when there is more to be read.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engine_store::StoreError;
use schema::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Work;
use crate::index::{TenantIndex, Writer};
use crate::records::Stamp;
use crate::{KnowledgeError, records};

/// A stint that has said nothing for so long is over: who had it is gone.
const ABANDONED_AFTER: Duration = Duration::from_secs(600);
/// How often a stint says that it goes on.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// Stints of one tenant at once, on all nodes.
const STINTS_MAX: usize = 64;
/// Times a change of the stamp is tried again when others were faster …
const TRIES: u32 = 16;
/// … how often the index is brought up to date in between, …
const CATCH_UPS: u32 = 3;
/// … and the longest pause, which grows up to it.
const PAUSE_MAX_MILLIS: u64 = 80;
/// Stints of this node that are remembered because the store did not take their end.
const UNENDED_MAX: usize = 1_024;

/// What the stamp's record says.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Body {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    origin: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stints: Vec<Mark>,
}

/// A stint, as others see it.
#[derive(Clone, Serialize, Deserialize)]
struct Mark {
    id: String,
    /// When it last said that it goes on.
    since: Timestamp,
}

/// The stamp's record as it was read.
struct StampRecord {
    version: u64,
    body: Body,
}

impl StampRecord {
    fn stamp(&self) -> Stamp {
        Stamp { version: self.version, origin: self.body.origin.clone() }
    }
}

/// One learner's work on a tenant's documents, from its announcement to its end.
pub(crate) struct Stint {
    id: String,
    /// What the index held when it began.
    base: Stamp,
    /// The version that this stint gave the stamp last.
    at: u64,
    origin: String,
    touched: Timestamp,
    /// Others were at work when it began.
    with_others: bool,
    /// The index held all there was when it began, and nobody else has raised the stamp since.
    unbroken: bool,
}

/// Stints of this node whose end the store did not take: they are over, whatever their time.
#[derive(Default)]
pub(crate) struct Unended(Mutex<HashSet<(TenantId, String)>>);

impl Unended {
    fn with<T>(&self, use_them: impl FnOnce(&mut HashSet<(TenantId, String)>) -> T) -> T {
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, tenant: TenantId, id: &str) {
        self.with(|unended| {
            // One too many is taken out by its time.
            if unended.len() < UNENDED_MAX {
                unended.insert((tenant, id.to_owned()));
            }
        });
    }
}

impl Work {
    /// The documents' state, once stints that are over were taken out.
    pub(crate) fn stamp(&self) -> Result<Stamp, KnowledgeError> {
        for _ in 0..TRIES {
            let mut standing = self.standing()?;
            if !self.take_out_abandoned(&mut standing.body) {
                return Ok(standing.stamp());
            }
            match self.put_stamp(standing.version, &standing.body) {
                Ok(version) => return Ok(Stamp { version, origin: standing.body.origin }),
                // Whoever was faster may have taken them out as well.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KnowledgeError::Busy)
    }

    /// Whether an index that bears this stamp holds what the store does, as far as anybody can know yet.
    pub(crate) async fn is_current(&self, stamp: &Stamp) -> Result<bool, KnowledgeError> {
        let mut standing = self.read_standing().await?;
        Ok(standing.stamp() == *stamp && !self.take_out_abandoned(&mut standing.body))
    }

    /// Announces a change of the documents, with the index up to date unless others change them all the time.
    pub(crate) fn begin<'a>(&self, index: &'a TenantIndex) -> Result<(Writer<'a>, Stint), KnowledgeError> {
        let id = random()?;
        for attempt in 0..TRIES {
            self.pause(attempt);
            if attempt < CATCH_UPS {
                self.catch_up(index)?;
            }
            let StampRecord { version, mut body } = self.standing()?;
            let base = index.stamp();
            let unbroken = base == Stamp { version, origin: body.origin.clone() };
            self.take_out_abandoned(&mut body);
            if body.stints.len() >= STINTS_MAX {
                return Err(KnowledgeError::Busy);
            }
            if version == 0 {
                body.origin = random()?;
            }
            let (with_others, touched) = (!body.stints.is_empty(), self.now());
            body.stints.push(Mark { id: id.clone(), since: touched });
            match self.put_stamp(version, &body) {
                Ok(at) => {
                    let stint = Stint { id, base, at, origin: body.origin, touched, with_others, unbroken };
                    return Ok((index.writer().inspect_err(|_| self.close(&stint, drop))?, stint));
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => {
                    // It may have been written all the same.
                    self.unended.add(self.tenant, &id);
                    return Err(error.into());
                }
            }
        }
        Err(KnowledgeError::Busy)
    }

    /// To be called between two steps of a stint: says that it goes on, when it has not for a while.
    pub(crate) fn touch(&self, stint: &mut Stint) -> Result<(), KnowledgeError> {
        let now = self.now();
        if now.since(stint.touched) < TOUCH_EVERY {
            return Ok(());
        }
        let raised = self.change_stamp(|body| {
            match body.stints.iter_mut().find(|mark| mark.id == stint.id) {
                Some(mark) => mark.since = now,
                // Somebody took it for abandoned.
                None => body.stints.push(Mark { id: stint.id.clone(), since: now }),
            }
        })?;
        stint.unbroken &= raised.version == stint.at + 1 && raised.origin == stint.origin;
        (stint.at, stint.touched) = (raised.version, now);
        Ok(())
    }

    /// Whether nobody else has changed documents since this stint began.
    pub(crate) fn is_alone(&self, stint: &Stint) -> Result<bool, KnowledgeError> {
        Ok(!stint.with_others && stint.unbroken && self.standing()?.version == stint.at)
    }

    /// Ends a stint, whose changes can then be found.
    pub(crate) fn end(&self, writer: Writer<'_>, stint: &Stint, complete: bool) -> Result<(), KnowledgeError> {
        // An index that lacks something, or may lack what others did meanwhile, bears the stamp of before: it is
        // brought up to date when it is next looked at.
        let mut stamp = stint.base.clone();
        self.close(stint, |raised| {
            if complete && stint.unbroken && raised.version == stint.at + 1 && raised.origin == stint.origin {
                stamp = raised;
            }
        });
        let committed = writer.commit(&stamp);
        self.tell();
        committed
    }

    /// Takes a stint out of the record. Where that fails there is nothing to tell the caller, whose documents are
    /// stored: this node takes it out when it can, and any other after its time.
    fn close(&self, stint: &Stint, raised: impl FnOnce(Stamp)) {
        match self.change_stamp(|body| body.stints.retain(|mark| mark.id != stint.id)) {
            Ok(stamp) => raised(stamp),
            Err(error) => {
                tracing::warn!(tenant = %self.tenant, %error, "the end of a change of documents is told later");
                self.unended.add(self.tenant, &stint.id);
            }
        }
    }

    /// Raises the stamp with what its record is to say.
    fn change_stamp(&self, mut change: impl FnMut(&mut Body)) -> Result<Stamp, KnowledgeError> {
        for attempt in 0..TRIES {
            self.pause(attempt);
            let StampRecord { version, mut body } = self.standing()?;
            if version == 0 {
                // All of it is gone from the store: what is stored since is counted anew.
                body.origin = random()?;
            }
            change(&mut body);
            match self.put_stamp(version, &body) {
                Ok(version) => return Ok(Stamp { version, origin: body.origin }),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KnowledgeError::Busy)
    }

    fn standing(&self) -> Result<StampRecord, KnowledgeError> {
        self.runtime.block_on(self.read_standing())
    }

    async fn read_standing(&self) -> Result<StampRecord, KnowledgeError> {
        let record = self.records.get(records::stamp(self.tenant)).await?;
        record.map_or_else(
            || Ok(StampRecord { version: 0, body: Body::default() }),
            |record| Ok(StampRecord { version: record.version, body: records::read(&record.body)? }),
        )
    }

    fn put_stamp(&self, version: u64, body: &Body) -> Result<u64, StoreError> {
        let written = serde_json::to_vec(body).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        self.wait(self.records.put(records::stamp(self.tenant), version, written))
    }

    /// Takes stints out that are over without an end; says whether there were any.
    fn take_out_abandoned(&self, body: &mut Body) -> bool {
        let (now, before) = (self.now(), body.stints.len());
        body.stints.retain(|mark| {
            let is_own = self.unended.with(|unended| unended.contains(&(self.tenant, mark.id.clone())));
            !is_own && now.since(mark.since) < ABANDONED_AFTER
        });
        let any = body.stints.len() < before;
        if !any {
            // None of them is in the record any more.
            self.unended.with(|unended| unended.retain(|(tenant, _)| *tenant != self.tenant));
        }
        any
    }

    /// Longer each time, and not the same on two nodes.
    fn pause(&self, attempt: u32) {
        if attempt > 0 {
            let most = (1u64 << attempt.min(16)).min(PAUSE_MAX_MILLIS);
            let chance = random().ok().and_then(|id| u64::from_str_radix(&id, 16).ok()).unwrap_or(most);
            let pause = Duration::from_millis(1 + chance % most);
            self.runtime.block_on(tokio::time::sleep(pause));
        }
    }
}

/// An id that no other node makes.
pub(crate) fn random() -> Result<String, KnowledgeError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Unavailable(format!("no chance to be had: {error}")))?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}
