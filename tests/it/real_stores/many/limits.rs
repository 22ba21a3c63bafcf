//! What a tenant may have at once is counted over all nodes.

use std::num::NonZeroU32;
use std::time::Duration;

use schema::ConversationId;
use tests::api::Api;
use tests::client::{Knock, Socket};
use tests::servers::Redis;
use tests::stream::reply_of;
use tests::stub::Stub;

use super::{Installation, until};

/// How late what one node holds may be known at another: each tells it once in a second.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);

fn count(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

/// Whether a node has room for one more of a tenant's sockets; one that was let in is left again.
async fn has_room(api: &Api) -> bool {
    match Socket::knock(api.address, Knock { key: api.key.as_deref(), ..Knock::default() }).await {
        Ok(_) => true,
        Err((status, body)) => {
            assert_eq!((status, body["error"]["code"].as_str()), (429, Some("quota_exhausted")), "{body}");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_sockets_are_those_of_all_nodes() {
    let world = Installation::new(Some(Redis::start().unwrap()), &[]);
    let [a, b] = world.nodes().await;
    let (_, acme) = a.operator().create_tenant("acme").await;
    acme.change_profile(|profile| profile.quotas.sessions = count(3)).await;
    let [here, there] = [a.address, b.address].map(|address| Api::new(address, acme.key.clone()));
    until("the profile is known", || async { there.tenant().await.profile.quotas.sessions == count(3) }).await;
    let key = acme.key.clone().unwrap();
    let mut open = vec![Socket::open(a.address, &key).await];
    open.push(Socket::open(a.address, &key).await);
    open.push(Socket::open(b.address, &key).await);
    for api in [&here, &there] {
        let took = until("there is no room", || async { !has_room(api).await }).await;
        assert!(took < KNOWN_WITHIN, "{took:?}");
    }
    open.remove(0);
    let took = until("there is room", || has_room(&there)).await;
    println!("room at another node after {took:?}");
    assert!(took < KNOWN_WITHIN, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_replies_at_once_are_those_of_all_nodes() {
    let mut stub = Stub::start();
    let base = stub.base();
    let model = [("OPENAI_BASE_URL", base.as_str()), ("TERTULIA_MODEL", "openai/stub")];
    let world = Installation::new(Some(Redis::start().unwrap()), &model);
    let [a, b] = world.nodes().await;
    let (_, acme) = a.operator().create_tenant("acme").await;
    acme.change_profile(|profile| profile.quotas.running_turns = count(2)).await;
    let [here, there] = [a.address, b.address].map(|address| Api::new(address, acme.key.clone()));
    until("the profile is known", || async { there.tenant().await.profile.quotas.running_turns == count(2) }).await;
    let mut running = Vec::new();
    for n in 0..2 {
        let id = here.open_with(&format!("Ana {n}")).await;
        here.say(id, "q", "Hello?").await;
        running.push(stub.call().await);
    }
    let id = there.open_with("Bo").await;
    let mut asked = 0;
    let mut refused = async |asked: &mut u32| is_refused(&there, id, &mut stub, asked).await;
    let began = std::time::Instant::now();
    while !refused(&mut asked).await {
        assert!(began.elapsed() < KNOWN_WITHIN, "both nodes let replies begin");
    }
    running.into_iter().for_each(|call| call.finish());
    let began = std::time::Instant::now();
    while refused(&mut asked).await {
        assert!(began.elapsed() < KNOWN_WITHIN, "there is no room though all replies have ended");
    }
}

/// Asks for a reply, which ends at once: whether that is because the tenant has too many.
async fn is_refused(api: &Api, id: ConversationId, stub: &mut Stub, asked: &mut u32) -> bool {
    *asked += 1;
    let seq = api.say(id, &format!("q{asked}"), "Hello?").await;
    let ended = tokio::select! {
        call = stub.call() => {
            call.token("Hello.");
            call.finish();
            api.reply(id, seq).await
        }
        reply = api.reply(id, seq) => reply,
    };
    match reply_of(&ended).unwrap().made.error.as_deref() {
        None => false,
        error => {
            assert_eq!(error, Some("quota_exhausted"));
            true
        }
    }
}
