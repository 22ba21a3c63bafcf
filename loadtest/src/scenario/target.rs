//! The node a scenario is pointed at, as given on the command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::node::{Node, Place};
use crate::proc::Process;
use crate::report::Report;

/// The node a scenario is pointed at.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// Where the node listens.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The tenant's API key.
    #[arg(long, env = "TERTULIA_API_KEY", hide_env_values = true)]
    pub key: String,
    /// The node's process on this machine, for CPU and memory; left out, neither is measured.
    #[arg(long)]
    pub pid: Option<u32>,
    /// Also write the results to this file, as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

impl Target {
    /// Where it is, and a client that has found it ready and lifted the tenant's quotas.
    ///
    /// # Errors
    /// The address is none, the node is not ready, or refuses the key.
    pub async fn reach(&self) -> Result<(Place, Node)> {
        let place = Place::parse(&self.url, &self.key)?;
        let mut node = place.node();
        node.ready(Duration::from_secs(10)).await?;
        node.lift_quotas().await?;
        Ok((place, node))
    }

    /// Its process, when one was named.
    ///
    /// # Errors
    /// There is no such process.
    pub fn process(&self) -> Result<Option<Process>> {
        self.pid.map(Process::find).transpose()
    }

    /// Writes the report where it was asked for.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, report: &Report) -> Result<()> {
        self.json.as_deref().map_or(Ok(()), |file| report.save(file))
    }
}
