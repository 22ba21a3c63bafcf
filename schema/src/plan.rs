//! The bounds that an operator sets for tenants: one document for many tenants, who choose within it.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::profile::{Profile, Quotas};

/// The plan of tenants for whom no other was chosen.
pub const DEFAULT_PLAN: &str = "default";
/// The model that needs no key and is every tenant's.
const BUILTIN: &str = "builtin";

/// Ceilings, models, and what visitors may do. Every field may be left out; what is written here is what
/// then holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// What the quotas of a profile may be at most.
    pub quotas: Ceilings,
    /// Models that may be named in a profile, each `provider/model`, in the order in which they are tried
    /// for a profile that names none. Empty: the node's list. `builtin` may always be named.
    #[schemars(length(max = limits::MODELS_MAX), inner(regex(pattern = limits::MODEL_PATTERN)))]
    pub models: Vec<String>,
    /// The budgets of the tenant's visitors.
    pub visitors: VisitorBudget,
}

/// The most that a profile's quotas may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ceilings {
    /// Requests and frames a second, over all callers.
    pub requests_per_second: NonZeroU32,
    /// Replies that may run at once.
    pub running_turns: NonZeroU32,
    /// Sockets and streams that may be open at once.
    pub sessions: NonZeroU32,
    /// Tokens read and written in a day (UTC); 0 for no bound.
    pub tokens_per_day: u64,
}

/// What a tenant's visitors may do, over all ways in. The tenant's own server, with its API key, is not
/// bound by this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VisitorBudget {
    /// Messages of one visitor in a minute; as many may come at once.
    pub messages_per_minute: NonZeroU32,
    /// Conversations that one visitor may open in an hour; as many may be opened at once.
    pub conversations_per_hour: NonZeroU32,
    /// Replies to one visitor that may run at once.
    pub running_turns: NonZeroU32,
    /// Bytes that may be stored for one visitor in a day (UTC), replies included; 0 for no bound.
    pub bytes_per_day: u64,
    /// The same for all visitors of the tenant together; those from one address whom no server of the tenant has
    /// announced have an eighth of it.
    pub all_bytes_per_day: u64,
    /// New visitors in an hour whom no server of the tenant has announced; as many may come at once.
    pub new_per_hour: NonZeroU32,
}

/// Bytes that may be stored in a day for one visitor, unless the plan says otherwise …
const BYTES_PER_DAY: u64 = 8 * 1024 * 1024;
/// … and for all visitors of a tenant together.
const ALL_BYTES_PER_DAY: u64 = 4 * 1024 * 1024 * 1024;
const _: () = assert!(
    BYTES_PER_DAY * 16 <= ALL_BYTES_PER_DAY / limits::NEIGHBOUR_PARTS,
    "an address has room for an office, and leaves room for others"
);

const fn at_least_one(n: u32) -> NonZeroU32 {
    match NonZeroU32::new(n) {
        Some(n) => n,
        None => NonZeroU32::MIN,
    }
}

impl Default for Ceilings {
    fn default() -> Self {
        Self {
            requests_per_second: at_least_one(10_000),
            running_turns: at_least_one(1_024),
            sessions: at_least_one(50_000),
            tokens_per_day: 100_000_000,
        }
    }
}

impl VisitorBudget {
    /// What may be stored in a day for visitors from one address whom no server has announced: anybody can be
    /// as many of them as they like. 0 for no bound.
    #[must_use]
    pub const fn bytes_per_day_of_neighbour(&self) -> u64 {
        self.all_bytes_per_day.div_ceil(limits::NEIGHBOUR_PARTS)
    }
}

impl Default for VisitorBudget {
    fn default() -> Self {
        Self {
            messages_per_minute: at_least_one(60),
            conversations_per_hour: at_least_one(60),
            running_turns: at_least_one(8),
            bytes_per_day: BYTES_PER_DAY,
            all_bytes_per_day: ALL_BYTES_PER_DAY,
            new_per_hour: at_least_one(10_000),
        }
    }
}

