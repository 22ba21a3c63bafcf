//! Visitors' tokens, and what all tokens have in common: PASETO v4.local, encrypted and authenticated, short-lived.
//! Invariant: nothing in a token is looked at before it was authenticated, and a token is bounded
//! before it is parsed.

use std::time::Duration;

use actors::Meant;
use pasetors::Local;
use pasetors::keys::SymmetricKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::{LocalToken, V4};
use schema::{Contact, ContactId, ConversationId, Origin, SessionId, TenantId, Timestamp};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::logout_count::LogoutNumber;
use super::logouts::Issued;
use super::principal::{Holder, Kind, MadeBy, Visitor};
use crate::secret::Key;

/// The longest life of a token.
pub const TOKEN_TTL_MAX: Duration = Duration::from_secs(3600);
/// What every token begins with; no API key does.
const HEADER: &str = LocalToken::HEADER;
/// How far the clock of the node that makes a token may be ahead of the clock of the one that is shown it.
const LEEWAY: Duration = Duration::from_secs(5);
/// The largest token there is: its parts at their largest take 1.7 KiB.
const TOKEN_BYTES_MAX: usize = 2048;
/// Binds tokens to their purpose: sealed under the same key for another one, they are invalid.
const PURPOSE: &[u8] = b"tertulia visitor v1";
/// The same for the secrets by which visitors are known again.
const RETURN_PURPOSE: &[u8] = b"tertulia returning visitor v1";
/// How long a visitor who does not come is remembered. Nothing that a visitor holds holds for longer.
const RETURN_TTL: Duration = Duration::from_secs(90 * 24 * 3600);

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    #[error("the token is not valid")]
    Invalid,
    #[error("the token has expired")]
    Expired,
    #[error("the token cannot be renewed any longer")]
    Lapsed,
}

/// Whether this is a token, good or bad, and no key.
pub(crate) fn is_token(credential: &str) -> bool {
    credential.starts_with(HEADER)
}

/// Seals and opens visitors' and agents' tokens, under a key of the installation, so that any of its nodes opens them.
///
/// A token is *valid* until its end, at most [`TOKEN_TTL_MAX`] after it was sealed; before that it may be renewed, and
/// its successor is of the same line; the line *lapses* `session_max` after its first token. Nothing of it is stored:
/// what ends one early (a logout, keys that were changed) is asked of the store, by what the token says of itself.
pub struct Tokens {
    key: SymmetricKey<V4>,
    /// How long a token may be renewed, from the first of its line on.
    session_max: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    tenant: TenantId,
    /// In tokens of earlier programs the tenant's own name for them.
    contact: Contact,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conversation: Option<ConversationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    iat: Timestamp,
    exp: Timestamp,
    /// Left out in tokens of earlier programs, which are their own beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// Left out in tokens of programs that did not count log-outs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logouts: Option<LogoutNumber>,
    #[serde(default)]
    by: MadeBy,
    /// The token's own name, so that no two are alike.
    jti: SessionId,
}

/// What a visitor's token says of whoever shows it.
pub struct Shown {
    /// The tenant whose visitor it is.
    pub tenant: TenantId,
    /// The contact, by id; tokens of earlier programs have the tenant's own name for them.
    pub contact: Contact,
    /// When the first token of its line was made.
    pub since: Timestamp,
    /// The same, as far as log-outs go.
    pub made: Issued,
    conversation: Option<ConversationId>,
    origin: Option<Origin>,
    expires_at: Timestamp,
    by: MadeBy,
}

impl Shown {
    /// Who shows it, once it is known whom its contact stands for.
    #[must_use]
    pub fn holder(self, whom: Meant) -> Holder {
        let Self { tenant, conversation, origin, expires_at, since, made, by, .. } = self;
        let Meant { own: sealed_for, id: contact } = whom;
        let visitor = Visitor { contact, sealed_for, conversation, origin, expires_at, since, made, by };
        Holder { tenant, kind: Kind::Visitor(visitor) }
    }
}

/// What brings a visitor back. It opens nothing by itself.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Returning {
    tenant: TenantId,
    contact: Contact,
    exp: Timestamp,
    /// Left out in those of programs that did not count log-outs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logouts: Option<LogoutNumber>,
}

impl Tokens {
    /// Tokens under a key that is used for nothing else, renewed for `session_max` at the longest.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] when the key cannot be used; one of 256 bits can.
    pub fn new(key: &Key, session_max: Duration) -> Result<Self, TokenError> {
        let key = SymmetricKey::from(key.expose_secret()).map_err(|_| TokenError::Invalid)?;
        Ok(Self { key, session_max })
    }

