//! The root key: under it stand the keys of conversations where several nodes share them.
//! Invariant: it never leaves the file that it was read from, and what it wraps is bound to its place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};
use sha2::{Digest, Sha256};

use crate::Key;

/// What the file begins with; the key follows in hexadecimal digits, and a line end.
const HEADER: &str = "tertulia-root-1:";
const KEY_BYTES: usize = 32;
/// A file longer than this is no root key.
const FILE_BYTES_MAX: u64 = 256;
const CONTEXT: &[u8] = b"tertulia: key of a conversation";
const SALT: &[u8] = b"tertulia: what is derived from the root key";

/// Why there is no root key, in one line for the person who runs the node.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    #[error("the root key {} cannot be {doing}: {problem}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        problem: io::Error,
    },
    #[error("{} is no root key: put back the one that the other nodes have", .path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    #[error("the root key {} can be read by others: run chmod 600 on it", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    #[error("what the root key has wrapped is damaged, or stands in another place")]
    Damaged,
    #[error("the system gives no random numbers")]
    NoRandom,
}

/// A key of 256 bits that wraps others. All nodes of an installation have the same one, each in a file of its own.
///
/// Wrapped keys are kept with the data, or beside it; without this one they open nothing. It is made once, by the first
/// node of an installation, and carried to the others by whoever sets them up.
pub struct RootKey {
    cipher: LessSafeKey,
    deriving: hmac::Key,
    fingerprint: [u8; 16],
}

impl RootKey {
    /// The key in a file; none where there is no such file.
    ///
    /// # Errors
    /// [`RootKeyError::Io`], [`RootKeyError::NoKey`], [`RootKeyError::Open`].
    pub fn read(path: &Path) -> Result<Option<Self>, RootKeyError> {
        let failed = |problem| RootKeyError::Io { path: path.into(), doing: "read", problem };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
            return Err(RootKeyError::Open { path: path.into() });
        }
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        let text = SecretBox::new(Box::new(text));
        let digits = text.expose_secret().trim_end().strip_prefix(HEADER);
        let mut bytes = SecretBox::new(Box::new([0; KEY_BYTES]));
        let read = digits.map(|digits| hex::decode_to_slice(digits, bytes.expose_secret_mut()));
        if !matches!(read, Some(Ok(()))) {
            return Err(RootKeyError::NoKey { path: path.into() });
        }
        Self::of(&bytes).map(Some)
    }

    /// A new key in a new file, for its owner alone. Durable when this returns.
    ///
    /// # Errors
    /// [`RootKeyError::Io`], also where the file is there already.
    pub fn create(path: &Path) -> Result<Self, RootKeyError> {
        let failed = |problem| RootKeyError::Io { path: path.into(), doing: "written", problem };
        let mut bytes = SecretBox::new(Box::new([0; KEY_BYTES]));
        getrandom::fill(bytes.expose_secret_mut()).map_err(|_| RootKeyError::NoRandom)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let text = SecretBox::new(Box::new(format!("{HEADER}{}\n", hex::encode(bytes.expose_secret()))));
        file.write_all(text.expose_secret().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Self::of(&bytes)
    }

    fn of(bytes: &SecretBox<[u8; KEY_BYTES]>) -> Result<Self, RootKeyError> {
        let unbound = UnboundKey::new(&AES_256_GCM, bytes.expose_secret()).map_err(|_| RootKeyError::Damaged)?;
        let mut digest = Sha256::new();
        digest.update(b"tertulia: fingerprint of the root key");
        digest.update(bytes.expose_secret());
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&digest.finalize()[..16]);
        // The first half of HKDF (RFC 5869), with SHA-256.
        let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SALT), bytes.expose_secret());
        let deriving = hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref());
        Ok(Self { cipher: LessSafeKey::new(unbound), deriving, fingerprint })
    }

    /// Tells it from others, and tells nothing of it.
    #[must_use]
    pub const fn fingerprint(&self) -> [u8; 16] {
        self.fingerprint
    }

    /// A key for one purpose, the same wherever the root key is the same: from none of them can another be found, nor
    /// the root key.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> SecretBox<[u8; KEY_BYTES]> {
        // The second half of HKDF. Its first block is as long as the key, so that it ends there.
        let block = hmac::sign(&self.deriving, &[purpose.as_bytes(), &[1]].concat());
        let mut key = SecretBox::new(Box::new([0; KEY_BYTES]));
        key.expose_secret_mut().copy_from_slice(block.as_ref());
        key
    }

    /// A new key of 256 bits, and as it is kept for a place.
    ///
    /// # Errors
    /// [`RootKeyError::NoRandom`].
    pub fn make(&self, place: &[u8; 16]) -> Result<(Key, Vec<u8>), RootKeyError> {
        let mut random = [0; KEY_BYTES + NONCE_LEN];
        getrandom::fill(&mut random).map_err(|_| RootKeyError::NoRandom)?;
        let (mut key, mut nonce) = ([0; KEY_BYTES], [0; NONCE_LEN]);
        key.copy_from_slice(&random[..KEY_BYTES]);
        nonce.copy_from_slice(&random[KEY_BYTES..]);
        let mut wrapped = nonce.to_vec();
        wrapped.extend(key);
        let body = wrapped.get_mut(NONCE_LEN..).unwrap_or_default();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.cipher.seal_in_place_separate_tag(nonce, Aad::from(context(place)), body);
        wrapped.extend(tag.map_err(|_| RootKeyError::Damaged)?.as_ref());
        Ok((Key::new(key), wrapped))
    }

    /// The key that was made for a place.
    ///
    /// # Errors
    /// [`RootKeyError::Damaged`] for anything else, also what another root key has wrapped.
    pub fn unwrap(&self, place: &[u8; 16], wrapped: &[u8]) -> Result<Key, RootKeyError> {
        let (nonce, body) = wrapped.split_at_checked(NONCE_LEN).ok_or(RootKeyError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| RootKeyError::Damaged)?;
        let mut body = SecretBox::new(Box::new(body.to_vec()));
        let opened = body.expose_secret_mut();
        let opened = self.cipher.open_in_place(nonce, Aad::from(context(place)), opened);
        let opened = opened.map_err(|_| RootKeyError::Damaged)?;
        <[u8; KEY_BYTES]>::try_from(&*opened).map(Key::new).map_err(|_| RootKeyError::Damaged)
    }
}

