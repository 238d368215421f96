//! The authorization endpoint (RFC 6749 §4.1.1) without its pages: who the person is and what
//! they consent to is the application's to find out.

use std::{fmt, time::SystemTime};

use bytes::Bytes;
use http::{Method, Request};

use crate::{
    AuthorizationCodeRecord, AuthorizationServer, AuthorizeError, AuthorizeResponse, Client,
    ContextError, ErrorCode, GrantType, OAuthError, Scope, TokenHash, TokenKind, issue::later,
    parameters::Parameters, pkce,
};

/// A valid authorization request, waiting for the person's decision.
#[derive(Clone)]
pub struct AuthorizationRequest {
    client: Client,
    redirect: Redirect,
    redirect_uri_given: bool,
    scope: Scope,
    audience: Vec<String>,
    code_challenge: Option<String>,
    nonce: Option<String>,
    dpop_jkt: Option<String>,
    auth_time: Option<SystemTime>,
}

impl AuthorizationRequest {
    /// The client that asks.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where the answer goes.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect.uri
    }

    /// What the client asks for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The resources that the client wants to use (RFC 8707); none means no limit.
    pub fn resources(&self) -> &[String] {
        &self.audience
    }

    /// The same request of a person who logged in at `auth_time`, which the ID token and signed
    /// access tokens tell. Without it, it is the moment of their consent.
    pub fn authenticated_at(mut self, auth_time: SystemTime) -> Self {
        self.auth_time = Some(auth_time);
        self
    }

    /// The client's `state`, to be returned as it is.
    pub fn state(&self) -> Option<&str> {
        self.redirect.state.as_deref()
    }
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest")
            .field("client", &self.client)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl AuthorizationServer {
    /// Checks an authorization request: parameters in the query of a GET, or in a POSTed form.
    ///
    /// # Errors
    ///
    /// [`AuthorizeError::Page`] when client or redirect URI cannot be trusted or a context fails,
    /// [`AuthorizeError::Redirect`] for everything that the client is to be told.
    pub async fn preauthorize(
        &self,
        request: &Request<Bytes>,
    ) -> Result<AuthorizationRequest, AuthorizeError> {
        let checked = self.guarded(async {
            let parameters = self.authorization_parameters(request)?;
            let (client, redirect) = self.trusted(&parameters).await?;
            Ok((parameters, client, redirect))
        });
        let (parameters, client, redirect) = checked.await.map_err(AuthorizeError::Page)?;
        let refused = |error| redirect.clone().error(error);

        parameters.refuse_repeated().map_err(refused)?;
        match parameters.get("response_type") {
            Some("code") => {}
            None => {
                let error = OAuthError::invalid_request("response_type is missing");
                return Err(refused(error));
            }
            Some(_) => {
                let code = ErrorCode::UnsupportedResponseType;
                return Err(refused(OAuthError::new(code, "response_type is not code")));
            }
        }
        let grant = GrantType::AuthorizationCode;
        let allowed = self
            .check_supported(grant)
            .and_then(|()| self.check_grant(&client, grant));
        allowed.map_err(|error| {
            refused(OAuthError::new(
                ErrorCode::UnauthorizedClient,
                error.error_description().to_owned(),
            ))
        })?;
        let code_challenge = challenge(&client, &parameters).map_err(refused)?;
        let scope = self
            .requested_scope(&client, &parameters)
            .map_err(refused)?;
        let audience = self
            .requested_resources(&client, &parameters)
            .map_err(refused)?;
        let dpop_jkt = parameters.get("dpop_jkt");
        if dpop_jkt.is_some_and(|jkt| TokenHash::try_from(jkt.to_owned()).is_err()) {
            let error = OAuthError::invalid_request("dpop_jkt is no thumbprint");
            return Err(refused(error));
        }
        Ok(AuthorizationRequest {
            redirect_uri_given: parameters.get("redirect_uri").is_some(),
            client,
            redirect,
            scope,
            audience,
            code_challenge,
            nonce: parameters.get("nonce").map(str::to_owned),
            dpop_jkt: dpop_jkt.map(str::to_owned),
            auth_time: None,
        })
    }

    /// Grants a request that this person consented to.
    ///
    /// # Errors
    ///
    /// [`AuthorizeError::Redirect`] with `access_denied` for a subject that is a client's id,
    /// [`AuthorizeError::Page`] when a context fails.
    pub async fn authorize(
        &self,
        request: &AuthorizationRequest,
        subject: &str,
    ) -> Result<AuthorizeResponse, AuthorizeError> {
        if let Err(error) = self.guarded(self.check_subject(subject)).await {
            return Err(match error.code() {
                ErrorCode::InvalidGrant => self.deny(request),
                _ => AuthorizeError::Page(error),
            });
        }
        let code = self.guarded(async { Ok(self.new_code(request, subject).await?) });
        let code = code.await.map_err(AuthorizeError::Page)?;
        let location = request.redirect.location(&[("code", &code)]);
        Ok(AuthorizeResponse {
            location: location.into(),
            code: code.into(),
        })
    }

    /// The answer to a request that the person refused.
    pub fn deny(&self, request: &AuthorizationRequest) -> AuthorizeError {
        let error = OAuthError::new(ErrorCode::AccessDenied, "the person refused");
        request.redirect.clone().error(error)
    }

    fn authorization_parameters(&self, request: &Request<Bytes>) -> Result<Parameters, OAuthError> {
        match *request.method() {
            Method::GET => {
                let query = request.uri().query().unwrap_or_default();
                Parameters::decode(query.as_bytes(), self.max_parameters())
            }
            Method::POST => self.form(request),
            _ => Err(OAuthError::method_not_allowed("GET, POST")),
        }
    }

    /// The client and where it may be answered. Until both are known nothing is redirected:
    /// the server would send people wherever a stranger likes (RFC 9700 §4.11.2).
    async fn trusted(&self, parameters: &Parameters) -> Result<(Client, Redirect), OAuthError> {
        if parameters.is_repeated("client_id") || parameters.is_repeated("redirect_uri") {
            return Err(OAuthError::invalid_request("a parameter is repeated"));
        }
        let client = match parameters.get("client_id") {
            Some(id) => self.client(id).await?,
            None => None,
        };
        let client = client.ok_or_else(|| OAuthError::invalid_request("client_id is unknown"))?;
        let uri = client.redirect_uri(parameters.get("redirect_uri"));
        let uri =
            uri.ok_or_else(|| OAuthError::invalid_request("redirect_uri is not registered"))?;
        let state = parameters
            .get("state")
            .filter(|_| !parameters.is_repeated("state"));
        let redirect = Redirect {
            uri: uri.to_owned(),
            state: state.map(str::to_owned),
            issuer: self.issuer().to_owned(),
        };
        Ok((client, redirect))
    }

    async fn new_code(
        &self,
        request: &AuthorizationRequest,
        subject: &str,
    ) -> Result<String, ContextError> {
        let AuthorizationRequest {
            client,
            scope,
            audience,
            ..
        } = request;
        let code = self.generate(Some(client), TokenKind::AuthorizationCode)?;
        let now = self.now();
        let mut grant = self.new_grant(client, Some(subject), scope.clone(), audience.clone())?;
        grant.auth_time = Some(request.auth_time.unwrap_or(now));
        let record = AuthorizationCodeRecord {
            hash: TokenHash::of(&code),
            grant,
            redirect_uri: request.redirect.uri.clone(),
            redirect_uri_given: request.redirect_uri_given,
            code_challenge: request.code_challenge.clone(),
            nonce: request.nonce.clone(),
            dpop_jkt: request.dpop_jkt.clone(),
            expires_at: later(now, self.authorization_code_lifetime())?,
            consumed: false,
        };
        self.authorization_codes().insert(record, now).await?;
        Ok(code)
    }
}

