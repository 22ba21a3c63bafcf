//! Bytes to messages, as RFC 6455 sections 5 to 8 say.
//! Invariant: no I/O; memory grows with bytes that have come, never with a length that was declared.
//!
//! It stands in for the reader of actix-web-actors, which takes all there is to read before it
//! decodes one frame, waits for the whole of a frame that it will refuse, and leaves messages in
//! fragments.

use std::mem;
use std::str;

use bytes::{Buf, Bytes};
use bytestring::ByteString;
use schema::wire::Close;

use super::SocketLimits;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Longest payload of a control frame.
const CONTROL_BYTES_MAX: u64 = 125;
/// Two bytes, eight of length, four of mask.
const HEAD_BYTES_MAX: usize = 14;

/// A message or control frame of a client, whole and checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A whole text message.
    Text(ByteString),
    /// A whole binary message.
    Binary(Bytes),
    /// To be answered with the same bytes.
    Ping(Bytes),
    /// A sign of life.
    Pong,
    /// A frame of a message that goes on: nothing to deal with, but it has been paid for.
    Fragment,
    /// The client's close, with its code.
    Close(Option<u16>),
}

/// A recorded stream of a client read again, in the pieces it came in: how many whole messages and
/// control frames it has, and the close it has earned, if any. How it is cut makes no difference.
#[must_use]
pub fn replay<'a>(limits: &SocketLimits, pieces: impl IntoIterator<Item = &'a [u8]>) -> (usize, Option<Close>) {
    let (mut decoder, mut whole) = (Decoder::new(limits), 0);
    for piece in pieces {
        let mut chunk = Bytes::copy_from_slice(piece);
        loop {
            match decoder.decode(&mut chunk) {
                Ok(Some(Incoming::Fragment)) => {}
                Ok(Some(_)) => whole += 1,
                Ok(None) => break,
                Err(close) => return (whole, Some(close)),
            }
        }
    }
    (whole, None)
}

/// The state between two reads.
pub(super) struct Decoder {
    frame_bytes: u64,
    message_bytes: u64,
    stage: Stage,
    discarding: bool,
    /// The head of the frame that is coming, as far as it has come.
    head: [u8; HEAD_BYTES_MAX],
    head_filled: usize,
    frame: Frame,
    message: Message,
    /// A control frame's payload; apart, because it may come between two fragments.
    control: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Payload,
    /// The rest of a frame nobody wants.
    Skip,
    /// The client has closed: nothing after that counts.
    Ended,
}

/// The frame whose payload is coming.
#[derive(Clone, Copy, Default)]
struct Frame {
    fin: bool,
    reserved: bool,
    opcode: u8,
    masked: bool,
    /// The mask's first byte is the one for the next byte of payload.
    mask: [u8; 4],
    /// Payload bytes still to come.
    left: u64,
    /// False when the length was written longer than need be.
    minimal: bool,
}

/// The data message whose fragments are coming.
#[derive(Default)]
struct Message {
    kind: Option<Kind>,
    bytes: Vec<u8>,
    /// How many of them are known to be whole characters.
    checked: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

impl Decoder {
    /// Before the first byte.
    pub(super) fn new(limits: &SocketLimits) -> Self {
        Self {
            frame_bytes: limits.frame_bytes as u64,
            message_bytes: limits.message_bytes as u64,
            stage: Stage::Head,
            discarding: false,
            head: [0; HEAD_BYTES_MAX],
            head_filled: 0,
            frame: Frame::default(),
            message: Message::default(),
            control: Vec::new(),
        }
    }

    /// Takes from the front of `chunk` up to the end of the next frame; `None` when all was taken and
    /// it has not come to its end.
    ///
    /// # Errors
    /// The close the client has earned. From then on everything is discarded but its own close.
    pub(super) fn decode(&mut self, chunk: &mut Bytes) -> Result<Option<Incoming>, Close> {
        while !chunk.is_empty() {
            let step = match self.stage {
                Stage::Head => self.take_head(chunk),
                Stage::Payload => self.take_payload(chunk),
                Stage::Skip => self.skip(chunk),
                Stage::Ended => {
                    chunk.clear();
                    Ok(None)
                }
            };
            match step {
                Ok(None) => {}
                Ok(done) => return Ok(done),
                Err(close) => {
                    self.discard();
                    return Err(close);
                }
            }
        }
        Ok(None)
    }

    /// From now on only the client's close is looked for; frees what was kept.
    pub(super) fn discard(&mut self) {
        self.discarding = true;
        self.message = Message::default();
        self.control = Vec::new();
        if self.stage == Stage::Payload {
            self.stage = if self.frame.opcode == CLOSE { Stage::Ended } else { Stage::Skip };
        }
    }

