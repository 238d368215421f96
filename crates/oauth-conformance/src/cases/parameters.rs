//! A5: resource indicators, and what extra parameters may be.

use std::collections::BTreeMap;

use oauth_core::{
    Capability::{self, AuthorizationCode},
    Error, ErrorKind, TokenSet,
    grant::{self, Extension},
};

use crate::{
    Case, Context,
    Need::{AnyGrant, FormRequests},
    Outcome, Received, ScriptedServer, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "REQ-70" [AnyGrant] => resource,
    "REQ-80" [AnyGrant] => protocol_names,
    "REQ-81" [AnyGrant] => a_parameter_twice,
    "REQ-82" [AnyGrant] => any_text,
};

/// That a call was refused by the client itself, and that the server saw nothing of it.
fn refused(
    server: &ScriptedServer,
    seen: usize,
    gave: &str,
    result: &Result<TokenSet, Error>,
) -> Outcome {
    match result {
        Err(error) if error.kind() == ErrorKind::Usage => {}
        other => ensure!(false, "gave {gave}, expected a usage error, got {other:?}"),
    }
    let sent = server.received().len() - seen;
    ensure!(sent == 0, "gave {gave}, expected no request, got {sent}");
    Ok(())
}

/// The values of a parameter of the last request, in order.
fn last(server: &ScriptedServer, name: &str) -> Vec<String> {
    let params = server
        .received()
        .last()
        .map(Received::params)
        .unwrap_or_default();
    params
        .into_iter()
        .filter(|(have, _)| have == name)
        .map(|(_, value)| value)
        .collect()
}

async fn resource(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx.client(server.base_url())?;
    let grant = cx.grant(&client);
    let one = "https://api.example.com/a?b=c&d";
    client.exchange(&*grant).resource(one).await?;
    let got = last(&server, "resource");
    ensure!(
        got == [one],
        "gave the resource {one}, expected it unchanged, got {got:?}"
    );

    let two = client
        .exchange(&*grant)
        .resource(one)
        .resource("urn:example:b")
        .await;
    if cx.target().lacks().contains(&FormRequests) {
        // A JSON object has no room for a name twice.
        refused(&server, 1, "two resources for a JSON body", &two)?;
    } else {
        two?;
        let got = last(&server, "resource");
        ensure!(
            got == [one, "urn:example:b"],
            "gave two resources, expected one parameter each, got {got:?}"
        );
    }
    let seen = server.received().len();
    for bad in [
        "",
        "/relative",
        "api.example.com",
        "https://api.example.com/#part",
        "urn:x#",
    ] {
        let result = client.exchange(&*grant).resource(bad).await;
        refused(&server, seen, &format!("the resource {bad:?}"), &result)?;
    }
    Ok(())
}

async fn protocol_names(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx.client(server.base_url())?;
    for name in [
        "grant_type",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "assertion",
        "code",
        "code_verifier",
        "device_code",
        "password",
        "redirect_uri",
        "refresh_token",
        "scope",
        "username",
    ] {
        let result = client.exchange(&*cx.grant(&client)).param(name, "x").await;
        refused(&server, 0, &format!("the extra parameter {name}"), &result)?;
    }
    for name in ["grant_type", "client_id", "client_secret"] {
        let extension = Extension::new("urn:example:grant").with_param(name, "x");
        let result = client.exchange(&extension).await;
        refused(
            &server,
            0,
            &format!("an extension grant with {name}"),
            &result,
        )?;
    }
    if client.provider().capabilities().contains(AuthorizationCode) {
        for name in [
            "response_type",
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "code_challenge",
        ] {
            let result = client
                .authorization_request("https://app.example.com/cb")
                .param(name, "x")
                .build();
            ensure!(
                result
                    .as_ref()
                    .is_err_and(|error| error.kind() == ErrorKind::Usage),
                "gave the extra authorization parameter {name}, expected a usage error, got {result:?}"
            );
        }
    }
    Ok(())
}

