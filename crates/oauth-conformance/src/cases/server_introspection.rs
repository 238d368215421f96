//! E7: introspection.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::server::{Tested, basic, granted, is_json_not_stored, member, refused};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, ServerClient, cases, ensure, wire,
};

pub(super) const CASES: &[Case] = cases! {
    "SIN-01" [Counterpart, Server] => authentication,
    "SIN-02" [Counterpart, Server] => live_token,
    "SIN-03" [Counterpart, Server] => dead_tokens,
    "SIN-04" [Counterpart, Server] => caller_not_entitled,
    "SIN-05" [Counterpart, Server] => hints,
    "SIN-06" [Counterpart, Server] => token_missing_or_twice,
    "SIN-07" [Counterpart, Server] => get_or_query,
    "SIN-08" [Counterpart, Server] => claims_of_the_application,
    "SIN-09" [Counterpart, Server] => head_and_body,
    "SIN-10" [Counterpart, Server] => many_guesses,
    "SIN-11" [Counterpart, Server] => just_revoked,
    "SIN-12" [Counterpart, Server] => refresh_token,
};

async fn authentication(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let token = tested.client_token(&set.confidential).await?;
    let wrong = basic(&set.resource_server.id, "wrong");
    let form = [("token", token.as_str())];
    for headers in [
        vec![],
        vec![("Authorization", wrong.as_str())],
        vec![("Authorization", "Bearer unknown")],
    ] {
        let answer = tested.post(&set.introspection, &headers, &form).await?;
        refused(
            "an introspection with wrong or no credentials",
            &answer,
            &[401],
            &["invalid_client"],
        )?;
        ensure!(
            answer.header("www-authenticate").is_some(),
            "was answered 401, expected a challenge, got none"
        );
    }
    // An id alone proves nothing.
    let answer = tested
        .post_as(&set.introspection, &set.public, &form)
        .await?;
    refused(
        "an introspection by a public client",
        &answer,
        &[400, 401],
        &["invalid_client", "unauthorized_client"],
    )
}

async fn live_token(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let metadata =
        wire::request(tested.base_url(), "GET", &tested.set().metadata, &[], b"").await?;
    let issuer = granted("a request for metadata", &metadata)?["issuer"].clone();
    let (access, _) = tested.user_tokens(client).await?;
    let seen = tested.introspect(&access).await?;
    for (name, wanted) in [
        ("active", json!(true)),
        ("client_id", json!(client.id)),
        ("token_type", json!("Bearer")),
        ("iss", issuer),
        ("scope", json!("read write")),
    ] {
        ensure!(
            seen[name] == wanted,
            "introspected a live token, expected {name} to be {wanted}, got {}",
            seen[name]
        );
    }
    let times = seen["iat"].as_u64().zip(seen["exp"].as_u64());
    ensure!(
        times.is_some_and(|(iat, exp)| iat < exp),
        "introspected a live token, expected iat before exp, got {times:?}"
    );
    let subject = seen["sub"]
        .as_str()
        .is_some_and(|sub| !sub.is_empty() && sub != client.id);
    ensure!(
        subject,
        "introspected a person's token, expected the person as sub, got {}",
        seen["sub"]
    );
    Ok(())
}

async fn dead_tokens(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let (access, refresh) = tested.user_tokens(&set.confidential).await?;
    let revoked = tested.client_token(&set.confidential).await?;
    tested.revoke(&set.confidential, &revoked).await?;
    granted(
        "a good refresh",
        &tested.refresh(&set.confidential, &refresh).await?,
    )?;
    let code = tested.code(&set.confidential).await?;
    let expired = tested.client_token(&set.limited).await?;
    let longest = "x".repeat(60_000);
    let changed = format!("{access}x");
    let exactly = json!({"active": false});
    for (kind, token) in [
        ("unknown", "unknown"),
        ("cut", &access[..access.len() - 1]),
        ("longer", &changed),
        ("revoked", &revoked),
        ("consumed", &refresh),
        ("code as", &code),
        ("bogus", "\u{e4}\"'; --<>"),
        ("60 000 byte", &longest),
    ] {
        let seen = tested.introspect(token).await?;
        ensure!(
            seen == exactly,
            "introspected an {kind} token, expected {exactly}, got {seen}"
        );
    }
    tested.control().advance(366 * 24 * 3600).await?;
    let seen = tested.introspect(&expired).await?;
    ensure!(
        seen == exactly,
        "introspected an expired token, expected {exactly}, got {seen}"
    );
    // Beyond what any endpoint reads.
    let huge = tested
        .post_as(
            &set.introspection,
            &set.resource_server,
            &[("token", &"x".repeat(1 << 20))],
        )
        .await?;
    let right = huge.status() == 413 || huge.json()? == exactly;
    ensure!(
        right,
        "introspected a token of 1 MiB, expected inactive or 413, got {} {}",
        huge.status(),
        huge.text()
    );
    Ok(())
}

