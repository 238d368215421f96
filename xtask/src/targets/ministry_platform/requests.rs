//! Rows about where requests go and what they carry.

use std::time::Duration;

use ::ministry_platform::{
    Authentication, Credentials, ErrorKind, MinistryPlatform, SCOPE_ALL, oauth_core::Token,
};
use http::header;
use oauth_conformance::{Case, Context, Need, Outcome, Received, cases, ensure, wire};
use oauth_core::{AccessToken, ClientAuthMethod, Provider};

use super::{
    TOKEN, builder, came, client, complete, failed, fails, gate::Gate, message, oauth_error, order,
    refused, row, table, token,
};

pub(super) const CASES: &[Case] = cases! {
    "MP-01" [] => base_urls,
    "MP-12" [] => password_grant,
    "MP-13" [Need::Counterpart] => scope_that_looks_like_a_url,
    "MP-20" [Need::Counterpart] => secrets_of_any_characters,
    "MP-21" [] => no_empty_bearer,
};

/// People have the base URL as a host, as the API's address, or as an address that is retired.
async fn base_urls(cx: Context) -> Outcome {
    for form in ["", "/", "/ministryplatformapi", "/ministryplatformapi/"] {
        let server = cx.scripted([token("t")]).await?;
        let base_url = format!("{}{form}", server.base_url());
        let church = client(&cx, &base_url)?;
        church.authenticate().await.map_err(failed)?;
        let paths: Vec<_> = server
            .received()
            .iter()
            .map(|got| got.path().to_owned())
            .collect();
        came(&format!("a token of HOST{form}"), &paths, &[TOKEN])?;
    }
    for host in [
        "my.church.org",
        "my.church.org/ministryplatformapi",
        "https://my.church.org/",
    ] {
        let platform = MinistryPlatform::new(host).map_err(failed)?;
        let got = platform.endpoints().token().as_str().to_owned();
        let expected = format!("https://my.church.org{TOKEN}");
        ensure!(got == expected, "{host}: expected {expected}, got {got}");
    }
    for (retired, hint) in [
        ("https://my.church.org/ministryplatform", "retired"),
        ("https://my.church.org/ministryplatform/oauth", "retired"),
        (
            "https://my.church.org/MinistryPlatform/oauth/token/",
            "retired",
        ),
        ("my.church.org/ministryplatform/oauth", "retired"),
        ("https://my.church.org/oauth", "another path"),
        ("https://my.church.org/ministryplatformapi?x=1", "query"),
        ("http://my.church.org", "https"),
        ("http://my.church.org/ministryplatformapi", "https"),
        ("ftp://my.church.org", "https"),
        ("", ""),
    ] {
        let error = fails(retired, client_at(&cx, retired), ErrorKind::Usage)?;
        let said = match error.core() {
            Some(core) => format!("{error}: {core}"),
            None => error.to_string(),
        };
        let wanted = if hint == "https" {
            hint
        } else {
            "/ministryplatformapi"
        };
        ensure!(
            said.contains(hint) && (hint.is_empty() || said.contains(wanted)),
            "{retired:?}: expected an error with {hint:?} and {wanted:?}, got {said}"
        );
    }
    Ok(())
}

fn client_at(cx: &Context, base_url: &str) -> Result<Authentication, ::ministry_platform::Error> {
    builder(cx, base_url).build()
}

