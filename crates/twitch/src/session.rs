//! What a service holds for its whole life: the tokens of its users and its own, valid, validated
//! as Twitch wants it, refreshed once for everybody and never lost.
//!
//! ```
//! # async fn serve(client: twitch::Client, login: twitch::oauth_core::TokenSet) -> Result<(), twitch::oauth_core::Error> {
//! use twitch::Session;
//!
//! let session = Session::new(client);
//! let user = session.register(&login).await?; // of a code, a device, the implicit flow
//!
//! // Later, wherever the user's id is known.
//! let user = session.user("141981764");
//! let request = http::Request::get(session.client().helix_url("users")?.as_str())
//!     .body(bytes::Bytes::new())
//!     .map_err(|_| twitch::oauth_core::Error::usage("not a URL for HTTP"))?;
//! let answer = user.helix(request).await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod handle;
mod validations;

use std::{fmt, sync::Arc};

use oauth_core::{
    Error, TokenManager, TokenSet,
    manager::Events,
    store::{Owner, Subject},
};

use crate::{Client, UserToken};
pub use builder::SessionBuilder;
pub use handle::SessionHandle;
use validations::Validations;

/// The tokens of an application: one for each user who has consented, and the application's own.
/// Cheap to clone; clones share everything.
///
/// - Many callers of a token that has ended make one request, and with a
///   [store](oauth_core::store) many processes do. What comes is stored before it is used, which
///   the one-time refresh tokens of clients without a secret need most.
/// - A token is validated at its first use here and every hour while it is used
///   ([`SessionHandle`]); a dead one is refreshed, or the user has to consent again:
///   [`needs_reauthorization`](Error::needs_reauthorization),
///   [`Event::ReauthorizationRequired`](oauth_core::manager::Event::ReauthorizationRequired).
/// - A token is refreshed when it is dead and a minute before its end, no earlier: Twitch advises
///   against that. The refresh token of a client without a secret ends thirty days after it was
///   issued; a user who was away for so long has to consent again, and nothing is sent.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    client: Client,
    tokens: TokenManager,
    validations: Validations,
}

impl Session {
    /// A session that keeps its tokens in memory.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self::builder(client).build()
    }

    /// A session with a store, or another policy.
    pub fn builder(client: Client) -> SessionBuilder {
        SessionBuilder::new(client)
    }

    /// Keeps what a login brought, in the place of all that there was of this user; the
    /// validation endpoint says whose it is. Keep `tokens` until then: a failure before leaves
    /// them as good as they were.
    ///
    /// # Errors
    /// As [`UserToken::from_token_set`]; [`ErrorKind::Store`](oauth_core::ErrorKind::Store) when
    /// the token could not be stored: the session has it, and stores it when it can.
    pub async fn register(&self, tokens: &TokenSet) -> Result<SessionHandle, Error> {
        let user = UserToken::from_token_set(&self.0.client, tokens).await?;
        let handle = self.user(user.user_id());
        handle.validated_now();
        self.keep(user.user_id(), user.token_set()).await?;
        Ok(handle)
    }

    /// Keeps tokens of which you know whose they are, such as those of another store. They are
    /// validated at their first use; the access token may have ended by now.
    ///
    /// # Errors
    /// A usage error when the access token has ended and there is no refresh token;
    /// [`ErrorKind::Store`](oauth_core::ErrorKind::Store) as in [`Session::register`].
    pub async fn restore(&self, user_id: &str, tokens: &TokenSet) -> Result<SessionHandle, Error> {
        let handle = self.user(user_id);
        handle.not_validated();
        self.keep(user_id, tokens).await?;
        Ok(handle)
    }

    /// The token of a user, by the id that Twitch knows them by. Whether there is one is seen when
    /// it is used.
    #[must_use]
    pub fn user(&self, user_id: &str) -> SessionHandle {
        self.handle(Subject::user(user_id))
    }

    /// The application's own token. It is asked for when it is used.
    #[must_use]
    pub fn app(&self) -> SessionHandle {
        self.handle(Subject::Client)
    }

    /// Validates the tokens whose hour is over and of which somebody has a [`SessionHandle`]; how
    /// many there were. For programs that hold a connection rather than make calls, and do not
    /// [validate in the background](SessionBuilder::validate_in_background).
    pub async fn validate_due(&self) -> usize {
        let due = self.0.validations.due(&**self.0.client.core().clock());
        for subject in &due {
            // A failure is told to whoever uses the token next, and to those who listen.
            if let Err(error) = self.handle(subject.clone()).token().await {
                tracing::debug!(%error, "a token could not be validated or renewed");
            }
        }
        due.len()
    }

    /// What happens to the tokens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.0.tokens.events()
    }

    /// What a user's tokens are kept under, as events name it.
    #[must_use]
    pub fn owner(&self, user_id: &str) -> Owner {
        self.0.tokens.owner(&Subject::user(user_id))
    }

    /// The client, for logins and everything else.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The manager that keeps the tokens. It does not validate them.
    #[must_use]
    pub fn tokens(&self) -> &TokenManager {
        &self.0.tokens
    }

    async fn keep(&self, user_id: &str, tokens: &TokenSet) -> Result<(), Error> {
        let tokens = self.0.client.twitch().dated(tokens.clone());
        let subject = Subject::user(user_id);
        self.0.tokens.replace(&subject, tokens).await.map(|_| ())
    }

    fn handle(&self, subject: Subject) -> SessionHandle {
        self.0.validations.start(&self.0);
        SessionHandle::new(self, subject)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("client", &self.0.client)
            .field("tokens", &self.0.tokens)
            .finish_non_exhaustive()
    }
}
