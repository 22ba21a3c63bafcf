//! Mounts every operation at its path. What is at no path answers in our own words too.

use actix_web::Resource;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use schema::ErrorCode;

use super::body;
use super::operations::operations;
use crate::docs::Operation;
use crate::error::ApiError;

/// Mounts all operations and pages. `Edge` must be among the app's data.
pub fn configure(app: &mut ServiceConfig) {
    app.app_data(body::payload()).app_data(body::query()).app_data(body::path());
    let all: Vec<&Operation> = operations().collect();
    for of_one_path in all.chunk_by(|one, next| one.path == next.path) {
        app.service(of_one_path.iter().fold(only(of_one_path), |path, operation| path.route(operation.mounted())));
    }
    app.configure(crate::web::configure).default_service(web::to(unknown_route));
}

/// A path that answers other methods with the ones it takes. Whoever may `GET` may ask for the head alone.
fn only(operations: &[&Operation]) -> Resource {
    let takes: Vec<&str> = operations.iter().map(|operation| operation.method.name()).collect();
    let allow = takes.join(", ").replace("GET", "GET, HEAD");
    resource(operations[0].path).default_service(web::to(move || {
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
