//! What each holder of a credential may do, over HTTP and on a socket alike; and agents, who are a part of it.

use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use schema::wire::{AgentToken, ConversationList, ConversationView, EventList, KeyMade, Said, ServerFrame, Signal};
use schema::{Author, ConversationId};
use serde_json::{Value, json};
use tests::api::Api;
use tests::client::Socket;
use tests::node::Node;
use tests::stream::{Stream, reply_of, text_of};

use super::{SHOP, anonymous, auth};

async fn agent(api: &Api, name: &str) -> Api {
    let made: AgentToken = api.post("/v1/agents", &json!({"agent": name})).await.ok();
    assert_eq!(&*made.agent, name);
    api.showing(made.token)
}

fn key_of(api: &Api) -> &str {
    api.key.as_deref().unwrap()
}

/// What comes of a frame: nothing, or the code of its refusal.
async fn frame(socket: &mut Socket, frame: Value) -> &'static str {
    socket.call(frame).await.err().map_or("done", |refusal| refusal.code.name())
}

#[tokio::test]
async fn each_may_over_http_what_its_row_says_and_nothing_else() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open_with("Ana").await;
    let reply = api.ask(id, "m0", "When do you open?").await;
    let zoe = agent(&api, "Zoe").await;
    let ana = api.showing(api.visitor(json!({"contact": "Ana"})).await.token);
    let operator = node.operator();
    let version = api.tenant().await.version;
    let at = |rest: &str| format!("/v1/conversations/{id}{rest}");
    // Key, agent, visitor, operator; in an order in which nothing that is refused is needed later.
    let (yes, no) = ("done", "forbidden");
    for (method, path, body, may) in [
        ("GET", "/v1/conversations".to_owned(), None, [yes, yes, yes]),
        ("GET", at(""), None, [yes, yes, yes]),
        ("GET", at("/events"), None, [yes, yes, yes]),
        ("POST", "/v1/conversations".into(), Some(json!({})), [yes, no, yes]),
        ("POST", "/v1/conversations".into(), Some(json!({"contact": "Bo"})), [yes, no, no]),
        ("POST", at("/cancel"), None, [yes, yes, yes]),
        ("POST", at("/human"), Some(json!({"action": "take", "agent": "Zoe"})), [yes, yes, no]),
        ("POST", at("/messages"), Some(json!({"ref": "a", "text": "Here.", "agent": "Zoe"})), [yes, yes, no]),
        ("POST", at("/messages"), Some(json!({"ref": "b", "text": "As whom?"})), [yes, yes, yes]),
        ("POST", at("/human"), Some(json!({"action": "hand_back", "agent": "Zoe"})), [yes, yes, no]),
        ("POST", at("/close"), None, [yes, yes, no]),
        ("POST", at(&format!("/messages/{}/verdict", reply.seq)), Some(json!({"verdict": "right"})), [yes, no, no]),
        ("GET", "/v1/tenant".into(), None, [yes, no, no]),
        ("PUT", "/v1/tenant".into(), Some(json!({"version": version, "profile": {}})), [yes, no, no]),
        ("GET", "/v1/knowledge".into(), None, [yes, no, no]),
        ("POST", "/v1/knowledge".into(), Some(json!({"source": "a", "text": "# A\n\nWords."})), [yes, no, no]),
        ("GET", "/v1/knowledge/document?source=a".into(), None, [yes, no, no]),
        ("GET", "/v1/knowledge/document/markdown?source=a".into(), None, [yes, no, no]),
        ("DELETE", "/v1/knowledge?source=a".into(), None, [yes, no, no]),
        ("GET", "/v1/knowledge/sites".into(), None, [yes, no, no]),
        ("GET", "/v1/answers".into(), None, [yes, no, no]),
        ("PUT", "/v1/answers/n1".into(), Some(json!({"questions": ["Open?"], "answer": "Yes."})), [yes, no, no]),
        ("DELETE", "/v1/answers/n1".into(), None, [yes, no, no]),
        ("GET", "/v1/unanswered".into(), None, [yes, no, no]),
        ("POST", "/v1/agents".into(), Some(json!({"agent": "Yan"})), [yes, no, no]),
        ("GET", "/v1/agents".into(), None, [no, yes, no]),
        ("DELETE", "/v1/agents?agent=Yan".into(), None, [yes, no, no]),
        ("POST", "/v1/visitors".into(), Some(json!({})), [yes, no, yes]),
        ("DELETE", "/v1/visitors?contact=Bo".into(), None, [yes, no, no]),
        ("DELETE", at(""), None, [yes, no, no]),
    ] {
        // The key last: what it does others find done.
        for (who, may) in [(&zoe, may[1]), (&ana, may[2]), (&operator, "unauthorized"), (&api, may[0])] {
            let request = who.request(method, &path);
            let answer = Api::send(match &body {
                Some(body) => request.json(body),
                None => request,
            })
            .await;
            let came = if answer.status < 300 { "done" } else { answer.code() };
            assert_eq!(came, may, "{method} {path} {body:?} {:?}: {}", who.key, answer.body);
        }
    }
    // What would do more than this test wants, if it were done.
    let nothing = format!("job_{}", "0".repeat(32));
    for who in [&zoe, &ana] {
        for (method, path, body) in [
            ("POST", "/v1/knowledge/sites".to_owned(), json!({"url": "https://shop.example"})),
            ("DELETE", "/v1/knowledge/sites?url=https://shop.example/".into(), Value::Null),
            ("GET", format!("/v1/knowledge/jobs/{nothing}"), Value::Null),
            ("POST", "/v1/knowledge/files?source=a.md".into(), json!({})),
            ("POST", "/v1/answers".into(), json!({"questions": ["Open?"], "answer": "Yes."})),
            ("DELETE", "/v1/unanswered/x".into(), Value::Null),
        ] {
            let answer = Api::send(who.request(method, &path).json(&body)).await;
            assert_eq!(answer.failure(), (403, "forbidden"), "{method} {path} {:?}", who.key);
        }
    }
    // No credential is taken from an address.
    for credential in [key_of(&api), key_of(&zoe), key_of(&ana)] {
        for name in ["token", "key", "access_token"] {
            let answer = api.nobody().get(&format!("/v1/conversations?{name}={credential}")).await;
            assert_eq!(answer.failure(), (401, "unauthorized"), "{name}");
        }
    }
    for who in [&api, &zoe, &ana] {
        for (method, path) in [("GET", "/v1/admin/tenants"), ("GET", "/v1/admin/plans")] {
            assert_eq!(who.call(method, path).await.failure(), (401, "unauthorized"), "{path} {:?}", who.key);
        }
    }
}

