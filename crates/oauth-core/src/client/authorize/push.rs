//! Pushed authorization requests (RFC 9126): what the request says goes to the server directly, and
//! the browser carries only a reference.

use serde_json::{Map, Value};

use super::{AuthorizationRequest, PendingAuthorization};
use crate::{
    ClientAuthMethod, EndpointKind, Error, Params, Replay,
    client::Call,
    response::{json_object, lifetime},
};

impl AuthorizationRequest<'_> {
    /// Sends the request to the server's pushed authorization request endpoint, with the client
    /// authenticated, and gives the URL to send the user to. The URL works once, and not for long:
    /// see [`PendingAuthorization::request_ends_at`].
    ///
    /// ```
    /// # async fn call(client: oauth_core::Client) -> Result<(), oauth_core::Error> {
    /// let (url, pending) = client
    ///     .authorization_request("https://app.example.com/callback")
    ///     .scopes("read".parse()?)
    ///     .push()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`AuthorizationRequest::build`], and as for every endpoint; a protocol error when the
    /// answer is not a 201 with `request_uri` and `expires_in` (RFC 9126 §2.2).
    pub async fn push(self) -> Result<(url::Url, PendingAuthorization), Error> {
        let endpoint = EndpointKind::PushedAuthorization;
        let client = self.client;
        let endpoints = client.provider().endpoints();
        let url = client.endpoint(endpoints.pushed_authorization(), endpoint)?;
        let (mut params, pending) = self.parameters().map_err(|error| error.at(endpoint))?;
        // With any other method it is added with the rest of what authenticates the client.
        let method = client.0.authentication.method();
        if !matches!(method, ClientAuthMethod::Basic | ClientAuthMethod::BasicRaw) {
            params.remove("client_id");
        }
        // A second push of the same request makes a second reference, and the first one ends.
        let mut call = Call::new(endpoint, Replay::Always);
        let answer = client.post(url, &params, None, &call).await?;
        call.secrets.extend(answer.assertion);

        let read = || {
            if answer.response.status() != http::StatusCode::CREATED {
                return Err(Error::protocol(
                    "the answer to a pushed authorization request is not a 201 (RFC 9126 section 2.2)",
                ));
            }
            let members = json_object(&answer.response)?;
            let expires_in = members.get("expires_in").unwrap_or(&Value::Null);
            let lifetime = lifetime(expires_in, "expires_in")?;
            let end = answer.issued_at.checked_add(lifetime);
            let mut front = Params::new();
            front.push("client_id", client.client_id());
            front.push("request_uri", request_uri(&members)?);
            Ok((client.authorization_url(&front)?, end))
        };
        let (url, end) = read()
            .map_err(|error| client.finish(client.describe(error, &answer.response), &call))?;
        Ok((url, pending.with_request_end(end)))
    }
}

fn request_uri(members: &Map<String, Value>) -> Result<&str, Error> {
    match members.get("request_uri") {
        Some(Value::String(uri)) if url::Url::parse(uri).is_ok() => Ok(uri),
        _ => Err(Error::protocol(
            "member \"request_uri\" is missing or not a URI (RFC 9126 section 2.2)",
        )),
    }
}
