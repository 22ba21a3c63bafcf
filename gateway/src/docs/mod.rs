//! The protocol's machine-readable descriptions, made from the very types that are sent.

mod asyncapi;
mod openapi;
mod operations;

use std::sync::LazyLock;

use actix_web::HttpResponse;

pub use operations::{OPERATIONS, Operation};

static OPENAPI: LazyLock<String> = LazyLock::new(|| openapi::document().to_string());
static ASYNCAPI: LazyLock<String> = LazyLock::new(|| asyncapi::document().to_string());

pub(crate) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI.as_str())
}

pub(crate) async fn asyncapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(ASYNCAPI.as_str())
}
