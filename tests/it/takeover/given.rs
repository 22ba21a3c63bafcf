//! A node listens on sockets that whoever starts it has opened and keeps, as systemd does by a `.socket` unit.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tests::look_again;
use tests::node::{Node, Ran, command, fresh, own_address};

use super::load::Load;
use super::tells;

/// Started with one socket: its standard input, as the first descriptor.
fn with_socket(mut command: Command, socket: impl Into<OwnedFd>) -> Command {
    command.envs([("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", "0")]).stdin(Stdio::from(socket.into()));
    command
}

fn listening() -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    // As many may wait as there are while a program starts.
    rustix::net::listen(&socket, 4096).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn who_keeps_the_socket_may_start_one_program_after_another() {
    let (socket, address) = listening();
    let (root, listen) = (fresh(), address.to_string());
    let settings = [("TERTULIA_LISTEN", listen.as_str()), ("TERTULIA_LIMITS__CONNECTIONS_PER_ADDRESS", "10000")];
    let start = || {
        let command = with_socket(command(root.path(), &settings), socket.try_clone().unwrap());
        Node::start_with(command, Arc::clone(&root))
    };
    let mut node = start();
    assert_eq!(node.address, address);
    let id = node.api().open().await;
    let head = format!("host: tertulia\r\nauthorization: Bearer {}\r\nconnection: close\r\n", node.demo_key());
    let load = Load::start(
        address,
        [format!("GET /v1/conversations/{id} HTTP/1.1\r\n{head}\r\n"), format!("GET /healthz HTTP/1.1\r\n{head}\r\n")],
    );
    for _ in 0..2 {
        node.signal("TERM");
        assert_eq!(node.ended().await.code(), Some(0));
        node = start();
        while node.api().nobody().get("/readyz").await.status != 200 {
            look_again().await;
        }
    }
    let met = load.end();
    println!("{} connections, longest {:?}", met.waits.len(), met.waits.last());
    assert_eq!(met.failed, Vec::<String>::new());
    assert!(met.answers.keys().all(|answer| answer == "200"), "{:?}", met.answers);
}

#[test]
fn what_it_cannot_use_is_told_in_a_line() {
    let run = |socket: OwnedFd, listen: &str| {
        let ran = with_socket(command(fresh().path(), &[("TERTULIA_LISTEN", listen)]), socket).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: ran.status.code(), out: text(ran.stdout), err: text(ran.stderr) }
    };
    let elsewhere = own_address().unwrap().to_string();
    let (socket, address) = listening();
    let plain = address.to_string();
    let connected = TcpStream::connect(address).unwrap();
    tells(&run(socket.into(), &elsewhere), 1, &[&plain, "LISTEN_FDS", "TERTULIA_LISTEN"]);
    tells(&run(connected.into(), &plain), 1, &["LISTEN_FDS", "Accept=no"]);
    tells(&run(File::open("/dev/null").unwrap().into(), &plain), 1, &["LISTEN_FDS", "is not a socket"]);
}

#[tokio::test]
async fn what_another_process_was_given_is_left_alone() {
    let (socket, address) = listening();
    let root = fresh();
    let mut command = with_socket(command(root.path(), &[]), socket);
    command.env("LISTEN_PID", "1");
    let node = Node::start_with(command, root);
    assert_ne!(node.address, address);
    assert_eq!(node.api().nobody().get("/readyz").await.status, 200);
}
