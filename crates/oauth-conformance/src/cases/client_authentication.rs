//! A6: how a client says who it is.

mod certificate;
mod jwt;
mod placement;

pub(super) use jwt::for_one_server;

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use oauth_core::{
    Capability::{self, ClientCredentials as CanClientCredentials, PublicClients},
    Client, ClientAuthMethod, Endpoints, ErrorKind, GenericProvider, RefreshToken, RetryPolicy,
    ServerMetadata, grant,
    secrecy::ExposeSecret,
};
use serde_json::{Value, json};

use crate::{
    Case, Context, Failure,
    Need::{AnyGrant, Can, ClientAuthenticationMethods},
    Outcome, Received, Reply, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "AUT-01" [AnyGrant, ClientAuthenticationMethods] => basic,
    "AUT-02" [AnyGrant] => vectors,
    "AUT-03" [AnyGrant, ClientAuthenticationMethods] => raw_basic,
    "AUT-04" [Can(PublicClients), Can(Capability::RefreshToken)] => without_a_secret,
    "AUT-05" [AnyGrant] => post,
    "AUT-06" [AnyGrant] => placement::one_method_at_a_time,
    "AUT-07" [AnyGrant] => placement::nothing_in_the_uri,
    "AUT-08" [AnyGrant, ClientAuthenticationMethods] => choice_of_method,
    "AUT-09" [AnyGrant] => never_probed,
    "AUT-10" [Can(CanClientCredentials), ClientAuthenticationMethods] => jwt::private_key,
    "AUT-11" [Can(CanClientCredentials), ClientAuthenticationMethods] => jwt::client_secret,
    "AUT-12" [Can(CanClientCredentials), ClientAuthenticationMethods] => jwt::new_for_each_try,
    "AUT-13" [Can(CanClientCredentials), ClientAuthenticationMethods] => jwt::for_one_server,
    "AUT-14" [Can(CanClientCredentials), ClientAuthenticationMethods] => jwt::client_id_beside_it,
    "AUT-15" [Can(CanClientCredentials), ClientAuthenticationMethods] => certificate::in_the_body_and_at_the_aliases,
};

/// The client in a request, as a server decodes it: its id, and the secret if it gave one.
pub(super) fn presented(request: &Received) -> Option<(String, Option<String>)> {
    let Some(pair) = basic_pair(request) else {
        return Some((request.param("client_id")?, request.param("client_secret")));
    };
    let (id, secret) = pair.split_once(':')?;
    let decode = |half: &str| {
        let field = format!("x={half}");
        form_urlencoded::parse(field.as_bytes())
            .next()
            .map(|(_, text)| text.into_owned())
    };
    Some((decode(id)?, Some(decode(secret)?)))
}

/// What is in a Basic header, before anything is decoded but base64.
fn basic_pair(request: &Received) -> Option<String> {
    let pair = request.header("authorization")?.strip_prefix("Basic ")?;
    String::from_utf8(BASE64_STANDARD.decode(pair).ok()?).ok()
}

/// The request of a client with this id, secret and method.
async fn request_of(
    cx: &Context,
    id: &str,
    secret: &str,
    method: Option<ClientAuthMethod>,
) -> Result<Received, Failure> {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let provider = cx.target().provider(server.base_url())?;
    let mut builder = Client::builder_for(provider, id).client_secret(secret);
    if let Some(method) = method {
        builder = builder.client_authentication(method);
    }
    let client = builder.build()?;
    cx.ask(&client).await?;
    server
        .received()
        .pop()
        .ok_or_else(|| Failure::new("no request came"))
}

async fn basic(cx: Context) -> Outcome {
    let method = Some(ClientAuthMethod::Basic);
    for (id, secret, expected) in [
        ("an:identifier", " %&+", "an%3Aidentifier:+%25%26%2B"),
        ("sören", "µ/ä=", "s%C3%B6ren:%C2%B5%2F%C3%A4%3D"),
        ("plain-id", "plain_secret.", "plain-id:plain_secret."),
    ] {
        let request = request_of(&cx, id, secret, method).await?;
        let got = basic_pair(&request);
        ensure!(
            got.as_deref() == Some(expected),
            "gave {id:?} and {secret:?}, expected Basic of {expected:?}, got {got:?}"
        );
        for name in ["client_id", "client_secret"] {
            ensure!(
                request.param(name).is_none(),
                "chose Basic, expected no {name} in the body"
            );
        }
    }
    Ok(())
}

async fn vectors(cx: Context) -> Outcome {
    let long = "9~+ö".repeat(1024);
    let odd = [
        "client %&+-_.!~*'()",
        "an:identifier",
        " %&+",
        "sören:müller",
        ":/&%%(/(&/) %&%&/%/&",
        "🦀🔑",
        "\"\\\u{1}\u{7f}",
        &long,
    ];
    // A provider with one method of its own has to get them through all the same.
    let methods = if cx.target().lacks().contains(&ClientAuthenticationMethods) {
        vec![None]
    } else {
        vec![Some(ClientAuthMethod::Basic), Some(ClientAuthMethod::Post)]
    };
    for method in methods {
        for (id, secret) in odd
            .iter()
            .map(|text| (*text, *text))
            .chain([("id", ""), ("id", " ")])
        {
            let request = request_of(&cx, id, secret, method).await?;
            let expected = (id.to_owned(), Some(secret.to_owned()));
            let got = presented(&request);
            ensure!(
                got.as_ref() == Some(&expected),
                "gave {expected:?} with {method:?}, expected the server to decode it, got {got:?}"
            );
        }
    }
    Ok(())
}

