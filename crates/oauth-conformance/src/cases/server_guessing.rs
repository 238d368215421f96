//! E2: secrets that are guessed, and where they lie.

use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use super::server::{
    CLIENT_GRANT as GRANT, Tested, basic, granted, refused, visible, with_body, with_header,
};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, ServerClient, cases, ensure, wire,
};

pub(super) const CASES: &[Case] = cases! {
    "SCA-04" [Counterpart, Server] => unknown_client,
    "SCA-11" [Counterpart, Server] => almost_the_secret,
    "SCA-12" [Counterpart, Server] => secrets_at_rest,
    "SCA-13" [Counterpart, Server] => guessing,
    "SCA-15" [Counterpart, Server] => nothing_before_authentication,
    "SCA-16" [Counterpart, Server] => oversized_credentials,
};

const CLIENT: &[&str] = &["invalid_client"];

/// Time is not measured here: the same work behind both is what the server's own tests show. From
/// outside, both look alike and count alike.
async fn unknown_client(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    tested
        .control()
        .post("switches", &json!({"throttle": true}))
        .await?;
    let set = tested.set();
    for method in ["Basic", "post"] {
        let mut series = Vec::new();
        for id in [
            &set.confidential.id,
            "nobody-knows-it",
            &set.disabled.id,
            &set.public.id,
        ] {
            let mut answers = Vec::new();
            for _ in 0..30 {
                let answer = match method {
                    "Basic" => with_header(&tested, &basic(id, "wrong")).await?,
                    _ => with_body(&tested, id, "wrong").await?,
                };
                let (status, mut headers, text) = visible(&answer);
                // It falls with the seconds that pass between the first series and this one.
                headers.retain(|(name, _)| name != "retry-after");
                answers.push((status, headers, text));
            }
            series.push(answers);
            // The next method meets counters at zero.
        }
        let kinds = ["unknown", "disabled", "public"]
            .into_iter()
            .zip(&series[1..]);
        for (kind, answers) in kinds {
            let differs = answers
                .iter()
                .zip(&series[0])
                .position(|(one, other)| one != other);
            ensure!(
                differs.is_none(),
                "sent {method} of an {kind} client 30 times, expected the answers of a wrong secret, got another at {differs:?}"
            );
        }
        tested.control().advance(3600).await?;
    }
    Ok(())
}

/// A comparison of digests has no length and no first difference to tell.
async fn almost_the_secret(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let wrong = visible(&with_header(&tested, &basic(&client.id, "wrong")).await?);
    let secret = client.secret.as_str();
    let mut guesses: Vec<String> = (1..secret.len())
        .map(|length| secret[..length].to_owned())
        .collect();
    guesses.extend((0..secret.len()).map(|place| {
        let other = if secret.as_bytes()[place] == b'#' {
            "$"
        } else {
            "#"
        };
        format!("{}{other}{}", &secret[..place], &secret[place + 1..])
    }));
    guesses.extend([
        format!("{secret}x"),
        format!(" {secret}"),
        format!("{secret}{secret}"),
        secret.to_uppercase(),
    ]);
    guesses.extend([format!("{secret} "), "x".repeat(500)]);
    for (index, guess) in guesses.iter().enumerate() {
        let answer = visible(&with_header(&tested, &basic(&client.id, guess)).await?);
        ensure!(
            answer == wrong,
            "sent almost the secret (guess {index}), expected the answer of a wrong one, got {} {}",
            answer.0,
            answer.2
        );
    }
    Ok(())
}

async fn secrets_at_rest(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let dump = tested.control().store().await?;
    let known = [
        &set.confidential,
        &set.limited,
        &set.code_only,
        &set.odd,
        &set.disabled,
        &set.resource_server,
    ];
    for client in known {
        ensure!(
            !dump.contains(&client.secret),
            "dumped the store, expected no secret, got that of {}",
            client.id
        );
    }
    let dump: Value =
        serde_json::from_str(&dump).map_err(|_| Failure::new("the store's dump is no JSON"))?;
    let records = dump["clients"].as_array().cloned().unwrap_or_default();
    for client in known {
        let record = records.iter().find(|record| record["id"] == client.id);
        let secrets = record
            .and_then(|record| record["secrets"].as_array())
            .cloned()
            .unwrap_or_default();
        let hashed = |secret: &Value| {
            let secret = secret.as_str().unwrap_or_default();
            secret.starts_with("$argon2id$") || secret.starts_with("sha256:")
        };
        let right = !secrets.is_empty() && secrets.iter().all(hashed);
        ensure!(
            right,
            "dumped {}, expected argon2id or SHA-256, got {secrets:?}",
            client.id
        );
    }
    // A flood of hashing must leave room for the right client.
    let wrong = join_all((0..64).map(|_| with_body(&tested, &set.limited.id, "wrong")));
    let right = tested.token_as(&set.confidential, &[GRANT]);
    let (flood, right) = join(wrong, right).await;
    for answer in flood {
        refused(
            "one of 64 wrong secrets at once",
            &answer?,
            &[400, 401, 429, 503],
            &["invalid_client", "temporarily_unavailable"],
        )?;
    }
    granted("the right secret in a flood of wrong ones", &right?).map(|_| ())
}

