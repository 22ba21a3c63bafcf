//! The caller of a request: key or token, tenant, limits. A handler that takes a `Caller` is guarded.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use actors::{Failure, Generation, Tenant, Visit};
use schema::wire::TenantView;
use schema::{ChangedBy, ContactId, ConversationId, ConversationKey, ErrorCode, Neighbour, TenantId};
use tracing::Span;

use super::edge::Edge;
use super::own::is_own;
use super::places::Share;
use crate::access::{check_token_page, visit};
use crate::auth::{Action, AuthError, CallingPage, Holder, bearer};
use crate::connection::Meter;
use crate::error::ApiError;
use crate::session::session_span;

/// Somebody with a valid key or token, within their limits.
pub(super) struct Caller {
    pub(super) principal: Holder,
    pub(super) tenant: Arc<Tenant>,
    /// Whose budgets what they do is taken from, if they are a visitor.
    pub(super) visit: Option<Visit>,
}

/// Somebody with a body, who still had the right to it when all of it was in: it may have come slowly.
pub(super) struct With<B>(pub(super) Caller, pub(super) B);

/// Proof that a request showed the operator's key: a handler that takes it is the operator's alone.
pub(super) struct Operator(());

impl Caller {
    /// The share of the node's places that it takes from.
    pub(super) fn share(&self) -> Share {
        let tenant = self.tenant_id();
        if self.principal.visitor().is_some() { Share::Visitors(tenant) } else { Share::Key(tenant) }
    }

    /// # Errors
    /// `forbidden` for whom the table of permissions does not allow it.
    pub(super) fn may(&self, action: Action) -> Result<(), ApiError> {
        Ok(self.principal.allow(action)?)
    }

    /// To be asked again before something is done that took long to come in.
    ///
    /// # Errors
    /// The key or token has ended meanwhile.
    pub(super) async fn still_may(&self, edge: &Edge) -> Result<(), ApiError> {
        Ok(edge.parts.access.authority.holds(&self.principal, edge.now()).await?)
    }

    /// The full name of one of the caller's conversations; nobody can name another tenant's.
    pub(super) fn key(&self, conversation: ConversationId) -> ConversationKey {
        ConversationKey { tenant: self.tenant.id(), conversation }
    }

    /// What a request does in one of the caller's conversations, as it is told.
    pub(super) fn session(&self, conversation: ConversationId) -> Span {
        session_span(None, self.key(conversation), "request")
    }

    /// # Errors
    /// `unknown_conversation` when it is not theirs: it does not exist for them.
    pub(super) async fn sees(
        &self,
        edge: &Edge,
        conversation: ConversationId,
        contact: ContactId,
    ) -> Result<(), ApiError> {
        if self.principal.may_see(conversation, contact) {
            return Ok(());
        }
        // It may be with a contact that was merged into the caller's.
        let whom = edge.system().contacts().standing(self.tenant_id(), contact).await?;
        if self.principal.may_see(conversation, whom.id) { Ok(()) } else { Err(unknown_conversation()) }
    }

    /// Who changes a contact's record.
    ///
    /// # Errors
    /// `forbidden` without a key.
    pub(super) fn changed_by(&self) -> Result<ChangedBy, ApiError> {
        self.may(Action::KeepContacts)?;
        Ok(self.principal.changed_by())
    }

    /// The generation of API keys that a token made by it belongs to.
    ///
    /// # Errors
    /// `forbidden` without a key.
    pub(super) fn generation(&self) -> Result<Generation, ApiError> {
        let forbidden = || AuthError::Forbidden(self.principal.role(), Action::LetIn).into();
        self.principal.generation().ok_or_else(forbidden)
    }

    pub(super) fn tenant_view(&self) -> TenantView {
        self.tenant.view()
    }

    pub(super) fn tenant_id(&self) -> TenantId {
        self.tenant.id()
    }
}

pub(super) fn unknown_conversation() -> ApiError {
    ApiError::new(ErrorCode::UnknownConversation, "there is no such conversation")
}

/// Whom a request comes from, once that is settled.
#[derive(Clone, Copy)]
pub(super) struct Client(pub(super) IpAddr);

/// The same for everybody who counts.
pub(super) fn neighbour(request: &HttpRequest) -> Neighbour {
    address(request).into()
}

/// The caller's address: that of the connection, or the one that a trusted proxy has given.
pub(super) fn address(request: &HttpRequest) -> IpAddr {
    let client = request.extensions().get::<Client>().map(|client| client.0);
    client.or_else(|| Some(request.peer_addr()?.ip())).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// The page a request comes from. Programs other than browsers name none; they could name any.
pub(super) fn page(request: &HttpRequest) -> Option<CallingPage> {
    let headers = request.headers();
    let origin = headers.get(header::ORIGIN)?.as_bytes();
    let host = headers.get(header::HOST).map(|host| host.as_bytes());
    let edge = request.app_data::<web::Data<Edge>>();
    let public = edge.and_then(|edge| edge.parts.config.public_url.as_ref());
    let local = request.conn_data::<Rc<Meter>>().map(|meter| meter.local().ip());
    Some(CallingPage::new(origin, is_own(origin, host, public, local)))
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let edge = edge(&request)?;
            let credential = credential(&request).ok_or(AuthError::Unauthorized)?;
            let principal = edge.holder(&credential, neighbour(&request)).await?;
            let tenant = edge.worker.tenant(principal.tenant).await?;
            edge.parts.access.limiter.own(&principal)?;
            check_token_page(page(&request).as_ref(), &principal, &tenant)?;
            edge.parts.access.limiter.of_tenant(&tenant, principal.visitor().is_some())?;
            let visit = visit(&principal, &tenant, neighbour(&request));
            Ok(Self { principal, tenant, visit })
        })
    }
}

impl<B: FromRequest + 'static> FromRequest for With<B> {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, actix_web::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let caller = Caller::from_request(&request, &mut payload).await?;
            let body = B::from_request(&request, &mut payload).await.map_err(Into::into)?;
            let edge = edge(&request)?;
            caller.still_may(&edge).await?;
            check_token_page(page(&request).as_ref(), &caller.principal, &caller.tenant).map_err(ApiError::from)?;
            Ok(Self(caller, body))
        })
    }
}

impl FromRequest for Operator {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let edge = edge(&request)?;
            let credential = credential(&request).ok_or(AuthError::Unauthorized)?;
            let shown = edge.parts.access.principal(&credential, neighbour(&request), edge.now()).await;
            match shown {
                Ok(principal) if principal.may(Action::RunNode) => Ok(Self(())),
                // Why another key opens nothing else either is nobody's business here; that keys are guessed is.
                Err(failure) if failure.code == ErrorCode::RateLimited => Err(failure.into()),
                Ok(_) | Err(_) => Err(AuthError::Unauthorized.into()),
            }
        })
    }
}

fn edge(request: &HttpRequest) -> Result<web::Data<Edge>, ApiError> {
    let edge = request.app_data::<web::Data<Edge>>().cloned();
    edge.ok_or_else(|| Failure::new(ErrorCode::Internal, "the node is not set up").into())
}

fn credential(request: &HttpRequest) -> Option<String> {
    let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    bearer(header).map(str::to_owned)
}
