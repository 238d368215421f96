//! The row about revocation.

use moov::{ErrorKind, RevokeAccessToken, Scope, Token, TokenTypeHint};
use oauth_conformance::{Case, Context, Failure, Need, Outcome, Reply, cases, ensure};

use super::{client, failed, refusals::is, refused};

pub(super) const CASES: &[Case] = cases! {
    "MV-07" [Need::Counterpart] => revoke,
};

/// Moov says 204 where RFC 7009 says 200, and names refused fields in a 422.
async fn revoke(cx: Context) -> Outcome {
    for reply in [Reply::new(204), Reply::new(200), Reply::new(200).body("{}")] {
        let server = cx.scripted([reply]).await?;
        let client = client(&cx, server.base_url())?;
        for (hint, body) in [
            (None, r#"{"token":"a"}"#),
            (
                Some(TokenTypeHint::AccessToken),
                r#"{"token":"a","token_type_hint":"access_token"}"#,
            ),
            (
                Some(TokenTypeHint::RefreshToken),
                r#"{"token":"a","token_type_hint":"refresh_token"}"#,
            ),
        ] {
            let request = RevokeAccessToken::new("a");
            let request = match hint {
                Some(hint) => request.with_token_type_hint(hint),
                None => request,
            };
            client.revoke_access_token(request).await.map_err(failed)?;
            let received = server.received();
            let got = received
                .last()
                .ok_or_else(|| Failure::new("a revocation: expected a request, got none"))?;
            ensure!(
                (got.method(), got.target()) == ("POST", "/oauth2/revoke")
                    && got.header("content-type") == Some("application/json")
                    && got.body() == body,
                "a revocation: expected POST /oauth2/revoke with {body}, got {}",
                got.whole()
            );
        }
    }
    let body = r#"{"token":"MESSAGE one","token_type_hint":"MESSAGE two"}"#;
    let server = cx.scripted([Reply::new(422).body(body)]).await?;
    let revoking = client(&cx, server.base_url())?;
    let revoked = revoking
        .revoke_access_token(RevokeAccessToken::new("a"))
        .await;
    let error = refused("a refused revocation", revoked)?;
    is(&error, ErrorKind::RevokeTokenRequestError, 422, body)?;
    let said = (error.field("token"), error.field("token_type_hint"));
    ensure!(
        said == (Some("MESSAGE one"), Some("MESSAGE two"))
            && !error.to_string().contains("MESSAGE"),
        "422 {body}: expected both fields, unprinted, got {said:?}: {error}"
    );

    let counterpart = cx.counterpart().await?;
    let client = client(&cx, counterpart.base_url())?;
    let token = client.client_credentials(Scope::accounts_read()).await;
    let token = token.map_err(failed)?;
    let refresh_token = token
        .refresh_token()
        .ok_or_else(|| Failure::new("client credentials: expected a refresh token, got none"))?;
    for request in [
        RevokeAccessToken::access_token(token.access_token()),
        RevokeAccessToken::refresh_token(refresh_token),
        RevokeAccessToken::new("a token that never was"),
    ] {
        client.revoke_access_token(request).await.map_err(failed)?;
    }
    let dead = refused(
        "a revoked refresh token",
        client.refresh(refresh_token).await,
    )?;
    is(
        &dead,
        ErrorKind::AuthTokenRequestError,
        422,
        "a revoked refresh token",
    )
}
