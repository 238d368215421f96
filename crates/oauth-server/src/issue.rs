//! Issues tokens: the one place where they come to life.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use crate::{
    AccessTokenRecord, AuthorizationServer, Client, ContextError, ErrorCode, GrantId, GrantRecord,
    GrantType, OAuthError, Random, RefreshTokenRecord, Scope, ScopeRecord, TokenHash, TokenKind,
    TokenResponse, guard, parameters::Parameters,
};

/// How long a revoked grant is remembered: longer than any issuance under way can take.
const REVOCATION_REMEMBERED: Duration = Duration::from_secs(600);

/// A server's first issuance, and every so many after it, clear away so many ended tokens of each
/// kind: far more than they add, and quickly done.
const PURGE_EVERY: usize = 8;
const PURGE_BATCH: usize = 128;

/// What one token request wants beside what was granted.
#[derive(Default)]
pub(crate) struct TokenWishes<'a> {
    /// The resources of this access token.
    pub(crate) audience: Vec<String>,
    /// The thumbprint of the key it is to be bound to (RFC 9449 §5).
    pub(crate) jkt: Option<&'a str>,
    /// For the ID token.
    pub(crate) nonce: Option<&'a str>,
}

/// Names grants: what is random is drawn once, because each draw is a call of the operating system.
/// No two servers draw the same, and nobody is shown such a name or asked for one.
pub(crate) struct GrantIds {
    server: [u8; 10],
    grants: AtomicU64,
}

impl GrantIds {
    pub(crate) fn new(random: &dyn Random) -> Result<Self, ContextError> {
        let mut server = [0; 10];
        random.fill(&mut server)?;
        Ok(Self {
            server,
            grants: AtomicU64::new(0),
        })
    }

    fn next(&self) -> GrantId {
        let grant = self.grants.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut id = [0; 18];
        id[..8].copy_from_slice(&grant);
        id[8..].copy_from_slice(&self.server);
        GrantId(id)
    }
}

impl AuthorizationServer {
    /// Issues tokens to a client without a request, as if by this grant: for an application with
    /// grants of its own. Which scopes are fine is the application's decision.
    ///
    /// # Errors
    ///
    /// `invalid_client` for an unknown client, `invalid_grant` for a subject that is a client's
    /// id, 503 when a context fails.
    pub async fn issue(
        &self,
        client_id: &str,
        grant_type: GrantType,
        subject: Option<&str>,
        scope: &Scope,
    ) -> Result<TokenResponse, OAuthError> {
        self.guarded(async {
            let client = self.client(client_id).await?;
            let client = client.ok_or_else(|| OAuthError::invalid_client(true))?;
            if let Some(subject) = subject {
                self.check_subject(subject).await?;
            }
            let grant = self.new_grant(&client, subject, scope.clone(), Vec::new())?;
            self.issue_tokens(&client, grant_type, grant, &TokenWishes::default())
                .await
        })
        .await
    }

    /// An access token, a refresh token where the client gets one, and an ID token where it
    /// asked for one.
    pub(crate) async fn issue_tokens(
        &self,
        client: &Client,
        grant_type: GrantType,
        grant: GrantRecord,
        wishes: &TokenWishes<'_>,
    ) -> Result<TokenResponse, OAuthError> {
        let refreshed = client.gets_refresh_token(grant_type).then(|| grant.clone());
        let (access_token, access) = self.new_access_token(client, grant_type, grant, wishes)?;
        let refresh = match refreshed {
            Some(grant) => {
                let lifetime = client.refresh_token_lifetime();
                let lifetime = lifetime.unwrap_or(self.refresh_token_lifetime());
                let end = later(access.issued_at, lifetime)?;
                let (token, record) = self.new_refresh_token(client, grant, end, wishes.jkt)?;
                // Boxed, because most have none.
                Some((token, Box::new(record)))
            }
            None => None,
        };
        let (refresh_token, refresh) = refresh.unzip();
        let id_token = self.new_id_token(&access_token, &access, wishes.nonce)?;
        // Before anything is awaited: what is in it is wiped, however this ends.
        let answer = TokenResponse::new(access_token, &access, refresh_token, id_token);
        let stored = self.access_tokens().insert(&access, refresh.as_deref());
        stored.await?;
        self.purge_some(access.issued_at).await;
        Ok(answer)
    }

