//! `cargo crashes --rounds N [--seed S] [--record FILE]`: kills a real node N times under load and
//! judges what is left; exits with failure when anything acknowledged or shown is not there.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tests::crashes::{Order, run};

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode> {
    let mut order = Order { rounds: 25, seed: rand::random() };
    let mut record = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--rounds" => order.rounds = value.parse()?,
            "--seed" => order.seed = value.parse()?,
            "--record" => record = Some(value),
            other => bail!("unknown argument `{other}`"),
        }
    }
    eprintln!("seed {}", order.seed);
    let outcome = run(order, |round, outcome| {
        if round % 25 == 0 {
            eprintln!("{round} rounds, {} findings", outcome.findings.len());
        }
    })
    .await?;
    let told = serde_json::to_string_pretty(&outcome)?;
    println!("{told}");
    if let Some(file) = record {
        std::fs::write(&file, format!("{told}\n")).with_context(|| file.clone())?;
    }
    Ok(if outcome.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