    /// A token for a visitor of `tenant`, valid until `visitor.expires_at`, [`TOKEN_TTL_MAX`] from now,
    /// or the end of the longest life since `visitor.since`, whichever is soonest; and until when.
    ///
    /// # Errors
    /// [`TokenError::Lapsed`] when that life is over, [`TokenError::Expired`] when it would never be
    /// valid, [`TokenError::Invalid`] when it cannot be sealed.
    pub fn seal(&self, tenant: TenantId, visitor: Visitor, now: Timestamp) -> Result<(String, Timestamp), TokenError> {
        let Visitor { contact: _, sealed_for, conversation, origin, expires_at, since, made, by } = visitor;
        let lapses_at = since.plus(self.session_max);
        if lapses_at <= now {
            return Err(TokenError::Lapsed);
        }
        let exp = expires_at.min(now.plus(TOKEN_TTL_MAX)).min(lapses_at);
        if exp <= now {
            return Err(TokenError::Expired);
        }
        let (since, logouts, jti) = (Some(since), counted(made), SessionId::generate());
        let contact = sealed_for.into();
        let claims = Claims { tenant, contact, conversation, origin, iat: now, exp, since, logouts, by, jti };
        Ok((self.sealed(&claims, PURPOSE)?, exp))
    }

    /// What this visitor's token says of whoever shows it.
    ///
    /// # Errors
    /// Expired, or anything else that is wrong with it.
    pub fn open(&self, token: &str, now: Timestamp) -> Result<Shown, TokenError> {
        let claims: Claims = self.opened(token, PURPOSE).ok_or(TokenError::Invalid)?;
        let Claims { tenant, contact, conversation, origin, iat, exp, since, logouts, by, .. } = claims;
        check_time(iat, exp, now)?;
        let since = since.unwrap_or(iat);
        let made = logouts.map_or(Issued::At(since), Issued::After);
        Ok(Shown { tenant, contact, since, made, conversation, origin, expires_at: exp, by })
    }

    /// A secret by which `contact` is known again for 90 days: the one for whom the visitor's token is sealed. It is no
    /// token: it opens nothing.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] when it cannot be sealed.
    pub fn remember(
        &self,
        tenant: TenantId,
        contact: ContactId,
        made: Issued,
        now: Timestamp,
    ) -> Result<String, TokenError> {
        let contact = contact.into();
        let claims = Returning { tenant, contact, exp: now.plus(RETURN_TTL), logouts: counted(made) };
        self.sealed(&claims, RETURN_PURPOSE)
    }

    /// The contact of `tenant` who shows this secret, if it has not expired, and when it was made.
    #[must_use]
    pub fn recognise(&self, tenant: TenantId, secret: &str, now: Timestamp) -> Option<(Contact, Issued)> {
        let claims: Returning = self.opened(secret, RETURN_PURPOSE)?;
        let life = i64::try_from(RETURN_TTL.as_millis()).unwrap_or(i64::MAX);
        let made_at = Timestamp::from_millis(claims.exp.as_millis().saturating_sub(life));
        let made = claims.logouts.map_or(Issued::At(made_at), Issued::After);
        (claims.tenant == tenant && now < claims.exp).then_some((claims.contact, made))
    }

    pub(super) fn sealed(&self, claims: &impl Serialize, purpose: &[u8]) -> Result<String, TokenError> {
        let message = serde_json::to_vec(claims).map_err(|_| TokenError::Invalid)?;
        LocalToken::encrypt(&self.key, &message, None, Some(purpose)).map_err(|_| TokenError::Invalid)
    }

    pub(super) fn opened<T: DeserializeOwned>(&self, token: &str, purpose: &[u8]) -> Option<T> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let untrusted = UntrustedToken::<Local, V4>::try_from(token).ok()?;
        // Ours have no footer, and the library has no way to insist on that.
        if !untrusted.untrusted_footer().is_empty() {
            return None;
        }
        let trusted = LocalToken::decrypt(&self.key, &untrusted, None, Some(purpose)).ok()?;
        serde_json::from_str(trusted.payload()).ok()
    }
}

/// What a token says of when it was made; a renewal of one that did not count goes on not to.
pub(super) const fn counted(made: Issued) -> Option<LogoutNumber> {
    match made {
        Issued::After(number) => Some(number),
        Issued::At(_) => None,
    }
}

/// Whether a token that was made at `iat` until `exp` holds now.
pub(super) fn check_time(iat: Timestamp, exp: Timestamp, now: Timestamp) -> Result<(), TokenError> {
    if exp.since(iat) > TOKEN_TTL_MAX || iat > now.plus(LEEWAY) {
        return Err(TokenError::Invalid);
    }
    // To the moment: what it has open ends then, too, and whoever makes it knows that it is renewed in time.
    if now >= exp { Err(TokenError::Expired) } else { Ok(()) }
}

