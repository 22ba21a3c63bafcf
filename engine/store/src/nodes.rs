//! The port for signs of life: what the nodes of one installation tell each other of themselves.
//! Invariant: nothing that is kept stands on it. Who may write is decided by the conditions of the log; this only says
//! whom it is worth asking.

use std::time::Duration;

use schema::NodeId;
use serde::{Deserialize, Serialize};

use crate::Pending;

/// A place where nodes leave signs of life and find those of others.
pub trait Nodes: Send + Sync + 'static {
    /// Leaves a sign in place of the node's earlier one. One that lasts no time is its goodbye: others find it for
    /// [`GOODBYE_STANDS`] at least, and then nothing.
    ///
    /// # Errors
    /// When it was not left, or perhaps.
    fn beat(&self, beat: Beat) -> Pending<()>;

    /// The last sign of each node, [`BEATS_MAX`] at most. That a node is missing says nothing of it: the place may
    /// have forgotten it. A sign that never changes stands for [`BEAT_STANDS`] at most.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn beats(&self) -> Pending<Vec<Beat>>;
}

/// Signs that one reading gives at most.
pub const BEATS_MAX: usize = 1_000;
/// How long a goodbye can be found. Everybody looks many times meanwhile.
pub const GOODBYE_STANDS: Duration = Duration::from_secs(60);
/// How long the sign of a node that has gone without a goodbye can be found at most.
pub const BEAT_STANDS: Duration = Duration::from_secs(24 * 3600);

/// A node as others know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Drawn at each of its starts.
    pub id: NodeId,
    /// Its internal listener, as others reach it: `host:port`.
    pub address: String,
    /// The version of its program.
    pub version: String,
    /// Whether it takes conversations: one that does not serves those of others alone.
    #[serde(default = "takes_conversations")]
    pub owns: bool,
}

/// What is not told otherwise.
const fn takes_conversations() -> bool {
    true
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Whose.
    pub member: Member,
    /// Rises with each of its beats, wherever it leaves them: the milliseconds since its start by its own clock. It is
    /// compared with its other beats alone, so that no two clocks have to agree.
    pub count: u64,
    /// For how long whoever sees it anew may take its node to live: the next one comes well before. None at all is a
    /// goodbye.
    pub lasts: Duration,
}

impl Beat {
    /// Whether the node has left, and beats no more.
    #[must_use]
    pub const fn is_goodbye(&self) -> bool {
        self.lasts.is_zero()
    }
}
