//! Which pages may talk to a tenant.

use schema::Origin;

use super::error::AuthError;

/// The origin that a browser sent, if it is one of the tenant's, letter for letter. A request
/// without the header does not come from a page; whether that is fine is the caller's to decide.
///
/// # Errors
/// [`AuthError::Origin`] for every other one, `null` and what is no origin included.
pub fn allowed<'a>(header: &str, list: &'a [Origin]) -> Result<&'a Origin, AuthError> {
    list.iter().find(|origin| origin.as_str() == header).ok_or(AuthError::Origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_same_origin_is_allowed() {
        let list = ["https://shop.example", "http://localhost:3000"].map(|origin| origin.parse().unwrap());
        for header in ["https://shop.example", "http://localhost:3000"] {
            assert_eq!(allowed(header, &list).unwrap().as_str(), header);
        }
        for header in [
            "",
            "null",
            "https://shop.example.evil.example",
            "https://evilshop.example",
            "https://evil.example/https://shop.example",
            "https://shop.example/",
            "https://shop.example:443",
            "https://SHOP.example",
            "https://shop.example https://evil.example",
            "http://shop.example",
            "http://localhost",
            "http://localhost:30000",
            "shop.example",
        ] {
            assert!(matches!(allowed(header, &list), Err(AuthError::Origin)), "{header}");
        }
        assert!(allowed("null", &[]).is_err());
    }
}
