//! TLS with a real Cassandra that asks for a certificate and for a password, and with a real Redis: nodes keep what was
//! said and find each other, and what is wrong is told in one line that names the setting.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use serde_json::Value;
use tempfile::TempDir;
use tests::node::{Node, Ran, command, fresh, on_cluster, own_address, run};
use tests::servers::{Authority, Cassandra, Redis, keyspace_name};
use tests::stream::text_of;
use tests::{PATIENCE, look_again};
use tokio::net::{TcpListener as AsyncListener, TcpStream};
use tokio::sync::OnceCell;

use super::many::{in_order, sees};

const STORE: &str = "TERTULIA_STORE";
const TLS: &str = "TERTULIA_STORE__TLS";
const CERTIFICATE: &str = "TERTULIA_STORE__TLS_CERTIFICATE";
const KEY: &str = "TERTULIA_STORE__TLS_KEY";
const SYSTEM: &str = "SSL_CERT_FILE";
const REDIS: &str = "TERTULIA_REDIS";

/// Longest that a start may take until it says what is wrong.
const TOLD_WITHIN: Duration = Duration::from_secs(15);

/// What all tests of this module share.
struct World {
    cassandra: Cassandra,
    contact_point: SocketAddr,
    files: TempDir,
}

impl World {
    /// The one of this process.
    async fn get() -> &'static Self {
        static WORLD: OnceCell<World> = OnceCell::const_new();
        WORLD.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        let cassandra = tokio::task::spawn_blocking(|| Cassandra::one().tls().passwords().start());
        let cassandra = cassandra.await.unwrap().unwrap();
        let contact_point = cassandra.contact_points()[0];
        let authority = cassandra.authority().unwrap();
        let session = superuser(contact_point, authority).await;
        for statement in
            ["CREATE ROLE node WITH PASSWORD = 'canary' AND LOGIN = true", "GRANT ALL ON ALL KEYSPACES TO node"]
        {
            session.query_unpaged(statement, &[]).await.unwrap();
        }
        let world = Self { files: tempfile::tempdir().unwrap(), contact_point, cassandra };
        let authority = world.cassandra.authority().unwrap();
        world.write("authority.pem", &authority.pem());
        let of_stranger = Authority::new("a stranger").unwrap();
        world.write("stranger.pem", &of_stranger.pem());
        world.write("namesake.pem", &Authority::new("the authority of a cluster").unwrap().pem());
        for (name, signed_by) in [("node", authority), ("other", &of_stranger)] {
            let shown = signed_by.vouch(&[]).unwrap();
            world.write(&format!("{name}.pem"), &shown.certificate);
            world.write(&format!("{name}.key"), &shown.key);
        }
        world
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.files.path().join(name), text).unwrap();
    }

    /// The path of a file.
    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// With all that it takes.
    fn settings(&self, keyspace: &str) -> Vec<(&'static str, String)> {
        let mut settings = Vec::from(on_cluster(&self.contact_point.to_string(), keyspace));
        settings.extend([
            ("TERTULIA_STORE__USER", "node".to_owned()),
            ("TERTULIA_STORE__PASSWORD", "canary".to_owned()),
            (TLS, self.file("authority.pem")),
            (CERTIFICATE, self.file("node.pem")),
            (KEY, self.file("node.key")),
        ]);
        settings
    }
}

/// The first user is made a moment after the start.
async fn superuser(contact_point: SocketAddr, authority: &Authority) -> Session {
    let began = Instant::now();
    loop {
        let builder = SessionBuilder::new().known_node_addr(contact_point).user("cassandra", "cassandra");
        match builder.tls_context(Some(authority.client().unwrap())).build().await {
            Ok(session) => return session,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
        look_again().await;
    }
}

/// Somebody at another address who passes on what is said to Cassandra, and what it answers.
async fn somewhere_else(store: SocketAddr) -> SocketAddr {
    let listener = AsyncListener::bind(own_address().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut store = TcpStream::connect(store).await.unwrap();
                // Either may hang up as it likes.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut store).await;
            });
        }
    });
    address
}

