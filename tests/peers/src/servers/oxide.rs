//! oxide-auth behind axum, as its example has it: all state behind one lock. The client's secret is
//! compared as it is; with its default, argon2 for each request, it serves some ten a second.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use oxide_auth::{
    endpoint::{OwnerConsent, Solicitation},
    frontends::simple::endpoint::{FnSolicitor, client_credentials_flow},
    primitives::{
        generator::RandomGenerator,
        issuer::TokenMap,
        registrar::{Client, ClientMap, PasswordPolicy, RegistrarError},
    },
};
use oxide_auth_axum::{OAuthRequest, WebError};

use super::{REDIRECT_URI, SCOPE};

type Shared = Arc<Mutex<(ClientMap, TokenMap<RandomGenerator>)>>;

/// The router, and the secret of its client `service`.
pub fn oxide_auth() -> (Router, String) {
    let secret = "0123456789012345678901234567890123456789012".to_owned();
    let mut clients = ClientMap::new();
    clients.set_password_policy(Plain);
    clients.register_client(Client::confidential(
        "service",
        REDIRECT_URI.parse::<url::Url>().expect("a URL").into(),
        SCOPE.parse().expect("a scope"),
        secret.as_bytes(),
    ));
    let state: Shared = Arc::new(Mutex::new((
        clients,
        TokenMap::new(RandomGenerator::new(32)),
    )));
    let router = Router::new().route("/token", post(token)).with_state(state);
    (router, secret)
}

async fn token(State(state): State<Shared>, request: OAuthRequest) -> Response {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let (clients, tokens) = &mut *state;
    let mut solicitor = FnSolicitor(|_: &mut OAuthRequest, solicitation: Solicitation<'_>| {
        OwnerConsent::Authorized(solicitation.pre_grant().client_id.clone())
    });
    let mut flow = client_credentials_flow(clients, tokens, &mut solicitor);
    match flow.execute(request) {
        Ok(response) => response.into_response(),
        Err(error) => WebError::from(error).into_response(),
    }
}

struct Plain;

impl PasswordPolicy for Plain {
    fn store(&self, _: &str, passphrase: &[u8]) -> Vec<u8> {
        passphrase.to_owned()
    }

    fn check(&self, _: &str, passphrase: &[u8], stored: &[u8]) -> Result<(), RegistrarError> {
        match passphrase == stored {
            true => Ok(()),
            false => Err(RegistrarError::Unspecified),
        }
    }
}
