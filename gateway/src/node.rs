//! Runs a node.

use engine::config::Config;

/// Serves until the process is told to stop.
///
/// # Errors
/// Always: this build has no node in it.
pub fn run(config: &Config) -> anyhow::Result<()> {
    anyhow::bail!("this build cannot serve on {}", config.listen)
}
