//! Who is asking, and what they may: API keys, visitors' tokens, origins, tenants.
//! Invariant: a [`Principal`] is only made here, from something that was checked.

mod agents;
mod authority;
mod error;
mod keys;
mod logout_count;
mod logouts;
mod page;
mod permissions;
mod plans;
mod principal;
mod records;
mod standing;
mod tenants;
mod token;

pub use authority::{Authority, bearer};
pub use error::{AuthError, TenantError};
pub use keys::ApiKeys;
pub use logouts::{Issued, Logout, Logouts, Whom};
pub use page::CallingPage;
pub use permissions::{Action, Role};
pub use plans::Plans;
pub use principal::{Agent, Holder, Kind, MadeBy, Principal, Visitor};
pub(crate) use records::{AGENT_LOGOUT, LOGOUT, logout as logout_record};
pub use standing::admits;
pub use tenants::{DEMO, Demo, Tenants};
pub(crate) use token::is_token;
pub use token::{Shown, TOKEN_TTL_MAX, TokenError, Tokens};

#[cfg(test)]
mod testing;
