//! G1: threats of RFC 9700, each met by a whole flow.

mod callback;
mod server;

use std::sync::Arc;

use oauth_core::{
    Capability::{self, AuthorizationCode, ClientCredentials, Pkce, RefreshToken},
    Client, ClientAuthMethod, Endpoints, GenericProvider, ServerMetadata,
    grant::AuthorizationCode as Code,
    secrecy::ExposeSecret,
};
use serde_json::json;

use super::{authorize, client_authentication, manager, server_assertion, transport};
use crate::{
    Case, Context, Failure,
    Need::{self, AnyGrant, Can, ClientAuthenticationMethods, Counterpart, Server},
    Outcome, Reply, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "BCP-01" [Can(AuthorizationCode)] => callback::mix_up,
    "BCP-03" [Can(AuthorizationCode)] => callback::unexpected_issuer,
    "BCP-04" [Can(AuthorizationCode)] => callback::many_connectors,
    "BCP-05" [Can(AuthorizationCode)] => callback::session_fixation,
    "BCP-06" [Can(ClientCredentials), ClientAuthenticationMethods] => audience_injection,
    "BCP-07" [Can(AuthorizationCode)] => downgraded_by_metadata,
    "BCP-08" [Can(AuthorizationCode), Can(Pkce), Counterpart] => code_injection,
    "BCP-09" [Can(AuthorizationCode)] => callback::token_injection,
    "BCP-10" [Can(RefreshToken)] => manager::only_where_it_belongs,
    "BCP-11" [AnyGrant] => open_redirection,
    "BCP-12" [Counterpart, Server] => server::behind_a_proxy,
    "BCP-13" [Counterpart, Server] => super::server_client_credentials::subject,
    "BCP-14" [Counterpart, Server] => server::history,
    "BCP-15" [Counterpart, Server] => server::stolen_refresh_token,
    "BCP-16" [Counterpart, Server] => server::password_grant,
    "BCP-17" [AnyGrant] => weaker_client_authentication,
    "BCP-18" [Can(ClientCredentials)] => manager::credentials_in_a_loop,
};

/// The client's half is what it signs, the server's what it takes.
async fn audience_injection(cx: Context) -> Outcome {
    client_authentication::for_one_server(cx.clone()).await?;
    if cx.lacks(Need::Server) {
        return Ok(());
    }
    server_assertion::audience(cx).await
}

/// What a client makes of metadata that want less of it than S256.
async fn downgraded_by_metadata(cx: Context) -> Outcome {
    for methods in [json!(null), json!([]), json!(["plain"]), json!(["none"])] {
        let client = announced(
            &cx,
            &[("code_challenge_methods_supported", methods.clone())],
        )
        .await?;
        let (url, mut pending) = authorize::begin(&cx, &client)?;
        let method = authorize::once(&url, "code_challenge_method")?;
        ensure!(
            method == "S256",
            "sent metadata with the methods {methods}, expected S256, got {method}"
        );
        let (challenge, state) = (
            authorize::once(&url, "code_challenge")?,
            authorize::once(&url, "state")?,
        );
        let verifier = authorize::verifier(&pending)?;
        pending.accept(&format!(
            "code=a-code&state={state}&iss=https%3A%2F%2Fid.example.com"
        ))?;
        ensure!(
            verifier != challenge,
            "sent metadata with the methods {methods}, expected a verifier that is not the challenge"
        );
    }
    Ok(())
}

const ISSUER: &str = "https://id.example.com";

/// A client of a server whose metadata have these members, too.
async fn announced(cx: &Context, members: &[(&str, serde_json::Value)]) -> Result<Client, Failure> {
    let mut metadata = json!({
        "issuer": ISSUER,
        "token_endpoint": format!("{ISSUER}/token"),
        "authorization_endpoint": format!("{ISSUER}/authorize"),
    });
    for (name, value) in members {
        if !value.is_null() {
            metadata[*name] = value.clone();
        }
    }
    let server = cx.scripted([Reply::json(200, &metadata)]).await?;
    let transport = Arc::new(cx.transport());
    let metadata = ServerMetadata::discover_as(server.base_url(), ISSUER, transport).await?;
    let own = cx.credentials();
    let provider = Arc::new(GenericProvider::from_metadata(&metadata)?);
    Ok(cx
        .builder_for(provider, &own.client_id)
        .client_secret(own.client_secret)
        .build()?)
}

