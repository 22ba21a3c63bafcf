//! One attempt at a turn: passages from the documents, the prompt, the model's stream, as reports
//! to the conversation. It is a stream that the conversation's actor polls itself: a token changes
//! neither task nor thread, and dropping the stream closes the connection to the model.
//! Invariant: it ends with exactly one `Ended`, even when something in it panics.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_conversation::{Progress, Transcript};
use engine_knowledge::{KnowledgeError, Query, Retriever};
use engine_model::{CoolDowns, Joined, Piece, Registry, ReplyStream, Setting, SharedModel, Signal, Talk};
use engine_store::StoreError;
use futures_util::{Stream, StreamExt};
use schema::{Author, Channel, ConversationKey, End, ErrorCode, Locale, Passage, Text, limits};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::failure::Failure;
use crate::spans;
use crate::tenant::Settings;

/// Longest wait for passages. A model that knows more than them replies without; who quotes them cannot.
const RETRIEVAL_MAX: Duration = Duration::from_secs(2);
/// When to ask again what could not be searched for.
const SEARCH_AGAIN: Duration = Duration::from_secs(2);
/// The model that says nothing but what the documents say.
const QUOTES_ONLY: &str = "builtin";
/// What of a question is searched for, in bytes.
const QUESTION_BYTES_MAX: usize = 2_000;

/// How long a turn that was told to stop waits for the command that says so.
const COMMAND_MAX: Duration = Duration::from_secs(1);

/// What replies are made with on one worker thread: its models, whose connections live on it, and what all
/// threads share. It lives as long as the thread.
pub(crate) struct Workshop {
    models: Registry,
    cool_downs: Arc<CoolDowns>,
    retriever: Arc<dyn Retriever>,
}

impl Workshop {
    pub(crate) const fn new(models: Registry, cool_downs: Arc<CoolDowns>, retriever: Arc<dyn Retriever>) -> Self {
        Self { models, cool_downs, retriever }
    }

    pub(crate) const fn models(&self) -> &Registry {
        &self.models
    }
}

/// What an attempt needs to know.
pub(crate) struct Job {
    pub(crate) key: ConversationKey,
    pub(crate) settings: Arc<Settings>,
    /// How the contact came.
    pub(crate) channel: Channel,
    /// In which language their page or app is, where it said so.
    pub(crate) locale: Option<Locale>,
    pub(crate) transcript: Transcript,
    /// Set when the tenant has no room for another reply.
    pub(crate) refused: Option<Failure>,
    /// Stops it from past the mailbox.
    pub(crate) token: CancellationToken,
    /// The turn's; entered while the stream is polled, and parent of each call of a model.
    pub(crate) span: Span,
}

/// A report with the moment it came.
pub(crate) struct Report {
    pub(crate) progress: Progress,
    pub(crate) at: Instant,
}

/// Runs an attempt.
pub(crate) fn pieces(workshop: &Rc<Workshop>, job: Job) -> impl Stream<Item = Report> + 'static {
    let (token, span) = (job.token.clone(), job.span.clone());
    let work = AssertUnwindSafe(run(Rc::clone(workshop), job)).catch_unwind();
    let work =
        work.map(|progress| progress.unwrap_or_else(|_| ended(End::Incomplete, Some(ErrorCode::Internal), None)));
    let work: Pin<Box<dyn Stream<Item = Progress>>> = Box::pin(work);
    async_stream::stream! {
        let mut work = work;
        loop {
            let progress = tokio::select! {
                biased;
                // Stop, from past the mailbox: the model is left at once. The command behind it ends the
                // turn, and can say which; only one that did not get in leaves that to us.
                () = token.cancelled() => {
                    work = Box::pin(futures_util::stream::empty());
                    tokio::time::sleep(COMMAND_MAX).await;
                    Some(ended(End::Cancelled, None, None))
                }
                progress = poll_fn(|context| span.in_scope(|| work.poll_next_unpin(context))) => progress,
            };
            let Some(progress) = progress else { break };
            let over = matches!(progress, Progress::Ended { .. });
            if over {
                drop(std::mem::replace(&mut work, Box::pin(futures_util::stream::empty())));
            }
            yield Report { progress, at: Instant::now() };
            if over {
                break;
            }
        }
    }
}

