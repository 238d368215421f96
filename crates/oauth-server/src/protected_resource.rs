//! What a resource asks of a request: an access token, and who is behind it (RFC 6750, RFC 9449
//! §7). For resources in the same process, like userinfo.

use bytes::Bytes;
use http::{HeaderValue, Request, header::AUTHORIZATION};

use crate::{
    AccessTokenRecord, AuthorizationServer, ErrorCode, OAuthError, Scope, error::Challenge,
};

/// A resource that access tokens give access to.
///
/// ```
/// use oauth_server::{ProtectedResource, Scope};
///
/// # async fn handle(
/// #     server: oauth_server::AuthorizationServer,
/// #     request: http::Request<bytes::Bytes>,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let reports = ProtectedResource::new("https://api.example/reports").scope(Scope::parse("read")?);
/// match server.authorize_access(&request, &reports).await {
///     Ok(record) => println!("a request of {:?}", record.subject()),
///     // The answer has `error.status()` and `error.headers()`.
///     Err(error) => println!("refused: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ProtectedResource {
    url: String,
    scope: Scope,
    audience: Option<String>,
}

impl ProtectedResource {
    /// The resource at this URL, by which DPoP proofs name it.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            scope: Scope::default(),
            audience: None,
        }
    }

    /// The scope that is needed; none by default.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The name by which tokens are limited to it (RFC 8707). Without one, tokens that are
    /// limited to whatever resource are refused.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }
}

impl AuthorizationServer {
    /// The record of the live access token in the `Authorization` header, if it is good for this
    /// resource and, where it is bound to a key, comes with a proof of that key.
    ///
    /// # Errors
    ///
    /// `invalid_token`, `insufficient_scope`, `invalid_dpop_proof`, `use_dpop_nonce` or
    /// `invalid_request`, with their challenge; 503 when a context fails.
    pub async fn authorize_access(
        &self,
        request: &Request<Bytes>,
        resource: &ProtectedResource,
    ) -> Result<AccessTokenRecord, OAuthError> {
        self.guarded(async {
            let (challenge, token) = self.presented(request)?;
            let refused = |error: OAuthError| error.at_resource(challenge);
            let found = self.live_access_token(token).await?;
            let (record, client) =
                found.ok_or_else(|| refused(invalid_token("the access token is not known")))?;
            let proved = match challenge {
                Challenge::Dpop => {
                    let jkt = self.dpop_at_resource(request, &resource.url, token, &client);
                    Some(jkt.await.map_err(refused)?)
                }
                _ => None,
            };
            if record.jkt != proved {
                let description = "the access token is bound to another key, or to none";
                return Err(refused(invalid_token(description)));
            }
            let (limits, name) = (record.audience(), &resource.audience);
            let meant = limits.is_empty() || name.as_ref().is_some_and(|it| limits.contains(it));
            if !meant {
                let description = "the access token is for another resource";
                return Err(refused(invalid_token(description)));
            }
            if !resource.scope.is_subset(record.scope()) {
                let description = "the access token has too little scope";
                let error = OAuthError::new(ErrorCode::InsufficientScope, description);
                return Err(refused(error));
            }
            Ok(record)
        })
        .await
    }

    /// The access token of a request, and the scheme it came under. It is taken from the header
    /// only: in a URL it would end up in logs (RFC 9700 §4.3.2).
    fn presented<'r>(
        &self,
        request: &'r Request<Bytes>,
    ) -> Result<(Challenge, &'r str), OAuthError> {
        let query = request.uri().query().unwrap_or_default();
        let mut query = form_urlencoded::parse(query.as_bytes());
        let form = self.form(request);
        let elsewhere = query.any(|(name, _)| name == "access_token")
            || form.is_ok_and(|form| form.get("access_token").is_some());
        let mut headers = request.headers().get_all(AUTHORIZATION).iter();
        let (header, second) = (headers.next(), headers.next());
        if elsewhere || second.is_some() {
            let description = "the access token belongs in one Authorization header";
            return Err(OAuthError::invalid_request(description).at_resource(Challenge::Bearer));
        }
        let missing = || invalid_token("there is no access token").at_resource(Challenge::Token);
        header.and_then(credentials).ok_or_else(missing)
    }
}

/// RFC 9110 §11.1, §11.4: the scheme in any case, then blanks.
fn credentials(header: &HeaderValue) -> Option<(Challenge, &str)> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    let challenge = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Challenge::Bearer,
        "dpop" => Challenge::Dpop,
        _ => return None,
    };
    Some((challenge, token.trim_matches(' '))).filter(|(_, token)| !token.is_empty())
}

fn invalid_token(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidToken, description)
}
