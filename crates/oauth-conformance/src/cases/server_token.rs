//! E1: what the token endpoint takes, whatever the grant.

use super::server::{Tested, basic, granted, refused, shown};
use crate::{
    Case, Context,
    Need::{Counterpart, Server},
    Outcome, cases, ensure, wire,
};

pub(super) const CASES: &[Case] = cases! {
    "STK-01" [Counterpart, Server] => other_methods,
    "STK-02" [Counterpart, Server] => parameters_in_the_query,
    "STK-03" [Counterpart, Server] => other_content_types,
    "STK-04" [Counterpart, Server] => form_with_a_charset,
    "STK-05" [Counterpart, Server] => repeated_parameters,
    "STK-06" [Counterpart, Server] => unknown_parameters,
    "STK-07" [Counterpart, Server] => parameters_without_a_value,
    "STK-08" [Counterpart, Server] => grant_types,
};

const FORM: &str = "application/x-www-form-urlencoded";

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

async fn other_methods(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let basic = basic(&client.id, &client.secret);
    let headers = [("Authorization", basic.as_str()), ("Content-Type", FORM)];
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        let body: &[u8] = b"grant_type=client_credentials";
        let path = &tested.set().token;
        let answer = wire::request(tested.base_url(), method, path, &headers, body).await?;
        let status = answer.status();
        ensure!(
            matches!(status, 400 | 405),
            "sent {method}, expected 405 or 400, got {status}"
        );
        let allow = answer.header("allow");
        let names_post = allow.is_some_and(|allow| allow.contains("POST"));
        ensure!(
            status == 400 || names_post,
            "sent {method}, expected Allow: POST, got {allow:?}"
        );
        if method != "HEAD" {
            refused(method, &answer, &[400, 405], &["invalid_request"])?;
        }
    }
    tested.still_serves().await
}

async fn parameters_in_the_query(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    let credentials = format!("client_id={id}&client_secret={secret}");
    for (query, form) in [
        (
            "grant_type=client_credentials".to_owned(),
            vec![("client_id", id), ("client_secret", secret)],
        ),
        (credentials, vec![GRANT]),
        (
            "scope=read".to_owned(),
            vec![GRANT, ("client_id", id), ("client_secret", secret)],
        ),
        (
            "unknown=1".to_owned(),
            vec![GRANT, ("client_id", id), ("client_secret", secret)],
        ),
    ] {
        let answer = tested
            .post(&format!("{}?{query}", tested.set().token), &[], &form)
            .await?;
        let name = query.split('=').next().unwrap_or_default();
        refused(
            &format!("{name} in the query"),
            &answer,
            &[400],
            &["invalid_request"],
        )?;
    }
    Ok(())
}

async fn other_content_types(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let form = "grant_type=client_credentials";
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--x--\r\n";
    for (content_type, body) in [
        (
            Some("application/json"),
            r#"{"grant_type":"client_credentials"}"#,
        ),
        (Some("application/json"), form),
        (Some("multipart/form-data; boundary=x"), multipart),
        (Some("text/plain"), form),
        (Some("application/x-www-form-urlencodedx"), form),
        (None, form),
    ] {
        let answer = tested.token_body(content_type, body.as_bytes()).await?;
        refused(
            &format!("Content-Type {content_type:?}"),
            &answer,
            &[400, 415],
            &["invalid_request"],
        )?;
    }
    Ok(())
}

async fn form_with_a_charset(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for content_type in [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "application/x-www-form-urlencoded;charset=utf-8",
        "application/x-www-form-urlencoded ; Charset=\"utf-8\"",
        "Application/X-WWW-Form-URLEncoded",
    ] {
        let answer = tested
            .token_body(Some(content_type), b"grant_type=client_credentials")
            .await?;
        granted(content_type, &answer)?;
    }
    Ok(())
}

async fn repeated_parameters(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let resource = tested.set().resource.as_str();
    for (name, first, second) in [
        ("grant_type", "client_credentials", "client_credentials"),
        ("grant_type", "client_credentials", "refresh_token"),
        ("scope", "read", "read"),
        ("scope", "read", "write"),
        ("client_id", &client.id, &client.id),
        ("unknown", "1", "1"),
        ("unknown", "1", "2"),
    ] {
        let mut form = vec![(name, first), (name, second)];
        if name != "grant_type" {
            form.push(GRANT);
        }
        let answer = tested.token_as(client, &form).await?;
        refused(
            &format!("{name}={first}&{name}={second}"),
            &answer,
            &[400],
            &["invalid_request"],
        )?;
    }
    for (name, value) in [("resource", resource), ("audience", "https://a.example")] {
        let answer = tested
            .token_as(client, &[GRANT, (name, value), (name, value)])
            .await?;
        let right = match answer.status() {
            200 => true,
            400 => answer.json()?["error"] == "invalid_target",
            _ => false,
        };
        ensure!(
            right,
            "sent {name} twice, which is allowed, expected 200 or 400 invalid_target, got {}",
            shown(&answer)
        );
    }
    Ok(())
}

async fn unknown_parameters(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for name in ["unknown", "prompt", "__proto__", "grant_type[]", "\u{e4}"] {
        let answer = tested
            .token_as(&tested.set().confidential, &[GRANT, (name, "1")])
            .await?;
        granted(&format!("the unknown parameter {name}"), &answer)?;
    }
    Ok(())
}

async fn parameters_without_a_value(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let plain = tested.tokens_as(client, &[GRANT]).await?;
    for name in ["scope", "resource", "client_id", "client_secret", "unknown"] {
        let sent = format!("an empty {name}");
        let answer = granted(&sent, &tested.token_as(client, &[GRANT, (name, "")]).await?)?;
        let (scope, other) = (&plain["scope"], &answer["scope"]);
        ensure!(
            scope == other,
            "sent {sent}, expected the scope of a request without, {scope}, got {other}"
        );
    }
    let answer = tested
        .token_body(Some(FORM), b"grant_type=client_credentials&scope")
        .await?;
    granted("a scope without =", &answer)?;
    let answer = tested.token_as(client, &[("grant_type", "")]).await?;
    refused("an empty grant_type", &answer, &[400], &["invalid_request"])
}

async fn grant_types(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    for (client, grant, code) in [
        (&set.confidential, None, "invalid_request"),
        (&set.confidential, Some("unknown"), "unsupported_grant_type"),
        (
            &set.confidential,
            Some("Client_Credentials"),
            "unsupported_grant_type",
        ),
        (
            &set.confidential,
            Some("urn:example:unknown"),
            "unsupported_grant_type",
        ),
        (
            &set.code_only,
            Some("client_credentials"),
            "unauthorized_client",
        ),
        (
            &set.limited,
            Some("authorization_code"),
            "unauthorized_client",
        ),
    ] {
        let form: Vec<_> = grant.iter().map(|grant| ("grant_type", *grant)).collect();
        let answer = tested.token_as(client, &form).await?;
        refused(
            &format!("grant_type {grant:?} of {}", client.id),
            &answer,
            &[400],
            &[code],
        )?;
    }
    Ok(())
}
