//! Contacts of the real program: who is who over HTTP and sockets, in lists and for visitors, and their end.

mod cost;
mod crowd;
mod steps;

use schema::wire::{Close, ContactList, ContactView, ConversationList, VisitorToken};
use schema::{ContactId, ConversationId, Fact, IdentityKind};
use serde_json::{Value, json};
use tests::api::Api;
use tests::client::Socket;
use tests::node::Node;

/// The close of a socket that comes back as whom its visitor stands for now.
const COME_BACK: u16 = Close::NOT_NOW.code;

async fn by_identity(api: &Api, identity: &str) -> Option<ContactView> {
    let query = format!("/v1/contacts?identity={}", identity.replace('+', "%2B").replace('@', "%40"));
    let list: ContactList = api.get(&query).await.ok();
    assert!(list.contacts.len() <= 1 && list.next.is_none());
    list.contacts.into_iter().next()
}

async fn view(api: &Api, id: ContactId) -> ContactView {
    api.get(&format!("/v1/contacts/{id}")).await.ok()
}

async fn listed(api: &Api, contact: &str) -> Vec<ConversationId> {
    let list: ConversationList = api.get(&format!("/v1/conversations?contact={contact}")).await.ok();
    let mut ids: Vec<_> = list.conversations.into_iter().map(|row| row.id).collect();
    ids.sort_unstable();
    ids
}

fn keys(contact: &ContactView) -> Vec<String> {
    contact.identities.iter().map(|known| known.identity.key()).collect()
}

#[tokio::test]
async fn two_writings_of_one_identity_are_one_contact_and_what_cannot_be_seen_is_refused() {
    let node = Node::start(&[]);
    let api = node.api();
    let opened = api.open_with("Jose\u{301} ").await;
    let jose = by_identity(&api, "external:José").await.unwrap();
    assert_eq!((jose.contact.as_str(), api.view(opened).await.contact_id), ("José", Some(jose.id)));
    let id = jose.id;
    for written in [" José", "Jos\u{e9}", "Jose\u{301}\u{a0}"] {
        assert_eq!(api.view(api.open_with(written).await).await.contact_id, Some(id), "{written:?}");
        assert_eq!(api.visitor(json!({"contact": written})).await.contact_id, id, "{written:?}");
    }
    for (contact, says) in [
        ("Jos\u{200b}é", "U+200B"),
        ("\u{3164}", "U+3164"),
        ("\u{202e}é", "U+202E"),
        (" ", "seen"),
        ("undefined", "not filled in"),
        ("{{user.id}}", "not filled in"),
    ] {
        for path in ["/v1/conversations", "/v1/visitors"] {
            let refused = api.post(path, &json!({"contact": contact})).await;
            assert_eq!(refused.failure(), (400, "bad_field"), "{path} {contact:?}");
            assert!(refused.body.to_string().contains(says), "{}", refused.body);
        }
    }
    let path = format!("/v1/contacts/{id}");
    let add = json!({"version": 1, "name": " Jose\u{301}\u{a0}M. ", "add_identities": [
        {"kind": "phone", "value": "tel:+34 (0) 600-123-456"},
        {"kind": "email", "value": "mailto:Jose\u{301}@Bu\u{308}cher.example"},
    ]});
    let added: ContactView = api.patch(&path, &add).await.ok();
    assert_eq!(added.name.unwrap().as_str(), "José M.");
    // The team is told what they are called, and nobody else.
    let visitor = api.showing(api.visitor(json!({"contact": id})).await.token);
    for (who, called) in [(&api, Some("José M.")), (&visitor, None)] {
        let rows: ConversationList = who.get("/v1/conversations").await.ok();
        let listed = rows.conversations.iter().find(|row| row.id == opened).unwrap().contact_name.clone();
        for name in [listed, who.view(opened).await.contact_name] {
            assert_eq!(name.as_ref().map(schema::PersonName::as_str), called);
        }
    }
    for written in [
        "phone:+34600123456",
        "phone:\u{202a}+34 600 123 456",
        "email:josé@xn--bcher-kva.example",
        "email:JOSÉ@bücher.example",
    ] {
        assert_eq!(by_identity(&api, written).await.map(|found| found.id), Some(id), "{written}");
    }
    for (written, says) in
        [("phone:+34600123456", "%2B"), ("email:jose+shop@example.com", "%2B"), ("external:Jos%E2%80%8B", "U+200B")]
    {
        // A plus in an address is a blank.
        let refused = api.get(&format!("/v1/contacts?identity={written}")).await;
        assert_eq!(refused.failure(), (400, "bad_field"), "{written}");
        assert!(refused.body.to_string().contains(says), "{}", refused.body);
    }
    for (field, value) in [
        ("name", json!("Jos\u{200b}é")),
        ("add_identities", json!([{"kind": "external", "value": "Jos\u{200b}é"}])),
        ("add_identities", json!([{"kind": "email", "value": "jos\u{200b}e@example.com"}])),
        ("attributes", json!({"shop\u{200b}": "7"})),
        ("consents", json!({"news\u{200b}": {"given": false}})),
    ] {
        let refused = api.patch(&path, &json!({"version": 2, field: value})).await;
        assert_eq!(refused.failure(), (400, "bad_field"), "{field}");
        assert!(refused.body.to_string().contains("U+200B"), "{}", refused.body);
    }
}

