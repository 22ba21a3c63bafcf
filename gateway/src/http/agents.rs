//! Agents' tokens: made with the API key for one person of the team, for a short time, and ended with it before that.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use schema::AgentName;
use schema::wire::{AgentIn, AgentToken, AgentView};
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{Json, to_the_end};
use super::caller::{Caller, With};
use super::edge::Edge;
use super::visitors::life;
use crate::auth::{Action, Agent, AuthError, Whom};
use crate::error::ApiError;
use crate::fields::check_agent;

pub(super) async fn make(
    With(caller, Json(asked)): With<Json<AgentIn>>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::LetIn)?;
    let AgentIn { agent, origin, ttl_seconds } = asked;
    let name = check_agent(&agent)?;
    if origin.as_ref().is_some_and(|origin| !caller.tenant.allows_origin(origin.as_str())) {
        return Err(AuthError::Origin.into());
    }
    let made = edge.parts.access.authority.logouts().now(caller.tenant_id()).await.map_err(AuthError::from)?;
    let now = edge.now();
    let expires_at = now.plus(life(&edge, ttl_seconds)?);
    let agent = Agent { name: name.clone(), origin, expires_at, generation: caller.generation()?, made };
    let sealed = edge.parts.access.authority.tokens().seal_agent(caller.tenant_id(), agent, now);
    let (token, expires_at) = sealed.map_err(AuthError::from)?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(AgentToken { token, expires_at, agent: name }))
}

/// Tells an agent's own page whom its token speaks for.
pub(super) async fn view(caller: Caller) -> Result<web::Json<AgentView>, ApiError> {
    caller.may(Action::KnowOneself)?;
    let Some(agent) = caller.principal.agent() else { return Err(AuthError::Unauthorized.into()) };
    let tenant = caller.tenant.view();
    let (agent, expires_at) = (agent.name.clone(), agent.expires_at);
    Ok(web::Json(AgentView { agent, expires_at, tenant: tenant.name, assistant: tenant.profile.assistant.name }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Whose tokens
    agent: AgentName,
}

/// Ends an agent's tokens, with what they have open.
pub(super) async fn log_out(
    caller: Caller,
    edge: web::Data<Edge>,
    which: web::Query<Which>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::LetIn)?;
    let Which { agent } = which.into_inner();
    // Tokens have the name's one spelling.
    let agent = check_agent(&agent)?;
    let tenant = caller.tenant_id();
    to_the_end(async move {
        let whom = Whom::Agent(agent.clone());
        let logout = edge.parts.access.authority.logouts().log_out(tenant, &whom, edge.system().clock()).await?;
        edge.sessions.presence().log_out_agent(tenant, &agent, |made| logout.ends(made));
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}
