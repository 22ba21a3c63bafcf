//! What is kept: the `Store` port and its adapters.
//! Invariant: whoever needs a store names the port alone; SQLite comes with the feature `sqlite`, which only
//! what builds a node or measures the adapter turns on.

mod due;
pub mod memory;
pub mod metrics;
mod port;
mod projection;
mod snapshots;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use due::{DueChange, DueEntry, DueIndex, DueQuery, Hasten, Hastened, Reschedule};
pub use port::{
    Append, Claim, ListCursor, ListQuery, Log, Opening, Page, PageBounds, Pending, Record, RecordName, Records, Scope,
    SharedStore, Store, StoreError, Unspoken, UnspokenQuery,
};
pub use projection::{Behind, ConversationRow, LogCursor, Projection, Projections};
pub use snapshots::{Snapshot, Snapshots};
