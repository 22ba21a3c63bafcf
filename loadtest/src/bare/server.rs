//! The bare server's HTTP side.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context, Result};
use bytes::BytesMut;
use schema::wire::{Created, EventList, PlanView, TenantPut, TenantView};
use schema::{ConversationId, Profile, TenantId, Timestamp};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use super::conversation::{Conversation, Defect};
use super::session;
use crate::http::{Body, Head, read_head};

/// The bare server, listening.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    shared: Rc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) stub: SocketAddr,
    pub(super) defect: Defect,
    conversations: RefCell<HashMap<ConversationId, Conversation>>,
    tenant: TenantId,
    version: Cell<u64>,
    profile: RefCell<Profile>,
    at: Timestamp,
}

impl Server {
    /// Listens on `address`; replies come from the stub at `stub`.
    ///
    /// # Errors
    /// The address is taken.
    pub fn bind(address: SocketAddr, stub: SocketAddr, defect: Defect) -> Result<Self> {
        let listener = crate::stub::listen(address)?;
        let shared = Rc::new(Shared {
            stub,
            defect,
            conversations: RefCell::default(),
            tenant: TenantId::generate(),
            version: Cell::new(1),
            profile: RefCell::default(),
            // All events bear the same time: nothing here reads it.
            at: serde_json::from_str("\"2026-01-01T00:00:00Z\"")?,
        });
        Ok(Self { listener, shared })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// Serves until dropped.
    ///
    /// # Errors
    /// None while it lives.
    pub async fn serve(self) -> Result<()> {
        let tasks = LocalSet::new();
        tasks
            .run_until(async {
                loop {
                    let Ok((stream, _)) = self.listener.accept().await else { continue };
                    let shared = self.shared.clone();
                    tokio::task::spawn_local(async move {
                        // A client that leaves in mid-request is no concern of a bare server.
                        let _ = connection(stream, shared).await;
                    });
                }
            })
            .await
    }
}

impl Shared {
    pub(super) fn open(&self) -> ConversationId {
        let id = ConversationId::generate();
        self.conversations.borrow_mut().insert(id, Conversation::open(self.at));
        id
    }

    pub(super) fn with<T>(&self, id: ConversationId, act: impl FnOnce(&mut Conversation) -> T) -> Result<T> {
        Ok(act(self.conversations.borrow_mut().get_mut(&id).context("no such conversation")?))
    }
}

async fn connection(mut stream: TcpStream, shared: Rc<Shared>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(1024);
    while let Some(head) = read_head(&mut stream, &mut buffer).await? {
        if head.field("upgrade").is_some() {
            return session::serve(stream, buffer, shared).await;
        }
        let Body::Sized(size) = head.body() else { return Ok(()) };
        while buffer.len() < size {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let body = buffer.split_to(size);
        let (status, answer) = route(&head, &body, &shared).unwrap_or_else(|error| {
            (400, json!({ "error": { "code": "bad_field", "message": error.to_string() } }).to_string().into_bytes())
        });
        let mut wire = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        )
        .into_bytes();
        wire.extend(answer);
        stream.write_all(&wire).await?;
    }
    Ok(())
}

fn route(head: &Head, body: &[u8], shared: &Shared) -> Result<(u16, Vec<u8>)> {
    let mut words = head.first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    Ok(match (method, &parts[..]) {
        ("GET", ["readyz" | "healthz"]) => (200, b"{}".to_vec()),
        ("GET", ["v1", "tenant"]) => (200, serde_json::to_vec(&shared.tenant_view())?),
        ("PUT", ["v1", "tenant"]) => {
            let put: TenantPut = serde_json::from_slice(body)?;
            shared.version.set(put.version + 1);
            shared.profile.replace(put.profile);
            (200, serde_json::to_vec(&shared.tenant_view())?)
        }
        ("POST", ["v1", "conversations"]) => (201, serde_json::to_vec(&Created { id: shared.open(), head: 1 })?),
        ("GET", ["v1", "conversations", id]) => {
            let id: ConversationId = id.parse()?;
            let head = shared.with(id, |conversation| conversation.events.len())?;
            let view = json!({ "id": id, "channel": "web", "status": "open", "owner": "assistant", "ownership": 0,
                "head": head, "epoch": 1, "floor": "idle", "subscribers": 0, "last_at": shared.at });
            (200, serde_json::to_vec(&view)?)
        }
        ("POST", ["v1", "conversations", id, "human"]) => {
            shared.with(id.parse()?, |conversation| conversation.human = true)?;
            (200, b"{}".to_vec())
        }
        ("GET", ["v1", "conversations", id, "events"]) => {
            let number = |name: &str| {
                query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse::<usize>().ok())
            };
            let (after, limit) = (number("after").unwrap_or(0), number("limit").unwrap_or(100));
            let list = shared.with(id.parse()?, |conversation| EventList {
                events: conversation.events.iter().skip(after).take(limit).cloned().collect(),
                head: conversation.events.len() as u64,
                verdicts: Vec::new(),
            })?;
            (200, serde_json::to_vec(&list)?)
        }
        _ => (404, b"{}".to_vec()),
    })
}

impl Shared {
    fn tenant_view(&self) -> TenantView {
        TenantView {
            id: self.tenant,
            name: "bare".into(),
            version: self.version.get(),
            disabled: false,
            profile: self.profile.borrow().clone(),
            plan: PlanView::default(),
            public_url: None,
        }
    }
}
