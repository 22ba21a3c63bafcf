//! `tertulia plan`: lists, shows and writes plans.

use std::io::{self, Read as _, Write};
use std::path::Path;

use schema::Plan;
use schema::wire::{PlanPut, PlanView};

use super::arguments::PlanCommand;
use super::backend::Backend;
use super::error::CliError;

/// A plan is a page of text; more is a mistake.
const FILE_BYTES_MAX: u64 = 64 * 1024;

pub(super) async fn run(backend: &dyn Backend, command: PlanCommand, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        PlanCommand::List => {
            for plan in backend.plans().await? {
                writeln!(out, "{}", plan.name)?;
            }
            Ok(())
        }
        PlanCommand::Show { name } => {
            let plan = find(backend.plans().await?, &name);
            let plan = plan.ok_or_else(|| {
                CliError::Failed(format!("there is no plan `{name}`; `tertulia plan list` has them all"))
            })?;
            let text = serde_json::to_string_pretty(&plan.plan)
                .map_err(|error| CliError::Failed(format!("the plan cannot be written: {error}")))?;
            Ok(writeln!(out, "{text}")?)
        }
        PlanCommand::Set { name, file } => {
            let plan = read(&file)?;
            let version = find(backend.plans().await?, &name).map_or(0, |plan| plan.version);
            let plan = backend.put_plan(name, PlanPut { version, plan }).await?;
            Ok(writeln!(out, "plan {} is at version {}", plan.name, plan.version)?)
        }
    }
}

fn find(plans: Vec<PlanView>, name: &str) -> Option<PlanView> {
    plans.into_iter().find(|plan| plan.name == name)
}

/// A plan as JSON, from a file or, for `-`, from standard input.
fn read(file: &Path) -> Result<Plan, CliError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().take(FILE_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(FILE_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|problem| CliError::File { path: file.into(), problem })?;
    schema::read_json(text.as_bytes())
        .map_err(|error| CliError::Usage(format!("{} is no plan: {error}", file.display())))
}