#[tokio::test]
async fn a_name_is_one_identity_of_one_contact_whoever_uses_it() {
    let node = Node::start(&[]);
    let api = node.api();
    assert!(by_identity(&api, "external:Ana").await.is_none());
    let opened = futures_util::future::join_all((0..8).map(|_| api.open_with("Ana"))).await;
    let ana = by_identity(&api, "external:Ana").await.unwrap();
    assert_eq!(
        (ana.contact.as_str(), ana.version, ana.identities[0].identity.kind()),
        ("Ana", 1, IdentityKind::External)
    );
    let token: VisitorToken = api.visitor(json!({"contact": "Ana"})).await;
    assert_eq!((token.contact.as_str(), token.contact_id), ("Ana", ana.id));
    for id in &opened {
        let state = api.view(*id).await;
        assert_eq!(
            (state.contact_id, state.contact.as_ref().map(schema::Contact::as_str)),
            (Some(ana.id), Some("Ana"))
        );
        let log = api.log(*id).await;
        assert!(matches!(log.events[0].fact, Fact::Opened { contact, .. } if contact == ana.id));
        assert!(!serde_json::to_string(&log).unwrap().contains("Ana"), "the log names the id only");
    }
    // By the id it is the same one.
    let more = api.open_with(&ana.id.to_string()).await;
    let mut all = [opened, vec![more]].concat();
    all.sort_unstable();
    assert_eq!((listed(&api, "Ana").await, listed(&api, &ana.id.to_string()).await), (all.clone(), all));
    // Nobody has named this one: no record, and the id is the name.
    let nobody = api.view(api.open().await).await;
    let id = nobody.contact_id.unwrap();
    assert_eq!(nobody.contact.map(|contact| contact.to_string()), Some(id.to_string()));
    let shown = view(&api, id).await;
    assert_eq!((shown.version, shown.created_at, shown.identities.len()), (0, None, 0));
    let list: ContactList = api.get("/v1/contacts").await.ok();
    assert_eq!(list.contacts.iter().map(|contact| contact.id).collect::<Vec<_>>(), [ana.id]);
    for n in 0..5 {
        api.open_with(&format!("c{n}")).await;
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page: ContactList = api.get(&format!("/v1/contacts?limit=2{after}")).await.ok();
        seen.extend(page.contacts.iter().map(|contact| contact.id));
        let Some(next) = page.next else { break };
        after = format!("&after={next}");
    }
    assert!(seen.len() == 6 && seen.is_sorted(), "{seen:?}");
}

