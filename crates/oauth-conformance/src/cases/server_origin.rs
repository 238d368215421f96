//! E1: headers that claim to come from a browser or a proxy.

use super::server::{CHALLENGE, Tested, basic, granted, member};
use crate::{
    Case, Context,
    Need::{Counterpart, Server},
    Outcome, cases, ensure, wire,
};

pub(super) const CASES: &[Case] = cases! {
    "STK-22" [Counterpart, Server] => cross_origin,
    "STK-23" [Counterpart, Server] => forwarded_headers,
};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

async fn cross_origin(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let origin = [
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "GET"),
    ];
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", &set.public.id),
            ("redirect_uri", &set.redirect_uri),
        ])
        .extend_pairs([
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    let target = format!("{}?{query}", set.authorization);
    for method in ["GET", "OPTIONS"] {
        let answer = wire::request(tested.base_url(), method, &target, &origin, b"").await?;
        let status = answer.status();
        // Who asks for a page must get one, or no CORS means nothing; a preflight may be refused.
        ensure!(
            method == "OPTIONS" || matches!(status, 200 | 302 | 303),
            "sent {method} to the authorization endpoint, expected a page or a redirect, got {status}"
        );
        let allowed = answer.header("access-control-allow-origin");
        ensure!(
            allowed.is_none(),
            "sent {method} to the authorization endpoint, expected no CORS, got {allowed:?}"
        );
    }
    for path in [&set.token, &set.revocation, &set.metadata] {
        let answer = wire::request(tested.base_url(), "OPTIONS", path, &origin, b"").await?;
        let credentials = answer.header("access-control-allow-credentials");
        ensure!(
            credentials.is_none(),
            "sent OPTIONS to {path}, expected no credentials allowed, got {credentials:?}"
        );
    }
    Ok(())
}

pub(super) async fn forwarded_headers(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let headers = [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("Forwarded", "for=192.0.2.1;host=evil.example;proto=https"),
    ];
    let path = &tested.set().metadata;
    let plain = wire::request(tested.base_url(), "GET", path, &[], b"").await?;
    let plain = granted("a request for metadata", &plain)?;
    let forged = wire::request(tested.base_url(), "GET", path, &headers, b"").await?;
    let forged = granted("a request for metadata with forged headers", &forged)?;
    ensure!(
        plain == forged,
        "sent X-Forwarded-*, expected the same metadata, {plain}, got {forged}"
    );
    let client = &tested.set().confidential;
    let basic = basic(&client.id, &client.secret);
    let all = [&headers[..], &[("Authorization", basic.as_str())]].concat();
    let tokens = granted(
        "a token request with forged headers",
        &tested.post(&tested.set().token, &all, &[GRANT]).await?,
    )?;
    let issuer = &tested.introspect(member(&tokens, "access_token")?).await?["iss"];
    ensure!(
        *issuer == plain["issuer"],
        "sent X-Forwarded-*, expected iss {}, got {issuer}",
        plain["issuer"]
    );
    Ok(())
}
