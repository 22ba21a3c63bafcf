//! Input and expected output, rule by rule, in the order of Autobahn's sections.

use tests::rawsocket::first::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT};
use tests::rawsocket::{REQUEST, RawSocket, Seen, close_payload, frame, head};

use super::echo;

/// The most bytes of a case that is also sent octet by octet.
const OCTETS_MAX: usize = 700;

/// Sends the frames and then a close (unless the server has closed before), and compares all that
/// came. Does so at once, frame by frame, and octet by octet: the cut must make no difference.
fn check(name: &str, frames: &[Vec<u8>], wanted: &[Seen]) {
    let mut wanted = wanted.to_vec();
    let mut sent = frames.to_vec();
    if !wanted.iter().any(|seen| matches!(seen, Seen::Close(_))) {
        sent.push(frame(CLOSE, close_payload(1000, "")));
        wanted.push(Seen::Close(Some(1000)));
    }
    wanted.push(Seen::Eof);
    let all = sent.concat();
    let octets = all.len() <= OCTETS_MAX;
    let cuts: [(&str, Vec<&[u8]>); 3] = [
        ("at once", vec![&all[..]]),
        ("by frames", sent.iter().map(|frame| &frame[..]).collect()),
        ("by octets", if octets { all.chunks(1).collect() } else { Vec::new() }),
    ];
    for (how, cut) in cuts {
        if cut.is_empty() {
            continue;
        }
        let mut socket = RawSocket::open(echo());
        for piece in cut {
            socket.write(piece);
        }
        assert_eq!(socket.read_to_end(), wanted, "{name}, sent {how}");
    }
}

fn text(words: &str) -> Seen {
    Seen::Text(words.to_owned())
}

fn closed(code: u16) -> Seen {
    Seen::Close(Some(code))
}

#[test]
fn handshakes() {
    // The header changed, its new value or none, and then the status and header of the answer.
    type Row = (&'static str, Option<&'static str>, u16, Option<(&'static str, &'static str)>);
    let rows: &[Row] = &[
        ("Host", Some("elsewhere"), 101, None),
        ("Connection", Some("upgrade"), 101, Some(("upgrade", "websocket"))),
        ("Connection", Some("keep-alive"), 426, Some(("upgrade", "websocket"))),
        ("Connection", None, 426, None),
        ("Upgrade", Some("h2c"), 426, Some(("upgrade", "websocket"))),
        ("Upgrade", None, 426, None),
        ("Sec-WebSocket-Version", None, 426, Some(("sec-websocket-version", "13"))),
        ("Sec-WebSocket-Version", Some("8"), 426, Some(("sec-websocket-version", "13"))),
        ("Sec-WebSocket-Version", Some("14"), 426, Some(("sec-websocket-version", "13"))),
        ("Sec-WebSocket-Key", None, 400, None),
        ("Sec-WebSocket-Key", Some("c2hvcnQ="), 400, None),
        ("Sec-WebSocket-Key", Some("*GhlIHNhbXBsZSBub25jZQ=="), 400, None),
        ("Sec-WebSocket-Protocol", Some("other.v1, tertulia.v1"), 101, Some(("sec-websocket-protocol", "tertulia.v1"))),
        ("Sec-WebSocket-Protocol", Some("other.v1"), 101, None),
    ];
    for (name, value, status, header) in rows {
        let mut headers: Vec<_> = REQUEST
            .iter()
            .filter(|(other, _)| other != name)
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        headers.extend(value.map(|value| (*name, value.to_owned())));
        let (answer, _socket) = RawSocket::ask(echo(), "GET", &headers);
        assert_eq!(answer.status, *status, "{name}: {value:?} gave {answer:?}");
        if let Some((name, value)) = header {
            assert_eq!(answer.header(name), Some(*value), "{answer:?}");
        }
        if *value == Some("other.v1") {
            assert_eq!(answer.header("sec-websocket-protocol"), None, "{answer:?}");
        }
    }
    let (answer, _socket) = RawSocket::ask(echo(), "POST", &REQUEST.map(|(name, value)| (name, value.to_owned())));
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")));
}

#[test]
fn lengths() {
    for length in [0, 1, 125, 126, 127, 128, 4095, 4096, 4097, 65_535, 65_536, 70_000] {
        let words = "*".repeat(length);
        check("text", &[frame(FIN | TEXT, &words)], &[text(&words)]);
        let bytes = vec![0xfe; length];
        check("binary", &[frame(FIN | BINARY, &bytes)], &[Seen::Binary(bytes)]);
    }
}

