use std::time::Duration;

use oauth_emulators::{Client, Emulator};
use serde_json::{Value, json};

use crate::support::{Answer, Caller, send, text};

const TOKEN: &str = "/ministryplatformapi/oauth/connect/token";
const API: &str = "http://www.thinkministry.com/dataplatform/scopes/all";

async fn password_token(caller: &Caller<'_>, scope: &str) -> Value {
    let form = [
        ("username", "demo"),
        ("password", "demo"),
        ("client_id", "demo"),
        ("client_secret", "demo-secret"),
        ("grant_type", "password"),
        ("scope", scope),
    ];
    caller.form(TOKEN, &form).await.ok()
}

async fn client_token(caller: &Caller<'_>, client_id: &str, secret: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("client_secret", secret),
        ("scope", API),
    ];
    caller.form(TOKEN, &form).await
}

async fn rows(caller: &Caller<'_>, token: &str, query: &[(&str, &str)]) -> Answer {
    let request = caller.request("GET", "/ministryplatformapi/tables/dp_API_Clients");
    send(request.query(query).bearer_auth(token)).await
}

#[tokio::test]
async fn a_refresh_token_is_for_those_who_ask_for_offline_access() {
    let emulator = Emulator::ministry_platform().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let short = password_token(&caller, API).await;
    assert_eq!(short["token_type"], "Bearer");
    assert_eq!(short["expires_in"], 3600);
    assert_eq!(
        (short.get("refresh_token"), short.get("scope")),
        (None, None)
    );
    let long = password_token(&caller, &format!("{API} openid offline_access")).await;
    let form = |token| {
        [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", "demo"),
            ("client_secret", "demo-secret"),
        ]
    };
    let next = caller
        .form(TOKEN, &form(text(&long, "refresh_token")))
        .await
        .ok();
    assert_ne!(next["refresh_token"], long["refresh_token"]);
    let spent = caller
        .form(TOKEN, &form(text(&long, "refresh_token")))
        .await;
    spent.is(400, json!({"error": "invalid_grant"}));
    caller
        .form(TOKEN, &form(text(&next, "refresh_token")))
        .await
        .ok();
    // Clients have nothing to be offline from.
    assert_eq!(
        client_token(&caller, "demo", "demo-secret")
            .await
            .ok()
            .get("refresh_token"),
        None
    );
}

#[tokio::test]
async fn basic_may_be_raw_or_form_encoded() {
    let emulator = Emulator::ministry_platform().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let form = [("grant_type", "client_credentials"), ("scope", API)];
    for secret in ["a&b=c;^~()/$%+ ", "a%26b%3Dc%3B%5E%7E%28%29%2F%24%25%2B+"] {
        let request = caller.request("POST", TOKEN).form(&form);
        send(request.basic_auth("awkward", Some(secret))).await.ok();
    }
    client_token(&caller, "awkward", "a&b=c;^~()/$%+ ")
        .await
        .ok();
    for (client_id, secret) in [
        ("demo", "wrong"),
        ("nobody", "x"),
        ("disabled", "disabled-secret"),
    ] {
        // 400, where RFC 6749 would have 401.
        let answer = client_token(&caller, client_id, secret).await;
        answer.is(400, json!({"error": "invalid_client"}));
    }
    let none = send(
        caller
            .request("POST", TOKEN)
            .form(&form)
            .header("authorization", "Basic ???"),
    )
    .await;
    none.is(400, json!({"error": "invalid_client"}));
    let odd = caller.form(
        TOKEN,
        &[
            ("grant_type", "x"),
            ("client_id", "demo"),
            ("client_secret", "demo-secret"),
        ],
    );
    odd.await
        .is(400, json!({"error": "unsupported_grant_type"}));
}

