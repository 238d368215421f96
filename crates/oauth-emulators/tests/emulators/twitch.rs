use std::time::Duration;

use oauth_emulators::{Client, Emulator};
use serde_json::{Value, json};

use crate::support::{Caller, send, text};

const TOKEN: &str = "/oauth2/token";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const DEMO: [(&str, &str); 2] = [("client_id", "demo"), ("client_secret", "demo-secret")];

async fn user_token(caller: &Caller<'_>, scope: &str) -> Value {
    let redirect_uri = "http://localhost:3000";
    let wanted = json!({"redirect_uri": redirect_uri, "scope": scope});
    let code = caller.control("POST", "codes", wanted).await.json();
    let form = [
        ("grant_type", "authorization_code"),
        ("redirect_uri", redirect_uri),
        ("code", text(&code, "code")),
        DEMO[0],
        DEMO[1],
    ];
    caller.form(TOKEN, &form).await.ok()
}

async fn refresh(
    caller: &Caller<'_>,
    token: &str,
    client: &[(&str, &str)],
) -> crate::support::Answer {
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    form.extend(client);
    caller.form(TOKEN, &form).await
}

fn bad(message: &str) -> Value {
    json!({"status": 400, "message": message})
}

#[tokio::test]
async fn parameters_may_travel_in_form_query_or_multipart() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let app = [("grant_type", "client_credentials"), DEMO[0], DEMO[1]];
    let query = "?grant_type=client_credentials&client_id=demo&client_secret=demo-secret";
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n\
        --b\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\ndemo\r\n\
        --b\r\nContent-Disposition: form-data; name=\"client_secret\"\r\n\r\ndemo-secret\r\n--b--\r\n";
    let in_parts = caller
        .request("POST", TOKEN)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(multipart);
    for answer in [
        caller.form(TOKEN, &app).await,
        send(caller.request("POST", &format!("{TOKEN}{query}"))).await,
        send(in_parts).await,
    ] {
        let body = answer.ok();
        assert_eq!(body["token_type"], "bearer");
        assert!(body["expires_in"].as_u64().unwrap() > 5_000_000, "{body}");
        assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    }
    // GET is not what the endpoint knows.
    assert_eq!(caller.get(&format!("{TOKEN}{query}")).await.status, 404);
}

#[tokio::test]
async fn secrets_are_parameters_never_a_header() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let basic = |form: &'static [(&str, &str)]| {
        let request = caller.request("POST", TOKEN).form(form);
        send(request.basic_auth("demo", Some("demo-secret")))
    };
    let none = basic(&[("grant_type", "client_credentials")]).await;
    none.is(400, bad("missing client id"));
    let id = basic(&[("grant_type", "client_credentials"), ("client_id", "demo")]).await;
    id.is(400, bad("missing client secret"));
    let wrong = [
        ("grant_type", "client_credentials"),
        ("client_id", "demo"),
        ("client_secret", "wrong"),
    ];
    let wrong = caller.form(TOKEN, &wrong).await;
    wrong.is(
        403,
        json!({"status": 403, "message": "invalid client secret"}),
    );
}

