//! The tenant's actor changes the settings, one change at a time; everyone else reads them without
//! asking it. It is not on the token path, and its crash leaves conversations running.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use engine::store::{SharedStore, StoreError};
use schema::wire::TenantView;
use schema::{ErrorCode, Profile, TenantId, Usage, limits};
use tokio::sync::oneshot;

use super::budget::Budget;
use super::record::{self, TenantRecord};
use crate::admission::Share;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::runtime::{Actor, Bounds, Message, Scope, SendFailure, Sender, spawn};

/// Changes of settings that may wait.
const MAILBOX: Bounds = Bounds { messages: 32, bytes: limits::MAILBOX_BYTES_MAX };

/// A tenant as this node knows it. Shared by its conversations and sessions.
pub struct Tenant {
    id: TenantId,
    settings: RwLock<Arc<Settings>>,
    running_turns: Arc<AtomicU32>,
    sessions: Arc<AtomicU32>,
    share: Share,
    budget: Mutex<Budget>,
    clock: Arc<dyn Clock>,
    sender: Mutex<Option<Sender<TenantMail>>>,
    store: SharedStore,
}

/// A tenant's settings at one version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) record: TenantRecord,
    pub(crate) version: u64,
    pub(crate) profile: Profile,
}

/// What a tenant has used today, for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantUsage {
    /// Tokens read and written.
    pub tokens: u64,
    /// Replies.
    pub turns: u64,
    /// Millionths of a US dollar.
    pub cost_microusd: u64,
    /// Replies in progress.
    pub running_turns: u32,
    /// Open sockets and streams.
    pub sessions: u32,
}

impl Tenant {
    pub(super) async fn load(
        store: &SharedStore,
        clock: &Arc<dyn Clock>,
        id: TenantId,
    ) -> Result<Arc<Self>, StoreError> {
        let (record, version, profile) = record::load(&**store, id).await?;
        Ok(Arc::new(Self {
            id,
            settings: RwLock::new(Arc::new(Settings { record, version, profile })),
            running_turns: Arc::default(),
            sessions: Arc::default(),
            share: Share::default(),
            budget: Mutex::default(),
            clock: Arc::clone(clock),
            sender: Mutex::default(),
            store: Arc::clone(store),
        }))
    }

    /// Which tenant.
    #[must_use]
    pub const fn id(&self) -> TenantId {
        self.id
    }

    /// Its part of the work in progress.
    pub(crate) const fn share(&self) -> &Share {
        &self.share
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The profile in force.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.settings().profile.clone()
    }

    /// Whether the tenant's keys and tokens are refused.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.settings().record.disabled
    }

    /// Requests and frames a second, over all callers.
    #[must_use]
    pub fn requests_per_second(&self) -> NonZeroU32 {
        self.settings().profile.quotas.requests_per_second
    }

    /// Whether pages of this origin may talk to the tenant.
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.settings().profile.allowed_origins.iter().any(|allowed| allowed.as_str() == origin)
    }

    /// The tenant as its owner sees it.
    #[must_use]
    pub fn view(&self) -> TenantView {
        let settings = self.settings();
        TenantView {
            id: self.id,
            name: settings.record.name.clone(),
            version: settings.version,
            disabled: settings.record.disabled,
            profile: settings.profile.clone(),
        }
    }

    /// Replaces the profile if it is still at `version`.
    ///
    /// # Errors
    /// `version_conflict` when it is not; `bad_field` when the profile breaks a rule.
    pub async fn put_profile(self: &Arc<Self>, version: u64, profile: Profile) -> Result<TenantView, Failure> {
        profile.check().map_err(|error| Failure::new(ErrorCode::BadField, error.to_string()))?;
        self.ask(|reply| TenantMail::Put { version, profile: Box::new(profile), reply }).await?;
        Ok(self.view())
    }

    /// Reads record and profile again; running conversations go by them from their next turn on.
    ///
    /// # Errors
    /// Why the store could not be read.
    pub async fn reload(self: &Arc<Self>) -> Result<(), Failure> {
        self.ask(|reply| TenantMail::Reload { reply }).await
    }

    /// What the tenant has used today.
    #[must_use]
    pub fn usage(&self) -> TenantUsage {
        let budget = *self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        TenantUsage {
            tokens: budget.tokens,
            turns: budget.turns,
            cost_microusd: budget.cost_microusd,
            running_turns: self.running_turns.load(Ordering::Relaxed),
            sessions: self.sessions.load(Ordering::Relaxed),
        }
    }

    /// Room for one more socket or stream, for as long as the permit is held.
    ///
    /// # Errors
    /// `quota_exhausted`.
    pub fn begin_session(&self) -> Result<SessionPermit, Failure> {
        let max = self.settings().profile.quotas.sessions.get();
        count_up(&self.sessions, max).map(SessionPermit).ok_or_else(|| {
            let message = "the tenant has as many sockets and streams open as its profile allows";
            Failure::later(ErrorCode::QuotaExhausted, message, Duration::from_secs(5))
        })
    }

    /// Room for one more reply.
    pub(crate) fn begin_turn(&self) -> Result<TurnPermit, Failure> {
        let settings = self.settings();
        let quotas = &settings.profile.quotas;
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(seconds) = budget.allows(quotas.tokens_per_day, self.clock.now()) {
            let message = "the tenant's tokens for today are used up";
            return Err(Failure::later(ErrorCode::QuotaExhausted, message, Duration::from_secs(seconds)));
        }
        count_up(&self.running_turns, quotas.running_turns.get()).map(|count| TurnPermit { _count: count }).ok_or_else(
            || {
                let message = "the tenant has as many replies running as its profile allows";
                Failure::later(ErrorCode::QuotaExhausted, message, Duration::from_secs(1))
            },
        )
    }

    pub(crate) fn spent(&self, usage: &Usage, cost_microusd: Option<u64>) {
        let now = self.clock.now();
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).spend(usage, cost_microusd, now);
    }

    async fn ask(
        self: &Arc<Self>,
        mail: impl FnOnce(oneshot::Sender<Result<(), Failure>>) -> TenantMail,
    ) -> Result<(), Failure> {
        let (reply, answer) = oneshot::channel();
        match self.sender().try_send(mail(reply)) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(Failure::restarting())),
            Err(SendFailure::Full(_)) => Err(Failure::busy()),
            Err(SendFailure::Closed(_)) => Err(Failure::restarting()),
        }
    }

    /// The actor's address; an actor that crashed is started anew, on the thread of whoever asks.
    fn sender(self: &Arc<Self>) -> Sender<TenantMail> {
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        match &*sender {
            Some(sender) if sender.is_open() => sender.clone(),
            _ => {
                let started = spawn(MAILBOX, |_| TenantActor { tenant: Arc::clone(self) });
                *sender = Some(started.clone());
                started
            }
        }
    }

    fn set(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Settings::clone(&settings);
        change(&mut next);
        *settings = Arc::new(next);
    }
}