#[tokio::test]
async fn a_record_is_changed_from_its_version_and_says_where_everything_came_from() {
    let node = Node::start(&[]);
    let api = node.api();
    api.open_with("Ana").await;
    api.open_with("Bo").await;
    let ana = by_identity(&api, "external:Ana").await.unwrap();
    let path = format!("/v1/contacts/{}", ana.id);
    let change = json!({"version": 1, "name": "Ana María", "language": "es",
        "add_identities": [{"kind": "phone", "value": "+34 600 123 456"}, {"kind": "email", "value": "Ana@Example.com"}],
        "attributes": {"plan": "pro"}, "consents": {"news": {"given": true, "how": "form"}}, "states": {"opted_out": true}});
    let changed: ContactView = api.patch(&path, &change).await.ok();
    assert_eq!(
        (changed.version, keys(&changed)),
        (2, vec!["external:Ana".into(), "phone:+34600123456".into(), "email:ana@example.com".into()])
    );
    let written: Value = serde_json::to_value(&changed).unwrap();
    for part in ["/attributes/plan", "/consents/news", "/states/opted_out", "/identities/1"] {
        let part = written.pointer(part).unwrap();
        assert_eq!(part["way"], "api", "{part}");
        assert!(part["by"].as_str().unwrap().starts_with("key ") && part["at"].is_string(), "{part}");
    }
    assert_eq!(by_identity(&api, "phone:+34-600-123-456").await.as_ref(), Some(&changed));
    assert_eq!(by_identity(&api, "email:ANA@example.com").await.as_ref(), Some(&changed));
    // Who was not quick enough is told the version that is there.
    let stale = api.patch(&path, &json!({"version": 1, "name": null})).await;
    assert_eq!(stale.failure(), (409, "version_conflict"));
    assert!(stale.body.contains("version 2"), "{}", stale.body);
    let bo = by_identity(&api, "external:Bo").await.unwrap();
    for (body, failure) in [
        (json!({"version": 1, "add_identities": [{"kind": "phone", "value": "+34600123456"}]}), (409, "wrong_state")),
        (json!({"version": 1, "add_identities": [{"kind": "phone", "value": "600"}]}), (400, "bad_field")),
        (json!({"version": 1, "remove_identities": [{"kind": "external", "value": "Ana"}]}), (409, "wrong_state")),
        (json!({"version": 1, "surname": "x"}), (400, "bad_field")),
        (json!({"name": "x"}), (400, "bad_field")),
    ] {
        let answer = api.patch(&format!("/v1/contacts/{}", bo.id), &body).await;
        assert_eq!(answer.failure(), failure, "{body}");
        assert!(!answer.body.contains("600123456"), "{}", answer.body);
    }
    for (query, failure) in [
        ("?identity=phone:600", (400, "bad_field")),
        ("?identity=Ana", (400, "bad_field")),
        ("?limit=0", (400, "bad_field")),
        ("?after=x", (400, "bad_field")),
        ("/ct_1", (404, "not_found")),
        (&format!("/{}", ContactId::generate()), (404, "not_found")),
    ] {
        assert_eq!(api.get(&format!("/v1/contacts{query}")).await.failure(), failure, "{query}");
    }
    // A visitor may read nothing of it, not even of itself; another tenant has no such contact.
    let visitor = api.showing(api.visitor(json!({"contact": "Ana"})).await.token);
    let (_, other) = node.operator().create_tenant("other").await;
    for (method, end, body) in [
        ("GET", "", json!(null)),
        ("PATCH", "", json!({"version": 2, "name": "Eve"})),
        ("POST", "/merge", json!({"other": bo.id})),
        ("POST", "/split", json!({"contact": bo.id})),
        ("DELETE", "", json!(null)),
    ] {
        let mut request = visitor.request(method, &format!("{path}{end}"));
        if !body.is_null() {
            request = request.json(&body);
        }
        assert_eq!(Api::send(request).await.failure(), (403, "forbidden"), "{method} {end}");
    }
    assert_eq!(visitor.get("/v1/contacts").await.failure(), (403, "forbidden"));
    assert_eq!(other.get(&path).await.failure(), (404, "not_found"));
    assert_eq!(other.call("DELETE", &path).await.failure(), (404, "not_found"));
    assert!(by_identity(&other, "phone:+34600123456").await.is_none());
    assert_eq!(view(&api, ana.id).await, changed, "nothing came through");
}

