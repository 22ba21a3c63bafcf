//! The node itself: whether it lives, what it measures, how it is spoken to.

use schema::wire::NodeState;

use super::super::{describe, health, socket};
use crate::docs::{Auth, Operation, get};

pub(super) static ALL: &[Operation] = &[
    get("/healthz", Auth::None, "Is the process alive", |to| to.to(health::alive)).gives::<NodeState>(200),
    get("/readyz", Auth::None, "Does it take new work", |to| to.to(health::ready)).gives::<NodeState>(200),
    get("/metrics", Auth::None, "Prometheus metrics, for this machine", |to| to.to(health::metrics))
        .gives_media("text/plain", "Metrics"),
    get("/openapi.json", Auth::None, "This description", |to| to.to(describe::openapi)).gives_document("OpenAPI 3.1"),
    get("/asyncapi.json", Auth::None, "The web socket's description", |to| to.to(describe::asyncapi))
        .gives_document("AsyncAPI 3.0"),
    get("/v1/ws", Auth::Caller, "Upgrade to a web socket with subprotocol `tertulia.v1`; see /asyncapi.json", |to| {
        to.to(socket::open)
    })
    .done(101, "The socket"),
];