#[tokio::test]
async fn filters_are_sql() {
    let emulator = Emulator::ministry_platform().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let token = password_token(&caller, API).await;
    let token = text(&token, "access_token");
    let found = |filter: &str| {
        let filter = filter.to_owned();
        let caller = &caller;
        async move {
            let query = [
                ("$filter", filter.as_str()),
                ("$select", "Client_ID,Client_Secret"),
            ];
            rows(caller, token, &query).await
        }
    };
    let demo = found("Client_ID = 'demo-client'").await.ok();
    assert_eq!(
        demo,
        json!([{"Client_ID": "demo-client", "Client_Secret": "demo-client-secret"}])
    );
    assert_eq!(found("Client_ID='DEMO-client '").await.ok(), demo);
    assert_eq!(found("Client_ID = 'nobody'").await.ok(), json!([]));
    assert_eq!(
        found("Client_ID = 'twice'")
            .await
            .ok()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        found("Client_ID = 'o''brien'").await.ok()[0]["Client_ID"],
        "o'brien"
    );
    assert_eq!(
        found("Client_ID = 'nosecret'").await.ok()[0]["Client_Secret"],
        Value::Null
    );
    assert!(
        found("Client_ID = 'x' OR '1'='1'")
            .await
            .ok()
            .as_array()
            .unwrap()
            .len()
            > 5
    );
    for (filter, message) in [
        ("Client_ID eq 'demo'", "Incorrect syntax near 'eq'."),
        ("Name = 'demo'", "Invalid column name 'Name'."),
    ] {
        found(filter).await.is(500, json!({"Message": message}));
    }
    let top = rows(&caller, token, &[("$top", "1"), ("$select", "Is_Enabled")]).await;
    assert_eq!(top.ok(), json!([{"Is_Enabled": true}]));
    let unknown = rows(&caller, token, &[("$select", "Nothing")]).await;
    unknown.is(500, json!({"Message": "Invalid column name 'Nothing'."}));
}

#[tokio::test]
async fn tables_want_a_live_token_of_a_person() {
    let emulator = Emulator::ministry_platform().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let table = "/ministryplatformapi/tables/dp_API_Clients";
    let empty = caller.with(table, &[("authorization", "Bearer ")]).await;
    assert_eq!(empty.status, 401);
    assert!(empty.json()["Message"].is_string());
    let client = client_token(&caller, "demo", "demo-secret").await.ok();
    assert_eq!(
        rows(&caller, text(&client, "access_token"), &[])
            .await
            .status,
        403
    );
    let user = password_token(&caller, API).await;
    let user = text(&user, "access_token");
    let bearer = format!("Bearer {user}");
    let none = caller
        .with(
            "/ministryplatformapi/tables/Nothing",
            &[("authorization", &bearer)],
        )
        .await;
    assert_eq!(none.status, 404);
    emulator.clock().advance(Duration::from_secs(3601));
    let expired = rows(&caller, user, &[]).await;
    assert_eq!(expired.status, 401);
    expired.is(401, json!({"Message": "The access token is expired."}));
    let unknown = rows(&caller, "unknown", &[]).await;
    unknown.is(401, json!({"Message": "Signature validation failed."}));
}

#[tokio::test]
async fn a_new_secret_needs_two_minutes() {
    let emulator = Emulator::ministry_platform().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let user = password_token(&caller, API).await;
    let user = text(&user, "access_token");
    let changed = json!({"client_id": "demo-client", "client_secret": "fresh-secret"});
    caller.control("POST", "clients", changed).await;
    let row = rows(&caller, user, &[("$filter", "Client_ID='demo-client'")])
        .await
        .ok();
    assert_eq!(row[0]["Client_Secret"], "fresh-secret");
    assert_eq!(
        client_token(&caller, "demo-client", "fresh-secret")
            .await
            .status,
        400
    );
    client_token(&caller, "demo-client", "demo-client-secret")
        .await
        .ok();
    emulator.clock().advance(Duration::from_secs(120));
    client_token(&caller, "demo-client", "fresh-secret")
        .await
        .ok();
    assert_eq!(
        client_token(&caller, "demo-client", "demo-client-secret")
            .await
            .status,
        400
    );
    emulator
        .put_client(Client::new("new").secret("new-secret"))
        .await
        .unwrap();
    client_token(&caller, "new", "new-secret").await.ok();
}

#[tokio::test]
async fn discovery_has_one_of_two_issuers() {
    let emulator = Emulator::ministry_platform().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let oauth = format!("{}/ministryplatformapi/oauth", emulator.base_url());
    let path = "/ministryplatformapi/oauth/.well-known/openid-configuration";
    let document = caller.get(path).await.ok();
    assert_eq!(text(&document, "issuer"), oauth);
    assert_eq!(
        text(&document, "token_endpoint"),
        format!("{oauth}/connect/token")
    );
    for path in ["end_session_endpoint", "check_session_iframe"] {
        assert_eq!(document.get(path), None);
    }
    caller
        .control("POST", "switches", json!({"forms_issuer": true}))
        .await;
    assert_eq!(caller.get(path).await.ok()["issuer"], "Forms");
    let retired = caller.get("/ministryplatform/oauth/token").await;
    assert_eq!(
        (retired.status, retired.header("content-type")),
        (404, "text/html")
    );
}

