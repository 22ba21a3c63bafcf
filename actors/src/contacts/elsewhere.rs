//! Contacts whose records other nodes have changed, as this one has heard.

use std::collections::VecDeque;

use schema::{ContactId, TenantId};

/// So many are remembered, the last ones. Whoever asks for them has begun to look a moment ago.
const REMEMBERED: usize = 256;

/// The last ones, and how many there were.
#[derive(Default)]
pub(super) struct Elsewhere {
    last: VecDeque<(TenantId, ContactId)>,
    count: u64,
}

impl Elsewhere {
    pub(super) fn heard(&mut self, tenant: TenantId, id: ContactId) {
        if self.last.len() >= REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back((tenant, id));
        self.count += 1;
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Whether a contact's record was changed, or may have been, since there were so many.
    pub(super) fn since(&self, count: u64, tenant: TenantId, id: ContactId) -> bool {
        let newer = usize::try_from(self.count.saturating_sub(count)).unwrap_or(usize::MAX);
        newer > self.last.len() || self.last.iter().rev().take(newer).any(|one| *one == (tenant, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_heard_since_counts_and_what_is_forgotten_may_have_been_anybody() {
        let tenant = TenantId::generate();
        let [ana, bo] = [1, 2].map(|n| ContactId::from_bytes([n; 16]));
        let mut all = Elsewhere::default();
        all.heard(tenant, ana);
        let begun = all.count();
        assert!(!all.since(begun, tenant, ana));
        all.heard(tenant, bo);
        assert!(all.since(begun, tenant, bo) && !all.since(begun, tenant, ana));
        assert!(!all.since(begun, TenantId::generate(), bo), "another tenant's");
        (1..REMEMBERED).for_each(|_| all.heard(tenant, bo));
        assert!(!all.since(begun, tenant, ana));
        all.heard(tenant, bo);
        assert!(all.since(begun, tenant, ana), "the first one is forgotten");
    }
}
