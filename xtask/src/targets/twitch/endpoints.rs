//! Rows about where Twitch is.

use oauth_conformance::{Case, Context, Need, Outcome, cases, ensure, wire};
use oauth_core::Provider;
use twitch::{Client, Twitch};

use super::{confidential, expect::refresh_token, public, tokens_by_code, tokens_by_device};

pub(super) const CASES: &[Case] = cases! {
    "TW-13" [] => override_on_this_machine_alone,
    "TW-21" [Need::Counterpart] => a_fixed_set,
};

const ID: &str = "https://id.twitch.tv/oauth2/";

/// The crate's manifest: which features are there without being asked for.
const MANIFEST: &str = include_str!("../../../../crates/twitch/Cargo.toml");

/// Another base URL is for emulators: behind a feature that is off by default, plain http to
/// loopback, and nothing else.
async fn override_on_this_machine_alone(_: Context) -> Outcome {
    for base_url in [
        "http://127.0.0.1:9",
        "http://localhost:9/",
        "http://[::1]:9",
    ] {
        let built = Twitch::at(base_url);
        ensure!(
            built.is_ok(),
            "{base_url}: expected a provider, got {built:?}"
        );
    }
    for base_url in [
        "https://id.twitch.tv",
        "http://id.twitch.tv",
        "https://127.0.0.1:9",
        "http://10.0.0.1:9",
        "http://192.168.0.1",
        "http://0.0.0.0:9",
        "http://169.254.169.254",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "http://example.com#127.0.0.1",
        "http://127.0.0.1:9/?x=y",
        "file:///tmp/twitch",
        "127.0.0.1:9",
        "",
    ] {
        let built = Twitch::at(base_url);
        ensure!(
            built.is_err(),
            "{base_url}: expected a refusal, got {built:?}"
        );
    }
    let client = Client::builder("client-id").build()?;
    let token = client.twitch().endpoints().token().as_str();
    ensure!(
        token == format!("{ID}token"),
        "nothing chosen: expected the real Twitch, got {token}"
    );
    let default = MANIFEST.lines().find(|line| line.starts_with("default = "));
    ensure!(
        default.is_some_and(|line| !line.contains("emulator"))
            && MANIFEST.lines().any(|line| line == "emulator = []"),
        "the feature emulator: expected it to be off by default, got {default:?}"
    );
    Ok(())
}

/// Discovery names neither the device nor the revocation nor the validation endpoint, and is not
/// asked.
async fn a_fixed_set(cx: Context) -> Outcome {
    let twitch = Twitch::new();
    let endpoints = twitch.endpoints();
    let text = |url: Option<&oauth_core::EndpointUrl>| url.map(|url| url.as_str().to_owned());
    let own = |path: &str| Some(format!("{ID}{path}"));
    for (path, got) in [
        ("token", text(Some(endpoints.token()))),
        ("authorize", text(endpoints.authorization())),
        ("device", text(endpoints.device_authorization())),
        ("revoke", text(endpoints.revocation())),
        ("userinfo", text(endpoints.userinfo())),
        ("validate", text(Some(twitch.validate_endpoint()))),
    ] {
        ensure!(got == own(path), "{path}: expected {ID}{path}, got {got:?}");
    }

    let counterpart = cx.counterpart().await?;
    let base_url = counterpart.base_url();
    let path = "/oauth2/.well-known/openid-configuration";
    let discovery = wire::request(base_url, "GET", path, &[], b"")
        .await?
        .json()?;
    for member in [
        "device_authorization_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
    ] {
        ensure!(
            discovery[member].is_null(),
            "discovery: expected no {member}, got {}",
            discovery[member]
        );
    }
    let client = confidential(&cx, base_url)?;
    let tokens = tokens_by_code(&cx, &counterpart, &client).await?;
    client.token_refresh_with(refresh_token(&tokens)?).await?;
    let access = oauth_core::Token::access_token(&tokens);
    client.token_validate(access).await?;
    client.userinfo(access).await?;
    client.token_revoke(access).await?;
    tokens_by_device(&cx, &counterpart, &public(&cx, base_url)?).await?;
    let requests = counterpart.control().requests().await?;
    let asked = requests
        .iter()
        .filter(|request| request["path"] == path)
        .count();
    ensure!(
        asked == 1,
        "every kind of call: expected no discovery but the suite's own, got {asked}"
    );
    Ok(())
}