async fn caller_not_entitled(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let (access, refresh) = tested.user_tokens(&set.confidential).await?;
    let exactly = json!({"active": false});
    for token in [&access, &refresh] {
        let seen = tested.introspect_as(&set.limited, token).await?;
        ensure!(
            seen == exactly,
            "introspected another client's token, expected {exactly}, got {seen}"
        );
        let own = tested.introspect_as(&set.confidential, token).await?;
        ensure!(
            own["active"] == true,
            "introspected its own token, expected active, got {own}"
        );
    }
    // A resource server asks about a token for another one.
    let wanted = [
        ("grant_type", "client_credentials"),
        ("resource", set.resource.as_str()),
    ];
    let answer = tested.token_as(&set.confidential, &wanted).await?;
    let token = granted("a request with a resource", &answer)?;
    let token = member(&token, "access_token")?;
    let seen = tested
        .introspect_as(&set.other_resource_server, token)
        .await?;
    ensure!(
        seen == exactly,
        "introspected a token for another audience, expected {exactly}, got {seen}"
    );
    let seen = tested.introspect(token).await?;
    ensure!(
        seen["active"] == true,
        "introspected a token for its own audience, expected active, got {seen}"
    );
    Ok(())
}

async fn hints(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let (access, refresh) = tested.user_tokens(&set.confidential).await?;
    for hint in ["access_token", "refresh_token", "unknown", ""] {
        for token in [&access, &refresh] {
            let form = [("token", token.as_str()), ("token_type_hint", hint)];
            let answer = tested
                .post_as(&set.introspection, &set.confidential, &form)
                .await?;
            let seen = granted("an introspection with a hint", &answer)?;
            ensure!(
                seen["active"] == true,
                "sent token_type_hint={hint}, expected the token found, got {seen}"
            );
        }
    }
    Ok(())
}

async fn token_missing_or_twice(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let token = tested.client_token(&set.confidential).await?;
    let token = ("token", token.as_str());
    for form in [
        vec![],
        vec![("token", "")],
        vec![token, token],
        vec![token, ("token", "other")],
    ] {
        let answer = tested
            .post_as(&set.introspection, &set.resource_server, &form)
            .await?;
        refused(
            &format!("{} tokens", form.len()),
            &answer,
            &[400],
            &["invalid_request"],
        )?;
    }
    Ok(())
}

