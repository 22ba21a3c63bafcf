//! Takes the chunked framing off a body as it comes, in any pieces.

use super::HttpError;

/// Where in the framing the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dechunker {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the line that gives the size; `extension` once a `;` was seen.
    Size { so_far: usize, digits: u8, extension: bool },
    /// In the data, with this much of it to come.
    Data(usize),
    /// In the line end after the data.
    AfterData,
    /// In the lines after the last chunk; whether this line has begun.
    Trailer { begun: bool },
    /// After it all.
    Done,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { so_far: 0, digits: 0, extension: false }
    }
}

impl Dechunker {
    /// Appends the data in `input` to `out`; true once the body has ended.
    ///
    /// # Errors
    /// [`HttpError::Chunk`] when the framing is broken.
    pub fn feed(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<bool, HttpError> {
        while let Some(&byte) = input.first() {
            if let State::Data(left) = self.state {
                let here = left.min(input.len());
                out.extend_from_slice(&input[..here]);
                input = &input[here..];
                self.state = if here == left { State::AfterData } else { State::Data(left - here) };
                continue;
            }
            input = &input[1..];
            self.state = match (self.state, byte) {
                (State::Size { digits: 1.., so_far, .. }, b'\n') => match so_far {
                    0 => State::Trailer { begun: false },
                    size => State::Data(size),
                },
                (State::Size { digits, so_far, extension }, b'\r') if digits > 0 => {
                    State::Size { digits, so_far, extension }
                }
                (State::Size { digits, so_far, extension }, byte) if extension || (byte == b';' && digits > 0) => {
                    State::Size { digits, so_far, extension: true }
                }
                (State::Size { digits: digits @ 0..=7, so_far, .. }, byte) => {
                    let digit = char::from(byte).to_digit(16).ok_or(HttpError::Chunk)? as usize;
                    State::Size { digits: digits + 1, so_far: so_far * 16 + digit, extension: false }
                }
                (State::AfterData, b'\r') => State::AfterData,
                (State::AfterData, b'\n') => State::default(),
                (State::Trailer { begun }, b'\r') => State::Trailer { begun },
                (State::Trailer { begun: false }, b'\n') => State::Done,
                (State::Trailer { begun: true }, b'\n') => State::Trailer { begun: false },
                (State::Trailer { .. }, _) => State::Trailer { begun: true },
                _ => return Err(HttpError::Chunk),
            };
        }
        Ok(self.state == State::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cutting_gives_the_same_body() {
        let wire = b"4\r\nWiki\r\nB;ext=1\r\npedia in \r\n\r\n0\r\nTrailer: x\r\n\r\n";
        for size in 1..=wire.len() {
            let (mut dechunker, mut out, mut done) = (Dechunker::default(), Vec::new(), false);
            for piece in wire.chunks(size) {
                assert!(!done);
                done = dechunker.feed(piece, &mut out).unwrap();
            }
            assert!(done, "{size}");
            assert_eq!(out, b"Wikipedia in \r\n", "{size}");
        }
    }

    #[test]
    fn broken_framing_is_refused() {
        for bad in ["x\r\n", "\r\n", "2\r\nabc", "fffffffff\r\n", "0\r\n\r\nmore"] {
            assert!(Dechunker::default().feed(bad.as_bytes(), &mut Vec::new()).is_err(), "{bad:?}");
        }
        assert!(matches!(Dechunker::default().feed(b"5\r\nab", &mut Vec::new()), Ok(false)));
    }
}