    pub(crate) fn new_grant(
        &self,
        client: &Client,
        subject: Option<&str>,
        scope: Scope,
        audience: Vec<String>,
    ) -> Result<GrantRecord, ContextError> {
        Ok(GrantRecord {
            id: self.grant_ids().next(),
            client_id: client.shared_id(),
            subject: subject.map(str::to_owned),
            scope,
            audience,
            auth_time: None,
        })
    }

    pub(crate) fn new_access_token(
        &self,
        client: &Client,
        grant_type: GrantType,
        mut grant: GrantRecord,
        wishes: &TokenWishes<'_>,
    ) -> Result<(String, AccessTokenRecord), ContextError> {
        let mut token = self.generate(Some(client), TokenKind::AccessToken)?;
        let lifetime = client.access_token_lifetime(grant_type);
        let issued_at = self.now();
        grant.audience.clone_from(&wishes.audience);
        let mut record = AccessTokenRecord {
            hash: TokenHash::of(&token),
            grant,
            issued_at,
            expires_at: later(issued_at, lifetime.unwrap_or(self.access_token_lifetime()))?,
            jkt: wishes.jkt.map(str::to_owned),
        };
        if client
            .jwt_access_tokens()
            .unwrap_or(self.jwt_access_tokens())
        {
            token = self.signed_access_token(&token, &record)?;
            record.hash = TokenHash::of(&token);
        }
        Ok((token, record))
    }

    pub(crate) fn new_refresh_token(
        &self,
        client: &Client,
        grant: GrantRecord,
        grant_expires_at: SystemTime,
        jkt: Option<&str>,
    ) -> Result<(String, RefreshTokenRecord), ContextError> {
        let token = self.generate(Some(client), TokenKind::RefreshToken)?;
        let record = RefreshTokenRecord {
            hash: TokenHash::of(&token),
            grant,
            issued_at: self.now(),
            expires_at: self.refresh_token_end(client, grant_expires_at)?,
            grant_expires_at,
            consumed: false,
            // Authentication binds it to a confidential client, whose keys may change.
            jkt: jkt.filter(|_| client.is_public()).map(str::to_owned),
            successor: None,
        };
        Ok((token, record))
    }

    /// When a refresh token ends that is used or issued now: with its grant, or earlier if it is
    /// not used until then.
    pub(crate) fn refresh_token_end(
        &self,
        client: &Client,
        grant_expires_at: SystemTime,
    ) -> Result<SystemTime, ContextError> {
        let idle = client.refresh_token_idle_lifetime();
        match idle.or(self.refresh_token_idle_lifetime()) {
            Some(idle) => Ok(later(self.now(), idle)?.min(grant_expires_at)),
            None => Ok(grant_expires_at),
        }
    }

    pub(crate) fn generate(
        &self,
        client: Option<&Client>,
        kind: TokenKind,
    ) -> Result<String, ContextError> {
        let format = client.and_then(Client::token_format);
        let format = format.unwrap_or(self.token_format());
        format.generate(kind, self.random())
    }

    /// The scope of a token request: all of what is asked, or the client's default, or of the
    /// server's default what the client may ask for.
    pub(crate) async fn requested_scope(
        &self,
        client: &Client,
        parameters: &Parameters<'_>,
    ) -> Result<Scope, OAuthError> {
        let refused = || {
            let description = "the scope is malformed or not allowed for this client";
            OAuthError::new(ErrorCode::InvalidScope, description)
        };
        let known = self.known_scopes().await?;
        let named = |known: &[ScopeRecord], choose: fn(&ScopeRecord) -> bool| {
            let chosen = known.iter().filter(|scope| choose(scope));
            Scope::of(chosen.map(|scope| scope.name.as_str()))
        };
        let scope = match (parameters.get("scope"), &known) {
            (Some(asked), _) => Scope::requested(asked).map_err(|_| refused())?,
            (None, Some(known)) if client.default_scope().is_empty() => {
                client.allowed_of(&named(known, |scope| scope.default))
            }
            (None, _) => client.default_scope().clone(),
        };
        let exists = known.is_none_or(|known| scope.is_subset(&named(&known, |_| true)));
        match exists && client.allows_scope(&scope) {
            true => Ok(scope),
            false => Err(refused()),
        }
    }

