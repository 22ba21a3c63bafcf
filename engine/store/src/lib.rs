//! What is kept: the `Store` port and its adapters.
//! Invariant: whoever needs a store names the port alone; SQLite comes with the feature `sqlite`, which only
//! what builds a node or measures the adapter turns on.

#[cfg(feature = "cql")]
pub mod cql;
mod due;
mod error;
mod log;
pub mod memory;
pub mod metrics;
mod nodes;
mod projection;
mod records;
#[cfg(any(feature = "sqlite", feature = "cql"))]
mod sealed;
mod seals;
mod snapshots;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod store;

pub use due::{DueChange, DueEntry, DueIndex, DueQuery, Hasten, Hastened, Reschedule};
pub use error::{Pending, StoreError};
pub use log::{Append, Claim, Log, Opening, Owner, Page, PageBounds, Unspoken, UnspokenQuery};
pub use nodes::{BEAT_STANDS, BEATS_MAX, Beat, GOODBYE_STANDS, Member, Nodes};
pub use projection::{Behind, ConversationRow, ListCursor, ListQuery, LogCursor, Projection, Projections};
pub use records::{Record, RecordKeys, RecordName, Records, Scope};
pub use seals::{Note, Seals};
pub use snapshots::{Snapshot, Snapshots};
pub use store::{SharedStore, Store};