fn plain<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_certificate_keeps_what_was_said_on_a_cluster_that_asks_for_it() {
    let world = World::get().await;
    let settings = world.settings(&keyspace_name());
    let settings = plain(&settings);
    let mut node = Node::start(&settings);
    let id = node.api().open_with("Ana").await;
    let reply = node.api().ask(id, "r1", "When are you open?").await;
    node.signal("TERM");
    assert!(node.ended().await.success(), "{}", node.log());
    assert!(!node.log().contains("canary"), "{}", node.log());

    let mut node = Node::start_in(node.root(), &settings);
    let events = node.api().whole_log(id).await;
    assert_eq!(events.last().map(text_of), Some(text_of(&reply)));
    let asked = node.api().say(id, "r2", "And on Sunday?").await;
    node.kill();

    // The system's authorities do as well as those of a file.
    let mut trusting = world.settings("");
    trusting.retain(|(name, _)| *name != TLS && *name != STORE);
    trusting.extend([(TLS, "on".to_owned()), (SYSTEM, world.file("authority.pem"))]);
    let store = settings.iter().copied().filter(|(name, _)| *name == STORE);
    let trusting: Vec<_> = plain(&trusting).into_iter().chain(store).collect();
    let node = Node::start_in(node.root(), &trusting);
    let events = node.api().whole_log(id).await;
    assert!(events.iter().any(|event| event.seq == asked && text_of(event) == "And on Sunday?"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_tls_towards_a_cluster_is_one_line() {
    let world = World::get().await;
    let url = |address: &dyn std::fmt::Display| format!("cql://{address}/chats");
    let elsewhere = url(&somewhere_else(world.contact_point).await);
    let speaks_none = url(&Cassandra::shared().unwrap());
    let (no, file) = (String::new, |name| world.file(name));
    let of_another = "its certificate is signed by no authority that store.tls names";
    for (changed, complaint) in [
        (vec![(TLS, file("stranger.pem"))], of_another),
        (vec![(TLS, file("namesake.pem"))], of_another),
        (vec![(TLS, "on".into()), (SYSTEM, file("stranger.pem"))], of_another),
        (vec![(STORE, elsewhere)], "its certificate is for another address: each host needs one for the IP address"),
        (
            vec![(TLS, "off".into()), (CERTIFICATE, no()), (KEY, no())],
            "it ends the connection; does it speak TLS (store.tls)",
        ),
        (vec![(STORE, speaks_none)], "it does not speak TLS at this port: set store.tls to \"off\""),
        (
            vec![(CERTIFICATE, no()), (KEY, no())],
            "it asks for a certificate: set store.tls_certificate and store.tls_key",
        ),
        (
            vec![(CERTIFICATE, file("other.pem")), (KEY, file("other.key"))],
            "it does not take the certificate that it is shown: see store.tls_certificate",
        ),
        (vec![(KEY, file("other.key"))], "is not the key of the certificate"),
        (vec![(TLS, file("node.key"))], "has nothing of the kind in it (PEM)"),
        (vec![("TERTULIA_STORE__PASSWORD", "canary2".into())], "it knows no such name and password"),
    ] {
        let mut settings = world.settings("chats");
        settings.retain(|(name, _)| changed.iter().all(|(other, _)| name != other));
        settings.extend(changed);
        let (root, at) = (fresh(), Instant::now());
        let Ran { code, err, .. } = run(command(root.path(), &plain(&settings)), "");
        let took = at.elapsed();
        assert_eq!(code, Some(1), "{complaint}: {err}");
        let told = err.lines().last().unwrap();
        assert!(
            told.starts_with("tertulia: the store cannot be opened: ") && told.contains(complaint),
            "{complaint}: {err}"
        );
        assert!(!err.contains("canary"), "{err}");
        assert!(took < TOLD_WITHIN, "{complaint}: {took:?}");
    }
}

/// Nodes of one installation, whose clusters and Redis speak TLS.
struct Installation {
    own: Vec<(&'static str, String)>,
    _keys: Arc<TempDir>,
}

impl Installation {
    fn new(world: &World, redis: &Authority) -> Self {
        let keys = fresh();
        let mut own = world.settings(&keyspace_name());
        own.push(("TERTULIA_STORE__KEYS", keys.path().display().to_string()));
        own.push((SYSTEM, Self::trusting(keys.path(), redis)));
        Self { own, _keys: keys }
    }

    /// A file of what the system is to trust.
    fn trusting(folder: &Path, authority: &Authority) -> String {
        let file = folder.join("trusted.pem");
        fs::write(&file, authority.pem()).unwrap();
        file.display().to_string()
    }

    fn node(&self, changed: &[(&'static str, String)]) -> Node {
        let mut settings = self.own.clone();
        settings.retain(|(name, _)| changed.iter().all(|(other, _)| name != other));
        settings.extend_from_slice(changed);
        Node::start(&plain(&settings))
    }
}

/// One who may do what nodes do in this Redis, and nothing else.
fn redis_with_user(authority: &Authority) -> Redis {
    let redis = Redis::start_with_tls(authority, "of its operator").unwrap();
    let user = ["ACL", "SETUSER", "node", "on", ">can:ary", "~tertulia:*", "&tertulia:*", "+@all", "-@admin"];
    assert_eq!(redis.ask(&user).unwrap(), "+OK");
    redis
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_find_each_other_by_tls_whatever_redis_is_called() {
    let world = World::get().await;
    let authority = Authority::new("the authority of a cache").unwrap();
    let redis = redis_with_user(&authority);
    let installation = Installation::new(world, &authority);
    let (address, port) = (redis.address(), redis.address().port());
    let [user, password] = [("TERTULIA_REDIS__USER", "node"), ("TERTULIA_REDIS__PASSWORD", "can:ary")]
        .map(|(name, value)| (name, value.to_owned()));
    let mut called = vec![
        vec![(REDIS, format!("rediss://{address}")), user.clone(), password.clone()],
        vec![(REDIS, format!("rediss://node:can%3Aary@localhost:{port}"))],
    ];
    // Some machines have no IPv6.
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        called.push(vec![(REDIS, format!("rediss://[::1]:{port}/0")), user, password]);
    }
    let nodes: Vec<Node> = called.iter().map(|settings| installation.node(settings)).collect();
    for node in &nodes {
        sees(node, nodes.len()).await;
        is_seen_by(node, "whole").await;
    }
    let id = nodes[0].api().open_with("Ana").await;
    let mut refs = Vec::new();
    for (n, node) in nodes.iter().enumerate() {
        refs.push(format!("r{n}"));
        let reply = node.api().ask(id, &refs[n], "When are you open?").await;
        assert!(!text_of(&reply).is_empty());
    }
    let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
    for node in &nodes {
        in_order(&node.api().whole_log(id).await, &refs);
        keeps_secrets(node);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_tls_is_wrong_with_is_done_without_and_the_log_says_why() {
    let world = World::get().await;
    let authority = Authority::new("the authority of a cache").unwrap();
    let redis = redis_with_user(&authority);
    let (address, port) = (redis.address(), redis.address().port());
    let installation = Installation::new(world, &authority);
    let well = format!("rediss://node:can%3Aary@{address}");
    let first = installation.node(&[(REDIS, well.clone())]);
    is_seen_by(&first, "whole").await;
    let id = first.api().open_with("Ana").await;
    let (folder, namesake) = (fresh(), Authority::new("the authority of a cache").unwrap());
    let namesake = (SYSTEM, Installation::trusting(folder.path(), &namesake));
    let untrusted = (SYSTEM, world.file("stranger.pem"));
    let of_another = "its certificate is signed by no authority that this system trusts: SSL_CERT_FILE";
    let mut nodes = Vec::new();
    for (changed, complaint) in [
        (vec![untrusted, (REDIS, well.clone())], of_another),
        (vec![namesake, (REDIS, well)], of_another),
        (
            vec![(REDIS, format!("rediss://node:can%3Aary@127.0.0.1:{port}"))],
            "its certificate is for another name or address than redis.url has",
        ),
        (
            vec![(REDIS, format!("redis://node:can%3Aary@{address}"))],
            "it ends the connection: does it speak TLS (rediss:// in redis.url)?",
        ),
        (
            vec![(REDIS, format!("rediss://{}", Redis::shared().unwrap()))],
            "it does not answer: does it speak TLS at this port (redis.url)?",
        ),
        (vec![(REDIS, format!("rediss://node:canary@{address}"))], "see redis.user and redis.password"),
    ] {
        let node = installation.node(&changed);
        is_seen_by(&node, "without_redis").await;
        let began = Instant::now();
        while !node.log().contains(complaint) {
            assert!(began.elapsed() < PATIENCE, "{complaint}");
            look_again().await;
        }
        assert_eq!(node.log().matches(complaint).count(), 1, "{complaint}: once is enough");
        assert!(!node.log().contains("does not let this node subscribe"), "{complaint}: it was never asked");
        nodes.push(node);
    }
    // They serve, and find the others by the store.
    let mut refs = Vec::new();
    for node in &nodes {
        sees(node, nodes.len() + 1).await;
        refs.push(format!("r{}", refs.len()));
        node.api().ask(id, refs.last().unwrap(), "When are you open?").await;
        keeps_secrets(node);
    }
    let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
    in_order(&first.api().whole_log(id).await, &refs);
}

fn keeps_secrets(node: &Node) {
    let log = node.log();
    assert!(["canary", "can:ary", "can%3Aary"].iter().all(|password| !log.contains(password)), "{log}");
}

/// Waits until a node sees the others by these.
async fn is_seen_by(node: &Node, sight: &str) {
    let began = Instant::now();
    loop {
        let state = node.api().get("/readyz").await.ok::<Value>();
        if state["cluster"]["sight"] == sight {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{state}");
        look_again().await;
    }
}
