//! Whole lives of sockets: how they end, what a stalled or silent client costs, pauses, large messages.

use std::io::Write;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::{Stream, StreamExt, stream};
use gateway::socket::{self, Closed, Outgoing, Pace, Peer, SocketLimits, Tcp};
use schema::wire::Close;
use tests::rawsocket::first::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT};
use tests::rawsocket::{PATIENCE, RawSocket, Seen, close_payload, frame};

use super::{Setting, serve};

/// A peer that reports what it is told, and takes no message while it is paused.
struct Probe {
    reports: Sender<Report>,
    gate: Arc<Mutex<Gate>>,
}

#[derive(Debug, PartialEq)]
enum Report {
    Opened,
    Text(String),
    Bytes(usize),
    Closed(Closed),
}

#[derive(Default)]
struct Gate {
    paused: bool,
    waiting: Option<Waker>,
}

impl Peer for Probe {
    fn opened(&mut self) {
        let _ = self.reports.send(Report::Opened);
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut gate = self.gate.lock().expect("no panic before");
        gate.waiting = Some(context.waker().clone());
        if gate.paused { Poll::Pending } else { Poll::Ready(()) }
    }

    fn text(&mut self, text: ByteString) -> Result<(), Close> {
        let _ = self.reports.send(Report::Text(text.to_string()));
        Ok(())
    }

    fn binary(&mut self, bytes: Bytes) -> Result<(), Close> {
        let _ = self.reports.send(Report::Bytes(bytes.len()));
        if bytes.is_empty() { Err(Close::UNSUPPORTED) } else { Ok(()) }
    }

    fn closed(&mut self, how: Closed) {
        let _ = self.reports.send(Report::Closed(how));
    }
}

type BoxedOutgoing = Pin<Box<dyn Stream<Item = Outgoing>>>;

/// One socket of a server of its own, whose peer reports and sends what `outgoing` makes.
fn probe(
    setting: Setting,
    outgoing: impl Fn() -> BoxedOutgoing + Clone + Send + Sync + 'static,
) -> (RawSocket, Receiver<Report>, Arc<Mutex<Gate>>) {
    let (reports, reported) = channel();
    let gate = Arc::new(Mutex::new(Gate::default()));
    let address = serve(setting, {
        let gate = Arc::clone(&gate);
        move || (Probe { reports: reports.clone(), gate: Arc::clone(&gate) }, outgoing())
    });
    let socket = RawSocket::open(address);
    assert_eq!(reported.recv_timeout(PATIENCE), Ok(Report::Opened));
    (socket, reported, gate)
}

fn silent() -> BoxedOutgoing {
    stream::pending().boxed_local()
}

/// The last report, and that there is nothing after it.
fn closed(reported: &Receiver<Report>) -> Closed {
    loop {
        if let Report::Closed(how) = reported.recv_timeout(PATIENCE).expect("the end of the socket is reported") {
            assert!(reported.try_recv().is_err(), "nothing comes after the end");
            return how;
        }
    }
}

#[test]
fn the_end_is_reported_once_with_its_cause() {
    // How the client behaves; what it sees; what the peer is told.
    type Row = (&'static str, fn(&mut RawSocket), &'static [Seen], Closed);
    let rows: &[Row] = &[
        (
            "client closes",
            |socket| socket.write(frame(CLOSE, close_payload(4321, "done"))),
            &[Seen::Close(Some(4321)), Seen::Eof],
            Closed::ByClient(Some(4321)),
        ),
        (
            "client closes without a code",
            |socket| socket.write(frame(CLOSE, "")),
            &[Seen::Close(None), Seen::Eof],
            Closed::ByClient(None),
        ),
        (
            "client breaks a rule",
            |socket| socket.write(frame(FIN | TEXT, b"\xff")),
            &[Seen::Close(Some(1007)), Seen::Eof],
            Closed::ByUs(Close::NOT_UTF8),
        ),
        (
            "peer refuses a message",
            |socket| socket.write(frame(FIN | BINARY, "")),
            &[Seen::Close(Some(1003)), Seen::Eof],
            Closed::ByUs(Close::UNSUPPORTED),
        ),
        ("client ends TCP without a close", |socket| socket.shut_down(), &[Seen::Eof], Closed::Abnormal),
        (
            "client ends TCP inside a frame",
            |socket| {
                socket.write(&frame(FIN | TEXT, "never whole")[..9]);
                socket.shut_down();
            },
            &[Seen::Eof],
            Closed::Abnormal,
        ),
    ];
    for (name, behave, seen, how) in rows {
        let (mut socket, reported, _) = probe(Setting::default(), silent);
        behave(&mut socket);
        assert_eq!(socket.read_to_end(), *seen, "{name}");
        assert_eq!(closed(&reported), *how, "{name}");
    }

    let (socket, reported, _) = probe(Setting::default(), silent);
    drop(socket);
    assert_eq!(closed(&reported), Closed::Abnormal, "client vanishes");
}

