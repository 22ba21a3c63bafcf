//! A new process takes over the listening sockets of the node that runs: nobody is refused, nothing is lost, and a new
//! one that is not right leaves the old one as it was.

mod given;
mod load;

use std::fs;
use std::io::{BufRead as _, BufReader, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use schema::End;
use serde_json::{Value, json};
use tests::client::Socket;
use tests::node::{Node, Ran, command, data_in, fresh, own_address, run};
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;

/// Settings of the environment, the exit code, and what the line on stderr names.
type Refusal<'a> = (&'a [(&'a str, &'a str)], i32, &'a [&'a str]);

const FOLLOW: [&str; 2] = ["serve", "--take-over"];

pub(crate) fn follower(node: &Node, settings: &[(&str, &str)]) -> Ran {
    let mut command = command(node.root().path(), settings);
    command.args(FOLLOW);
    run(command, "")
}

/// One line on standard error that names these, and nothing else said.
pub(crate) fn tells(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{ran:?}");
    assert_eq!(ran.err.lines().filter(|line| line.starts_with("tertulia: ")).count(), 1, "{ran:?}");
    for part in parts {
        assert!(ran.err.lines().last().is_some_and(|line| line.contains(part)), "{part}: {ran:?}");
    }
}

/// A process that speaks for itself.
struct Asker(BufReader<UnixStream>);

impl Asker {
    fn new(node: &Node) -> Self {
        Self(BufReader::new(UnixStream::connect(node.data().join("takeover.sock")).unwrap()))
    }

