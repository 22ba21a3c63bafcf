//! Random keys, the spelling of API keys, and keyed hashes.

use std::convert::Infallible;
use std::io;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};

/// A 256-bit key.
pub type Key = SecretBox<[u8; 32]>;

/// What a generated key begins with, so that scanners find one that leaked.
const PREFIX: &str = "tk_";
/// 43 characters of 62 hold 256 bits.
const RANDOM_CHARS: usize = 43;
/// Enough that a mistyped key is known as one without asking the store.
const CHECKSUM_CHARS: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new 256-bit key from the system's random numbers.
///
/// # Errors
/// When the system has none to give.
pub fn random_key() -> io::Result<Key> {
    let mut bytes = Box::new([0; 32]);
    getrandom::fill(bytes.as_mut()).map_err(io::Error::other)?;
    Ok(SecretBox::new(bytes))
}

/// A new API key: `tk_`, 256 random bits, and a checksum.
///
/// # Errors
/// When the system has no random numbers to give.
pub fn generate_api_key() -> io::Result<SecretString> {
    spelled(random_key)
}

/// The API key that a secret stands for: always the same one, and nobody finds the secret from it.
#[must_use]
pub fn derived_api_key(secret: &Key) -> SecretString {
    let mut counter = 0_u32;
    let key = spelled(|| {
        counter += 1;
        Ok::<_, Infallible>(mac(secret, &counter.to_be_bytes()))
    });
    match key {
        Ok(key) => key,
        Err(never) => match never {},
    }
}

/// An API key of as many random bytes as it takes.
fn spelled<E>(mut bytes: impl FnMut() -> Result<Key, E>) -> Result<SecretString, E> {
    let mut key = String::with_capacity(PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS);
    key.push_str(PREFIX);
    while key.len() < PREFIX.len() + RANDOM_CHARS {
        for byte in bytes()?.expose_secret() {
            // 248 is the largest multiple of 62 in a byte: above it some characters would come
            // up more often than others.
            if *byte < 248 && key.len() < PREFIX.len() + RANDOM_CHARS {
                key.push(char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
            }
        }
    }
    key.push_str(&checksum(&key));
    Ok(key.into())
}

/// Whether this has a generated key's shape and not its checksum: then it was mistyped or guessed.
pub(crate) fn mistyped(key: &str) -> bool {
    shaped(key) && !checked(key)
}

/// Whether this may be a generated key: nobody comes upon one of those by guessing.
#[must_use]
pub fn is_generated(key: &str) -> bool {
    shaped(key) && checked(key)
}

fn shaped(key: &str) -> bool {
    key.len() == PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS
        && key.strip_prefix(PREFIX).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// For a key of that shape.
fn checked(key: &str) -> bool {
    checksum(&key[..PREFIX.len() + RANDOM_CHARS]) == key[PREFIX.len() + RANDOM_CHARS..]
}

fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(CHECKSUM_CHARS).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

/// HMAC-SHA-256 of `message` under `key`.
#[must_use]
pub fn mac(key: &Key, message: &[u8]) -> Key {
    // HMAC fills a key up to the hash's block with zeros; done here, it cannot fail.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key.expose_secret());
    let mut mac = Hmac::<Sha256>::new((&block).into());
    mac.update(message);
    SecretBox::new(Box::new(mac.finalize().into_bytes().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_check_themselves() {
        let first = generate_api_key().unwrap();
        let first = first.expose_secret();
        assert_eq!(first.len(), 52);
        assert_ne!(first, generate_api_key().unwrap().expose_secret());
        assert!(!mistyped(first) && is_generated(first));
        for at in 3..first.len() {
            let mut bytes = first.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            assert!(mistyped(std::str::from_utf8(&bytes).unwrap()), "character {at}");
        }
        for foreign in ["", "tk_short", "a key of one's own", "sk-something"] {
            assert!(!mistyped(foreign) && !is_generated(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_derived_key_is_always_the_same_and_looks_like_any_other() {
        let secret = |byte| SecretBox::new(Box::new([byte; 32]));
        let (one, again, other) =
            (derived_api_key(&secret(1)), derived_api_key(&secret(1)), derived_api_key(&secret(2)));
        assert_eq!(one.expose_secret(), again.expose_secret());
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert!(is_generated(one.expose_secret()) && is_generated(other.expose_secret()));
    }

    #[test]
    fn the_keyed_hash_is_the_standard_one() {
        // RFC 4231, case 2, has a 4-byte key; zero-padding to 32 gives the same HMAC.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let hash = mac(&SecretBox::new(Box::new(key)), b"what do ya want for nothing?");
        assert_eq!(
            hex::encode(hash.expose_secret()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