    /// What is known about each of these scopes, for a page that asks for consent.
    ///
    /// # Errors
    ///
    /// When a context fails.
    pub async fn scope_records(&self, scope: &Scope) -> Result<Vec<ScopeRecord>, ContextError> {
        let known = self.known_scopes().await?.unwrap_or_default();
        let record = |name: &str| {
            let found = known.iter().find(|record| record.name == name);
            found.cloned().unwrap_or_else(|| ScopeRecord::unknown(name))
        };
        Ok(scope.iter().map(record).collect())
    }

    pub(crate) async fn known_scopes(&self) -> Result<Option<Vec<ScopeRecord>>, ContextError> {
        match self.scopes() {
            Some(scopes) => scopes.all().await.map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn check_grant(&self, client: &Client, grant: GrantType) -> Result<(), OAuthError> {
        // RFC 6749 §4.4: only a confidential client can act for itself.
        let fits = grant != GrantType::ClientCredentials || !client.is_public();
        match fits && client.allows_grant(grant) {
            true => Ok(()),
            false => Err(OAuthError::new(
                ErrorCode::UnauthorizedClient,
                "the client may not use this grant type",
            )),
        }
    }

    /// RFC 9700 §4.15: a token of a person must not pass for one of a client, so nobody can be
    /// named like a client.
    pub(crate) async fn check_subject(&self, subject: &str) -> Result<(), OAuthError> {
        match self.clients().get(subject).await? {
            None => Ok(()),
            Some(_) => Err(OAuthError::invalid_grant(
                "the subject is the id of a client",
            )),
        }
    }

    pub(crate) async fn resource_owner_is_active(
        &self,
        subject: &str,
    ) -> Result<bool, ContextError> {
        self.resource_owners().is_active(subject).await
    }

    pub(crate) async fn revoke_grant(&self, grant: &GrantId) -> Result<(), ContextError> {
        let until = self.revocation_remembered_until()?;
        self.access_tokens().revoke_grant(grant, until).await
    }

    pub(crate) fn revocation_remembered_until(&self) -> Result<SystemTime, ContextError> {
        later(self.now(), REVOCATION_REMEMBERED)
    }

    /// Removes what has ended, at most `limit` records of each kind, and says how many they were.
    /// Issuances clear away more than they add, so this is for servers that stand idle: call
    /// it again until it says 0.
    ///
    /// # Errors
    ///
    /// When a context fails.
    pub async fn purge(&self, limit: usize) -> Result<usize, ContextError> {
        let now = self.now();
        let mut removed = self.access_tokens().purge(now, limit).await?;
        removed += self.authorization_codes().purge(now, limit).await?;
        removed += self.device_codes().purge(now, limit).await?;
        removed += self.pushed_requests().purge(now, limit).await?;
        removed += self.jwt_ids().purge(now, limit).await?;
        #[cfg(feature = "pages")]
        if let Some(settings) = self.page_settings() {
            removed += settings.sessions.purge(now, limit).await?;
        }
        Ok(removed)
    }

    /// Nobody waits for it, so its failure is nobody's but the log's. Not even a panic may turn
    /// tokens that are stored already into an error.
    pub(crate) async fn purge_some(&self, now: SystemTime) {
        if !self.count_issuance().is_multiple_of(PURGE_EVERY) {
            return;
        }
        let purged = guard::caught(self.access_tokens().purge(now, PURGE_BATCH)).await;
        match purged {
            Some(Ok(_)) => {}
            Some(Err(error)) => tracing::warn!(%error, "ended tokens were not purged"),
            None => tracing::error!("a context panicked while ended tokens were purged"),
        }
    }
}

pub(crate) fn later(time: SystemTime, by: Duration) -> Result<SystemTime, ContextError> {
    let later = time.checked_add(by);
    later.ok_or_else(|| ContextError::new("the clock is at the end of time"))
}
