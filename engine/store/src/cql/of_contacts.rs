//! Which conversations contacts have: an index that is written before a conversation is opened, and taken away when it is
//! erased.
//! Invariant: a conversation that somebody was told is open has a row here until it is gone, whoever lists it, and whether
//! its opener lives. A row whose log no conversation has says nothing.

use schema::{ContactId, ConversationId, ConversationKey, TenantId, Timestamp};
use scylla::response::PagingState;
use uuid::Uuid;

use super::core::{Core, names};
use super::segments::late;
use crate::StoreError;

/// Rows read at a time.
const ROWS: usize = 256;
/// How long an opening may be under way.
const OPENING_SECONDS: u64 = 24 * 3_600;

impl Core {
    /// A conversation with a contact is about to be opened.
    pub(super) async fn note_of_contact(
        &self,
        key: ConversationKey,
        log: Uuid,
        contact: ContactId,
    ) -> Result<(), StoreError> {
        let (tenant, id) = names(&key);
        let values = (tenant, contact.as_bytes().as_slice(), id, log);
        self.link.write(&self.statements.note_of_contact, values).await
    }

    /// What a contact's index says of a conversation that was erased goes.
    pub(super) async fn drop_of_contact(
        &self,
        key: ConversationKey,
        log: Uuid,
        contact: ContactId,
    ) -> Result<(), StoreError> {
        let (tenant, id) = names(&key);
        let values = (tenant, contact.as_bytes().as_slice(), id, log);
        // A log is noted once.
        self.link.write_at(late(), &self.statements.drop_of_contact, values).await
    }

    /// Whether there may be a conversation with a contact, or is about to be one.
    pub(super) async fn has_conversations(&self, tenant: TenantId, contact: ContactId) -> Result<bool, StoreError> {
        let values = (tenant.as_bytes().as_slice(), contact.as_bytes().as_slice());
        Ok(self.link.one::<(Uuid,)>(&self.statements.any_of_contact, values).await?.is_some())
    }

    /// Conversations with some contacts.
    pub(super) async fn with_contacts(
        &self,
        tenant: TenantId,
        contacts: &[ContactId],
        limit: usize,
    ) -> Result<Vec<ConversationKey>, StoreError> {
        let mut found: Vec<ConversationKey> = Vec::new();
        for contact in contacts {
            let mut from = Some(PagingState::start());
            while let Some(state) = from.filter(|_| found.len() < limit) {
                let values = (tenant.as_bytes().as_slice(), contact.as_bytes().as_slice());
                let page = self.link.page::<(Vec<u8>, Uuid)>(&self.statements.of_contact, values, ROWS, state);
                let (rows, next) = page.await?;
                from = next;
                for (id, log) in rows {
                    let Ok(id) = id.try_into() else { continue };
                    let key = ConversationKey { tenant, conversation: ConversationId::from_bytes(id) };
                    // After everything that was decided: one that is being opened is there, or is not yet.
                    if self.owner(key).await?.is_some_and(|owner| owner.log == log) {
                        found.push(key);
                    } else if is_old(log, self.now()) {
                        // If it stays it is met again.
                        let _ = self.drop_of_contact(key, log, *contact).await;
                    }
                }
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

/// Whether whoever has drawn the name of a log is done or gone.
fn is_old(log: Uuid, now: Timestamp) -> bool {
    let drawn = log.get_timestamp().map_or(0, |drawn| drawn.to_unix().0);
    u64::try_from(now.as_millis() / 1_000).unwrap_or_default() > drawn.saturating_add(OPENING_SECONDS)
}
