//! A tenant on this node: its settings, its counters, its actor.

mod actor;
mod bucket;
mod budget;
mod count;
mod day;
mod record;
mod tenants;
mod told;
mod usage;
mod visit;
mod visitors;

pub(crate) use actor::Settings;
pub use actor::{Tenant, TenantUsage};
pub use count::SessionPermit;
pub(crate) use count::TurnPermit;
pub use record::{PlanRecord, TenantRecord};
pub(crate) use tenants::Tenants;
pub use visit::{Booking, Visit};
