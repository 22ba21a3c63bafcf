//! What a walk has its pages read by.

use bytes::Bytes;
use engine_documents::{Kind, ReadDocument, Reader, Unreadable};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schema::TenantId;

/// Reads pages of strangers for a tenant.
pub trait Read: Send + Sync {
    /// One page, of which the server may have said in which letters it is. Dropping the future ends the reading.
    ///
    /// # Errors
    /// Why it cannot be learned.
    fn read<'a>(
        &'a self,
        tenant: TenantId,
        kind: Kind,
        charset: Option<&'a str>,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<ReadDocument, Unreadable>>;
}

impl Read for Reader {
    fn read<'a>(
        &'a self,
        tenant: TenantId,
        kind: Kind,
        charset: Option<&'a str>,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<ReadDocument, Unreadable>> {
        self.read(tenant, kind, charset, bytes).boxed()
    }
}

/// Reads within this process, for tests: their pages are our own.
#[cfg(test)]
pub(super) struct Here;

#[cfg(test)]
impl Read for Here {
    fn read<'a>(
        &'a self,
        _: TenantId,
        kind: Kind,
        charset: Option<&'a str>,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<ReadDocument, Unreadable>> {
        std::future::ready(engine_documents::read(kind, charset, &bytes)).boxed()
    }
}
