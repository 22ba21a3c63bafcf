//! What crosses a boundary: ids, events, wire frames, error codes, limits, profiles.
//! Invariant: no async, no I/O, no policy. Everything here is data with a documented shape.

mod contact;
mod counted;
mod error;
mod event;
mod identity;
mod ids;
pub mod limits;
mod locale;
mod neighbour;
mod numbers;
mod objects;
mod origin;
mod output_limit;
mod passage;
pub mod peer;
mod plan;
mod position;
mod price;
mod profile;
mod text;
mod time;
pub mod wire;

pub use contact::{
    Attribute, Begun, ChangeKind, Changed, Consent, ConsentIn, ContactChange, ContactError, ContactRecord,
    ContactState, Family, KnownIdentity, Provenance, Refusals, StatesIn, Step, StoredContact, Way,
};
pub use counted::{Counted, counted};
pub use error::ErrorCode;
pub use event::{Author, Channel, CloseReason, End, Event, Fact, Failover, HandoffReason, Made, Reply, Usage};
pub use identity::{Identity, IdentityError, IdentityKind, identity_pattern};
pub use ids::{
    AttributeName, AttributeValue, ChangedBy, ConsentMeans, Contact, ContactId, ConversationId, ConversationKey,
    IdError, JobId, NodeId, PersonName, Purpose, Ref, SessionId, TenantId,
};
pub use locale::{Locale, LocaleError};
pub use neighbour::Neighbour;
pub use numbers::{Epoch, Ownership, Seq, Turn};
pub use objects::{Objects, Plain, read_json};
pub use origin::{Origin, OriginError};
pub use output_limit::OutputLimit;
pub use passage::{Passage, TYPED_SOURCE, cited};
pub use plan::{Ceilings, DEFAULT_PLAN, Plan, PlanError, VisitorBudget};
pub use position::{Position, PositionError, Reached};
pub use price::Price;
pub use profile::{
    Assistant, Business, FloorPolicy, Profile, ProfileError, Quotas, Side, UnfinishedTurns, WhileSpeaking, Widget,
};
pub use text::{AgentName, Text, VisibleError, is_invisible, is_placeholder, visible};
pub use time::{NoMoment, Timestamp};