    /// Whether the client has sent its close, be it a wrong one.
    pub(super) fn ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    fn take_head(&mut self, chunk: &mut Bytes) -> Result<Option<Incoming>, Close> {
        loop {
            let wanted = if self.head_filled < 2 { 2 } else { head_len(self.head[1]) };
            let taken = (wanted - self.head_filled).min(chunk.len());
            self.head[self.head_filled..self.head_filled + taken].copy_from_slice(&chunk[..taken]);
            chunk.advance(taken);
            self.head_filled += taken;
            if self.head_filled < wanted {
                return Ok(None);
            }
            // The first round may have filled only the two bytes that tell the length of the rest.
            if self.head_filled == head_len(self.head[1]) {
                break;
            }
        }
        self.frame = Frame::parse(&self.head[..self.head_filled]);
        self.head_filled = 0;
        self.stage = Stage::Payload;
        if self.discarding {
            self.discard();
            return Ok(self.ended().then_some(Incoming::Close(None)));
        }
        self.judge()?;
        match self.frame.opcode {
            TEXT => self.message.kind = Some(Kind::Text),
            BINARY => self.message.kind = Some(Kind::Binary),
            _ => {}
        }
        if self.frame.left == 0 { self.finish_frame() } else { Ok(None) }
    }

    /// Whether a frame with this head may be sent to us here and now.
    fn judge(&self) -> Result<(), Close> {
        let Frame { fin, reserved, opcode, masked, left, minimal, .. } = self.frame;
        if reserved || !masked || !minimal || i64::try_from(left).is_err() {
            return Err(Close::PROTOCOL);
        }
        match (opcode, self.message.kind) {
            (CONTINUATION, Some(_)) | (TEXT | BINARY, None) => {
                let so_far = self.message.bytes.len() as u64;
                if left > self.frame_bytes || so_far + left > self.message_bytes {
                    return Err(Close::TOO_BIG);
                }
                Ok(())
            }
            (CLOSE | PING | PONG, _) if fin && left <= CONTROL_BYTES_MAX => Ok(()),
            _ => Err(Close::PROTOCOL),
        }
    }

    fn take_payload(&mut self, chunk: &mut Bytes) -> Result<Option<Incoming>, Close> {
        let taken = usize::try_from(self.frame.left).unwrap_or(usize::MAX).min(chunk.len());
        let into = if self.frame.is_control() { &mut self.control } else { &mut self.message.bytes };
        let start = into.len();
        reserve(into, taken, &self.frame);
        into.extend_from_slice(&chunk[..taken]);
        unmask(&mut into[start..], self.frame.mask);
        chunk.advance(taken);
        self.frame.mask.rotate_left(taken % 4);
        self.frame.left -= taken as u64;

        let message_complete = self.frame.left == 0 && self.frame.fin;
        if !self.frame.is_control() && !message_complete {
            // A wrong character is refused as soon as it is here; a complete message is checked
            // once, when it becomes a string.
            self.message.check()?;
        }
        if self.frame.left == 0 { self.finish_frame() } else { Ok(None) }
    }

    fn finish_frame(&mut self) -> Result<Option<Incoming>, Close> {
        let done = match self.frame.opcode {
            CLOSE => Some(Incoming::Close(close_code(&mem::take(&mut self.control))?)),
            PING => Some(Incoming::Ping(Bytes::from(mem::take(&mut self.control)))),
            PONG => {
                self.control = Vec::new();
                Some(Incoming::Pong)
            }
            _ if self.frame.fin => Some(mem::take(&mut self.message).finish()?),
            _ => Some(Incoming::Fragment),
        };
        self.stage = if self.frame.opcode == CLOSE { Stage::Ended } else { Stage::Head };
        Ok(done)
    }

    fn skip(&mut self, chunk: &mut Bytes) -> Result<Option<Incoming>, Close> {
        let taken = usize::try_from(self.frame.left).unwrap_or(usize::MAX).min(chunk.len());
        chunk.advance(taken);
        self.frame.left -= taken as u64;
        if self.frame.left == 0 {
            self.stage = Stage::Head;
        }
        Ok(None)
    }
}

/// The length of a head in bytes, by its second byte.
fn head_len(second: u8) -> usize {
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    2 + length + mask
}

/// Makes room for `more` bytes: doubles, so that many small fragments cost no more than one large
/// one, but not past what the last frame of a message can need.
fn reserve(bytes: &mut Vec<u8>, more: usize, frame: &Frame) {
    let needed = bytes.len() + more;
    if needed <= bytes.capacity() {
        return;
    }
    let mut target = needed.max(bytes.capacity() * 2);
    if frame.fin {
        target = target.min(bytes.len().saturating_add(usize::try_from(frame.left).unwrap_or(usize::MAX)));
    }
    bytes.reserve_exact(target - bytes.len());
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from(u32::from_ne_bytes(mask)) * 0x1_0000_0001;
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// The code in a close frame's payload, if it has one.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Close> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        [_] => return Err(Close::PROTOCOL),
    };
    // The others are reserved, or stand for what can never be on the wire (7.4.1).
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Close::PROTOCOL);
    }
    if str::from_utf8(reason).is_err() {
        return Err(Close::NOT_UTF8);
    }
    Ok(Some(code))
}

