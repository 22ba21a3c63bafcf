//! Asks a node whether it takes new work, for whoever watches over it: a container's health check, a script.
//! Invariant: it succeeds only when the node itself says so, within one look's time.

use std::io::Write;

use engine_config::Config;

use super::arguments::Health;
use super::client::readiness;
use super::error::CliError;

pub(super) async fn run(config: &Config, asked: &Health, out: &mut impl Write) -> Result<(), CliError> {
    let state = readiness(config, asked.url.as_ref()).await?;
    Ok(writeln!(out, "{}", state.status)?)
}
