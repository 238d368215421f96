//! E9: what the server tells about itself.

use serde_json::{Value, json};

use super::server::{Tested, granted, member};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, cases, ensure, wire,
};

pub(super) const CASES: &[Case] = cases! {
    "SMD-01" [Counterpart, Server] => place,
    "SMD-02" [Counterpart, Server] => issuer,
    "SMD-03" [Counterpart, Server] => members,
    "SMD-04" [Counterpart, Server] => hosts_of_an_attacker,
    "SMD-05" [Counterpart, Server] => odd_requests,
};

async fn metadata(tested: &Tested, headers: &[(&str, &str)]) -> Result<Value, Failure> {
    let path = &tested.set().metadata;
    let answer = wire::request(tested.base_url(), "GET", path, headers, b"").await?;
    granted("a request for metadata", &answer)
}

async fn place(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let known = &tested.set().metadata;
    let path = &tested.set().second_issuer;
    for (path, issuer) in [
        (known.clone(), tested.base_url().to_owned()),
        (
            format!("{known}{path}"),
            format!("{}{path}", tested.base_url()),
        ),
    ] {
        let answer = wire::request(tested.base_url(), "GET", &path, &[], b"").await?;
        let document = granted(&format!("a request for {path}"), &answer)?;
        let kind = answer.header("content-type");
        ensure!(
            kind == Some("application/json"),
            "asked for {path}, expected application/json, got {kind:?}"
        );
        ensure!(
            document["issuer"] == issuer,
            "asked for {path}, expected the issuer {issuer}, got {}",
            document["issuer"]
        );
        let token = member(&document, "token_endpoint")?;
        ensure!(
            token.starts_with(&issuer),
            "asked for {path}, expected a token endpoint of {issuer}, got {token}"
        );
    }
    for elsewhere in [
        format!("{path}{known}"),
        format!("{known}/another"),
        format!("{known}{path}/more"),
        format!("{known}/"),
        format!("{known}{path}/"),
        format!("{known}.json"),
    ] {
        let answer = wire::request(tested.base_url(), "GET", &elsewhere, &[], b"").await?;
        ensure!(
            answer.status() == 404,
            "asked for {elsewhere}, expected 404, got {}",
            answer.status()
        );
    }
    Ok(())
}

async fn issuer(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let metadata = metadata(&tested, &[]).await?;
    let issuer = member(&metadata, "issuer")?;
    // Only on loopback may it be http.
    ensure!(
        issuer == tested.base_url() && !issuer.contains(['?', '#']),
        "expected the issuer {}, got {issuer}",
        tested.base_url()
    );
    Ok(())
}

async fn members(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let metadata = metadata(&tested, &[]).await?;
    let set = tested.set();
    for (name, path) in [
        ("token_endpoint", &set.token),
        ("authorization_endpoint", &set.authorization),
        ("revocation_endpoint", &set.revocation),
        ("introspection_endpoint", &set.introspection),
        ("device_authorization_endpoint", &set.device_authorization),
        ("userinfo_endpoint", &set.userinfo),
    ] {
        let url = format!("{}{path}", tested.base_url());
        ensure!(
            metadata[name] == url,
            "expected {name} {url}, got {}",
            metadata[name]
        );
    }
    let path = format!("{}{}", tested.base_url(), set.pushed_authorization);
    let told = &metadata["pushed_authorization_request_endpoint"];
    ensure!(
        *told == path,
        "expected {path} for pushed requests, got {told}"
    );
    let scopes = metadata["scopes_supported"].as_array().cloned();
    let scopes = scopes.unwrap_or_default();
    for scope in ["read", "write", "openid"] {
        let told = scopes.contains(&json!(scope));
        ensure!(told, "expected {scope} in scopes_supported, got {scopes:?}");
    }
    let iss = &metadata["authorization_response_iss_parameter_supported"];
    ensure!(
        *iss == true,
        "expected {{iss}} in authorization responses, got {iss}"
    );
    for (name, values) in [
        ("response_types_supported", &["code"] as &[_]),
        ("code_challenge_methods_supported", &["S256"]),
        ("dpop_signing_alg_values_supported", &["ES256"]),
        (
            "grant_types_supported",
            &["authorization_code", "client_credentials", "refresh_token"],
        ),
        (
            "token_endpoint_auth_methods_supported",
            &[
                "client_secret_basic",
                "client_secret_post",
                "private_key_jwt",
                "none",
            ],
        ),
        (
            "token_endpoint_auth_signing_alg_values_supported",
            &["ES256"],
        ),
    ] {
        let list = metadata[name].as_array().cloned().unwrap_or_default();
        for value in values {
            let told = list.contains(&json!(value));
            ensure!(told, "expected {value} in {name}, got {}", metadata[name]);
        }
        for never in ["none", "plain", "token", "HS256", "RS1"] {
            let methods = name == "token_endpoint_auth_methods_supported";
            let assertions = name == "token_endpoint_auth_signing_alg_values_supported";
            let fits = (never == "none" && methods) || (never == "HS256" && assertions);
            let told = list.contains(&json!(never));
            ensure!(fits || !told, "expected no {never} in {name}, got it");
        }
    }
    let keys = member(&metadata, "jwks_uri")?;
    let path = keys.strip_prefix(tested.base_url()).unwrap_or_default();
    let keys = wire::request(tested.base_url(), "GET", path, &[], b"").await?;
    let keys = granted("a request for the key set", &keys)?;
    for key in keys["keys"].as_array().into_iter().flatten() {
        let public = ["d", "p", "q", "k"]
            .iter()
            .all(|name| key.get(name).is_none());
        ensure!(
            public,
            "expected public keys, got a member of a private one"
        );
        let algorithms = &metadata["id_token_signing_alg_values_supported"];
        let told = algorithms
            .as_array()
            .is_some_and(|it| it.contains(&key["alg"]));
        ensure!(told, "expected {} among {algorithms}", key["alg"]);
    }
    Ok(())
}

async fn hosts_of_an_attacker(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let plain = metadata(&tested, &[]).await?;
    let forwarded = [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Original-URL", "https://evil.example/"),
        ("Forwarded", "host=evil.example"),
    ];
    let got = metadata(&tested, &forwarded).await?;
    ensure!(
        got == plain,
        "sent foreign forwarding headers, expected no change, got {got}"
    );
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        tested.set().metadata
    );
    let answer = wire::raw(tested.base_url(), request.as_bytes()).await?;
    if answer.status() == 200 {
        let got = answer.json()?;
        ensure!(
            got == plain,
            "sent a foreign Host, expected no change, got {got}"
        );
    }
    Ok(())
}

async fn odd_requests(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let plain = metadata(&tested, &[]).await?;
    let path = &tested.set().metadata;
    let answer = wire::request(tested.base_url(), "POST", path, &[], b"{}").await?;
    ensure!(
        answer.status() == 405,
        "sent a POST, expected 405, got {}",
        answer.status()
    );
    let odd = format!("{path}?issuer=https%3A%2F%2Fevil.example&&=");
    let answer = wire::request(tested.base_url(), "GET", &odd, &[], b"body").await?;
    let got = granted("an odd query and a body", &answer)?;
    ensure!(
        got == plain,
        "sent an odd query and a body, expected no change, got {got}"
    );
    Ok(())
}
