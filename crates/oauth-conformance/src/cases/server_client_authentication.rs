//! E2: how a server authenticates clients.

use serde_json::json;

use super::server::{
    CLIENT_GRANT as GRANT, Tested, basic, granted, has_challenge, member, raw_basic, refused,
    visible, with_body, with_header,
};
use crate::{
    Case, Context,
    Need::{Counterpart, Server},
    Outcome, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "SCA-01" [Counterpart, Server] => encoded_halves,
    "SCA-02" [Counterpart, Server] => wrong_secret_in_basic,
    "SCA-03" [Counterpart, Server] => wrong_secret_in_the_body,
    "SCA-05" [Counterpart, Server] => malformed_headers,
    "SCA-06" [Counterpart, Server] => case_of_the_scheme,
    "SCA-07" [Counterpart, Server] => two_mechanisms,
    "SCA-08" [Counterpart, Server] => client_id_beside_basic,
    "SCA-09" [Counterpart, Server] => clients_of_the_other_kind,
    "SCA-10" [Counterpart, Server] => other_method,
    "SCA-14" [Counterpart, Server] => two_secrets,
    "SCA-17" [Counterpart, Server] => disabled_client,
};

const CLIENT: &[&str] = &["invalid_client"];

async fn encoded_halves(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let odd = &tested.set().odd;
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let (id, secret) = (encode(&odd.id), encode(&odd.secret));
    ensure!(
        id != odd.id && secret != odd.secret,
        "expected a client whose id and secret encoding changes"
    );
    let lower = |text: &str| {
        text.replace("%2B", "%2b")
            .replace("%3A", "%3a")
            .replace("%C3%B6", "%c3%b6")
    };
    for credentials in [
        format!("{id}:{secret}"),
        format!("{}:{}", lower(&id), lower(&secret)),
        format!("{id}:{}", secret.replace('+', "%20")),
    ] {
        let answer = with_header(&tested, &raw_basic(&credentials)).await?;
        let tokens = granted(&format!("Basic of {credentials}"), &answer)?;
        let seen = tested.introspect(member(&tokens, "access_token")?).await?;
        ensure!(
            seen["client_id"] == odd.id,
            "sent the client {}, expected its token, got {seen}",
            odd.id
        );
    }
    // The first colon parts the halves, so a decoded one must not.
    let answer = with_header(&tested, &raw_basic(&format!("{}:{secret}", odd.id))).await?;
    refused("an id with a bare colon", &answer, &[401], CLIENT)
}

async fn wrong_secret_in_basic(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let answer = with_header(&tested, &basic(&tested.set().confidential.id, "wrong")).await?;
    refused("a wrong secret in Basic", &answer, &[401], CLIENT)?;
    has_challenge("a wrong secret in Basic", &answer)
}

async fn wrong_secret_in_the_body(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let answer = with_body(&tested, &tested.set().confidential.id, "wrong").await?;
    refused("a wrong secret in the body", &answer, &[400, 401], CLIENT)?;
    match answer.status() {
        401 => has_challenge("a wrong secret in the body", &answer),
        _ => Ok(()),
    }
}

async fn malformed_headers(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let good = basic(&client.id, &client.secret);
    let token = good.trim_start_matches("Basic ");
    let colonless = raw_basic(&client.id);
    for header in [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic ====",
        "Basic \u{e4}",
        &colonless,
        &raw_basic(":"),
        &raw_basic(&format!(":{}", client.secret)),
        &raw_basic(&format!("{}:", client.id)),
        &raw_basic(&format!("{}%zz:{}", client.id, client.secret)),
        &format!("{good}="),
        &format!("{good}junk"),
        &format!("{good} junk"),
        &format!("{good}, {good}"),
        &format!("Bearer {token}"),
        &format!("Digest {token}"),
        &format!("Basic:{token}"),
        &format!("Basic{token}"),
        token,
        &format!("{good}\r\nAuthorization: {good}"),
    ] {
        let answer = with_header(&tested, header).await?;
        let sent = format!("Authorization: {}", header.replace(token, "CREDENTIALS"));
        refused(
            &sent,
            &answer,
            &[400, 401],
            &["invalid_client", "invalid_request"],
        )?;
    }
    granted("a good header", &with_header(&tested, &good).await?).map(|_| ())
}

async fn case_of_the_scheme(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    for scheme in ["basic", "BASIC", "bAsIc"] {
        let header = basic(&client.id, &client.secret).replace("Basic", scheme);
        granted(
            &format!("the scheme {scheme}"),
            &with_header(&tested, &header).await?,
        )?;
    }
    Ok(())
}

