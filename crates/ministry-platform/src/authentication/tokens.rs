//! Where each identity's token comes from: two token managers and the sources of first tokens.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use oauth_core::{
    AccessToken, Client, ClientAuthMethod, ErrorCode, Scopes, TokenManager, TokenSet, grant,
    manager::{Events, ManagedToken, RefreshPolicy, TokenSource, exchange},
    store::{Subject, TokenRequest, TokenStore},
};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{Authentication, Identity, Inner, User, client_secret::ClientId};
use crate::{Error, ErrorKind, SCOPE_ALL};

/// A token is renewed so long before its end, unless that is more than a fifth of its lifetime.
const MARGIN: Duration = Duration::from_secs(300);

/// How long a token that could not be renewed, but still works, is handed out before the next try.
const RETRY: Duration = Duration::from_secs(30);

/// How many owners are read from a store at a time.
const PAGE: usize = 100;

/// The tokens of users and of API clients.
///
/// They are kept apart because a client's token needs a user's: a manager whose sources wait for
/// its own tokens could wait for itself.
pub(super) struct Tokens {
    users: TokenManager,
    clients: TokenManager,
    /// Managers of one API client each, made from `clients`. Keys come from callers: a source
    /// that fails takes its own away.
    by_id: Mutex<HashMap<ClientId, TokenManager>>,
    user: Subject,
    lookup: Option<Subject>,
    store: Option<Arc<dyn TokenStore>>,
}

/// The password grant, for the default user and the one who looks client secrets up.
#[derive(Debug)]
struct Logins {
    users: Vec<(Subject, User)>,
    scopes: Scopes,
}

/// The client credentials grant, with the secret of the client's row.
#[derive(Debug)]
struct LookedUp {
    authentication: Weak<Inner>,
    id: ClientId,
}

/// No token: of a client whose id is not known there is none.
#[derive(Debug)]
struct Nothing;

impl Tokens {
    pub(super) fn new(
        client: &Client,
        user: User,
        lookup: Option<User>,
        scopes: Scopes,
        store: Option<Arc<dyn TokenStore>>,
    ) -> Self {
        // All of the margin is mandatory: Ministry Platform's tokens die early rather than late.
        let policy = RefreshPolicy::default()
            .with_advisory(Duration::ZERO)
            .with_mandatory(MARGIN)
            .with_backoff(RETRY, RETRY)
            .with_failures_remembered(false);
        let subject = Subject::user(user.username.as_str());
        let lookup = lookup.map(|reader| {
            // The same user may be both, and still not with the same token.
            let name = format!("look-up: {}", reader.username);
            (Subject::user(name), reader)
        });
        let lookup_subject = lookup.as_ref().map(|(subject, _)| subject.clone());
        let mut users = vec![(subject.clone(), user)];
        users.extend(lookup);
        let logins = Logins { users, scopes };
        let manager = || {
            let manager = TokenManager::builder(client.clone()).policy(policy.clone());
            match &store {
                Some(store) => manager.shared_store(Arc::clone(store)),
                None => manager,
            }
        };
        let users = manager().source(logins).build();
        Self {
            clients: manager().source(Nothing).listeners_of(&users).build(),
            users,
            by_id: Mutex::default(),
            user: subject,
            lookup: lookup_subject,
            store,
        }
    }

    fn by_id(&self) -> MutexGuard<'_, HashMap<ClientId, TokenManager>> {
        // A change is one insertion or removal: a panic elsewhere leaves nothing half done.
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn events(&self) -> Events {
        self.users.events()
    }

