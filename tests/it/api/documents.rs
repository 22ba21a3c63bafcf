//! The API's own documents agree with what is served.

use serde_json::Value;
use tests::node::Node;
use tests::source;

#[tokio::test]
async fn every_documented_operation_is_served_and_guarded() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let tenant = api.tenant().await.id;
    let document: Value = api.nobody().get("/openapi.json").await.ok();
    assert_eq!(document["openapi"], "3.1.0");
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let of_tenant = path.starts_with("/v1/admin/") && !path.contains("conversations");
        let own = if of_tenant { tenant.to_string() } else { id.to_string() };
        let real = path.replace("{id}", &own).replace("{tenant}", &tenant.to_string()).replace("{name}", "default");
        let real = real.replace("{seq}", "3").replace("{key}", "some-key");
        assert!(!real.contains('{'), "{path}");
        let operations = operations.as_object().unwrap();
        for (method, operation) in operations {
            count += 1;
            let method = method.to_uppercase();
            let answer = api.nobody().call(&method, &real).await;
            if path == "/v1/ws" {
                // A socket may say who it is later; a plain request is told what is missing.
                assert_eq!(answer.failure(), (426, "bad_field"), "{answer:?}");
            } else if path.starts_with("/v1/widget/") {
                assert_eq!(answer.failure(), (403, "origin_refused"), "the page is the key: {method} {path}");
            } else if operation.get("security").is_some() {
                assert_eq!(answer.failure(), (401, "unauthorized"), "{method} {path}");
            } else {
                assert_eq!(answer.status, 200, "{method} {path}");
            }
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.contains_key("default") && answers.len() == 2, "{method} {path}");
        }
        // And no others.
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if operations.contains_key(&method.to_lowercase()) {
                continue;
            }
            let answer = api.nobody().call(method, &real).await;
            assert_eq!(answer.failure(), (405, "method_not_allowed"), "{method} {path}");
            for documented in operations.keys() {
                assert!(answer.header("allow").contains(&documented.to_uppercase()), "{path}: {answer:?}");
            }
        }
    }
    assert!(count >= 25, "{count} operations");
    assert_references(&document, &document);
}

/// Every route is one of the described operations, because nothing else mounts any: the pages, and the metrics at
/// an address of their own, are no part of the API.
#[test]
fn no_route_is_mounted_beside_the_operations() {
    let mounts = |text: &str| {
        let code = source::code(text);
        [".service(", ".route(", "resource(", "scope(", "#[get(", "#[post(", "#[put(", "#[delete("]
            .iter()
            .map(|call| code.matches(call).count())
            .sum::<usize>()
    };
    let mounting: Vec<(String, usize)> = source::files()
        .unwrap()
        .into_iter()
        .filter(|file| file.path.starts_with("gateway/src/") && mounts(&file.text) > 0)
        .map(|file| (file.path, mounts(&file.text)))
        .collect();
    let api = ("gateway/src/http/routes.rs".to_owned(), 3);
    assert!(mounting.contains(&api), "one service, its resource and its operations' routes: {mounting:?}");
    for (path, _) in &mounting {
        let known = ["gateway/src/http/routes.rs", "gateway/src/http/health.rs", "gateway/src/web/mod.rs"];
        assert!(
            known.contains(&path.as_str()),
            "{path} mounts routes: make it an operation of gateway/src/http/operations"
        );
    }
}

#[tokio::test]
async fn the_socket_is_described_by_its_own_types() {
    let node = Node::start(&[]);
    let document: Value = node.api().nobody().get("/asyncapi.json").await.ok();
    assert_eq!(document["asyncapi"], "3.0.0");
    assert_references(&document, &document);
    let text = document.to_string();
    for frame in ["auth", "join", "leave", "say", "cancel", "typing", "read", "ping"] {
        assert!(text.contains(&format!(r#""const":"{frame}""#)), "{frame}");
    }
    for frame in ["hello", "reply", "event", "delta", "signal", "error", "going_away"] {
        assert!(text.contains(&format!(r#""const":"{frame}""#)), "{frame}");
    }
}

#[tokio::test]
async fn operators_see_whether_it_lives_and_what_it_does() {
    let node = Node::start(&[]);
    let api = node.api();
    let nobody = api.nobody();
    assert_eq!(nobody.get("/healthz").await.ok::<Value>()["status"], "alive");
    assert_eq!(nobody.get("/readyz").await.ok::<Value>()["status"], "ready");
    let id = api.open().await;
    api.ask(id, "r", "What do you know?").await;
    let metrics = nobody.metrics().await;
    for name in [
        "tertulia_conversations_awake 1",
        "tertulia_conversation_wakes_total",
        "tertulia_turns_total{end=\"completed\"} 1",
        "tertulia_turns_running 0",
        "tertulia_turn_first_token_seconds",
        "tertulia_append_wait_seconds",
        "tertulia_actor_queue_wait_seconds",
        "tertulia_actor_handling_seconds",
        "tertulia_sessions_opened_total{kind=\"stream\"}",
        "tertulia_http_requests_total{status=\"2xx\"}",
        "tertulia_http_request_seconds",
        "tertulia_store_",
        "tertulia_build_info{version=\"",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
    assert!(!metrics.contains(&id.to_string()), "no conversation is a label");
    assert!(!metrics.contains(&api.tenant().await.id.to_string()), "nor a tenant");
}

/// Every `$ref` of a document leads somewhere in it.
fn assert_references(document: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                let target = target.strip_prefix('#').unwrap_or(target);
                assert!(document.pointer(target).is_some(), "{target} leads nowhere");
            }
            fields.values().for_each(|part| assert_references(document, part));
        }
        Value::Array(parts) => parts.iter().for_each(|part| assert_references(document, part)),
        _ => {}
    }
}
