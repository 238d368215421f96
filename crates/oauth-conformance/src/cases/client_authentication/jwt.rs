//! Clients that authenticate with a JWT of their own (RFC 7523 §2.2).

use std::{collections::HashSet, sync::Arc, time::Duration};

use oauth_core::{
    Client, ClientAuthMethod, EndpointKind, EndpointUrl, ErrorKind, Params, Provider, RetryPolicy,
    ServerMetadata, grant::ClientCredentials,
};
use serde_json::{Value, json};

use crate::{
    Context, Failure, Outcome, Received, Reply,
    cases::{
        expect,
        jwt::{self, Jwt},
    },
    ensure,
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The JWT in a request, opened; nothing else in it may authenticate the client.
fn shown(request: &Received, key: &Value) -> Result<Jwt, Failure> {
    let named = request.param("client_assertion_type");
    ensure_fails(
        named.as_deref() == Some(TYPE),
        format!("expected client_assertion_type {TYPE}, got {named:?}"),
    )?;
    ensure_fails(
        request.param("client_secret").is_none() && request.header("authorization").is_none(),
        "expected a JWT alone, got a second way to authenticate".to_owned(),
    )?;
    jwt::open(&request.param("client_assertion").unwrap_or_default(), key)
}

fn ensure_fails(condition: bool, text: String) -> Outcome {
    ensure!(condition, "{text}");
    Ok(())
}

/// Whom the JWT must be for: the issuer, where it is known.
fn audience(provider: &dyn Provider) -> String {
    let endpoints = provider.endpoints();
    let known = endpoints.issuer();
    known.unwrap_or(endpoints.token().as_str()).to_owned()
}

/// The claims that a JWT with this `jti` must have.
fn expected(cx: &Context, client: &Client, lifetime: u64, jti: &Value) -> Value {
    let now = jwt::seconds(cx);
    json!({
        "iss": client.client_id(), "sub": client.client_id(), "aud": audience(client.provider()),
        "iat": now, "exp": now + lifetime, "jti": jti,
    })
}

pub(super) async fn private_key(cx: Context) -> Outcome {
    let id = cx.credentials().client_id;
    for (name, (key, public)) in [("ES256", jwt::ec()?), ("RS256", jwt::rsa()?)] {
        let server = cx.scripted([cx.token_reply("t")]).await?;
        let provider = cx.target().provider(server.base_url())?;
        let client = cx
            .builder_for(provider, &id)
            .client_key(key.with_key_id("a-key"))
            .build()?;
        ensure!(
            !client.is_public(),
            "gave a key, expected a client that authenticates, got a public one"
        );
        let mut seen = HashSet::new();
        for _ in 0..3 {
            client.exchange(&ClientCredentials::new()).await?;
            let jwt = shown(&server.last()?, &public)?;
            let jti = &jwt.claims["jti"];
            let expected = expected(&cx, &client, 60, jti);
            ensure!(
                jwt.claims == expected,
                "signed with {name}, expected {expected}, got {}",
                jwt.claims
            );
            let new = jti
                .as_str()
                .is_some_and(|jti| jti.len() >= 22 && seen.insert(jti.to_owned()));
            ensure!(new, "expected a jti of 128 bits that is new, got {jti}");
            ensure!(
                jwt.header["kid"] == "a-key",
                "expected the key's kid in the header, got {}",
                jwt.header
            );
        }
    }
    // What the caller says otherwise.
    let server = cx.scripted([cx.token_reply("t")]).await?;
    let (key, public) = jwt::ec()?;
    let provider = cx.target().provider(server.base_url())?;
    let client = cx
        .builder_for(provider.clone(), &id)
        .client_key(key.clone())
        .assertion_audience("https://other.example/token")
        .assertion_lifetime(Duration::from_secs(10))
        .build()?;
    client.exchange(&ClientCredentials::new()).await?;
    let claims = shown(&server.last()?, &public)?.claims;
    let lifetime = claims["exp"].as_u64().zip(claims["iat"].as_u64());
    ensure!(
        claims["aud"] == "https://other.example/token"
            && lifetime.is_some_and(|(exp, iat)| exp - iat == 10),
        "configured audience and lifetime, expected both, got {claims}"
    );
    // And what does not fit together.
    let build = || cx.builder_for(provider.clone(), &id);
    for (builder, gave) in [
        (
            build().client_key(key.clone()).client_secret("s"),
            "a key and a secret",
        ),
        (
            build()
                .client_key(key.clone())
                .client_authentication(ClientAuthMethod::Basic),
            "a key and the method Basic",
        ),
        (
            build().client_authentication(ClientAuthMethod::PrivateKeyJwt),
            "the method without a key",
        ),
    ] {
        let client = builder.build();
        ensure!(
            client.is_err(),
            "gave {gave}, expected an error, got {client:?}"
        );
    }
    Ok(())
}

pub(super) async fn client_secret(cx: Context) -> Outcome {
    let id = cx.credentials().client_id;
    let secret = "a secret of 32 bytes & no less!!";
    let server = cx.scripted([cx.token_reply("t")]).await?;
    let provider = cx.target().provider(server.base_url())?;
    let build = |secret: &str| {
        cx.builder_for(provider.clone(), &id)
            .client_secret(secret)
            .client_authentication(ClientAuthMethod::ClientSecretJwt)
            .build()
    };
    let client = build(secret)?;
    client.exchange(&ClientCredentials::new()).await?;
    let request = server.last()?;
    let jwt = shown(&request, &jwt::secret(secret))?;
    let expected = expected(&cx, &client, 60, &jwt.claims["jti"]);
    ensure!(
        jwt.claims == expected,
        "signed with the secret, expected {expected}, got {}",
        jwt.claims
    );
    ensure!(
        !request.whole().contains("a+secret+of") && !request.whole().contains(secret),
        "signed with the secret, expected it to stay here, got it in the request"
    );
    for short in [&secret[1..], "s", ""] {
        let client = build(short);
        ensure!(
            client.is_err(),
            "gave a secret of {} bytes for HS256, expected an error, got {client:?}",
            short.len()
        );
    }
    Ok(())
}

pub(super) async fn new_for_each_try(cx: Context) -> Outcome {
    let (key, public) = jwt::ec()?;
    let unavailable = Reply::new(503);
    let server = cx
        .scripted([unavailable.clone(), unavailable, cx.token_reply("t")])
        .await?;
    let provider = cx.target().provider(server.base_url())?;
    let client = cx
        .builder_for(provider, &cx.credentials().client_id)
        .client_key(key)
        .retry(RetryPolicy::default())
        .build()?;
    client.exchange(&ClientCredentials::new()).await?;
    let mut seen = HashSet::new();
    for request in server.received() {
        let jwt = shown(&request, &public)?;
        seen.insert(jwt.claims["jti"].to_string());
    }
    ensure!(
        seen.len() == 3,
        "sent 503 twice, expected three requests with a jti each, got {seen:?}"
    );
    Ok(())
}

pub(in crate::cases) async fn for_one_server(cx: Context) -> Outcome {
    let (key, public) = jwt::ec()?;
    let id = cx.credentials().client_id;
    let (ours, theirs) = (
        cx.scripted([cx.token_reply("t")]).await?,
        cx.scripted([cx.token_reply("t")]).await?,
    );
    let client_of = |base: &str| -> Result<Client, Failure> {
        let provider = cx.target().provider(base)?;
        Ok(cx
            .builder_for(provider, &id)
            .client_key(key.clone())
            .build()?)
    };
    let mut audiences = HashSet::new();
    for server in [&ours, &theirs] {
        let client = client_of(server.base_url())?;
        client.exchange(&ClientCredentials::new()).await?;
        let aud = shown(&server.last()?, &public)?.claims["aud"].clone();
        let expected = audience(client.provider());
        ensure!(
            aud == expected,
            "expected a JWT for {expected}, got one for {aud}"
        );
        audiences.insert(expected);
    }
    ensure!(
        audiences.len() == 2,
        "asked two servers, expected a JWT for each, got them for {audiences:?}"
    );
    // A request to another server than the one whose JWT it would carry.
    let client = client_of(ours.base_url())?;
    let elsewhere = EndpointUrl::parse(&format!("{}/token", theirs.base_url()))?;
    let request = client.request(EndpointKind::Other("elsewhere"), &elsewhere, Params::new());
    match request {
        Err(error) => expect::is(&error, ErrorKind::Usage, "a request to another server")?,
        Ok(_) => ensure!(
            false,
            "asked for a request to another server, expected an error, got one with a JWT in it"
        ),
    }
    // Metadata that name somebody else as the issuer, so that the JWT would be for that one.
    let metadata = json!({"issuer": "https://honest.example", "token_endpoint": format!("{}/token", theirs.base_url())});
    let lying = cx.scripted([Reply::json(200, &metadata)]).await?;
    let read = ServerMetadata::discover(lying.base_url(), Arc::new(cx.transport())).await;
    ensure!(
        read.is_err(),
        "sent metadata of another issuer, expected an error, got {read:?}"
    );
    Ok(())
}

pub(super) async fn client_id_beside_it(cx: Context) -> Outcome {
    let (key, public) = jwt::ec()?;
    for id in [
        cx.credentials().client_id.as_str(),
        "https://client.example/é +&",
    ] {
        let server = cx.scripted([cx.token_reply("t")]).await?;
        let provider = cx.target().provider(server.base_url())?;
        let client = cx
            .builder_for(provider, id)
            .client_key(key.clone())
            .build()?;
        client.exchange(&ClientCredentials::new()).await?;
        let request = server.last()?;
        let subject = shown(&request, &public)?.claims["sub"].clone();
        let beside = request.param("client_id");
        ensure!(
            subject == id && beside.as_deref().is_none_or(|beside| beside == id),
            "the client is {id:?}, expected it as sub, and as client_id if at all, got {subject} and {beside:?}"
        );
    }
    Ok(())
}
