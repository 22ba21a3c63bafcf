//! A turn whose documents could not be searched: nobody is told that they say nothing.

use std::future;
use std::sync::Arc;

use actors::Options;
use engine_knowledge::{Builtin, KnowledgeError, Query, Retriever};
use engine_model::{ModelSettings, ProviderSettings, Registry};
use engine_store::StoreError;
use engine_store::memory::MemoryStore;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schema::{End, Passage, TenantId};
use tests::bench::{Bench, NoPassages, says};
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;

/// How a search goes wrong.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Late,
    Crowded,
    Index,
    Disk,
}

impl Retriever for Broken {
    fn search(&self, _: TenantId, _: Query, _: usize) -> BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>> {
        let error = match self {
            Self::Late => return future::pending().boxed(),
            Self::Crowded => KnowledgeError::Busy,
            Self::Index => KnowledgeError::Index("it is damaged".into()),
            Self::Disk => StoreError::Unavailable("no disk".into()).into(),
        };
        future::ready(Err(error)).boxed()
    }
}

/// A tenant that is answered by these models in turn.
async fn answered_by(search: Arc<dyn Retriever>, models: &[&str], stub: Option<&Stub>) -> Bench {
    let mut settings =
        ModelSettings { list: models.iter().map(|&name| name.into()).collect(), ..ModelSettings::default() };
    if let Some(stub) = stub {
        settings.openai = ProviderSettings { base: Some(stub.base()), ..ProviderSettings::default() };
    }
    let models = Registry::unchecked(settings, Some(Arc::new(Builtin)));
    Bench::with_models(Arc::new(MemoryStore::default()), search, models, Options::default()).await
}

#[actix_web::test]
async fn who_can_only_quote_fails_and_says_when_to_ask_again() {
    for (search, error) in [
        (Broken::Late, "busy"),
        (Broken::Crowded, "busy"),
        (Broken::Index, "store_unavailable"),
        (Broken::Disk, "store_unavailable"),
    ] {
        let bench = answered_by(Arc::new(search), &["builtin"], None).await;
        let id = bench.open().await;
        let asked = bench.say(id, "r1").await.unwrap().seq.unwrap();
        let event = bench.reply(id, asked).await;
        let reply = reply_of(&event).unwrap();
        assert_eq!((reply.end, reply.made.error.as_deref()), (End::Failed, Some(error)), "{search:?}");
        assert!(reply.made.retry_after.is_some() && !reply.made.unanswered, "{search:?}");
        assert_eq!(text_of(&event), "", "{search:?}");
    }
}

#[actix_web::test]
async fn who_finds_nothing_says_so() {
    let bench = answered_by(Arc::new(NoPassages), &["builtin"], None).await;
    let id = bench.open().await;
    let question = says("r1", "How much is a lantern?");
    let asked = bench.worker.submit(id, question).await.unwrap().seq.unwrap();
    let event = bench.reply(id, asked).await;
    let reply = reply_of(&event).unwrap();
    assert_eq!((reply.end, reply.made.unanswered), (End::Completed, true), "{}", text_of(&event));
}

#[actix_web::test]
async fn a_model_of_its_own_words_replies_and_is_not_followed_by_one_that_quotes() {
    for (refused, end) in [(false, End::Completed), (true, End::Failed)] {
        let mut stub = Stub::start();
        let bench = answered_by(Arc::new(Broken::Crowded), &["openai/stub", "builtin"], Some(&stub)).await;
        let id = bench.open().await;
        let asked = bench.say(id, "r1").await.unwrap().seq.unwrap();
        let call = stub.call().await;
        if refused {
            call.refuse(401);
        } else {
            call.token("Good day.");
            call.finish();
        }
        let event = bench.reply(id, asked).await;
        let reply = reply_of(&event).unwrap();
        assert_eq!((reply.end, reply.made.unanswered), (end, false), "{}", text_of(&event));
        assert_eq!(text_of(&event), if refused { "" } else { "Good day." });
    }
}
