//! Conditions that last: told when they begin and when they end, and shown by a metric in between. Each try in between is
//! told nowhere: there is one in each second.

use crate::StoreError;
use crate::metrics::KEYS_FAILING;

/// Something that is tried until it succeeds.
pub(super) struct Lasting {
    /// As the metric has it.
    doing: &'static str,
    fails: bool,
}

impl Lasting {
    pub(super) fn new(doing: &'static str) -> Self {
        metrics::gauge!(KEYS_FAILING, "doing" => doing).set(0.0);
        Self { doing, fails: false }
    }

    /// It failed, and will be tried again.
    pub(super) fn failed(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.fails, true) {
            metrics::gauge!(KEYS_FAILING, "doing" => self.doing).set(1.0);
            tracing::warn!(doing = self.doing, %error, "the store's keys cannot be looked after; trying until it is done");
        }
    }

    /// It succeeded.
    pub(super) fn done(&mut self) {
        if std::mem::replace(&mut self.fails, false) {
            metrics::gauge!(KEYS_FAILING, "doing" => self.doing).set(0.0);
            tracing::warn!(doing = self.doing, "the store's keys are looked after again");
        }
    }
}
