//! The exact bytes of every flow.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use ministry_platform::{
    Authentication, Credentials, ErrorKind, MinistryPlatform,
    oauth_core::{AccessToken, ClientAuthMethod, Recovery, Scopes, Token},
};
use serde_json::json as value;

use crate::support::{Church, json, refusal, text, token};

const TOKEN: &str = "/ministryplatformapi/oauth/connect/token";
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

#[tokio::test]
async fn the_password_grant_is_one_form_with_everything_in_its_body() {
    let church = Church::friendly().await;
    let authentication = church
        .builder()
        .password("a&b=c ;^~+%")
        .client_secret("s/;^~()&$")
        .build()
        .unwrap();
    let granted = authentication.authenticate().await.unwrap();
    assert_eq!(text(&granted), "t0");
    assert_eq!(
        granted.scopes(),
        &Scopes::parse("http://www.thinkministry.com/dataplatform/scopes/all openid").unwrap()
    );

    let seen = church.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.as_str()),
        ("POST", TOKEN)
    );
    assert_eq!(seen[0].content_type.as_deref(), FORM);
    assert_eq!(seen[0].authorization, None);
    assert_eq!(
        seen[0].body,
        "grant_type=password&username=user&password=a%26b%3Dc+%3B%5E%7E%2B%25\
         &scope=http%3A%2F%2Fwww.thinkministry.com%2Fdataplatform%2Fscopes%2Fall+openid\
         &client_id=client&client_secret=s%2F%3B%5E%7E%28%29%26%24"
    );
}

#[tokio::test]
async fn a_client_is_looked_up_with_the_users_token_and_each_step_is_kept() {
    let church = Church::friendly().await;
    let authentication = church.authentication();
    assert_eq!(
        text(
            &authentication
                .authenticate_client("Some.Client")
                .await
                .unwrap()
        ),
        "t2"
    );
    assert_eq!(
        church.order(),
        [
            "password",
            "GET /tables/dp_API_Clients",
            "client_credentials"
        ]
    );

    let seen = church.seen();
    assert_eq!(
        seen[1].target,
        "/ministryplatformapi/tables/dp_API_Clients?$select=Client_ID%2CClient_Secret%2CIs_Enabled\
         &$filter=Client_ID%20%3D%20%27Some.Client%27"
    );
    assert_eq!(seen[1].authorization.as_deref(), Some("Bearer t0"));
    assert_eq!(seen[2].target, TOKEN);
    assert_eq!(seen[2].authorization, None);
    assert_eq!(
        seen[2].body,
        "grant_type=client_credentials&scope=http%3A%2F%2Fwww.thinkministry.com%2Fdataplatform%2Fscopes%2Fall\
         &client_id=Some.Client&client_secret=row-secret"
    );

    assert_eq!(
        text(
            &authentication
                .authenticate_client("Some.Client")
                .await
                .unwrap()
        ),
        "t2"
    );
    assert_eq!(text(&authentication.authenticate().await.unwrap()), "t0");
    assert_eq!(church.seen().len(), 3, "all of it is kept");
    authentication.authenticate_client("Another").await.unwrap();
    assert_eq!(
        church.order()[3..],
        ["GET /tables/dp_API_Clients", "client_credentials"]
    );
}

#[tokio::test]
async fn a_look_up_user_has_a_token_of_its_own() {
    let church = Church::friendly().await;
    let authentication = church
        .builder()
        .lookup_user("reader", "reader-pass")
        .build()
        .unwrap();
    authentication.authenticate_client("c").await.unwrap();
    assert_eq!(text(&authentication.authenticate().await.unwrap()), "t3");
    let seen = church.seen();
    assert!(
        seen[0].has("username=reader") && seen[0].has("password=reader-pass"),
        "{seen:?}"
    );
    assert_eq!(seen[1].authorization.as_deref(), Some("Bearer t0"));
    assert!(seen[3].has("username=user"), "{seen:?}");

    // Both users log in through the configured client.
    authentication.invalidate_token("client").await.unwrap();
    authentication.authenticate_client("d").await.unwrap();
    assert!(
        church.seen()[4].has("username=reader"),
        "{:?}",
        church.seen()
    );
    authentication.invalidate_token("client").await.unwrap();
    assert!(authentication.invalidate_token("client").await.is_err());
}

