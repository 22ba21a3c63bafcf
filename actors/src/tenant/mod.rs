//! A tenant on this node: its settings, its counters, its actor.

mod actor;
mod bucket;
mod budget;
mod count;
mod day;
mod key;
mod known;
mod record;
mod told;
mod usage;
mod visit;
mod visitors;

pub(crate) use actor::Settings;
pub use actor::{Tenant, TenantUsage};
pub use count::SessionPermit;
pub(crate) use count::TurnPermit;
pub use key::{Generation, KeyId};
pub(crate) use known::KnownTenants;
pub use record::{PlanRecord, ProfileRecord, TenantRecord};
pub use visit::{Booking, Visit};
