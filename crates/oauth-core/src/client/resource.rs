//! Requests to protected resources (RFC 6750 §2, RFC 9449 §7): the token, in the way it is used.

use http::HeaderMap;

use super::Client;
use crate::{AccessToken, EndpointUrl, Error, Token, TokenSet, TokenType};

impl Client {
    /// Puts a token into a request to a protected resource: as the provider does for a bearer
    /// token (RFC 6750 §2.1), with a proof of its key for a bound one (RFC 9449 §7.1). A bound
    /// token is never sent as a bearer token.
    ///
    /// ```
    /// # async fn call(client: oauth_core::Client, token: oauth_core::TokenSet) -> Result<(), oauth_core::Error> {
    /// use oauth_core::{Call, EndpointKind, Replay};
    ///
    /// let mut request = http::Request::get("https://api.example.com/things").body(bytes::Bytes::new()).unwrap();
    /// client.authorize(&token, &mut request)?;
    /// let call = Call::new(EndpointKind::Other("things"), Replay::Always);
    /// let answer = client.send(request, call).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A usage error when the token is not for requests, when it is bound and the client has no
    /// key, or when the request's URL is no absolute one.
    pub fn authorize<B>(
        &self,
        token: &dyn Token,
        request: &mut http::Request<B>,
    ) -> Result<(), Error> {
        let url = EndpointUrl::parse(&request.uri().to_string())?;
        let access_token = token.access_token();
        self.attach(access_token, token.token_type(), request.headers_mut())?;
        #[cfg(feature = "dpop")]
        self.prove(request, crate::EndpointKind::Other("resource"), &url)?;
        let _ = url;
        Ok(())
    }

    /// How a token is used that does not say it itself.
    pub(super) fn usual_token_type(&self) -> TokenType {
        if self.demands_bound_tokens() {
            TokenType::Dpop
        } else {
            TokenType::Bearer
        }
    }

    pub(super) fn attach(
        &self,
        token: &AccessToken,
        token_type: TokenType,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
        match token_type {
            TokenType::Bearer => self.provider().authorize_request(token, headers),
            TokenType::Dpop if self.binds_tokens() => {
                headers.insert(http::header::AUTHORIZATION, token.authorization("DPoP")?);
                Ok(())
            }
            TokenType::Dpop => Err(Error::usage(
                "the token is bound to a key; give that key to the client's builder (RFC 9449)",
            )),
            TokenType::NotApplicable => Err(Error::usage(
                "this token was issued for another use than requests (RFC 8693 section 2.2.1)",
            )),
        }
    }

    /// Refuses a token that is not bound where the client demands it.
    pub(super) fn check_bound(&self, token: TokenSet) -> Result<TokenSet, Error> {
        if token.token_type() == TokenType::Bearer && self.demands_bound_tokens() {
            // The server may have ended the old refresh token for this answer.
            return Err(Error::protocol(
                "a proof of the client's key was sent, but the token is not bound to it (RFC 9449 section 5)",
            )
            .with_refresh_token(token.refresh_token().cloned()));
        }
        Ok(token)
    }

    #[cfg(not(feature = "dpop"))]
    pub(super) fn binds_tokens(&self) -> bool {
        false
    }

    #[cfg(not(feature = "dpop"))]
    fn demands_bound_tokens(&self) -> bool {
        false
    }

    #[cfg(not(feature = "dpop"))]
    pub(super) fn new_nonce(
        &self,
        _: &EndpointUrl,
        _: Option<&http::Response<bytes::Bytes>>,
    ) -> bool {
        false
    }
}
