//! `tertulia tenant`: makes, lists, disables tenants and changes their keys.

use std::io::Write;

use schema::wire::{KeyMade, TenantView};

use super::arguments::Tenant;
use super::backend::Backend;
use super::error::CliError;

pub(super) async fn run(backend: &dyn Backend, command: Tenant, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        Tenant::Create { name, plan } => show_key(&backend.create_tenant(name, plan).await?, out),
        Tenant::Plan { tenant, plan } => {
            let tenant = find(backend, &tenant).await?;
            let tenant = backend.set_plan(tenant.id, plan).await?;
            Ok(writeln!(out, "{} has the plan {}", tenant.name, tenant.plan.name)?)
        }
        Tenant::List => {
            for tenant in backend.tenants().await? {
                let state = if tenant.disabled { "disabled" } else { "enabled" };
                writeln!(out, "{}  {state:8}  {:12}  {}", tenant.id, tenant.plan.name, tenant.name)?;
            }
            Ok(())
        }
        Tenant::RotateKey { tenant } => {
            let tenant = find(backend, &tenant).await?;
            show_key(&backend.rotate_key(tenant.id).await?, out)
        }
        Tenant::Disable { tenant } => set_disabled(backend, &tenant, true, out).await,
        Tenant::Enable { tenant } => set_disabled(backend, &tenant, false, out).await,
    }
}

async fn set_disabled(
    backend: &dyn Backend,
    tenant: &str,
    disabled: bool,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let tenant = find(backend, tenant).await?;
    let tenant = backend.set_disabled(tenant.id, disabled).await?;
    Ok(writeln!(out, "{} is {}", tenant.name, if tenant.disabled { "disabled" } else { "enabled" })?)
}

async fn find(backend: &dyn Backend, name_or_id: &str) -> Result<TenantView, CliError> {
    let tenants = backend.tenants().await?;
    let found = tenants.into_iter().find(|tenant| tenant.name == name_or_id || tenant.id.to_string() == name_or_id);
    found.ok_or_else(|| {
        CliError::Failed(format!("there is no tenant `{name_or_id}`; `tertulia tenant list` has them all"))
    })
}

fn show_key(made: &KeyMade, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "tenant   {}  {}", made.tenant, made.name)?;
    Ok(writeln!(out, "api key  {}  (shown this once)", made.api_key)?)
}

#[cfg(test)]
mod tests;
