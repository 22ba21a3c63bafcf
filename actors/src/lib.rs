//! When and where conversations happen: mailboxes, supervision, timers, ownership, subscribers, drain.
//! Invariant: `actix` is named in `runtime` alone.

mod admission;
mod clock;
mod conversation;
mod directory;
mod erase;
mod failure;
mod frames;
mod handle;
mod metrics;
mod outbox;
mod patience;
mod pause;
mod projection;
mod runtime;
mod supervision;
mod sweeper;
mod sync;
mod system;
mod tenant;
mod turn;
mod unanswered;

pub use clock::{Clock, SystemClock};
pub use conversation::{Audience, JoinFrom, Joined, Listener};
pub use failure::Failure;
pub use frames::{Format, Frames, error_frame, reply_frame};
pub use handle::{Answer, ConversationHandle, ReplyTo};
pub use metrics::describe as describe_metrics;
pub use outbox::{Outbox, OutboxItem, OutboxStream};
pub use projection::{Listing, rebuild as rebuild_listing};
pub use system::{Options, System, Worker};
pub use tenant::{Booking, PlanRecord, SessionPermit, Tenant, TenantRecord, TenantUsage, Visit};
pub use unanswered::Unanswered;
