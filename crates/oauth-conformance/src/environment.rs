//! An environment that means harm: what a program that runs the suite should set for it.
//!
//! A run in a friendly environment cannot see whether a variable would weaken anything, and a
//! program cannot change its own environment safely: it starts itself once more with these.
//!
//! ```
//! use oauth_conformance::environment;
//!
//! let mut child = std::process::Command::new("the-suite");
//! child.envs(environment::HOSTILE);
//! ```

use std::env;

use crate::{Failure, Outcome};

/// Set, among [`HOSTILE`], where the suite runs in that environment; its rows then check that the
/// others are there.
pub const MARKER: &str = "OAUTH_CONFORMANCE_HOSTILE";

/// Variables with which other libraries switch off TLS checks or https, and proxies that are none.
pub const HOSTILE: [(&str, &str); 18] = [
    (MARKER, "1"),
    ("OAUTHLIB_INSECURE_TRANSPORT", "1"),
    ("OAUTHLIB_RELAX_TOKEN_SCOPE", "1"),
    ("AUTHLIB_INSECURE_TRANSPORT", "1"),
    ("OAUTH_INSECURE_TRANSPORT", "1"),
    ("OAUTH_ALLOW_HTTP", "1"),
    ("NODE_TLS_REJECT_UNAUTHORIZED", "0"),
    ("PYTHONHTTPSVERIFY", "0"),
    ("CURL_INSECURE", "1"),
    ("SSL_VERIFY", "0"),
    ("REQWEST_DANGER_ACCEPT_INVALID_CERTS", "1"),
    ("HTTP_PROXY", "http://127.0.0.1:9"),
    ("http_proxy", "http://127.0.0.1:9"),
    ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ("https_proxy", "http://127.0.0.1:9"),
    ("ALL_PROXY", "http://127.0.0.1:9"),
    ("all_proxy", "http://127.0.0.1:9"),
    ("NO_PROXY", ""),
];

/// Ends a case that relies on the hostile environment where that was promised, but is not there.
pub(crate) fn check() -> Outcome {
    if env::var_os(MARKER).is_none() {
        return Ok(());
    }
    match HOSTILE
        .into_iter()
        .find(|(name, value)| env::var(name).as_deref() != Ok(value))
    {
        None => Ok(()),
        Some((name, _)) => Err(Failure::new(format!(
            "{MARKER} is set, expected the whole hostile environment, but {name} is not as in it"
        ))),
    }
}
