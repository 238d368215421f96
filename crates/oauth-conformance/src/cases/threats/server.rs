//! The server's half.

use crate::{
    Context, Outcome,
    cases::{
        server::{CLIENT_GRANT, Tested, refused, shown},
        server_authorize, server_dpop, server_origin, server_refresh,
    },
    ensure, wire,
};

/// Headers with which a proxy tells who the client is, sent by the client itself.
pub(super) async fn behind_a_proxy(cx: Context) -> Outcome {
    server_origin::forwarded_headers(cx.clone()).await?;
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let client = &set.confidential;
    for (name, value) in [
        ("X-SSL-Client-Verify", "SUCCESS"),
        ("X-SSL-Client-S-DN", "CN=svc"),
        ("X-Client-Cert", "CN=svc"),
        ("X-Forwarded-Client-Cert", "Subject=\"CN=svc\""),
        ("Client-Cert", ":MIIB:"),
        ("X-Forwarded-User", "svc"),
        ("X-Remote-User", "svc"),
    ] {
        let form = [CLIENT_GRANT, ("client_id", client.id.as_str())];
        let answer = tested.post(&set.token, &[(name, value)], &form).await?;
        refused(
            &format!("{name} in place of a secret"),
            &answer,
            &[400, 401],
            &["invalid_client"],
        )?;
    }
    Ok(())
}

/// What a browser keeps of a login: a code and nothing else, and no copy of the answer.
pub(super) async fn history(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let answer = server_authorize::ask(&tested, &server_authorize::good(&tested)).await?;
    let (_, parameters) = server_authorize::redirected("a good request", &answer)?;
    let mut names: Vec<_> = parameters.keys().map(String::as_str).collect();
    names.sort_unstable();
    ensure!(
        names == ["code", "iss", "state"],
        "sent a good request, expected code, iss and state in the redirect, got {names:?}"
    );
    let location = answer.header("location").unwrap_or_default();
    ensure!(
        !location.contains('#'),
        "sent a good request, expected a redirect without a fragment, got one"
    );
    // Without a word a redirect of this kind is kept by nobody (RFC 9110 §15.4.3).
    let kept = answer.header("cache-control").unwrap_or("no-store");
    ensure!(
        kept.contains("no-store"),
        "sent a good request, expected an answer that is not kept, got {}",
        shown(&answer)
    );
    // The page that says what went wrong must not be framed, and sends no address on.
    let faulty = format!("{}?client_id=nobody", tested.set().authorization);
    let page = wire::request(tested.base_url(), "GET", &faulty, &[], b"").await?;
    let framed = [
        page.header("x-frame-options")
            .is_some_and(|value| value.eq_ignore_ascii_case("deny")),
        page.header("content-security-policy")
            .is_some_and(|value| value.contains("frame-ancestors 'none'")),
    ];
    let html = page
        .header("content-type")
        .is_some_and(|value| value.contains("html"));
    ensure!(
        !html || framed.contains(&true),
        "sent an unknown client, expected a page that cannot be framed, got {}",
        shown(&page)
    );
    Ok(())
}

/// A thief uses it first, or the owner does: either way neither has it for long, and one that is
/// bound to a key is of no use without it.
pub(super) async fn stolen_refresh_token(cx: Context) -> Outcome {
    server_refresh::reuse(cx.clone()).await?;
    server_refresh::token_of_another_client(cx.clone()).await?;
    server_dpop::bound_refresh_token(cx).await
}

pub(super) async fn password_grant(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let own = cx.credentials();
    let password = oauth_core::secrecy::ExposeSecret::expose_secret(&own.password);
    let form = [
        ("grant_type", "password"),
        ("username", own.username.as_str()),
        ("password", password),
    ];
    for client in [&set.confidential, &set.public, &set.code_only] {
        refused(
            &format!("the password grant as {}", client.id),
            &tested.token_as(client, &form).await?,
            &[400],
            &["unsupported_grant_type", "unauthorized_client"],
        )?;
    }
    let metadata = wire::request(tested.base_url(), "GET", &set.metadata, &[], b"").await?;
    let grants = metadata.json()?["grant_types_supported"].clone();
    let listed = grants
        .as_array()
        .is_some_and(|grants| !grants.iter().any(|grant| grant == "password"));
    ensure!(
        listed,
        "asked for metadata, expected grant types without password, got {grants}"
    );
    Ok(())
}