#[tokio::test]
async fn two_who_are_one_are_listed_and_let_in_as_one_until_that_is_undone() {
    let mut node = Node::start(&[]);
    let api = node.api();
    let (anas, bos) = (api.open_with("Ana").await, api.open_with("Bo").await);
    // Somebody who came by a page, before the tenant knew who it was.
    let page: VisitorToken = api.visitor(json!({})).await;
    let visitor = api.showing(page.token.clone());
    let pages = visitor.open().await;
    let mut socket = Socket::open(node.address, &page.token).await;
    socket.join(pages, 0).await;
    let mut listens = Socket::open(node.address, &api.visitor(json!({"contact": "Bo"})).await.token).await;
    let (ana, bo) = (by_identity(&api, "external:Ana").await.unwrap(), by_identity(&api, "external:Bo").await.unwrap());
    for token in [&visitor] {
        assert_eq!(token.get(&format!("/v1/conversations/{anas}")).await.failure(), (404, "unknown_conversation"));
    }
    let merge = format!("/v1/contacts/{}/merge", ana.id);
    api.post(&merge, &json!({"other": bo.id})).await.ok::<ContactView>();
    let merged: ContactView = api.post(&merge, &json!({"other": page.contact_id})).await.ok();
    // What they have open comes back as whom they stand for now.
    for socket in [&mut socket, &mut listens] {
        assert_eq!(socket.closed().await.0, COME_BACK);
    }
    assert_eq!(api.post(&merge, &json!({"other": page.contact_id})).await.ok::<ContactView>(), merged, "twice is once");
    assert_eq!(
        (keys(&merged), merged.merged.clone()),
        (vec!["external:Ana".into(), "external:Bo".into()], vec![bo.id, page.contact_id])
    );
    assert_eq!(api.post(&merge, &json!({"other": ana.id})).await.failure(), (409, "wrong_state"));
    assert_eq!(view(&api, bo.id).await, merged, "found by both ids");
    assert_eq!(by_identity(&api, "external:Bo").await.unwrap(), merged);
    let mut all = vec![anas, bos, pages];
    all.sort_unstable();
    for contact in ["Ana".to_owned(), "Bo".to_owned(), ana.id.to_string(), page.contact_id.to_string()] {
        assert_eq!(listed(&api, &contact).await, all, "{contact}");
    }
    let state = api.view(pages).await;
    assert_eq!((state.contact_id, state.contact.unwrap().as_str()), (Some(ana.id), "Ana"));
    // The visitor's token goes on, as the one whom it stands for now.
    assert_eq!(visitor.say(anas, "r1", "It is me.").await, 2);
    let own: ConversationList = visitor.get("/v1/conversations").await.ok();
    assert_eq!(own.conversations.len(), all.len());
    let mut socket = Socket::open(node.address, &page.token).await;
    socket.join(pages, 0).await;
    socket.say(pages, "r1", "And here, too.").await;
    let late: VisitorToken = visitor.post("/v1/visitors", &json!({})).await.ok();
    assert_eq!((late.contact.as_str(), late.contact_id), ("Ana", ana.id));
    let opened = visitor.open().await;
    assert_eq!(api.view(opened).await.contact_id, Some(ana.id));
    let first = api.log(opened).await.events.remove(0).fact;
    assert!(matches!(first, Fact::Opened { contact, .. } if contact == page.contact_id), "it is their own: {first:?}");
    // After a restart it is as it was.
    node.signal("TERM");
    node.ended().await;
    let node = Node::start_in(node.root(), &[]);
    let api = node.api();
    assert_eq!(listed(&api, "Bo").await.len(), 4);

    let split = format!("/v1/contacts/{}/split", ana.id);
    // Renewed meanwhile, and on a socket that reads with both.
    let mut socket = Socket::open(node.address, &late.token).await;
    socket.join(anas, 0).await;
    // What is refused disturbs nobody.
    assert_eq!(api.post(&split, &json!({"contact": ana.id})).await.failure(), (409, "wrong_state"));
    socket.join(pages, 0).await;
    let undone: ContactView = api.post(&split, &json!({"contact": page.contact_id})).await.ok();
    assert_eq!((undone.id, keys(&undone).len()), (page.contact_id, 0));
    let mut theirs = vec![pages, opened];
    theirs.sort_unstable();
    assert_eq!(listed(&api, &page.contact_id.to_string()).await, theirs);
    assert_eq!(socket.closed().await.0, COME_BACK);
    let again: VisitorToken = api.showing(late.token.clone()).post("/v1/visitors", &json!({})).await.ok();
    assert_eq!(again.contact_id, page.contact_id);
    for token in [page.token, late.token, again.token] {
        let mut socket = Socket::open(node.address, &token).await;
        let visitor = api.showing(token);
        assert_eq!(visitor.get(&format!("/v1/conversations/{anas}")).await.failure(), (404, "unknown_conversation"));
        let own: ConversationList = visitor.get("/v1/conversations").await.ok();
        let mut own: Vec<_> = own.conversations.into_iter().map(|row| row.id).collect();
        own.sort_unstable();
        assert_eq!(own, theirs);
        let join = json!({"type": "join", "ref": "j", "conversation": anas, "after": 0});
        assert!(socket.call(join).await.is_err());
    }
    // An identity alone goes to somebody new; conversations stay where they were held.
    let new: ContactView = api.post(&split, &json!({"identities": [{"kind": "external", "value": "Bo"}]})).await.ok();
    assert!(![ana.id, bo.id].contains(&new.id));
    assert_eq!((keys(&new), listed(&api, "Bo").await), (vec!["external:Bo".into()], vec![]));
    let left = view(&api, ana.id).await;
    assert_eq!((keys(&left), left.merged), (vec!["external:Ana".into()], vec![bo.id]));
    assert_eq!(left.changes.len(), 4, "each is remembered");
    let unknown = format!("/v1/contacts/{}/merge", ContactId::generate());
    assert_eq!(api.post(&unknown, &json!({"other": ana.id})).await.failure(), (404, "not_found"));
    // Somebody who has a token, has written nothing yet, and signs in.
    let new: VisitorToken = api.visitor(json!({})).await;
    api.post(&merge, &json!({"other": new.contact_id})).await.ok::<ContactView>();
    let own: ConversationList = api.showing(new.token).get("/v1/conversations").await.ok();
    assert_eq!(own.conversations.len(), listed(&api, "Ana").await.len());
    for (body, failure) in [
        (json!({}), (400, "bad_field")),
        (json!({"contact": page.contact_id, "identities": [{"kind": "external", "value": "Ana"}]}), (400, "bad_field")),
        (json!({"contact": page.contact_id}), (409, "wrong_state")),
        (json!({"identities": [{"kind": "external", "value": "Bo"}]}), (409, "wrong_state")),
    ] {
        assert_eq!(api.post(&split, &body).await.failure(), failure, "{body}");
    }
    let attributes: serde_json::Map<_, _> = (0..65).map(|n| (format!("a{n}"), json!("v"))).collect();
    let change = json!({"version": view(&api, ana.id).await.version, "attributes": attributes});
    assert_eq!(api.patch(&format!("/v1/contacts/{}", ana.id), &change).await.failure(), (400, "bad_field"));
}

