//! A5, second part: pushed authorization requests.

use oauth_core::{Capability, ClientAuthMethod, Error, ErrorCode, ErrorKind, PendingAuthorization};
use serde_json::json;
use url::Url;

use super::{client_authentication::presented, expect};
use crate::{
    Case, Context, Failure,
    Need::{Can, StandardErrors},
    Outcome, Reply, ScriptedServer, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "REQ-55" [Can(Capability::PushedAuthorization)] => everything_is_pushed,
    "REQ-56" [Can(Capability::PushedAuthorization), StandardErrors] => answer,
    "REQ-57" [Can(Capability::PushedAuthorization)] => request_uri_as_a_parameter,
};

const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c";

fn pushed() -> Reply {
    Reply::json(201, &json!({"request_uri": REQUEST_URI, "expires_in": 60}))
}

type Pushed = Result<(Url, PendingAuthorization), Error>;

async fn push(
    cx: &Context,
    server: &ScriptedServer,
    method: ClientAuthMethod,
) -> Result<Pushed, Failure> {
    let own = cx.credentials();
    let client = cx
        .builder(server.base_url())?
        .client_authentication(method)
        .build()?;
    let request = client
        .authorization_request(&own.redirect_uri)
        .scopes(own.scopes)
        .pkce(true)
        .param("login_hint", "a b&c");
    Ok(request.push().await)
}

async fn everything_is_pushed(cx: Context) -> Outcome {
    let own = cx.credentials();
    let scope = own.scopes.to_string();
    for method in [ClientAuthMethod::Basic, ClientAuthMethod::Post] {
        let server = cx.scripted([pushed(), cx.token_reply("t")]).await?;
        let (url, mut pending) = push(&cx, &server, method).await??;
        let provider = cx.target().provider(server.base_url())?;
        let endpoint = provider.endpoints().pushed_authorization();
        let request = server.last()?;
        ensure!(
            request.method() == "POST"
                && endpoint.map(|url| url.as_url().path()) == Some(request.path()),
            "expected POST to {endpoint:?}, got {} to {}",
            request.method(),
            request.target()
        );
        let client = presented(&request).map(|(id, secret)| (id, secret.is_some()));
        ensure!(
            client == Some((own.client_id.clone(), true)),
            "chose {method:?}, expected the client authenticated, got {client:?}"
        );
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", &own.client_id),
            ("redirect_uri", &own.redirect_uri),
            ("scope", &scope),
            ("code_challenge_method", "S256"),
            ("login_hint", "a b&c"),
        ] {
            let got: Vec<_> = request
                .params()
                .into_iter()
                .filter(|(have, _)| have == name)
                .collect();
            ensure!(
                got == [(name.to_owned(), value.to_owned())],
                "chose {method:?}, expected {name}={value:?} once in the pushed body, got {got:?}"
            );
        }
        let front: Vec<_> = url.query_pairs().into_owned().collect();
        let expected = [
            ("client_id".to_owned(), own.client_id.clone()),
            ("request_uri".to_owned(), REQUEST_URI.to_owned()),
        ];
        ensure!(
            front == expected,
            "expected {expected:?} in the URL alone, got {front:?}"
        );

        // What was pushed is what the rest of the flow holds to.
        let state = request.param("state").unwrap_or_default();
        let foreign = pending.accept("code=c&state=another");
        ensure!(
            foreign.is_err(),
            "another state, expected an error, got {foreign:?}"
        );
        let grant = pending.accept(&format!("code=c&state={state}"))?;
        cx.client(server.base_url())?.exchange(&grant).await?;
        let verifier = server.last()?.param("code_verifier");
        ensure!(
            verifier.as_ref().map(String::len) == Some(43),
            "expected the code's verifier at the token endpoint, got {verifier:?}"
        );
    }
    let provider = cx.target().provider("http://127.0.0.1:9")?;
    ensure!(
        !provider.endpoints().pushed_authorization_required(),
        "the suite's provider must take both ways"
    );
    Ok(())
}