/// User name, password and client in one body. The user is there only for who names one, another
/// login is not kept, and a renewal does without the password.
async fn password_grant(cx: Context) -> Outcome {
    // The order of the members is free; these are those that other clients send.
    let expected = [
        "client_id=demo",
        "client_secret=demo-secret",
        "grant_type=password",
        "password=p%26w%3D%C3%A4%2B+%25",
        "scope=http%3A%2F%2Fwww.thinkministry.com%2Fdataplatform%2Fscopes%2Fall+openid",
        "username=a+user%40church.org",
    ];
    let server = cx.scripted([token("t")]).await?;
    let church = client(&cx, server.base_url())?;
    let login = || Credentials::new("a user@church.org", "p&w=ä+ %");
    for _ in 0..2 {
        church.authenticate_with(&login()).await.map_err(failed)?;
    }
    let received = server.received();
    came(
        "the same login twice",
        &order(&received),
        &["password", "password"],
    )?;
    for got in &received {
        let body = got.body();
        let mut members: Vec<_> = body.split('&').collect();
        members.sort_unstable();
        ensure!(
            members == expected,
            "a login: expected the members {expected:?}, got {members:?}"
        );
        let kind = got.header("content-type");
        ensure!(
            (got.method(), got.target(), kind)
                == ("POST", TOKEN, Some("application/x-www-form-urlencoded"))
                && got.count("authorization") == 0,
            "a login: expected a form without Authorization, got {}",
            got.whole()
        );
    }
    let shown = format!("{church:?} {:?}", login());
    ensure!(
        !shown.contains("p&w") && !shown.contains("demo-secret"),
        "a login, printed: expected no secret, got {shown}"
    );

    let nobody = Authentication::builder(server.base_url())
        .client_id("demo")
        .client_secret("demo-secret");
    fails("no user was named", nobody.build(), ErrorKind::Usage)?;

    let with_refresh = cx.token_reply_with("refresh_token", "r".into());
    let server = cx.scripted([with_refresh]).await?;
    let church = builder(&cx, server.base_url())
        .offline_access(true)
        .build()
        .map_err(failed)?;
    church.authenticate().await.map_err(failed)?;
    cx.clock().advance(Duration::from_secs(3600));
    church.authenticate().await.map_err(failed)?;
    let received = server.received();
    came(
        "a token, and one an hour later",
        &order(&received),
        &["password", "refresh_token"],
    )?;
    let renewal = received.last().map(Received::params).unwrap_or_default();
    ensure!(
        !renewal
            .iter()
            .any(|(name, _)| name == "username" || name == "password"),
        "a renewal: expected neither user name nor password, got {renewal:?}"
    );
    Ok(())
}

/// The one scope is an identifier: it goes out as it is, nobody opens it, and that it begins with
/// `http:` is nobody's business.
async fn scope_that_looks_like_a_url(cx: Context) -> Outcome {
    let scope = "http%3A%2F%2Fwww.thinkministry.com%2Fdataplatform%2Fscopes%2Fall";
    let server = cx.scripted([token("u"), row("c", "s"), token("t")]).await?;
    let gate = Gate::open(cx.transport());
    let church = builder(&cx, server.base_url())
        .transport(gate.clone())
        .build()
        .map_err(failed)?;
    church.authenticate_client("c").await.map_err(failed)?;
    let received = server.received();
    for (at, expected) in [
        (0, format!("scope={scope}+openid")),
        (2, format!("scope={scope}")),
    ] {
        let body = received.get(at).map(Received::body).unwrap_or_default();
        ensure!(
            body.split('&').any(|member| member == expected),
            "request {at}: expected {expected}, got {body}"
        );
    }
    let (hosts, own) = (gate.hosts(), wire::host(server.base_url()));
    ensure!(
        hosts.len() == 3 && hosts.iter().all(|host| host == own),
        "a client's token: expected three requests, all to {own}, got {hosts:?}"
    );

    let counterpart = cx.counterpart().await?;
    let church = client(&cx, counterpart.base_url())?;
    let token = church.authenticate().await.map_err(failed)?;
    let granted = token.scopes().to_string();
    ensure!(
        granted == format!("{SCOPE_ALL} openid"),
        "a token: expected the scopes {SCOPE_ALL} openid, got {granted}"
    );
    Ok(())
}

