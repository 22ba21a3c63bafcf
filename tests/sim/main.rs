//! `cargo sim`: runs simulated worlds and says which seed failed, and how to run it alone.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tests::sim::{Plant, Report, run};

const USAGE: &str = "cargo sim --seeds N [--from S] [--plant FAULT]   runs N worlds
cargo sim --seed S [--trace] [--plant FAULT]   runs one";

struct Wanted {
    from: u64,
    seeds: u64,
    story: bool,
    plant: Option<Plant>,
}

fn main() -> ExitCode {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    let sum = Mutex::new(Sum::default());
    let seeds = Mutex::new(wanted.from..wanted.from.saturating_add(wanted.seeds));
    // A world knows nothing of others: each thread takes the next one.
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get) {
            scope.spawn(|| {
                // The guard goes before the world begins: in the loop's own condition it would stay until its end.
                let next = || lock(&seeds).next();
                while let Some(seed) = next() {
                    let report = run(seed, wanted.plant, wanted.story);
                    lock(&sum).add(&report);
                }
            });
        }
    });
    let Sum { failed, events, acknowledged, restarts, followed, polls, lasted } =
        sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "{} worlds in {:.1} s, {failed} failed: {acknowledged} messages stored, {events} events, {restarts} nodes lost, \
         {followed} conversations followed on other nodes, \
         {polls} polls in {} virtual seconds",
        wanted.seeds,
        started.elapsed().as_secs_f64(),
        lasted.as_secs()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Sum {
    failed: usize,
    events: usize,
    acknowledged: usize,
    restarts: usize,
    followed: usize,
    polls: usize,
    lasted: Duration,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.events += report.events;
        self.acknowledged += report.acknowledged;
        self.restarts += report.restarts;
        self.followed += report.followed;
        self.polls += report.polls;
        self.lasted += report.lasted;
        if !report.violations.is_empty() {
            self.failed += 1;
            println!("seed {0} failed; run it alone with: cargo sim --seed {0} --trace", report.seed);
            report.violations.iter().for_each(|what| println!("  {what}"));
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted { from: 0, seeds: 100, story: false, plant: None };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
        match argument.as_str() {
            "--seeds" => wanted.seeds = number(value()?)?,
            "--from" => wanted.from = number(value()?)?,
            "--seed" => (wanted.from, wanted.seeds) = (number(value()?)?, 1),
            "--plant" => wanted.plant = Some(value()?.parse()?),
            "--trace" => wanted.story = true,
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    Ok(wanted)
}
