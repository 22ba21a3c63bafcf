//! Why a socket ends. 4000–4499: come back, after a pause. 4500–4999: do not.

/// A close code with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code in the close frame.
    pub code: u16,
    /// The words beside it; at most 123 bytes.
    pub reason: &'static str,
}

macro_rules! closes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $reason:literal;)*) => {
        impl Close {
            $($(#[$doc])* pub const $name: Self = Self { code: $code, reason: $reason };)*

            /// Every close of the protocol.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

closes! {
    /// The client closed, or was done.
    NORMAL = 1000, "bye";
    /// The client broke RFC 6455.
    PROTOCOL = 1002, "protocol error";
    /// The client sent a kind of message that is not taken here.
    UNSUPPORTED = 1003, "only text frames are taken here";
    /// The client sent a text that is not UTF-8.
    NOT_UTF8 = 1007, "text is not valid UTF-8";
    /// The client sent a message over the limit.
    TOO_BIG = 1009, "message too big";
    /// The node shuts down.
    GOING_AWAY = 4000, "node is going away, come back";
    /// The client read too slowly; it may come back with its position.
    SLOW_CONSUMER = 4008, "too slow, come back with your position";
    /// Nothing was heard from the client.
    SILENT = 4009, "no sign of life, come back";
    /// There is no room, or the credential could not be checked; the frame before it says when to come back.
    NOT_NOW = 4013, "not now, come back";
    /// Too many frames; come back more slowly.
    FLOOD = 4029, "too many frames, come back more slowly";
    /// The token's time ran out; come back with a new one.
    TOKEN_EXPIRED = 4401, "token expired, come back with a new one";
    /// The client showed a key or token that opens nothing here, and will not.
    UNAUTHORIZED = 4501, "not authorized";
    /// The page's origin is not allowed.
    ORIGIN_REFUSED = 4503, "origin not allowed";
    /// The tenant is disabled.
    TENANT_DISABLED = 4504, "tenant disabled";
}

impl Close {
    /// Whether a client should come back.
    #[must_use]
    pub const fn come_back(self) -> bool {
        matches!(self.code, 4000..=4499)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fit_a_close_frame() {
        assert!(Close::ALL.iter().all(|close| close.reason.len() <= 123));
    }
}
