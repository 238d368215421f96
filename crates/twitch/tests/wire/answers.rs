//! Every answer that Twitch is known to give, over a real socket.

use std::{collections::BTreeSet, path::Path, time::Duration};

use oauth_core::{
    AccessToken, ErrorCode, ErrorKind, Recovery, RefreshToken, Scopes, Token, TokenSet,
};
use twitch::{Revoked, oauth_core};

use super::support::{Answer, Server, fixture, now, text_of};

async fn code(answer: Answer) -> Result<TokenSet, oauth_core::Error> {
    Server::of([answer])
        .await
        .confidential()
        .token_get_from_code("code", "http://localhost")
        .await
}

async fn refresh(answer: Answer) -> Result<TokenSet, oauth_core::Error> {
    let server = Server::of([answer]).await;
    server
        .confidential()
        .token_refresh_with(&RefreshToken::new("old").unwrap())
        .await
}

fn scopes(text: &str) -> Scopes {
    text.parse().unwrap()
}

#[tokio::test]
async fn tokens_on_the_code_path_and_on_the_refresh_path() {
    for (name, scope, seconds, new) in [
        (
            "token.code.200",
            "channel:moderate chat:edit chat:read",
            Some(14_124),
            "5b93chm6hdve3mycz05zfzatkfdenfspp1h1ar2xxdalen01",
        ),
        (
            "token.refresh.200",
            "channel:manage:polls channel:read:subscriptions",
            None,
            "eyJfMzUtNDU0OC4MWYwLTQ5MDY5ODY4NGNlMSJ9%asdfasdf=",
        ),
        (
            "token.refresh.scope_string.200",
            "channel:read:subscriptions",
            Some(5_215_742),
            "eyJfaWQmNzMtNGCJ9%6VFV5LNrZFUj8oU231/3Aj",
        ),
        (
            "token.device.200",
            "channel:manage:broadcast",
            Some(14_820),
            "rt",
        ),
        ("token.device.noscope.200", "", Some(14_542), "<redacted>"),
        (
            "token.oidc_code.200",
            "openid user:read:email",
            Some(14_487),
            "<redacted>",
        ),
    ] {
        for token in [
            code(fixture(name)).await.unwrap(),
            refresh(fixture(name)).await.unwrap(),
        ] {
            assert_eq!(token.scopes(), &scopes(scope), "{name}");
            assert_eq!(
                token.expires_at(),
                seconds.map(|seconds| now() + Duration::from_secs(seconds)),
                "{name}"
            );
            assert_eq!(
                token.refresh_token().unwrap().expose_secret(),
                new,
                "{name}"
            );
            assert!(
                !token.is_expired(now()),
                "{name}: an expiry that is unknown is not over"
            );
        }
    }
    let oidc = code(fixture("token.oidc_code.200")).await.unwrap();
    assert_eq!(oidc.id_token(), Some("<redacted JWT>"));
}

#[tokio::test]
async fn an_app_token_has_neither_scopes_nor_a_refresh_token() {
    let server = Server::of([fixture("token.app.200")]).await;
    let token = server.confidential().app_token().await.unwrap();
    assert_eq!(
        token.expires_at(),
        Some(now() + Duration::from_secs(5_011_271))
    );
    assert_eq!(
        (
            token.refresh_token(),
            token.scopes().len(),
            token.client_id()
        ),
        (None, 0, "cid")
    );
}

