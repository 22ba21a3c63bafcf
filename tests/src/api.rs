//! A client of the HTTP API. Invariant: it knows the wire and nothing of the node's inside.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

use std::net::SocketAddr;
use std::time::Instant;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Url};
use schema::wire::{
    ConversationView, Created, ErrorBody, EventList, HumanAction, HumanIn, KeyMade, OpenIn, Said, TenantPut,
    TenantView, VisitorIn, VisitorToken,
};
use schema::{ConversationId, Event, Profile, Seq};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::stream::Stream;
use crate::{PATIENCE, look_again, owners};

/// Somebody with a key or token, or nobody in particular.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    /// Where the node listens.
    pub address: SocketAddr,
    /// What is shown.
    pub key: Option<String>,
}

/// What the node answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as what it should be.
    ///
    /// # Panics
    /// When the request failed, or the body is something else.
    pub fn ok<T: DeserializeOwned>(&self) -> T {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The code of a failure, whose body must have the one form that failures have.
    ///
    /// # Panics
    /// When it is no failure, or has another form.
    #[must_use]
    pub fn code(&self) -> &'static str {
        assert!(self.status >= 400, "{} {}", self.status, self.body);
        let body: ErrorBody =
            serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{}: {error}: {}", self.status, self.body));
        assert!(!body.error.message.is_empty());
        assert_eq!(self.header("content-type"), "application/json");
        body.error.code.name()
    }

    /// Status and code of a failure, to be compared with what was expected.
    #[must_use]
    pub fn failure(&self) -> (u16, &'static str) {
        (self.status, self.code())
    }

    /// A header; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Api {
    /// A client that shows `key`.
    ///
    /// # Panics
    /// When the HTTP client cannot be made.
    #[must_use]
    pub fn new(address: SocketAddr, key: Option<String>) -> Self {
        engine_model::install_crypto_provider();
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        Self { http, address, key }
    }

    /// The same with another key or token.
    #[must_use]
    pub fn showing(&self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self.clone() }
    }

    /// The same without any.
    #[must_use]
    pub fn nobody(&self) -> Self {
        Self { key: None, ..self.clone() }
    }

    /// A request, to be made up further.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("http://{}{path}", self.address)).timeout(PATIENCE);
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends it.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn send(request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.expect("a whole answer") }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        Self::send(self.request("GET", path)).await
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        Self::send(self.request("POST", path).json(body)).await
    }

    /// `PATCH`.
    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Answer {
        Self::send(self.request("PATCH", path).json(body)).await
    }

    /// `PUT`.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> Answer {
        Self::send(self.request("PUT", path).json(body)).await
    }

    /// Any method, without a body.
    pub async fn call(&self, method: &str, path: &str) -> Answer {
        Self::send(self.request(method, path)).await
    }

    /// A new conversation.
    pub async fn open(&self) -> ConversationId {
        self.post("/v1/conversations", &OpenIn::default()).await.ok::<Created>().id
    }

    /// A new conversation with somebody known.
    pub async fn open_with(&self, contact: &str) -> ConversationId {
        self.post("/v1/conversations", &json!({"contact": contact})).await.ok::<Created>().id
    }

    /// Says something.
    pub async fn say(&self, id: ConversationId, r#ref: &str, text: &str) -> Seq {
        self.try_say(id, r#ref, text).await.ok::<Said>().seq
    }

    /// Says something that may be refused.
    pub async fn try_say(&self, id: ConversationId, r#ref: &str, text: &str) -> Answer {
        self.post(&format!("/v1/conversations/{id}/messages"), &json!({"ref": r#ref, "text": text})).await
    }

    /// Says something and waits for the reply to it.
    pub async fn ask(&self, id: ConversationId, r#ref: &str, text: &str) -> Event {
        let seq = self.say(id, r#ref, text).await;
        self.reply(id, seq).await
    }

    /// Waits for the reply to a message.
    pub async fn reply(&self, id: ConversationId, asked: Seq) -> Event {
        let mut stream = self.stream(id, &asked.to_string()).await;
        stream.reply_to(asked).await
    }

    /// All events of a conversation, however many pages they fill.
    pub async fn whole_log(&self, id: ConversationId) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let path = format!("/v1/conversations/{id}/events?after={}&limit=500", events.len());
            let page: EventList = self.get(&path).await.ok();
            let is_last = page.events.is_empty();
            events.extend(page.events);
            if is_last || events.len() as u64 >= page.head {
                return events;
            }
        }
    }

    /// The first page of the log.
    pub async fn log(&self, id: ConversationId) -> EventList {
        self.get(&format!("/v1/conversations/{id}/events?limit=500")).await.ok()
    }

    /// How a conversation stands.
    pub async fn view(&self, id: ConversationId) -> ConversationView {
        self.get(&format!("/v1/conversations/{id}")).await.ok()
    }

    /// A human agent takes over or hands back.
    pub async fn human(&self, id: ConversationId, action: HumanAction, agent: &str) -> Answer {
        let body = HumanIn { action, agent: Some(agent.into()) };
        self.post(&format!("/v1/conversations/{id}/human"), &body).await
    }

    /// Stops the running reply; gives the turn that was stopped.
    pub async fn cancel(&self, id: ConversationId) -> Value {
        self.call("POST", &format!("/v1/conversations/{id}/cancel")).await.ok::<Value>()["turn"].clone()
    }

    /// Events and the running reply from a position on.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn stream(&self, id: ConversationId, after: &str) -> Stream {
        Stream::open(self.stream_request(id, &format!("?after={after}"))).await
    }

    /// A request for a stream, without a time limit, to be made up further.
    pub fn stream_request(&self, id: ConversationId, query: &str) -> RequestBuilder {
        let request = self.http.get(format!("http://{}/v1/conversations/{id}/stream{query}", self.address));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// The tenant's settings.
    pub async fn tenant(&self) -> TenantView {
        self.get("/v1/tenant").await.ok()
    }

    /// Changes the tenant's profile.
    pub async fn change_profile(&self, change: impl FnOnce(&mut Profile)) -> TenantView {
        let TenantView { version, mut profile, .. } = self.tenant().await;
        change(&mut profile);
        let changed = self.put("/v1/tenant", &TenantPut { version, profile }).await.ok();
        self.is_in_force().await;
        changed
    }

    /// Where another node has the conversations: waits until that one goes by the tenant's profile and plan as this one
    /// does.
    ///
    /// # Panics
    /// When it does not.
    pub async fn is_in_force(&self) {
        let Some(owner) = owners::owner_of(self.address) else { return };
        let (there, here) = (Self::new(owner, self.key.clone()), self.tenant().await);
        let wanted = (here.version, here.plan);
        let began = Instant::now();
        loop {
            let found = there.tenant().await;
            if (found.version, &found.plan) == (wanted.0, &wanted.1) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{found:?}, and not {wanted:?}");
            look_again().await;
        }
    }

    /// Teaches the tenant's assistant a document.
    pub async fn learn(&self, source: &str, text: &str) -> Value {
        self.post("/v1/knowledge", &json!({"source": source, "text": text})).await.ok()
    }

    /// Asks about one document, whatever its name has in it; `path` may ask for more.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn get_of(&self, path: &str, source: &str) -> Answer {
        let mut url = Url::parse(&format!("http://{}{path}", self.address)).expect("an address");
        url.query_pairs_mut().append_pair("source", source);
        let query = url.query().unwrap_or_default();
        self.get(&format!("{}?{query}", url.path())).await
    }

    /// A visitor's token.
    pub async fn visitor(&self, asked: Value) -> VisitorToken {
        let asked: VisitorIn = serde_json::from_value(asked).expect("a request for a token");
        self.post("/v1/visitors", &asked).await.ok()
    }

    /// As the operator: a new tenant. Gives a client with its key.
    pub async fn create_tenant(&self, name: &str) -> (KeyMade, Self) {
        let made: KeyMade = self.post("/v1/admin/tenants", &json!({"name": name})).await.ok();
        let tenant = self.showing(made.api_key.clone());
        (made, tenant)
    }

    /// One number of the node's metrics, by its name and labels; 0 while nothing has set it.
    ///
    /// # Panics
    /// When it is no number.
    pub async fn metric(&self, name: &str) -> f64 {
        let metrics = self.metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.trim().parse().expect("a number"))
    }

    /// The node's metrics.
    pub async fn metrics(&self) -> String {
        self.get("/metrics").await.body
    }
}
