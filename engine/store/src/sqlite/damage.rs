//! Whether the database file itself was found damaged. It does not mend by waiting, so it is remembered until
//! the store is opened anew, told once, and answered as what it is.

use std::sync::{Arc, OnceLock};

use super::failure;
use crate::StoreError;
use crate::metrics::DAMAGED;

/// What is known of it. Cloning shares it.
#[derive(Clone, Default)]
pub(super) struct Damage {
    found: Arc<OnceLock<String>>,
}

impl Damage {
    /// Looks at why something failed.
    pub(super) fn look(&self, error: &rusqlite::Error) {
        if failure::is_damage(error) {
            self.met(failure::words(error));
        }
    }

    /// It is damaged.
    pub(super) fn met(&self, why: String) {
        if self.found.set(why).is_ok() {
            let why = self.found.get();
            tracing::error!(why, "the database is damaged; stop the node and put its folder back from a backup");
            metrics::gauge!(DAMAGED).set(1.0);
        }
    }

    /// What to answer, if it is.
    pub(super) fn error(&self) -> Option<StoreError> {
        self.found.get().cloned().map(StoreError::Corrupt)
    }
}
