//! What is told: a line for each way, beside the plain write of the same run.

use std::time::Duration;

use crate::{Measured, Way};

/// The turns of one way.
pub(crate) struct Column {
    pub(crate) way: Way,
    rates: Vec<f64>,
    acks: Vec<Duration>,
    groups: u64,
    folds: u64,
    cluster: Duration,
    here: Duration,
}

impl Column {
    pub(crate) fn new(way: Way) -> Self {
        let (rates, acks) = (Vec::new(), Vec::new());
        Self { way, rates, acks, groups: 0, folds: 0, cluster: Duration::ZERO, here: Duration::ZERO }
    }

    pub(crate) fn add(&mut self, Measured { turn, cluster, here }: Measured) {
        self.rates.push(turn.acks.len() as f64 / turn.lasted.as_secs_f64());
        self.acks.extend(turn.acks);
        self.groups += turn.groups;
        self.folds += turn.folds;
        self.cluster += cluster;
        self.here += here;
    }

    fn rate(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    }

    /// Microseconds for each event.
    fn each(&self, spent: Duration) -> f64 {
        spent.as_secs_f64() * 1e6 / self.acks.len().max(1) as f64
    }
}

/// The table of one number of writers.
pub(crate) fn print(writers: usize, mut columns: Vec<Column>) {
    let plain = columns.iter().find(|column| column.way == Way::Plain);
    let (plain_rate, plain_cluster) = plain.map_or((0.0, 0.0), |plain| (plain.rate(), plain.each(plain.cluster)));
    println!("\n{writers} writers");
    println!(
        "| way | events/s | of plain | p50 ms | p99 ms | in a group | in a fold | cluster us/event | of plain | here us/event | turns |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for column in &mut columns {
        column.acks.sort_unstable();
        let acks = &column.acks;
        let at =
            |percent: usize| acks.get(acks.len() * percent / 100).copied().unwrap_or_default().as_secs_f64() * 1_000.0;
        let many =
            |count: u64| if count == 0 { "-".into() } else { format!("{:.1}", acks.len() as f64 / count as f64) };
        let (rate, cluster) = (column.rate(), column.each(column.cluster));
        println!(
            "| {} | {rate:.0} | {:.2} | {:.1} | {:.1} | {} | {} | {cluster:.0} | {:.2} | {:.0} | {:.0?} |",
            column.way,
            rate / plain_rate,
            at(50),
            at(99),
            many(column.groups),
            many(column.folds),
            cluster / plain_cluster,
            column.each(column.here),
            column.rates,
        );
    }
}