/// Why a plan is not accepted, or why a profile is not within one.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    #[error("a plan's name has 1 to {} characters of a-z, 0-9, `-` and `_`", limits::PLAN_NAME_CHARS_MAX)]
    Name,
    #[error("a plan's `models` holds at most {} names", limits::MODELS_MAX)]
    Models,
    #[error("`quotas.{field}` is at most {most} in this tenant's plan; the operator can change that")]
    Ceiling {
        /// Name of the quota in `quotas`.
        field: &'static str,
        /// Its highest value in the plan.
        most: u64,
    },
    #[error("`models`: `{model}` is not in this tenant's plan, which has {}; the operator can change that", listed(.allowed))]
    Model {
        /// The model that the profile names.
        model: String,
        /// The models that the plan allows.
        allowed: Vec<String>,
    },
}

fn listed(models: &[String]) -> String {
    models.iter().map(String::as_str).filter(|name| *name != BUILTIN).chain([BUILTIN]).collect::<Vec<_>>().join(", ")
}

impl Plan {
    /// How a plan is named, for descriptions; [`Self::check`] decides.
    pub const NAME_PATTERN: &'static str = "^[a-z0-9_-]{1,40}$";

    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// The rule that is broken, in words for the person who wrote the plan.
    pub fn check(&self, name: &str) -> Result<(), PlanError> {
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        if !(1..=limits::PLAN_NAME_CHARS_MAX).contains(&name.len()) || !name.bytes().all(letters) {
            return Err(PlanError::Name);
        }
        if self.models.len() > limits::MODELS_MAX { Err(PlanError::Models) } else { Ok(()) }
    }

    /// Whether `new` stays within this plan as far as it differs from `old`: what stood there before a plan
    /// shrank is no fault of the one who changes something else. `node` is the node's list of models.
    ///
    /// # Errors
    /// The first thing that goes beyond it.
    pub fn allows_change(&self, old: &Profile, new: &Profile, node: &[String]) -> Result<(), PlanError> {
        let Ceilings { requests_per_second, running_turns, sessions, tokens_per_day } = &self.quotas;
        let (was, is) = (&old.quotas, &new.quotas);
        let tokens_max = if *tokens_per_day == 0 { u64::MAX } else { *tokens_per_day };
        for (field, was, is, most) in [
            (
                "requests_per_second",
                was.requests_per_second.get().into(),
                is.requests_per_second.get().into(),
                requests_per_second.get().into(),
            ),
            (
                "running_turns",
                was.running_turns.get().into(),
                is.running_turns.get().into(),
                running_turns.get().into(),
            ),
            ("sessions", was.sessions.get().into(), is.sessions.get().into(), sessions.get().into()),
            ("tokens_per_day", was.tokens_per_day, is.tokens_per_day, tokens_max),
        ] {
            if is > most && is != was {
                return Err(PlanError::Ceiling { field, most });
            }
        }
        let allowed = self.models_or(node);
        match new.models.iter().find(|name| !permits(allowed, name) && !old.models.contains(name)) {
            Some(model) => Err(PlanError::Model { model: model.clone(), allowed: allowed.to_vec() }),
            None => Ok(()),
        }
    }

    /// What holds of a profile's quotas.
    #[must_use]
    pub fn quotas_of(&self, own: &Quotas) -> Quotas {
        let most = &self.quotas;
        Quotas {
            requests_per_second: own.requests_per_second.min(most.requests_per_second),
            running_turns: own.running_turns.min(most.running_turns),
            sessions: own.sessions.min(most.sessions),
            tokens_per_day: match (own.tokens_per_day, most.tokens_per_day) {
                (0, most) => most,
                (own, 0) => own,
                (own, most) => own.min(most),
            },
        }
    }

