//! `cargo faults [--rounds N] [--seed S] [--stores 1|3] [--only NAME,NAME] [--talks N] [--long yes] [--logs FOLDER]
//! [--record FILE]`: brings about one fault after another on three real nodes under load, and judges what is left; exits
//! with failure when anything acknowledged or shown is not there.

use std::process::ExitCode;

use anyhow::{Context, Result};
use tests::arguments;
use tests::faults::{Kind, Order, run};

#[tokio::main(worker_threads = 4)]
async fn main() -> Result<ExitCode> {
    let mut order = Order {
        rounds: 1,
        seed: rand::random(),
        stores: 3,
        talks: 6,
        kinds: Kind::ALL.to_vec(),
        long: false,
        logs: None,
    };
    let record = arguments::read(std::env::args().skip(1), |name, value| {
        match name {
            "--rounds" => order.rounds = value.parse()?,
            "--seed" => order.seed = value.parse()?,
            "--stores" => order.stores = value.parse()?,
            "--talks" => order.talks = value.parse()?,
            "--only" => order.kinds = value.split(',').map(kind).collect::<Result<_>>()?,
            "--long" => order.long = value == "yes",
            "--logs" => order.logs = Some(value.into()),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    eprintln!("seed {}", order.seed);
    let mut seen = 0;
    let report = run(order, |kind, report| {
        let times = report.faults.get(kind.name()).map_or(0, |entry| entry.times);
        eprintln!(
            "{} ({times}): {} acknowledged, {} findings",
            kind.name(),
            report.acknowledged,
            report.findings.len()
        );
        report.findings.iter().skip(seen).for_each(|finding| eprintln!("  {finding}"));
        seen = report.findings.len();
    })
    .await?;
    arguments::leave(&report, record.as_deref(), &report.findings)
}

fn kind(name: &str) -> Result<Kind> {
    Kind::ALL.iter().copied().find(|kind| kind.name() == name).with_context(|| format!("no fault is called `{name}`"))
}
