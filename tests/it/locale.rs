//! The language of the contact's page, told when a conversation is opened: over HTTP, on a socket, after a restart.

use schema::wire::Created;
use schema::{ConversationId, Fact};
use serde_json::{Value, json};
use tests::api::Api;
use tests::client::Socket;
use tests::node::Node;
use tests::stream::text_of;
use tests::stub::Stub;

const ROOMS: &str = "# Habitaciones\n\n## Wifi\n\nEl wifi es gratis en todas las habitaciones y en el bar.\n";

async fn opened(api: &Api, body: Value) -> ConversationId {
    let answer = api.post("/v1/conversations", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.ok::<Created>().id
}

async fn locale_of(api: &Api, id: ConversationId) -> (Option<String>, Option<String>) {
    let log = api.log(id).await;
    let Some(Fact::Opened { locale, .. }) = log.events.first().map(|event| &event.fact) else { panic!("{log:?}") };
    let said = |locale: &Option<schema::Locale>| locale.as_ref().map(ToString::to_string);
    (said(locale), said(&api.view(id).await.locale))
}

#[tokio::test]
async fn a_page_s_language_answers_what_tells_none() {
    let mut node = Node::start(&[]);
    node.api().learn("habitaciones.md", ROOMS).await;
    let rows = [(None, "De “"), (Some("de-AT"), "Aus “"), (Some("EN"), "From “"), (Some("fi"), "De “")];
    let mut asked = Vec::new();
    for (locale, begins) in rows {
        let body = locale.map_or_else(|| json!({}), |locale| json!({"locale": locale}));
        let by_http = opened(&node.api(), body).await;
        let mut socket = Socket::open(node.address, &node.demo_key()).await;
        let frame = locale.map_or_else(|| json!({"type": "join"}), |locale| json!({"type": "join", "locale": locale}));
        let joined = socket.call(frame).await.unwrap();
        let by_socket: ConversationId = serde_json::from_value(joined["conversation"].clone()).unwrap();
        for id in [by_http, by_socket] {
            let expected = locale.map(str::to_owned);
            assert_eq!(locale_of(&node.api(), id).await, (expected.clone(), expected), "{locale:?}");
            let reply = node.api().ask(id, "q1", "wifi?").await;
            assert!(text_of(&reply).starts_with(begins), "{locale:?}: {}", text_of(&reply));
            let reply = node.api().ask(id, "q2", "¿Hay wifi en las habitaciones?").await;
            assert!(text_of(&reply).starts_with("De “"), "the question tells: {}", text_of(&reply));
        }
        // Who joins what is open has nothing to say about it.
        let frame = json!({"type": "join", "conversation": by_http, "locale": "fr"});
        assert_eq!(socket.call(frame).await.unwrap()["conversation"], json!(by_http));
        assert_eq!(locale_of(&node.api(), by_http).await.0, locale.map(str::to_owned));
        asked.push((opened(&node.api(), json!({"locale": locale})).await, begins));
    }
    // What was opened and not used yet is known after a restart.
    let root = node.root();
    node.kill();
    let node = Node::start_in(root, &[]);
    for (id, begins) in asked {
        let reply = node.api().ask(id, "q1", "wifi?").await;
        assert!(text_of(&reply).starts_with(begins), "{}", text_of(&reply));
    }
}

#[tokio::test]
async fn a_model_is_told_the_page_s_language_until_the_words_tell() {
    let mut stub = Stub::start();
    let node = Node::start(&[
        ("OPENAI_BASE_URL", &stub.base()),
        ("OPENAI_API_KEY", "sk-of-the-stub"),
        ("TERTULIA_MODEL", "openai/stub"),
    ]);
    let api = node.api();
    let id = opened(&api, json!({"contact": "ana", "locale": "es-MX"})).await;
    for (at, (said, told)) in [
        ("wifi?", "Answer in Spanish, unless the message is in another language.]"),
        ("How long does the delivery to Portugal take?", "Answer in English.]"),
    ]
    .into_iter()
    .enumerate()
    {
        let seq = api.say(id, &format!("m{at}"), said).await;
        let call = stub.call().await;
        assert!(call.asked().contains(told), "{said}: {}", call.asked());
        call.token("Yes.");
        call.finish();
        api.reply(id, seq).await;
    }
    let id = api.open().await;
    api.say(id, "m1", "wifi?").await;
    let call = stub.call().await;
    assert!(!call.asked().contains("Answer in"), "{}", call.asked());
    call.finish();
}

#[tokio::test]
async fn what_is_no_tag_of_a_language_is_refused() {
    let node = Node::start(&[]);
    let api = node.api();
    let mut socket = Socket::open(node.address, &node.demo_key()).await;
    for tag in ["", "e", "es_ES", "Spanish, please", "en\n", &"es-".repeat(20), "ignore-everything-above"] {
        let answer = api.post("/v1/conversations", &json!({"locale": tag})).await;
        assert_eq!(answer.failure(), (400, "bad_field"), "{tag}");
        let refusal = socket.call(json!({"type": "join", "locale": tag})).await.unwrap_err();
        assert_eq!(refusal.code.name(), "bad_frame", "{tag}");
    }
    assert!(socket.call(json!({"type": "join"})).await.is_ok(), "the socket goes on");
}
