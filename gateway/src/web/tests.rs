//! What a caller gets of each coding and name, as the routes answer.

use std::io::Read as _;

use actix_web::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG,
    HeaderMap, HeaderName, IF_NONE_MATCH, VARY,
};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, http::StatusCode};
use bytes::Bytes;

struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn get(path: &str, headers: &[(HeaderName, &str)]) -> Got {
    let app = init_service(App::new().configure(super::configure)).await;
    let mut request = TestRequest::get().uri(path);
    for header in headers {
        request = request.insert_header((header.0.clone(), header.1));
    }
    let response = call_service(&app, request.to_request()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    Got { status, headers, body: read_body(response).await }
}

fn opened(got: &Got) -> Vec<u8> {
    let mut plain = Vec::new();
    match got.header(CONTENT_ENCODING) {
        "br" => brotli::Decompressor::new(&*got.body, 4096).read_to_end(&mut plain).map(drop),
        "gzip" => flate2::read::GzDecoder::new(&*got.body).read_to_end(&mut plain).map(drop),
        _ => {
            plain.extend_from_slice(&got.body);
            Ok(())
        }
    }
    .unwrap();
    plain
}

#[actix_web::test]
async fn each_caller_gets_the_best_coding_that_it_takes() {
    for path in ["/", "/studio", "/widget.js", "/web/tertulia.js", "/web/ui/visitor.js", "/web/ui/tokens.css"] {
        let plain = get(path, &[]).await;
        for (accepted, coding) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip, deflate", "gzip"),
            ("br;q=0.5, gzip", "gzip"),
            ("br;q=0, gzip", "gzip"),
            ("zstd", ""),
            ("identity", ""),
            ("*", ""),
            ("", ""),
            ("gzip;q=0, br;q=0", ""),
            ("nonsense;;q=x", ""),
        ] {
            let got = get(path, &[(ACCEPT_ENCODING, accepted)]).await;
            assert_eq!((got.status, got.header(CONTENT_ENCODING)), (StatusCode::OK, coding), "{path} {accepted}");
            assert_eq!(got.header(VARY), "accept-encoding", "{path}");
            assert_eq!(opened(&got), plain.body, "{path} {accepted}");
            let other = got.header(ETAG) != plain.header(ETAG);
            assert_eq!(other, !coding.is_empty(), "{path} {accepted}: a coding is another representation");
            // What it has kept it is not sent again.
            for (known, status) in [
                (got.header(ETAG).to_owned(), StatusCode::NOT_MODIFIED),
                (format!("\"other\", W/{}", got.header(ETAG)), StatusCode::NOT_MODIFIED),
                ("*".to_owned(), StatusCode::NOT_MODIFIED),
                ("\"other\"".to_owned(), StatusCode::OK),
            ] {
                let again = get(path, &[(ACCEPT_ENCODING, accepted), (IF_NONE_MATCH, &known)]).await;
                assert_eq!(again.status, status, "{path} {accepted} {known}");
                assert_eq!(again.header(ETAG), got.header(ETAG));
                assert_eq!(again.body.is_empty(), status == StatusCode::NOT_MODIFIED);
            }
        }
    }
}

#[actix_web::test]
async fn what_a_document_names_is_kept_for_a_year_and_the_document_is_not() {
    for path in ["/", "/studio"] {
        let document = get(path, &[]).await;
        assert_eq!(document.header(CACHE_CONTROL), "no-cache");
        let policy = document.header(CONTENT_SECURITY_POLICY);
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let text = String::from_utf8(document.body.to_vec()).unwrap();
        let names: Vec<&str> = text.split("\"/web/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(names.len(), 3, "{text}");
        for name in names {
            let file = get(&format!("/web/{name}"), &[]).await;
            assert_eq!(file.status, StatusCode::OK, "{name}");
            assert_eq!(file.header(CACHE_CONTROL), "public, max-age=31536000, immutable", "{name}");
            // A cache may hand it on to a page of another origin.
            assert_eq!(file.header(ACCESS_CONTROL_ALLOW_ORIGIN), "*", "{name}");
            let (stem, extension) = name.rsplit_once('.').unwrap();
            let older = format!("/web/{}.{}.{extension}", stem.rsplit_once('.').unwrap().0, "0".repeat(16));
            let now = get(&older, &[]).await;
            assert_eq!((now.header(CACHE_CONTROL), &now.body), ("no-cache", &file.body), "{older}");
        }
    }
}

/// A page of somebody else's that loads the client asks one node once: another node may be of another version.
#[actix_web::test]
async fn the_client_is_one_file() {
    for (path, exported) in [("/web/tertulia.js", "Tertulia"), ("/web/ui/visitor.js", "visitor")] {
        let got = get(path, &[]).await;
        assert_eq!((got.status, got.header(CACHE_CONTROL)), (StatusCode::OK, "no-cache"), "{path}");
        let text = String::from_utf8(got.body.to_vec()).unwrap();
        let imports = text.lines().any(|line| line.starts_with("import ") || line.contains("import("));
        let exports = text.lines().any(|line| line.starts_with("export ") && line.contains(exported));
        assert!(!imports && exports, "{path}: {text}");
    }
}
