//! Memory for documents on their way in, shared out between tenants.
//! Invariant: what is held stays within a bound, and no tenant holds more than it leaves free: whoever sends
//! slowly holds what has come of it, not a place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schema::TenantId;
use schema::limits::INCOMING_BYTES_MAX;

use super::LearningError;

/// What is held of all documents. Cloning shares it.
#[derive(Clone, Default)]
pub(super) struct Room {
    held: Arc<Mutex<HeldBytes>>,
}

#[derive(Default)]
struct HeldBytes {
    all: usize,
    by_tenant: HashMap<TenantId, usize>,
}

/// What is held of one document; given back when dropped.
pub struct Hold {
    room: Room,
    tenant: TenantId,
    bytes: usize,
}

impl Room {
    /// Room for a document of which nothing has come yet.
    pub(super) fn hold(&self, tenant: TenantId) -> Hold {
        Hold { room: self.clone(), tenant, bytes: 0 }
    }

    fn held(&self) -> MutexGuard<'_, HeldBytes> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// So many bytes more have come.
    ///
    /// # Errors
    /// [`LearningError::Full`] when they are too many for now: they are to be dropped.
    pub fn take(&mut self, more: usize) -> Result<(), LearningError> {
        let mut held = self.room.held();
        let own = held.by_tenant.get(&self.tenant).copied().unwrap_or_default();
        if own + more > INCOMING_BYTES_MAX - held.all {
            return Err(LearningError::Full);
        }
        held.all += more;
        held.by_tenant.insert(self.tenant, own + more);
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.room.held();
        held.all -= self.bytes;
        let left = held.by_tenant.get(&self.tenant).copied().unwrap_or_default().saturating_sub(self.bytes);
        if left == 0 {
            held.by_tenant.remove(&self.tenant);
        } else {
            held.by_tenant.insert(self.tenant, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use schema::limits::FILE_BYTES_MAX;

    use super::*;

    #[test]
    fn no_tenant_takes_all_and_all_is_given_back() {
        let room = Room::default();
        let [one, other, third] = [(); 3].map(|()| TenantId::generate());
        let mut holds = Vec::new();
        let mut fill = |tenant| {
            let files = (0..).take_while(|_| {
                let mut hold = room.hold(tenant);
                let taken = hold.take(FILE_BYTES_MAX).is_ok();
                holds.push(hold);
                taken
            });
            files.count()
        };
        assert_eq!([fill(one), fill(other), fill(third), fill(one)], [4, 2, 1, 0]);
        holds.clear();
        let held = room.held();
        assert_eq!((held.all, held.by_tenant.len()), (0, 0));
    }
}
