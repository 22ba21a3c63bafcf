//! The pages, their modules and the client, compiled in. In a debug build they are read from their
//! folder, so that a change shows at the next reload.

use std::borrow::Cow;

use actix_web::http::header::{self, EntityTag, HeaderValue};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};
use schema::ErrorCode;

use crate::http::ApiError;

/// Nothing from elsewhere runs, and nothing inline; no page may frame one of ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; \
                      img-src 'self' data: https:; font-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "web/"]
#[include = "*.html"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.ts"]
#[include = "*.svg"]
struct Files;

/// Addresses that are promised, and the files behind them. Every file is also at `/web/` and its path.
const NAMED: &[(&str, &str)] = &[
    ("/", "chat/index.html"),
    ("/studio", "studio/index.html"),
    ("/tertulia.d.ts", "tertulia.d.ts"),
    ("/widget.js", "widget.js"),
];

/// Mounts them.
pub(crate) fn configure(app: &mut ServiceConfig) {
    for (address, file) in NAMED {
        app.route(address, web::get().to(move |request: HttpRequest| std::future::ready(serve(&request, file))));
    }
    // Whoever types a stroke too much means the page.
    app.service(web::redirect("/studio/", "/studio"));
    // A redirect, because the client's own modules lie beside the file.
    app.service(web::redirect("/tertulia.js", "/web/tertulia.js"));
    app.route(
        "/web/{file:.*}",
        web::get().to(|request: HttpRequest, file: web::Path<String>| std::future::ready(serve(&request, &file))),
    );
}

fn serve(request: &HttpRequest, path: &str) -> Result<HttpResponse, ApiError> {
    let Some(EmbeddedFile { data, metadata }) = Files::get(path) else {
        return Err(ApiError::new(ErrorCode::UnknownRoute, "there is no such page; the chat is at `/`"));
    };
    let hash: String = metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = EntityTag::new_strong(hash);
    let known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|sent| {
        sent.to_str()
            .is_ok_and(|sent| sent.split(',').any(|one| one.trim().trim_start_matches("W/") == tag.to_string()))
    });
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(header::ETag(tag))
        // Kept, and asked for again: a new version of the node is a new version of its pages.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_TYPE, kind(path)))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        // Pages of other origins load the widget and the client.
        .insert_header(("cross-origin-resource-policy", "cross-origin"));
    Ok(match data {
        _ if known => response.finish(),
        // Compiled in: however many ask, nothing is copied.
        Cow::Borrowed(bytes) => response.body(Bytes::from_static(bytes)),
        Cow::Owned(bytes) => response.body(bytes),
    })
}

fn kind(path: &str) -> HeaderValue {
    HeaderValue::from_static(match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    })
}
