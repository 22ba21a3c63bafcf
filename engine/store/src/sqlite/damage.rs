//! Whether the database file itself was found damaged. It does not mend by waiting, so it is remembered until
//! the store is opened anew, told once, and answered as what it is.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::failure;
use crate::StoreError;
use crate::metrics::DAMAGED;

/// What is known of a file's damage. Cloning shares it.
#[derive(Clone)]
pub(super) struct Damage {
    path: Arc<Path>,
    found: Arc<OnceLock<String>>,
}

impl Damage {
    /// None is known yet of this file.
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.into(), found: Arc::default() }
    }

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
            let path = self.path.display();
            tracing::error!(%path, why, "the database is damaged; stop the node and put its folder back from a backup");
            metrics::gauge!(DAMAGED).set(1.0);
        }
    }

    /// What to answer, if it is.
    pub(super) fn error(&self) -> Option<StoreError> {
        self.found.get().cloned().map(StoreError::Corrupt)
    }
}
