//! A visitor's budgets for callers: an amount is taken before an action, and given back when that was not done.

use std::sync::Arc;

use schema::{ContactId, Neighbour};

use super::actor::Tenant;
use super::visitors::Taken;
use crate::failure::Failure;

/// A visitor of a tenant, on whatever way. Cheap to clone.
#[derive(Clone)]
pub struct Visit {
    tenant: Arc<Tenant>,
    contact: ContactId,
    from: Option<Neighbour>,
}

/// What was taken from a visitor's budgets for one thing. It is spent unless it is given back.
pub struct Booking {
    visit: Visit,
    taken: Taken,
    /// Something is stored for it, if the store takes it.
    decided: bool,
}

impl Visit {
    /// `from` for one whom no server of the tenant has announced: these share what their address may use.
    #[must_use]
    pub const fn new(tenant: Arc<Tenant>, contact: ContactId, from: Option<Neighbour>) -> Self {
        Self { tenant, contact, from }
    }

    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    pub(crate) const fn contact(&self) -> ContactId {
        self.contact
    }

    /// A visitor says something of so many bytes.
    ///
    /// # Errors
    /// `rate_limited` or `quota_exhausted`; then it is not to be stored.
    pub fn says(&self, bytes: usize) -> Result<Booking, Failure> {
        let taken = self.tenant.visitor_says(self.contact, self.from, bytes)?;
        Ok(Booking { visit: self.clone(), taken, decided: false })
    }

    /// A visitor opens a conversation.
    ///
    /// # Errors
    /// `rate_limited` or `quota_exhausted`; then it is not to be opened.
    pub(crate) fn opens(&self) -> Result<Booking, Failure> {
        let taken = self.tenant.visitor_opens(self.contact, self.from)?;
        Ok(Booking { visit: self.clone(), taken, decided: false })
    }
}

impl Booking {
    /// What it was taken for goes to the store.
    pub(crate) const fn decide(&mut self) {
        self.decided = true;
    }

    /// It is known what became of it.
    pub(crate) fn settle(self, done: bool) {
        if !(done && self.decided) {
            self.give_back();
        }
    }

    pub(crate) fn give_back(self) {
        let Visit { tenant, contact, from } = &self.visit;
        tenant.visitor_gets_back(*contact, *from, self.taken);
    }
}