fn context(place: &[u8; 16]) -> Vec<u8> {
    [CONTEXT, place].concat()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tertulia-root-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder.join("root")
    }

    #[test]
    fn a_wrapped_key_opens_under_its_root_in_its_place_alone() {
        let path = scratch("wrap");
        assert!(RootKey::read(&path).unwrap().is_none());
        let root = RootKey::create(&path).unwrap();
        assert!(RootKey::create(&path).is_err(), "one is not replaced");
        let again = RootKey::read(&path).unwrap().unwrap();
        assert_eq!(root.fingerprint(), again.fingerprint());
        let (key, wrapped) = root.make(&[1; 16]).unwrap();
        assert_eq!(again.unwrap(&[1; 16], &wrapped).unwrap().bytes(), key.bytes());
        assert!(again.unwrap(&[2; 16], &wrapped).is_err());
        for bit in 0..wrapped.len() * 8 {
            let mut torn = wrapped.clone();
            torn[bit / 8] ^= 1 << (bit % 8);
            assert!(again.unwrap(&[1; 16], &torn).is_err(), "bit {bit}");
        }
        assert!(again.unwrap(&[1; 16], &wrapped[..9]).is_err());
        let other = RootKey::create(&scratch("other")).unwrap();
        assert_ne!(other.fingerprint(), root.fingerprint());
        assert!(other.unwrap(&[1; 16], &wrapped).is_err());
        for path in [path, scratch("other")] {
            std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        }
    }

    #[test]
    fn what_is_derived_is_as_hkdf_has_it() {
        let mut bytes = SecretBox::new(Box::new([0; KEY_BYTES]));
        for (at, byte) in (0..).zip(bytes.expose_secret_mut()) {
            *byte = at;
        }
        let root = RootKey::of(&bytes).unwrap();
        // Computed beside this program, by RFC 5869.
        for (purpose, expected) in [
            ("tertulia api keys v1", "433c25fd6243a591442dffd97857eec5b3797afd9b955bd61017210a4d9fc041"),
            ("tertulia visitor tokens v1", "31e6f01eee159cbe676b57f1d9e2e65610b132977cafb535aeab189d5cc2a3cd"),
        ] {
            assert_eq!(hex::encode(root.derive(purpose).expose_secret()), expected, "{purpose}");
        }
    }

    #[test]
    fn what_is_no_root_key_is_told() {
        let path = scratch("odd");
        for text in ["", "tertulia-root-1:", "tertulia-root-1:00ff", "tertulia-root-2:00", &"x".repeat(5_000)] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(RootKey::read(&path), Err(RootKeyError::NoKey { .. })), "{text:.20}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(RootKey::read(&path), Err(RootKeyError::Open { .. })));
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
