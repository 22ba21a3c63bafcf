//! The tenant's actor changes the settings, one change at a time; everyone else reads them without
//! asking it. It is not on the token path, and its crash leaves conversations running.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use engine_store::{SharedStore, StoreError};
use schema::wire::{PlanView, TenantView};
use schema::{ContactId, ErrorCode, Neighbour, Profile, Quotas, TenantId, Usage, limits};
use tokio::sync::{broadcast, oneshot};

use super::count::{Count, Others, SessionPermit, TurnPermit};
use super::record::{self, ProfileRecord, TenantRecord};
use super::told::Told;
use super::usage::Use;
use super::visitors::{Taken, Wait};
use crate::admission::Share;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::hasten;
use crate::metrics::VISITORS_REFUSED;
use crate::runtime::{Actor, Bounds, Execution, Message, SendFailure, Sender, spawn};

/// Changes of settings that may wait.
const MAILBOX: Bounds = Bounds { messages: 32, bytes: limits::MAILBOX_BYTES_MAX };

/// A tenant as this node knows it. Shared by its conversations and sessions.
pub struct Tenant {
    id: TenantId,
    settings: RwLock<Arc<Settings>>,
    running_turns: Arc<AtomicU32>,
    sessions: Arc<AtomicU32>,
    others: Others,
    share: Share,
    used: Use,
    clock: Arc<dyn Clock>,
    changes: broadcast::Sender<TenantId>,
    sender: Mutex<Option<Sender<TenantMail>>>,
    store: SharedStore,
    told: Arc<Told>,
}

/// A tenant's settings at one version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) record: TenantRecord,
    pub(crate) version: u64,
    pub(crate) profile: Profile,
    pub(crate) plan: PlanView,
}

impl Settings {
    /// What holds of the profile's quotas.
    fn quotas(&self) -> Quotas {
        self.plan.plan.quotas_of(&self.profile.quotas)
    }
}

