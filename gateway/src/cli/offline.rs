//! The data directory itself, while no node runs.

use engine::config::Config;
use schema::TenantId;
use schema::wire::{DocumentIn, KeyMade, Learned, TenantView};

use super::backend::{Answer, Backend};
use super::error::CliError;

/// Cannot be made in this build: the embedded store is not in it.
pub(super) enum Offline {}

impl Offline {
    #[allow(clippy::unused_async, reason = "opening a store is async")]
    pub(super) async fn for_tenant(config: &Config) -> Result<Self, CliError> {
        Err(CliError::Unreachable { address: config.listen.to_string() })
    }

    #[allow(clippy::unused_async, reason = "opening a store is async")]
    pub(super) async fn for_operator(config: &Config) -> Result<Self, CliError> {
        Err(CliError::Unreachable { address: config.listen.to_string() })
    }
}

impl Backend for Offline {
    fn learn(&self, _: DocumentIn) -> Answer<'_, Learned> {
        match *self {}
    }

    fn tenants(&self) -> Answer<'_, Vec<TenantView>> {
        match *self {}
    }

    fn create_tenant(&self, _: String) -> Answer<'_, KeyMade> {
        match *self {}
    }

    fn rotate_key(&self, _: TenantId) -> Answer<'_, KeyMade> {
        match *self {}
    }

    fn set_disabled(&self, _: TenantId, _: bool) -> Answer<'_, TenantView> {
        match *self {}
    }
}
