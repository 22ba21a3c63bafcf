//! What all parts of the store share: the link, the statements, and what is remembered.

use std::sync::{Arc, Mutex};

use engine_privacy::Cipher;
use schema::{ContactId, ConversationKey, Epoch, NodeId, Timestamp};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::buckets::Buckets;
use super::failure::odd;
use super::keys::LogKeys;
use super::list::Days;
use super::places::Places;
use super::reckoning::StoreClock;
use super::record_tidying::Kinds;
use super::rounds::Rounds;
use super::session::Link;
use super::statements::Statements;
use super::touched::Touched;
use super::writers::Silences;
use crate::StoreError;

/// Shards of a tenant's conversations, of the agenda, and of a kind of records.
pub(super) const SHARDS: u8 = 8;

/// The parts of a store. Everything it does is a method of this, each in the file of what it is about.
pub(super) struct Core {
    /// The node whose claims these are.
    pub(super) node: NodeId,
    pub(super) link: Link,
    pub(super) statements: Statements,
    pub(super) keys: LogKeys,
    pub(super) clock: Arc<StoreClock>,
    pub(super) places: Places,
    pub(super) touched: Touched,
    pub(super) silences: Mutex<Silences>,
    pub(super) rounds: Rounds,
    pub(super) buckets: Buckets,
    pub(super) days: Days,
    pub(super) kinds: Kinds,
}

/// Which log a conversation has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) log: Uuid,
    pub(super) epoch: Epoch,
    pub(super) node: Option<NodeId>,
    pub(super) tail: i32,
    pub(super) contact: ContactId,
    pub(super) is_anonymous: bool,
    pub(super) opened_at: Timestamp,
}

type OwnerRow =
    (Option<Uuid>, Option<i64>, Option<Vec<u8>>, Option<i32>, Option<Vec<u8>>, Option<bool>, Option<CqlTimestamp>);

impl Owner {
    fn of(row: Option<OwnerRow>) -> Result<Option<Self>, StoreError> {
        let Some((Some(log), epoch, node, tail, contact, anonymous, opened_at)) = row else { return Ok(None) };
        let contact = contact.and_then(|contact| contact.try_into().ok());
        let epoch = epoch.and_then(|epoch| Epoch::try_from(epoch).ok());
        let (Some(epoch), Some(tail), Some(contact), Some(is_anonymous), Some(opened_at)) =
            (epoch, tail, contact, anonymous, opened_at)
        else {
            return Err(odd("a conversation"));
        };
        let node = node.and_then(|node| node.try_into().ok()).map(NodeId::from_bytes);
        let (contact, opened_at) = (ContactId::from_bytes(contact), Timestamp::from_millis(opened_at.0));
        Ok(Some(Self { log, epoch, node, tail, contact, is_anonymous, opened_at }))
    }
}

impl Core {
    /// What time it is, by the cluster where this machine's clock is off.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Which log a conversation has, after everything that was decided about that.
    pub(super) async fn owner(&self, key: ConversationKey) -> Result<Option<Owner>, StoreError> {
        Owner::of(self.link.one(&self.statements.owner, names(&key)).await?)
    }

    /// The same, as a majority has it.
    pub(super) async fn owner_lately(&self, key: ConversationKey) -> Result<Option<Owner>, StoreError> {
        let owner = Owner::of(self.link.one(&self.statements.owner_lately, names(&key)).await?)?;
        match &owner {
            Some(owner) => self.places.found(key, owner.log, owner.tail),
            None => self.places.forget(key),
        }
        Ok(owner)
    }

    /// The log of a conversation and its last segment, as far as is known here.
    pub(super) async fn log(&self, key: ConversationKey) -> Result<Option<(Uuid, i32)>, StoreError> {
        match self.places.log(key) {
            Some(known) => Ok(Some(known)),
            None => Ok(self.owner_lately(key).await?.map(|owner| (owner.log, owner.tail))),
        }
    }

    /// The key of a log, ready for use; none once it has ended.
    pub(super) async fn cipher(&self, log: Uuid) -> Result<Option<Arc<Cipher>>, StoreError> {
        if let Some(cipher) = self.keys.remembered(log) {
            return Ok(Some(cipher));
        }
        match self.link.one::<(Option<Vec<u8>>, Option<bool>)>(&self.statements.key, (log,)).await? {
            Some((_, Some(true))) => Ok(None),
            Some((Some(wrapped), _)) => self.keys.open(log, &wrapped).map(Some),
            Some((None, _)) | None => Err(StoreError::Corrupt(
                "the key of a conversation is missing: the keyspace of the keys is older than the data; put its newest \
                 backup back"
                    .into(),
            )),
        }
    }
}

/// A conversation as statements name it.
pub(super) fn names(key: &ConversationKey) -> (&[u8], &[u8]) {
    (key.tenant.as_bytes(), key.conversation.as_bytes())
}

/// The shard of an id. Its last byte is random.
pub(super) const fn shard(id: &[u8; 16]) -> i8 {
    (id[15] % SHARDS) as i8
}
