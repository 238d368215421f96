//! The row about token answers.

use oauth_conformance::{Case, Context, Failure, Need, Outcome, Reply, cases, ensure};
use oauth_core::{Error, RefreshToken, Scopes, Token, TokenSet, TokenType};
use serde_json::{Value, json};

use super::{confidential, device::started, expect::refresh_token, tokens_by_code};

pub(super) const CASES: &[Case] = cases! {
    "TW-03" [Need::Counterpart] => many_forms,
};

const OLD: &str = "the old refresh token";

/// A grant whose answer is looked at.
#[derive(Debug, Clone, Copy)]
enum Grant {
    Code,
    Refresh,
    Device,
}

/// Scopes come as a list, a text, null or not at all; `token_type` in lower case or not at all;
/// `expires_in` not at all on a refresh; and the media type with a charset.
async fn many_forms(cx: Context) -> Outcome {
    let asked = cx.credentials().scopes;
    for (member, value, scopes) in [
        (
            "scope",
            Some(json!(["chat:read", "chat:edit"])),
            Some("chat:edit chat:read"),
        ),
        (
            "scope",
            Some(json!("chat:edit chat:read")),
            Some("chat:edit chat:read"),
        ),
        (
            "scope",
            Some(json!(["chat:edit chat:read"])),
            Some("chat:edit chat:read"),
        ),
        ("scope", Some(json!([])), Some("")),
        ("scope", Some(json!([""])), Some("")),
        ("scope", Some(json!("")), Some("")),
        ("scope", Some(json!(null)), None),
        ("scope", None, None),
        ("token_type", Some(json!("Bearer")), Some("chat:read")),
        ("token_type", None, Some("chat:read")),
        ("expires_in", None, Some("chat:read")),
    ] {
        for grant in [Grant::Code, Grant::Refresh, Grant::Device] {
            let mut members = json!({
                "access_token": "at", "refresh_token": "rt", "expires_in": 14_124,
                "scope": ["chat:read"], "token_type": "bearer",
            });
            match (&value, members.as_object_mut()) {
                (None, Some(members)) => drop(members.remove(member)),
                (value, _) => members[member] = value.clone().unwrap_or_default(),
            }
            let sent = format!("{members} for {grant:?}");
            let token = read(&cx, grant, &members).await?.map_err(|error| {
                Failure::new(format!("sent {sent}: expected a token, got {error}"))
            })?;
            let expected = match (scopes, grant) {
                (Some(scopes), _) => Scopes::parse(scopes)?,
                // Those that were asked for (RFC 6749 §5.1); what a code or a refresh token
                // stands for is not known.
                (None, Grant::Device) => asked.clone(),
                (None, _) => Scopes::empty(),
            };
            ensure!(
                *token.scopes() == expected,
                "sent {sent}: expected the scopes {expected}, got {}",
                token.scopes()
            );
            let lifetime = (member != "expires_in").then_some(14_124);
            ensure!(
                cx.lifetime(&token) == lifetime && !token.is_expired(cx.now()),
                "sent {sent}: expected a lifetime of {lifetime:?}, got {:?}",
                cx.lifetime(&token)
            );
            let header = token
                .access_token()
                .authorization(token.token_type().scheme())?;
            ensure!(
                token.token_type() == TokenType::Bearer && header == "Bearer at",
                "sent {sent}: expected `Bearer at` in a request, got {:?}",
                token.token_type()
            );
            let next = refresh_token(&token)?.expose_secret();
            ensure!(
                next == "rt",
                "sent {sent}: expected the new refresh token, got another"
            );
        }
    }
    let token = read(&cx, Grant::Refresh, &json!({"access_token": "at"})).await??;
    ensure!(
        refresh_token(&token)?.expose_secret() == OLD,
        "sent no refresh token: expected the old one to be kept, got another"
    );
    at_the_emulator(&cx).await
}

/// The same where the emulator leaves `expires_in` out, and writes scopes as a text.
async fn at_the_emulator(cx: &Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let client = confidential(cx, counterpart.base_url())?;
    let first = tokens_by_code(cx, &counterpart, &client).await?;
    for as_text in [false, true] {
        let switches = json!({"expires_in_on_refresh": false, "scope_as_text_on_refresh": as_text});
        counterpart.control().post("switches", &switches).await?;
        let token = client.token_refresh_with(refresh_token(&first)?).await?;
        ensure!(
            token.scopes() == first.scopes() && token.expires_at().is_none(),
            "refreshed with {switches}: expected {} and no expiry, got {} and {:?}",
            first.scopes(),
            token.scopes(),
            token.expires_at()
        );
        client.token_validate(token.access_token()).await?;
    }
    Ok(())
}

/// What the crate makes of this answer.
async fn read(
    cx: &Context,
    grant: Grant,
    members: &Value,
) -> Result<Result<TokenSet, Error>, Failure> {
    let reply = Reply::new(200)
        .header("Content-Type", "application/json; charset=utf-8")
        .body(members.to_string());
    if let Grant::Device = grant {
        let (_server, client, device) = started(cx, [reply]).await?;
        return Ok(client.device_token(&device).await);
    }
    let server = cx.scripted([reply]).await?;
    let client = confidential(cx, server.base_url())?;
    Ok(match grant {
        Grant::Refresh => client.token_refresh_with(&RefreshToken::new(OLD)?).await,
        _ => {
            client
                .token_get_from_code("code", &cx.credentials().redirect_uri)
                .await
        }
    })
}