#[tokio::test]
async fn the_code_flow_ends_at_userinfo() {
    let emulator = Emulator::ministry_platform().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let redirect_uri = "http://localhost:3000/callback";
    let query = [
        ("client_id", "demo"),
        ("response_type", "code"),
        ("redirect_uri", redirect_uri),
        ("scope", "openid"),
        ("state", "s"),
        ("realm", "realm"),
    ];
    let authorize = "/ministryplatformapi/oauth/connect/authorize";
    let sent = send(caller.request("GET", authorize).query(&query)).await;
    let location = reqwest::Url::parse(sent.header("location")).unwrap();
    let told: Vec<_> = location.query_pairs().collect();
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_ref()).collect();
    assert_eq!(names, ["code", "state"], "{location}");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", told[0].1.as_ref()),
        ("redirect_uri", redirect_uri),
        ("client_id", "demo"),
        ("client_secret", "demo-secret"),
    ];
    let token = caller.form(TOKEN, &form).await.ok();
    let bearer = format!("Bearer {}", text(&token, "access_token"));
    let userinfo = "/ministryplatformapi/oauth/connect/userinfo";
    let body = caller
        .with(userinfo, &[("authorization", &bearer)])
        .await
        .ok();
    assert_eq!(body["given_name"], "John");
    assert_eq!(caller.get(userinfo).await.status, 401);
    // Redirect URIs are compared byte for byte, a loopback port included.
    let mut elsewhere = query;
    elsewhere[2].1 = "http://127.0.0.1:4711/callback";
    let sent = send(caller.request("GET", authorize).query(&elsewhere)).await;
    assert_eq!((sent.status, sent.header("location")), (400, ""));
}

#[tokio::test]
async fn a_token_is_good_for_its_scopes() {
    let emulator = Emulator::ministry_platform().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let userinfo = async |token: &Value| {
        let bearer = format!("Bearer {}", text(token, "access_token"));
        let path = "/ministryplatformapi/oauth/connect/userinfo";
        caller.with(path, &[("authorization", &bearer)]).await
    };
    let identity = password_token(&caller, "openid").await;
    userinfo(&identity).await.ok();
    let table = rows(&caller, text(&identity, "access_token"), &[]).await;
    table.is(403, json!({"Message": "Access denied."}));
    let api = password_token(&caller, API).await;
    let refused = userinfo(&api).await;
    refused.is(403, json!({"error": "insufficient_scope"}));
    rows(&caller, text(&api, "access_token"), &[]).await.ok();
    let app = client_token(&caller, "demo", "demo-secret").await.ok();
    assert_eq!(userinfo(&app).await.status, 403);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "demo"),
        ("client_secret", "demo-secret"),
        ("scope", "read"),
    ];
    let unknown = caller.form(TOKEN, &form).await;
    unknown.is(400, json!({"error": "invalid_scope"}));
    // Without a word about scope it is the API's.
    let unsaid = caller.form(TOKEN, &form[..3]).await.ok();
    assert_eq!(userinfo(&unsaid).await.status, 403);
}

#[tokio::test]
async fn a_changed_demo_client_keeps_the_rest_of_its_row() {
    let changed = Client::new("demo-client")
        .access_token_seconds(60)
        .one_time_refresh(false)
        .redirect_uri("https://example.com/more");
    let emulator = Emulator::ministry_platform().client(changed);
    let emulator = emulator.start().await.unwrap();
    let caller = Caller::new(&emulator);
    let token = password_token(&caller, API).await;
    let filter = [("$filter", "Client_ID='demo-client'")];
    let found = rows(&caller, text(&token, "access_token"), &filter)
        .await
        .ok();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["Client_Secret"], "demo-client-secret");
    assert_eq!(found[0]["Access_Token_Lifetime"], 60);
    assert_eq!(found[0]["Is_Rotating_Refresh_Token"], false);
    let uris = "http://localhost:3000/callback;http://127.0.0.1/callback;\
                https://example.com/callback;https://example.com/more";
    assert_eq!(found[0]["Redirect_URIs"], uris);
}
