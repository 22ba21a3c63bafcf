//! The node under test as its public API shows it: setting scenes up and reading results.

use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use schema::wire::{
    ConversationView, Created, EventList, HumanAction, HumanIn, KeyMade, TenantIn, TenantPut, TenantView,
};
use schema::{ConversationId, Event, Profile, limits};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::Client;
use crate::socket::{Incoming, Link, Opening};
use crate::view::View;

const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the node is, and as whom we come.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its address.
    pub server: SocketAddr,
    /// The tenant's API key.
    pub key: String,
}

/// A client of the node's HTTP API.
#[derive(Debug)]
pub struct Node {
    http: Client,
}

impl Place {
    /// Reads `http://host:port`.
    ///
    /// # Errors
    /// It is none, or the name has no address.
    pub fn parse(url: &str, key: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://").context("the load suite speaks plain http://host:port only")?;
        let host = rest.trim_end_matches('/');
        let with_port = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let server = with_port.to_socket_addrs().with_context(|| format!("no address for {host}"))?.next();
        Ok(Self { server: server.with_context(|| format!("no address for {host}"))?, key: key.to_owned() })
    }

    /// A client of its HTTP API.
    #[must_use]
    pub fn node(&self) -> Node {
        Node { http: Client::new(self.server, &self.key) }
    }

    /// How to open an ordinary socket to it.
    #[must_use]
    pub fn opening(&self) -> Opening<'_> {
        Opening { server: self.server, key: &self.key, source: None, receive_buffer: None }
    }

    /// Opens a socket and joins `conversation` from its beginning.
    ///
    /// # Errors
    /// The node refuses one of them.
    pub async fn join(&self, opening: Opening<'_>, conversation: ConversationId) -> Result<Link> {
        self.join_after(opening, conversation, 0).await
    }

    /// The same from its newest event on, for one who wants none of its past.
    ///
    /// # Errors
    /// The node refuses one of them.
    pub async fn join_newest(&self, opening: Opening<'_>, conversation: ConversationId) -> Result<Link> {
        let view: ConversationView = self.node().get(&format!("/v1/conversations/{conversation}")).await?;
        self.join_after(opening, conversation, view.head).await
    }

    async fn join_after(&self, opening: Opening<'_>, conversation: ConversationId, after: u64) -> Result<Link> {
        let mut link = Link::open(opening).await?;
        let join = format!(r#"{{"type":"join","ref":"join","conversation":"{conversation}","after":{after}}}"#);
        link.queue(join.as_bytes());
        reply(&mut link, "join").await?;
        Ok(link)
    }
}