#[tokio::test]
async fn each_may_on_a_socket_what_it_may_over_http() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open_with("Ana").await;
    let zoe = agent(&api, "Zoe").await;
    let ana = api.visitor(json!({"contact": "Ana"})).await.token;
    let mut sockets = Vec::new();
    for key in [key_of(&api), key_of(&zoe), &ana] {
        let mut socket = anonymous(&node).await;
        assert_eq!(auth(&mut socket, key).await, Ok(()));
        socket.join(id, 0).await;
        sockets.push(socket);
    }
    let (yes, no) = ("done", "forbidden");
    let of = |kind: &str, more: Value| {
        let mut frame = json!({"type": kind, "conversation": id});
        frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        frame
    };
    for (frame_of, may) in [
        (of("take", json!({"agent": "Zoe"})), [yes, yes, no]),
        (of("say", json!({"text": "Here.", "agent": "Zoe"})), [yes, yes, no]),
        (of("say", json!({"text": "Here.", "agent": "Yan"})), ["wrong_state", no, no]),
        (of("take", json!({"agent": "Yan"})), [yes, no, no]),
        (of("say", json!({"text": "Here.", "agent": "Yan"})), [yes, no, no]),
        (of("take", json!({"agent": "Zoe"})), [yes, yes, no]),
        (of("take", json!({})), ["bad_field", yes, no]),
        (of("say", json!({"text": "As whom?"})), [yes, yes, yes]),
        (of("cancel", json!({})), [yes, yes, yes]),
        (of("hand_back", json!({"agent": "Yan"})), [yes, no, no]),
        (of("hand_back", json!({})), ["bad_field", yes, no]),
        (of("close", json!({})), [yes, yes, no]),
        (json!({"type": "join"}), [yes, no, yes]),
    ] {
        for (n, may) in [(1, may[1]), (2, may[2]), (0, may[0])] {
            assert_eq!(frame(&mut sockets[n], frame_of.clone()).await, may, "{n} {frame_of}");
        }
    }
    // Only what a socket has joined is there for its frames.
    let mut elsewhere = Socket::open(node.address, key_of(&zoe)).await;
    for kind in ["take", "hand_back", "close"] {
        assert_eq!(frame(&mut elsewhere, of(kind, json!({}))).await, "not_joined", "{kind}");
    }
    let mut operator = anonymous(&node).await;
    assert_eq!(auth(&mut operator, &node.admin_key()).await, Err(("unauthorized", None)));
    assert_eq!(operator.closed().await.0, 4501);
}