/// A token and a page's secret as earlier programs sealed them: for a name.
#[cfg(test)]
pub(super) fn sealed_for_a_name(tokens: &Tokens, tenant: TenantId, name: &str, now: Timestamp) -> [String; 2] {
    let (jti, end) = (SessionId::generate(), now.plus(Duration::from_secs(60)));
    let claims = format!(r#"{{"tenant":"{tenant}","contact":"{name}","iat":"{now}","exp":"{end}","jti":"{jti}"}}"#);
    let returning = format!(r#"{{"tenant":"{tenant}","contact":"{name}","exp":"{}"}}"#, now.plus(RETURN_TTL));
    [(claims, PURPOSE), (returning, RETURN_PURPOSE)]
        .map(|(claims, purpose)| LocalToken::encrypt(&tokens.key, claims.as_bytes(), None, Some(purpose)).unwrap())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;
    use actors::Generation;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn tokens(byte: u8) -> Tokens {
        Tokens::new(&SecretBox::new(Box::new([byte; 32])), DAY).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
    }

    fn visitor(expires_at: Timestamp) -> Visitor {
        Visitor {
            contact: ContactId::from_bytes([7; 16]),
            sealed_for: ContactId::from_bytes([7; 16]),
            conversation: Some(ConversationId::generate()),
            origin: Some("https://shop.example".parse().unwrap()),
            expires_at,
            since: at(0),
            made: Issued::After(LogoutNumber::LONGEST),
            by: MadeBy::Key(Generation::default()),
        }
    }

    fn itself(id: ContactId) -> Meant {
        Meant { own: id, id }
    }

    #[test]
    fn a_token_says_what_was_sealed_until_it_expires() {
        let tenant = TenantId::generate();
        let ana = visitor(at(60));
        let (token, expires_at) = tokens(1).seal(tenant, ana.clone(), at(0)).unwrap();
        assert_eq!(expires_at, at(60));
        assert!(token.starts_with(HEADER) && !token.contains("ct_"));
        for (now, answer) in [
            (-6, Err(TokenError::Invalid)),
            (-5, Ok(())),
            (0, Ok(())),
            (59, Ok(())),
            (60, Err(TokenError::Expired)),
            (1_000_000, Err(TokenError::Expired)),
        ] {
            let opened = tokens(1).open(&token, at(now));
            assert_eq!(opened.as_ref().map(|_| ()).map_err(|error| *error), answer, "{now}");
            if let Ok(shown) = opened {
                assert_eq!(shown.contact.id(), Some(ana.contact));
                assert_eq!(shown.holder(itself(ana.contact)), Holder { tenant, kind: Kind::Visitor(ana.clone()) });
            }
        }
    }

    #[test]
    fn no_token_lives_longer_than_an_hour() {
        let (_, expires_at) = tokens(1).seal(TenantId::generate(), visitor(at(1_000_000)), at(0)).unwrap();
        assert_eq!(expires_at, at(3600));
        assert_eq!(tokens(1).seal(TenantId::generate(), visitor(at(0)), at(0)), Err(TokenError::Expired));
        // Not even one that our own key has sealed for longer.
        let claims = format!(
            r#"{{"tenant":"{}","contact":"ana","iat":"{}","exp":"{}","jti":"{}"}}"#,
            TenantId::generate(),
            at(0),
            at(3601),
            SessionId::generate()
        );
        let token = LocalToken::encrypt(&tokens(1).key, claims.as_bytes(), None, Some(PURPOSE)).unwrap();
        assert_eq!(tokens(1).open(&token, at(1)).err(), Some(TokenError::Invalid));
    }

    #[test]
    fn a_token_is_renewed_for_a_day_and_ends_with_it() {
        let (tenant, day) = (TenantId::generate(), 24 * 3600);
        let renew = |now, for_seconds| {
            let (_, until) = tokens(1).seal(tenant, visitor(at(now + for_seconds)), at(now))?;
            Ok(until)
        };
        for (now, for_seconds, until) in [
            (0, 900, Ok(at(900))),
            (day - 3601, 3600, Ok(at(day - 1))),
            (day - 1, 900, Ok(at(day))),
            (day, 900, Err(TokenError::Lapsed)),
            (2 * day, 900, Err(TokenError::Lapsed)),
        ] {
            assert_eq!(renew(now, for_seconds), until, "{now}");
        }
    }

    #[test]
    fn a_token_of_an_earlier_program_opens_and_is_its_own_beginning() {
        let claims = format!(
            r#"{{"tenant":"{}","contact":"ana","iat":"{}","exp":"{}","jti":"{}"}}"#,
            TenantId::generate(),
            at(7),
            at(60),
            SessionId::generate()
        );
        let token = LocalToken::encrypt(&tokens(1).key, claims.as_bytes(), None, Some(PURPOSE)).unwrap();
        let opened = tokens(1).open(&token, at(8)).unwrap();
        assert_eq!(opened.contact.as_str(), "ana");
        let holder = opened.holder(itself(ContactId::from_bytes([7; 16])));
        let visitor = holder.visitor().unwrap();
        assert_eq!((visitor.since, visitor.by), (at(7), MadeBy::Key(Generation::default())));
        // Its renewals are as it is: nothing shows whether they were made before a log-out.
        let (renewed, _) =
            tokens(1).seal(holder.tenant, Visitor { expires_at: at(90), ..visitor.clone() }, at(9)).unwrap();
        for shown in [tokens(1).open(&token, at(9)), tokens(1).open(&renewed, at(9))] {
            assert_eq!(shown.unwrap().made, Issued::At(at(7)));
        }
    }

    #[test]
    fn every_other_token_is_invalid() {
        let (tokens, other) = (tokens(1), tokens(2));
        let (good, _) = tokens.seal(TenantId::generate(), visitor(at(60)), at(0)).unwrap();
        let sealed = |message: &str, footer: Option<&[u8]>, purpose: Option<&[u8]>| {
            LocalToken::encrypt(&tokens.key, message.as_bytes(), footer, purpose).unwrap()
        };
        let claims = format!(
            r#"{{"tenant":"{}","contact":"ana","iat":"{}","exp":"{}","jti":"{}"}}"#,
            TenantId::generate(),
            at(0),
            at(60),
            SessionId::generate()
        );
        assert!(tokens.open(&sealed(&claims, None, Some(PURPOSE)), at(1)).is_ok(), "the rows below differ from this");
        let mut bad = vec![
            ("no purpose", sealed(&claims, None, None)),
            ("other purpose", sealed(&claims, None, Some(b"tertulia invitation v1"))),
            ("a footer", sealed(&claims, Some(b"footer"), Some(PURPOSE))),
            ("no claims", sealed("{}", None, Some(PURPOSE))),
            ("not JSON", sealed("ana", None, Some(PURPOSE))),
            ("a claim too many", sealed(&claims.replacen('{', r#"{"admin":true,"#, 1), None, Some(PURPOSE))),
            (
                "a number for a time",
                sealed(&claims.replace(&format!("\"{}\"", at(60)), "9999999999"), None, Some(PURPOSE)),
            ),
            ("other key", other.seal(TenantId::generate(), visitor(at(60)), at(0)).unwrap().0),
            ("public", good.replace("v4.local.", "v4.public.")),
            ("older", good.replace("v4.local.", "v2.local.")),
            ("cut", good[..good.len() - 1].into()),
            ("longer", format!("{good}A")),
            ("oversized", format!("v4.local.{}", "A".repeat(5_000_000))),
            ("empty", String::new()),
            ("header only", HEADER.into()),
            ("garbage", "v4.local.🦀".into()),
        ];
        for byte in (HEADER.len()..good.len() - 1).step_by(7) {
            let mut tampered = good.clone().into_bytes();
            tampered[byte] = if tampered[byte] == b'A' { b'B' } else { b'A' };
            bad.push(("tampered", String::from_utf8(tampered).unwrap()));
        }
        for (why, token) in bad {
            assert_eq!(tokens.open(&token, at(1)).err(), Some(TokenError::Invalid), "{why}");
        }
    }

    #[test]
    fn a_returning_visitor_is_known_by_a_secret_that_opens_nothing() {
        let (tenant, other) = (TenantId::generate(), TenantId::generate());
        let contact = ContactId::generate();
        let secret = tokens(1).remember(tenant, contact, visitor(at(0)).made, at(0)).unwrap();
        let day = 24 * 3600;
        for (key, tenant, now, known) in [
            (1, tenant, 0, true),
            (1, tenant, 90 * day - 1, true),
            (1, tenant, 90 * day, false),
            (1, other, 0, false),
            (2, tenant, 0, false),
        ] {
            let found = tokens(key).recognise(tenant, &secret, at(now));
            assert_eq!(found, known.then(|| (Contact::from(contact), visitor(at(0)).made)), "{now}");
        }
        assert_eq!(tokens(1).open(&secret, at(1)).err(), Some(TokenError::Invalid));
        let (token, _) = tokens(1).seal(tenant, visitor(at(60)), at(0)).unwrap();
        assert_eq!(tokens(1).recognise(tenant, &token, at(1)), None);
    }

    #[test]
    fn the_largest_token_is_within_the_bound() {
        let largest = Visitor {
            origin: Some(format!("https://{}", "a".repeat(245)).parse().unwrap()),
            by: MadeBy::Key(Generation::of(u64::MAX)),
            ..visitor(at(60))
        };
        let (token, _) = tokens(1).seal(TenantId::generate(), largest, at(0)).unwrap();
        assert!(token.len() <= TOKEN_BYTES_MAX, "{}", token.len());
        assert!(tokens(1).open(&token, at(1)).is_ok());
    }
}
