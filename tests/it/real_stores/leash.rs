//! No server outlives the process that started it, and none leaves its data behind.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tests::{PATIENCE, look_again};
use tokio::time::timeout;

#[tokio::test]
async fn a_server_goes_when_its_process_is_killed() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_servers"))
        .arg("redis")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address: SocketAddr = line.trim().parse().unwrap();

    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"CONFIG GET dir\r\n").unwrap();
    // The lengths of what comes, between it.
    let answer: Vec<String> = BufReader::new(stream).lines().take(5).map(Result::unwrap).collect();
    let folder = Path::new(&answer[4]);
    let root = folder.parent().unwrap();
    assert!(folder.is_dir(), "{answer:?}");

    program.kill().unwrap();
    program.wait().unwrap();
    let gone = async {
        while TcpStream::connect(address).is_ok() || root.exists() {
            look_again().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the server and its folder go");
}
