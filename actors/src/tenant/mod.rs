//! A tenant on this node: its settings, its counters, its actor.

mod actor;
mod budget;
mod record;
mod tenants;

pub use actor::{SessionPermit, Tenant, TenantUsage};
pub(crate) use actor::{Settings, TurnPermit};
pub use record::TenantRecord;
pub(crate) use tenants::Tenants;
