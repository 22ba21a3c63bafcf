//! Who is let in at this node, by which way they come, and how often: what HTTP and sockets ask alike.

mod guesses;
mod limiter;
mod page;
mod visit;

use std::num::NonZeroU32;
use std::sync::Arc;

use actors::Failure;
use schema::{Neighbour, Timestamp};
use tokio::time::Instant;

use crate::auth::{AuthError, Authority, Principal, is_token};
use crate::secret::is_generated;

use guesses::Guesses;
pub(crate) use limiter::Passed;
pub use limiter::{Limiter, Rates};
pub(crate) use page::{check_page, check_token_page};
pub(crate) use visit::visit;

/// What every way in asks before it lets somebody in. One for the node, shared by its threads.
pub struct Access {
    /// Checks keys and tokens.
    pub authority: Authority,
    /// How much each address, key, visitor and tenant may ask in a second.
    pub limiter: Arc<Limiter>,
    /// Frames of a socket that has not said yet who it is.
    pub unknown_frames_max: NonZeroU32,
    guesses: Guesses,
}

impl Access {
    /// One to which nobody has shown a wrong key yet.
    #[must_use]
    pub fn new(authority: Authority, limiter: Arc<Limiter>, unknown_frames_max: NonZeroU32) -> Self {
        Self { authority, limiter, unknown_frames_max, guesses: Guesses::default() }
    }

    /// Who shows this key or token, from this address. A key that somebody could have guessed waits where
    /// wrong ones came from; nobody comes upon a generated key or a token.
    ///
    /// # Errors
    /// `rate_limited` after wrong keys, or why the credential opens nothing.
    pub async fn principal(&self, credential: &str, address: Neighbour, now: Timestamp) -> Result<Principal, Failure> {
        if is_token(credential) || is_generated(credential) {
            return Ok(self.authority.principal(credential, now).await?);
        }
        self.guesses.may_try(address, Instant::now())?;
        match self.authority.principal(credential, now).await {
            Err(AuthError::Unauthorized) => Err(self.wrong(address)),
            checked => Ok(checked?),
        }
    }

    fn wrong(&self, address: Neighbour) -> Failure {
        let now = Instant::now();
        let refused = self.guesses.may_try(address, now);
        self.guesses.wrong(address, now);
        refused.err().unwrap_or_else(|| AuthError::Unauthorized.into())
    }
}
