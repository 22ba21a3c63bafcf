//! One file as an answer: in the coding that the caller takes, with how long it may be kept.

use actix_web::http::header::{self, AcceptEncoding, Encoding, EntityTag, HeaderValue, IfNoneMatch};
use actix_web::http::header::{ContentEncoding, Header as _};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use schema::ErrorCode;

use super::site::{self, Asset};
use crate::error::ApiError;

/// Nothing from elsewhere runs, and nothing inline; no page may frame one of ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; \
                      img-src 'self' data: https:; font-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
/// Kept, and asked for again: a new version of the node is a new version of its pages.
const ASK_AGAIN: &str = "no-cache";
/// For what has another name once it has another content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Answers with a file, by its path below `/web/`.
///
/// # Errors
/// `unknown_route` where there is no such file.
pub(super) fn file(request: &HttpRequest, path: &str) -> Result<HttpResponse, ApiError> {
    let site = site::now();
    let Some((asset, lasting)) = site.find(path) else {
        return Err(ApiError::new(ErrorCode::UnknownRoute, "there is no such page; the chat is at `/`"));
    };
    let (coding, content) = coded(request, asset);
    // Each coding is a representation of its own.
    let tag = EntityTag::new_strong(match coding {
        Some(coding) => format!("{}-{}", asset.hash, coding.as_str()),
        None => asset.hash.clone(),
    });
    let known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(header::ETag(tag))
        .insert_header((header::CACHE_CONTROL, if lasting { FOR_EVER } else { ASK_AGAIN }))
        .insert_header((header::VARY, "accept-encoding"))
        .insert_header((header::CONTENT_TYPE, kind(path)))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        // Pages of other origins load the widget and the client, perhaps from a cache that first asked
        // for a page that named no origin.
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header(("cross-origin-resource-policy", "cross-origin"));
    // What a browser can open as a page; the rest has the policy of the page that loads it.
    if matches!(extension(path), "html" | "svg") {
        response.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    }
    if known {
        return Ok(response.finish());
    }
    if let Some(coding) = coding {
        response.insert_header((header::CONTENT_ENCODING, coding.as_str()));
    }
    Ok(response.body(content))
}

/// The content in the best coding that the caller takes. Compiled in: however many ask, nothing is copied.
fn coded(request: &HttpRequest, asset: &Asset) -> (Option<ContentEncoding>, Bytes) {
    let made = [(Encoding::brotli(), &asset.brotli), (Encoding::gzip(), &asset.gzip)];
    let made = made.iter().filter(|(_, content)| !content.is_empty());
    let accepted = AcceptEncoding::parse(request).ok();
    let chosen = accepted.and_then(|accepted| accepted.negotiate(made.clone().map(|(coding, _)| coding)));
    match made.into_iter().find(|(coding, _)| Some(coding) == chosen.as_ref()) {
        Some((Encoding::Known(coding), content)) => (Some(*coding), Bytes::clone(content)),
        _ => (None, asset.plain.clone()),
    }
}

fn kind(path: &str) -> HeaderValue {
    HeaderValue::from_static(match extension(path) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    })
}

fn extension(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}
