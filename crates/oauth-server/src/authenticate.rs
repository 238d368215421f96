//! Who the client is (RFC 6749 §2.3), before anything else is answered.

use std::{borrow::Cow, pin::pin};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    AuthorizationServer, Client, ClientAuthenticationMethod, ContextError, OAuthError, Source,
    client::MAX_CLIENT_ID,
    parameters::{Parameters, form_decode},
    secret::MAX_SECRET,
    throttle::Attempt,
};

/// How clients write their id and secret in a Basic header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BasicEncoding {
    /// Each half is form-encoded first (RFC 6749 §2.3.1).
    #[default]
    Form,
    /// As they are (RFC 7617), as many a client does.
    Raw,
}

const ASSERTION: [&str; 2] = ["client_assertion", "client_assertion_type"];

/// An id and a secret, each where it was read.
enum Credentials<'a> {
    /// `id:secret`, and how long the id is: one text to wipe.
    Header(SecretString, usize),
    Form {
        id: &'a str,
        secret: Option<&'a str>,
    },
}

impl Credentials<'_> {
    fn id(&self) -> &str {
        match self {
            Self::Header(both, id) => &both.expose_secret()[..*id],
            Self::Form { id, .. } => id,
        }
    }

    fn secret(&self) -> Option<&str> {
        match self {
            Self::Header(both, id) => Some(&both.expose_secret()[*id + 1..]),
            Self::Form { secret, .. } => *secret,
        }
    }

    fn method(&self) -> ClientAuthenticationMethod {
        match self {
            Self::Header(..) => ClientAuthenticationMethod::Basic,
            Self::Form { .. } => ClientAuthenticationMethod::Post,
        }
    }
}

impl AuthorizationServer {
    /// The client behind the request's credentials, in the header or in the form.
    ///
    /// # Errors
    ///
    /// `invalid_request` for a malformed request or two ways of authentication at once,
    /// `invalid_client` for anything that is not the right secret of a known client, and 429
    /// after too many failures.
    pub async fn authenticate_client(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Client, OAuthError> {
        let endpoint = pin!(async {
            let parameters = self.posted(request)?;
            self.authenticate(request, &parameters).await
        });
        self.guarded(endpoint).await
    }

    pub(crate) async fn authenticate(
        &self,
        request: &Request<Bytes>,
        parameters: &Parameters<'_>,
    ) -> Result<Client, OAuthError> {
        only_one_way(request, parameters)?;
        if ASSERTION.iter().any(|name| parameters.get(name).is_some()) {
            return Box::pin(self.authenticate_by_assertion(request, parameters)).await;
        }
        let credentials = self.credentials(request, parameters)?;
        let (id, method) = (credentials.id(), credentials.method());
        let secret = credentials.secret();
        let in_body = method == ClientAuthenticationMethod::Post && secret.is_some();
        let refused = || OAuthError::invalid_client(in_body);
        if id.len() > MAX_CLIENT_ID || secret.is_some_and(|it| it.len() > MAX_SECRET) {
            return Err(refused());
        }
        let client = self.client(id).await?;
        let Some(secret) = secret else {
            return client.filter(Client::is_public).ok_or_else(refused);
        };
        let attempt = Attempt::new("client", id, Source::of(request));
        self.check_throttle(&attempt)?;
        let now = self.now();
        // An unknown client takes the same path with nothing to compare the secret with.
        let client = client.filter(|client| client.allows_method(method));
        let hashes = client.iter().flat_map(|client| client.secrets(now));
        let fits = self.verifier().verify(secret, hashes).await?;
        self.check_throttle(&attempt)?;
        match client.filter(|_| fits) {
            Some(client) => {
                self.attempt_succeeded(&attempt);
                Ok(client)
            }
            None => {
                self.attempt_failed(&attempt);
                Err(refused())
            }
        }
    }

    /// The client with this id, unless it is disabled.
    pub(crate) async fn client(&self, id: &str) -> Result<Option<Client>, ContextError> {
        let client = self.clients().get(id).await?;
        Ok(client.filter(|client| !client.is_disabled()))
    }

    fn credentials<'a>(
        &self,
        request: &Request<Bytes>,
        parameters: &'a Parameters<'_>,
    ) -> Result<Credentials<'a>, OAuthError> {
        let id = parameters.get("client_id");
        let secret = parameters.get("client_secret");
        if let Some(header) = request.headers().get(AUTHORIZATION) {
            let credentials = basic(header, self.basic_encoding())
                .ok_or_else(|| OAuthError::invalid_client(false))?;
            if id.is_some_and(|id| id != credentials.id()) {
                let description = "client_id is not the client of the Authorization header";
                return Err(OAuthError::invalid_request(description));
            }
            return Ok(credentials);
        }
        match id {
            Some(id) => Ok(Credentials::Form { id, secret }),
            None => Err(OAuthError::invalid_client(secret.is_some())),
        }
    }
}

/// RFC 6749 §2.3.
fn only_one_way(request: &Request<Bytes>, parameters: &Parameters<'_>) -> Result<(), OAuthError> {
    let headers = request.headers().get_all(AUTHORIZATION).iter().count();
    let has = |name: &&str| parameters.get(name).is_some();
    let ways =
        headers + usize::from(has(&"client_secret")) + usize::from(ASSERTION.iter().any(has));
    match ways {
        0 | 1 => Ok(()),
        _ => {
            let description = "the client authenticates in more than one way";
            Err(OAuthError::invalid_request(description))
        }
    }
}