impl Node {
    /// Waits until the node says it is ready.
    ///
    /// # Errors
    /// It does not within `patience`.
    pub async fn ready(&mut self, patience: Duration) -> Result<()> {
        let asked = std::time::Instant::now();
        loop {
            match self.http.ask("GET", "/readyz", None).await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                outcome if asked.elapsed() > patience => bail!("not ready after {patience:?}: {outcome:?}"),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Lifts the tenant's allowances out of the way, as far as its plan lets it: what is measured is the node,
    /// not its manners. Messages are answered at once instead of waiting for the rest of a burst.
    ///
    /// # Errors
    /// The node refuses the profile.
    pub async fn lift_quotas(&mut self) -> Result<()> {
        let most = self.get::<TenantView>("/v1/tenant").await?.plan.plan.quotas;
        self.change_profile(|profile| {
            profile.quotas.requests_per_second = most.requests_per_second;
            profile.quotas.running_turns = most.running_turns;
            profile.quotas.sessions = most.sessions;
            profile.quotas.tokens_per_day = 0;
            profile.floor.burst_window_ms = 0;
            profile.assistant.max_output_tokens = NonZeroU32::new(32_768).unwrap_or(NonZeroU32::MIN);
        })
        .await
    }

    /// Changes the tenant's profile.
    ///
    /// # Errors
    /// The node refuses the profile.
    pub async fn change_profile(&mut self, change: impl FnOnce(&mut Profile)) -> Result<()> {
        let TenantView { version, mut profile, .. } = self.get("/v1/tenant").await?;
        let before = profile.clone();
        change(&mut profile);
        if profile != before {
            let body = serde_json::to_vec(&TenantPut { version, profile })?;
            self.ask("PUT", "/v1/tenant", Some(&body)).await?;
        }
        Ok(())
    }

    /// Creates a tenant; gives its key. For the operator's key only.
    ///
    /// # Errors
    /// The node refuses.
    pub async fn create_tenant(&mut self, name: &str) -> Result<String> {
        let body = serde_json::to_vec(&TenantIn { name: name.into(), plan: None })?;
        let body = self.ask("POST", "/v1/admin/tenants", Some(&body)).await?;
        Ok(serde_json::from_slice::<KeyMade>(&body)?.api_key)
    }

    /// Opens a new conversation.
    ///
    /// # Errors
    /// The node refuses.
    pub async fn open(&mut self) -> Result<ConversationId> {
        let body = self.ask("POST", "/v1/conversations", Some(b"{}")).await?;
        Ok(serde_json::from_slice::<Created>(&body)?.id)
    }

    /// Lets a human take the conversation, so that nothing said in it begins a turn.
    ///
    /// # Errors
    /// The node refuses.
    pub async fn take_over(&mut self, conversation: ConversationId) -> Result<()> {
        let body = serde_json::to_vec(&HumanIn { action: HumanAction::Take, agent: Some("load".into()) })?;
        self.ask("POST", &format!("/v1/conversations/{conversation}/human"), Some(&body)).await?;
        Ok(())
    }

    /// All events of a conversation, page after page.
    ///
    /// # Errors
    /// The node refuses, or a page does not go on where the one before ended.
    pub async fn events(&mut self, conversation: ConversationId) -> Result<(Vec<Event>, u64)> {
        let mut all: Vec<Event> = Vec::new();
        loop {
            let after = all.last().map_or(0, |event| event.seq);
            let limit = limits::PAGE_EVENTS_MAX;
            let path = format!("/v1/conversations/{conversation}/events?after={after}&limit={limit}");
            let EventList { events, head, .. } = self.get(&path).await?;
            if events.is_empty() || events.last().is_some_and(|event| event.seq <= after) {
                return Ok((all, head));
            }
            let done = events.last().is_some_and(|event| event.seq >= head);
            all.extend(events);
            if done {
                return Ok((all, head));
            }
        }
    }

    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        let body = self.ask("GET", path, None).await?;
        serde_json::from_slice(&body).with_context(|| format!("unexpected answer of {path}"))
    }

    async fn ask(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Vec<u8>> {
        let answer = self.http.ask(method, path, body).await.with_context(|| format!("{method} {path}"))?;
        if !(200..300).contains(&answer.status) {
            // The load suite's own words are all there is in it.
            bail!("{method} {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        Ok(answer.body)
    }
}

/// Waits for the reply to `re`, past whatever else comes, and gives its `ok`.
///
/// # Errors
/// It is an error, or the socket ends before it.
pub async fn reply(link: &mut Link, re: &str) -> Result<Value> {
    let wait = async {
        loop {
            let Incoming::Message(message) = link.next().await?.0 else { bail!("closed before the reply to `{re}`") };
            let view: View<'_> = serde_json::from_slice(&message)?;
            match (view.re, view.error, view.ok) {
                (Some(found), Some(error), _) if found == re => bail!("`{re}`: {}: {}", error.code, error.message),
                (Some(found), None, ok) if found == re => {
                    return Ok(ok.map(|raw| serde_json::from_str(raw.get())).transpose()?.unwrap_or_default());
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(REPLY_TIMEOUT, wait).await.with_context(|| format!("no reply to `{re}`"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_plain_address() {
        for (url, port) in [("http://127.0.0.1:8080", 8080), ("http://127.0.0.1:8080/", 8080), ("http://127.0.0.1", 80)]
        {
            assert_eq!(Place::parse(url, "k").unwrap().server.port(), port, "{url}");
        }
        for bad in ["https://127.0.0.1", "127.0.0.1:1", "http://"] {
            assert!(Place::parse(bad, "k").is_err(), "{bad}");
        }
    }
}