#[tokio::test]
async fn an_agent_speaks_as_itself_and_reads_what_the_team_reads() {
    let node = Node::start(&[]);
    let api = node.api();
    api.learn("hours.md", "# Hours\n\nWe are open from nine to five on working days.\n").await;
    let id = api.open_with("Ana").await;
    let zoe = agent(&api, "Zoe").await;
    let ana = api.showing(api.visitor(json!({"contact": "Ana"})).await.token);
    let reply = api.ask(id, "m0", "When are you open on working days?").await;
    // All passages, and the rows of the list that are the team's.
    let (of_key, of_agent) = (api.log(id).await, zoe.log(id).await);
    assert_eq!(json!(of_agent), json!(of_key));
    let listed: ConversationList = zoe.get("/v1/conversations").await.ok();
    assert_eq!(json!(listed), api.get("/v1/conversations").await.ok::<Value>());
    let mut heard = Stream::open(zoe.stream_request(id, "?after=0")).await;
    assert_eq!(json!(heard.reply_to(reply_of(&reply).unwrap().answers).await), json!(of_key.events.last()));

    let mut listener = Socket::open(node.address, key_of(&ana)).await;
    listener.join(id, 0).await;
    let mut socket = Socket::open(node.address, key_of(&zoe)).await;
    socket.join(id, 0).await;
    socket.send(json!({"type": "typing", "conversation": id, "on": true})).await;
    let typed =
        |frame: &ServerFrame| matches!(frame, ServerFrame::Signal(Signal { author: Author::Human, .. })).then_some(());
    listener.sees(typed).await;
    socket.call(json!({"type": "take", "conversation": id})).await.unwrap();
    let taken: ConversationView = api.view(id).await;
    assert_eq!((taken.owner.as_str(), taken.agent.as_deref()), ("human", Some("Zoe")));
    let seq = socket.say(id, "z1", "Zoe here.").await;
    let event = listener.event(id, |event| event.seq == seq).await;
    assert_eq!((event.author, text_of(&event)), (Author::Human, "Zoe here."));
    assert_eq!(json!(event)["agent"], "Zoe");
    // Sent again on the other way in, it is the same message.
    assert_eq!(zoe.try_say(id, "z1", "Zoe here.").await.ok::<Said>().seq, seq);
    let back: ConversationView =
        zoe.post(&format!("/v1/conversations/{id}/human"), &json!({"action": "hand_back"})).await.ok();
    assert_eq!(back.owner, "assistant");
    assert_eq!(
        socket.call(json!({"type": "close", "conversation": id})).await.unwrap()["seq"],
        json!(api.view(id).await.head)
    );
    let refused = api.post(&format!("/v1/conversations/{id}/human"), &json!({"action": "take"})).await;
    assert_eq!(refused.failure(), (400, "bad_field"), "a key says who acts");
}

