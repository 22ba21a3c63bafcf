//! `tertulia rebuild`: drops what was made of the conversations' logs and makes it anew, in the data directory
//! or in the cluster. A running node keeps it up to date by itself, and would list little meanwhile: it has to be
//! stopped. Other nodes of a cluster may run, and do.

use std::io::Write;

use actors::rebuild_listing;
use engine_config::Config;
use engine_model::install_crypto_provider;

use super::arguments::Rebuild;
use super::client;
use super::error::CliError;
use crate::datadir::DataDirError;
use crate::stores::{self, Folder, OpenError};

pub(super) async fn run(config: &Config, what: &Rebuild, out: &mut dyn Write) -> Result<(), CliError> {
    let runs = || CliError::Failed("a node runs on this data: stop it first, then rebuild".into());
    if client::answers(config).await.unwrap_or(false) {
        return Err(runs());
    }
    // One that listens elsewhere holds the directory all the same.
    install_crypto_provider();
    let opened = stores::open(config, Folder::Existing).await.map_err(|error| match error {
        OpenError::DataDir(DataDirError::InUse { .. }) => runs(),
        other => other.into(),
    })?;
    match what {
        Rebuild::Conversations => {
            let rows = rebuild_listing(&opened.store).await.map_err(|error| {
                CliError::Failed(format!("the list of conversations is not whole yet, a node will go on: {error}"))
            })?;
            writeln!(out, "the list of conversations was made anew: {rows}")?;
        }
    }
    Ok(())
}