impl Frame {
    /// Reads a head that is complete.
    fn parse(head: &[u8]) -> Self {
        let masked = head[1] & 0x80 != 0;
        let (length, mask) = if masked { head.split_at(head.len() - 4) } else { (head, &[0; 4][..]) };
        let short = u64::from(head[1] & 0x7f);
        let long = length[2..].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let (left, minimal) = match short {
            126 => (long, long > 125),
            127 => (long, long > u64::from(u16::MAX)),
            _ => (short, true),
        };
        Self {
            fin: head[0] & 0x80 != 0,
            reserved: head[0] & 0x70 != 0,
            opcode: head[0] & 0x0f,
            masked,
            mask: [mask[0], mask[1], mask[2], mask[3]],
            left,
            minimal,
        }
    }

    fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }
}

impl Message {
    /// Refuses a text that no further byte can make right.
    fn check(&mut self) -> Result<(), Close> {
        if self.kind != Some(Kind::Text) {
            return Ok(());
        }
        match str::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            // The end of it is the beginning of a character.
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Close::NOT_UTF8),
        }
        Ok(())
    }

    fn finish(self) -> Result<Incoming, Close> {
        let bytes = Bytes::from(self.bytes);
        match self.kind {
            Some(Kind::Text) => ByteString::try_from(bytes).map(Incoming::Text).map_err(|_| Close::NOT_UTF8),
            _ => Ok(Incoming::Binary(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame, `first` being its first byte.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x11, 0x22, 0x33, 0x44];
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..126 => bytes.push(0x80 | u8::try_from(short).expect("short")),
            middle @ 126..65536 => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(middle).expect("middle").to_be_bytes());
            }
            long => {
                bytes.push(0x80 | 127);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// Everything that comes of `bytes` when they arrive in chunks of `step`.
    fn decode(bytes: &[u8], step: usize) -> Vec<Result<Incoming, Close>> {
        let limits = SocketLimits { frame_bytes: 70_000, message_bytes: 100_000, ..SocketLimits::default() };
        let mut decoder = Decoder::new(&limits);
        let mut all = Vec::new();
        for chunk in bytes.chunks(step) {
            let mut chunk = Bytes::copy_from_slice(chunk);
            while !chunk.is_empty() {
                all.extend(decoder.decode(&mut chunk).transpose());
            }
        }
        all
    }

    #[test]
    fn what_comes_out_does_not_depend_on_how_it_was_cut() {
        let long = "ä".repeat(34_000);
        let bytes = [
            frame(0x81, b""),
            frame(0x01, "Grü".as_bytes()),
            frame(0x89, b"still there?"),
            frame(0x00, b""),
            frame(0x80, "ße".as_bytes()),
            frame(0x82, &[0xff; 126]),
            frame(0x8a, b"unasked"),
            frame(0x81, long.as_bytes()),
            frame(0x88, &[0x0f, 0xa0, b'x']),
            frame(0x81, b"after the close"),
        ]
        .concat();
        let wanted = vec![
            Ok(Incoming::Text("".into())),
            Ok(Incoming::Fragment),
            Ok(Incoming::Ping(Bytes::from_static(b"still there?"))),
            Ok(Incoming::Fragment),
            Ok(Incoming::Text("Grüße".into())),
            Ok(Incoming::Binary(Bytes::from_static(&[0xff; 126]))),
            Ok(Incoming::Pong),
            Ok(Incoming::Text(long.as_str().into())),
            Ok(Incoming::Close(Some(4000))),
        ];
        for step in [1, 2, 3, 7, 125, 4096, bytes.len()] {
            assert_eq!(decode(&bytes, step), wanted, "in chunks of {step}");
        }
    }

    #[test]
    fn after_an_error_only_the_clients_close_is_seen() {
        let bytes =
            [frame(0x91, b"reserved bit"), frame(0x81, b"text"), frame(0x89, b"ping"), frame(0x88, b"")].concat();
        for step in [1, 5, bytes.len()] {
            assert_eq!(decode(&bytes, step), [Err(Close::PROTOCOL), Ok(Incoming::Close(None))], "in chunks of {step}");
        }
    }

    #[test]
    fn a_declared_length_costs_nothing() {
        for (declared, close) in [(1 << 30, Close::TOO_BIG), (1 << 63, Close::PROTOCOL)] {
            let mut decoder = Decoder::new(&SocketLimits::default());
            let mut head = [&[0x82, 0xff][..], &u64::to_be_bytes(declared), &[0; 4]].concat().into();
            assert_eq!(decoder.decode(&mut head), Err(close));
            assert_eq!(decoder.message.bytes.capacity(), 0);
        }
        let mut decoder = Decoder::new(&SocketLimits::default());
        let mut start = [&[0x82, 0xff][..], &65_536_u64.to_be_bytes(), &[0; 4], &[1; 10]].concat().into();
        assert_eq!(decoder.decode(&mut start), Ok(None));
        assert!(decoder.message.bytes.capacity() < 100, "room for what came, not for what was promised");
    }

    #[test]
    fn a_length_is_written_as_short_as_it_can_be() {
        for head in [&[0x82, 0xfe, 0, 125, 0, 0, 0, 0][..], &[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]] {
            assert_eq!(decode(head, head.len()), [Err(Close::PROTOCOL)]);
        }
    }
}
