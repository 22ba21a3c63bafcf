//! The door: turns what somebody shows into a [`Principal`].

use std::sync::Arc;

use actors::TenantRecord;
use schema::{Contact, TenantId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::error::AuthError;
use super::keys::ApiKeys;
use super::logouts::Logouts;
use super::principal::{Holder, Principal};
use super::standing::admits;
use super::token::{Tokens, is_token};

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
    operators_key: SecretString,
}

impl Authority {
    /// Checks against these.
    #[must_use]
    pub const fn new(keys: Arc<ApiKeys>, tokens: Tokens, logouts: Logouts, operators_key: SecretString) -> Self {
        Self { keys, tokens, logouts, operators_key }
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
        let holder = self.tokens.open(credential, now)?;
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
        match principal.visitor() {
            Some(visitor) => self.logouts.check(principal.tenant, &visitor.contact, visitor.since, now).await,
            None => Ok(()),
        }
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
    pub async fn returning(
        &self,
        tenant: TenantId,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<Contact>, AuthError> {
        let Some((contact, made_at)) = self.tokens.recognise(tenant, secret, now) else { return Ok(None) };
        match self.logouts.check(tenant, &contact, made_at, now).await {
            Ok(()) => Ok(Some(contact)),
            Err(AuthError::LoggedOut) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Logs visitors out.
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

    use schema::Contact;
    use secrecy::SecretBox;

    use super::super::testing::{MemoryRecords, NOW, tenants, tenants_on};
    use super::super::{Action, Agent, Kind, MadeBy, Visitor};
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
        let tokens = Tokens::new(&SecretBox::new(Box::new([3; 32])), Duration::from_secs(3600)).unwrap();
        Authority::new(keys, tokens, Logouts::new(records), "operator".into())
    }

    #[tokio::test]
    async fn a_token_ends_with_the_generation_of_keys_that_made_it() {
        let records = Arc::<MemoryRecords>::default();
        let dir = tempfile::tempdir().unwrap();
        let (tenants, keys) = tenants_on(&records, &dir);
        let (tenant, key) = tenants.create("acme", NOW).await.unwrap();
        let authority = authority(keys, records);
        let made = |by| Visitor {
            contact: Contact::anonymous(),
            conversation: None,
            origin: None,
            expires_at: NOW.plus(Duration::from_secs(60)),
            since: NOW,
            by,
        };
        let seal = |by| authority.tokens().seal(tenant.id, made(by), NOW).unwrap().0;
        let holder = authority.principal(key.expose_secret(), NOW).await.unwrap().holder().unwrap();
        let Kind::ApiKey { generation, .. } = holder.kind else { panic!("an API key") };
        let zoe = Agent { name: "Zoe".into(), origin: None, expires_at: NOW.plus(Duration::from_secs(60)), generation };
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
    async fn keys_tokens_and_the_operator_are_told_apart() {
        let (tenants, keys, _dir) = tenants();
        let (tenant, key) = tenants.create("acme", NOW).await.unwrap();
        let authority = authority(keys, Arc::default());
        let ask = async |credential: &str| authority.principal(credential, NOW).await?.holder();

        let server = ask(key.expose_secret()).await.unwrap();
        assert_eq!((server.tenant, server.may(Action::Configure)), (tenant.id, true));
        let visitor = Visitor {
            contact: Contact::anonymous(),
            conversation: None,
            origin: None,
            expires_at: NOW.plus(Duration::from_secs(60)),
            since: NOW,
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
