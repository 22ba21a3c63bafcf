//! How long processes have had a processor, as Linux counts it.

use std::time::Duration;

use crate::Failure;

/// What Linux shows to programs, on every machine.
const TICKS_PER_SECOND: u64 = 100;

/// Since they were started.
pub(crate) struct Cpu {
    pub(crate) cluster: Duration,
    pub(crate) here: Duration,
}

impl Cpu {
    pub(crate) fn now(cluster: &[u32]) -> Result<Self, Failure> {
        let of = cluster.iter().map(|pid| spent(&pid.to_string())).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { cluster: of.iter().sum(), here: spent("self")? })
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        Self { cluster: self.cluster.saturating_sub(before.cluster), here: self.here.saturating_sub(before.here) }
    }
}

fn spent(pid: &str) -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before it may have spaces in it.
    let (_, fields) = stat.rsplit_once(')').ok_or("a process has no figures")?;
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 1_000 / TICKS_PER_SECOND))
}