    fn say(&mut self, line: &Value) {
        // One that is refused at once is not listened to.
        let _ = writeln!(self.0.get_mut(), "{line}");
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Whether the other one has hung up.
    fn is_over(&mut self) -> bool {
        self.0.read_line(&mut String::new()).is_ok_and(|read| read == 0)
    }
}

#[tokio::test]
async fn where_no_node_runs_it_starts_as_always() {
    let root = fresh();
    let start = || {
        let mut command = command(root.path(), &[]);
        command.args(FOLLOW);
        Node::start_with(command, Arc::clone(&root))
    };
    let mut node = start();
    let socket = node.data().join("takeover.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let id = node.api().open().await;
    // What a node that was killed leaves keeps nobody from starting.
    node.kill();
    assert!(socket.exists());
    let mut node = start();
    assert_eq!(node.api().view(id).await.head, 1);
    node.signal("TERM");
    assert_eq!(node.ended().await.code(), Some(0));
    assert!(!socket.exists(), "nobody is there to be asked");
}

#[tokio::test]
async fn a_new_one_that_is_not_right_leaves_the_old_one_as_it_was() {
    let (listen, elsewhere) = (own_address().unwrap().to_string(), own_address().unwrap().to_string());
    let node = Node::start(&[("TERTULIA_LISTEN", &listen)]);
    let api = node.api();
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    let id = ana.join_new().await;
    let same = ("TERTULIA_LISTEN", listen.as_str());
    let rows: &[Refusal<'_>] = &[
        (&[("TERTULIA_LISTEN", &elsewhere)], 1, &[&listen, &elsewhere, "clients", "it goes on"]),
        (&[same, ("TERTULIA_METRICS_LISTEN", &elsewhere)], 1, &["metrics", "no address", &elsewhere]),
        (&[same, ("TERTULIA_MODEL", "gpt")], 2, &["TERTULIA_MODEL"]),
        (&[same, ("TERTULIA_REDIS", "redis://127.0.0.1")], 1, &["TERTULIA_REDIS"]),
        (&[same, ("TERTULIA_STORE", "cql://127.0.0.1/chats")], 1, &["keeps everything in it"]),
        (&[same, ("TERTULIA_STORE__KEYS", "/no/such/folder")], 1, &["the key file /no/such/folder", "is missing"]),
    ];
    for (settings, code, parts) in rows {
        tells(&follower(&node, settings), *code, parts);
    }
    // A program that is older than the data.
    let version = node.data().join("VERSION");
    let known = fs::read(&version).unwrap();
    fs::write(&version, "99\n").unwrap();
    tells(&follower(&node, &[same]), 1, &["format 99"]);
    fs::write(&version, known).unwrap();
    // Without the flag nothing is taken over.
    tells(&run(command(node.root().path(), &[same]), ""), 1, &[&listen, "TERTULIA_LISTEN"]);
    assert_eq!(api.nobody().get("/readyz").await.status, 200);
    ana.say(id, "r1", "Is anybody there?").await;
    assert!(!node.log().contains("drain"), "{}", node.log());
}

#[tokio::test]
async fn one_at_a_time_is_given_the_sockets() {
    let mut node = Node::start(&[]);
    let mut first = Asker::new(&node);
    first.say(&json!({"version": 1, "says": "hello"}));
    let given = first.hear();
    assert_eq!((&given["says"], &given["of"]), (&json!("sockets"), &json!(["http"])), "{given}");
    tells(&follower(&node, &[]), 1, &["another process is taking over", "it goes on"]);
    drop(first);
    // Who speaks otherwise is told, and has taken nothing from anybody.
    for (line, reason) in [
        (json!({"version": 2, "says": "hello"}), "version 1"),
        (json!({"version": 1, "says": "sing"}), "what nobody understands"),
    ] {
        let mut other = loop {
            let mut other = Asker::new(&node);
            other.say(&line);
            let heard = other.hear();
            assert_eq!(heard["says"], "refused", "{heard}");
            let heard = heard["reason"].as_str().unwrap();
            if heard != "another process is taking over" {
                assert!(heard.contains(reason), "{heard}");
                break other;
            }
            // That the one before is gone is not heard yet.
            tests::look_again().await;
        };
        assert!(other.is_over());
    }
    let id = node.api().open().await;
    let new = loop {
        // The same, once more.
        let mut asker = Asker::new(&node);
        asker.say(&json!({"version": 1, "says": "hello"}));
        if asker.hear()["says"] == "sockets" {
            break asker;
        }
        tests::look_again().await;
    };
    // One that goes without a word is as one that never came.
    drop(new);
    while node.log().matches("this node goes on").count() < 4 {
        tests::look_again().await;
    }
    let next = node.follow(&[]);
    assert_eq!(node.ended().await.code(), Some(0));
    assert_eq!((next.address, next.api().view(id).await.head), (node.address, 1));
}

#[tokio::test]
async fn a_node_on_its_way_out_is_not_taken_over_any_more() {
    let mut stub = Stub::start();
    let base = stub.base();
    let mut node = Node::start(&[("OPENAI_BASE_URL", &base), ("TERTULIA_MODEL", "openai/stub")]);
    let id = node.api().open().await;
    node.api().say(id, "r1", "Tell me something long, please.").await;
    let call = stub.call().await;
    node.signal("TERM");
    while node.api().nobody().get("/readyz").await.status == 200 {
        tests::look_again().await;
    }
    tells(&follower(&node, &[]), 1, &["it is stopping already"]);
    call.token("Once.");
    call.finish();
    assert_eq!(node.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_reply_that_outlasts_the_drain_is_cut_and_the_new_one_serves() {
    let mut stub = Stub::start();
    let base = stub.base();
    let settings = [
        ("OPENAI_BASE_URL", base.as_str()),
        ("TERTULIA_MODEL", "openai/stub"),
        ("TERTULIA_SERVER__DRAIN_TIMEOUT", "100ms"),
    ];
    let mut node = Node::start(&settings);
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    let id = ana.join_new().await;
    let asked = ana.say(id, "r1", "Tell me something long, please.").await;
    let call = stub.call().await;
    call.token("Once upon ");
    ana.hears(id, 1, 0, 10).await;
    let next = node.follow(&settings);
    let reply = ana.reply_to(id, asked).await;
    assert_eq!((text_of(&reply), reply_of(&reply).unwrap().end), ("Once upon ", End::Incomplete));
    assert_eq!(ana.closed().await.0, 4000);
    assert_eq!(node.ended().await.code(), Some(0));
    assert!(next.api().whole_log(id).await.contains(&reply));
    drop(call);
}

/// One that follows a node in time of its own.
fn follows_meanwhile(node: &Node, settings: &[(&str, &str)]) -> tokio::task::JoinHandle<Node> {
    let mut command = command(node.root().path(), settings);
    command.args(FOLLOW);
    let root = node.root();
    tokio::task::spawn_blocking(move || Node::start_with(command, root))
}

#[tokio::test]
async fn an_old_one_that_is_killed_while_it_drains_is_followed() {
    let mut stub = Stub::start();
    let base = stub.base();
    let settings = [
        ("OPENAI_BASE_URL", base.as_str()),
        ("TERTULIA_MODEL", "openai/stub"),
        ("TERTULIA_SERVER__DRAIN_TIMEOUT", "10m"),
    ];
    let mut node = Node::start(&settings);
    let id = node.api().open().await;
    node.api().say(id, "r1", "Tell me something long, please.").await;
    let call = stub.call().await;
    let next = follows_meanwhile(&node, &settings);
    while !node.log().contains("another process takes over") {
        tests::look_again().await;
    }
    node.kill();
    let next = next.await.unwrap();
    assert_eq!(next.address, node.address);
    assert!(next.api().view(id).await.head >= 2, "what was acknowledged is there");
    drop(call);
}

#[tokio::test]
async fn a_new_one_that_is_killed_after_its_word_leaves_an_old_one_that_drains() {
    let mut node = Node::start(&[]);
    let mut new = Asker::new(&node);
    new.say(&json!({"version": 1, "says": "hello"}));
    assert_eq!(new.hear()["says"], "sockets");
    new.say(&json!({"version": 1, "says": "go"}));
    assert_eq!(new.hear()["says"], "draining");
    drop(new);
    assert_eq!(node.ended().await.code(), Some(0));
    // Nobody has the address or the directory now.
    let next = Node::start_in(node.root(), &[("TERTULIA_LISTEN", &node.address.to_string())]);
    assert_eq!(next.address, node.address);
}

#[tokio::test]
async fn an_old_one_that_is_frozen_is_told_of_and_goes_on_when_it_is_not() {
    let mut node = Node::start(&[]);
    node.signal("STOP");
    let frozen = follower(&node, &[]);
    node.signal("CONT");
    tells(&frozen, 1, &["it does not answer", "it goes on"]);
    while node.log().matches("this node goes on").count() < 1 {
        tests::look_again().await;
    }
    assert_eq!(node.api().nobody().get("/readyz").await.status, 200);
    let next = node.follow(&[]);
    assert_eq!(node.ended().await.code(), Some(0));
    assert_eq!(next.address, node.address);
}

#[tokio::test]
async fn another_users_node_is_left_alone() {
    if !rustix::process::geteuid().is_root() {
        println!("not tried: only root can start a node as somebody else");
        return;
    }
    let node = Node::start_as(65_534, fresh(), &[]);
    tells(&follower(&node, &[]), 1, &["another user's", "65534"]);
    // Nor does it believe the one who says nothing of that.
    let mut asker = Asker::new(&node);
    let heard = asker.hear();
    assert_eq!(heard["says"], "refused", "{heard}");
    assert!(heard["reason"].as_str().unwrap().contains("another user's"), "{heard}");
    assert_eq!(node.api().nobody().get("/readyz").await.status, 200);
}

/// A node as the test wants it: it plays its part on the socket of a directory.
fn plays(root: &std::path::Path, part: impl FnOnce(UnixStream) + Send + 'static) {
    fs::create_dir_all(data_in(root)).unwrap();
    let listener = UnixListener::bind(data_in(root).join("takeover.sock")).unwrap();
    thread::spawn(move || part(listener.accept().unwrap().0));
}

fn give(stream: &UnixStream, line: &Value, socket: &TcpListener) {
    let files = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&files)));
    let line = format!("{line}\n");
    sendmsg(stream, &[IoSlice::new(line.as_bytes())], &mut control, SendFlags::empty()).unwrap();
}

/// It gives its socket, and says no more once it hears `go`.
fn gives(stream: &UnixStream, socket: &TcpListener) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("hello"));
    give(stream, &json!({"version": 1, "says": "sockets", "of": ["http"], "drain_ms": 1}), socket);
    assert!(lines.next().unwrap().unwrap().contains("go"));
}

