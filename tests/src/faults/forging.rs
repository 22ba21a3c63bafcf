//! Who stands between a node and Cassandra, understands what they say, and tells the node of time-outs: some statements
//! are not passed on, some that were decided are answered as if nobody knew.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use scylla_proxy::example_db_errors::write_timeout;
use scylla_proxy::{
    Condition, Node, Proxy, Reaction, RequestFrame, RequestOpcode, RequestReaction, RequestRule, ResponseFrame,
    ResponseOpcode, ResponseReaction, ResponseRule, RunningProxy, ShardAwareness, get_exclusive_local_address,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// One before each node of Cassandra.
pub(super) struct Forger {
    proxy: RunningProxy,
    addresses: Vec<SocketAddr>,
    not_done: UnboundedReceiver<(RequestFrame, Option<u16>)>,
    done: UnboundedReceiver<(ResponseFrame, Option<u16>)>,
}

impl Forger {
    /// Begins, with so much of what is said.
    pub(super) async fn start(stores: &[SocketAddr], probability: f64) -> Result<Self> {
        let mut proxy = Proxy::builder();
        let mut addresses = Vec::new();
        let ((no, not_done), (yes, done)) = (unbounded_channel(), unbounded_channel());
        for real in stores {
            let at = SocketAddr::new(get_exclusive_local_address(), real.port());
            let node = Node::builder().real_address(*real).proxy_address(at).shard_awareness(ShardAwareness::Unaware);
            let (RequestRule(when, answer), ResponseRule(then, other)) = (before(probability), after(probability));
            let before = RequestRule(when, answer.with_feedback_when_performed(no.clone()));
            let after = ResponseRule(then, other.with_feedback_when_performed(yes.clone()));
            let node = node.request_rules(vec![before]).response_rules(vec![after]);
            proxy = proxy.with_node(node.build());
            addresses.push(at);
        }
        let proxy = proxy.build().run().await.context("nobody can stand before Cassandra")?;
        Ok(Self { proxy, addresses, not_done, done })
    }

    /// Where it stands before each.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// It goes; gives how many statements it did not pass on, and of how many it hid that they were decided. That
    /// connections were cut before is no fault of it.
    pub(super) async fn ends(self) -> [usize; 2] {
        let Self { proxy, mut not_done, mut done, .. } = self;
        // Its own end may panic, when a worker of its ends sooner than it looks.
        drop(tokio::spawn(proxy.finish()).await);
        let mut told = [0; 2];
        while not_done.try_recv().is_ok() {
            told[0] += 1;
        }
        while done.try_recv().is_ok() {
            told[1] += 1;
        }
        told
    }
}

/// Statements that are not passed on, and answered with a time-out.
#[must_use]
pub fn before(probability: f64) -> RequestRule {
    let writes = Condition::RequestOpcode(RequestOpcode::Execute).or(Condition::RequestOpcode(RequestOpcode::Batch));
    let some = writes.and(Condition::RandomWithProbability(probability));
    RequestRule(some, RequestReaction::forge_with_error(write_timeout()))
}

/// Conditions that were decided, and are answered with a time-out.
#[must_use]
pub fn after(probability: f64) -> ResponseRule {
    let decided = Condition::BodyContainsCaseSensitive(b"[applied]".as_slice().into());
    let some = Condition::ResponseOpcode(ResponseOpcode::Result)
        .and(decided)
        .and(Condition::RandomWithProbability(probability));
    ResponseRule(
        some,
        ResponseReaction::transform_frame(Arc::new(|frame: ResponseFrame| {
            let params = frame.params;
            ResponseFrame::forged_error(params, write_timeout(), None).unwrap_or(frame)
        })),
    )
}
