//! A look-up with more to it than subject and scopes.

use super::{ManagedToken, TokenHandle, TokenManager, shared::FlightKey, update::Update};
use crate::{
    AccessToken, Error, Scopes, Token, TokenSet,
    store::{Issued, Subject, TokenRequest},
};

/// Which token is meant: a subject's, for scopes, resources and parameters.
///
/// ```
/// # async fn call(tokens: oauth_core::TokenManager) -> Result<(), oauth_core::Error> {
/// use oauth_core::store::Subject;
///
/// let token = tokens
///     .select(&Subject::Client)
///     .scopes("read write".parse()?)
///     .resource("https://api.example.com")
///     .get()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing happens before one of its methods is awaited"]
pub struct Selection<'a> {
    manager: &'a TokenManager,
    subject: Subject,
    request: TokenRequest,
}

impl<'a> Selection<'a> {
    pub(super) fn new(manager: &'a TokenManager, subject: Subject) -> Self {
        Self {
            manager,
            subject,
            request: TokenRequest::any(),
        }
    }

    /// With exactly these scopes.
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.request = self.request.with_scopes(Some(scopes));
        self
    }

    /// For a protected resource (RFC 8707 §2).
    pub fn resource(mut self, uri: impl Into<Box<str>>) -> Self {
        self.request = self.request.resource(uri);
        self
    }

    /// With a parameter of the server's own.
    ///
    /// # Errors
    /// A usage error for the name of a protocol parameter.
    pub fn param(
        mut self,
        name: impl Into<Box<str>>,
        value: impl Into<Box<str>>,
    ) -> Result<Self, Error> {
        self.request = self.request.param(name, value)?;
        Ok(self)
    }

    /// The whole request at once.
    pub fn request(mut self, request: TokenRequest) -> Self {
        self.request = request;
        self
    }

    /// A valid token: see [`TokenManager::get`].
    ///
    /// # Errors
    /// As [`TokenManager::get`].
    pub async fn get(&self) -> Result<ManagedToken, Error> {
        self.manager.usable(&self.key()).await
    }

    /// A new token, whatever is in memory: refreshed (RFC 6749 §6), or asked for anew. Joins a
    /// renewal that is under way.
    ///
    /// # Errors
    /// As [`TokenManager::get`]. The token there was stays.
    pub async fn renew(&self) -> Result<ManagedToken, Error> {
        self.manager
            .renew(&self.subject, self.request.clone(), None)
            .await
            .map(ManagedToken)
    }

    /// Another token than `rejected`: see [`TokenHandle::renew`].
    ///
    /// # Errors
    /// When there is no other.
    pub async fn renew_rejected(&self, rejected: &AccessToken) -> Result<ManagedToken, Error> {
        self.manager
            .renew(&self.subject, self.request.clone(), Some(rejected))
            .await
            .map(ManagedToken)
    }

    /// A handle for hot paths: see [`TokenManager::source`].
    #[must_use]
    pub fn source(&self) -> TokenHandle {
        TokenHandle::new(
            &self.manager.shared,
            &self.manager.registration,
            &self.key(),
        )
    }

    fn key(&self) -> FlightKey {
        self.manager.flight_key(&self.subject, self.request.clone())
    }

    /// Keeps a token that was obtained elsewhere, by a code or a device grant, as the answer to
    /// this request; without scopes here, to one for the scopes it has. What was remembered of
    /// failures and of a dead grant is forgotten.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) when it could not be stored: it is in memory,
    /// and written again until it is. A usage error when it has ended, or its end is unknown and
    /// the manager requires one. One that needs re-authorization when the manager is to
    /// [introspect](super::TokenManagerBuilder::auto_introspect) and the server says that the token
    /// is not active.
    pub async fn register(&self, token: TokenSet) -> Result<ManagedToken, Error> {
        let token = self.manager.with_end(&self.subject, token).await?;
        let request = match self.request.requested_scopes() {
            Some(_) => self.request.clone(),
            None => self
                .request
                .clone()
                .with_scopes(Some(token.scopes().clone())),
        };
        let issued = Issued::new(request.clone(), token.clone());
        let update = Update::Granted { request, token };
        self.manager
            .keep(&self.subject, issued, &update)
            .await
            .map(ManagedToken)
    }
}
