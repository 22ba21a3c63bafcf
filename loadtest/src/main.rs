//! The load suite's command line: one scenario a call, one Markdown table out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use loadtest::node::Place;
use loadtest::report::{self, Report};
use loadtest::scenario::durable::{self, Durable};
use loadtest::scenario::idle::{self, Idle};
use loadtest::scenario::idle_worker::{self, IdleWorker};
use loadtest::scenario::latency::{self, Latency};
use loadtest::scenario::noisy::{self, Noisy};
use loadtest::scenario::overload::{self, Overload};
use loadtest::scenario::resume::{self, Resume};
use loadtest::scenario::stalled::{self, Stalled};
use loadtest::stub::{Defaults, Stub};
use loadtest::{bare, clock, proc};

#[derive(Parser)]
#[command(about = "Measures a Tertulia node from outside, beside what the machine allows without it")]
struct Cli {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Run the model stub alone: an OpenAI chat-completions server that streams on time.
    Stub(StubArgs),
    /// Run the least server that speaks the protocol, in memory: what machine and client allow.
    Bare(BareArgs),
    /// Added latency and CPU per token, beside the same stream read directly.
    Latency(Latency),
    /// Memory per idle connected conversation, and after churn.
    Idle(Idle),
    /// Durable messages a second, beside the disk's own pace.
    Durable(Durable),
    /// Others' latency, and memory, with readers that stopped reading.
    Stalled(Stalled),
    /// Clients that come back from far behind, many at once.
    Resume(Resume),
    /// More asked than the node can do: what is admitted, what is refused, and how.
    Overload(Overload),
    /// A tenant far over its quota beside one that is not.
    Noisy(Noisy),
    /// Join saved results into one table. Fails when a run had faults.
    Table {
        /// What scenarios saved with `--json`.
        files: Vec<PathBuf>,
    },
    /// Wait until a node is ready.
    Ready {
        /// Where it listens.
        #[arg(long)]
        url: String,
        /// How long to wait, in seconds.
        #[arg(long, default_value_t = 30)]
        timeout: u64,
    },
    /// Print free ports.
    #[command(hide = true)]
    Ports {
        /// How many.
        count: usize,
    },
    #[command(hide = true)]
    IdleWorker(IdleWorker),
}

#[derive(Args)]
struct StubArgs {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// Tokens of a reply.
    #[arg(long, default_value_t = 500)]
    tokens: u32,
    /// Tokens a second; 0 for as fast as they are read.
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Bytes of one token's event.
    #[arg(long, default_value_t = 340)]
    chunk_bytes: usize,
}

#[derive(Args)]
struct BareArgs {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the model stub listens.
    #[arg(long, default_value = "127.0.0.1:9090")]
    stub: SocketAddr,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let _ = proc::raise_file_limit();
    clock::sharpen_sleeps();
    // One thread: the load client must leave the machine to the node.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(cli.scenario))
}

async fn run(scenario: Scenario) -> Result<ExitCode> {
    let report = match scenario {
        Scenario::Latency(args) => latency::run(&args).await?,
        Scenario::Idle(args) => idle::run(&args).await?,
        Scenario::Durable(args) => durable::run(&args).await?,
        Scenario::Stalled(args) => stalled::run(&args).await?,
        Scenario::Resume(args) => resume::run(&args).await?,
        Scenario::Noisy(args) => noisy::run(&args).await?,
        Scenario::Overload(args) => overload::run(&args).await?,
        Scenario::Table { files } => {
            return Ok(show(&files.iter().map(|file| Report::load(file)).collect::<Result<Vec<_>>>()?));
        }
        Scenario::Ready { url, timeout } => {
            Place::parse(&url, "")?.node().ready(Duration::from_secs(timeout)).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Scenario::Ports { count } => {
            let ports: Vec<String> = free_ports(count)?.iter().map(u16::to_string).collect();
            println!("{}", ports.join(" "));
            return Ok(ExitCode::SUCCESS);
        }
        Scenario::IdleWorker(args) => {
            idle_worker::run(&args).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Scenario::Stub(StubArgs { listen, tokens, rate, chunk_bytes }) => {
            let stub = Stub::start(listen, Defaults { tokens, rate, chunk_bytes })?;
            println!("stub listens on http://{}/v1; Ctrl-C ends it", stub.address);
            tokio::signal::ctrl_c().await?;
            println!("{}", serde_json::to_string(&stub.done())?);
            return Ok(ExitCode::SUCCESS);
        }
        Scenario::Bare(BareArgs { listen, stub }) => {
            let server = bare::Server::bind(listen, stub, bare::Defect::None)?;
            println!("bare server listens on http://{}; Ctrl-C ends it", server.address());
            tokio::select! {
                served = server.serve() => served?,
                stopped = tokio::signal::ctrl_c() => stopped?,
            }
            return Ok(ExitCode::SUCCESS);
        }
    };
    Ok(show(&[report]))
}

/// Prints the table; a run with faults fails.
fn show(reports: &[Report]) -> ExitCode {
    print!("{}", report::table(reports));
    if reports.iter().all(|report| report.faults.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ports that nobody listens on now; all held at once, so that they differ.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let held = (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0")).collect::<std::io::Result<Vec<_>>>()?;
    Ok(held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<std::io::Result<_>>()?)
}
