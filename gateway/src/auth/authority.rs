//! The door: turns what a request shows into a [`Principal`], or an [`Admin`].

use std::sync::Arc;

use schema::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::error::AuthError;
use super::keys::ApiKeys;
use super::principal::Principal;
use super::token::{self, Tokens};

/// Checks keys and tokens.
pub struct Authority {
    keys: Arc<ApiKeys>,
    tokens: Tokens,
    admin_key: SecretString,
}

/// Proof that the operator's key was shown. It belongs to no tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admin(());

impl Authority {
    /// Checks against these.
    #[must_use]
    pub const fn new(keys: Arc<ApiKeys>, tokens: Tokens, admin_key: SecretString) -> Self {
        Self { keys, tokens, admin_key }
    }

    /// Who shows this key or token. On sockets it is to be asked again: a token expires, a tenant
    /// may be disabled.
    ///
    /// # Errors
    /// What is wrong with it, or what the store says.
    pub async fn principal(&self, credential: &str, now: Timestamp) -> Result<Principal, AuthError> {
        if !credential.starts_with(token::HEADER) {
            return self.keys.check(credential, now).await;
        }
        let principal = self.tokens.open(credential, now)?;
        self.keys.check_tenant(principal.tenant, now).await?;
        Ok(principal)
    }

    /// Whether this is the operator's key.
    ///
    /// # Errors
    /// [`AuthError::Unauthorized`] when it is not.
    pub fn admin(&self, credential: &str) -> Result<Admin, AuthError> {
        let same = self.admin_key.expose_secret().as_bytes().ct_eq(credential.as_bytes());
        if bool::from(same) { Ok(Admin(())) } else { Err(AuthError::Unauthorized) }
    }

    /// Seals visitors' tokens.
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

    use super::super::testing::{NOW, tenants};
    use super::super::{Kind, Visitor};
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

    #[tokio::test]
    async fn keys_tokens_and_the_operator_are_told_apart() {
        let (tenants, keys, _dir) = tenants();
        let (tenant, key) = tenants.create("acme", NOW).await.unwrap();
        let tokens = Tokens::new(&SecretBox::new(Box::new([3; 32]))).unwrap();
        let authority = Authority::new(keys, tokens, "operator".into());
        let ask = async |credential: &str| authority.principal(credential, NOW).await;

        let server = ask(key.expose_secret()).await.unwrap();
        assert_eq!((server.tenant, server.may_manage()), (tenant.id, true));
        let visitor = Visitor {
            contact: Contact::anonymous(),
            conversation: None,
            origin: None,
            expires_at: NOW.plus(Duration::from_secs(60)),
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
        assert!(authority.admin("operator").is_ok());
        for wrong in ["", "operato", "operator2", key.expose_secret()] {
            assert!(authority.admin(wrong).is_err(), "{wrong}");
        }
    }
}
