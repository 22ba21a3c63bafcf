//! `cargo servers cassandra [--nodes 3]` or `cargo servers redis`: starts the real stores of the tests for a person,
//! says where they are, and ends them at Ctrl-C.

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tests::servers::{Cassandra, Redis, cassandra::Paxos};
use tokio::signal;

const USAGE: &str = "cargo servers cassandra [--nodes 1|3] [--paxos v1|v2] [--durable]
cargo servers redis [--password WORD]
Starts them with fresh data, which goes when they do: at Ctrl-C.";

/// Between two looks whether they still run.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

enum Servers {
    Cassandra(Box<Cassandra>),
    Redis(Box<Redis>),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let mut servers = match start(std::env::args().skip(1)) {
        Ok(servers) => servers?,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    match &servers {
        Servers::Cassandra(cassandra) => {
            for contact_point in cassandra.contact_points() {
                println!("{contact_point}");
            }
        }
        Servers::Redis(redis) => println!("{}", redis.address()),
    }
    eprintln!("ready; Ctrl-C ends it");
    let mut stopped = pin!(signal::ctrl_c());
    loop {
        tokio::select! {
            stopped = &mut stopped => return stopped.map(|()| ExitCode::SUCCESS).context("no Ctrl-C is heard"),
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        let fallen = match &mut servers {
            Servers::Cassandra(cassandra) => cassandra.fallen()?,
            Servers::Redis(redis) => redis.fallen()?,
        };
        if let Some(words) = fallen {
            bail!("{words}");
        }
    }
}

/// The outer error is of what was asked for, the inner one of the start.
fn start(mut arguments: impl Iterator<Item = String>) -> Result<Result<Servers>> {
    let kind = arguments.next().context("which server?")?;
    let (mut nodes, mut paxos, mut is_durable, mut password) = (None, None, false, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match (kind.as_str(), argument.as_str()) {
            ("cassandra", "--nodes") => nodes = Some(value()?),
            ("cassandra", "--paxos") => paxos = Some(value()?),
            ("cassandra", "--durable") => is_durable = true,
            ("redis", "--password") => password = Some(value()?),
            _ => bail!("unknown argument `{argument}`"),
        }
    }
    match kind.as_str() {
        "cassandra" => {
            let mut setup = match nodes.as_deref() {
                None | Some("1") => Cassandra::one(),
                Some("3") => Cassandra::three(),
                Some(other) => bail!("{other} nodes: there may be 1 or 3"),
            };
            setup = match paxos.as_deref() {
                None | Some("v2") => setup.paxos(Paxos::V2),
                Some("v1") => setup.paxos(Paxos::V1),
                Some(other) => bail!("there is no Paxos {other}"),
            };
            if is_durable {
                setup = setup.durable();
            }
            Ok(setup.start().map(|cassandra| Servers::Cassandra(Box::new(cassandra))))
        }
        "redis" => Ok(match password {
            Some(password) => Redis::start_with_password(&password),
            None => Redis::start(),
        }
        .map(|redis| Servers::Redis(Box::new(redis)))),
        other => bail!("there is no server `{other}`"),
    }
}