/// What a tenant has used today, for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantUsage {
    /// Tokens read and written.
    pub tokens: u64,
    /// Replies that have ended.
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
        changes: &broadcast::Sender<TenantId>,
        told: &Arc<Told>,
        id: TenantId,
    ) -> Result<Arc<Self>, StoreError> {
        let (record, version, profile, plan) = record::load(&**store, id).await?;
        let used = Use::load(&**store, id).await?;
        Ok(Arc::new(Self {
            id,
            settings: RwLock::new(Arc::new(Settings { record, version, profile, plan })),
            running_turns: Arc::default(),
            sessions: Arc::default(),
            others: Others::default(),
            share: Share::default(),
            used,
            clock: Arc::clone(clock),
            changes: changes.clone(),
            sender: Mutex::default(),
            store: Arc::clone(store),
            told: Arc::clone(told),
        }))
    }

    /// The tenant's id.
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
        self.settings().quotas().requests_per_second
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
            plan: settings.plan.clone(),
            public_url: None,
        }
    }

    /// Replaces the profile if it is still at `version`. `models` is the node's own list.
    ///
    /// # Errors
    /// `version_conflict` when it is not; `bad_field` when the profile breaks a rule or leaves the tenant's
    /// plan; `too_large` when it has more than [`limits::PROFILE_BYTES_MAX`] bytes of JSON.
    pub async fn put_profile(
        self: &Arc<Self>,
        version: u64,
        profile: Profile,
        models: &[String],
    ) -> Result<TenantView, Failure> {
        profile.check().map_err(|error| Failure::new(ErrorCode::BadField, error.to_string()))?;
        let settings = self.settings();
        let within = settings.plan.plan.allows_change(&settings.profile, &profile, models);
        within.map_err(|error| Failure::new(ErrorCode::BadField, error.to_string()))?;
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

    /// The same where another node may have changed them, and nothing where it has not.
    ///
    /// # Errors
    /// As [`Tenant::reload`].
    pub async fn refresh(self: &Arc<Self>) -> Result<(), Failure> {
        let loaded = record::load(&*self.store, self.id).await;
        let (record, version, profile, plan) = loaded.map_err(|error| Failure::store(&error))?;
        let is_same = *self.settings() == Settings { record, version, profile, plan };
        if is_same { Ok(()) } else { self.reload().await }
    }

    /// What the tenant has used today.
    #[must_use]
    pub fn usage(&self) -> TenantUsage {
        let budget = self.used.lock().budget.on(self.clock.now());
        TenantUsage {
            tokens: budget.tokens,
            turns: budget.turns,
            cost_microusd: budget.cost_microusd,
            running_turns: self.running_turns.load(Ordering::Relaxed),
            sessions: self.sessions.load(Ordering::Relaxed),
        }
    }

    /// So many replies run, and so many sockets and streams are open, at other nodes, as far as is known: the quotas are
    /// those of all nodes together.
    pub fn others_hold(&self, running_turns: u32, sessions: u32) {
        self.others.hold(running_turns, sessions);
    }

    /// Whether somebody has asked for room for a reply, a socket or a stream since this was called before.
    pub fn was_asked(&self) -> bool {
        self.others.was_asked()
    }

    /// Room for one more socket or stream, for as long as the permit is held.
    ///
    /// # Errors
    /// `quota_exhausted`.
    pub fn begin_session(&self) -> Result<SessionPermit, Failure> {
        let max = self.settings().quotas().sessions.get();
        self.others.ask();
        Count::up(&self.sessions, self.others.leave_sessions(max)).map(SessionPermit).ok_or_else(|| {
            let message = "the tenant has as many sockets and streams open as it may";
            Failure::later(ErrorCode::QuotaExhausted, message, Duration::from_secs(5))
        })
    }

    /// Room for one more reply to a contact.
    pub(crate) fn begin_turn(&self, contact: Option<ContactId>) -> Result<TurnPermit, Failure> {
        let settings = self.settings();
        let quotas = settings.quotas();
        self.others.ask();
        let mut used = self.used.lock();
        if let Err(wait) = used.budget.allows(quotas.tokens_per_day, self.clock.now()) {
            let message = "the tenant's tokens for today are used up";
            return Err(Failure::later(ErrorCode::QuotaExhausted, message, wait));
        }
        let running = contact.and_then(|contact| used.visitors.running(contact, &settings.plan.plan.visitors));
        let visitors = match running {
            Some((running, max)) => match Count::up(&running, max.get()) {
                Some(count) => Some(count),
                None => return Err(failure(Wait::Replies(Duration::from_secs(2)))),
            },
            None => None,
        };
        match Count::up(&self.running_turns, self.others.leave_turns(quotas.running_turns.get())) {
            Some(tenants) => Ok(TurnPermit { _tenants: tenants, _visitors: visitors }),
            None => {
                let message = "the tenant has as many replies running as it may";
                Err(Failure::later(ErrorCode::QuotaExhausted, message, Duration::from_secs(1)))
            }
        }
    }

    pub(crate) fn spent(&self, usage: &Usage, cost_microusd: Option<u64>) {
        let mut used = self.used.lock();
        used.budget.spend(usage, cost_microusd, self.clock.now());
        used.unkept = true;
    }

    /// So many bytes were stored for a contact that it did not send itself. They count if it is a visitor.
    pub(crate) fn stored(&self, contact: Option<ContactId>, bytes: usize) {
        let Some(contact) = contact else { return };
        let mut used = self.used.lock();
        used.unkept |= used.visitors.stored(contact, bytes as u64, self.clock.now());
    }

    /// Somebody new comes of whom no server of the tenant has told.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn visitor_comes(&self) -> Result<(), Failure> {
        let settings = self.settings();
        self.used.lock().visitors.comes(&settings.plan.plan.visitors, self.clock.now()).map_err(failure)
    }

    pub(super) fn visitor_opens(&self, contact: ContactId, from: Option<Neighbour>) -> Result<Taken, Failure> {
        let settings = self.settings();
        let mut used = self.used.lock();
        let budget = &settings.plan.plan.visitors;
        let taken = used.visitors.opens(contact, from, budget, self.clock.now()).map_err(failure)?;
        used.unkept = true;
        Ok(taken)
    }

    pub(super) fn visitor_says(
        &self,
        contact: ContactId,
        from: Option<Neighbour>,
        bytes: usize,
    ) -> Result<Taken, Failure> {
        let settings = self.settings();
        let mut used = self.used.lock();
        let budget = &settings.plan.plan.visitors;
        let taken = used.visitors.says(contact, from, bytes as u64, budget, self.clock.now()).map_err(failure)?;
        used.unkept = true;
        Ok(taken)
    }

    /// A visitor says something at another node: its reply runs here.
    ///
    /// # Errors
    /// As [`Self::visitor_says`], where so many of its replies run already.
    pub(crate) fn visitor_says_elsewhere(&self, contact: ContactId) -> Result<(), Failure> {
        let settings = self.settings();
        let mut used = self.used.lock();
        used.visitors.says_elsewhere(contact, &settings.plan.plan.visitors, self.clock.now()).map_err(failure)
    }

    /// Nothing came of what a visitor meant to do.
    pub(super) fn visitor_gets_back(&self, contact: ContactId, from: Option<Neighbour>, taken: Taken) {
        let settings = self.settings();
        let mut used = self.used.lock();
        used.visitors.give_back(contact, from, taken, &settings.plan.plan.visitors, self.clock.now());
        used.unkept = true;
    }

    /// Writes down what was used since the last time.
    pub(crate) async fn keep_usage(&self) -> Result<(), StoreError> {
        self.used.keep(&*self.store, self.id, self.clock.now()).await
    }

    /// Takes a plan that was told if it is this tenant's, and newer than the one that it has.
    pub(super) fn hear(&self, plan: &PlanView) {
        let is_newer = |known: &PlanView| known.name == plan.name && known.version < plan.version;
        if is_newer(&self.settings().plan) {
            self.set(|settings| {
                if is_newer(&settings.plan) {
                    settings.plan = plan.clone();
                }
            });
        }
    }

    /// Whoever has just read settings has them from before a plan was told, perhaps.
    pub(super) fn catch_up(&self) {
        if let Some(plan) = self.told.newest(&self.settings().plan.name) {
            self.hear(&plan);
        }
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
        {
            let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
            let mut next = Settings::clone(&settings);
            change(&mut next);
            *settings = Arc::new(next);
        }
        // Nobody may be listening.
        let _ = self.changes.send(self.id);
    }
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

    fn handle(&mut self, mail: TenantMail, execution: &mut Execution<'_, Self>) {
        let tenant = Arc::clone(&self.tenant);
        match mail {
            TenantMail::Put { version, profile, reply } => execution.first(async move {
                // The one who asked may have gone; the change stands all the same.
                let _ = reply.send(put(&tenant, version, *profile).await);
                TenantMail::Done
            }),
            TenantMail::Reload { reply } => execution.first(async move {
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

fn failure(wait: Wait) -> Failure {
    use ErrorCode::{QuotaExhausted, RateLimited};
    let (code, message, wait) = match wait {
        Wait::Messages(wait) => (RateLimited, "this visitor sends more messages than a visitor may", wait),
        Wait::Conversations(wait) => (RateLimited, "this visitor opens more conversations than a visitor may", wait),
        Wait::New(wait) => (RateLimited, "too many new visitors at once", wait),
        Wait::Replies(wait) => (QuotaExhausted, "this visitor has as many replies running as a visitor may", wait),
        Wait::Bytes(wait) => (QuotaExhausted, "this visitor's bytes of today are used up", wait),
        Wait::NeighbourBytes(wait) => {
            (QuotaExhausted, "the bytes of today for visitors from this address are used up", wait)
        }
        Wait::AllBytes(wait) => (QuotaExhausted, "the bytes of today for all visitors are used up", wait),
    };
    metrics::counter!(VISITORS_REFUSED, "why" => code.name()).increment(1);
    Failure::later(code, message, wait)
}

async fn put(tenant: &Tenant, version: u64, profile: Profile) -> Result<(), Failure> {
    let body = serde_json::to_vec(&profile)
        .map_err(|_| Failure::new(ErrorCode::Internal, "the profile could not be written"))?;
    if body.len() > limits::PROFILE_BYTES_MAX {
        let message = format!("a profile has at most {} bytes of JSON", limits::PROFILE_BYTES_MAX);
        return Err(Failure::new(ErrorCode::TooLarge, message));
    }
    let old = tenant.settings();
    if hasten::is_sooner(&profile.floor, &old.profile.floor) {
        let intended = hasten::intend(&tenant.store, tenant.id, &old.profile.floor).await;
        intended.map_err(|error| Failure::store(&error))?;
    }
    let name = ProfileRecord::record_name(tenant.id);
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
    let (record, version, profile, plan) = loaded.map_err(|error| Failure::store(&error))?;
    let old = tenant.settings();
    if hasten::is_sooner(&profile.floor, &old.profile.floor) {
        let intended = hasten::intend(&tenant.store, tenant.id, &old.profile.floor).await;
        intended.map_err(|error| Failure::store(&error))?;
    }
    tenant.set(|settings| *settings = Settings { record, version, profile, plan });
    tenant.catch_up();
    Ok(())
}