#[tokio::test]
async fn another_tenants_conversation_is_not_there_for_an_agent() {
    let node = Node::start(&[]);
    let operator = node.operator();
    let (_, acme) = operator.create_tenant("acme").await;
    let (_, other) = operator.create_tenant("other").await;
    let secret = acme.open_with("Ana").await;
    acme.ask(secret, "m1", "A secret.").await;
    let before: EventList = acme.log(secret).await;
    let zoe = agent(&other, "Zoe").await;
    let unknown = (404, "unknown_conversation");
    let nobodys = ConversationId::generate();
    for id in [secret, nobodys] {
        let at = |rest: &str| format!("/v1/conversations/{id}{rest}");
        for (method, path, body) in [
            ("GET", at(""), None),
            ("GET", at("/events"), None),
            ("GET", at("/stream"), None),
            ("POST", at("/messages"), Some(json!({"ref": "r", "text": "Hello?"}))),
            ("POST", at("/cancel"), None),
            ("POST", at("/human"), Some(json!({"action": "take"}))),
            ("POST", at("/human"), Some(json!({"action": "hand_back"}))),
            ("POST", at("/close"), None),
        ] {
            let send = |request: RequestBuilder| Api::send(request);
            let request = zoe.request(method, &path);
            let answer = match &body {
                Some(body) => send(request.json(body)).await,
                None => send(request).await,
            };
            assert_eq!(answer.failure(), unknown, "{method} {path} {body:?}");
        }
        let mut socket = Socket::open(node.address, key_of(&zoe)).await;
        assert_eq!(frame(&mut socket, json!({"type": "join", "conversation": id})).await, "unknown_conversation");
        for kind in ["take", "hand_back", "close"] {
            assert_eq!(frame(&mut socket, json!({"type": kind, "conversation": id})).await, "not_joined");
        }
    }
    let none: ConversationList = zoe.get("/v1/conversations").await.ok();
    assert!(none.conversations.is_empty());
    assert_eq!(json!(acme.log(secret).await), json!(before), "nothing has happened in it");
}

#[tokio::test]
async fn an_agents_token_ends_with_its_time_and_with_its_keys_generation() {
    let node = Node::start(&[]);
    let operator = node.operator();
    let (made, acme) = operator.create_tenant("acme").await;
    let id = acme.open_with("Ana").await;
    let short: AgentToken = acme.post("/v1/agents", &json!({"agent": "Zoe", "ttl_seconds": 1})).await.ok();
    let mut over = Socket::open(node.address, &short.token).await;
    assert_eq!(over.closed().await.0, 4401);
    while acme.showing(short.token.clone()).get("/v1/conversations").await.status != 401 {
        tests::look_again().await;
    }
    let expired = acme.showing(short.token).get("/v1/conversations").await;
    assert_eq!(expired.failure(), (401, "token_expired"));

    let zoe = agent(&acme, "Zoe").await;
    assert_eq!(zoe.call("POST", "/v1/visitors").await.failure(), (403, "forbidden"), "it is not renewed by itself");
    let mut socket = Socket::open(node.address, key_of(&zoe)).await;
    socket.join(id, 0).await;
    // A newer one of the same agent goes on, another agent's does not.
    assert_eq!(auth(&mut socket, key_of(&agent(&acme, "Zoe").await)).await, Ok(()));
    for other in [key_of(&agent(&acme, "Yan").await), key_of(&acme)] {
        assert_eq!(auth(&mut socket, other).await, Err(("forbidden", None)));
    }
    let mut stream = zoe.stream(id, "1").await;
    let began = Instant::now();
    let path = format!("/v1/admin/tenants/{}/rotate-key", made.tenant);
    let rotated: KeyMade = operator.call("POST", &path).await.ok();
    assert_eq!(socket.closed().await.0, 4401, "the new key makes a new token");
    assert!(stream.next().await.is_none());
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(zoe.get(&format!("/v1/conversations/{id}")).await.failure(), (401, "token_expired"));
    let mut late = anonymous(&node).await;
    assert_eq!(auth(&mut late, key_of(&zoe)).await, Err(("token_expired", None)));
    let renewed = agent(&acme.showing(rotated.api_key), "Zoe").await;
    assert_eq!(renewed.view(id).await.head, 1);
    operator.call("POST", &format!("/v1/admin/tenants/{}/disable", made.tenant)).await.ok::<Value>();
    assert_eq!(renewed.get(&format!("/v1/conversations/{id}")).await.failure(), (403, "tenant_disabled"));
}