#[test]
fn what_the_application_sends_comes_in_order_and_ends_with_its_close() {
    let many = || -> BoxedOutgoing {
        let messages = (0..1000).map(|n| Outgoing::Text(format!("{n}").into()));
        stream::iter(messages.chain([Outgoing::Ping, Outgoing::Close(Close::GOING_AWAY), Outgoing::Ping])).boxed_local()
    };
    let (mut socket, reported, _) = probe(Setting::default(), many);
    let mut wanted: Vec<_> = (0..1000).map(|n| Seen::Text(n.to_string())).collect();
    wanted.extend([Seen::Ping(Vec::new()), Seen::Close(Some(4000)), Seen::Eof]);
    assert_eq!(socket.read_to_end(), wanted);
    assert_eq!(closed(&reported), Closed::ByUs(Close::GOING_AWAY));

    let (mut socket, reported, _) = probe(Setting::default(), || stream::empty().boxed_local());
    assert_eq!(socket.read_to_end(), [Seen::Close(Some(1000)), Seen::Eof], "the end of the stream is a close");
    assert_eq!(closed(&reported), Closed::ByUs(Close::NORMAL));
}

#[test]
fn a_client_that_does_not_answer_a_close_is_not_waited_for() {
    let (mut socket, reported, _) =
        probe(Setting::default(), || stream::iter([Outgoing::Close(Close::FLOOD)]).boxed_local());
    assert_eq!(closed(&reported), Closed::ByUs(Close::FLOOD));
    assert_eq!(socket.read(), Seen::Close(Some(4029)));
    // It goes on talking instead; none of it is answered or reported.
    let mut writer = socket.writer();
    let talk = thread::spawn(move || while writer.write_all(&frame(PING, "x")).is_ok() {});
    assert!(matches!(socket.read(), Seen::Eof | Seen::Reset));
    drop(socket);
    talk.join().expect("the writer ends with the connection");
    assert!(reported.try_recv().is_err());
}

#[test]
fn tcp_is_ended_soon_also_where_refused_uploads_linger() {
    // The deadline is set at any point between two ticks of the server's coarse clock.
    let setting = Setting { linger: socket::LINGER, ..Setting::default() };
    let address = serve(setting, || socket::echo(1));
    let mut sockets: Vec<_> = (0..8).map(|_| RawSocket::open(address)).collect();
    for socket in &mut sockets {
        socket.write(frame(CLOSE, close_payload(1000, "")));
        assert_eq!([socket.read(), socket.read()], [Seen::Close(Some(1000)), Seen::Eof]);
    }
}

#[test]
fn a_client_that_answers_nothing_is_pinged_and_then_ended() {
    let pace = Pace { ping: Duration::from_millis(160), silence: Duration::from_millis(480) };
    let setting = Setting { pace, ..Setting::default() };
    let (mut socket, reported, _) = probe(setting, silent);
    let mut all = Vec::new();
    while !matches!(all.last(), Some(Seen::Eof | Seen::Reset | Seen::Nothing)) {
        all.push(socket.read());
    }
    let (pings, end): (Vec<_>, Vec<_>) = all.into_iter().partition(|seen| matches!(seen, Seen::Ping(_)));
    assert!((1..=4).contains(&pings.len()), "{} pings", pings.len());
    assert_eq!(end, [Seen::Close(Some(4009)), Seen::Eof]);
    assert_eq!(closed(&reported), Closed::ByUs(Close::SILENT));

    // One that answers lives on, well past the silence that would have ended it.
    let (mut socket, reported, _) = probe(setting, silent);
    let born = Instant::now();
    while born.elapsed() < pace.silence * 3 {
        assert_eq!(socket.read(), Seen::Ping(Vec::new()));
        socket.write(frame(PONG, ""));
    }
    socket.write(frame(CLOSE, close_payload(1000, "")));
    assert_eq!(closed(&reported), Closed::ByClient(Some(1000)));
}

