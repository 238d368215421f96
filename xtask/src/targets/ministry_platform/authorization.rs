//! The row about the code flow.

use ::ministry_platform::{Authentication, MinistryPlatform, oauth_core::Token};
use oauth_conformance::{Case, Context, Failure, Need, Outcome, cases, ensure, wire};
use oauth_core::{ServerMetadata, grant::AuthorizationCode};
use serde_json::json;
use url::Url;

use super::{complete, failed, recorded};

pub(super) const CASES: &[Case] = cases! {
    "MP-22" [Need::Counterpart] => pkce_and_issuer,
};

const REDIRECT_URI: &str = "http://127.0.0.1/callback";

/// Discovery advertises PKCE, which is in use nowhere, and older servers call themselves `Forms`:
/// both are switches, and discovery is never asked unless a program does. Other clients send
/// `realm=realm`; an ID token may lack the nonce.
async fn pkce_and_issuer(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let base_url = counterpart.base_url();
    let platform = || MinistryPlatform::new(base_url).map_err(failed);
    for (pkce, platform) in [(false, platform()?), (true, platform()?.with_pkce(true))] {
        let church = church(&cx, platform)?;
        let (url, code) = authorize(&church, base_url).await?;
        let has = |name: &str| url.query_pairs().any(|(have, _)| have == name);
        let realm = url
            .query_pairs()
            .any(|pair| pair == ("realm".into(), "realm".into()));
        ensure!(
            has("code_challenge") == pkce && has("code_challenge_method") == pkce && realm,
            "an authorization request with PKCE {pkce}: expected a challenge accordingly, and the realm, got {url}"
        );
        let got = church.core().exchange(&code).await?;
        let user = church.userinfo(got.access_token()).await.map_err(failed)?;
        ensure!(
            !user.subject().is_empty(),
            "userinfo: expected a subject, got {user:?}"
        );
    }

    // RFC 9207: an issuer in the callback is the expected one, whatever that is.
    let own = format!("{base_url}/ministryplatformapi/oauth");
    for (platform, good, bad) in [
        (platform()?, own.as_str(), "Forms"),
        (platform()?.with_issuer("Forms"), "Forms", own.as_str()),
    ] {
        for (issuer, fits) in [(good, true), (bad, false)] {
            let client = church(&cx, platform.clone())?;
            let (url, mut pending) = client.core().authorization_request(REDIRECT_URI).build()?;
            let state = parameter(&url, "state")?;
            let query: String = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("code", "c"), ("state", &state), ("iss", issuer)])
                .finish();
            let accepted = pending.accept(&query).is_ok();
            ensure!(
                accepted == fits,
                "a callback with iss={issuer} where {good} is expected: expected it to be accepted ({fits}), got {accepted}"
            );
        }
    }
    let requests = counterpart.control().requests().await?;
    let asked = recorded(&requests);
    ensure!(
        !asked.iter().any(|path| path.contains(".well-known")),
        "two logins: expected discovery to be left alone, got {asked:?}"
    );

    // A program that does read it says whom it expects.
    for (switch, expected, fits) in [
        (false, own.as_str(), true),
        (false, "Forms", false),
        (true, "Forms", true),
        (true, own.as_str(), false),
    ] {
        counterpart
            .control()
            .post("switches", &json!({"forms_issuer": switch}))
            .await?;
        let transport = std::sync::Arc::new(cx.transport());
        let metadata = ServerMetadata::discover_as(&own, expected, transport).await;
        ensure!(
            metadata.is_ok() == fits,
            "metadata of Forms ({switch}), {expected} expected: expected success to be {fits}, got {metadata:?}"
        );
    }

    // Ours, not discovery, is where requests go; and an ID token without a nonce changes nothing.
    let server = cx
        .scripted([cx.token_reply_with("id_token", "e30.e30.e30".into())])
        .await?;
    let church = church(
        &cx,
        MinistryPlatform::new(server.base_url()).map_err(failed)?,
    )?;
    let code = AuthorizationCode::new("c").with_redirect_uri(REDIRECT_URI);
    let got = church.core().exchange(&code).await?;
    ensure!(
        got.id_token() == Some("e30.e30.e30"),
        "an ID token without a nonce: expected it as it is, got {:?}",
        got.id_token()
    );
    Ok(())
}

fn church(cx: &Context, platform: MinistryPlatform) -> Result<Authentication, Failure> {
    complete(cx, Authentication::builder_for(platform))
        .build()
        .map_err(failed)
}

/// The URL that was opened, and the code that came back.
async fn authorize(
    church: &Authentication,
    base_url: &str,
) -> Result<(Url, AuthorizationCode), Failure> {
    let request = church.core().authorization_request(REDIRECT_URI);
    let (url, mut pending) = request
        .scopes(oauth_core::Scopes::new(["openid"])?)
        .param("realm", "realm")
        .build()?;
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let answer = wire::request(base_url, "GET", &target, &[], b"").await?;
    let location = answer.header("location").unwrap_or_default();
    let (_, query) = location.split_once('?').ok_or_else(|| {
        Failure::new(format!(
            "{url}: expected a callback, got status {} to {location:?}",
            answer.status()
        ))
    })?;
    Ok((url, pending.accept(query)?))
}

fn parameter(url: &Url, name: &str) -> Result<String, Failure> {
    let found = url.query_pairs().find(|(have, _)| have == name);
    let value = found.map(|(_, value)| value.into_owned());
    value.ok_or_else(|| Failure::new(format!("{url}: expected {name}, got none")))
}