fn follow(root: &std::path::Path) -> Ran {
    let mut command = command(root, &[]);
    command.args(FOLLOW);
    run(command, "")
}

#[tokio::test]
async fn an_old_one_that_hangs_up_at_go_is_followed_if_it_gives_its_directory_back() {
    let root = fresh();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    plays(root.path(), move |stream| gives(&stream, &socket));
    let mut command = command(root.path(), &[]);
    command.args(FOLLOW);
    let node = Node::start_with(command, root);
    assert_eq!(node.address, address);
    assert_eq!(node.api().nobody().get("/readyz").await.status, 200);

    let root = fresh();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    plays(root.path(), move |stream| gives(&stream, &socket));
    let lock = fs::File::create(data_in(root.path()).join("lock")).unwrap();
    lock.lock().unwrap();
    tells(&follow(root.path()), 1, &["told to go", "cannot follow it", "another process is using it"]);
}

#[test]
fn an_old_one_that_does_not_do_its_part_is_told_of_in_a_line() {
    let root = fresh();
    plays(root.path(), |mut stream| writeln!(stream, r#"{{"version":7,"says":"welcome"}}"#).unwrap());
    tells(&follow(root.path()), 1, &["version 7", "it goes on"]);
    let root = fresh();
    plays(root.path(), drop);
    tells(&follow(root.path()), 1, &["it hung up"]);
    // One that was told to go, and stays.
    let root = fresh();
    let (over, ended) = std::sync::mpsc::channel::<()>();
    plays(root.path(), move |stream| {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        gives(&stream, &socket);
        writeln!(&stream, "{}", json!({"version": 1, "says": "draining"})).unwrap();
        let _ = ended.recv();
    });
    tells(&follow(root.path()), 1, &["still there after 16 s"]);
    drop(over);
    // One that says nothing of it.
    let root = fresh();
    let (over, ended) = std::sync::mpsc::channel::<()>();
    plays(root.path(), move |stream| {
        gives(&stream, &TcpListener::bind("127.0.0.1:0").unwrap());
        let _ = ended.recv();
    });
    tells(&follow(root.path()), 1, &["told to go", "is not known", "does not answer"]);
    drop(over);
}