async fn guessing(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    tested
        .control()
        .post("switches", &json!({"throttle": true}))
        .await?;
    let set = tested.set();
    let client = &set.confidential;
    let mut limited = None;
    for _ in 0..50 {
        let answer = with_header(&tested, &basic(&client.id, "wrong")).await?;
        if answer.status() == 429 {
            limited = Some(answer);
        }
    }
    let limited = limited
        .ok_or_else(|| Failure::new("sent 50 wrong secrets, expected 429 in the end, got none"))?;
    let wait = limited
        .header("retry-after")
        .and_then(|seconds| seconds.parse::<i64>().ok())
        .unwrap_or_default();
    ensure!(
        (1..=3600).contains(&wait),
        "was answered 429, expected Retry-After up to an hour, got {wait}"
    );
    let status = tested.token_as(client, &[GRANT]).await?.status();
    ensure!(
        status == 429,
        "sent the right secret from where it was guessed, expected 429, or the next guess could be right, got {status}"
    );
    granted(
        "another client from the same source",
        &tested.token_as(&set.limited, &[GRANT]).await?,
    )?;
    elsewhere(&tested, client).await?;
    tested.control().advance(wait + 1).await?;
    granted(
        "the right secret after Retry-After",
        &tested.token_as(client, &[GRANT]).await?,
    )
    .map(|_| ())
}

/// The right client from another address of this machine, where machines have one.
async fn elsewhere(tested: &Tested, client: &ServerClient) -> Outcome {
    let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let has_address = std::net::UdpSocket::bind((other, 0)).is_ok();
    let local = wire::host(tested.base_url()).starts_with("127.0.0.1");
    if !(has_address && local) {
        return Ok(());
    }
    let header = basic(&client.id, &client.secret);
    let headers = [
        ("Authorization", header.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let body = b"grant_type=client_credentials";
    let bytes = wire::request_bytes(
        tested.base_url(),
        "POST",
        &tested.set().token,
        &headers,
        body,
    );
    let answer = wire::raw_from(other, tested.base_url(), &bytes).await?;
    granted("the right secret from another source", &answer).map(|_| ())
}

async fn nothing_before_authentication(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let code = tested.code(&set.confidential).await?;
    let (_, refresh) = tested.user_tokens(&set.confidential).await?;
    let header = basic(&set.confidential.id, "wrong");
    let mut first = None;
    let forms = [
        vec![GRANT],
        vec![],
        vec![("grant_type", "unknown")],
        vec![("grant_type", "password")],
        vec![GRANT, ("scope", "nobody-has-this")],
        vec![GRANT, ("scope", "a\nb")],
        vec![GRANT, ("resource", "https://unknown.example")],
        vec![("grant_type", "authorization_code"), ("code", "unknown")],
        vec![("grant_type", "authorization_code"), ("code", &code)],
        vec![
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code_verifier", "short"),
        ],
        vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", "unknown"),
        ],
        vec![("grant_type", "refresh_token"), ("refresh_token", &refresh)],
        vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", "unknown"),
        ],
    ];
    for (index, form) in forms.iter().enumerate() {
        let answer = tested
            .post(&set.token, &[("Authorization", &header)], form)
            .await?;
        let sent = format!("a wrong secret with form {index}");
        refused(&sent, &answer, &[401], CLIENT)?;
        let seen = visible(&answer);
        let first = first.get_or_insert_with(|| seen.clone());
        ensure!(
            *first == seen,
            "sent {sent}, expected the answer of every other form, got {}",
            seen.2
        );
    }
    for path in [&set.introspection, &set.revocation] {
        for token in [refresh.as_str(), "unknown"] {
            let answer = tested
                .post(path, &[("Authorization", &header)], &[("token", token)])
                .await?;
            let seen = visible(&answer);
            ensure!(
                first.as_ref() == Some(&seen),
                "sent a wrong secret to {path}, expected the same answer, got {} {}",
                seen.0,
                seen.2
            );
        }
    }
    granted(
        "the refresh token after all that",
        &tested.refresh(&set.confidential, &refresh).await?,
    )?;
    granted(
        "the code after all that",
        &tested.redeem(&set.confidential, &code).await?,
    )
    .map(|_| ())
}

async fn oversized_credentials(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let (secret, id) = ("s".repeat(1024 * 1024), "i".repeat(64 * 1024));
    let padded = format!("{}{}", client.secret, "\u{1}".repeat(8 * 1024));
    for (sent, id, secret) in [
        ("a secret of 1 MiB", client.id.as_str(), secret.as_str()),
        ("a client id of 64 KiB", &id, &client.secret),
        ("a secret of 60 000 bytes", &client.id, &secret[..60_000]),
        ("a client id of 60 000 bytes", &id[..60_000], &client.secret),
        ("the right secret and 8 KiB more", &client.id, &padded),
    ] {
        let status = with_body(&tested, id, secret).await?.status();
        ensure!(
            matches!(status, 400 | 401 | 413),
            "sent {sent} in the body, expected a refusal, got {status}"
        );
        let status = with_header(&tested, &basic(id, secret)).await?.status();
        ensure!(
            matches!(status, 400 | 401 | 413 | 431),
            "sent {sent} in Basic, expected a refusal, got {status}"
        );
    }
    tested.still_serves().await
}