#[tokio::test]
async fn the_code_flow_ends_in_a_token_with_a_list_of_scopes() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let authorize = "/oauth2/authorize?client_id=demo&response_type=code&scope=chat%3Aread+chat%3Aedit\
        &state=s1&redirect_uri=http%3A%2F%2Flocalhost%3A3000&code_challenge=ignored";
    let sent = caller.get(authorize).await;
    let location = sent.header("location").to_owned();
    let code = location
        .strip_prefix("http://localhost:3000?code=")
        .and_then(|rest| rest.strip_suffix("&scope=chat%3Aread+chat%3Aedit&state=s1"));
    let code = code.unwrap_or_else(|| panic!("{location}"));
    let form = |redirect_uri| {
        [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            DEMO[0],
            DEMO[1],
        ]
    };
    let slash = caller.form(TOKEN, &form("http://localhost:3000/")).await;
    slash.is(
        400,
        bad("Parameter redirect_uri does not match registered URI"),
    );
    let body = caller
        .form(TOKEN, &form("http://localhost:3000"))
        .await
        .ok();
    assert_eq!(body["token_type"], "bearer");
    let mut scopes: Vec<_> = body["scope"].as_array().unwrap().iter().collect();
    scopes.sort_by_key(|scope| scope.as_str());
    assert_eq!(scopes, ["chat:edit", "chat:read"]);
    assert!(text(&body, "refresh_token").contains(['%', '/', '+', '=']));
    // A code is good once.
    assert_eq!(
        caller
            .form(TOKEN, &form("http://localhost:3000"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn authorize_tells_its_errors_by_redirects() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let authorize = "/oauth2/authorize?client_id=demo&scope=a&state=s&redirect_uri=";
    let elsewhere = caller
        .get(&format!(
            "{authorize}http%3A%2F%2Flocalhost%3A3000%2F&response_type=code"
        ))
        .await;
    assert_eq!(
        elsewhere.header("location"),
        "http://localhost:3000?error=redirect_mismatch&error_description=\
         Parameter+redirect_uri+does+not+match+registered+URI&state=s"
    );
    let known = format!("{authorize}https%3A%2F%2Fexample.com%2Fcallback");
    // In the query, though tokens would come in the fragment.
    let denied = caller
        .get(&format!("{known}&response_type=token&_deny=1"))
        .await;
    assert_eq!(
        denied.header("location"),
        "https://example.com/callback?error=access_denied&\
         error_description=The+user+denied+you+access&state=s"
    );
    let implicit = caller.get(&format!("{known}&response_type=token")).await;
    let location = implicit.header("location");
    assert!(
        location.starts_with("https://example.com/callback#access_token="),
        "{location}"
    );
    assert!(
        location.ends_with("&scope=a&state=s&token_type=bearer"),
        "{location}"
    );
}

#[tokio::test]
async fn validate_wants_its_own_header_word() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let token = user_token(&caller, "chat:read").await;
    let token = text(&token, "access_token");
    let validate = |header: String| async move {
        let caller = Caller::new(caller.emulator);
        caller
            .with("/oauth2/validate", &[("authorization", &header)])
            .await
    };
    let bearer = validate(format!("Bearer {token}")).await;
    bearer.is(
        401,
        json!({"status": 401, "message": "missing authorization token"}),
    );
    let body = validate(format!("OAuth {token}")).await.ok();
    assert_eq!(body["scopes"], json!(["chat:read"]));
    assert_eq!(
        (text(&body, "login"), text(&body, "user_id")),
        ("demo", "141981764")
    );
    assert!(body["expires_in"].as_u64().unwrap() > 14_000);
    emulator.clock().advance(Duration::from_secs(14_200));
    let expired = validate(format!("OAuth {token}")).await;
    expired.is(
        401,
        json!({"status": 401, "message": "invalid access token"}),
    );
}

#[tokio::test]
async fn validate_of_an_app_token_names_no_user() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let app = [("grant_type", "client_credentials"), DEMO[0], DEMO[1]];
    let token = caller.form(TOKEN, &app).await.ok();
    let header = format!("OAuth {}", text(&token, "access_token"));
    let body = caller
        .with("/oauth2/validate", &[("authorization", &header)])
        .await
        .ok();
    assert_eq!(body["scopes"], json!([]));
    assert_eq!(
        (&body["login"], &body["user_id"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn confidential_clients_refresh_with_their_secret() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let first = user_token(&caller, "chat:read").await;
    let token = text(&first, "refresh_token");
    refresh(&caller, token, &DEMO[..1])
        .await
        .is(400, bad("missing client secret"));
    let second = refresh(&caller, token, &DEMO).await.ok();
    assert_eq!(second["refresh_token"], token);
    assert_eq!(second["scope"], json!(["chat:read"]));
    assert!(second["expires_in"].is_u64());
    caller
        .control(
            "POST",
            "switches",
            json!({"expires_in_on_refresh": false, "scope_as_text_on_refresh": true}),
        )
        .await;
    let third = refresh(&caller, token, &DEMO).await.ok();
    assert_eq!(third.get("expires_in"), None);
    assert_eq!(third["scope"], "chat:read");
    caller
        .control("DELETE", "tokens?kind=refresh", json!({}))
        .await;
    refresh(&caller, token, &DEMO).await.is(
        400,
        json!({"status": 400, "message": "Invalid refresh token", "error": "Bad Request"}),
    );
    // The access token is none the worse for it.
    let header = format!("OAuth {}", text(&third, "access_token"));
    caller
        .with("/oauth2/validate", &[("authorization", &header)])
        .await
        .ok();
}

#[tokio::test]
async fn public_clients_have_devices_and_refresh_tokens_for_one_use() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let public = [("client_id", "pub")];
    let started = caller
        .form("/oauth2/device", &[public[0], ("scopes", "a b")])
        .await
        .ok();
    let user_code = text(&started, "user_code");
    assert!(text(&started, "verification_uri").ends_with(&format!("device-code={user_code}")));
    assert_eq!(
        (&started["interval"], &started["expires_in"]),
        (&json!(5), &json!(1800))
    );
    assert_eq!(started.get("verification_uri_complete"), None);
    let poll = [
        public[0],
        ("grant_type", DEVICE),
        ("device_code", text(&started, "device_code")),
    ];
    for _ in 0..2 {
        caller
            .form(TOKEN, &poll)
            .await
            .is(400, bad("authorization_pending"));
    }
    caller
        .control(
            "POST",
            "devices",
            json!({"user_code": user_code, "action": "approve"}),
        )
        .await;
    let first = caller.form(TOKEN, &poll).await.ok();
    assert_eq!(first["scope"], json!(["a", "b"]));
    caller
        .form(TOKEN, &poll)
        .await
        .is(400, bad("invalid device code"));
    let second = refresh(&caller, text(&first, "refresh_token"), &public)
        .await
        .ok();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(
        refresh(&caller, text(&first, "refresh_token"), &public)
            .await
            .status,
        400
    );
    // The spent one's return harms nobody, and each lives for thirty days of its own.
    emulator.clock().advance(Duration::from_secs(29 * 86_400));
    let third = refresh(&caller, text(&second, "refresh_token"), &public)
        .await
        .ok();
    emulator.clock().advance(Duration::from_secs(29 * 86_400));
    let fourth = refresh(&caller, text(&third, "refresh_token"), &public)
        .await
        .ok();
    emulator.clock().advance(Duration::from_secs(31 * 86_400));
    assert_eq!(
        refresh(&caller, text(&fourth, "refresh_token"), &public)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn of_parallel_polls_one_gets_a_token_that_lives() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    for _ in 0..20 {
        let started = caller
            .form("/oauth2/device", &[("client_id", "pub")])
            .await
            .ok();
        let decided = json!({"user_code": started["user_code"], "action": "approve"});
        caller.control("POST", "devices", decided).await;
        let form = [
            ("client_id", "pub"),
            ("grant_type", DEVICE),
            ("device_code", text(&started, "device_code")),
        ];
        let poll = || caller.form(TOKEN, &form);
        let (a, b, c, d) = tokio::join!(poll(), poll(), poll(), poll());
        let (granted, refused): (Vec<_>, Vec<_>) = [a, b, c, d]
            .into_iter()
            .partition(|answer| answer.status == 200);
        assert_eq!(granted.len(), 1);
        for answer in refused {
            answer.is(400, bad("invalid device code"));
        }
        let header = format!("OAuth {}", text(&granted[0].json(), "access_token"));
        caller
            .with("/oauth2/validate", &[("authorization", &header)])
            .await
            .ok();
    }
}

#[tokio::test]
async fn a_client_without_a_secret_is_public() {
    let emulator = Emulator::twitch().client(Client::new("app"));
    let emulator = emulator.start().await.unwrap();
    let caller = Caller::new(&emulator);
    let device = [("client_id", "app")];
    caller.form("/oauth2/device", &device).await.ok();
    emulator
        .put_client(Client::new("app").secret("app-secret"))
        .await
        .unwrap();
    let app = [
        ("grant_type", "client_credentials"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
    ];
    caller.form(TOKEN, &app).await.ok();
}

#[tokio::test]
async fn helix_answers_about_the_user_that_is_asked_for() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let token = user_token(&caller, "").await;
    let bearer = format!("Bearer {}", text(&token, "access_token"));
    let headers = [("authorization", bearer.as_str()), ("client-id", "demo")];
    for (path, login) in [
        ("users", "demo"),
        ("users?login=other", "other"),
        ("users?id=141981764", "demo"),
        ("users?id=77&login=other", "77"),
    ] {
        let body = caller.with(&format!("/helix/{path}"), &headers).await.ok();
        assert_eq!(body["data"][0]["login"], login, "{path}");
    }
    let channel = caller
        .with("/helix/channels?broadcaster_id=77", &headers)
        .await
        .ok();
    assert_eq!(channel["data"][0]["broadcaster_id"], "77");
}

#[tokio::test]
async fn a_device_asked_for_with_the_rfcs_word_gets_no_scopes() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let start = [DEMO[0], ("scope", "a b")];
    let started = caller.form("/oauth2/device", &start).await.ok();
    caller
        .get(
            text(&started, "verification_uri")
                .strip_prefix(emulator.base_url())
                .unwrap(),
        )
        .await;
    let poll = [
        DEMO[0],
        ("grant_type", DEVICE),
        ("device_code", text(&started, "device_code")),
    ];
    let token = caller.form(TOKEN, &poll).await.ok();
    assert_eq!(token.get("scope"), None);
    let header = format!("OAuth {}", text(&token, "access_token"));
    let body = caller
        .with("/oauth2/validate", &[("authorization", &header)])
        .await
        .ok();
    assert_eq!(body["scopes"], Value::Null);
    // A confidential client needed no secret for the device, but does for the refresh.
    let token = text(&token, "refresh_token");
    refresh(&caller, token, &DEMO[..1])
        .await
        .is(400, bad("missing client secret"));
}

#[tokio::test]
async fn denied_and_expired_devices_look_alike() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    for action in ["deny", "expire"] {
        let started = caller
            .form("/oauth2/device", &[("client_id", "pub")])
            .await
            .ok();
        let decided = json!({"user_code": started["user_code"], "action": action});
        caller.control("POST", "devices", decided).await;
        let poll = [
            ("client_id", "pub"),
            ("grant_type", DEVICE),
            ("device_code", text(&started, "device_code")),
        ];
        caller
            .form(TOKEN, &poll)
            .await
            .is(400, bad("invalid device code"));
    }
}

#[tokio::test]
async fn revoking_what_is_gone_is_an_error() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let token = user_token(&caller, "").await;
    let token = ("token", text(&token, "access_token"));
    let unknown = caller
        .form("/oauth2/revoke", &[("client_id", "nobody"), token])
        .await;
    unknown.is(
        404,
        json!({"status": 404, "message": "client does not exist"}),
    );
    caller
        .form("/oauth2/revoke", &[DEMO[0], token])
        .await
        .is_empty(200);
    caller
        .form("/oauth2/revoke", &[DEMO[0], token])
        .await
        .is(400, bad("Invalid token"));
}

