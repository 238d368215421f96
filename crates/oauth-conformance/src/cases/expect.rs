//! What many rows about answers say: this was sent, so that must come out.

use oauth_core::{Error, ErrorKind, TokenSet};

use crate::{Context, Failure, Outcome, Reply};

/// The token that the target's client reads; `sent` says what it was sent.
pub(super) async fn token(cx: &Context, sent: &str, reply: Reply) -> Result<TokenSet, Failure> {
    cx.read(reply).await?.map_err(|error| {
        Failure::new(format!(
            "sent {sent}, expected a token, got {:?}: {error}",
            error.kind()
        ))
    })
}

/// The error of the target's client, of any kind.
pub(super) async fn error(cx: &Context, sent: &str, reply: Reply) -> Result<Error, Failure> {
    match cx.read(reply).await? {
        Err(error) => Ok(error),
        Ok(_) => Err(Failure::new(format!(
            "sent {sent}, expected an error, got a token"
        ))),
    }
}

/// The error of the target's client, which must be of this kind.
pub(super) async fn error_of(
    cx: &Context,
    kind: ErrorKind,
    sent: &str,
    reply: Reply,
) -> Result<Error, Failure> {
    let error = error(cx, sent, reply).await?;
    is(&error, kind, sent)?;
    Ok(error)
}

/// Ends the case unless `error` is of this kind.
pub(super) fn is(error: &Error, kind: ErrorKind, sent: &str) -> Outcome {
    if error.kind() == kind {
        return Ok(());
    }
    Err(Failure::new(format!(
        "sent {sent}, expected {kind:?}, got {:?}: {error}",
        error.kind()
    )))
}

/// Ends the case unless `error` passes: it is transient, and the session is kept.
pub(super) fn is_transient(error: &Error, sent: &str) -> Outcome {
    is(error, ErrorKind::Server, sent)?;
    if error.is_transient() && !error.needs_reauthorization() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "sent {sent}, expected a transient error, got recovery {:?}",
        error.recovery()
    )))
}
