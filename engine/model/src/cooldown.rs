//! Which models to leave alone for a while, remembered from turn to turn.
//! Invariant: bounded; it delays a model, it never forbids the last one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schema::ErrorCode;
use tokio::time::Instant;

use super::ModelError;

/// Models remembered; past it the one that has been quiet longest is forgotten.
const MODELS_MAX: usize = 256;
/// Failures in a row after which a model rests.
const FAILURES_MAX: u32 = 3;
/// How long it then rests.
const REST: Duration = Duration::from_secs(10);
/// How long it rests after a rate limit that came without a word on when to come again.
const RATE_LIMIT_REST: Duration = Duration::from_secs(5);
/// The longest rest that a provider's word may bring about.
const REST_MAX: Duration = Duration::from_secs(300);

/// The models' recent failures, shared by all turns of a node.
#[derive(Debug, Default)]
pub struct CoolDowns {
    models: Mutex<HashMap<String, Failures>>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    failures: u32,
    rests_until: Instant,
    touched: Instant,
}

impl CoolDowns {
    /// Whether the model should be skipped while there is another one.
    #[must_use]
    pub fn rests(&self, model: &str, now: Instant) -> bool {
        self.lock().get(model).is_some_and(|record| record.rests_until > now)
    }

    /// An attempt went wrong. A refused request, or one that had nothing for an answer, says nothing about the
    /// next one and is not counted; a rate limit makes the model rest at once; other failures when they come in a row.
    pub fn failed(&self, model: &str, error: &ModelError, now: Instant) {
        if matches!(error.code, ErrorCode::ModelBadRequest | ErrorCode::ModelContextTooSmall | ErrorCode::ModelBlank) {
            return;
        }
        let mut models = self.lock();
        if models.len() >= MODELS_MAX && !models.contains_key(model) {
            let quietest = models.iter().min_by_key(|(_, record)| record.touched).map(|(name, _)| name.clone());
            quietest.map(|name| models.remove(&name));
        }
        let fresh = Failures { failures: 0, rests_until: now, touched: now };
        let record = models.entry(model.to_owned()).or_insert(fresh);
        record.failures = record.failures.saturating_add(1);
        record.touched = now;
        let own_word = error.retry_after.map(|wait| wait.min(REST_MAX));
        let rest = match error.code {
            ErrorCode::ModelRateLimited => own_word.unwrap_or(RATE_LIMIT_REST),
            _ if record.failures >= FAILURES_MAX => own_word.unwrap_or(REST).max(REST),
            _ => own_word.unwrap_or_default(),
        };
        record.rests_until = record.rests_until.max(now + rest);
    }

    /// An attempt went well: failures are forgotten. A rest that still runs is not, because this
    /// attempt may have begun before it.
    pub fn succeeded(&self, model: &str, now: Instant) {
        let mut models = self.lock();
        if let Some(record) = models.get_mut(model) {
            record.failures = 0;
            if record.rests_until <= now {
                models.remove(model);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Failures>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_rests_after_a_rate_limit_or_failures_in_a_row() {
        use ErrorCode::{ModelBadRequest, ModelRateLimited, ModelUnavailable};
        type Row<'a> = (&'a [(ErrorCode, Option<u64>)], u64);
        let rows: &[Row<'_>] = &[
            (&[(ModelRateLimited, Some(2))], 2),
            (&[(ModelRateLimited, None)], 5),
            (&[(ModelRateLimited, Some(86_400))], 300),
            (&[(ModelUnavailable, None)], 0),
            (&[(ModelUnavailable, Some(7))], 7),
            (&[(ModelUnavailable, None); 3], 10),
            (&[(ModelBadRequest, None); 9], 0),
            (&[(ErrorCode::ModelContextTooSmall, None); 9], 0),
        ];
        for (errors, rest) in rows {
            let (cool, now) = (CoolDowns::default(), Instant::now());
            for (code, wait) in *errors {
                let retry_after = wait.map(Duration::from_secs);
                cool.failed("m", &ModelError { retry_after, ..ModelError::new(*code, "") }, now);
            }
            let rests_at = |millis| cool.rests("m", now + Duration::from_millis(millis));
            assert_eq!(rests_at(0), *rest > 0, "{errors:?}");
            assert!(*rest == 0 || rests_at(rest * 1000 - 1), "{errors:?}");
            assert!(!rests_at(rest * 1000), "{errors:?}");
        }
    }

    #[test]
    fn a_success_ends_the_row_of_failures_and_not_a_rest() {
        let (cool, now) = (CoolDowns::default(), Instant::now());
        let down = ModelError::new(ErrorCode::ModelUnavailable, "");
        for _ in 0..5 {
            cool.failed("m", &down, now);
            cool.failed("m", &down, now);
            cool.succeeded("m", now);
            assert!(!cool.rests("m", now));
        }
        cool.failed("m", &ModelError::new(ErrorCode::ModelRateLimited, ""), now);
        cool.succeeded("m", now);
        assert!(cool.rests("m", now));
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_quietest() {
        let (cool, now) = (CoolDowns::default(), Instant::now());
        let limited = ModelError::new(ErrorCode::ModelRateLimited, "");
        for n in 0..MODELS_MAX as u64 + 10 {
            cool.failed(&format!("m{n}"), &limited, now + Duration::from_millis(n));
        }
        assert_eq!(cool.lock().len(), MODELS_MAX);
        assert!(!cool.rests("m0", now) && cool.rests("m265", now));
    }
}