#[tokio::test]
async fn helix_has_three_kinds_of_401_and_a_bucket() {
    let emulator = Emulator::twitch().rate_limit(2).start().await.unwrap();
    let caller = Caller::new(&emulator);
    let token = user_token(&caller, "").await;
    let token = text(&token, "access_token");
    let users = |word: &str, client_id: &'static str, token: &str| {
        let header = format!("{word} {token}");
        let caller = Caller::new(&emulator);
        async move {
            let headers = [("authorization", header.as_str()), ("client-id", client_id)];
            caller.with("/helix/users", &headers).await
        }
    };
    let unauthorized =
        |message| json!({"error": "Unauthorized", "status": 401, "message": message});
    users("OAuth", "demo", token)
        .await
        .is(401, unauthorized("OAuth token is missing"));
    users("Bearer", "demo", "dead")
        .await
        .is(401, unauthorized("Invalid OAuth token"));
    let mismatch = users("Bearer", "pub", token).await;
    mismatch.is(401, unauthorized("Client ID and OAuth token do not match"));
    assert_eq!(mismatch.header("www-authenticate"), "");
    for remaining in ["1", "0"] {
        let answer = users("Bearer", "demo", token).await;
        assert_eq!(answer.header("ratelimit-remaining"), remaining);
        assert_eq!(answer.json()["data"][0]["id"], "141981764");
    }
    let empty = users("Bearer", "demo", token).await;
    assert_eq!(empty.status, 429);
    let reset: u64 = empty.header("ratelimit-reset").parse().unwrap();
    assert!(reset > emulator.clock().epoch_seconds());
    emulator.clock().advance(Duration::from_secs(61));
    assert_eq!(users("Bearer", "demo", token).await.status, 200);
}

#[tokio::test]
async fn discovery_tells_only_half() {
    let emulator = Emulator::twitch().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let document = caller
        .get("/oauth2/.well-known/openid-configuration")
        .await
        .ok();
    assert_eq!(
        text(&document, "issuer"),
        format!("{}/oauth2", emulator.base_url())
    );
    assert_eq!(
        document["token_endpoint_auth_methods_supported"],
        json!(["client_secret_post"])
    );
    for missing in [
        "revocation_endpoint",
        "device_authorization_endpoint",
        "code_challenge_methods_supported",
    ] {
        assert_eq!(document.get(missing), None);
    }
}
