//! Reads the command line and the settings, and runs the command.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use engine_config::Sources;

use super::arguments::{Arguments, Command, Serve};
use super::error::CliError;
use super::plain::Plain;
use super::{backend, chat, client, export, health, learn, plan, rebuild, tenant};
use crate::node;

/// The whole program, but for its allocator.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // `--help` and `--version` come this way too, with their own exit code.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let line: Vec<String> = error.to_string().lines().map(|line| line.trim().to_string()).collect();
            let _ = writeln!(Plain(io::stderr()), "tertulia: {}", line.join(" "));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(arguments: Arguments) -> Result<(), CliError> {
    if let Some(Command::ReadDocument(asked)) = &arguments.command {
        // It has no settings, and nothing of its parent.
        let (mut input, mut out) = (io::stdin(), io::stdout().lock());
        return Ok(engine_documents::answer(asked.kind, asked.charset.as_deref(), &mut input, &mut out)?);
    }
    let file = arguments.config.filter(|file| !file.as_os_str().is_empty());
    let sources = Sources::read(file.as_deref(), std::env::vars_os())?;
    let config = sources.config()?;
    match arguments.command.unwrap_or(Command::Serve(Serve::default())) {
        Command::Serve(Serve { take_over }) => Ok(node::run(config, take_over)?),
        Command::Config => Ok(io::stdout().write_all(sources.annotated()?.as_bytes())?),
        Command::Chat(chat) => block_on(chat::run(&config, chat)),
        Command::Learn(asked) => block_on(learn::run(&config, &asked)),
        Command::Tenant(command) => block_on(async {
            let backend = backend::for_operator(&config).await?;
            tenant::run(&*backend, command, &mut Plain(io::stdout().lock())).await
        }),
        Command::Plan(command) => block_on(async {
            let backend = backend::for_operator(&config).await?;
            plan::run(&*backend, command, &mut Plain(io::stdout().lock())).await
        }),
        Command::Health(asked) => {
            block_on(async { health::run(&config, &asked, &mut Plain(io::stdout().lock())).await })
        }
        // Done above.
        Command::ReadDocument(_) => Ok(()),
        Command::Rebuild(what) => block_on(rebuild::run(&config, &what, &mut Plain(io::stdout().lock()))),
        Command::Export(export) => block_on(async {
            let client = client::Client::for_tenant(&config)?;
            export::run(&client, &export, &mut io::stdout().lock()).await
        }),
    }
}

fn block_on(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|problem| CliError::Failed(format!("cannot start: {problem}")))?;
    let outcome = runtime.block_on(work);
    // A thread that waits for a line of input must not keep the program alive.
    runtime.shutdown_background();
    outcome
}