#[tokio::test]
async fn what_older_and_odder_answers_leave_out() {
    for (body, scope) in [
        (r#"{"access_token":"a"}"#, ""),
        (
            r#"{"access_token":"a","scope":null,"token_type":"Bearer"}"#,
            "",
        ),
        (r#"{"access_token":"a","scope":[""],"expires_in":null}"#, ""),
        (
            r#"{"access_token":"a","scope":["chat:read chat:edit"]}"#,
            "chat:edit chat:read",
        ),
    ] {
        let token = refresh(Answer::new(200, body)).await.unwrap();
        assert_eq!(
            (token.scopes(), token.expires_at()),
            (&scopes(scope), None),
            "{body}"
        );
        assert_eq!(
            token.refresh_token().unwrap().expose_secret(),
            "old",
            "{body}"
        );
    }
    let spent = refresh(Answer::new(200, r#"{"access_token":"a","expires_in":0}"#))
        .await
        .unwrap();
    assert!(
        spent.is_expired(now()),
        "0 is for ever in a validation only"
    );
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let fix = Recovery::FixConfiguration;
    for (name, want, recovery) in [
        (
            "token.refresh.400",
            ErrorCode::InvalidGrant,
            Recovery::Reauthorize,
        ),
        (
            "token.refresh.noerrorfield.400",
            ErrorCode::InvalidGrant,
            Recovery::Reauthorize,
        ),
        (
            "token.refresh.invalid_grant.400",
            ErrorCode::InvalidGrant,
            Recovery::Reauthorize,
        ),
        (
            "token.device.invalid_code.400",
            ErrorCode::InvalidGrant,
            Recovery::Reauthorize,
        ),
        (
            "token.device.pending.400",
            ErrorCode::AuthorizationPending,
            Recovery::Retry { after: None },
        ),
        (
            "token.missing_client_secret.400",
            ErrorCode::InvalidClient,
            fix,
        ),
        (
            "token.invalid_client_secret.403",
            ErrorCode::InvalidClient,
            fix,
        ),
        (
            "token.redirect_mismatch.400",
            ErrorCode::InvalidRequest,
            fix,
        ),
    ] {
        for error in [
            code(fixture(name)).await.unwrap_err(),
            refresh(fixture(name)).await.unwrap_err(),
        ] {
            assert_eq!(
                (error.kind(), error.code(), error.recovery()),
                (ErrorKind::OAuth, Some(&want), recovery),
                "{name}"
            );
        }
    }
    let dead = refresh(Answer::new(401, "")).await.unwrap_err();
    assert!(dead.needs_reauthorization(), "{dead}");
    let proxy = refresh(Answer::new(401, "<html>sign in</html>").with("content-type", "text/html"))
        .await
        .unwrap_err();
    assert_eq!(
        proxy.kind(),
        ErrorKind::Protocol,
        "not Twitch's word, so the session is not over"
    );
}

#[tokio::test]
async fn a_401_without_known_words_is_the_clients_where_no_user_has_consented() {
    for body in ["", "{}", r#"{"status":401,"message":"half past nine"}"#] {
        let server = Server::of([Answer::new(401, body)]).await;
        let error = server.confidential().app_token().await.unwrap_err();
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient), "{body}");
        assert_eq!(error.recovery(), Recovery::FixConfiguration, "{body}");
        let said = error.oauth_error().unwrap().description();
        assert_eq!(said.is_some(), body.contains("message"), "{body}");
    }
}

#[tokio::test]
async fn a_server_fault_keeps_the_session() {
    let server = Server::of([fixture("token.server_error.500")]).await;
    let client = server.confidential();
    let error = client
        .token_refresh_with(&RefreshToken::new("old").unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(error.is_transient() && !error.needs_reauthorization());
    assert_eq!(
        server.asked().len(),
        1,
        "a refresh is not sent blindly again"
    );
}

#[tokio::test]
async fn validations() {
    let token = AccessToken::new("at").unwrap();
    for (name, user, lifetime) in [
        ("validate.user.200", Some("141981764"), Some(5_520_838)),
        ("validate.app.200", None, Some(5_206_826)),
        ("validate.scopes_null.200", Some("<digits>"), Some(14_542)),
        ("validate.never_expires.200", Some("<digits>"), None),
    ] {
        let server = Server::of([fixture(name)]).await;
        let validation = server.public().token_validate(&token).await.unwrap();
        assert_eq!(validation.user_id(), user, "{name}");
        assert_eq!(
            validation.expires_in(),
            lifetime.map(Duration::from_secs),
            "{name}"
        );
    }
    let of = async |answer| {
        Server::of([answer])
            .await
            .public()
            .token_validate(&token)
            .await
            .unwrap_err()
    };
    let dead = of(fixture("validate.invalid.401")).await;
    assert_eq!(dead.code(), Some(&ErrorCode::InvalidToken));
    assert_eq!(dead.recovery(), Recovery::Renew);
    assert_eq!(
        of(fixture("validate.missing.401")).await.recovery(),
        Recovery::FixConfiguration
    );
    assert!(
        of(Answer::new(500, "")).await.is_transient(),
        "says nothing about the token"
    );
    assert_eq!(
        of(Answer::new(200, "<html>")).await.kind(),
        ErrorKind::Protocol
    );
}

#[tokio::test]
async fn revocations() {
    let token = AccessToken::new("at").unwrap();
    let of = async |answer| {
        Server::of([answer])
            .await
            .confidential()
            .token_revoke(&token)
            .await
    };
    assert_eq!(of(Answer::new(200, "")).await.unwrap(), Revoked::Now);
    assert_eq!(
        of(fixture("revoke.invalid_token.400")).await.unwrap(),
        Revoked::AlreadyGone
    );
    let unknown = of(fixture("revoke.unknown_client.404")).await.unwrap_err();
    assert_eq!(
        (unknown.code(), unknown.recovery()),
        (Some(&ErrorCode::InvalidClient), Recovery::FixConfiguration)
    );
    assert!(of(Answer::new(500, "")).await.unwrap_err().is_transient());
    assert!(
        of(Answer::new(
            400,
            r#"{"status":400,"message":"missing token"}"#
        ))
        .await
        .is_err()
    );
}

#[test]
fn every_fixture_has_a_source() {
    let readme = text_of("README.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files: BTreeSet<String> = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for file in files.iter().filter(|file| *file != "README.md") {
        assert!(
            readme.contains(&format!("| `{file}` |")),
            "{file} is not in the README"
        );
    }
    assert_eq!(files.len(), 34);
}
