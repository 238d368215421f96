//! What a name says to be secret: one table for what is searched for and for what is masked.

use std::{iter, ops::Range};

/// Parameters of forms and queries, and members of JSON, whose values are secret.
pub(crate) const PARAMETERS: [&str; 17] = [
    "access_token",
    "actor_token",
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "id_token",
    "password",
    "refresh_token",
    "request",
    "request_uri",
    "subject_token",
    "token",
    "user_code",
    "verification_uri_complete",
];

/// Where the secrets are in the value of the header of this name.
pub(crate) fn in_header(name: &str, value: &str) -> Vec<Range<usize>> {
    let pairs = || {
        let mut start = 0;
        value.split(';').filter_map(move |pair| {
            let end = start + pair.len();
            let from = pair.find('=').map(|at| start + at + 1);
            start = end + 1;
            from.map(|from| from..end)
        })
    };
    match name.to_ascii_lowercase().as_str() {
        "authorization" | "proxy-authorization" => {
            let from = value.find(' ').map_or(0, |at| at + 1);
            iter::once(from..value.len()).collect()
        }
        "dpop" => iter::once(0..value.len()).collect(),
        "cookie" => pairs().collect(),
        // What follows the first are attributes (RFC 6265 §4.1.1).
        "set-cookie" => pairs().take(1).collect(),
        _ => Vec::new(),
    }
}
