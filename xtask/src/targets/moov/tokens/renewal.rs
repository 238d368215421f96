//! The row about renewing a token.

use moov::{BackoffStrategy, Client, RetryConfig, RevokeAccessToken, Scope, Token, TokenSet};
use oauth_conformance::{Context, Failure, Outcome, Reply, ensure};
use oauth_core::RefreshToken;

use crate::targets::moov::{ORIGIN, builder, client, failed, refused};

/// Client credentials bring a refresh token. It is used, and where Moov refuses it the key pair is
/// at hand; a refresh that may have gone through is not sent again.
pub(super) async fn refresh_then_the_key_pair(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let at_emulator = client(&cx, counterpart.base_url())?;
    let scope = Scope::accounts_read;
    let first = at_emulator.client_credentials(scope()).await;
    let second = at_emulator.renew(&first.map_err(failed)?, scope()).await;
    let second = second.map_err(failed)?;
    let refresh_token = second
        .refresh_token()
        .ok_or_else(|| Failure::new("a refresh: expected a refresh token again, got none"))?;
    let request = RevokeAccessToken::refresh_token(refresh_token);
    let revoked = at_emulator.revoke_access_token(request).await;
    revoked.map_err(failed)?;
    let third = at_emulator.renew(&second, scope()).await.map_err(failed)?;
    ensure!(
        third.access_token() != second.access_token(),
        "a dead refresh token: expected a new access token, got the old one"
    );
    let requests = counterpart.control().requests().await?;
    let grants: Vec<_> = requests
        .iter()
        .filter_map(|request| request["json"]["grant_type"].as_str())
        .collect();
    let (key_pair, refresh) = ("client_credentials", "refresh_token");
    ensure!(
        grants == [key_pair, refresh, refresh, key_pair],
        "a token, renewed, revoked, renewed: expected the dead one's refresh to be followed by the key pair, got {grants:?}"
    );

    let dead = || Reply::new(422).body(r#"{"refresh_token":"is not valid"}"#);
    let prose = || Reply::new(400).body(r#"{"error":"the refresh token was used before"}"#);
    for (sent, replies, expected) in [
        (
            "422, then a token",
            [dead(), cx.token_reply("b")],
            &[refresh, key_pair][..],
        ),
        (
            "400, then a token",
            [prose(), cx.token_reply("b")],
            &[refresh, key_pair],
        ),
        ("422 twice", [dead(), dead()], &[refresh, key_pair]),
        ("400 twice", [prose(), prose()], &[refresh, key_pair]),
        ("401", [Reply::new(401), cx.token_reply("b")], &[refresh]),
        ("403", [Reply::new(403), cx.token_reply("b")], &[refresh]),
        ("429", [Reply::new(429), cx.token_reply("b")], &[refresh]),
        ("500", [Reply::new(500), cx.token_reply("b")], &[refresh]),
        ("504", [Reply::new(504), cx.token_reply("b")], &[refresh]),
        (
            "no answer",
            [Reply::close(), cx.token_reply("b")],
            &[refresh],
        ),
    ] {
        let renewed = sent.ends_with("a token");
        for retries in [
            RetryConfig::none(),
            RetryConfig::backoff(BackoffStrategy::default()).with_retry_connection_errors(true),
        ] {
            let server = cx.scripted(replies.clone()).await?;
            let client = builder(&cx, server.base_url())
                .origin(ORIGIN)
                .retry(retries.clone());
            let result = renew(&client.build().map_err(failed)?, &cx).await?;
            if renewed {
                result.map_err(|error| {
                    Failure::new(format!("{sent}: expected the token, got {error}"))
                })?;
            } else {
                refused(sent, result)?;
            }
            let received = server.received();
            let grants: Vec<_> = received
                .iter()
                .map(|request| request.param("grant_type").unwrap_or_default())
                .collect();
            ensure!(
                grants == expected,
                "a refresh answered with {sent}, retries {:?}: expected the requests {expected:?}, got {grants:?}",
                retries.strategy()
            );
        }
    }
    Ok(())
}

async fn renew(client: &Client, cx: &Context) -> Result<Result<TokenSet, moov::Error>, Failure> {
    let stored = TokenSet::new(oauth_core::AccessToken::new("a")?, cx.now())
        .with_refresh_token(Some(RefreshToken::new("r")?));
    Ok(client.renew(&stored, Scope::accounts_read()).await)
}
