//! The `Store` port: a fenced log for each conversation, a snapshot of it, when it has something to do, what consumers
//! have made of the logs, and small versioned records.

use std::sync::Arc;

use crate::{DueIndex, Log, Projections, Records, Seals, Snapshots};

/// Everything that is kept.
pub trait Store: Log + DueIndex + Snapshots + Projections + Records + Seals {}
impl<S: Log + DueIndex + Snapshots + Projections + Records + Seals> Store for S {}

/// A store shared by all who need one.
pub type SharedStore = Arc<dyn Store>;
