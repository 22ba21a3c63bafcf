//! Everything that can be wrong with a request, each with its status and code in the one form.

use serde_json::json;
use tests::api::Api;
use tests::node::Node;

/// Who asks.
#[derive(Clone, Copy)]
enum Who {
    Tenant,
    Operator,
    Nobody,
    Stranger,
}
use Who::{Nobody, Operator, Stranger, Tenant};

#[tokio::test]
async fn each_fault_has_its_code() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let unknown = schema::ConversationId::generate();
    let messages = format!("/v1/conversations/{id}/messages");
    let human = format!("/v1/conversations/{id}/human");
    let large = "x".repeat(schema::limits::BODY_BYTES_MAX + 1);
    let long_ref = json!({"ref": "x".repeat(65), "text": "Hi!"}).to_string();
    let large_open = json!({"contact": large}).to_string();
    let at = |id: &dyn std::fmt::Display, rest: &str| format!("/v1/conversations/{id}{rest}");

    let rows: Vec<(Who, &str, String, &str, u16, &str)> = vec![
        // Routes and methods.
        (Tenant, "GET", "/v1".into(), "", 404, "unknown_route"),
        (Nobody, "GET", "/v1/nothing".into(), "", 404, "unknown_route"),
        (Tenant, "GET", "/v1/conversations/".into(), "", 404, "unknown_route"),
        (Tenant, "GET", at(&id, "/"), "", 404, "unknown_route"),
        (Tenant, "GET", "/v1//conversations".into(), "", 404, "unknown_route"),
        (Tenant, "POST", "/openapi.json/x".into(), "", 404, "unknown_route"),
        // What stands in for an id.
        (Tenant, "GET", at(&unknown, ""), "", 404, "unknown_conversation"),
        (Tenant, "GET", at(&"7", ""), "", 404, "unknown_conversation"),
        (Tenant, "GET", at(&"conv_%2e%2e", "/events"), "", 404, "unknown_conversation"),
        (Tenant, "GET", at(&unknown, "/events"), "", 404, "unknown_conversation"),
        (Tenant, "GET", at(&unknown, "/stream"), "", 404, "unknown_conversation"),
        (Tenant, "POST", at(&unknown, "/messages"), r#"{"ref":"r","text":"Hi!"}"#, 404, "unknown_conversation"),
        (Tenant, "POST", at(&unknown, "/cancel"), "", 404, "unknown_conversation"),
        (Tenant, "POST", at(&unknown, "/close"), "", 404, "unknown_conversation"),
        (Tenant, "POST", at(&unknown, "/human"), r#"{"action":"take","agent":"Zoe"}"#, 404, "unknown_conversation"),
        // Who asks.
        (Nobody, "GET", "/v1/conversations".into(), "", 401, "unauthorized"),
        (Stranger, "GET", "/v1/conversations".into(), "", 401, "unauthorized"),
        (Nobody, "POST", messages.clone(), "{", 401, "unauthorized"),
        (Operator, "GET", "/v1/conversations".into(), "", 401, "unauthorized"),
        (Tenant, "GET", "/v1/admin/tenants".into(), "", 401, "unauthorized"),
        (Nobody, "POST", "/v1/admin/tenants".into(), r#"{"name":"x"}"#, 401, "unauthorized"),
        // Bodies.
        (Tenant, "POST", messages.clone(), "", 400, "bad_json"),
        (Tenant, "POST", messages.clone(), "{", 400, "bad_json"),
        (Tenant, "POST", messages.clone(), r#"{"ref":"r","text":"a"}x"#, 400, "bad_json"),
        (Tenant, "POST", messages.clone(), "[]", 400, "bad_field"),
        // An object is an object: not the list of its fields' values, at the top or below it.
        (Tenant, "POST", messages.clone(), r#"["r1","hello"]"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), r#" ["r1","hello",null]"#, 400, "bad_field"),
        (Tenant, "POST", "/v1/conversations".into(), r#"["Ana","es"]"#, 400, "bad_field"),
        (Tenant, "POST", "/v1/knowledge".into(), r#"["a.md","words"]"#, 400, "bad_field"),
        (Operator, "POST", "/v1/admin/tenants".into(), r#"["acme",null]"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), r#"{"text":"a"}"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), r#"{"ref":"r"}"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), r#"{"ref":7,"text":"a"}"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), r#"{"ref":"","text":"a"}"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), r#"{"ref":"a\nb","text":"a"}"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), r#"{"ref":"r","text":"a","more":1}"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), r#"{"ref":"r","text":""}"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), r#"{"ref":"r","text":" \n\t "}"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), r#"{"ref":"r","text":"a","agent":""}"#, 400, "bad_field"),
        (Tenant, "POST", messages.clone(), &long_ref, 400, "bad_field"),
        (Tenant, "POST", human.clone(), r#"{"action":"steal","agent":"Zoe"}"#, 400, "bad_field"),
        (Tenant, "POST", human.clone(), r#"{"action":"take"}"#, 400, "bad_field"),
        (Tenant, "POST", human, r#"{"action":"take","agent":""}"#, 400, "bad_field"),
        (Tenant, "POST", "/v1/conversations".into(), "{", 400, "bad_json"),
        (Tenant, "POST", "/v1/conversations".into(), r#"{"contact":""}"#, 400, "bad_field"),
        (Tenant, "POST", "/v1/conversations".into(), r#"{"who":"Ana"}"#, 400, "bad_field"),
        (Operator, "POST", "/v1/admin/tenants".into(), r#"{"name":""}"#, 400, "bad_field"),
        (Operator, "POST", "/v1/admin/tenants".into(), "{}", 400, "bad_field"),
        // Sizes.
        (Tenant, "POST", "/v1/conversations".into(), &large_open, 413, "too_large"),
        (Tenant, "POST", "/v1/visitors".into(), &large_open, 413, "too_large"),
        // Positions.
        (Tenant, "GET", at(&id, "/stream?after=x"), "", 400, "bad_position"),
        (Tenant, "GET", at(&id, "/stream?after=-1"), "", 400, "bad_position"),
        (Tenant, "GET", at(&id, "/stream?after=1:2"), "", 400, "bad_position"),
        (Tenant, "GET", at(&id, "/stream?after=2"), "", 400, "bad_position"),
        (Tenant, "GET", at(&id, "/stream?from=1"), "", 400, "bad_field"),
        // A socket that is none.
        (Tenant, "GET", "/v1/ws".into(), "", 426, "bad_field"),
    ];
    for (who, method, path, body, status, code) in rows {
        let who = match who {
            Tenant => api.clone(),
            Operator => node.operator(),
            Nobody => api.nobody(),
            Stranger => api.showing("not-a-key-of-anybody"),
        };
        let mut request = who.request(method, &path);
        if method == "POST" {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let answer = Api::send(request).await;
        assert_eq!(answer.failure(), (status, code), "{method} {path} {body:.80}: {}", answer.body);
    }
    for bytes in [schema::limits::TEXT_BYTES_MAX + 1, schema::limits::BODY_BYTES_MAX + 1] {
        let answer = api.try_say(id, "r", &"x".repeat(bytes)).await;
        assert_eq!(answer.failure(), (413, "too_large"), "{bytes} bytes");
    }
    assert_eq!(api.view(id).await.head, 1, "nothing of all that was stored");
}

#[tokio::test]
async fn the_largest_text_is_taken_and_another_byte_is_not() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    // Two bytes each, so that characters and bytes are told apart.
    let most = "ü".repeat(schema::limits::TEXT_BYTES_MAX / 2);
    assert_eq!(api.say(id, "r1", &most).await, 2);
    assert_eq!(api.try_say(id, "r2", &format!("{most}.")).await.failure(), (413, "too_large"));
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    for (method, path, allow) in [
        ("POST", "/healthz".to_owned(), "GET, HEAD"),
        ("DELETE", "/metrics".into(), "GET, HEAD"),
        ("PUT", "/openapi.json".into(), "GET, HEAD"),
        ("POST", "/v1/ws".into(), "GET, HEAD"),
        ("DELETE", "/v1/conversations".into(), "GET, HEAD, POST"),
        ("PATCH", format!("/v1/conversations/{id}"), "GET, HEAD, DELETE"),
        ("GET", format!("/v1/conversations/{id}/messages"), "POST"),
        ("POST", format!("/v1/conversations/{id}/events"), "GET, HEAD"),
        ("POST", format!("/v1/conversations/{id}/stream"), "GET, HEAD"),
        ("GET", format!("/v1/conversations/{id}/cancel"), "POST"),
        ("GET", format!("/v1/conversations/{id}/human"), "POST"),
        ("GET", format!("/v1/conversations/{id}/close"), "POST"),
        ("GET", "/v1/visitors".into(), "POST, DELETE"),
        ("POST", "/v1/tenant".into(), "GET, HEAD, PUT"),
        ("PUT", "/v1/knowledge".into(), "GET, HEAD, POST, DELETE"),
        ("DELETE", "/v1/admin/tenants".into(), "GET, HEAD, POST"),
    ] {
        let answer = api.call(method, &path).await;
        assert_eq!(answer.failure(), (405, "method_not_allowed"), "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn only_json_is_taken() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let body = json!({"ref": "r", "text": "Hello there!"}).to_string();
    for (kind, taken) in [
        (Some("text/plain"), false),
        (Some("application/x-www-form-urlencoded"), false),
        (None, false),
        (Some("application/json"), true),
        (Some("application/json; charset=utf-8"), true),
    ] {
        let mut request = api.request("POST", &format!("/v1/conversations/{id}/messages")).body(body.clone());
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let answer = Api::send(request).await;
        if taken {
            assert_eq!(answer.status, 200, "{kind:?} {}", answer.body);
        } else {
            assert_eq!(answer.failure(), (415, "unsupported_media_type"), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_body_is_taken_unpacked_and_in_utf_8() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let plain = json!({"ref": "r", "text": "Hello there!"}).to_string();
    let marked = format!("\u{feff}{plain}");
    let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let messages = format!("/v1/conversations/{id}/messages");
    let document = json!({"source": "a.md", "text": "# Hours"}).to_string();
    for (path, body, coding, answered) in [
        (messages.as_str(), plain.as_bytes(), None, Ok(200)),
        (&messages, plain.as_bytes(), Some("identity"), Ok(200)),
        (&messages, plain.as_bytes(), Some("Identity, identity"), Ok(200)),
        (&messages, marked.as_bytes(), None, Ok(200)),
        (&messages, &wide, None, Err((400, "bad_json", "UTF-8"))),
        (&messages, b"\x1f\x8b\x08\0", Some("gzip"), Err((415, "unsupported_media_type", "unpacked"))),
        (&messages, plain.as_bytes(), Some("identity, br"), Err((415, "unsupported_media_type", "unpacked"))),
        ("/v1/conversations", b"\x1f\x8b\x08\0", Some("gzip"), Err((415, "unsupported_media_type", "unpacked"))),
        ("/v1/knowledge", document.as_bytes(), Some("zstd"), Err((415, "unsupported_media_type", "unpacked"))),
        ("/v1/knowledge", document.as_bytes(), None, Ok(200)),
        (
            "/v1/knowledge/files?source=a.md",
            b"# Hours",
            Some("deflate"),
            Err((415, "unsupported_media_type", "unpacked")),
        ),
        ("/v1/knowledge/files?source=a.md", b"# Hours", Some("identity"), Ok(200)),
    ] {
        let mut request = api.request("POST", path).header("content-type", "application/json").body(body.to_vec());
        if path.contains("files") {
            request = api.request("POST", path).header("content-type", "text/markdown").body(body.to_vec());
        }
        if let Some(coding) = coding {
            request = request.header("content-encoding", coding);
        }
        let answer = Api::send(request).await;
        match answered {
            Ok(status) => assert_eq!(answer.status, status, "{path} {coding:?}: {}", answer.body),
            Err((status, code, says)) => {
                assert_eq!(answer.failure(), (status, code), "{path} {coding:?}");
                assert!(answer.body.contains(says), "{}", answer.body);
                assert_eq!(answer.header("accept-encoding") == "identity", status == 415, "{path} {coding:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_name_that_stands_twice_is_named_and_nothing_is_done() {
    let node = Node::start(&[]);
    let api = node.api();
    let opened = api.get(&format!("/v1/conversations/{}", api.open_with("Ana").await)).await.ok::<serde_json::Value>();
    let path = format!("/v1/contacts/{}", opened["contact_id"].as_str().unwrap());
    let version = api.get(&path).await.ok::<serde_json::Value>()["version"].clone();
    for (change, name) in [
        (r#""consents":{"news":{"given":false},"news":{"given":true}}"#, "news"),
        (r#""attributes":{"p":"x","p":null}"#, "p"),
        (r#""attributes":{"p":"x"},"attributes":{}"#, "attributes"),
    ] {
        let body = format!(r#"{{"version":{version},{change}}}"#);
        let request = api.request("PATCH", &path).header("content-type", "application/json").body(body);
        let answer = Api::send(request).await;
        assert_eq!(answer.failure(), (400, "bad_field"), "{change}");
        assert!(answer.body.contains(&format!("`{name}`")), "{}", answer.body);
    }
    let contact = api.get(&path).await.ok::<serde_json::Value>();
    assert_eq!((&contact["version"], &contact["consents"], &contact["attributes"]), (&version, &json!({}), &json!({})));
}

#[tokio::test]
async fn too_many_requests_are_told_how_long_to_wait() {
    let node = Node::start(&[]);
    let api = node.api();
    api.change_profile(|profile| profile.quotas.requests_per_second = std::num::NonZeroU32::MIN).await;
    let refused = loop {
        let answer = api.get("/v1/tenant").await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(refused.failure(), (429, "rate_limited"));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    let body: schema::wire::ErrorBody = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(body.error.retry_after, Some(wait));
    assert_eq!(api.nobody().get("/readyz").await.status, 200, "others are not touched");
}
