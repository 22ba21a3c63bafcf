//! RFC 6455 frames: bytes in, frames out, and back.

use bytes::{Buf, BytesMut};

/// Longest frame that is taken; the protocol's own are far shorter.
const FRAME_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Which side writes: a client's frames are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Masks what it sends.
    Client([u8; 4]),
    /// Does not.
    Server,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message before.
    Continuation,
    /// Text.
    Text,
    /// Bytes.
    Binary,
    /// The connection's end.
    Close,
    /// A question for life.
    Ping,
    /// Its answer.
    Pong,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is the last of its message.
    pub last: bool,
    /// What it is.
    pub opcode: Opcode,
    /// What it carries, unmasked.
    pub payload: BytesMut,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("broken web socket frame: {0}")]
pub struct FrameError(&'static str);

/// Bytes that came and were not yet taken as frames.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Where a reader appends.
    pub buffer: BytesMut,
}

impl Decoder {
    /// The next whole frame.
    ///
    /// # Errors
    /// The bytes break RFC 6455.
    pub fn take(&mut self) -> Result<Option<Frame>, FrameError> {
        let bytes = &self.buffer[..];
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(FrameError("reserved bits"));
        }
        let opcode = Opcode::of(first & 0x0f).ok_or(FrameError("opcode"))?;
        let last = first & 0x80 != 0;
        let (size, mut head) = match (second & 0x7f, rest) {
            (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 4),
            (127, [a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 10),
            (126 | 127, _) => return Ok(None),
            (short, _) => (u64::from(short), 2),
        };
        if size > FRAME_BYTES_MAX {
            return Err(FrameError("too long"));
        }
        if opcode.is_control() && (size > 125 || !last) {
            return Err(FrameError("control frame in pieces or too long"));
        }
        let mask = if second & 0x80 == 0 {
            None
        } else {
            let Some(&[a, b, c, d]) = bytes.get(head..head + 4) else { return Ok(None) };
            head += 4;
            Some([a, b, c, d])
        };
        let size = size as usize;
        if bytes.len() < head + size {
            self.buffer.reserve(head + size - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(head);
        let mut payload = self.buffer.split_to(size);
        if let Some(mask) = mask {
            apply(mask, &mut payload);
        }
        Ok(Some(Frame { last, opcode, payload }))
    }
}

/// Appends one frame to `out`.
pub fn encode(role: Role, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let masked = if matches!(role, Role::Client(_)) { 0x80 } else { 0 };
    out.push(0x80 | opcode.bits());
    match payload.len() {
        size @ 0..=125 => out.push(masked | size as u8),
        size @ 126..=0xffff => {
            out.push(masked | 126);
            out.extend_from_slice(&(size as u16).to_be_bytes());
        }
        size => {
            out.push(masked | 127);
            out.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    if let Role::Client(mask) = role {
        out.extend_from_slice(&mask);
        let start = out.len();
        out.extend_from_slice(payload);
        apply(mask, &mut out[start..]);
    } else {
        out.extend_from_slice(payload);
    }
}

fn apply(mask: [u8; 4], payload: &mut [u8]) {
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

impl Opcode {
    const fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    const fn is_control(self) -> bool {
        self.bits() >= 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_read_back_from_any_pieces() {
        for size in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            for role in [Role::Server, Role::Client([1, 2, 3, 4])] {
                let payload: Vec<u8> = (0..size).map(|at| at as u8).collect();
                let mut wire = Vec::new();
                encode(role, Opcode::Text, &payload, &mut wire);
                let mut decoder = Decoder::default();
                for piece in wire.chunks(1 + size / 7) {
                    assert_eq!(decoder.take(), Ok(None), "{size}");
                    decoder.buffer.extend_from_slice(piece);
                }
                let frame = decoder.take().unwrap().unwrap();
                assert_eq!((frame.last, frame.opcode, &frame.payload[..]), (true, Opcode::Text, &payload[..]));
                assert_eq!(decoder.take(), Ok(None));
            }
        }
    }

    #[test]
    fn a_client_frame_is_masked_as_in_the_rfc() {
        let mut wire = Vec::new();
        encode(Role::Client([0x37, 0xfa, 0x21, 0x3d]), Opcode::Text, b"Hello", &mut wire);
        assert_eq!(wire, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn broken_frames_are_refused() {
        for bad in [&[0xc1, 0][..], &[0x83, 0], &[0x09, 0], &[0x89, 126, 0, 126], &[0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0]]
        {
            let mut decoder = Decoder::default();
            decoder.buffer.extend_from_slice(bad);
            assert!(decoder.take().is_err(), "{bad:?}");
        }
    }
}