#[tokio::test]
async fn an_agents_token_is_asked_for_as_the_page_says() {
    let node = Node::start(&[]);
    let api = node.api();
    api.change_profile(|profile| profile.allowed_origins = vec![SHOP.parse().unwrap()]).await;
    for (body, failure) in [
        (json!({}), (400, "bad_field")),
        (json!({"agent": ""}), (400, "bad_field")),
        (json!({"agent": "Zo\ne"}), (400, "bad_field")),
        (json!({"agent": "Z".repeat(81)}), (400, "bad_field")),
        (json!({"agent": "Zoe", "ttl_seconds": 0}), (400, "bad_field")),
        (json!({"agent": "Zoe", "ttl_seconds": 3601}), (400, "bad_field")),
        (json!({"agent": "Zoe", "origin": "https://evil.example"}), (403, "origin_refused")),
        (json!({"agent": "Zoe", "contact": "Ana"}), (400, "bad_field")),
    ] {
        assert_eq!(api.post("/v1/agents", &body).await.failure(), failure, "{body}");
    }
    // Over HTTP it works on its own page, on the node's own, and in programs.
    let made = async |body: Value| api.post("/v1/agents", &body).await.ok::<AgentToken>().token;
    let here = made(json!({"agent": "Zoe"})).await;
    let there = made(json!({"agent": "Zoe", "origin": SHOP})).await;
    let own = format!("http://{}", node.address);
    for (token, origin, status) in [
        (&here, None, 200),
        (&here, Some(own.as_str()), 200),
        (&here, Some(SHOP), 403),
        (&there, None, 200),
        (&there, Some(SHOP), 200),
        (&there, Some("https://evil.example"), 403),
    ] {
        let request = api.showing(token.clone()).request("GET", "/v1/conversations");
        let answer = Api::send(match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        })
        .await;
        assert_eq!(answer.status, status, "{origin:?} {}", answer.body);
    }
}

#[tokio::test]
async fn an_agents_rate_is_its_own_and_a_visitors_budget_stays_the_visitors() {
    let node = Node::start(&[
        ("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_KEY", "10"),
        ("TERTULIA_LIMITS__MESSAGES_PER_SECOND", "1"),
        ("TERTULIA_LIMITS__MESSAGES_BURST", "5"),
    ]);
    let api = node.api();
    let (zoe, yan) = (agent(&api, "Zoe").await, agent(&api, "Yan").await);
    let zoe_again = agent(&api, "Zoe").await;
    let ana = api.showing(api.visitor(json!({"contact": "Ana"})).await.token);
    let mut socket = Socket::open(node.address, key_of(&zoe)).await;
    // More tokens and more ways in are not more budget.
    let mut refused = 0;
    for n in 0..60 {
        let limited = match n % 3 {
            0 => zoe.get("/v1/conversations").await.status == 429,
            1 => zoe_again.get("/v1/conversations").await.status == 429,
            _ => frame(&mut socket, json!({"type": "ping"})).await == "rate_limited",
        };
        refused += usize::from(limited);
    }
    assert!(refused >= 10, "{refused} of 60");
    assert_eq!(yan.get("/v1/conversations").await.status, 200, "another agent has its own");
    let answers = async |who: &Api| {
        let mut limited = 0;
        for _ in 0..15 {
            limited += usize::from(who.get("/v1/conversations").await.status == 429);
        }
        limited
    };
    assert!(answers(&ana).await >= 5, "a visitor has no more than before");
    // Who has not said who they are has a few frames and no more.
    let mut nobody = anonymous(&node).await;
    let mut codes = Vec::new();
    for kind in ["take", "hand_back", "close", "take", "close", "hand_back", "take"] {
        codes.push(frame(&mut nobody, json!({"type": kind, "conversation": ConversationId::generate()})).await);
    }
    assert_eq!(
        codes,
        [
            "unauthorized",
            "unauthorized",
            "unauthorized",
            "unauthorized",
            "unauthorized",
            "rate_limited",
            "rate_limited"
        ]
    );
}
