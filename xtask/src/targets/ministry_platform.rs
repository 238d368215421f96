//! Ministry Platform, bound to its emulator.

mod answers;
mod api;
mod authorization;
mod cache;
mod filters;
mod gate;
mod lookup;
mod names;
mod renewal;
mod requests;
mod secrets;

use std::sync::Arc;

use ::ministry_platform::{Authentication, AuthenticationBuilder, ErrorKind};
use async_trait::async_trait;
use oauth_conformance::{
    Case, Context, Counterpart, Credentials, Failure, Need, Outcome, Received, Reply, Target,
    ensure,
};
use oauth_core::{Error, Provider, Scopes};
use oauth_emulators::Emulator;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct MinistryPlatform;

#[async_trait]
impl Target for MinistryPlatform {
    fn name(&self) -> &str {
        "ministry-platform"
    }

    fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
        let provider = ::ministry_platform::MinistryPlatform::new(base_url)
            .map_err(|error| Error::usage(error.to_string()))?;
        Ok(Arc::new(provider))
    }

    fn credentials(&self) -> Credentials {
        let scopes = Scopes::new([::ministry_platform::SCOPE_ALL, "openid"]);
        Credentials::new("demo", "demo-secret")
            .with_scopes(scopes.unwrap_or_default())
            .with_redirect_uri("http://127.0.0.1/callback")
    }

    fn lacks(&self) -> Vec<Need> {
        vec![Need::StandardExpiry, Need::StandardTokenType, Need::Server]
    }

    async fn start(&self) -> Result<Counterpart, String> {
        super::start(Emulator::ministry_platform()).await
    }

    fn cases(&self) -> Vec<Case> {
        [
            requests::CASES,
            answers::CASES,
            api::CASES,
            authorization::CASES,
            filters::CASES,
            names::CASES,
            lookup::CASES,
            renewal::CASES,
            secrets::CASES,
            cache::CASES,
        ]
        .concat()
    }
}

const TOKEN: &str = "/ministryplatformapi/oauth/connect/token";
const ROW: &str = "/ministryplatformapi/tables/dp_API_Clients";

/// The crate's own client as the cases use it.
fn client(cx: &Context, base_url: &str) -> Result<Authentication, Failure> {
    builder(cx, base_url).build().map_err(failed)
}

/// The same before it is built.
fn builder(cx: &Context, base_url: &str) -> AuthenticationBuilder {
    complete(cx, Authentication::builder(base_url))
}

fn complete(cx: &Context, builder: AuthenticationBuilder) -> AuthenticationBuilder {
    let credentials = cx.credentials();
    builder
        .username(credentials.username)
        .password(credentials.password)
        .client_id(credentials.client_id)
        .client_secret(credentials.client_secret)
        .transport(cx.recorded_transport())
        .clock(Arc::new(cx.clock().clone()))
}

/// The answer with a user's or a client's token.
fn token(access_token: &str) -> Reply {
    let body = json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 3600});
    Reply::json(200, &body)
}

/// The answer to a look-up.
fn row(client_id: &str, secret: &str) -> Reply {
    let row = json!({"Client_ID": client_id, "Client_Secret": secret, "Is_Enabled": true});
    Reply::json(200, &json!([row]))
}

fn message(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({"Message": text}))
}

fn oauth_error(code: &str) -> Reply {
    Reply::json(400, &json!({"error": code}))
}

fn failed(error: ::ministry_platform::Error) -> Failure {
    Failure::new(format!(
        "expected success, got {:?}: {error}; {:?}",
        error.kind(),
        error.core()
    ))
}

/// The error of a call that must not succeed; `sent` says what it was.
fn refused<T>(
    sent: &str,
    result: Result<T, ::ministry_platform::Error>,
) -> Result<::ministry_platform::Error, Failure> {
    match result {
        Err(error) => Ok(error),
        Ok(_) => Err(Failure::new(format!(
            "{sent}: expected an error, got success"
        ))),
    }
}

/// Ends the case unless a call failed in this way.
fn fails<T>(
    sent: &str,
    result: Result<T, ::ministry_platform::Error>,
    kind: ErrorKind,
) -> Result<::ministry_platform::Error, Failure> {
    let error = refused(sent, result)?;
    ensure!(
        error.kind() == kind,
        "{sent}: expected {kind:?}, got {error:?}"
    );
    Ok(error)
}

/// What came: the grant type of a token request, the path of another.
fn order(received: &[Received]) -> Vec<String> {
    let name = |got: &Received| got.param("grant_type").filter(|_| got.path() == TOKEN);
    let names = received.iter();
    names
        .map(|got| name(got).unwrap_or_else(|| got.path().to_owned()))
        .collect()
}

/// The same of what a counterpart recorded.
fn recorded(requests: &[Value]) -> Vec<&str> {
    let name = |request: &'_ Value| -> Option<usize> {
        let form = request["form"].as_array()?;
        form.iter().position(|pair| pair[0] == "grant_type")
    };
    let names = requests.iter().map(|request| match name(request) {
        Some(index) => request["form"][index][1].as_str(),
        None => request["path"].as_str(),
    });
    names.map(Option::unwrap_or_default).collect()
}

/// Ends the case unless exactly these came.
fn came(sent: &str, got: &[impl AsRef<str>], expected: &[&str]) -> Outcome {
    let got: Vec<_> = got.iter().map(AsRef::as_ref).collect();
    ensure!(
        got == expected,
        "{sent}: expected the requests {expected:?}, got {got:?}"
    );
    Ok(())
}

fn text(token: &dyn oauth_core::Token) -> &str {
    token.access_token().expose_secret()
}

fn table(name: &str) -> Result<::ministry_platform::TableName, Failure> {
    ::ministry_platform::TableName::new(name).map_err(failed)
}
