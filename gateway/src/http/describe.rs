//! Answers with the protocol's descriptions.

use std::sync::LazyLock;

use actix_web::HttpResponse;

use super::operations::operations;
use crate::docs;

static OPENAPI: LazyLock<String> = LazyLock::new(|| docs::openapi(operations()).to_string());
static ASYNCAPI: LazyLock<String> = LazyLock::new(|| docs::asyncapi().to_string());

pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI.as_str())
}

pub(super) async fn asyncapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(ASYNCAPI.as_str())
}