fn run(workshop: Rc<Workshop>, job: Job) -> impl Stream<Item = Progress> {
    async_stream::stream! {
        if let Some(failure) = job.refused {
            yield ended(End::Failed, Some(failure.code), failure.retry_after);
            return;
        }
        let key @ ConversationKey { tenant, conversation } = job.key;
        let mut models = candidates(&workshop.models, &job.settings, key);
        let passages = match retrieve(&*workshop.retriever, key, &job.transcript).await {
            Ok(passages) => passages,
            Err(failure) => {
                // It would take "not searched" for "not there", and tell the contact so.
                models.retain(|model| model.name() != QUOTES_ONLY);
                if models.is_empty() {
                    yield ended(End::Failed, Some(failure.code), failure.retry_after);
                    return;
                }
                Vec::new()
            }
        };
        let profile = &job.settings.profile;
        let setting = Setting {
            assistant: &profile.assistant,
            business: &profile.business,
            channel: job.channel,
            locale: job.locale.as_ref(),
        };
        let talk = Talk::new(setting, job.transcript, passages);
        let registry = &workshop.models;
        let prices: Vec<_> = models.iter().map(|model| (model.name().to_owned(), model.price())).collect();
        let failover = ReplyStream::new(models, talk, registry.timers(), Arc::clone(&workshop.cool_downs));
        let mut given = Vec::new();
        let mut pieces = Joined::new(failover);
        let mut attempt = Span::none();
        while let Some(piece) = poll_fn(|context| attempt.in_scope(|| pieces.poll_next_unpin(context))).await {
            match &piece {
                Piece::Asking { model, .. } => attempt = spans::attempt(key, model),
                Piece::FailedOver { error, .. } => {
                    attempt.record("code", error.code.name());
                }
                Piece::Ended(ended) => {
                    attempt.record("end", ended.end.name());
                    if let Some(error) = &ended.error {
                        attempt.record("code", error.code.name());
                    }
                }
                _ => {}
            }
            // As the prompt has them: later prompts repeat them, and must begin as this one does.
            if let Piece::Asking { prompt, .. } = &piece && prompt.passages != given {
                given.clone_from(&prompt.passages);
                yield Progress::Found(given.clone());
            }
            yield match piece {
                Piece::Asking { model, prompt } => {
                    let input_tokens = engine_model::estimate_prompt_tokens(&prompt);
                    let price = prices.iter().find(|(name, _)| *name == model).and_then(|(_, price)| *price);
                    Progress::Asking { model, price, input_tokens }
                }
                Piece::Text(text) => {
                    let tokens = engine_model::estimate_tokens(&text);
                    Progress::Text { text: Text::from(text), tokens }
                }
                Piece::Unsaid { bytes } => Progress::Unsaid { bytes },
                Piece::Signal(Signal::Unanswered) => Progress::Unanswered,
                Piece::Signal(Signal::HandoffRequested(reason)) => Progress::HandoffRequested(reason),
                Piece::Usage(usage) => Progress::Usage(usage),
                Piece::FailedOver { model, error } => {
                    tracing::info!(%conversation, %tenant, model, code = %error.code, detail = error.detail, "model passed over");
                    Progress::FailedOver(schema::Failover { model, error: error.code.name().to_owned() })
                }
                Piece::Ended(ended) => {
                    if let Some(error) = &ended.error {
                        let (model, code, detail) = (&ended.model, error.code, &error.detail);
                        tracing::warn!(%conversation, %tenant, model, %code, detail, "model failed");
                    }
                    Progress::Ended {
                        end: ended.end,
                        error: ended.error.as_ref().map(|error| error.code),
                        retry_after: ended.error.and_then(|error| error.retry_after),
                        spent: Some((ended.spent.usage, ended.spent.cost_microusd)),
                    }
                }
            };
        }
    }
}

fn candidates(registry: &Registry, settings: &Settings, key: ConversationKey) -> Vec<SharedModel> {
    let ConversationKey { tenant, conversation } = key;
    let plan = &settings.plan.plan;
    let usable = |names: Vec<&str>| -> Vec<SharedModel> {
        let models = names.into_iter().map(|name| registry.model(name));
        // It was usable when it was written down; the node's configuration has changed.
        let told = |error: &_| tracing::warn!(%conversation, %tenant, %error, "a model is left out");
        models.filter_map(|model| model.inspect_err(told).ok()).collect()
    };
    let mut models = usable(plan.models_of(&settings.profile.models, registry.list()));
    if models.is_empty() {
        models = usable(plan.models_of(&[], registry.list()));
    }
    if models.is_empty() {
        models = usable(vec![QUOTES_ONLY]);
    }
    models
}

/// What was asked before that a question may lean on.
const BEFORE_MAX: usize = 3;

/// Passages for the open question; none when nothing bears on it, and a failure when that is not known.
async fn retrieve(
    retriever: &dyn Retriever,
    ConversationKey { tenant, conversation }: ConversationKey,
    transcript: &Transcript,
) -> Result<Vec<Passage>, Failure> {
    let mut asked = transcript.exchanges().rev().filter(|exchange| !exchange.asked.is_empty());
    let words = |exchange: &engine_conversation::Exchange| {
        let lines = exchange.asked.iter().filter(|line| line.author == Author::Contact);
        lines.map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ")
    };
    let Some(question) = asked.next().map(words) else { return Ok(Vec::new()) };
    let bounded = |text: &str| text.chars().take(QUESTION_BYTES_MAX / 4).collect::<String>();
    let mut before: Vec<String> = asked.take(BEFORE_MAX).map(words).map(|said| bounded(&said)).collect();
    before.reverse();
    let query = Query { question: bounded(&question), before };
    let search = retriever.search(tenant, query, limits::PASSAGES_MAX);
    match tokio::time::timeout(RETRIEVAL_MAX, search).await {
        Ok(found) => found.map_err(|error| {
            tracing::warn!(%conversation, %tenant, %error, "passages could not be searched");
            not_searched(&error)
        }),
        Err(_) => {
            tracing::warn!(%conversation, %tenant, "searching passages took too long");
            Err(not_searched(&KnowledgeError::Busy))
        }
    }
}

fn not_searched(error: &KnowledgeError) -> Failure {
    let later = |code| Failure::later(code, "the documents cannot be searched just now; ask again", SEARCH_AGAIN);
    match error {
        KnowledgeError::Store(error @ (StoreError::Busy | StoreError::Corrupt(_) | StoreError::Unavailable(_))) => {
            Failure::store(error)
        }
        KnowledgeError::Busy => later(ErrorCode::Busy),
        // An index that failed is built again when it is next asked.
        _ => later(ErrorCode::StoreUnavailable),
    }
}

fn ended(end: End, error: Option<ErrorCode>, retry_after: Option<Duration>) -> Progress {
    Progress::Ended { end, error, retry_after, spent: None }
}
