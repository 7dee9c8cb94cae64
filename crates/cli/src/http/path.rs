//! Names and keys inside an URL's path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One segment of a path, or one value of a query: any text, so that it comes out as it went in.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn what_has_a_meaning_in_urls_is_encoded() {
        assert_eq!(segment("user:1/é ?&%~x.y-z_"), "user%3A1%2F%C3%A9%20%3F%26%25~x.y-z_");
    }
}
