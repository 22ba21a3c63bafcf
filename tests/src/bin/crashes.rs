//! `cargo crashes --rounds N [--seed S] [--record FILE]`: kills a real node N times under load and
//! judges what is left; exits with failure when anything acknowledged or shown is not there.

use std::process::ExitCode;

use anyhow::Result;
use tests::arguments;
use tests::crashes::{Order, run};

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode> {
    let mut order = Order { rounds: 25, seed: rand::random() };
    let record = arguments::read(std::env::args().skip(1), |name, value| {
        match name {
            "--rounds" => order.rounds = value.parse()?,
            "--seed" => order.seed = value.parse()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    eprintln!("seed {}", order.seed);
    let outcome = run(order, |round, outcome| {
        if round % 25 == 0 {
            eprintln!("{round} rounds, {} findings", outcome.findings.len());
        }
    })
    .await?;
    arguments::leave(&outcome, record.as_deref(), &outcome.findings)
}