/// A code that was got in another session, by another verifier.
async fn code_injection(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let client = cx.client(counterpart.base_url())?;
    let own = cx.credentials();
    let (theirs, mut their_session) = authorize::begin(&cx, &client)?;
    let (mine, mut my_session) = authorize::begin(&cx, &client)?;
    let code = counterpart
        .control()
        .code(json!({
            "client_id": own.client_id, "redirect_uri": own.redirect_uri,
            "scope": own.scopes.to_string(), "code_challenge_method": "S256",
            "code_challenge": authorize::once(&theirs, "code_challenge")?,
        }))
        .await?;
    let back = |url: &url::Url| -> Result<String, Failure> {
        let state = authorize::once(url, "state")?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([("code", &code), ("state", &state)]);
        if let Some(issuer) = client.provider().endpoints().issuer() {
            query.append_pair("iss", issuer);
        }
        Ok(query.finish())
    };
    let injected = client.exchange(&my_session.accept(&back(&mine)?)?).await;
    let refused = injected
        .as_ref()
        .is_err_and(oauth_core::Error::needs_reauthorization);
    ensure!(
        refused,
        "sent a code of another session with this one's verifier, expected invalid_grant, got {injected:?}"
    );
    // A server may take a code that met a wrong verifier for lost.
    let code: Code = their_session.accept(&back(&theirs)?)?;
    drop(client.exchange(&code).await);
    Ok(())
}

async fn open_redirection(cx: Context) -> Outcome {
    transport::not_followed(cx.clone()).await?;
    if cx.lacks(Need::Server) {
        return Ok(());
    }
    super::server_authorize::untrusted_request(cx.clone()).await?;
    super::server_authorize::forwarding_parameters(cx).await
}

/// Metadata that name a weaker method than the client was built with change nothing.
async fn weaker_client_authentication(cx: Context) -> Outcome {
    let own = cx.credentials();
    for listed in [
        json!(["none"]),
        json!(["client_secret_post"]),
        json!(["client_secret_post", "none"]),
    ] {
        let server = cx.scripted([cx.token_reply("a")]).await?;
        let base = server.base_url();
        let metadata = json!({
            "issuer": base, "token_endpoint": format!("{base}/token"),
            "token_endpoint_auth_methods_supported": listed,
        });
        let announcing = cx.scripted([Reply::json(200, &metadata)]).await?;
        let transport = Arc::new(cx.transport());
        let read = ServerMetadata::discover_as(announcing.base_url(), base, transport).await?;
        let provider = Arc::new(GenericProvider::from_metadata(&read)?);
        let client = cx
            .builder_for(provider, &own.client_id)
            .client_secret(own.client_secret.clone())
            .client_authentication(ClientAuthMethod::Basic)
            .build()?;
        cx.ask(&client).await?;
        let request = server.last()?;
        let basic = request
            .header("authorization")
            .is_some_and(|header| header.starts_with("Basic "));
        let secret = own.client_secret.expose_secret();
        ensure!(
            basic && !request.body().contains(secret),
            "was built for Basic and met metadata with {listed}, expected Basic alone, got another request"
        );
    }
    // The target's own provider has its method by itself, whatever a server announces.
    let target = cx.target().provider("http://127.0.0.1:9")?;
    let (first, again) = (
        target.client_authentication(),
        cx.target()
            .provider("http://127.0.0.1:9")?
            .client_authentication(),
    );
    ensure!(
        first == again,
        "expected one method of the provider's, got {first:?} and {again:?}"
    );
    Ok(())
}

/// A client of a plain provider at `base`, whose callbacks name this issuer.
fn client_of(cx: &Context, base: &str, announces: bool) -> Result<Client, Failure> {
    let own = cx.credentials();
    let endpoints = Endpoints::new(&format!("{base}/token"))?
        .with_authorization(&format!("{base}/authorize"))?
        .with_issuer(base)
        .with_iss_in_callback(announces);
    let provider = GenericProvider::new(endpoints);
    ensure!(
        oauth_core::Provider::capabilities(&provider).contains(Capability::AuthorizationCode),
        "expected a provider with an authorization endpoint to have the code grant"
    );
    Ok(cx
        .builder_for(Arc::new(provider), &own.client_id)
        .client_secret(own.client_secret)
        .build()?)
}