/// Where an authorization answer goes, and what each one carries (RFC 9207 for `iss`).
#[derive(Clone)]
struct Redirect {
    uri: String,
    state: Option<String>,
    issuer: String,
}

impl Redirect {
    /// The URI is kept byte by byte; a parser might normalise it.
    fn location(&self, parameters: &[(&str, &str)]) -> String {
        let state = self.state.iter().map(|state| ("state", state.as_str()));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .extend_pairs(state)
            .append_pair("iss", &self.issuer)
            .finish();
        let separator = if self.uri.contains('?') { '&' } else { '?' };
        format!("{}{separator}{query}", self.uri)
    }

    fn error(self, error: OAuthError) -> AuthorizeError {
        let description = error.error_description();
        let location =
            self.location(&[("error", error.error()), ("error_description", description)]);
        AuthorizeError::Redirect { location, error }
    }
}

fn challenge(client: &Client, parameters: &Parameters) -> Result<Option<String>, OAuthError> {
    let challenge = parameters.get("code_challenge");
    let refused = |description| Err(OAuthError::invalid_request(description));
    match (challenge, parameters.get("code_challenge_method")) {
        (None, None) if client.requires_pkce() => refused("code_challenge is missing"),
        (None, None) => Ok(None),
        (None, Some(_)) => refused("code_challenge is missing"),
        (Some(challenge), Some("S256")) if pkce::is_well_formed(challenge) => {
            Ok(Some(challenge.to_owned()))
        }
        (Some(_), Some("S256")) => refused("code_challenge is malformed"),
        // Without a method it would be `plain`, which shows the verifier to whoever can read
        // the request.
        (Some(_), _) => refused("code_challenge_method is not S256"),
    }
}