#[tokio::test]
async fn what_a_merge_brought_goes_with_whom_it_came_with_and_a_log_out_makes_nobody() {
    const CANARY: &str = "canary-merged-8a2e";
    let mut node = Node::start(&[]);
    let api = node.api();
    let (ana, bo): (VisitorToken, VisitorToken) =
        (api.visitor(json!({"contact": "Ana"})).await, api.visitor(json!({"contact": "Bo"})).await);
    assert_eq!(api.call("DELETE", "/v1/visitors?contact=Nobody").await.status, 204);
    assert!(by_identity(&api, "external:Nobody").await.is_none());
    let [anas, bos] = [&ana, &bo].map(|token| format!("/v1/contacts/{}", token.contact_id));
    let known = json!({"version": 1, "name": CANARY, "language": "gl", "attributes": {"plan": CANARY, "size": CANARY},
        "consents": {"news": {"given": true, "how": CANARY}}});
    api.patch(&bos, &known).await.ok::<ContactView>();
    api.patch(&anas, &json!({"version": 1, "attributes": {"plan": "pro"}})).await.ok::<ContactView>();
    let merged: ContactView = api.post(&format!("{anas}/merge"), &json!({"other": bo.contact_id})).await.ok();
    assert_eq!(merged.name.as_ref().map(schema::PersonName::as_str), Some(CANARY));
    api.post(&format!("{anas}/split"), &json!({"contact": bo.contact_id})).await.ok::<ContactView>();
    let left = view(&api, ana.contact_id).await;
    assert!(!serde_json::to_string(&left).unwrap().contains(CANARY), "{left:?}");
    assert_eq!((left.name, left.language, left.changes.len()), (None, None, 2));
    assert_eq!(api.call("DELETE", &bos).await.status, 204);
    node.signal("TERM");
    node.ended().await;
    let mut looked = 0;
    for file in std::fs::read_dir(node.data()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        let bytes = std::fs::read(&file).unwrap();
        looked += usize::from(bytes.starts_with(b"SQLite"));
        assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{}", file.display());
    }
    assert!(looked > 0, "the store was looked at");
}

