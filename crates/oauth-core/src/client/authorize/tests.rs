use std::sync::Arc;

use super::*;
use crate::{
    ClientBuilder, Endpoints, ErrorCode, ErrorKind, GenericProvider, Limits, Transport,
    TransportError, TransportErrorKind, grant::Grant,
};

#[derive(Debug)]
struct Nowhere;

#[async_trait::async_trait]
impl Transport for Nowhere {
    async fn send(
        &self,
        _: http::Request<bytes::Bytes>,
        _: Limits,
    ) -> Result<http::Response<bytes::Bytes>, TransportError> {
        Err(TransportError::new(TransportErrorKind::Connect))
    }
}

fn endpoints() -> Endpoints {
    Endpoints::new("https://as.example/token")
        .unwrap()
        .with_authorization("https://as.example/authorize?tenant=a%20b")
        .unwrap()
        .with_issuer("https://as.example")
}

fn builder(endpoints: Endpoints) -> ClientBuilder {
    Client::builder_for(Arc::new(GenericProvider::new(endpoints)), "id").transport(Nowhere)
}

fn begun(endpoints: Endpoints) -> (url::Url, PendingAuthorization, String) {
    let client = builder(endpoints).build().unwrap();
    let (url, pending) = client
        .authorization_request("http://localhost")
        .scopes("b a".parse().unwrap())
        .build()
        .unwrap();
    let state = url
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    (url, pending, state)
}

#[test]
fn the_vector_of_rfc_7636_appendix_b() {
    assert_eq!(
        challenge(&"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into()),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
}

#[test]
fn the_url_keeps_the_endpoints_query_and_the_redirect_uri_as_it_is() {
    let (url, _, _) = begun(endpoints());
    let query = url.query().unwrap();
    assert!(query.starts_with("tenant=a%20b&response_type=code&client_id=id&redirect_uri=http%3A%2F%2Flocalhost&scope=a+b&state="), "{query}");
    assert!(query.contains("&code_challenge_method=S256"), "{query}");
}

#[test]
fn a_callback_is_accepted_once_and_only_its_own() {
    let (_, mut pending, state) = begun(endpoints());
    for forged in [
        "code=x".to_owned(),
        "code=x&state=other".to_owned(),
        format!("code=x&state={state}&iss=https://evil.example"),
    ] {
        assert_eq!(
            pending.accept(&forged).unwrap_err().kind(),
            ErrorKind::Protocol,
            "{forged}"
        );
    }
    let doubled = format!("code=x&code=y&state={state}");
    assert_eq!(
        pending.accept(&doubled).unwrap_err().kind(),
        ErrorKind::Protocol
    );

    let mut pending = PendingAuthorization::from_json(&pending.to_json()).unwrap();
    let callback =
        format!("http://localhost/?code=the-code&state={state}&iss=https%3A%2F%2Fas.example");
    let grant = pending.accept(&callback).unwrap();
    let mut params = Params::new();
    grant.write(&mut params);
    assert_eq!(params.expose("code"), Some("the-code"));
    assert_eq!(params.expose("redirect_uri"), Some("http://localhost"));
    assert_eq!(params.expose("code_verifier").map(str::len), Some(43));
    assert_eq!(
        pending.accept(&callback).unwrap_err().kind(),
        ErrorKind::Usage
    );
}

#[test]
fn a_servers_error_is_typed_after_its_state_was_checked() {
    let (_, mut pending, state) = begun(endpoints());
    assert_eq!(
        pending.accept("error=access_denied").unwrap_err().kind(),
        ErrorKind::Protocol
    );
    let error = pending
        .accept(&format!(
            "error=access_denied&error_description=no%0Away&state={state}"
        ))
        .unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::AccessDenied));
    assert_eq!(error.oauth_error().unwrap().description(), Some("no way"));
}

#[test]
fn a_server_that_always_names_its_issuer_must() {
    let (_, mut pending, state) = begun(endpoints().with_iss_in_callback(true));
    assert_eq!(
        pending
            .accept(&format!("code=x&state={state}"))
            .unwrap_err()
            .kind(),
        ErrorKind::Protocol
    );
}

#[test]
fn secrets_and_owned_names_are_refused_in_the_url() {
    let client = builder(endpoints()).build().unwrap();
    for name in [
        "client_secret",
        "code_verifier",
        "access_token",
        "password",
        "state",
        "scope",
        "client_id",
    ] {
        let result = client
            .authorization_request("http://localhost")
            .param(name, "x")
            .build();
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Usage, "{name}");
    }
    for bad in [
        "",
        "/callback",
        "https://a.example/#f",
        "https://a.example/\n",
    ] {
        assert!(
            client.authorization_request(bad).build().is_err(),
            "{bad:?}"
        );
    }
    assert!(
        client
            .authorization_request("http://localhost")
            .pkce(false)
            .build()
            .is_err(),
        "public without PKCE"
    );
}
