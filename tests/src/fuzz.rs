//! Everything that reads what strangers send, as functions of bytes: for a fuzzer, and for ordinary
//! tests that run its corpus. A target panics when something is wrong, and only then.

#![allow(clippy::panic, clippy::expect_used, reason = "that is how a fuzzer is told")]

use std::sync::LazyLock;

use engine_documents::Kind;
use engine_model::{Chunk, Grammar};
use gateway::auth::Tokens;
use gateway::secret::Key;
use gateway::socket::{SocketLimits, replay};
use schema::Timestamp;
use schema::wire::ClientFrame;

/// A reader of bytes.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("socket_frames", socket_frames),
    ("json_frames", json_frames),
    ("model_streams", model_streams),
    ("tokens", tokens),
    ("html", html),
    ("documents", document),
];

/// RFC 6455 from the bytes on: whole, byte by byte and in sevens it is the same.
pub fn socket_frames(bytes: &[u8]) {
    let limits = SocketLimits::default();
    let whole = replay(&limits, [bytes]);
    for size in [1, 7] {
        assert_eq!(replay(&limits, bytes.chunks(size)), whole, "in pieces of {size}");
    }
}

/// What a client says: what is read is written and read again as the same.
pub fn json_frames(bytes: &[u8]) {
    let Ok(frame) = serde_json::from_slice::<ClientFrame>(bytes) else { return };
    let written = serde_json::to_vec(&frame).expect("a frame that was read can be written");
    let again: ClientFrame = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, frame);
}

/// A provider's stream in every grammar: one end at most, nothing after it, wherever it is cut.
pub fn model_streams(bytes: &[u8]) {
    for grammar in Grammar::ALL {
        let whole = grammar.replay([bytes]);
        let ends = whole.0.iter().filter(|chunk| matches!(chunk, Chunk::End(_))).count();
        assert!(ends <= 1, "{grammar:?}: {ends} ends");
        assert!(ends == 0 || matches!(whole.0.last(), Some(Chunk::End(_))), "{grammar:?}: something after the end");
        assert!(ends == 0 || whole.1.is_none(), "{grammar:?}: an end and an error");
        for size in [1, 7] {
            assert_eq!(grammar.replay(bytes.chunks(size)), whole, "{grammar:?} in pieces of {size}");
        }
    }
}

/// A token made by nobody opens nothing.
pub fn tokens(bytes: &[u8]) {
    static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
        Tokens::new(&Key::new(Box::new([7; 32])), std::time::Duration::from_secs(3600)).expect("a key of 256 bits")
    });
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert!(TOKENS.open(text, Timestamp::from_millis(1_800_000_000_000)).is_err());
    assert!(TOKENS.recognise(schema::TenantId::from_bytes([1; 16]), text, Timestamp::from_millis(0)).is_none());
}

/// A page: its text never brings markup that would run, and it is bounded.
pub fn html(bytes: &[u8]) {
    let Ok(page) = engine_documents::read(Kind::Html, None, bytes) else { return };
    assert!(page.markdown.len() <= bytes.len() * 16 + 1_024, "{} bytes of {}", page.markdown.len(), bytes.len());
}

/// Any other document. The libraries for PDF may panic, which is why a node reads in a process of its
/// own; a panic there is no finding here.
pub fn document(bytes: &[u8]) {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Html) {
        let read = std::panic::AssertUnwindSafe(|| engine_documents::read(kind, None, bytes));
        match std::panic::catch_unwind(read) {
            Ok(read) => drop(read),
            Err(panic) if kind != Kind::Pdf => std::panic::resume_unwind(panic),
            Err(_) => {}
        }
    }
}
