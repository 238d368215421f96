//! The authorization endpoint (RFC 6749 §4.1.1) without its pages: who the person is and what
//! they consent to is the application's to find out.

use std::{fmt, time::SystemTime};

use bytes::Bytes;
use http::{Method, Request};

use crate::{
    AuthorizationCodeRecord, AuthorizationServer, AuthorizeError, AuthorizeResponse, Client,
    ContextError, ErrorCode, GrantType, OAuthError, Scope, TokenHash, TokenKind,
    issue::{TokenWishes, later},
    parameters::Parameters,
    pkce,
    prompt::Prompts,
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
    pub(crate) prompts: Prompts,
    response_type: ResponseType,
    /// The pushed request it came from, which no second decision may use.
    pushed: Option<TokenHash>,
}

/// What the answer brings (RFC 6749 §3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResponseType {
    Code,
    /// RFC 6749 §4.2; only where the implicit grant is switched on.
    Token,
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

    pub(crate) fn refused(&self, error: OAuthError) -> AuthorizeError {
        self.redirect.clone().error(error)
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
            let mut parameters = self.authorization_parameters(request)?;
            let mut pushed = None;
            if let Some(uri) = parameters.get("request_uri") {
                let (known, hash) = self.pushed_parameters(&parameters, uri).await?;
                (parameters, pushed) = (known, Some(hash));
            }
            let (client, redirect) = self.trusted(&parameters).await?;
            Ok((parameters, pushed, client, redirect))
        });
        let (parameters, pushed, client, redirect) = checked.await.map_err(AuthorizeError::Page)?;
        let request = self.guarded(async {
            let required = self.requires_pushed_requests() || client.requires_pushed_requests();
            if required && pushed.is_none() {
                return Err(OAuthError::invalid_request("the request must be pushed"));
            }
            let request = self.checked(&parameters, client, redirect.clone()).await?;
            Ok(AuthorizationRequest { pushed, ..request })
        });
        request.await.map_err(|error| redirect.error(error))
    }

    /// What else RFC 6749 §4.1.1 asks for, when the client may be answered.
    pub(crate) async fn checked(
        &self,
        parameters: &Parameters<'_>,
        client: Client,
        redirect: Redirect,
    ) -> Result<AuthorizationRequest, OAuthError> {
        parameters.refuse_repeated()?;
        let response_type = self.response_type(parameters)?;
        let grant = response_type.grant_type();
        let allowed = self
            .check_supported(grant)
            .and_then(|()| self.check_grant(&client, grant));
        allowed.map_err(|error| {
            let description = error.error_description().to_owned();
            OAuthError::new(ErrorCode::UnauthorizedClient, description)
        })?;
        let code_challenge = match response_type {
            ResponseType::Code => challenge(&client, parameters)?,
            ResponseType::Token => None,
        };
        if response_type == ResponseType::Token && client.dpop_bound_access_tokens() {
            let description = "the tokens of this client are bound to a key";
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
        }
        if parameters.get("request").is_some() {
            let description = "request objects are not supported";
            return Err(OAuthError::new(ErrorCode::RequestNotSupported, description));
        }
        let dpop_jkt = parameters.get("dpop_jkt");
        if dpop_jkt.is_some_and(|jkt| TokenHash::try_from(jkt.to_owned()).is_err()) {
            return Err(OAuthError::invalid_request("dpop_jkt is no thumbprint"));
        }
        Ok(AuthorizationRequest {
            redirect_uri_given: parameters.get("redirect_uri").is_some(),
            scope: self.requested_scope(&client, parameters).await?,
            audience: self.requested_resources(&client, parameters)?,
            client,
            redirect,
            code_challenge,
            nonce: parameters.get("nonce").map(str::to_owned),
            dpop_jkt: dpop_jkt.map(str::to_owned),
            auth_time: None,
            prompts: Prompts::of(parameters)?,
            response_type,
            pushed: None,
        })
    }

    fn response_type(&self, parameters: &Parameters<'_>) -> Result<ResponseType, OAuthError> {
        match parameters.get("response_type") {
            Some("code") => Ok(ResponseType::Code),
            Some("token") if self.supports(GrantType::Implicit) => Ok(ResponseType::Token),
            None => Err(OAuthError::invalid_request("response_type is missing")),
            Some(_) => Err(OAuthError::new(
                ErrorCode::UnsupportedResponseType,
                "response_type is not supported",
            )),
        }
    }

    /// Grants a request that this person consented to.
    ///
    /// # Errors
    ///
    /// [`AuthorizeError::Redirect`] with `access_denied` for a subject that is a client's id,
    /// [`AuthorizeError::Page`] with `invalid_request_uri` for a pushed request that was decided
    /// already, or when a context fails.
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
        let answer = self.guarded(async {
            self.consume_pushed(request.pushed.as_ref()).await?;
            match request.response_type {
                ResponseType::Code => Ok(self.with_code(request, subject).await?),
                ResponseType::Token => self.with_token(request, subject).await,
            }
        });
        answer.await.map_err(AuthorizeError::Page)
    }

    /// The answer to a request that the person refused.
    pub fn deny(&self, request: &AuthorizationRequest) -> AuthorizeError {
        let error = OAuthError::new(ErrorCode::AccessDenied, "the person refused");
        request.refused(error)
    }

    /// [`deny`](Self::deny) that also ends a pushed request.
    pub(crate) async fn refuse(
        &self,
        request: &AuthorizationRequest,
    ) -> Result<AuthorizeError, OAuthError> {
        self.consume_pushed(request.pushed.as_ref()).await?;
        Ok(self.deny(request))
    }

    fn authorization_parameters<'a>(
        &self,
        request: &'a Request<Bytes>,
    ) -> Result<Parameters<'a>, OAuthError> {
        match *request.method() {
            Method::GET | Method::HEAD => {
                let query = request.uri().query().unwrap_or_default();
                if query.len() > self.max_body() {
                    return Err(OAuthError::invalid_request("the query is too long"));
                }
                Parameters::decode(query.as_bytes(), self.max_parameters())
            }
            Method::POST => self.form(request),
            _ => Err(OAuthError::method_not_allowed("GET, POST")),
        }
    }

    /// The client and where it may be answered. Until both are known nothing is redirected:
    /// the server would send people wherever a stranger likes (RFC 9700 §4.11.2).
    async fn trusted(&self, parameters: &Parameters<'_>) -> Result<(Client, Redirect), OAuthError> {
        if parameters.is_repeated("client_id") || parameters.is_repeated("redirect_uri") {
            return Err(OAuthError::invalid_request("a parameter is repeated"));
        }
        let client = match parameters.get("client_id") {
            Some(id) => self.client(id).await?,
            None => None,
        };
        let client = client.ok_or_else(|| OAuthError::invalid_request("client_id is unknown"))?;
        let redirect = self.redirect(&client, parameters)?;
        Ok((client, redirect))
    }

    pub(crate) fn redirect(
        &self,
        client: &Client,
        parameters: &Parameters<'_>,
    ) -> Result<Redirect, OAuthError> {
        let uri = client.redirect_uri(parameters.get("redirect_uri"));
        let uri =
            uri.ok_or_else(|| OAuthError::invalid_request("redirect_uri is not registered"))?;
        let state = parameters
            .get("state")
            .filter(|_| !parameters.is_repeated("state"));
        Ok(Redirect {
            uri: uri.to_owned(),
            state: state.map(str::to_owned),
            issuer: self.issuer().to_owned(),
            fragment: self.response_type(parameters) == Ok(ResponseType::Token),
        })
    }

    async fn with_token(
        &self,
        request: &AuthorizationRequest,
        subject: &str,
    ) -> Result<AuthorizeResponse, OAuthError> {
        let (client, scope) = (&request.client, request.scope.clone());
        let mut grant = self.new_grant(client, Some(subject), scope, request.audience.clone())?;
        grant.auth_time = Some(request.auth_time.unwrap_or(self.now()));
        let wishes = TokenWishes {
            audience: request.audience.clone(),
            ..TokenWishes::default()
        };
        let tokens = self.issue_tokens(client, GrantType::Implicit, grant, &wishes);
        let tokens = tokens.await?;
        let location = request.redirect.location(&[
            ("access_token", tokens.access_token()),
            ("token_type", tokens.token_type()),
            ("expires_in", &tokens.expires_in().to_string()),
            ("scope", &tokens.scope().to_string()),
        ]);
        Ok(AuthorizeResponse {
            location: location.into(),
            code: String::new().into(),
        })
    }

    async fn with_code(
        &self,
        request: &AuthorizationRequest,
        subject: &str,
    ) -> Result<AuthorizeResponse, ContextError> {
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
            expires_at: later(
                now,
                client
                    .authorization_code_lifetime()
                    .unwrap_or(self.authorization_code_lifetime()),
            )?,
            consumed: false,
        };
        self.authorization_codes().insert(record, now).await?;
        let location = request.redirect.location(&[("code", &code)]);
        Ok(AuthorizeResponse {
            location: location.into(),
            code: code.into(),
        })
    }
}

/// Where an authorization answer goes, and what each one carries (RFC 9207 for `iss`).
#[derive(Clone)]
pub(crate) struct Redirect {
    uri: String,
    state: Option<String>,
    issuer: String,
    /// RFC 6749 §4.2.2: a token is kept from the client's server.
    fragment: bool,
}

impl ResponseType {
    fn grant_type(self) -> GrantType {
        match self {
            Self::Code => GrantType::AuthorizationCode,
            Self::Token => GrantType::Implicit,
        }
    }
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
        let separator = match self.uri.contains('?') {
            _ if self.fragment => '#',
            true => '&',
            false => '?',
        };
        format!("{}{separator}{query}", self.uri)
    }

    fn error(self, error: OAuthError) -> AuthorizeError {
        let description = error.error_description();
        let location =
            self.location(&[("error", error.error()), ("error_description", description)]);
        AuthorizeError::Redirect { location, error }
    }
}

fn challenge(client: &Client, parameters: &Parameters<'_>) -> Result<Option<String>, OAuthError> {
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
