//! The stable codes of everything that can go wrong in front of a client.
//! Invariant: a code is public API: it has a row in `schema/ERRORS.md`, and is never reused.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What went wrong, for programs. The message beside it on the wire is for people.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of `schema/ERRORS.md`.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it stands on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    // What the client sent.
    /// Not JSON, or not the JSON this place expects.
    BadJson = "bad_json",
    /// A field is missing, unknown, too long or has a value that makes no sense.
    BadField = "bad_field",
    /// A frame that is none of the protocol's.
    BadFrame = "bad_frame",
    /// A position that is none, or lies beyond the conversation's head.
    BadPosition = "bad_position",
    /// The request's body has a type this route does not take.
    UnsupportedMediaType = "unsupported_media_type",
    /// The document is broken, empty, encrypted or too hard to read.
    UnreadableDocument = "unreadable_document",
    /// The request, frame or document is larger than this place takes.
    TooLarge = "too_large",
    /// The request's body came more slowly than this place waits for.
    TooSlow = "too_slow",
    /// There is no route at this path.
    UnknownRoute = "unknown_route",
    /// The route exists, with another method.
    MethodNotAllowed = "method_not_allowed",

    // Who they are.
    /// No key or token, or one that is not valid.
    Unauthorized = "unauthorized",
    /// The token was valid once.
    TokenExpired = "token_expired",
    /// Known, and not allowed to do this.
    Forbidden = "forbidden",
    /// The page's origin is not on the tenant's list.
    OriginRefused = "origin_refused",
    /// The tenant has been disabled.
    TenantDisabled = "tenant_disabled",

    // What they asked about.
    /// No such conversation for this caller.
    UnknownConversation = "unknown_conversation",
    /// Something else than a conversation does not exist for this caller.
    NotFound = "not_found",
    /// This socket has not joined that conversation.
    NotJoined = "not_joined",
    /// The ref was used before, for another text.
    RefConflict = "ref_conflict",
    /// The document was changed by someone else since it was read.
    VersionConflict = "version_conflict",
    /// The conversation is not in a state that allows this.
    WrongState = "wrong_state",

    // Not now.
    /// More requests than allowed; try again after the time given.
    RateLimited = "rate_limited",
    /// A queue is full; try again after the time given.
    Busy = "busy",
    /// The tenant's allowance is used up.
    QuotaExhausted = "quota_exhausted",
    /// The node is shutting down; come back, you will reach another or a new one.
    Draining = "draining",
    /// The conversation restarts or moves; send again with the same ref.
    Restarting = "restarting",
    /// The conversation crashed too often and waits for an operator.
    Quarantined = "quarantined",
    /// The store does not answer or cannot write; nothing was lost that was acknowledged.
    StoreUnavailable = "store_unavailable",
    /// The stored data is damaged; an operator has to restore it from a backup.
    StoreCorrupt = "store_corrupt",
    /// A fault of the node; its log has the details.
    Internal = "internal",

    // How a turn went wrong, on a reply's `made.error`.
    /// The model's key or rights were refused.
    ModelRefused = "model_refused",
    /// The provider limits our rate.
    ModelRateLimited = "model_rate_limited",
    /// The provider is overloaded or failing.
    ModelUnavailable = "model_unavailable",
    /// The provider did not take the request as it was.
    ModelBadRequest = "model_bad_request",
    /// The prompt is longer than the model's context, however short it was made.
    ModelContextTooSmall = "model_context_too_small",
    /// The model did not begin or go on in time.
    ModelTimeout = "model_timeout",
    /// The stream ended before its terminal mark.
    ModelTruncated = "model_truncated",
    /// The stream was not what the dialect says.
    ModelProtocol = "model_protocol",
    /// The reply ended well and had no words.
    ModelBlank = "model_blank",
    /// The node stopped or crashed while the reply ran.
    Interrupted = "interrupted",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_row_in_the_table_and_no_row_lacks_a_code() {
        let page = include_str!("../ERRORS.md");
        let mut rows: Vec<&str> =
            page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(code, _)| code)).collect();
        let mut codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        rows.sort_unstable();
        codes.sort_unstable();
        assert_eq!(rows, codes);
    }
}