#[test]
fn pings_and_pongs() {
    let ping = |payload: &[u8]| frame(PING, payload);
    let pong = |payload: &[u8]| Seen::Pong(payload.to_vec());
    check("empty", &[ping(b"")], &[pong(b"")]);
    check("words", &[ping(b"Hello, world!")], &[pong(b"Hello, world!")]);
    check("bytes", &[ping(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")], &[pong(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")]);
    check("longest", &[ping(&[0xfe; 125])], &[pong(&[0xfe; 125])]);
    check("too long", &[ping(&[0xfe; 126])], &[closed(1002)]);
    check("unasked pong", &[frame(PONG, ""), frame(PONG, "unasked"), ping(b"x")], &[pong(b"x")]);
    let (pings, pongs): (Vec<_>, Vec<_>) = (0..100_u8).map(|n| (ping(&[n]), pong(&[n]))).unzip();
    check("many", &pings, &pongs);
}

#[test]
fn reserved_bits_and_opcodes() {
    let before = frame(FIN | TEXT, "before");
    let after = [frame(FIN | TEXT, "after"), frame(PING, "after")].concat();
    for bits in 1..8_u8 {
        for opcode in [TEXT, BINARY, 8, 9, 10] {
            let bad = frame(FIN | bits << 4 | opcode, "bits");
            check("reserved bits", &[before.clone(), bad, after.clone()], &[text("before"), closed(1002)]);
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in ["", "payload"] {
            let bad = frame(FIN | opcode, payload);
            check("reserved opcode", &[before.clone(), bad, after.clone()], &[text("before"), closed(1002)]);
        }
    }
    let unmasked = b"\x81\x05naked".to_vec();
    check("unmasked", &[before.clone(), unmasked, after.clone()], &[text("before"), closed(1002)]);
    let long_way = [&[0x81, 0xfe, 0, 5][..], &[0; 4], b"waste"].concat();
    check("length not minimal", &[before, long_way, after], &[text("before"), closed(1002)]);
}

#[test]
fn fragments() {
    let start = |words: &str| frame(TEXT, words);
    let more = |words: &str| frame(CONTINUATION, words);
    let last = |words: &str| frame(FIN | CONTINUATION, words);
    let ping = || frame(PING, "p");
    let pong = || Seen::Pong(b"p".to_vec());

    check("two", &[start("one"), last("two")], &[text("onetwo")]);
    check("ping between", &[start("one"), ping(), last("two")], &[pong(), text("onetwo")]);
    check(
        "pings between many",
        &[start("a"), more("b"), ping(), more("c"), more("d"), ping(), last("e")],
        &[pong(), pong(), text("abcde")],
    );
    check("pong between", &[start("one"), frame(PONG, "x"), last("two")], &[text("onetwo")]);
    check("empty ones", &[start(""), more(""), last("")], &[text("")]);
    check("empty ends", &[start(""), more("middle"), last("")], &[text("middle")]);
    check(
        "binary",
        &[frame(BINARY, [1, 2]), more(""), frame(FIN | CONTINUATION, [0xff])],
        &[Seen::Binary(vec![1, 2, 0xff])],
    );
    check("in turn", &[start("a"), last("b"), start("c"), last("d")], &[text("ab"), text("cd")]);
    check("ping in fragments", &[frame(0x09, "frag"), last("ment")], &[closed(1002)]);
    check("pong in fragments", &[frame(0x0a, "frag"), last("ment")], &[closed(1002)]);
    check("close in fragments", &[frame(0x08, close_payload(1000, "")), last("")], &[closed(1002)]);
    check("nothing to continue", &[last("lost"), frame(FIN | TEXT, "x")], &[closed(1002)]);
    check("nothing to continue, not last", &[more("lost"), frame(FIN | TEXT, "x")], &[closed(1002)]);
    check("nothing more to continue", &[start("a"), last("b"), more("c")], &[text("ab"), closed(1002)]);
    check("new before the end", &[start("a"), frame(FIN | TEXT, "b")], &[closed(1002)]);
    check("new start before the end", &[start("a"), start("b"), last("c")], &[closed(1002)]);
    check("binary before the end", &[start("a"), frame(FIN | BINARY, "b")], &[closed(1002)]);
}

#[test]
fn utf8() {
    let valid: &[&[u8]] = &[
        "κόσμε".as_bytes(),
        b"\x00",
        b"\x7f",
        b"\xc2\x80",
        b"\xdf\xbf",
        b"\xe0\xa0\x80",
        b"\xed\x9f\xbf",
        b"\xee\x80\x80",
        b"\xef\xbf\xbd",
        b"\xef\xbf\xbf",
        b"\xf0\x90\x80\x80",
        b"\xf4\x8f\xbf\xbf",
        "Hello-µ@ßöäüàá-UTF-8!! 🤝".as_bytes(),
    ];
    for bytes in valid {
        let words = std::str::from_utf8(bytes).expect("valid");
        check("valid", &[frame(FIN | TEXT, bytes)], &[text(words)]);
        let mut frames: Vec<_> = bytes.iter().map(|byte| frame(CONTINUATION, [*byte])).collect();
        frames.insert(0, frame(TEXT, ""));
        frames.push(frame(FIN | CONTINUATION, ""));
        check("valid, a fragment for each byte", &frames, &[text(words)]);
    }

    let invalid: &[(&str, &[u8])] = &[
        ("lone continuation", b"\x80"),
        ("many continuations", b"\xbf\x80\xbf\x80"),
        ("start alone", b"\xc3 "),
        ("cut short at the end", b"abc\xe2\x82"),
        ("cut short in the middle", b"\xf0\x9f\xa4 abc"),
        ("impossible byte", b"abc\xfe"),
        ("impossible byte ff", b"\xff"),
        ("overlong slash", b"\xc0\xaf"),
        ("overlong slash in three", b"\xe0\x80\xaf"),
        ("overlong slash in four", b"\xf0\x80\x80\xaf"),
        ("overlong nul", b"\xc0\x80"),
        ("overlong maximum", b"\xc1\xbf"),
        ("five bytes", b"\xf8\x88\x80\x80\x80"),
        ("six bytes", b"\xfc\x84\x80\x80\x80\x80"),
        ("first surrogate", b"\xed\xa0\x80"),
        ("last surrogate", b"\xed\xbf\xbf"),
        ("surrogate pair", b"\xed\xa0\xbd\xed\xb2\xa9"),
        ("past the last character", b"\xf4\x90\x80\x80"),
    ];
    for (name, bytes) in invalid {
        check(name, &[frame(FIN | TEXT, bytes)], &[closed(1007)]);
        let (start, rest) = bytes.split_at(bytes.len() / 2);
        check(name, &[frame(TEXT, start), frame(FIN | CONTINUATION, rest)], &[closed(1007)]);
        check("binary may be anything", &[frame(FIN | BINARY, bytes)], &[Seen::Binary(bytes.to_vec())]);
    }
}

#[test]
fn invalid_utf8_is_refused_before_the_message_is_whole() {
    let cases: &[(&str, Vec<u8>)] = &[
        ("in a first fragment", frame(TEXT, b"abc\xf4\x90")),
        ("in a later fragment", [frame(TEXT, b"abc\xf4"), frame(CONTINUATION, b"\x90")].concat()),
        ("inside a frame", frame(FIN | TEXT, [&b"abc\xed\xa0"[..], &[b'x'; 60_000]].concat())[..200].to_vec()),
    ];
    for (name, bytes) in cases {
        let mut socket = RawSocket::open(echo());
        socket.write(bytes);
        assert_eq!(socket.read(), closed(1007), "{name}");
    }
    // The same start with a right second byte waits for more.
    check(
        "not refused too early",
        &[frame(TEXT, b"abc\xf4"), frame(FIN | CONTINUATION, b"\x8f\xbf\xbf")],
        &[text("abc\u{10ffff}")],
    );
}

#[test]
fn closes() {
    let close = |payload: &[u8]| frame(CLOSE, payload);
    check("empty", &[close(b"")], &[Seen::Close(None)]);
    check("one byte", &[close(b"\x03")], &[closed(1002)]);
    check("longest", &[close(&close_payload(1000, "x".repeat(123)))], &[closed(1000)]);
    check("too long", &[close(&close_payload(1000, "x".repeat(124)))], &[closed(1002)]);
    check("reason not UTF-8", &[close(&close_payload(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80"))], &[closed(1007)]);
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        check("valid code", &[close(&close_payload(code, "why"))], &[closed(code)]);
        check("valid code alone", &[close(&close_payload(code, ""))], &[closed(code)]);
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        check("invalid code", &[close(&close_payload(code, "why"))], &[closed(1002)]);
    }
    let after = [frame(FIN | TEXT, "after"), frame(PING, "after"), close(&close_payload(1001, ""))].concat();
    check(
        "data after it",
        &[frame(FIN | TEXT, "a"), close(&close_payload(1000, "")), after],
        &[text("a"), closed(1000)],
    );
    check("in a message", &[frame(TEXT, "begun"), close(&close_payload(1000, ""))], &[closed(1000)]);
}

#[test]
fn limits() {
    let large = "x".repeat(70_001);
    check("frame", &[frame(FIN | TEXT, &large)], &[closed(1009)]);
    check("frame in a message", &[frame(TEXT, "x"), frame(FIN | CONTINUATION, &large)], &[closed(1009)]);
    let half = "x".repeat(50_000);
    let halves = [frame(TEXT, &half), frame(FIN | CONTINUATION, &half)];
    check("message", &halves, &[text(&[half.as_str(), half.as_str()].concat())]);
    check(
        "message, one more",
        &[frame(TEXT, &half), frame(CONTINUATION, &half), frame(FIN | CONTINUATION, "x")],
        &[closed(1009)],
    );

    // Refused for what is declared: of the payload not a byte is sent.
    for (name, declared, code) in [("1 GiB", 1 << 30, 1009), ("8 EiB", (1 << 63) - 1, 1009), ("more", 1 << 63, 1002)] {
        for bytes in [head(FIN | BINARY, declared), [frame(BINARY, "x"), head(CONTINUATION, declared)].concat()] {
            let mut socket = RawSocket::open(echo());
            socket.write(bytes);
            assert_eq!(socket.read(), closed(code), "{name}");
        }
    }
}