async fn answer(cx: Context) -> Outcome {
    let method = ClientAuthMethod::Post;
    let server = cx.scripted([pushed()]).await?;
    let (_, pending) = push(&cx, &server, method).await??;
    let end = pending.request_ends_at();
    let expected = cx.now() + std::time::Duration::from_secs(60);
    ensure!(
        end == Some(expected),
        "sent expires_in 60, expected it to end then, got {end:?}"
    );
    let uri = json!({"request_uri": REQUEST_URI});
    for (reply, sent) in [
        (Reply::json(201, &uri), "no expires_in".to_owned()),
        (
            Reply::json(
                201,
                &json!({"request_uri": REQUEST_URI, "expires_in": "soon"}),
            ),
            "a text for expires_in".to_owned(),
        ),
        (
            Reply::json(201, &json!({"expires_in": 60})),
            "no request_uri".to_owned(),
        ),
        (
            Reply::json(201, &json!({"request_uri": 7, "expires_in": 60})),
            "a number for request_uri".to_owned(),
        ),
        (
            Reply::json(201, &json!({"request_uri": "no uri", "expires_in": 60})),
            "a request_uri that is none".to_owned(),
        ),
        (pushed().status(200), "200".to_owned()),
        (pushed().status(202), "202".to_owned()),
        (Reply::new(201).body("<html>"), "a page".to_owned()),
        (Reply::new(204), "204".to_owned()),
    ] {
        let server = cx.scripted([reply]).await?;
        match push(&cx, &server, method).await? {
            Err(error) => expect::is(&error, ErrorKind::Protocol, &sent)?,
            Ok(_) => ensure!(false, "sent {sent}, expected an error, got a URL"),
        }
    }
    let server = cx.scripted([cx.refusal("invalid_request")?]).await?;
    let refused = push(&cx, &server, method).await?;
    let code = refused.as_ref().err().and_then(Error::code);
    ensure!(
        code == Some(&ErrorCode::InvalidRequest),
        "sent invalid_request, expected it, got {refused:?}"
    );

    // A second request gets a reference of its own, for one use.
    let other = "urn:ietf:params:oauth:request_uri:second";
    let second = Reply::json(201, &json!({"request_uri": other, "expires_in": 60}));
    let server = cx.scripted([pushed(), second]).await?;
    for expected in [REQUEST_URI, other] {
        let (url, _) = push(&cx, &server, method).await??;
        let got = url.query_pairs().find(|(name, _)| name == "request_uri");
        let got = got.map(|(_, value)| value.into_owned());
        ensure!(
            got.as_deref() == Some(expected),
            "pushed once more, expected {expected}, got {got:?}"
        );
    }
    let states: std::collections::HashSet<_> = server
        .received()
        .iter()
        .map(|request| request.param("state"))
        .collect();
    ensure!(
        states.len() == 2,
        "pushed twice, expected two states, got {}",
        states.len()
    );
    Ok(())
}

async fn request_uri_as_a_parameter(cx: Context) -> Outcome {
    let server = cx.scripted([pushed()]).await?;
    let client = cx.client(server.base_url())?;
    let begin = || {
        client
            .authorization_request(cx.credentials().redirect_uri)
            .param("request_uri", REQUEST_URI)
    };
    let pushed = begin().push().await.map(|_| ());
    for (how, result) in [("pushed", pushed), ("built", begin().build().map(|_| ()))] {
        match result {
            Err(error) => expect::is(&error, ErrorKind::Usage, "request_uri as a parameter")?,
            Ok(()) => ensure!(
                false,
                "{how} request_uri as a parameter, expected an error, got a URL"
            ),
        }
    }
    let sent = server.received().len();
    ensure!(
        sent == 0,
        "gave request_uri as a parameter, expected no request, got {sent}"
    );
    Ok(())
}