#[tokio::test]
async fn what_somebody_has_refused_stays_refused_whoever_they_turn_out_to_be() {
    let node = Node::start(&[]);
    let api = node.api();
    let (ana, bo): (VisitorToken, VisitorToken) =
        (api.visitor(json!({"contact": "Ana"})).await, api.visitor(json!({"contact": "Bo"})).await);
    let [anas, bos] = [&ana, &bo].map(|token| format!("/v1/contacts/{}", token.contact_id));
    let change = async |path: &str, mut change: Value| {
        let before: ContactView = api.get(path).await.ok();
        change["version"] = before.version.into();
        api.patch(path, &change).await.ok::<ContactView>()
    };
    let has_refused = |view: &ContactView| {
        let said = |(purpose, given)| {
            let purpose = serde_json::from_value(Value::String(purpose)).unwrap();
            view.consents.get::<schema::Purpose>(&purpose).is_some_and(|consent| consent.given == given)
        };
        (said(("news".into(), false)), said(("ads".into(), false)), view.states.len())
    };
    change(&anas, json!({"consents": {"news": {"given": true}, "ads": {"given": true}}})).await;
    change(
        &bos,
        json!({"add_identities": [{"kind": "phone", "value": "+34600123456"}],
        "consents": {"news": {"given": false}}}),
    )
    .await;
    let merged: ContactView = api.post(&format!("{anas}/merge"), &json!({"other": bo.contact_id})).await.ok();
    assert_eq!(has_refused(&merged), (true, false, 0));
    let from = merged.consents.values().filter_map(|consent| consent.provenance.from).collect::<Vec<_>>();
    assert_eq!(from, [bo.contact_id]);
    // Said while they are one: of both.
    let said = change(&bos, json!({"consents": {"ads": {"given": false}}, "states": {"opted_out": true}})).await;
    assert_eq!((has_refused(&said), said.id), ((true, true, 1), ana.contact_id));
    let phone = json!({"identities": [{"kind": "phone", "value": "+34600123456"}]});
    let new: ContactView = api.post(&format!("{anas}/split"), &phone).await.ok();
    assert_eq!((has_refused(&new), keys(&new)), ((true, true, 1), vec!["phone:+34600123456".to_owned()]));
    let several = json!({"identities": [{"kind": "external", "value": "Ana"}, {"kind": "external", "value": "Bo"}]});
    let refused = api.post(&format!("{anas}/split"), &several).await;
    assert_eq!(refused.failure(), (409, "wrong_state"));
    assert!(refused.body.contains("undo the merge"), "{}", refused.body);
    api.post(&format!("{anas}/split"), &json!({"contact": bo.contact_id})).await.ok::<ContactView>();
    assert_eq!(has_refused(&view(&api, ana.contact_id).await), (false, true, 1));
    assert_eq!(has_refused(&view(&api, bo.contact_id).await), (true, true, 1));
    // An identity that another contact has is refused before anything is written.
    let before = view(&api, ana.contact_id).await;
    let held =
        json!({"version": before.version, "name": "X", "add_identities": [{"kind": "phone", "value": "+34600123456"}]});
    assert_eq!(api.patch(&anas, &held).await.failure(), (409, "wrong_state"));
    assert_eq!(view(&api, ana.contact_id).await, before);
}

