//! The first bytes of a proxy's connection, when it speaks the PROXY protocol (versions 1 and 2 of
//! HAProxy's document): whom the rest is from.

use std::io;
use std::net::IpAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The shortest header of all, `PROXY UNKNOWN` with its line end: so much may be read at once.
const SHORTEST: usize = 15;
/// How version 1 begins.
const V1_PREFIX: &[u8] = b"PROXY ";
/// Where version 2 tells the length of what follows, and that it does.
const V2_HEAD: usize = 16;
/// Longest line of version 1, by its document.
const V1_MAX: usize = 107;
/// Longest header of version 2 that is taken: addresses, and room for what a proxy adds.
const V2_MAX: usize = 1024;

/// Why a connection of a proxy is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    #[error("its header took too long")]
    TooSlow,
    #[error("its header is longer than it may be")]
    TooLong,
    #[error("it does not begin with the PROXY protocol")]
    NotSpoken,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the header and not a byte more. None when the proxy speaks for itself or does not know.
///
/// # Errors
/// When it is something else, too long, or ends early.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, ProxyError> {
    let mut header = vec![0; SHORTEST];
    stream.read_exact(&mut header).await?;
    if header.starts_with(v2::PROTOCOL_PREFIX) {
        extend(stream, &mut header, V2_HEAD).await?;
        let length = u16::from_be_bytes([header[V2_HEAD - 2], header[V2_HEAD - 1]]);
        let whole = V2_HEAD + usize::from(length);
        if whole > V2_MAX {
            return Err(ProxyError::TooLong);
        }
        extend(stream, &mut header, whole).await?;
        let told = v2::Header::try_from(&header[..]).map_err(|_| ProxyError::NotSpoken)?;
        return Ok(source_v2(&told));
    }
    if !header.starts_with(V1_PREFIX) {
        return Err(ProxyError::NotSpoken);
    }
    while !header.ends_with(b"\n") {
        if header.len() == V1_MAX {
            return Err(ProxyError::TooLong);
        }
        let more = header.len() + 1;
        extend(stream, &mut header, more).await?;
    }
    let told = v1::Header::try_from(&header[..]).map_err(|_| ProxyError::NotSpoken)?;
    Ok(source_v1(&told))
}

async fn extend(stream: &mut (impl AsyncRead + Unpin), header: &mut Vec<u8>, to: usize) -> io::Result<()> {
    let filled = header.len();
    header.resize(to, 0);
    stream.read_exact(&mut header[filled..]).await?;
    Ok(())
}

const fn source_v1(told: &v1::Header<'_>) -> Option<IpAddr> {
    match told.addresses {
        v1::Addresses::Tcp4(addresses) => Some(IpAddr::V4(addresses.source_address)),
        v1::Addresses::Tcp6(addresses) => Some(IpAddr::V6(addresses.source_address)),
        v1::Addresses::Unknown => None,
    }
}

fn source_v2(told: &v2::Header<'_>) -> Option<IpAddr> {
    // A health check of the proxy's own is `LOCAL`, whatever addresses it gives.
    if told.command == v2::Command::Local {
        return None;
    }
    match told.addresses {
        v2::Addresses::IPv4(addresses) => Some(IpAddr::V4(addresses.source_address)),
        v2::Addresses::IPv6(addresses) => Some(IpAddr::V6(addresses.source_address)),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    fn v2(command_and_family: &[u8], rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, command_and_family, &length, rest].concat()
    }

    #[tokio::test]
    async fn both_versions_are_read_up_to_their_last_byte() {
        let four = [192, 0, 2, 1, 10, 0, 0, 1, 0x11, 0x22, 0, 80];
        let tlv = [&four[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        for (header, expected) in [
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n".to_vec(), Ok(Some("192.0.2.1"))),
            (b"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n".to_vec(), Ok(Some("2001:db8::7"))),
            (b"PROXY UNKNOWN\r\n".to_vec(), Ok(None)),
            (v2(&[0x21, 0x11], &four), Ok(Some("192.0.2.1"))),
            (v2(&[0x21, 0x11], &tlv), Ok(Some("192.0.2.1"))),
            (v2(&[0x20, 0x00], &[]), Ok(None)),
            (v2(&[0x20, 0x11], &four), Ok(None)),
            (b"GET / HTTP/1.1\r\nhost: a\r\n".to_vec(), Err("not spoken")),
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 47".to_vec(), Err("early")),
            ([&b"PROXY TCP4 "[..], &[b'1'; 200]].concat(), Err("wrong")),
            (v2(&[0x21, 0x11], &[0; 2000]), Err("too long")),
        ] {
            let mut sent = header.clone();
            if expected.is_ok() {
                sent.extend(b"GET /");
            }
            let mut rest = &sent[..];
            let read = read(&mut rest).await;
            match (expected, read) {
                (Ok(address), Ok(told)) => {
                    assert_eq!(told, address.map(|address| address.parse().unwrap()), "{header:?}");
                    assert_eq!(rest, b"GET /", "{header:?}");
                }
                (Err("not spoken"), Err(ProxyError::NotSpoken))
                | (Err("early"), Err(ProxyError::Io(_)))
                | (Err("too long"), Err(ProxyError::TooLong))
                | (Err("wrong"), Err(ProxyError::TooLong | ProxyError::NotSpoken)) => {}
                (_, read) => panic!("{header:?}: {read:?}"),
            }
        }
    }
}