#[tokio::test]
async fn basic_is_a_switch_and_raw() {
    let church = Church::friendly().await;
    let platform = MinistryPlatform::new(&church.url())
        .unwrap()
        .with_client_authentication(ClientAuthMethod::BasicRaw);
    let authentication = Authentication::builder_for(platform)
        .username("u")
        .password("p")
        .client_id("client")
        .client_secret("a&b=c %")
        .build()
        .unwrap();
    authentication.authenticate_client("other").await.unwrap();
    let seen = church.seen();
    let basic = |pair: &str| Some(format!("Basic {}", BASE64_STANDARD.encode(pair)));
    assert_eq!(seen[0].authorization, basic("client:a&b=c %"));
    assert_eq!(seen[2].authorization, basic("other:row-secret"));
    assert!(
        seen.iter()
            .all(|request| !request.body.contains("client_id") && !request.body.contains("secret")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn another_user_is_asked_for_every_time_and_kept_nowhere() {
    let church = Church::friendly().await;
    let authentication = church.authentication();
    let login = Credentials::new("other", "their-pass");
    for expected in ["t0", "t1"] {
        assert_eq!(
            text(&authentication.authenticate_with(&login).await.unwrap()),
            expected
        );
    }
    authentication
        .authenticate_with(&login.with_client("their-client", "their-secret"))
        .await
        .unwrap();
    let seen = church.seen();
    assert!(
        seen[0].has("username=other") && seen[0].has("client_id=client"),
        "{seen:?}"
    );
    assert!(
        seen[2].has("client_id=their-client") && seen[2].has("client_secret=their-secret"),
        "{seen:?}"
    );
    assert_eq!(text(&authentication.authenticate().await.unwrap()), "t3");
}

#[tokio::test]
async fn a_refresh_token_renews_and_the_password_is_the_way_back() {
    let with_refresh = |access: &str, refresh: &str| {
        let mut answer =
            value!({"access_token": access, "token_type": "Bearer", "expires_in": 1800});
        if !refresh.is_empty() {
            answer["refresh_token"] = refresh.into();
        }
        json(200, answer)
    };
    let church = Church::new(move |_, n| match n {
        0 => with_refresh("a0", "r0"),
        1 => with_refresh("a1", ""),
        2 => with_refresh("a2", "r2"),
        3 => refusal("invalid_grant"),
        _ => with_refresh("a4", "r4"),
    })
    .await;
    let authentication = church.builder().offline_access(true).build().unwrap();
    for expected in ["a0", "a1", "a2", "a4"] {
        assert_eq!(
            text(&authentication.authenticate().await.unwrap()),
            expected
        );
        church.clock.advance(Duration::from_secs(1800));
    }
    let seen = church.seen();
    assert_eq!(
        church.order(),
        [
            "password",
            "refresh_token",
            "refresh_token",
            "refresh_token",
            "password"
        ]
    );
    assert!(
        seen[0].body.contains("scopes%2Fall+offline_access+openid"),
        "{}",
        seen[0].body
    );
    assert_eq!(
        seen[1].body,
        "grant_type=refresh_token&refresh_token=r0&client_id=client&client_secret=secret"
    );
    assert!(
        seen[2].has("refresh_token=r0"),
        "an answer without a refresh token keeps the old one"
    );
    assert!(seen[3].has("refresh_token=r2"), "a new one takes its place");
}

#[tokio::test]
async fn userinfo_and_valid_token_ask_the_server() {
    let church = Church::new(|request, _| match request.authorization.as_deref() {
        Some("Bearer good") => json(200, value!({"sub": "guid"})),
        Some("Bearer client") => json(403, value!({"error": "insufficient_scope"})),
        Some("Bearer expired") => json(500, value!({"Message": "IDX10223: the token is expired."})),
        Some("Bearer forged") => json(200, value!({"message": "Signature validation failed."})),
        Some("Bearer proxy") => (403, "<html>".to_owned(), "text/html"),
        Some("Bearer html") => (200, "<html>".to_owned(), "text/html"),
        Some("Bearer broken") => json(500, value!({})),
        _ => json(401, ""),
    })
    .await;
    let authentication = church.authentication();
    let of = |text: &str| AccessToken::new(text).unwrap();
    for (token, valid) in [
        ("good", true),
        ("client", true),
        ("expired", false),
        ("forged", false),
        ("unknown", false),
    ] {
        assert_eq!(
            authentication.valid_token(&of(token)).await.unwrap(),
            valid,
            "{token}"
        );
    }
    for (token, kind) in [
        ("html", ErrorKind::Protocol),
        ("proxy", ErrorKind::Refused),
        ("broken", ErrorKind::Server),
    ] {
        let error = authentication.valid_token(&of(token)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{token}");
    }
    assert_eq!(
        authentication
            .userinfo(&of("good"))
            .await
            .unwrap()
            .subject(),
        "guid"
    );
    assert_eq!(
        authentication
            .userinfo(&of("unknown"))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Refused
    );
    let seen = church.seen();
    assert!(seen.iter().all(|request| request.target
        == "/ministryplatformapi/oauth/connect/userinfo"
        && request.method == "GET"));
    assert_eq!(seen.len(), 10, "nothing is sent twice");
}

#[tokio::test]
async fn what_is_revoked_is_forgotten() {
    let church = Church::friendly().await;
    let authentication = church.authentication();
    let granted = authentication.authenticate().await.unwrap();
    authentication.revoke(granted.access_token()).await.unwrap();
    let seen = church.seen();
    assert_eq!(
        seen[1].target,
        "/ministryplatformapi/oauth/connect/revocation"
    );
    assert_eq!(
        seen[1].body,
        "token=t0&token_type_hint=access_token&client_id=client&client_secret=secret"
    );
    assert_eq!(text(&authentication.authenticate().await.unwrap()), "t2");
}

#[tokio::test]
async fn a_login_that_is_refused_says_so() {
    for (reply, kind, recovery) in [
        (
            refusal("invalid_grant"),
            ErrorKind::LoginRefused,
            Recovery::FixConfiguration,
        ),
        (
            refusal("invalid_client"),
            ErrorKind::LoginRefused,
            Recovery::FixConfiguration,
        ),
        (
            json(400, value!({"Message": "An error has occurred."})),
            ErrorKind::LoginRefused,
            Recovery::FixConfiguration,
        ),
        (
            (403, "<html>".to_owned(), "text/html"),
            ErrorKind::LoginRefused,
            Recovery::FixConfiguration,
        ),
        (
            (200, "<html>sign in</html>".to_owned(), "text/html"),
            ErrorKind::Protocol,
            Recovery::GiveUp,
        ),
        (
            (302, String::new(), "text/html"),
            ErrorKind::Protocol,
            Recovery::GiveUp,
        ),
        (
            json(200, value!({"Message": "hello"})),
            ErrorKind::Protocol,
            Recovery::GiveUp,
        ),
        (
            json(500, value!({"Message": "An error has occurred."})),
            ErrorKind::Server,
            Recovery::Retry { after: None },
        ),
    ] {
        let answer = reply.clone();
        let church = Church::new(move |_, _| answer.clone()).await;
        let error = church.authentication().authenticate().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.recovery()),
            (kind, recovery),
            "{reply:?}"
        );
        assert_eq!(church.seen().len(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn no_server_is_an_error_of_the_transport() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let church = Church::friendly().await;
    let authentication = Authentication::builder(format!("http://{closed}"))
        .username("u")
        .password("p")
        .client_id("c")
        .client_secret("s")
        .clock(Arc::new(church.clock.clone()))
        .build()
        .unwrap();
    let error = authentication.authenticate_client("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.is_transient() && std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn the_users_browser_is_sent_without_pkce_unless_it_is_switched_on() {
    let church = Church::friendly().await;
    let url = |pkce: bool| {
        let platform = MinistryPlatform::new(&church.url())
            .unwrap()
            .with_pkce(pkce);
        let authentication = Authentication::builder_for(platform)
            .username("u")
            .password("p")
            .client_id("client")
            .client_secret("s")
            .build()
            .unwrap();
        let request = authentication
            .core()
            .authorization_request("https://app.example.com/callback");
        let (url, _) = request
            .scopes(Scopes::parse("openid").unwrap())
            .param("realm", "realm")
            .build()
            .unwrap();
        url.to_string()
    };
    let plain = url(false);
    assert!(
        plain.starts_with(&format!(
            "{}/ministryplatformapi/oauth/connect/authorize?response_type=code",
            church.url()
        )),
        "{plain}"
    );
    assert!(
        plain.contains("&realm=realm") && !plain.contains("code_challenge"),
        "{plain}"
    );
    assert!(url(true).contains("code_challenge_method=S256"));
}

#[tokio::test]
async fn a_token_answer_that_misses_members_is_completed() {
    let church = Church::new(|_, n| {
        if n == 0 {
            json(200, value!({"access_token": "a", "expires_in": "soon"}))
        } else {
            token("b")
        }
    })
    .await;
    let authentication = church.authentication();
    let granted = authentication.authenticate().await.unwrap();
    assert_eq!(
        granted.expires_in(granted.issued_at()),
        Some(Duration::from_secs(3600))
    );
}
