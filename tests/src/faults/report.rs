//! What has come of the faults, as it is kept under `tests/records/`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::crashes::Quantiles;

/// All of it.
#[derive(Debug, Default, Serialize)]
pub struct FaultsReport {
    /// The seed that decided whose each fault was, and when.
    pub seed: u64,
    /// Times through all faults.
    pub rounds: usize,
    /// Nodes of Cassandra.
    pub stores: usize,
    /// Each fault.
    pub faults: BTreeMap<&'static str, FaultReport>,
    /// Messages acknowledged, each found once where its client was told.
    pub acknowledged: usize,
    /// Events in the logs, each read at every node and in the store.
    pub events: usize,
    /// Changes of owner in the logs.
    pub takeovers: usize,
    /// Events that were written by an owner who was none any more.
    pub written_by_zombies: usize,
    /// Faults that could not be brought about, and why.
    pub left_out: BTreeMap<&'static str, &'static str>,
    /// What was wrong, with its fault.
    pub findings: Vec<String>,
}

/// One kind of fault, over all its times.
#[derive(Debug, Default, Serialize)]
pub struct FaultReport {
    /// Times it was brought about.
    pub times: usize,
    /// Of those, with nothing wrong.
    pub sound: usize,
    /// Messages acknowledged.
    pub acknowledged: usize,
    /// Sends and joins that were answered with advice to come again, by code.
    pub put_off: BTreeMap<String, usize>,
    /// Sockets that were closed by nodes whose fault it was.
    pub closed: usize,
    /// Times a client left a node that told it to join again.
    pub left: usize,
    /// Appends that came too late: their owner was none any more, and said so.
    pub appends_lost: usize,
    /// How long conversations of the node whose fault it was took nothing, at most, in milliseconds.
    pub pause_ms: Quantiles,
    /// The same of all other conversations.
    pub others_pause_ms: Quantiles,
    /// From the first send of a message to its acknowledgement, in milliseconds.
    pub send_ms: Quantiles,
    #[serde(skip)]
    pub(super) pauses: Vec<u64>,
    #[serde(skip)]
    pub(super) others: Vec<u64>,
    #[serde(skip)]
    pub(super) sends: Vec<u64>,
}

impl FaultReport {
    pub(super) fn settle(&mut self) {
        self.pause_ms = Quantiles::of(self.pauses.clone());
        self.others_pause_ms = Quantiles::of(self.others.clone());
        self.send_ms = Quantiles::of(self.sends.clone());
    }
}