async fn get_or_query(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let token = tested.client_token(&set.confidential).await?;
    let basic = basic(&set.resource_server.id, &set.resource_server.secret);
    let headers = [
        ("Authorization", basic.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let (in_query, in_body) = (format!("?token={token}"), format!("token={token}"));
    for (method, query, body) in [
        ("GET", in_query.as_str(), ""),
        ("GET", "", in_body.as_str()),
        ("PUT", "", &in_body),
        ("POST", &in_query, ""),
        ("POST", &in_query, "token=other"),
    ] {
        let target = format!("{}{query}", set.introspection);
        let answer = wire::request(
            tested.base_url(),
            method,
            &target,
            &headers,
            body.as_bytes(),
        )
        .await?;
        refused(
            &format!("{method} with the query {}", query.replace(&token, "TOKEN")),
            &answer,
            &[400, 405],
            &["invalid_request"],
        )?;
    }
    Ok(())
}

async fn claims_of_the_application(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let (live, _) = tested.user_tokens(&set.confidential).await?;
    let dead = tested.client_token(&set.confidential).await?;
    tested.revoke(&set.confidential, &dead).await?;
    let before = tested.introspect(&live).await?;
    for active in [json!(false), json!(true), json!("true"), json!(null)] {
        let claims = json!({
            "active": active, "client_id": "another", "sub": "another", "scope": "admin", "exp": 1,
            "iat": 1, "iss": "https://evil.example", "aud": "another", "token_type": "N_A",
            "cnf": {"jkt": "another"}, "department": "7",
        });
        let switch = json!({ "introspection_claims": claims });
        tested.control().post("switches", &switch).await?;
        let mut seen = tested.introspect(&live).await?;
        let own = seen.as_object_mut().and_then(|it| it.remove("department"));
        ensure!(
            own == Some(json!("7")),
            "added a claim, expected it in the answer, got {own:?}"
        );
        ensure!(
            seen == before,
            "added claims with active={active}, expected the server's own kept, got {seen}"
        );
        let seen = tested.introspect(&dead).await?;
        ensure!(
            seen == json!({ "active": false }),
            "added claims with active={active}, expected a dead token to stay dead, got {seen}"
        );
    }
    Ok(())
}

/// At once, because so many are let through.
async fn many_guesses(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let live = tested.client_token(&set.confidential).await?;
    let ask = async |client: &ServerClient, token: &str| {
        let form = [("token", token)];
        tested.post_as(&set.introspection, client, &form).await
    };
    let mut limited = None;
    for round in 0..200 {
        let guesses: Vec<_> = (0..50)
            .map(|index| format!("guess-{round}-{index}"))
            .collect();
        let answers = guesses.iter().map(|guess| ask(&set.resource_server, guess));
        for answer in join_all(answers).await {
            let answer = answer?;
            match answer.status() {
                200 => ensure!(
                    answer.json()? == json!({ "active": false }),
                    "guessed a token, expected inactive, got {}",
                    answer.text()
                ),
                _ => limited = Some(answer),
            }
        }
        if limited.is_some() {
            break;
        }
    }
    let limited = limited.ok_or_else(|| {
        Failure::new("guessed 10 000 tokens within a minute, expected 429, got none")
    })?;
    ensure!(
        limited.status() == 429 && limited.header("retry-after").is_some(),
        "guessed many tokens, expected 429 and Retry-After, got {}",
        limited.status()
    );
    // Somebody may have brought a resource server all of them: live tokens are known all the same.
    let hit = granted("a live token", &ask(&set.resource_server, &live).await?)?;
    ensure!(
        hit["active"] == true,
        "asked about a live token after many guesses, expected active, got {hit}"
    );
    let guess = ask(&set.resource_server, "another-guess").await?;
    ensure!(
        guess.status() == 429,
        "guessed once more, expected 429, got {}",
        guess.status()
    );
    granted("another caller", &ask(&set.confidential, "guess").await?)?;
    tested.control().advance(61).await?;
    granted("a minute later", &ask(&set.resource_server, "guess").await?)?;
    let later = granted("a minute later", &ask(&set.resource_server, &live).await?)?;
    ensure!(
        later["active"] == true,
        "asked about a live token a minute later, expected active, got {later}"
    );
    Ok(())
}

async fn head_and_body(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let token = tested.client_token(&set.confidential).await?;
    for token in [token.as_str(), "planted-token"] {
        let answer = tested
            .post_as(
                &set.introspection,
                &set.resource_server,
                &[("token", token)],
            )
            .await?;
        granted("an introspection", &answer)?;
        is_json_not_stored("an introspection", &answer)?;
        ensure!(
            !answer.text().contains(token),
            "introspected a token, expected it not repeated, got it back"
        );
    }
    Ok(())
}

/// One node: a store for several brings a test of its own.
async fn just_revoked(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    for _ in 0..20 {
        let token = tested.client_token(client).await?;
        ensure!(
            tested.is_active(&token).await?,
            "asked about a new token, expected active, got inactive"
        );
        tested.revoke(client, &token).await?;
        tested.all_dead("its revocation", &[&token]).await?;
    }
    Ok(())
}

async fn refresh_token(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let (access, refresh) = tested.user_tokens(client).await?;
    let seen = tested.introspect_as(client, &refresh).await?;
    let kind = seen.get("token_type").and_then(Value::as_str);
    ensure!(
        kind != Some("Bearer"),
        "introspected a refresh token, expected no Bearer, got {seen}"
    );
    let seen = tested.introspect_as(client, &access).await?;
    ensure!(
        member(&seen, "token_type")? == "Bearer",
        "introspected an access token, expected Bearer, got {seen}"
    );
    Ok(())
}
