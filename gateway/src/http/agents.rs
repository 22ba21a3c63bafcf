//! Agents' tokens: made with the API key for one person of the team, for a short time.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use schema::wire::{AgentIn, AgentToken};

use super::body::Json;
use super::caller::With;
use super::edge::Edge;
use super::visitors::life;
use crate::auth::{Action, Agent, AuthError};
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
    let now = edge.now();
    let expires_at = now.plus(life(&edge, ttl_seconds)?);
    let agent = Agent { name: name.clone(), origin, expires_at, generation: caller.generation()? };
    let sealed = edge.parts.access.authority.tokens().seal_agent(caller.tenant_id(), agent, now);
    let (token, expires_at) = sealed.map_err(AuthError::from)?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(AgentToken { token, expires_at, agent: name }))
}
