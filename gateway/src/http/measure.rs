//! Counts requests, measures how long they take, and logs them at level debug. Neither path nor
//! tenant is a label; the log knows the route, not what was filled into it.

use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use crate::metrics::{REQUEST_SECONDS, REQUESTS};

/// Measures up to the answer's head: a stream's body has no end of its own.
pub(crate) async fn measure<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.match_pattern();
    let answered = next.call(request).await;
    let status = match &answered {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    metrics::counter!(REQUESTS, "status" => class(status.as_u16())).increment(1);
    let took = began.elapsed();
    metrics::histogram!(REQUEST_SECONDS).record(took);
    let route = route.as_deref().unwrap_or("unknown");
    tracing::debug!(%method, route, status = status.as_u16(), took_us = took.as_micros(), "request");
    answered
}

const fn class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