async fn two_mechanisms(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let header = basic(&client.id, &client.secret);
    let (id, secret) = (
        ("client_id", client.id.as_str()),
        ("client_secret", client.secret.as_str()),
    );
    let kind = (
        "client_assertion_type",
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    );
    let assertion = ("client_assertion", "a.b.c");
    for (sent, header, form) in [
        (
            "Basic and both in the body",
            Some(&header),
            vec![GRANT, id, secret],
        ),
        (
            "Basic and a secret in the body",
            Some(&header),
            vec![GRANT, secret],
        ),
        (
            "Basic and an assertion",
            Some(&header),
            vec![GRANT, kind, assertion],
        ),
        (
            "a secret in the body and an assertion",
            None,
            vec![GRANT, id, secret, kind, assertion],
        ),
    ] {
        let headers: Vec<_> = header
            .iter()
            .map(|value| ("Authorization", value.as_str()))
            .collect();
        let answer = tested.post(&tested.set().token, &headers, &form).await?;
        refused(sent, &answer, &[400], &["invalid_request"])?;
    }
    Ok(())
}

async fn client_id_beside_basic(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let other = &tested.set().limited.id;
    granted(
        "the same client_id",
        &tested
            .token_as(client, &[GRANT, ("client_id", &client.id)])
            .await?,
    )?;
    for id in [other.as_str(), "nobody-knows-it", &client.id.to_uppercase()] {
        let answer = tested.token_as(client, &[GRANT, ("client_id", id)]).await?;
        refused(
            "another client_id beside Basic",
            &answer,
            &[400],
            &["invalid_request"],
        )?;
    }
    Ok(())
}

async fn clients_of_the_other_kind(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let (_, refresh) = tested.user_tokens(&set.public).await?;
    let grant = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    let header = basic(&set.public.id, "secret");
    let answer = tested
        .post(&set.token, &[("Authorization", &header)], &grant)
        .await?;
    refused(
        "a public client with a secret in Basic",
        &answer,
        &[400, 401],
        CLIENT,
    )?;
    let form = [
        &grant[..],
        &[("client_id", &set.public.id), ("client_secret", "secret")],
    ]
    .concat();
    let answer = tested.post(&set.token, &[], &form).await?;
    refused(
        "a public client with a secret in the body",
        &answer,
        &[400, 401],
        CLIENT,
    )?;
    for client in [&set.confidential, &set.limited] {
        let answer = tested
            .post(&set.token, &[], &[GRANT, ("client_id", &client.id)])
            .await?;
        refused(
            "a confidential client without a secret",
            &answer,
            &[400, 401],
            CLIENT,
        )?;
    }
    let answer = tested.post(&set.token, &[], &[GRANT]).await?;
    refused("no client at all", &answer, &[400, 401], CLIENT)?;
    granted(
        "the public client as it should be",
        &tested.refresh(&set.public, &refresh).await?,
    )
    .map(|_| ())
}

async fn other_method(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().basic_only;
    let registered = basic(&client.id, &client.secret);
    granted(
        "the registered method, Basic",
        &with_header(&tested, &registered).await?,
    )?;
    let right = with_body(&tested, &client.id, &client.secret).await?;
    let sent = "the right secret in the body, of a client registered for Basic";
    refused(sent, &right, &[400, 401], CLIENT)?;
    let wrong = with_body(&tested, &client.id, "wrong").await?;
    ensure!(
        visible(&right) == visible(&wrong),
        "sent {sent}, expected the answer of a wrong one, got {}",
        right.text()
    );
    // It is the registration that refuses the body, not the server.
    let other = &tested.set().confidential;
    granted(
        "the secret in the body, of a client registered for no method",
        &with_body(&tested, &other.id, &other.secret).await?,
    )
    .map(|_| ())
}

async fn two_secrets(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let rotating = &tested.set().rotating;
    let old = &tested.set().old_secret;
    for secret in [&rotating.secret, old] {
        granted(
            "one of two valid secrets",
            &with_header(&tested, &basic(&rotating.id, secret)).await?,
        )?;
    }
    tested
        .control()
        .advance(tested.set().old_secret_seconds)
        .await?;
    let expired = with_header(&tested, &basic(&rotating.id, old)).await?;
    refused("a secret after its end", &expired, &[401], CLIENT)?;
    has_challenge("a secret after its end", &expired)?;
    granted(
        "the new secret",
        &with_header(&tested, &basic(&rotating.id, &rotating.secret)).await?,
    )
    .map(|_| ())
}

async fn disabled_client(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let wrong = visible(&with_header(&tested, &basic(&set.disabled.id, "wrong")).await?);
    let right = visible(&tested.token_as(&set.disabled, &[GRANT]).await?);
    ensure!(
        wrong == right,
        "sent the right secret of a disabled client, expected the answer of a wrong one, got {} {}",
        right.0,
        right.2
    );
    let (access, refresh) = tested.user_tokens(&set.confidential).await?;
    ensure!(
        tested.is_active(&access).await?,
        "asked about a new token, expected active, got inactive"
    );
    tested
        .control()
        .post(
            "clients",
            &json!({"client_id": set.confidential.id, "disabled": true}),
        )
        .await?;
    tested
        .all_dead("its client was disabled", &[&access, &refresh])
        .await?;
    let answer = tested.refresh(&set.confidential, &refresh).await?;
    refused(
        "the right secret of a client disabled since",
        &answer,
        &[401],
        CLIENT,
    )
}
