//! What keeps texts from whoever must not read them any more: keys that end, and what is sealed under them.
//! Invariant: a key is durable before anything is sealed under it, and what it has sealed cannot be read by
//! anybody once it has ended.

mod cipher;
mod ciphers;
mod file;
mod keys;
mod memory;
mod root;

pub use cipher::{Cipher, FreshNonce, Kind, Label, OVERHEAD_BYTES, SealError};
pub use ciphers::Ciphers;
pub use file::FileKeys;
pub use keys::{Installation, Key, KeyNumber, Keys, KeysError};
pub use memory::MemoryKeys;
pub use root::{RootKey, RootKeyError};