    pub(super) async fn clear(&self) -> Result<(), Error> {
        self.users.clear_all_memory();
        self.clients.clear_all_memory();
        let clients = std::mem::take(&mut *self.by_id());
        let Some(store) = &self.store else {
            return Ok(());
        };
        for user in self.names() {
            self.users.clear(user).await?;
        }
        for client in clients.values() {
            client.clear(&Subject::Client).await?;
        }
        // Clients that only another process has asked for.
        let ours = self.users.owner(&self.user);
        let mut after = None;
        loop {
            let page = store.owners(after.as_ref(), PAGE).await;
            let page = page.map_err(oauth_core::Error::store)?;
            for owner in &page {
                if owner.issuer() == ours.issuer() && *owner.subject() == Subject::Client {
                    let removed = store.remove(owner).await;
                    removed.map_err(oauth_core::Error::store)?;
                }
            }
            match page.into_iter().last() {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    /// Forgets the tokens of the users; whether there were any, or any under way.
    async fn forget_users(&self) -> Result<bool, Error> {
        let mut known = false;
        for user in self.names() {
            known |= self.forget(&self.users, user).await?;
        }
        Ok(known)
    }

    /// Forgets a subject's tokens; whether there were any, or any under way.
    async fn forget(&self, tokens: &TokenManager, subject: &Subject) -> Result<bool, Error> {
        if self.store.is_none() {
            return Ok(tokens.clear_memory(subject));
        }
        let known = tokens.sessions(subject).await?;
        tokens.clear(subject).await?;
        Ok(!known.is_empty())
    }

    /// The users that log in here.
    fn names(&self) -> impl Iterator<Item = &Subject> {
        [&self.user].into_iter().chain(&self.lookup)
    }

    /// Forgets a token, whosever it is.
    pub(super) async fn delete(&self, token: &AccessToken) -> Result<(), Error> {
        for user in self.names() {
            self.users.delete(user, token).await?;
        }
        let clients: Vec<_> = self.by_id().values().cloned().collect();
        for client in clients {
            client.delete(&Subject::Client, token).await?;
        }
        Ok(())
    }
}

impl Authentication {
    /// The token of an identity.
    pub(crate) async fn token(&self, identity: &Identity) -> Result<ManagedToken, Error> {
        let (tokens, subject) = self.keeper(identity)?;
        tokens
            .get(&subject, None)
            .await
            .map_err(|error| Error::of_tokens(&error))
    }

    /// Forgets the tokens of a client id; whether there were any, or any under way.
    pub(crate) async fn forget(&self, client_id: &str) -> Result<bool, Error> {
        let tokens = &self.0.tokens;
        let mut known = false;
        if let Ok(id) = ClientId::new(client_id) {
            let in_memory = tokens.by_id().get(&id).cloned();
            let of_client = match &tokens.store {
                // Another process may have asked for it.
                Some(_) => Some(self.tokens_of(&id)?),
                None => in_memory,
            };
            if let Some(of_client) = of_client {
                known = tokens.forget(&of_client, &Subject::Client).await?;
                tokens.by_id().remove(&id);
            }
        }
        if client_id == self.0.client.client_id() {
            known |= tokens.forget_users().await?;
        }
        Ok(known)
    }

    /// Takes a token that the server has refused away from an identity, if it still is this one:
    /// a hundred refusals of one token lead to one request, and leave the token that it brings.
    pub(crate) async fn drop_token(
        &self,
        identity: &Identity,
        token: &AccessToken,
    ) -> Result<(), Error> {
        tracing::debug!(
            identity = identity.name(),
            "the server refused a token before its end"
        );
        let (tokens, subject) = self.keeper(identity)?;
        Ok(tokens.invalidate(&subject, token).await?)
    }

    /// Says that the server has refused a token that it had given out this moment.
    pub(crate) fn refused_anew(&self, token: &AccessToken) {
        self.0.tokens.users.refused_anew(token);
    }

    /// Whether that was lately: another one would be refused as well.
    pub(crate) fn was_refused_anew(&self, token: &AccessToken) -> bool {
        self.0.tokens.users.was_refused_anew(token)
    }

    /// Who keeps an identity's token, and under which name.
    fn keeper(&self, identity: &Identity) -> Result<(TokenManager, Subject), Error> {
        let tokens = &self.0.tokens;
        Ok(match (identity, &tokens.lookup) {
            (Identity::Lookup, Some(lookup)) => (tokens.users.clone(), lookup.clone()),
            (Identity::User | Identity::Lookup, _) => (tokens.users.clone(), tokens.user.clone()),
            (Identity::Client(id), _) => (self.tokens_of(id)?, Subject::Client),
        })
    }

    fn tokens_of(&self, id: &ClientId) -> Result<TokenManager, Error> {
        let mut by_id = self.0.tokens.by_id();
        if let Some(tokens) = by_id.get(id) {
            return Ok(tokens.clone());
        }
        let client = self
            .0
            .client
            .sibling(id.as_str())
            .client_authentication(ClientAuthMethod::None)
            .build()?;
        let source = LookedUp {
            authentication: Arc::downgrade(&self.0),
            id: id.clone(),
        };
        let tokens = self.0.tokens.clients.with_client_and_source(client, source);
        by_id.insert(id.clone(), tokens.clone());
        Ok(tokens)
    }

    async fn client_token(&self, id: &ClientId) -> Result<TokenSet, Error> {
        let secret = self.client_secret(id).await?;
        let error = match self.client_credentials(id, &secret).await {
            Err(error) if error.code() == Some(&ErrorCode::InvalidClient) => error,
            result => return result,
        };
        tracing::debug!("a client's secret was refused, its row is read again");
        self.drop_client_secret(id, &secret);
        let again = self.client_secret(id).await?;
        let same = again
            .expose_secret()
            .as_bytes()
            .ct_eq(secret.expose_secret().as_bytes());
        if same.into() {
            Err(error)
        } else {
            self.client_credentials(id, &again).await
        }
    }

    async fn client_credentials(
        &self,
        id: &ClientId,
        secret: &SecretString,
    ) -> Result<TokenSet, Error> {
        let client = self
            .0
            .client
            .sibling(id.as_str())
            .client_secret(secret.clone())
            .build()?;
        let grant = grant::ClientCredentials::new().with_scopes(Scopes::new([SCOPE_ALL])?);
        let token = client
            .exchange(&grant)
            .await
            .map_err(|error| Error::of(error, ErrorKind::ClientRefused))?;
        // The secret that would have to go with a refresh is not kept that long.
        Ok(token.with_refresh_token(None))
    }
}

#[async_trait]
impl TokenSource for Logins {
    async fn token(
        &self,
        client: &Client,
        subject: &Subject,
        request: &TokenRequest,
    ) -> Result<Option<TokenSet>, oauth_core::Error> {
        let Some((_, user)) = self.users.iter().find(|(have, _)| have == subject) else {
            return Ok(None);
        };
        let grant = grant::Password::new(user.username.as_str(), user.password.clone())
            .with_scopes(self.scopes.clone());
        exchange(client, &grant, request).await.map(Some)
    }
}

#[async_trait]
impl TokenSource for LookedUp {
    async fn token(
        &self,
        _: &Client,
        _: &Subject,
        _: &TokenRequest,
    ) -> Result<Option<TokenSet>, oauth_core::Error> {
        let Some(inner) = self.authentication.upgrade() else {
            // Nobody is left to tell.
            return Ok(None);
        };
        match Authentication(Arc::clone(&inner))
            .client_token(&self.id)
            .await
        {
            Ok(token) => Ok(Some(token)),
            Err(error) => {
                inner.tokens.by_id().remove(&self.id);
                let recovery = error.recovery();
                Err(oauth_core::Error::token_source(error, recovery))
            }
        }
    }
}

#[async_trait]
impl TokenSource for Nothing {
    async fn token(
        &self,
        _: &Client,
        _: &Subject,
        _: &TokenRequest,
    ) -> Result<Option<TokenSet>, oauth_core::Error> {
        Ok(None)
    }
}

impl Identity {
    fn name(&self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Lookup => "look-up user",
            Self::Client(_) => "client",
        }
    }
}