#[tokio::test]
async fn who_is_erased_is_gone_with_all_conversations_and_comes_back_as_nobody() {
    const CANARY: &str = "canary-erased-31f0";
    let mut node = Node::start(&[]);
    let api = node.api();
    let (anas, again) = (api.open_with(CANARY).await, api.open_with(CANARY).await);
    let kept = api.open_with("Bo").await;
    let token: VisitorToken = api.visitor(json!({"contact": CANARY})).await;
    let page: VisitorToken = api.visitor(json!({})).await;
    let visitor = api.showing(page.token.clone());
    let pages = visitor.open().await;
    visitor.say(pages, "r1", "Hello").await;
    let path = format!("/v1/contacts/{}", token.contact_id);
    api.post(&format!("{path}/merge"), &json!({"other": page.contact_id})).await.ok::<ContactView>();
    let mut socket = Socket::open(node.address, &token.token).await;
    socket.join(anas, 0).await;
    assert_eq!(api.call("DELETE", &path).await.status, 204);
    for id in [anas, again, pages] {
        assert_eq!(api.get(&format!("/v1/conversations/{id}")).await.failure(), (404, "unknown_conversation"));
    }
    let gone = (404, "not_found");
    assert_eq!((api.get(&path).await.failure(), api.call("DELETE", &path).await.failure()), (gone, gone));
    assert!(by_identity(&api, &format!("external:{CANARY}")).await.is_none());
    for token in [&token.token, &page.token] {
        assert_eq!(api.showing(token.clone()).get("/v1/conversations").await.failure(), (401, "token_expired"));
    }
    assert_eq!(listed(&api, "Bo").await, [kept]);
    node.signal("TERM");
    node.ended().await;
    let log = node.log();
    assert!(!log.contains(CANARY), "{log}");
    let files = std::fs::read_dir(node.data()).unwrap();
    let mut looked = 0;
    for file in files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        looked += usize::from(bytes.starts_with(b"SQLite"));
        assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{}", file.display());
    }
    assert!(looked > 0, "the store was looked at");
    let node = Node::start_in(node.root(), &[]);
    let new = node.api().visitor(json!({"contact": CANARY})).await;
    assert_ne!(new.contact_id, token.contact_id);
}