/// Counts a running reply for as long as it is held.
pub(crate) struct TurnPermit {
    _count: Count,
}

/// Counts an open session for as long as it is held.
pub struct SessionPermit(#[allow(dead_code, reason = "held for its drop")] Count);

struct Count(Arc<AtomicU32>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn count_up(counter: &Arc<AtomicU32>, max: u32) -> Option<Count> {
    let count = Count(Arc::clone(counter));
    // Counted first, so that two at the last place cannot both get it; dropping it takes it back.
    (counter.fetch_add(1, Ordering::Relaxed) < max).then_some(count)
}

enum TenantMail {
    Put { version: u64, profile: Box<Profile>, reply: oneshot::Sender<Result<(), Failure>> },
    Reload { reply: oneshot::Sender<Result<(), Failure>> },
    Done,
}

impl Message for TenantMail {
    fn bytes(&self) -> usize {
        match self {
            // What a profile that was checked may be at the most.
            Self::Put { .. } => limits::PROFILE_BYTES_MAX,
            Self::Reload { .. } | Self::Done => 0,
        }
    }
}

/// Serialises changes of the settings.
struct TenantActor {
    tenant: Arc<Tenant>,
}

impl Actor for TenantActor {
    type Message = TenantMail;
    const KIND: &'static str = "tenant";

    fn handle(&mut self, mail: TenantMail, scope: &mut Scope<'_, Self>) {
        let tenant = Arc::clone(&self.tenant);
        match mail {
            TenantMail::Put { version, profile, reply } => scope.first(async move {
                // The one who asked may have gone; the change stands all the same.
                let _ = reply.send(put(&tenant, version, *profile).await);
                TenantMail::Done
            }),
            TenantMail::Reload { reply } => scope.first(async move {
                let _ = reply.send(reload(&tenant).await);
                TenantMail::Done
            }),
            TenantMail::Done => {}
        }
    }

    fn crashed(self) {
        tracing::error!(tenant = %self.tenant.id, "tenant actor crashed; the next change starts a new one");
    }
}

async fn put(tenant: &Tenant, version: u64, profile: Profile) -> Result<(), Failure> {
    let body = serde_json::to_vec(&profile)
        .map_err(|_| Failure::new(ErrorCode::Internal, "the profile could not be written"))?;
    let name = TenantRecord::profile_name(tenant.id);
    let stored = match tenant.store.put(name, version, body).await {
        Ok(stored) => stored,
        Err(error) => {
            // What is known here may be behind: a crash came between a change and its being known.
            if let Err(failure) = reload(tenant).await {
                tracing::warn!(tenant = %tenant.id, code = %failure.code, "profile could not be read again");
            }
            return Err(Failure::store(&error));
        }
    };
    tenant.set(|settings| {
        settings.version = stored;
        settings.profile = profile;
    });
    Ok(())
}

async fn reload(tenant: &Tenant) -> Result<(), Failure> {
    let loaded = record::load(&*tenant.store, tenant.id).await;
    let (record, version, profile) = loaded.map_err(|error| Failure::store(&error))?;
    tenant.set(|settings| *settings = Settings { record, version, profile });
    Ok(())
}