/// Secrets hold whatever their makers liked. In the body they are encoded once; Basic, which
/// Ministry Platform reads as it stands, is for who asks for it.
async fn secrets_of_any_characters(cx: Context) -> Outcome {
    const SECRET: &str = "a&b=c;^~()/$%+ ";
    const ENCODED: &str = "client_secret=a%26b%3Dc%3B%5E%7E%28%29%2F%24%25%2B+";
    // `awkward:` and the secret, as it is and form-encoded.
    const RAW: &str = "Basic YXdrd2FyZDphJmI9YztefigpLyQlKyA=";
    const FORM: &str = "Basic YXdrd2FyZDphJTI2YiUzRGMlM0IlNUUlN0UlMjglMjklMkYlMjQlMjUlMkIr";

    let counterpart = cx.counterpart().await?;
    for (method, basic) in [
        (None, None),
        (Some(ClientAuthMethod::BasicRaw), Some(RAW)),
        (Some(ClientAuthMethod::Basic), Some(FORM)),
    ] {
        let sent = format!("the secret by {method:?}");
        let church = |base_url: &str| {
            let mut platform = MinistryPlatform::new(base_url).map_err(failed)?;
            if let Some(method) = method {
                platform = platform.with_client_authentication(method);
            }
            let builder = complete(&cx, Authentication::builder_for(platform));
            builder
                .client_id("awkward")
                .client_secret(SECRET)
                .build()
                .map_err(failed)
        };
        let server = cx.scripted([token("t")]).await?;
        church(server.base_url())?
            .authenticate()
            .await
            .map_err(failed)?;
        for got in server.received() {
            let body = got.body();
            let in_body: Vec<_> = body
                .split('&')
                .filter(|member| member.starts_with("client_secret="))
                .collect();
            let expected: &[&str] = if basic.is_none() { &[ENCODED] } else { &[] };
            ensure!(
                in_body == expected && got.header("authorization") == basic,
                "{sent}: expected {expected:?} in the body and Authorization {basic:?}, got {}",
                got.whole()
            );
        }
        church(counterpart.base_url())?
            .authenticate()
            .await
            .map_err(failed)?;
    }
    // The secret of a row takes the same way.
    let church = client(&cx, counterpart.base_url())?;
    church
        .authenticate_client("awkward")
        .await
        .map_err(failed)?;
    Ok(())
}

/// Other clients ask with `Bearer` and nothing after it while they have no token.
async fn no_empty_bearer(cx: Context) -> Outcome {
    for (sent, answer) in [
        ("an empty token", cx.token_reply("")),
        ("a blank token", cx.token_reply(" ")),
        ("no token", cx.token_reply_without("access_token")),
        ("a refusal", oauth_error("invalid_grant")),
        ("a failure", message(500, "An error has occurred.")),
    ] {
        let server = cx.scripted([answer]).await?;
        let church = client(&cx, server.base_url())?;
        let table = table("Contacts")?;
        let rows = church.api().get_records(&table, &Default::default()).await;
        refused(sent, rows)?;
        refused(sent, church.authenticate_client("c").await)?;
        let received = server.received();
        let logins = order(&received).iter().all(|name| name == "password");
        ensure!(
            logins && received.iter().all(|got| got.count("authorization") == 0),
            "{sent}: expected logins alone, got {:?}",
            order(&received)
        );
    }
    let server = cx.scripted([token("t")]).await?;
    let church = client(&cx, server.base_url())?;
    let blank = AccessToken::new(" ")?;
    fails(
        "is a blank valid",
        church.valid_token(&blank).await,
        ErrorKind::Usage,
    )?;
    fails(
        "whose is a blank",
        church.userinfo(&blank).await,
        ErrorKind::Usage,
    )?;
    came("a blank token", &order(&server.received()), &[])?;
    ensure!(
        AccessToken::new("").is_err(),
        "an empty access token: expected no such value, got one"
    );
    let mut headers = http::HeaderMap::new();
    let allowed = church
        .platform()
        .authorize_request(&blank, &mut headers)
        .is_ok();
    ensure!(
        !allowed && headers.get(header::AUTHORIZATION).is_none(),
        "a blank token in a header: expected none, got {headers:?}"
    );
    Ok(())
}
