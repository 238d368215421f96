//! What many of these rows say: this was sent, so that must come out.

use oauth_conformance::{Control, Failure, Outcome, Received, ScriptedServer, ensure};
use oauth_core::{Error, ErrorCode, RefreshToken, Token};
use serde_json::Value;

/// The error of a call that must not succeed; `sent` says what it was.
pub(super) fn refused<T>(sent: &str, result: Result<T, Error>) -> Result<Error, Failure> {
    match result {
        Err(error) => Ok(error),
        Ok(_) => Err(Failure::new(format!(
            "{sent}: expected an error, got success"
        ))),
    }
}

/// Ends the case unless `error` has this code and asks the user to consent again.
pub(super) fn reauthorize(sent: &str, error: &Error, code: &ErrorCode) -> Outcome {
    ensure!(
        error.code() == Some(code) && error.needs_reauthorization(),
        "{sent}: expected {code} and the user to consent again, got {error} and {:?}",
        error.recovery()
    );
    Ok(())
}

/// Ends the case unless `error` has this code and asks for another configuration.
pub(super) fn misconfigured(sent: &str, error: &Error, code: &ErrorCode) -> Outcome {
    ensure!(
        error.code() == Some(code) && error.recovery() == oauth_core::Recovery::FixConfiguration,
        "{sent}: expected {code} and the configuration to mend, got {error} and {:?}",
        error.recovery()
    );
    Ok(())
}

/// Ends the case unless `error` may pass and the session is kept.
pub(super) fn transient(sent: &str, error: &Error) -> Outcome {
    ensure!(
        error.is_transient() && !error.needs_reauthorization(),
        "{sent}: expected a transient error, got {error} and {:?}",
        error.recovery()
    );
    Ok(())
}

/// Ends the case unless so many requests came.
pub(super) fn count(sent: &str, server: &ScriptedServer, expected: usize) -> Outcome {
    let got: Vec<_> = server
        .received()
        .iter()
        .map(|request| request.path().to_owned())
        .collect();
    ensure!(
        got.len() == expected,
        "{sent}: expected {expected} requests, got {got:?}"
    );
    Ok(())
}

/// The last request that came.
pub(super) fn last(server: &ScriptedServer) -> Result<Received, Failure> {
    let last = server.received().pop();
    last.ok_or_else(|| Failure::new("expected a request, got none"))
}

/// The refresh token of `token`, which must have one.
pub(super) fn refresh_token(token: &impl Token) -> Result<&RefreshToken, Failure> {
    let got = token.refresh_token();
    got.ok_or_else(|| Failure::new("expected a refresh token, got none"))
}

/// What arrived at the counterpart's token endpoint, as grant types in order.
pub(super) async fn grant_types(control: &Control) -> Result<Vec<String>, Failure> {
    let requests = control.requests().await?;
    let tokens = requests
        .iter()
        .filter(|request| request["path"] == "/oauth2/token");
    Ok(tokens
        .map(|request| {
            form_value(request, "grant_type")
                .unwrap_or_default()
                .to_owned()
        })
        .collect())
}

/// The value of a parameter in the body of a recorded request.
pub(super) fn form_value<'a>(request: &'a Value, name: &str) -> Option<&'a str> {
    let pairs = request["form"].as_array()?;
    pairs.iter().find(|pair| pair[0] == name)?[1].as_str()
}

/// The names of the parameters in the body of a recorded request, in order.
pub(super) fn form_names(request: &Value) -> Vec<&str> {
    let pairs = request["form"].as_array().into_iter().flatten();
    pairs.filter_map(|pair| pair[0].as_str()).collect()
}
