//! Keys that were opened lately, made ready: opening one again costs a look into a map.
//! Invariant: once [`Ciphers::end`] has answered, the key is not here, and does not come in again. Nobody waits here
//! for a key that another one opens or ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Cipher, KeyNumber, Keys, KeysError};

/// Keys remembered, about 600 bytes each; past it the memory starts anew, at the price of one opening each.
const REMEMBERED_MAX: usize = 8_192;

/// The keys as those who seal and open use them. Shared by all threads.
pub struct Ciphers {
    keys: Arc<dyn Keys>,
    opened: Mutex<Opened>,
}

#[derive(Default)]
struct Opened {
    ciphers: HashMap<KeyNumber, Arc<Cipher>>,
    /// How often keys have ended.
    ends: u64,
}

impl Ciphers {
    /// With none opened yet.
    #[must_use]
    pub fn new(keys: Arc<dyn Keys>) -> Self {
        Self { keys, opened: Mutex::default() }
    }

    /// The keys behind.
    #[must_use]
    pub fn keys(&self) -> &Arc<dyn Keys> {
        &self.keys
    }

    /// A key, ready to seal and open; none once it has ended.
    ///
    /// # Errors
    /// As [`Keys::open`], but for [`KeysError::Ended`].
    pub fn get(&self, id: KeyNumber) -> Result<Option<Arc<Cipher>>, KeysError> {
        let ends = {
            let opened = self.lock();
            if let Some(cipher) = opened.ciphers.get(&id) {
                return Ok(Some(Arc::clone(cipher)));
            }
            opened.ends
        };
        let key = match self.keys.open(id) {
            Ok(key) => key,
            Err(KeysError::Ended) => return Ok(None),
            Err(error) => return Err(error),
        };
        let cipher = Arc::new(Cipher::new(&key).map_err(|_| KeysError::Unknown(id))?);
        let mut opened = self.lock();
        // One that has ended meanwhile must not be put back behind its end; which one it was is not looked for.
        if opened.ends == ends {
            if opened.ciphers.len() >= REMEMBERED_MAX {
                opened.ciphers.clear();
            }
            opened.ciphers.insert(id, Arc::clone(&cipher));
        }
        Ok(Some(cipher))
    }

    /// Ends keys, and forgets them here.
    ///
    /// # Errors
    /// As [`Keys::end`].
    pub fn end(&self, ids: &[KeyNumber]) -> Result<(), KeysError> {
        let done = self.keys.end(ids);
        // After it: whoever has opened one before has put it there, or sees that some have ended. Also when it has
        // failed, as some of them may have ended then.
        let mut opened = self.lock();
        opened.ends += 1;
        for id in ids {
            opened.ciphers.remove(id);
        }
        done
    }

    // A thread that panicked while it held the lock left the map whole: each change is one call.
    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::{Installation, Key, MemoryKeys};

    /// Longer than anything that is waited for.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Keys of which one, once it has been opened, comes only when it is let go.
    struct Slow {
        keys: MemoryKeys,
        slow: KeyNumber,
        entered: Sender<()>,
        release: Mutex<Receiver<()>>,
    }

    impl Keys for Slow {
        fn installation(&self) -> Installation {
            self.keys.installation()
        }

        fn allot(&self, count: usize) -> Result<Vec<KeyNumber>, KeysError> {
            self.keys.allot(count)
        }

        fn open(&self, id: KeyNumber) -> Result<Key, KeysError> {
            let key = self.keys.open(id);
            if id == self.slow && key.is_ok() {
                self.entered.send(()).unwrap();
                self.release.lock().unwrap().recv().unwrap();
            }
            key
        }

        fn end(&self, ids: &[KeyNumber]) -> Result<(), KeysError> {
            self.keys.end(ids)
        }

        fn ended(&self) -> u64 {
            self.keys.ended()
        }
    }

    #[test]
    fn who_opens_a_slow_key_holds_up_nobody_and_does_not_put_it_back_behind_its_end() {
        let keys = MemoryKeys::default();
        let ids = keys.allot(4).unwrap();
        let (entered, inside) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let slow = Slow { keys, slow: ids[0], entered, release: Mutex::new(released) };
        let ciphers = Arc::new(Ciphers::new(Arc::new(slow)));
        assert!(ciphers.get(ids[1]).unwrap().is_some());

        let opener = thread::spawn({
            let (ciphers, id) = (Arc::clone(&ciphers), ids[0]);
            move || ciphers.get(id).unwrap().is_some()
        });
        inside.recv_timeout(PATIENCE).unwrap();
        let (done, others) = mpsc::channel();
        thread::spawn({
            let (ciphers, ids) = (Arc::clone(&ciphers), ids.clone());
            move || {
                let found = [ids[1], ids[2]].map(|id| ciphers.get(id).unwrap().is_some());
                // The one that is being opened ends before it has come.
                ciphers.end(&[ids[0], ids[3]]).unwrap();
                done.send(found).unwrap();
            }
        });
        assert_eq!(others.recv_timeout(PATIENCE), Ok([true, true]), "what is there is given at once");
        release.send(()).unwrap();
        assert!(opener.join().unwrap(), "who came before its end has it once");
        assert!(ciphers.get(ids[0]).unwrap().is_none() && ciphers.get(ids[3]).unwrap().is_none());
        assert!(ciphers.get(ids[1]).unwrap().is_some());
    }
}
