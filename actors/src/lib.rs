//! When and where conversations happen: mailboxes, supervision, timers, ownership, subscribers, drain.
//! Invariant: `actix` is named in `runtime` alone.

mod admission;
mod clock;
mod contact_erasing;
mod contacts;
mod conversation;
mod directory;
mod due;
mod erase;
mod failure;
mod frames;
mod hasten;
mod link;
mod loops;
mod memory;
mod metrics;
mod neighbours;
mod outbox;
mod patience;
mod pause;
mod peers;
mod phase;
mod projection;
pub mod record_body;
mod reply;
mod runtime;
mod service;
mod spans;
mod supervision;
mod sweeper;
mod sync;
mod system;
mod tenant;
mod turn;
mod unanswered;
mod wanted;
mod worker;

pub use clock::{Clock, SystemClock};
pub use contacts::{CONTACT_KIND, Contacts, ContactsError, Meant, Standing};
pub use conversation::{Audience, ConversationHandle, JoinFrom, Joined, Listener};
pub use failure::Failure;
pub use frames::{Format, Frames, error_frame, reply_frame};
pub use link::{Link, LinkError};
pub use memory::{Memory, REMEMBERED_FOR};
pub use metrics::describe as describe_metrics;
pub use outbox::{Outbox, OutboxItem, OutboxStream};
pub use peers::{Living, Peers};
pub use projection::{Listing, rebuild as rebuild_listing};
pub use reply::{Answer, ReplyTo};
pub use system::{Options, System};
pub use tenant::{
    Booking, Generation, KeyId, PlanRecord, ProfileRecord, SessionPermit, Tenant, TenantRecord, TenantUsage, Visit,
};
pub use unanswered::Unanswered;
pub use worker::Worker;
