//! The door: turns what somebody shows into a [`Principal`].

use std::sync::Arc;

use actors::{Contacts, Meant, TenantRecord};
use schema::{TenantId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::error::AuthError;
use super::keys::ApiKeys;
use super::logouts::{Issued, Logouts, Whom};
use super::principal::{Agent, Holder, Principal};
use super::standing::admits;
use super::token::{TokenError, Tokens, is_token};

/// Checks keys and tokens.
///
/// One for the node. A credential becomes a [`Principal`] once, and is not kept; who stays connected is asked about
/// again with [`Authority::holds`], by what the tenant's record says then. It is safe in this order: a session enters
/// the presence, then its right is checked for the last time, and every change of rights looks at all that are
/// present. What the store cannot say is an error, never a yes.
pub struct Authority {
    keys: Arc<ApiKeys>,
    tokens: Tokens,
    logouts: Logouts,
    contacts: Arc<Contacts>,
    operators_key: SecretString,
}

impl Authority {
    /// Checks against these.
    #[must_use]
    pub const fn new(
        keys: Arc<ApiKeys>,
        tokens: Tokens,
        logouts: Logouts,
        contacts: Arc<Contacts>,
        operators_key: SecretString,
    ) -> Self {
        Self { keys, tokens, logouts, contacts, operators_key }
    }

    /// Who shows this key or token. What they open meanwhile is to be told when that ends: see
    /// [`Self::holds`].
    ///
    /// # Errors
    /// What is wrong with it, or what the store says.
    pub async fn principal(&self, credential: &str, now: Timestamp) -> Result<Principal, AuthError> {
        if bool::from(self.operators_key.expose_secret().as_bytes().ct_eq(credential.as_bytes())) {
            return Ok(Principal::Operator);
        }
        if !is_token(credential) {
            return Ok(Principal::Holder(self.keys.check(credential, now).await?));
        }
        let holder = match self.tokens.open(credential, now) {
            Err(TokenError::Invalid) => self.tokens.open_agent(credential, now)?,
            shown => {
                let shown = shown?;
                // A name that nobody has any longer is one whose contact was erased.
                let whom = self.contacts.meant(shown.tenant, &shown.contact).await?.ok_or(AuthError::LoggedOut)?;
                shown.holder(whom)
            }
        };
        self.holds(&holder, now).await?;
        Ok(Principal::Holder(holder))
    }

    /// Whether somebody who was let in may stay, whatever has changed since; a token's own end is not
    /// asked for.
    ///
    /// # Errors
    /// Why not, or what the store says.
    pub async fn holds(&self, principal: &Holder, now: Timestamp) -> Result<(), AuthError> {
        let body = self.standing(principal.tenant, now).await?.ok_or(AuthError::Unauthorized)?;
        admits(&body, &principal.kind)?;
        if let Some(Agent { name, made, .. }) = principal.agent() {
            return self.logouts.check(principal.tenant, Whom::Agent(name.clone()), *made, now).await;
        }
        let Some(visitor) = principal.visitor() else { return Ok(()) };
        self.in_force(principal.tenant, visitor.whom(), visitor.made, now).await?;
        // Merges, and their ends, tell all who are present; whoever came in after that looks here.
        let standing = self.contacts.standing(principal.tenant, visitor.sealed_for).await?;
        if standing.id == visitor.contact { Ok(()) } else { Err(AuthError::Changed) }
    }

    /// One that was merged into another may have been logged out before that, and the other one, too.
    async fn in_force(&self, tenant: TenantId, whom: Meant, made: Issued, now: Timestamp) -> Result<(), AuthError> {
        self.logouts.check(tenant, Whom::Contact(whom.own), made, now).await?;
        if whom.id == whom.own { Ok(()) } else { self.logouts.check(tenant, Whom::Contact(whom.id), made, now).await }
    }

    /// How a tenant stands, for many of its sessions at once; none when it is gone.
    ///
    /// # Errors
    /// What the store says.
    pub async fn standing(&self, tenant: TenantId, now: Timestamp) -> Result<Option<Arc<TenantRecord>>, AuthError> {
        Ok(self.keys.tenant(tenant, now).await?)
    }

    /// The contact of `tenant` who shows the secret by which a visitor is known again, if it still holds.
    ///
    /// # Errors
    /// What the store says.
    pub async fn returning(&self, tenant: TenantId, secret: &str, now: Timestamp) -> Result<Option<Meant>, AuthError> {
        let Some((name, made)) = self.tokens.recognise(tenant, secret, now) else { return Ok(None) };
        let Some(whom) = self.contacts.meant(tenant, &name).await? else { return Ok(None) };
        match self.in_force(tenant, whom, made, now).await {
            Ok(()) => Ok(Some(whom)),
            Err(AuthError::LoggedOut) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Logs visitors and agents out, and says how many were before what is made.
    #[must_use]
    pub const fn logouts(&self) -> &Logouts {
        &self.logouts
    }

    /// Seals visitors' and agents' tokens.
    #[must_use]
    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }
}

/// What stands behind `Bearer` in an `Authorization` header.
#[must_use]
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, credential) = header.split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actors::Generation;
    use engine_store::memory::MemoryStore;
    use engine_store::{Records, Scope};
    use schema::wire::SplitIn;
    use schema::{ChangedBy, ContactId};
    use secrecy::SecretBox;

    use super::super::testing::{MemoryRecords, NOW, tenants, tenants_on};
    use super::super::token::sealed_for_a_name;
    use super::super::{Action, Kind, MadeBy, Tenants, Visitor};
    use super::*;

    #[test]
    fn a_bearer_is_read_as_the_standard_says() {
        for (header, credential) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER  abc ", Some("abc")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic abc", None),
            ("abc", None),
        ] {
            assert_eq!(bearer(header), credential, "{header}");
        }
    }

    fn authority(keys: Arc<ApiKeys>, records: Arc<MemoryRecords>) -> Authority {
        let contacts = Contacts::new(records.clone(), Arc::new(actors::SystemClock));
        authority_with(keys, records, Arc::new(contacts))
    }

    fn authority_with(keys: Arc<ApiKeys>, records: Arc<MemoryRecords>, contacts: Arc<Contacts>) -> Authority {
        let tokens = Tokens::new(&SecretBox::new(Box::new([3; 32])), Duration::from_secs(3600)).unwrap();
        Authority::new(keys, tokens, Logouts::new(records), contacts, "operator".into())
    }

    #[tokio::test]
    async fn a_token_ends_with_the_generation_of_keys_that_made_it() {
        let records = Arc::<MemoryRecords>::default();
        let dir = tempfile::tempdir().unwrap();
        let (tenants, keys) = tenants_on(&records, &dir);
        let (tenant, key) = tenants.create("acme", NOW).await.unwrap();
        let authority = authority(keys, records);
        let anybody = ContactId::generate();
        let made = |by| Visitor {
            contact: anybody,
            sealed_for: anybody,
            conversation: None,
            origin: None,
            expires_at: NOW.plus(Duration::from_secs(60)),
            since: NOW,
            made: Issued::At(NOW),
            by,
        };
        let seal = |by| authority.tokens().seal(tenant.id, made(by), NOW).unwrap().0;
        let holder = authority.principal(key.expose_secret(), NOW).await.unwrap().holder().unwrap();
        let Kind::ApiKey { generation, .. } = holder.kind else { panic!("an API key") };
        let zoe = Agent {
            name: "Zoe".into(),
            origin: None,
            expires_at: NOW.plus(Duration::from_secs(60)),
            generation,
            made: Issued::At(NOW),
        };
        let (agents, _) = authority.tokens().seal_agent(tenant.id, zoe, NOW).unwrap();
        let (by_key, by_page) = (seal(MadeBy::Key(generation)), seal(MadeBy::Page));
        // Anything but new keys leaves it as it is.
        tenants.set_disabled(tenant.id, true).await.unwrap();
        tenants.set_disabled(tenant.id, false).await.unwrap();
        assert!(authority.principal(&by_key, NOW).await.is_ok() && authority.principal(&agents, NOW).await.is_ok());
        tenants.rotate_key(tenant.id, NOW).await.unwrap();
        for ended in [&by_key, &agents] {
            assert!(matches!(authority.principal(ended, NOW).await, Err(AuthError::Rotated)));
        }
        assert!(authority.principal(&by_page, NOW).await.is_ok());
    }

    #[tokio::test]
    async fn a_token_of_keys_that_were_lost_with_newer_data_stays_dead_whatever_replaces_them() {
        let records = Arc::<MemoryRecords>::default();
        let dir = tempfile::tempdir().unwrap();
        let (tenants, _) = tenants_on(&records, &dir);
        let (tenant, _) = tenants.create("acme", NOW).await.unwrap();
        let older = records.all.lock().unwrap().clone();
        let mut lost = vec![];
        for _ in 0..3 {
            let (tenants, keys) = tenants_on(&records, &dir);
            let (rotated, _) = tenants.rotate_key(tenant.id, NOW).await.unwrap();
            let (generation, made, contact) = (rotated.generation, Issued::At(NOW), ContactId::generate());
            let (origin, expires_at) = (None, NOW.plus(Duration::from_secs(60)));
            let agent = Agent { name: "Zoe".into(), origin: None, expires_at, generation, made };
            let visitor = Visitor {
                contact,
                sealed_for: contact,
                conversation: None,
                origin,
                expires_at,
                since: NOW,
                made,
                by: MadeBy::Key(generation),
            };
            let authority = authority(keys, Arc::clone(&records));
            let (agents, _) = authority.tokens().seal_agent(tenant.id, agent, NOW).unwrap();
            let (visitors, _) = authority.tokens().seal(tenant.id, visitor, NOW).unwrap();
            for token in [agents, visitors] {
                assert!(authority.principal(&token, NOW).await.is_ok());
                lost.push(token);
            }
        }
        *records.all.lock().unwrap() = older;
        for round in 0..=3 {
            let (tenants, keys) = tenants_on(&records, &dir);
            let authority = authority(keys, Arc::clone(&records));
            for (n, token) in lost.iter().enumerate() {
                let shown = authority.principal(token, NOW).await;
                assert!(matches!(shown, Err(AuthError::Rotated)), "after {round} rotations, token {n}: {shown:?}");
            }
            tenants.rotate_key(tenant.id, NOW).await.unwrap();
        }
    }

    /// A tenant of an earlier program, with contacts of its own.
    async fn of_before() -> (TenantId, Arc<Contacts>, Authority) {
        let records = Arc::<MemoryRecords>::default();
        let dir = tempfile::tempdir().unwrap();
        let (tenants, keys) = tenants_on(&records, &dir);
        let tenant = tenant_of_before(&tenants, &records).await;
        let contacts = Arc::new(Contacts::new(Arc::<MemoryStore>::default(), Arc::new(actors::SystemClock)));
        let authority = authority_with(keys, records, Arc::clone(&contacts));
        (tenant, contacts, authority)
    }

    /// One that an earlier program made: what its keys sealed does not say of which generation they are.
    async fn tenant_of_before(tenants: &Tenants, records: &MemoryRecords) -> TenantId {
        let id = tenants.create("acme", NOW).await.unwrap().0.id;
        let (version, record) = TenantRecord::load(records, id).await.unwrap().unwrap();
        TenantRecord { generation: Generation::default(), ..record }.save(records, version).await.unwrap();
        id
    }

    #[tokio::test]
    async fn what_was_sealed_for_a_name_speaks_for_the_contact_who_has_it() {
        let records = Arc::<MemoryRecords>::default();
        let dir = tempfile::tempdir().unwrap();
        let (tenants, keys) = tenants_on(&records, &dir);
        let tenant = tenant_of_before(&tenants, &records).await;
        let store = Arc::<MemoryStore>::default();
        let contacts = Arc::new(Contacts::new(store.clone(), Arc::new(actors::SystemClock)));
        let authority = authority_with(keys, records, Arc::clone(&contacts));
        let whose = async |name: &str| {
            let [token, secret] = sealed_for_a_name(authority.tokens(), tenant, name, NOW);
            let returning = authority.returning(tenant, &secret, NOW).await.unwrap();
            let principal = match authority.principal(&token, NOW).await {
                Ok(principal) => Some(principal.holder().unwrap()),
                Err(AuthError::LoggedOut) => None,
                Err(error) => panic!("{name}: {error}"),
            };
            let shows = principal.as_ref().map(|holder| holder.visitor().unwrap().whom());
            assert_eq!(returning, shows, "{name}");
            returning.map(|whom| whom.id)
        };
        let ana = contacts.named(tenant, &"ana".parse().unwrap()).await.unwrap().own;
        let anonymous = ContactId::generate();
        let before_ids = format!("anon_{}", &anonymous.to_string()[3..]);
        assert_eq!((whose("ana").await, whose(&before_ids).await), (Some(ana), Some(anonymous)));
        // Nobody is made by a look.
        let count = async || store.scan(Scope::Tenant(tenant), "contact", None, 9).await.unwrap().len();
        assert_eq!((whose("bo").await, count().await), (None, 1));
        // Merged, it speaks for the one who goes on, unless it was logged out before.
        contacts.merge(tenant, ana, anonymous, &ChangedBy::system()).await.unwrap();
        assert_eq!(whose(&before_ids).await, Some(ana));
        authority.logouts().log_out(tenant, &Whom::Contact(anonymous), &At(NOW)).await.unwrap();
        assert_eq!((whose(&before_ids).await, whose("ana").await), (None, Some(ana)));
    }

    #[tokio::test]
    async fn what_was_sealed_before_or_during_a_merge_speaks_for_its_own_when_that_is_undone() {
        let (tenant, contacts, authority) = of_before().await;
        let tokens = authority.tokens();
        let ana = contacts.named(tenant, &"ana".parse().unwrap()).await.unwrap().own;
        let bo = contacts.named(tenant, &"bo".parse().unwrap()).await.unwrap().own;
        let holder = async |token: &str| authority.principal(token, NOW).await.unwrap().holder().unwrap();
        let contact = async |token: &str| holder(token).await.visitor().unwrap().contact;
        let visitor = Visitor {
            contact: bo,
            sealed_for: bo,
            conversation: None,
            origin: None,
            expires_at: NOW.plus(Duration::from_secs(60)),
            since: NOW,
            made: Issued::At(NOW),
            by: MadeBy::Page,
        };
        let (first, _) = tokens.seal(tenant, visitor, NOW).unwrap();
        let [by_name, _] = sealed_for_a_name(tokens, tenant, "bo", NOW);
        let secret = tokens.remember(tenant, bo, Issued::At(NOW), NOW).unwrap();
        let alone = holder(&first).await;
        contacts.merge(tenant, ana, bo, &ChangedBy::system()).await.unwrap();
        // Whoever was in stays until told, and comes in as before no more.
        assert!(matches!(authority.holds(&alone, NOW).await, Err(AuthError::Changed)));
        let mut all = vec![first.clone(), by_name.clone()];
        for token in [&first, &by_name] {
            let merged = holder(token).await;
            assert!(authority.holds(&merged, NOW).await.is_ok());
            assert_eq!(merged.visitor().unwrap().whom(), Meant { own: bo, id: ana });
            assert!(alone.has_rights_of(&merged));
            all.push(tokens.seal(tenant, merged.visitor().unwrap().clone(), NOW).unwrap().0);
        }
        let back = authority.returning(tenant, &secret, NOW).await.unwrap().unwrap();
        assert_eq!(back, Meant { own: bo, id: ana });
        let secret = tokens.remember(tenant, back.own, Issued::At(NOW), NOW).unwrap();
        let merged = holder(&first).await;
        let undone = SplitIn { identities: Vec::new(), contact: Some(bo) };
        contacts.split(tenant, ana, undone, &ChangedBy::system()).await.unwrap();
        for token in &all {
            assert_eq!(contact(token).await, bo);
        }
        assert_eq!(authority.returning(tenant, &secret, NOW).await.unwrap(), Some(Meant { own: bo, id: bo }));
        assert!(matches!(authority.holds(&merged, NOW).await, Err(AuthError::Changed)));
        // Logged out is who the token was made for, and who that one stands for.
        contacts.merge(tenant, ana, bo, &ChangedBy::system()).await.unwrap();
        authority.logouts().log_out(tenant, &Whom::Contact(ana), &At(NOW)).await.unwrap();
        for token in &all {
            assert!(matches!(
                authority.principal(token, NOW).await,
                Err(AuthError::LoggedOut | AuthError::AgentsEnded)
            ));
        }
    }

    #[tokio::test]
    async fn a_log_out_by_a_clock_that_was_ahead_ends_what_was_made_before_it_and_nothing_else() {
        let (tenant, contacts, authority) = of_before().await;
        let (tokens, logouts) = (authority.tokens(), authority.logouts());
        let ana = contacts.named(tenant, &"ana".parse().unwrap()).await.unwrap().own;
        let made = async || {
            let (made, expires_at) = (logouts.now(tenant).await.unwrap(), NOW.plus(Duration::from_secs(60)));
            let (contact, sealed_for, by) = (ana, ana, MadeBy::Page);
            let visitor =
                Visitor { contact, sealed_for, conversation: None, origin: None, expires_at, since: NOW, made, by };
            [tokens.seal(tenant, visitor, NOW).unwrap().0, tokens.remember(tenant, ana, made, NOW).unwrap()]
        };
        let holds = async |[token, secret]: &[String; 2]| {
            let (token, secret) =
                (authority.principal(token, NOW).await, authority.returning(tenant, secret, NOW).await.unwrap());
            assert!(matches!(&token, Ok(_) | Err(AuthError::LoggedOut | AuthError::AgentsEnded)), "{token:?}");
            (token.is_ok(), secret.is_some())
        };
        let earlier_program = sealed_for_a_name(tokens, tenant, "ana", NOW);
        let mut before = vec![earlier_program, made().await];
        for days in [365, -365] {
            for both in &before {
                assert_eq!(holds(both).await, (true, true));
            }
            let clock = At(Timestamp::from_millis(NOW.as_millis() + days * 24 * 3_600_000));
            logouts.log_out(tenant, &Whom::Contact(ana), &clock).await.unwrap();
            for both in &before {
                assert_eq!(holds(both).await, (false, false), "{days}");
            }
            before = vec![made().await];
        }
        assert_eq!(holds(&before[0]).await, (true, true));
    }

    #[tokio::test]
    async fn after_a_restore_a_log_out_ends_tokens_and_secrets_of_what_was_taken_back() {
        let records = Arc::<MemoryRecords>::default();
        let dir = tempfile::tempdir().unwrap();
        let (tenants, keys) = tenants_on(&records, &dir);
        let (tenant, key) = tenants.create("acme", NOW).await.unwrap();
        let contacts = Arc::new(Contacts::new(Arc::<MemoryStore>::default(), Arc::new(actors::SystemClock)));
        let ana = contacts.named(tenant.id, &"ana".parse().unwrap()).await.unwrap().own;
        let started = || authority_with(Arc::clone(&keys), records.clone(), Arc::clone(&contacts));
        let generation = match started().principal(key.expose_secret(), NOW).await.unwrap().holder().unwrap().kind {
            Kind::ApiKey { generation, .. } => generation,
            other => panic!("{other:?}"),
        };
        let [zoe, others] = ["Zoe", "Yan"].map(|name| Whom::Agent(name.into()));
        let made = async |authority: &Authority| {
            let (made, expires_at) =
                (authority.logouts().now(tenant.id).await.unwrap(), NOW.plus(Duration::from_secs(60)));
            let (contact, sealed_for, by) = (ana, ana, MadeBy::Page);
            let visitor =
                Visitor { contact, sealed_for, conversation: None, origin: None, expires_at, since: NOW, made, by };
            let agent = Agent { name: "Zoe".into(), origin: None, expires_at, generation, made };
            let tokens = authority.tokens();
            let visitors = tokens.seal(tenant.id, visitor, NOW).unwrap().0;
            [
                visitors,
                tokens.seal_agent(tenant.id, agent, NOW).unwrap().0,
                tokens.remember(tenant.id, ana, made, NOW).unwrap(),
            ]
        };
        let hold = async |authority: &Authority, [visitors, agents, secret]: &[String; 3]| {
            let visitors = authority.principal(visitors, NOW).await.is_ok();
            let agents = authority.principal(agents, NOW).await.is_ok();
            (visitors, agents, authority.returning(tenant.id, secret, NOW).await.unwrap().is_some())
        };
        let backup = records.all.lock().unwrap().clone();
        let first = started();
        for _ in 0..5 {
            first.logouts().log_out(tenant.id, &others, &At(NOW)).await.unwrap();
        }
        let taken_back = made(&first).await;
        *records.all.lock().unwrap() = backup;
        let second = started();
        assert_eq!(hold(&second, &taken_back).await, (true, true, true));
        for whom in [&Whom::Contact(ana), &zoe] {
            second.logouts().log_out(tenant.id, whom, &At(NOW)).await.unwrap();
        }
        let after = made(&second).await;
        for authority in [&second, &started()] {
            assert_eq!(hold(authority, &taken_back).await, (false, false, false));
            assert_eq!(hold(authority, &after).await, (true, true, true));
        }
    }

    struct At(Timestamp);

    impl actors::Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    #[tokio::test]
    async fn keys_tokens_and_the_operator_are_told_apart() {
        let (tenants, keys, _dir) = tenants();
        let (tenant, key) = tenants.create("acme", NOW).await.unwrap();
        let authority = authority(keys, Arc::default());
        let ask = async |credential: &str| authority.principal(credential, NOW).await?.holder();

        let server = ask(key.expose_secret()).await.unwrap();
        assert_eq!((server.tenant, server.may(Action::Configure)), (tenant.id, true));
        let anybody = ContactId::generate();
        let visitor = Visitor {
            contact: anybody,
            sealed_for: anybody,
            conversation: None,
            origin: None,
            expires_at: NOW.plus(Duration::from_secs(60)),
            since: NOW,
            made: Issued::At(NOW),
            by: MadeBy::Key(tenant.generation),
        };
        let (token, _) = authority.tokens().seal(tenant.id, visitor.clone(), NOW).unwrap();
        assert_eq!(ask(&token).await.unwrap().kind, Kind::Visitor(visitor));
        for wrong in ["", "operator", "v4.local.AAAA", "somebody else's"] {
            assert!(matches!(ask(wrong).await, Err(AuthError::Unauthorized)), "{wrong}");
        }
        tenants.set_disabled(tenant.id, true).await.unwrap();
        for refused in [key.expose_secret(), &token] {
            assert!(matches!(ask(refused).await, Err(AuthError::Disabled)));
        }
        assert_eq!(authority.principal("operator", NOW).await.unwrap(), Principal::Operator);
        for wrong in ["", "operato", "operator2"] {
            assert!(authority.principal(wrong, NOW).await.is_err(), "{wrong}");
        }
    }
}
