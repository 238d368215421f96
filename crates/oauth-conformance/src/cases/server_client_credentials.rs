//! E4: the client credentials grant.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::server::{CHALLENGE, Tested, granted, member, refused};
use crate::{
    Case, Context,
    Need::{Counterpart, Server},
    Outcome, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "SCC-01" [Counterpart, Server] => good_request,
    "SCC-02" [Counterpart, Server] => public_client,
    "SCC-03" [Counterpart, Server] => grant_not_enabled,
    "SCC-04" [Counterpart, Server] => no_scope,
    "SCC-05" [Counterpart, Server] => part_of_the_scope_not_allowed,
    "SCC-06" [Counterpart, Server] => subject,
    "SCC-07" [Counterpart, Server] => resources,
    "SCC-09" [Counterpart, Server] => many_requests,
};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

async fn good_request(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let tokens = tested
        .tokens_as(client, &[GRANT, ("scope", "read write")])
        .await?;
    let token = member(&tokens, "access_token")?;
    ensure!(
        !token.is_empty(),
        "expected an access token, got an empty text"
    );
    let kind = member(&tokens, "token_type")?;
    ensure!(
        kind.eq_ignore_ascii_case("Bearer"),
        "expected token_type Bearer, got {kind}"
    );
    ensure!(
        tokens["expires_in"].as_u64() > Some(0),
        "expected expires_in, got {}",
        tokens["expires_in"]
    );
    let mut scope: Vec<_> = member(&tokens, "scope")?.split(' ').collect();
    scope.sort_unstable();
    ensure!(
        scope == ["read", "write"],
        "asked for read write, expected both, got {scope:?}"
    );
    ensure!(
        tokens.get("refresh_token").is_none(),
        "expected no refresh token, got one"
    );
    ensure!(
        tested.is_active(token).await?,
        "introspected the token, expected active, got inactive"
    );
    Ok(())
}

async fn public_client(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let answer = tested.token_as(&tested.set().public, &[GRANT]).await?;
    refused(
        "a public client",
        &answer,
        &[400, 401],
        &["unauthorized_client", "invalid_client"],
    )
}

async fn grant_not_enabled(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let answer = tested.token_as(&tested.set().code_only, &[GRANT]).await?;
    refused(
        "a client without the grant",
        &answer,
        &[400],
        &["unauthorized_client"],
    )
}

async fn no_scope(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let answer = tested
        .token_as(&tested.set().confidential, &[GRANT])
        .await?;
    if answer.status() != 200 {
        return refused("no scope", &answer, &[400], &["invalid_scope"]);
    }
    let tokens = answer.json()?;
    let seen = tested.introspect(member(&tokens, "access_token")?).await?;
    let same = !tokens["scope"].is_null() && tokens["scope"] == seen["scope"];
    ensure!(
        same,
        "sent no scope, expected to be told the default, {}, got {}",
        seen["scope"],
        tokens["scope"]
    );
    Ok(())
}

async fn part_of_the_scope_not_allowed(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for scope in ["read write", "write", "read Read", "read nobody-has-this"] {
        let answer = tested
            .token_as(&tested.set().limited, &[GRANT, ("scope", scope)])
            .await?;
        refused(
            &format!("the scope {scope} where read is allowed"),
            &answer,
            &[400],
            &["invalid_scope"],
        )?;
    }
    Ok(())
}

pub(super) async fn subject(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let client = &set.confidential;
    let seen = tested
        .introspect(&tested.client_token(client).await?)
        .await?;
    let right = seen["sub"] == client.id && seen["client_id"] == client.id;
    ensure!(
        right,
        "expected sub and client_id to be {}, got {seen}",
        client.id
    );
    // A person named like a client must not get a token that looks like the client's.
    for (username, good) in [
        ("somebody", true),
        (client.id.as_str(), false),
        (&set.limited.id, false),
    ] {
        let wanted = json!({
            "client_id": client.id, "redirect_uri": set.redirect_uri, "username": username,
            "code_challenge": CHALLENGE, "code_challenge_method": "S256",
        });
        let code = tested.control().code(wanted).await;
        ensure!(
            good || code.is_err(),
            "minted a code for a person named {username}, a client's id, expected a refusal, got a code"
        );
        if good {
            let tokens = granted("a person's code", &tested.redeem(client, &code?).await?)?;
            let seen = tested.introspect(member(&tokens, "access_token")?).await?;
            ensure!(
                seen["sub"] == username,
                "expected sub to be {username}, got {seen}"
            );
        }
    }
    Ok(())
}

async fn resources(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let known = tested.set().resource.as_str();
    let (client, with_fragment) = (&tested.set().confidential, format!("{known}#part"));
    let (longer, upper) = (format!("{known}.evil.example"), known.to_uppercase());
    for resource in [
        "https://unknown.example",
        "/relative",
        "api",
        "?",
        &with_fragment,
        &longer,
        &upper,
    ] {
        let answer = tested
            .token_as(client, &[GRANT, ("resource", resource)])
            .await?;
        refused(
            &format!("the resource {resource}"),
            &answer,
            &[400],
            &["invalid_target"],
        )?;
    }
    let several = [
        GRANT,
        ("resource", known),
        ("resource", "https://unknown.example"),
    ];
    refused(
        "two resources",
        &tested.token_as(client, &several).await?,
        &[400],
        &["invalid_target"],
    )?;
    let tokens = tested
        .tokens_as(client, &[GRANT, ("resource", known)])
        .await?;
    let seen = tested.introspect(member(&tokens, "access_token")?).await?;
    let audience = &seen["aud"];
    ensure!(
        *audience == known || *audience == json!([known]),
        "asked for {known}, expected it as aud, got {audience}"
    );
    Ok(())
}

async fn many_requests(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    // Not all of them have a socket at the same moment: a machine allows a program some 250.
    let tokens: HashSet<String> = stream::iter(0..1000)
        .map(|_| tested.client_token(&tested.set().confidential))
        .buffer_unordered(64)
        .try_collect()
        .await?;
    ensure!(
        tokens.len() == 1000,
        "sent 1000 requests, expected as many distinct tokens, got {}",
        tokens.len()
    );
    Ok(())
}
