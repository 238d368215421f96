//! The row about what comes back from the user's browser.

use oauth_conformance::{Case, Context, Counterpart, Failure, Need, Outcome, cases, ensure, wire};
use oauth_core::{ErrorCode, ErrorKind};
use url::Url;

use super::{
    confidential,
    expect::{reauthorize, refused},
};

pub(super) const CASES: &[Case] = cases! {
    "TW-20" [Need::Counterpart] => any_callback_may_hold_an_error,
};

/// A redirect URI is compared byte for byte, without a slash that a URL parser adds; on a mismatch
/// the error goes to the first URI that is registered, perhaps another instance's. `state` decides
/// whose it is.
async fn any_callback_may_hold_an_error(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let client = confidential(&cx, counterpart.base_url())?;
    let uri = "http://localhost:3000";
    let (url, mut pending) = client
        .authorization_url(uri)
        .scopes(cx.credentials().scopes)
        .build()?;
    ensure!(
        url.query_pairs()
            .any(|(name, value)| name == "redirect_uri" && value == uri),
        "the redirect URI {uri}: expected it as it was given, got another"
    );
    let mismatch = "error=redirect_mismatch&error_description=Parameter+redirect_uri+does+not+match+registered+URI";
    for (sent, callback) in [
        ("a mismatch without a state", format!("{uri}/?{mismatch}")),
        (
            "a mismatch with another's state",
            format!("{uri}/?{mismatch}&state=another"),
        ),
        (
            "a refusal with another's state",
            format!("{uri}/?error=access_denied&state=another"),
        ),
        (
            "a code with another's state",
            format!("{uri}/?code=c&state=another"),
        ),
    ] {
        let error = refused(
            sent,
            client
                .token_get_from_callback(&mut pending, &callback)
                .await,
        )?;
        ensure!(
            error.kind() == ErrorKind::Protocol && error.code().is_none(),
            "{sent}: expected that it is not ours, got {:?}: {error}",
            error.kind()
        );
    }
    // None of these was the answer to our request.
    let callback = visit(&counterpart, &url).await?;
    client
        .token_get_from_callback(&mut pending, &callback)
        .await?;

    let (url, mut pending) = client.authorization_url("http://localhost:3000/").build()?;
    let callback = visit(&counterpart, &url).await?;
    ensure!(
        callback.starts_with("http://localhost:3000?"),
        "a slash at the end: expected the first registered URI, got another"
    );
    let sent = "a mismatch with our state";
    let error = refused(
        sent,
        client
            .token_get_from_callback(&mut pending, &callback)
            .await,
    )?;
    let expected = ErrorCode::new("redirect_mismatch");
    ensure!(
        error.code() == Some(&expected) && !error.is_transient(),
        "{sent}: expected {expected}, got {error}"
    );

    let (mut url, mut pending) = client.authorization_url(uri).build()?;
    url.query_pairs_mut().append_pair("_deny", "1");
    let callback = visit(&counterpart, &url).await?;
    let sent = "a user who says no";
    let error = refused(
        sent,
        client
            .token_get_from_callback(&mut pending, &callback)
            .await,
    )?;
    reauthorize(sent, &error, &ErrorCode::AccessDenied)
}

/// Where the counterpart sends the browser.
async fn visit(counterpart: &Counterpart, url: &Url) -> Result<String, Failure> {
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let answer = wire::request(counterpart.base_url(), "GET", &target, &[], b"").await?;
    let location = answer.header("location").map(str::to_owned);
    location.ok_or_else(|| {
        Failure::new(format!(
            "expected a redirect, got status {}",
            answer.status()
        ))
    })
}
