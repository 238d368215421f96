//! The pushed authorization request endpoint (RFC 9126).

use bytes::Bytes;
use http::Request;

use crate::{
    AuthorizationServer, ErrorCode, OAuthError, PushedAuthorizationResponse, PushedRequestRecord,
    Source, TokenHash, TokenKind, issue::later, parameters::Parameters,
};

/// RFC 9126 §2.2: what is behind it is the server's own.
const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

/// What authenticates a client is not kept.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

impl AuthorizationServer {
    /// Takes an authorization request from the client itself, before any browser sees it.
    ///
    /// # Errors
    ///
    /// `invalid_client` without authentication, `invalid_request` for a `request_uri` in the
    /// request, and whatever the authorization endpoint would refuse; 429 after too many in the
    /// name of a public client from one source; 503 when a context fails.
    pub async fn pushed_authorization(
        &self,
        request: &Request<Bytes>,
    ) -> Result<PushedAuthorizationResponse, OAuthError> {
        self.guarded(async {
            let parameters = self.posted(request)?;
            let client = self.authenticate(request, &parameters).await?;
            if parameters.get("request_uri").is_some() {
                let description = "a pushed request has no request_uri";
                return Err(OAuthError::invalid_request(description));
            }
            let source = Source::of(request);
            self.check_public("pushed request", 1, &client, source)?;
            let parameters = parameters
                .without(&CREDENTIALS)
                .with("client_id", client.id());
            // RFC 9449 §10.1: a proof binds the code as the parameter does.
            let parameters = match self.dpop_at_endpoint(request, "/par", &client).await? {
                Some(jkt) if parameters.get("dpop_jkt").is_some_and(|it| it != jkt) => {
                    let description = "dpop_jkt is of another key than the proof";
                    return Err(OAuthError::new(ErrorCode::InvalidDpopProof, description));
                }
                Some(jkt) => parameters.with("dpop_jkt", &jkt),
                None => parameters,
            };
            let redirect = self.redirect(&client, &parameters)?;
            let client_id = client.id().to_owned();
            self.checked(&parameters, client, redirect).await?;

            let token = self.generate(None, TokenKind::RequestUri)?;
            let now = self.now();
            let lifetime = self.pushed_request_lifetime();
            let record = PushedRequestRecord {
                hash: TokenHash::of(&token),
                client_id,
                parameters: parameters.into_pairs(),
                expires_at: later(now, lifetime)?,
                consumed: false,
            };
            self.pushed_requests().insert(record, now).await?;
            Ok(PushedAuthorizationResponse {
                request_uri: format!("{REQUEST_URI}{token}").into(),
                expires_in: lifetime.as_secs(),
            })
        })
        .await
    }

    /// The parameters that were pushed, which are the only ones that count (RFC 9126 §4).
    pub(crate) async fn pushed_parameters(
        &self,
        parameters: &Parameters<'_>,
        request_uri: &str,
    ) -> Result<(Parameters<'static>, TokenHash), OAuthError> {
        let refused = || {
            let description = "request_uri is unknown, expired, used, or of another client";
            OAuthError::new(ErrorCode::InvalidRequestUri, description)
        };
        parameters.refuse_repeated()?;
        let token = request_uri.strip_prefix(REQUEST_URI).ok_or_else(refused)?;
        let hash = TokenHash::of(token);
        let record = self.pushed_requests().get(&hash).await?;
        let record = record.filter(|record| {
            !record.consumed
                && self.now() < record.expires_at
                && parameters.get("client_id") == Some(&record.client_id)
        });
        let record = record.ok_or_else(refused)?;
        Ok((Parameters::from_pairs(record.parameters), hash))
    }

    /// Of any number of decisions on one pushed request exactly one passes (RFC 9126 §7.3).
    pub(crate) async fn consume_pushed(
        &self,
        pushed: Option<&TokenHash>,
    ) -> Result<(), OAuthError> {
        let Some(hash) = pushed else {
            return Ok(());
        };
        match self.pushed_requests().consume(hash).await? {
            true => Ok(()),
            false => Err(OAuthError::new(
                ErrorCode::InvalidRequestUri,
                "request_uri was used",
            )),
        }
    }
}