    /// The names of the models that are tried for a profile with this list, in order; never one that the
    /// plan does not have.
    #[must_use]
    pub fn models_of<'a>(&'a self, own: &'a [String], node: &'a [String]) -> Vec<&'a str> {
        let allowed = self.models_or(node);
        let chosen: Vec<&str> = own.iter().map(String::as_str).filter(|name| permits(allowed, name)).collect();
        if chosen.is_empty() { allowed.iter().map(String::as_str).collect() } else { chosen }
    }

    /// The plan's list, or the node's when it has none.
    #[must_use]
    pub fn models_or<'a>(&'a self, node: &'a [String]) -> &'a [String] {
        if self.models.is_empty() { node } else { &self.models }
    }
}

fn permits(allowed: &[String], name: &str) -> bool {
    name == BUILTIN || allowed.iter().any(|one| one == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_profile_uses_the_plans_models_and_no_others() {
        for (plan, own, used) in [
            ("", "", "node/a node/b"),
            ("", "node/b", "node/b"),
            ("", "other/x", "node/a node/b"),
            ("", "other/x builtin", "builtin"),
            ("plan/a plan/b", "", "plan/a plan/b"),
            ("plan/a plan/b", "plan/b plan/a", "plan/b plan/a"),
            ("plan/a", "node/a", "plan/a"),
            ("plan/a", "builtin", "builtin"),
        ] {
            let plan = Plan { models: names(plan), ..Plan::default() };
            let (own, node) = (names(own), names("node/a node/b"));
            assert_eq!(plan.models_of(&own, &node).join(" "), used, "{plan:?} {own:?}");
        }
    }

    #[test]
    fn quotas_are_the_lesser_of_both_and_zero_tokens_ask_for_the_plans() {
        for (own, most, tokens) in [(0, 0, 0), (0, 7, 7), (7, 0, 7), (5, 7, 5), (9, 7, 7)] {
            let plan = Plan { quotas: Ceilings { tokens_per_day: most, ..Ceilings::default() }, ..Plan::default() };
            let own = Quotas { tokens_per_day: own, sessions: at_least_one(60_000), ..Quotas::default() };
            let held = plan.quotas_of(&own);
            assert_eq!((held.tokens_per_day, held.sessions.get()), (tokens, 50_000), "{own:?} {plan:?}");
        }
    }

    #[test]
    fn a_change_is_refused_where_it_leaves_the_plan() {
        let small = Ceilings { sessions: at_least_one(10), tokens_per_day: 500, ..Ceilings::default() };
        let plan = Plan { quotas: small, models: names("plan/a"), ..Plan::default() };
        let old = Profile { models: names("old/x"), ..Profile::default() };
        let changed = |change: fn(&mut Profile)| {
            let mut new = old.clone();
            change(&mut new);
            plan.allows_change(&old, &new, &[]).map_err(|error| error.to_string())
        };
        assert_eq!(changed(|new| new.assistant.name = "Ana".into()), Ok(()), "it is not its fault");
        assert_eq!(changed(|new| new.quotas.sessions = at_least_one(10)), Ok(()));
        assert_eq!(changed(|new| new.quotas.tokens_per_day = 500), Ok(()));
        assert_eq!(changed(|new| new.models = vec!["plan/a".into(), "builtin".into(), "old/x".into()]), Ok(()));
        for (refused, words) in [
            (changed(|new| new.quotas.sessions = at_least_one(11)), "`quotas.sessions` is at most 10"),
            (changed(|new| new.quotas.tokens_per_day = 501), "`quotas.tokens_per_day` is at most 500"),
            (
                changed(|new| new.models.push("plan/b".into())),
                "`plan/b` is not in this tenant's plan, which has plan/a",
            ),
        ] {
            assert!(refused.clone().is_err_and(|error| error.contains(words)), "{refused:?}");
        }
    }

    #[test]
    fn a_plans_name_is_short_and_plain() {
        for (name, fits) in [("default", true), ("pro-2_a", true), ("", false), ("Pro", false), ("a b", false)] {
            assert_eq!(Plan::default().check(name).is_ok(), fits, "{name}");
        }
        assert!(Plan::default().check(&"a".repeat(limits::PLAN_NAME_CHARS_MAX + 1)).is_err());
    }
}
