//! The actors in this process, on a store, a search and a model of the test's own: for what cannot be
//! reached from outside, such as a store that answers late or a listener whose every frame is looked at.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a tool of tests")]

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use actors::{ConversationHandle, Failure, Options, System, SystemClock, TenantRecord, Worker};
use engine_conversation::{Command, Outcome, Speaker};
use engine_knowledge::{KnowledgeError, Query, Retriever};
use engine_model::{Model, ModelSettings, Registry};
use engine_store::{PageBounds, SharedStore};
use futures_util::future::BoxFuture;
use schema::{ContactId, ConversationKey, Event, Passage, Seq, TenantId, Timestamp};

use crate::stream::reply_of;
use crate::{PATIENCE, look_again};

/// One worker, on the thread of the test, and one tenant.
pub struct Bench {
    /// The worker.
    pub worker: Rc<Worker>,
    /// The tenant.
    pub tenant: TenantId,
}

/// Finds nothing.
pub struct NoPassages;

impl Retriever for NoPassages {
    fn search(&self, _: TenantId, _: Query, _: usize) -> BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl Bench {
    /// A tenant that is answered by `model`.
    pub async fn start(
        store: SharedStore,
        search: Arc<dyn Retriever>,
        model: Arc<dyn Model>,
        options: Options,
    ) -> Self {
        let settings = ModelSettings { list: vec!["builtin".into()], ..ModelSettings::default() };
        Self::with_models(store, search, Registry::unchecked(settings, Some(model)), options).await
    }

    /// A tenant that is answered by whichever model is listed.
    pub async fn with_models(
        store: SharedStore,
        search: Arc<dyn Retriever>,
        models: Registry,
        options: Options,
    ) -> Self {
        let tenant = TenantId::generate();
        TenantRecord::new(tenant, "shop", Timestamp::default()).save(&*store, 0).await.unwrap();
        let system = System::new(store, search, Arc::new(SystemClock), options);
        Self { worker: Worker::new(system, models), tenant }
    }

    /// A new conversation.
    pub async fn open(&self) -> ConversationKey {
        self.worker.open(self.tenant, ContactId::generate(), None).await.unwrap().0
    }

    /// A conversation's way in; it is awake from now on.
    pub async fn find(&self, key: ConversationKey) -> ConversationHandle {
        self.worker.find(key).await.unwrap()
    }

    /// The contact says something.
    ///
    /// # Errors
    /// The refusal.
    pub async fn say(&self, key: ConversationKey, r#ref: &str) -> Result<Outcome, Failure> {
        self.worker.submit(key, says(r#ref, "What is new?")).await
    }

    /// As a client does: again with the same ref, while it is told to.
    pub async fn say_until_taken(&self, key: ConversationKey, r#ref: &str) -> Seq {
        in_time(async {
            loop {
                match self.say(key, r#ref).await {
                    Ok(outcome) => return outcome.seq.unwrap(),
                    Err(failure) => assert!(failure.retry_after.is_some(), "{failure:?}"),
                }
                look_again().await;
            }
        })
        .await
    }

    /// All of a conversation's log.
    pub async fn log(&self, key: ConversationKey) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event.seq);
            let page = self.worker.system().store().read(key, after, PageBounds::FULL).await.unwrap();
            if page.events.is_empty() {
                return events;
            }
            events.extend(page.events);
        }
    }

    /// The reply that answers an event.
    pub async fn reply(&self, key: ConversationKey, asked: Seq) -> Event {
        in_time(async {
            loop {
                let log = self.log(key).await;
                if let Some(reply) =
                    log.into_iter().find(|event| reply_of(event).is_some_and(|reply| reply.answers >= asked))
                {
                    return reply;
                }
                look_again().await;
            }
        })
        .await
    }
}

/// What a contact's message is as a command.
#[must_use]
pub fn says(r#ref: &str, text: &str) -> Command {
    Command::Say { speaker: Speaker::Contact, r#ref: r#ref.parse().unwrap(), text: text.into() }
}

/// Waits as long as a test waits for anything.
pub async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}
