//! `tertulia rebuild`: drops what was made of the conversations' logs and makes it anew, in the data directory.
//! A running node keeps it up to date by itself, and would list little meanwhile: it has to be stopped.

use std::io::Write;
use std::sync::Arc;

use actors::rebuild_listing;
use engine_config::Config;
use engine_store::SharedStore;

use super::arguments::Rebuild;
use super::client;
use super::error::CliError;
use super::offline::open_store;
use crate::datadir::{DataDir, DataDirError};

pub(super) async fn run(config: &Config, what: &Rebuild, out: &mut dyn Write) -> Result<(), CliError> {
    let runs = || CliError::Failed("a node runs on this data: stop it first, then rebuild".into());
    if client::answers(config).await.unwrap_or(false) {
        return Err(runs());
    }
    // One that listens elsewhere holds the directory all the same.
    let data = DataDir::existing(&config.data).map_err(|error| match error {
        DataDirError::InUse { .. } => runs(),
        other => other.into(),
    })?;
    let store: SharedStore = Arc::new(open_store(&data, config)?);
    match what {
        Rebuild::Conversations => {
            let rows = rebuild_listing(&store).await.map_err(|error| {
                CliError::Failed(format!("the list of conversations is not whole yet, a node will go on: {error}"))
            })?;
            writeln!(out, "the list of conversations was made anew: {rows}")?;
        }
    }
    Ok(())
}
