//! Agents' tokens: made with an API key for one person of the team, and sealed like visitors' tokens.
//! Invariant: an agent's token opens nothing as a visitor's, nor the other way round: each is sealed for its purpose.

use actors::Generation;
use schema::{AgentName, Origin, SessionId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::logout_count::LogoutNumber;
use super::logouts::Issued;
use super::principal::{Agent, Holder, Kind};
use super::token::{TOKEN_TTL_MAX, TokenError, Tokens, check_time, counted};

/// Binds these tokens to their purpose: sealed under the same key for another one, they are invalid.
const PURPOSE: &[u8] = b"tertulia agent v1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    tenant: TenantId,
    agent: AgentName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    iat: Timestamp,
    exp: Timestamp,
    generation: Generation,
    /// Left out in tokens of programs that did not count log-outs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logouts: Option<LogoutNumber>,
    /// The token's own name, so that no two are alike.
    jti: SessionId,
}

impl Tokens {
    /// A token for an agent of `tenant`, valid until `agent.expires_at` or [`TOKEN_TTL_MAX`] from now, whichever is
    /// sooner; and until when. It is not renewed: whoever has the API key makes another one.
    ///
    /// # Errors
    /// [`TokenError::Expired`] when it would never be valid, [`TokenError::Invalid`] when it cannot be sealed.
    pub fn seal_agent(
        &self,
        tenant: TenantId,
        agent: Agent,
        now: Timestamp,
    ) -> Result<(String, Timestamp), TokenError> {
        let Agent { name, origin, expires_at, generation, made } = agent;
        let exp = expires_at.min(now.plus(TOKEN_TTL_MAX));
        if exp <= now {
            return Err(TokenError::Expired);
        }
        let (logouts, jti) = (counted(made), SessionId::generate());
        let claims = Claims { tenant, agent: name, origin, iat: now, exp, generation, logouts, jti };
        Ok((self.sealed(&claims, PURPOSE)?, exp))
    }

    /// Which agent shows this token.
    pub(super) fn open_agent(&self, token: &str, now: Timestamp) -> Result<Holder, TokenError> {
        let claims: Claims = self.opened(token, PURPOSE).ok_or(TokenError::Invalid)?;
        let Claims { tenant, agent, origin, iat, exp, generation, logouts, .. } = claims;
        check_time(iat, exp, now)?;
        let made = logouts.map_or(Issued::At(iat), Issued::After);
        let agent = Agent { name: agent, origin, expires_at: exp, generation, made };
        Ok(Holder { tenant, kind: Kind::Agent(agent) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use schema::{ContactId, limits};
    use secrecy::SecretBox;

    use super::super::principal::{MadeBy, Visitor};
    use super::*;

    fn tokens(byte: u8) -> Tokens {
        Tokens::new(&SecretBox::new(Box::new([byte; 32])), Duration::from_secs(24 * 3600)).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
    }

    fn zoe(expires_at: Timestamp) -> Agent {
        Agent {
            name: "Zoe".into(),
            origin: Some("https://desk.example".parse().unwrap()),
            expires_at,
            generation: Generation::of(u64::MAX),
            made: Issued::After(LogoutNumber::LONGEST),
        }
    }

    #[test]
    fn a_token_says_which_agent_it_is_until_it_expires() {
        let tenant = TenantId::generate();
        let (token, expires_at) = tokens(1).seal_agent(tenant, zoe(at(60)), at(0)).unwrap();
        assert_eq!(expires_at, at(60));
        assert!(!token.contains("Zoe"));
        for (key, now, answer) in [
            (1, -6, Err(TokenError::Invalid)),
            (1, 0, Ok(())),
            (1, 59, Ok(())),
            (1, 60, Err(TokenError::Expired)),
            (2, 0, Err(TokenError::Invalid)),
        ] {
            let opened = tokens(key).open_agent(&token, at(now));
            assert_eq!(opened.clone().map(|_| ()), answer, "{key} {now}");
            if let Ok(holder) = opened {
                assert_eq!(holder, Holder { tenant, kind: Kind::Agent(zoe(at(60))) });
            }
        }
        // One of a program that did not count log-outs is compared by its moment.
        let claims = serde_json::json!({
            "tenant": tenant, "agent": "Zoe", "iat": at(0), "exp": at(60), "generation": 1, "jti": SessionId::generate()
        });
        let earlier = tokens(1).sealed(&claims, PURPOSE).unwrap();
        assert_eq!(tokens(1).open_agent(&earlier, at(1)).unwrap().agent().unwrap().made, Issued::At(at(0)));
        assert_eq!(tokens(1).seal_agent(tenant, zoe(at(100_000)), at(0)).unwrap().1, at(3600));
        assert_eq!(tokens(1).seal_agent(tenant, zoe(at(0)), at(0)), Err(TokenError::Expired));
    }

    #[test]
    fn neither_kind_of_token_opens_as_the_other() {
        let (tokens, tenant) = (tokens(1), TenantId::generate());
        let visitor = Visitor {
            contact: ContactId::generate(),
            sealed_for: ContactId::generate(),
            conversation: None,
            origin: None,
            expires_at: at(60),
            since: at(0),
            made: Issued::At(at(0)),
            by: MadeBy::Page,
        };
        let (visitors, _) = tokens.seal(tenant, visitor, at(0)).unwrap();
        let (agents, _) = tokens.seal_agent(tenant, zoe(at(60)), at(0)).unwrap();
        assert!(tokens.open(&visitors, at(1)).is_ok() && tokens.open_agent(&agents, at(1)).is_ok());
        assert_eq!(tokens.open(&agents, at(1)).err(), Some(TokenError::Invalid));
        assert_eq!(tokens.open_agent(&visitors, at(1)), Err(TokenError::Invalid));
        assert_eq!(tokens.recognise(tenant, &agents, at(1)), None);
    }

    #[test]
    fn the_largest_token_is_within_the_bound() {
        let largest = Agent {
            name: "\u{10FFFD}".repeat(limits::AGENT_CHARS_MAX).into(),
            origin: Some(format!("https://{}", "a".repeat(245)).parse().unwrap()),
            ..zoe(at(60))
        };
        let (token, _) = tokens(1).seal_agent(TenantId::generate(), largest, at(0)).unwrap();
        assert!(tokens(1).open_agent(&token, at(1)).is_ok());
    }
}
