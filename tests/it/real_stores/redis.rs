//! Redis as a test needs it: it answers, can be killed, stopped, held and started again, and keeps nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use tests::servers::Redis;

#[test]
fn it_can_be_killed_stopped_held_and_started_again_and_keeps_nothing() {
    let mut redis = Redis::start().unwrap();
    redis.ping().unwrap();
    assert_eq!(redis.ask(&["SET", "word", "here"]).unwrap(), "+OK");
    assert_eq!(redis.ask(&["STRLEN", "word"]).unwrap(), ":4");

    let address = redis.address();
    redis.kill().unwrap();
    redis.ping().unwrap_err();
    redis.restart().unwrap();
    assert_eq!(redis.address(), address);
    assert_eq!(redis.ask(&["STRLEN", "word"]).unwrap(), ":0");

    redis.pause().unwrap();
    redis.ping().unwrap_err();
    redis.resume().unwrap();
    redis.ping().unwrap();

    redis.pause().unwrap();
    redis.stop().unwrap();
    redis.ping().unwrap_err();
    assert!(redis.stop().is_err(), "it has stopped already");
    redis.restart().unwrap();
    redis.ping().unwrap();
}

#[test]
fn one_with_a_password_answers_nobody_without_it() {
    let redis = Redis::start_with_password("open sesame").unwrap();
    redis.ping().unwrap();
    let mut stream = TcpStream::connect(redis.address()).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert!(answer.starts_with("-NOAUTH"), "{answer}");
}
