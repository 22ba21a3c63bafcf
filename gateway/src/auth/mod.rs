//! Who is asking, and what they may: API keys, visitors' tokens, origins, tenants.
//! Invariant: a [`Principal`] is only made here, from something that was checked.

mod authority;
mod error;
mod keys;
mod page;
mod plans;
mod principal;
mod records;
mod secret;
mod tenants;
mod token;

pub use authority::{Admin, Authority, bearer};
pub use error::{AuthError, TenantError};
pub use keys::ApiKeys;
pub use page::Page;
pub use plans::Plans;
pub use principal::{Kind, Principal, Visitor};
pub use records::{KeyId, TenantBody};
pub use secret::{Key, generate_api_key, mac, random_key};
pub use tenants::{DEMO, Demo, Tenants};
pub use token::{TOKEN_TTL_MAX, TokenError, Tokens};

#[cfg(test)]
mod testing;