async fn raw_basic(cx: Context) -> Outcome {
    let request = request_of(&cx, "an id", " %&+ö:", Some(ClientAuthMethod::BasicRaw)).await?;
    let got = basic_pair(&request);
    ensure!(
        got.as_deref() == Some("an id: %&+ö:"),
        "chose plain Basic for \"an id\" and \" %&+ö:\", expected them as they are, got {got:?}"
    );
    let colon = Client::builder_for(cx.target().provider("http://127.0.0.1:9")?, "an:id")
        .client_secret("secret")
        .client_authentication(ClientAuthMethod::BasicRaw)
        .build();
    ensure!(
        colon.is_err(),
        "gave plain Basic an id with a colon, expected an error, got {colon:?}"
    );
    let plain = GenericProvider::new(Endpoints::new("https://id.example.com/token")?);
    let default = oauth_core::Provider::client_authentication(&plain);
    ensure!(
        default == ClientAuthMethod::Basic,
        "expected a provider that says nothing to encode first, got {default:?}"
    );
    Ok(())
}

async fn without_a_secret(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx.public_client(server.base_url())?;
    client
        .exchange(&grant::RefreshToken::new(RefreshToken::new(
            "a-refresh-token",
        )?))
        .await?;
    let received = server.received();
    let id = received[0].param("client_id");
    ensure!(
        id.as_deref() == Some(client.client_id()),
        "a client without a secret asked, expected its client_id in the body, got {id:?}"
    );
    ensure!(
        received[0].header("authorization").is_none()
            && received[0].param("client_secret").is_none(),
        "a client without a secret asked, expected no Authorization header and no client_secret"
    );
    Ok(())
}

async fn post(cx: Context) -> Outcome {
    let own = cx.credentials();
    let secret = own.client_secret.expose_secret();
    let request = request_of(&cx, &own.client_id, secret, Some(ClientAuthMethod::Post)).await?;
    let got = (request.param("client_id"), request.param("client_secret"));
    ensure!(
        got == (Some(own.client_id.clone()), Some(secret.to_owned())),
        "chose client_secret_post, expected id and secret in the body, got id {:?}",
        got.0
    );
    let header = request.header("authorization");
    ensure!(
        header.is_none(),
        "chose client_secret_post, expected no Authorization header, got one"
    );
    Ok(())
}

async fn choice_of_method(cx: Context) -> Outcome {
    // From configuration.
    for method in [ClientAuthMethod::Basic, ClientAuthMethod::Post] {
        let request = request_of(&cx, "an-id", "a-secret", Some(method)).await?;
        let basic = request.header("authorization").is_some();
        ensure!(
            basic == (method == ClientAuthMethod::Basic),
            "chose {method:?}, expected it to be used, got the other"
        );
    }
    // From metadata.
    for (listed, expected) in [
        (None, Some(ClientAuthMethod::Basic)),
        (
            Some(json!(["client_secret_post"])),
            Some(ClientAuthMethod::Post),
        ),
        (
            Some(json!(["private_key_jwt", "client_secret_basic"])),
            Some(ClientAuthMethod::Basic),
        ),
        (Some(json!(["none"])), None),
        (Some(json!(["private_key_jwt", "tls_client_auth"])), None),
        (Some(json!([])), None),
    ] {
        let got = from_metadata(&cx, listed.clone()).await?;
        ensure!(
            got == expected,
            "the metadata list {listed:?}, expected {expected:?}, got {got:?}"
        );
    }
    Ok(())
}

/// The method that a client with a secret takes when the metadata list these; `None` when it is
/// refused for there being none.
async fn from_metadata(
    cx: &Context,
    listed: Option<Value>,
) -> Result<Option<ClientAuthMethod>, Failure> {
    let issuer = "https://id.example.com";
    let mut metadata = json!({"issuer": issuer, "token_endpoint": format!("{issuer}/token")});
    if let Some(listed) = listed {
        metadata["token_endpoint_auth_methods_supported"] = listed;
    }
    let server = cx.scripted([Reply::json(200, &metadata)]).await?;
    let transport = Arc::new(cx.transport());
    let metadata = ServerMetadata::discover_as(server.base_url(), issuer, transport).await?;
    let provider = GenericProvider::from_metadata(&metadata)?;
    let method = oauth_core::Provider::client_authentication(&provider);
    let client = Client::builder(provider, "an-id").transport(cx.transport());
    match (method, client.client_secret("a-secret").build()) {
        (ClientAuthMethod::None, Ok(_)) => {
            Err(Failure::new("a method that is not listed was taken"))
        }
        (ClientAuthMethod::None, Err(error)) if error.kind() == ErrorKind::Usage => Ok(None),
        (_, Err(error)) => Err(error.into()),
        (method, Ok(_)) => Ok(Some(method)),
    }
}

async fn never_probed(cx: Context) -> Outcome {
    let refusal = Reply::json(401, &json!({"error": "invalid_client"}))
        .header("WWW-Authenticate", "Basic realm=\"token\"");
    let server = cx
        .scripted([refusal, cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx
        .builder(server.base_url())?
        .retry(RetryPolicy::default())
        .build()?;
    let result = cx.ask(&client).await;
    ensure!(
        result.is_err(),
        "sent a 401 with Basic, expected an error, got {result:?}"
    );
    let count = server.received().len();
    ensure!(
        count == 1,
        "sent a 401 with Basic, expected no second try, got {count} requests"
    );
    Ok(())
}
