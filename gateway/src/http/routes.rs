//! Every route, top to bottom. What is not here answers in our own words too.

use actix_web::Resource;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, ServiceConfig, delete, get, post, put, resource};
use actix_web::{HttpRequest, HttpResponse};
use schema::ErrorCode;

use super::{
    admin, answers, body, conversations, health, knowledge, learning, plans, socket, stream, tenant, unanswered,
    visitors, widget,
};
use crate::docs;
use crate::error::ApiError;

/// Mounts all routes. `Edge` must be among the app's data.
pub fn configure(app: &mut ServiceConfig) {
    app.app_data(body::json())
        .app_data(body::payload())
        .app_data(body::query())
        .app_data(body::path())
        .service(only("/healthz", "GET").route(get().to(health::alive)))
        .service(only("/readyz", "GET").route(get().to(health::ready)))
        .service(only("/metrics", "GET").route(get().to(health::metrics)))
        .service(only("/openapi.json", "GET").route(get().to(docs::openapi)))
        .service(only("/asyncapi.json", "GET").route(get().to(docs::asyncapi)))
        .service(only("/v1/ws", "GET").route(get().to(socket::open)))
        .service(
            only("/v1/conversations", "GET, POST")
                .route(get().to(conversations::list))
                .route(post().to(conversations::open)),
        )
        .service(
            only("/v1/conversations/{id}", "GET, DELETE")
                .route(get().to(conversations::view))
                .route(delete().to(conversations::erase)),
        )
        .service(only("/v1/conversations/{id}/messages", "POST").route(post().to(conversations::say)))
        .service(only("/v1/conversations/{id}/messages/{seq}/verdict", "POST").route(post().to(unanswered::judge)))
        .service(only("/v1/conversations/{id}/events", "GET").route(get().to(conversations::events)))
        .service(only("/v1/conversations/{id}/stream", "GET").route(get().to(stream::open)))
        .service(only("/v1/conversations/{id}/cancel", "POST").route(post().to(conversations::cancel)))
        .service(only("/v1/conversations/{id}/human", "POST").route(post().to(conversations::human)))
        .service(only("/v1/conversations/{id}/close", "POST").route(post().to(conversations::close)))
        .service(
            only("/v1/visitors", "POST, DELETE").route(post().to(visitors::make)).route(delete().to(visitors::log_out)),
        )
        .service(only("/v1/widget/{tenant}", "POST").route(post().to(widget::session)))
        .service(only("/v1/tenant", "GET, PUT").route(get().to(tenant::view)).route(put().to(tenant::replace)))
        .service(
            only("/v1/knowledge", "GET, POST, DELETE")
                .route(get().to(knowledge::list))
                .route(post().to(knowledge::learn))
                .route(delete().to(knowledge::forget)),
        )
        .service(only("/v1/knowledge/document", "GET").route(get().to(knowledge::document)))
        .service(only("/v1/knowledge/document/markdown", "GET").route(get().to(knowledge::markdown)))
        .service(only("/v1/knowledge/files", "POST").route(post().to(learning::file)))
        .service(
            only("/v1/knowledge/sites", "GET, POST, DELETE")
                .route(get().to(learning::sites))
                .route(post().to(learning::learn_site))
                .route(delete().to(learning::forget_site)),
        )
        .service(only("/v1/knowledge/jobs/{id}", "GET").route(get().to(learning::job)))
        .service(only("/v1/answers", "GET, POST").route(get().to(answers::list)).route(post().to(answers::post)))
        .service(
            only("/v1/answers/{id}", "PUT, DELETE").route(put().to(answers::put)).route(delete().to(answers::delete)),
        )
        .service(only("/v1/unanswered", "GET").route(get().to(unanswered::list)))
        .service(only("/v1/unanswered/{key}", "DELETE").route(delete().to(unanswered::dismiss)))
        .service(only("/v1/admin/tenants", "GET, POST").route(get().to(admin::list)).route(post().to(admin::create)))
        .service(only("/v1/admin/tenants/{id}/rotate-key", "POST").route(post().to(admin::rotate_key)))
        .service(only("/v1/admin/tenants/{id}/disable", "POST").route(post().to(admin::disable)))
        .service(only("/v1/admin/tenants/{id}/enable", "POST").route(post().to(admin::enable)))
        .service(only("/v1/admin/tenants/{id}/plan", "PUT").route(put().to(plans::choose)))
        .service(only("/v1/admin/plans", "GET").route(get().to(plans::list)))
        .service(
            only("/v1/admin/plans/{name}", "GET, PUT").route(get().to(plans::view)).route(put().to(plans::replace)),
        )
        .service(only("/v1/admin/tenants/{tenant}/conversations/{id}/release", "POST").route(post().to(admin::release)))
        .configure(crate::web::configure)
        .default_service(web::to(unknown_route));
}

/// A path that answers other methods with the ones it takes. Whoever may `GET` may ask for the head alone.
fn only(path: &str, takes: &str) -> Resource {
    let allow = takes.replace("GET", "GET, HEAD");
    resource(path).default_service(web::to(move || {
        let error = ApiError::new(ErrorCode::MethodNotAllowed, format!("this path takes {allow}"));
        let error = match HeaderValue::from_str(&allow) {
            Ok(allow) => error.with_header(header::ALLOW, allow),
            Err(_) => error,
        };
        std::future::ready(Err::<HttpResponse, _>(error))
    }))
}

async fn unknown_route(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(nothing_at(request.path()))
}

pub(super) fn nothing_at(path: &str) -> ApiError {
    let path: String = path.chars().take(100).collect();
    ApiError::new(ErrorCode::UnknownRoute, format!("there is nothing at `{path}`; see /openapi.json"))
}