#[test]
fn a_stalled_reader_costs_little_and_is_ended() {
    const MESSAGE: Bytes = Bytes::from_static(&[b'x'; 1024]);
    const COST_MAX: usize = 1024 * 1024;
    let pulled = Arc::new(AtomicUsize::new(0));
    let flood = {
        let pulled = Arc::clone(&pulled);
        move || -> BoxedOutgoing {
            let pulled = Arc::clone(&pulled);
            stream::repeat_with(move || {
                pulled.fetch_add(MESSAGE.len(), Ordering::Relaxed);
                Outgoing::Binary(MESSAGE)
            })
            .boxed_local()
        }
    };
    let tcp = Tcp { user_timeout: Duration::from_secs(1), ..Tcp::default() };
    let (mut socket, reported, _) = probe(Setting { tcp, ..Setting::default() }, flood);
    // It never reads, yet answers for its life: reading is not the same as being there.
    socket.write(frame(PONG, ""));
    assert_eq!(closed(&reported), Closed::Abnormal);
    let cost = pulled.load(Ordering::Relaxed);
    assert!(cost < COST_MAX, "{cost} bytes went to somebody who took none");
    drop(socket);
}

#[test]
fn a_paused_peer_pauses_the_client_and_loses_nothing() {
    const MESSAGE_BYTES: usize = 60_000;
    const MESSAGES: usize = 1000;
    let pace = Pace { ping: Duration::from_millis(80), silence: Duration::from_millis(240) };
    let (mut socket, reported, gate) = probe(Setting { pace, ..Setting::default() }, silent);
    gate.lock().expect("no panic").paused = true;

    let mut writer = socket.writer();
    let message = frame(FIN | BINARY, vec![0x55; MESSAGE_BYTES]);
    let (written, progress) = channel();
    let writing = thread::spawn(move || {
        for n in 1..=MESSAGES {
            writer.write_all(&message).expect("the server holds on");
            let _ = written.send(n);
        }
    });
    // The writer stops by itself once the kernel's buffers are full: here it has when it has not
    // moved for longer than a client may be silent, which the server must not hold against it.
    let mut before = 0;
    while let Ok(now) = progress.recv_timeout(pace.silence * 3) {
        before = now;
    }
    assert!(before < MESSAGES, "the client was never slowed down");
    assert!(reported.try_recv().is_err(), "nothing is handed to a paused peer, nor is it told of an end");

    let waiting = {
        let mut gate = gate.lock().expect("no panic");
        gate.paused = false;
        gate.waiting.take()
    };
    waiting.expect("the socket waits for its peer").wake();
    for n in 0..MESSAGES {
        assert_eq!(reported.recv_timeout(PATIENCE), Ok(Report::Bytes(MESSAGE_BYTES)), "message {n}");
    }
    writing.join().expect("everything was written");
    socket.write(frame(FIN | TEXT, "last"));
    assert_eq!(reported.recv_timeout(PATIENCE), Ok(Report::Text("last".to_owned())));
}

#[test]
fn large_messages_in_small_pieces_cost_no_more_than_they_weigh() {
    const BYTES: usize = 16 * 1024 * 1024;
    const PHRASE: &str = "Grüße, κόσμε! 16";
    let limits = SocketLimits {
        frame_bytes: BYTES,
        message_bytes: BYTES,
        small_frames_burst: NonZeroU32::MAX,
        ..SocketLimits::default()
    };
    let address = serve(Setting { limits, ..Setting::default() }, || socket::echo(BYTES));
    let words = PHRASE.repeat(BYTES / PHRASE.len());
    for (name, kind, piece) in
        [("text", TEXT, 64), ("text", TEXT, 4096), ("binary", BINARY, 64), ("text", TEXT, usize::MAX)]
    {
        let mut sent = Vec::with_capacity(words.len() * 2);
        let pieces = words.as_bytes().chunks(piece.min(words.len()));
        let last = pieces.len() - 1;
        for (n, piece) in pieces.enumerate() {
            let opcode = if n == 0 { kind } else { CONTINUATION };
            sent.extend(frame(if n == last { FIN | opcode } else { opcode }, piece));
        }
        let mut socket = RawSocket::open(address);
        let mut writer = socket.writer();
        let writing = thread::spawn(move || writer.write_all(&sent).expect("the server reads"));
        let started = Instant::now();
        let seen = socket.read();
        let same = match &seen {
            Seen::Text(text) => text.as_bytes() == words.as_bytes(),
            Seen::Binary(bytes) => bytes == words.as_bytes(),
            _ => false,
        };
        assert!(same, "{name} in pieces of {piece} came back as {seen:?}");
        println!("{name} of {} bytes in pieces of {piece}: {:?}", words.len(), started.elapsed());
        writing.join().expect("everything was written");
    }
}
