//! Shared by scenarios that compare windows of the same streams without and with a disturbance.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use clap::Args;

use super::streams::Pace;
use crate::plan::Plan;
use crate::stub::{Defaults, Stub};

/// Streams on time, in windows.
#[derive(Clone, Debug, Args)]
pub struct Paced {
    /// Where this run's own model stub listens: the node's `OPENAI_BASE_URL` is `http://ADDR/v1`.
    #[arg(long)]
    pub stub_listen: SocketAddr,
    /// Readers that read.
    #[arg(long, default_value_t = 32)]
    pub streams: usize,
    /// Tokens a second of each.
    #[arg(long, default_value_t = 50)]
    pub rate: u32,
    /// Length of one window.
    #[arg(long, default_value_t = 5)]
    pub seconds: u32,
    /// Windows without what is looked at and as many with it, in turns.
    #[arg(long, default_value_t = 3)]
    pub windows: usize,
}

impl Paced {
    /// The stub, and the timing of a window.
    ///
    /// # Errors
    /// The flags make no sense, or the stub cannot listen.
    pub(super) fn start(&self) -> Result<(Stub, Pace)> {
        let tokens = self.rate * self.seconds;
        ensure!(self.streams > 0 && self.windows > 0 && tokens > 0, "there is nothing to measure");
        ensure!(tokens <= Plan::TOKENS_MAX, "a reply holds at most {} tokens", Plan::TOKENS_MAX);
        let stub = Stub::start(self.stub_listen, Defaults { tokens, rate: self.rate, chunk_bytes: 340 })?;
        Ok((stub, Pace { streams: self.streams, tokens, rate: self.rate }))
    }
}