/// Reads a Basic header (RFC 7617 §2).
fn basic(header: &HeaderValue, encoding: BasicEncoding) -> Option<Credentials<'static>> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(token.trim_matches(' ')).ok()?;
    let decoded = SecretString::from(String::from_utf8(decoded).ok()?);
    let (id, secret) = decoded.expose_secret().split_once(':')?;
    if encoding == BasicEncoding::Raw {
        let length = id.len();
        return Some(Credentials::Header(decoded, length));
    }
    match (form_decode(id)?, form_decode(secret)?) {
        // As nearly always: nothing was encoded.
        (Cow::Borrowed(id), Cow::Borrowed(_)) => {
            let length = id.len();
            Some(Credentials::Header(decoded, length))
        }
        (id, secret) => {
            let secret = SecretString::from(secret.into_owned());
            // Of just its size, so that it is not moved when it becomes a secret.
            let mut both = String::with_capacity(id.len() + 1 + secret.expose_secret().len());
            both.push_str(&id);
            both.push(':');
            both.push_str(secret.expose_secret());
            Some(Credentials::Header(both.into(), id.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{ClientBuilder, SecretCost, memory::MemoryClients};

    const SECRET: &str = "the secret of this client";

    fn server() -> AuthorizationServer {
        let clients = MemoryClients::new();
        let register = |builder: ClientBuilder| {
            clients.insert(builder.secret_cost(SecretCost::LOW).build().unwrap());
        };
        let secret = |id| Client::builder(id).secret(SECRET);
        register(secret("known"));
        register(secret("disabled").disabled(true));
        register(Client::builder("public").public());
        register(secret("basic").authentication_method(ClientAuthenticationMethod::Basic));
        AuthorizationServer::builder("https://auth.example")
            .clients(Arc::new(clients))
            .secret_cost(SecretCost::LOW)
            .build()
            .unwrap()
    }

    /// How many argon2id hashes it costs to refuse this.
    async fn cost_of_refusal(server: &AuthorizationServer, id: &str, secret: &str) -> usize {
        let body = format!("client_id={id}&client_secret={secret}");
        let request = Request::post("/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.into())
            .unwrap();
        let refused = server.authenticate_client(&request).await.unwrap_err();
        assert_eq!(refused.code(), crate::ErrorCode::InvalidClient, "{id}");
        server.verifier().hashed()
    }

    #[tokio::test]
    async fn every_refused_client_costs_the_same_work() {
        let server = server();
        for (id, secret) in [
            ("known", "wrong"),
            ("unknown", "wrong"),
            ("disabled", SECRET),
            ("disabled", "wrong"),
            ("public", "wrong"),
            ("basic", SECRET),
            ("basic", "wrong"),
        ] {
            assert_eq!(
                cost_of_refusal(&server, id, secret).await,
                2,
                "{id} {secret}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_not_hashed() {
        let server = server();
        let (id, secret) = ("i".repeat(MAX_CLIENT_ID + 1), "s".repeat(MAX_SECRET + 1));
        assert_eq!(cost_of_refusal(&server, "known", &secret).await, 0);
        assert_eq!(cost_of_refusal(&server, "unknown", &secret).await, 0);
        assert_eq!(cost_of_refusal(&server, &id, SECRET).await, 0);
        assert_eq!(cost_of_refusal(&server, "known", &secret[1..]).await, 2);
    }

    fn read(header: &str, encoding: BasicEncoding) -> Option<(String, String)> {
        let credentials = basic(&HeaderValue::from_str(header).unwrap(), encoding)?;
        let secret = credentials.secret()?.to_owned();
        Some((credentials.id().to_owned(), secret))
    }

    fn encoded(text: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(text))
    }

    #[test]
    fn halves_are_decoded_after_the_first_colon() {
        let header = encoded("an%3Aidentifier:+%25%26%2B:x");
        let form = read(&header, BasicEncoding::Form).unwrap();
        assert_eq!(form, ("an:identifier".to_owned(), " %&+:x".to_owned()));
        let raw = read(&header, BasicEncoding::Raw).unwrap();
        assert_eq!(
            raw,
            ("an%3Aidentifier".to_owned(), "+%25%26%2B:x".to_owned())
        );
        for scheme in ["basic", "BASIC"] {
            let header = header.replace("Basic", scheme);
            assert!(read(&header, BasicEncoding::Form).is_some(), "{scheme}");
        }
    }

    #[test]
    fn what_is_not_basic_is_nothing() {
        for bad in [
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic YTpi=",
            "Basic YTpi#",
            "Bearer YTpi",
        ] {
            assert_eq!(read(bad, BasicEncoding::Form), None, "{bad}");
        }
        for bad in ["no colon", "a%zz:b", "a:b%", "a:%ff"] {
            assert_eq!(read(&encoded(bad), BasicEncoding::Form), None, "{bad}");
        }
        assert!(read("Basic YTpi", BasicEncoding::Form).is_some());
    }
}
