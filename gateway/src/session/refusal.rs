//! How a refused socket ends. Invariant: for good only where nothing but another key, token,
//! origin or operator can help; whatever passes is told to come back.

use schema::ErrorCode;
use schema::wire::Close;

/// The close of a socket that may not be, or be any longer, because of this.
pub(super) const fn close(code: ErrorCode) -> Close {
    match code {
        ErrorCode::Unauthorized | ErrorCode::Forbidden => Close::UNAUTHORIZED,
        ErrorCode::OriginRefused => Close::ORIGIN_REFUSED,
        ErrorCode::TenantDisabled => Close::TENANT_DISABLED,
        ErrorCode::TokenExpired => Close::TOKEN_EXPIRED,
        _ => Close::NOT_NOW,
    }
}

/// Whether it is a matter of time alone, and says nothing against key, token or page.
pub(super) fn passes(code: ErrorCode) -> bool {
    close(code) == Close::NOT_NOW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_never_ends_a_socket_for_good() {
        let for_good: Vec<_> = ErrorCode::ALL.iter().filter(|code| !close(**code).come_back()).collect();
        let meant =
            [ErrorCode::Unauthorized, ErrorCode::Forbidden, ErrorCode::OriginRefused, ErrorCode::TenantDisabled];
        assert_eq!(for_good, meant.iter().collect::<Vec<_>>());
        for (code, passing) in [
            (ErrorCode::StoreUnavailable, true),
            (ErrorCode::Busy, true),
            (ErrorCode::RateLimited, true),
            (ErrorCode::TokenExpired, false),
            (ErrorCode::Unauthorized, false),
        ] {
            assert_eq!(passes(code), passing, "{code}");
        }
    }
}
