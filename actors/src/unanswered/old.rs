//! Groups and verdicts that an earlier version has left with words in the clear: sealed once, tenant by tenant.
//! Invariant: it is noted when all are sealed, and not before; until then each start goes on with it.

use engine_store::{RecordName, Scope, StoreError};
use schema::{ConversationKey, TenantId};

use super::{Unanswered, stored, verdicts};
use crate::tenant::TenantRecord;

/// Says that nothing is left in the clear: one record of the node's.
const KIND: &str = "unanswered_sealed";
/// Tenants read at a time.
const PAGE_TENANTS: usize = 50;
/// Records read at a time.
const PAGE_RECORDS: usize = 100;

impl Unanswered {
    /// Seals what is in the clear, unless that was done before.
    pub(super) async fn seal_old(&self) {
        if let Err(error) = self.try_seal_old().await {
            tracing::warn!(index = "unanswered", %error, "what an earlier version noted in the clear is not sealed yet; the next start goes on");
        }
    }

    async fn try_seal_old(&self) -> Result<(), StoreError> {
        let done = RecordName { scope: Scope::Node, kind: KIND, id: "1".into() };
        if self.store.get(done.clone()).await?.is_some() {
            return Ok(());
        }
        let (mut after, mut is_all) = (None, true);
        loop {
            let page = TenantRecord::list_after(&*self.store, after, PAGE_TENANTS).await?;
            let full = page.len() == PAGE_TENANTS;
            after = page.last().map(|tenant| tenant.id);
            for tenant in page {
                // Reading a board seals what is in the clear on it. One tenant's damage must not keep others in the clear.
                let board = self.boards.slot(tenant.id).lock().await.board(&self.store, tenant.id).await.map(drop);
                for sealed in [board, self.seal_verdicts(tenant.id).await] {
                    if let Err(error) = sealed {
                        is_all = false;
                        tracing::warn!(tenant = %tenant.id, %error, "a tenant's notes from an earlier version are not sealed yet");
                    }
                }
            }
            if !full {
                break;
            }
        }
        if !is_all {
            return Ok(());
        }
        self.store.rewrite().await?;
        match self.store.put(done, 0, Vec::new()).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn seal_verdicts(&self, tenant: TenantId) -> Result<(), StoreError> {
        let (mut after, mut unread) = (None, None);
        loop {
            let page = self.store.scan(Scope::Tenant(tenant), verdicts::KIND, after, PAGE_RECORDS).await?;
            let full = page.len() == PAGE_RECORDS;
            after = page.last().map(|record| record.id.clone());
            for record in page {
                let conversation = record.id.split(':').next().and_then(|id| id.parse().ok());
                let verdict = match stored::read_clear_verdict(&record.body) {
                    Ok(verdict) => verdict,
                    // Whoever reads it is told so; those behind it are sealed all the same.
                    Err(error) => {
                        unread.get_or_insert(error);
                        continue;
                    }
                };
                let (Some(verdict), Some(conversation)) = (verdict, conversation) else { continue };
                let key = ConversationKey { tenant, conversation };
                let body = match stored::write_verdict(&self.store, key, &verdict).await {
                    Ok(body) => body,
                    // It is erased, and its verdicts with it.
                    Err(StoreError::NotFound) => continue,
                    Err(error) => return Err(error),
                };
                let name = RecordName { scope: Scope::Tenant(tenant), kind: verdicts::KIND, id: record.id };
                match self.store.put(name, record.version, body).await {
                    // Whoever changed it meanwhile has sealed it.
                    Ok(_) | Err(StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if !full {
                return unread.map_or(Ok(()), Err);
            }
        }
    }
}
