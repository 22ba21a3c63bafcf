//! The end of a contact for good: their conversations one after another, then what is known of them.
//! Invariant: that it was asked for is durable before anything is erased, and is forgotten last; whatever stops it, the
//! next who asks goes on with it, and so does the node when it starts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use engine_store::{ListQuery, SharedStore};
use schema::{ContactId, ConversationKey, ErrorCode, TenantId};
use tokio::time::{MissedTickBehavior, interval};

use crate::contacts::Contacts;
use crate::erase::Eraser;
use crate::failure::Failure;
use crate::projection::Listing;

/// Conversations and events looked at together.
const AT_ONCE: usize = 64;
/// How often is looked for what was stopped.
const LOOK_EVERY: Duration = Duration::from_secs(300);

/// Erases contacts with the conversations that are with them.
pub(crate) struct ContactErasing<'a> {
    pub(crate) contacts: &'a Contacts,
    pub(crate) store: &'a SharedStore,
    pub(crate) eraser: &'a Arc<Eraser>,
    pub(crate) listing: &'a Listing,
}

impl ContactErasing<'_> {
    /// Writes down that a contact is to be erased; gives who is erased with it. From then on these do not change.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn begin(&self, tenant: TenantId, id: ContactId) -> Result<Vec<ContactId>, Failure> {
        Ok(self.contacts.begin_erasing(tenant, id).await?.1)
    }

    /// Erases a contact, and all that were merged into it.
    ///
    /// # Errors
    /// Why a conversation was not erased, or what the store says: it is gone on with when asked again.
    pub(crate) async fn erase(&self, tenant: TenantId, id: ContactId) -> Result<(), Failure> {
        let (id, family) = self.contacts.begin_erasing(tenant, id).await?;
        loop {
            // The list first, then what the store knows of them beside it: what is in neither was erased.
            self.listing.caught_up().await;
            let mut left = self.listed(tenant, &family).await?;
            if left.is_empty() {
                left = self.unlisted(tenant, &family).await?;
            }
            if left.is_empty() {
                break;
            }
            for key in left {
                match self.eraser.erase_one_of_many(key).await {
                    Ok(()) => {}
                    Err(failure) if failure.code == ErrorCode::UnknownConversation => {}
                    Err(failure) => return Err(failure),
                }
            }
        }
        // Last, so that keys which cannot be ended hold up no removal.
        self.have_ended(tenant, &family).await?;
        Ok(self.contacts.end_erasing(tenant, id, &family).await?)
    }

    /// Goes on with what was stopped, until the node closes.
    pub(crate) async fn go_on(&self, is_over: impl Fn() -> bool) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !is_over() {
            ticks.tick().await;
            let mut after = None;
            loop {
                let asked = match self.contacts.asked_to_erase(after).await {
                    Ok(asked) => asked,
                    Err(error) => {
                        let message = "contacts to be erased could not be looked for; the next look tries again";
                        tracing::warn!(%error, "{message}");
                        break;
                    }
                };
                for (tenant, contact) in asked.contacts {
                    if let Err(failure) = self.go_on_with(tenant, contact).await {
                        let message = "a contact was not erased; the next look tries again";
                        tracing::warn!(%tenant, %contact, %failure, "{message}");
                    }
                }
                after = asked.next;
                if after.is_none() || is_over() {
                    break;
                }
            }
        }
    }

    async fn go_on_with(&self, tenant: TenantId, contact: ContactId) -> Result<(), Failure> {
        if self.contacts.is_to_be_erased(tenant, contact).await? {
            self.erase(tenant, contact).await?;
        }
        Ok(())
    }

    /// Sees that the keys of all that was removed have ended, also of what an earlier try has removed.
    async fn have_ended(&self, tenant: TenantId, family: &[ContactId]) -> Result<(), Failure> {
        let mut looked_at = BTreeSet::new();
        loop {
            // Those that cannot end stay on the list, and are to hold no place for the others.
            let room = AT_ONCE + looked_at.len();
            let ending = self.store.ending(tenant, family.to_vec(), room).await;
            let mut left = ending.map_err(|error| Failure::store(&error))?;
            left.retain(|key| looked_at.insert(*key));
            if left.is_empty() {
                return Ok(());
            }
            for key in left {
                match self.eraser.end_owed_key(key).await {
                    Ok(()) => {}
                    Err(failure) if failure.code == ErrorCode::UnknownConversation => {}
                    // A number that no key has will never end; what is known of the contact is to go all the same.
                    Err(failure) if failure.code == ErrorCode::StoreCorrupt => {}
                    Err(failure) => return Err(failure),
                }
            }
        }
    }

    async fn listed(&self, tenant: TenantId, family: &[ContactId]) -> Result<Vec<ConversationKey>, Failure> {
        let query = ListQuery { tenant, contacts: Some(family.to_vec()), before: None, limit: AT_ONCE };
        let page = self.store.list(query).await.map_err(|error| Failure::store(&error))?;
        Ok(page.into_iter().map(|row| ConversationKey { tenant, conversation: row.id }).collect())
    }

    /// Conversations with the contact that the list does not have yet, whichever node has opened them.
    async fn unlisted(&self, tenant: TenantId, family: &[ContactId]) -> Result<Vec<ConversationKey>, Failure> {
        let found = self.store.with_contacts(tenant, family.to_vec(), AT_ONCE).await;
        found.map_err(|error| Failure::store(&error))
    }
}
