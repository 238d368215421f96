//! The servers that are measured, each set up as its documentation says, with one client and an
//! in-memory store.

mod by_hand;
mod ours;
mod oxide;

use axum::{Router, http::header::CONTENT_TYPE, routing::post};

pub use by_hand::by_hand;
pub use ours::{oauth_server, purging};
pub use oxide::oxide_auth;

/// What every token is for.
pub const SCOPE: &str = "read";
/// oxide-auth registers no client without one.
pub const REDIRECT_URI: &str = "https://app.example/callback";

/// The least that axum can do: the length of an answer with a token in it.
pub fn plain() -> Router {
    const BODY: &str = r#"{"access_token":"0123456789012345678901234567890123456789012","token_type":"Bearer","expires_in":3600,"scope":"read"}"#;
    let answer = || async { ([(CONTENT_TYPE, "application/json")], BODY) };
    Router::new()
        .route("/token", post(answer))
        .route("/introspect", post(answer))
}
