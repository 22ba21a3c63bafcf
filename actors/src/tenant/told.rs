//! The current form of plans that changed while the node runs.
//! Invariant: a plan goes in here before tenants are told of it, and whoever reads a tenant looks in here after
//! others can see it: so none keeps the plan from before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use schema::wire::PlanView;

/// By name: no more than the operator has made.
#[derive(Default)]
pub(super) struct Told(Mutex<HashMap<String, PlanView>>);

impl Told {
    /// A plan was stored.
    pub(super) fn tell(&self, plan: &PlanView) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = told.entry(plan.name.clone()).or_insert_with(|| plan.clone());
        // Two changes may come here in the other order.
        if known.version < plan.version {
            known.clone_from(plan);
        }
    }

    /// The newest of this name.
    pub(super) fn newest(&self, name: &str) -> Option<PlanView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}