async fn a_parameter_twice(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx.client(server.base_url())?;
    let grant = cx.grant(&client);
    for second in ["one", "two"] {
        let result = client
            .exchange(&*grant)
            .param("prompt", "one")
            .param("prompt", second)
            .await;
        refused(&server, 0, "the parameter prompt twice", &result)?;
    }
    let extension = Extension::new("urn:example:grant")
        .with_param("a", "1")
        .with_param("a", "2");
    refused(
        &server,
        0,
        "an extension grant with a twice",
        &client.exchange(&extension).await,
    )?;
    if !cx.target().lacks().contains(&FormRequests) {
        client
            .exchange(&*grant)
            .param("audience", "one")
            .param("audience", "two")
            .await?;
        let got = last(&server, "audience");
        ensure!(
            got == ["one", "two"],
            "gave audience twice, expected both, got {got:?}"
        );
    }

    // What the client puts together itself has no name twice either; bodies are read as text, as
    // a JSON reader would hide one of two.
    let can = |capability| client.provider().capabilities().contains(capability);
    let own = cx.credentials();
    client.exchange(&*grant).await?;
    if can(Capability::RefreshToken) {
        let token = oauth_core::RefreshToken::new("a-refresh-token")?;
        let refresh = grant::RefreshToken::new(token).with_granted_scopes(own.scopes.clone());
        client.exchange(&refresh).await?;
    }
    if can(Capability::Password) {
        client
            .exchange(&grant::Password::new(own.username, own.password))
            .await?;
    }
    if can(Capability::DeviceCode) {
        let device = grant::DeviceCode::new("a-device-code").with_requested_scopes(own.scopes);
        client.exchange(&device).await?;
    }
    for request in server.received() {
        let body = request.body();
        for name in [
            "grant_type",
            "client_id",
            "client_secret",
            "scope",
            "scopes",
            "refresh_token",
        ] {
            let form = body
                .split('&')
                .filter(|pair| pair.split('=').next() == Some(name))
                .count();
            let json = body.matches(&format!("\"{name}\":")).count();
            ensure!(
                form <= 1 && json <= 1,
                "expected {name} once at most, got it twice"
            );
        }
    }
    Ok(())
}

/// Texts of every kind of character, always the same ones.
fn texts() -> impl Iterator<Item = String> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        // xorshift64
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    std::iter::repeat_with(move || {
        let length = next() % 12;
        (0..length)
            .filter_map(|_| {
                let drawn = next();
                // Half of them from where encodings go wrong: the first 256.
                let range = if drawn & 1 == 0 { 0x100 } else { 0x11_0000 };
                char::from_u32(u32::try_from((drawn >> 8) % range).ok()?)
            })
            .collect()
    })
}

async fn any_text(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx.client(server.base_url())?;
    let nasty = [
        "\0",
        "\r\n",
        "a\r\nb: c",
        "&",
        "=",
        "+",
        " ",
        "%",
        "%00",
        "%zz",
        "\u{feff}",
        "\u{10ffff}",
        "e\u{301}",
        "🏳️‍🌈",
        "\"",
        "\\",
        "</script>",
        "a=b&c=d",
        "\u{7f}",
        "\u{2028}",
    ];
    let mut texts = texts();
    for round in 0..10 {
        let mut expected: BTreeMap<String, String> = BTreeMap::new();
        for text in nasty {
            expected.insert(format!("{round}{text}"), texts.next().unwrap_or_default());
            expected.insert(texts.next().unwrap_or_default() + "-", text.to_owned());
        }
        let grant = cx.grant(&client);
        let mut exchange = client.exchange(&*grant);
        for (name, value) in &expected {
            exchange = exchange.param(name, value);
        }
        exchange.await?;
        let params = server
            .received()
            .last()
            .map(Received::params)
            .unwrap_or_default();
        for (name, value) in &expected {
            let got: Vec<_> = params
                .iter()
                .filter(|(have, _)| have == name)
                .map(|(_, value)| value)
                .collect();
            ensure!(
                got == [value],
                "gave {name:?}={value:?}, expected it unchanged, got {got:?}"
            );
        }
    }
    Ok(())
}
