//! Client, store and manager together: what every token command works with.

use std::{
    fs::File,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use oauth_core::{
    AccessToken, Error, Scopes, TokenManager, TokenSet,
    manager::{RefreshPolicy, Session as Kept},
    secrecy::ExposeSecret,
    store::{Issued, Subject, TokenRequest, TokenStore},
};
use oauth_store::Sqlite;

use crate::{
    client::{Clients, Setup},
    failure::Failure,
    grants::Source,
    options::{GrantName, Options, ProviderName},
    secrets::Secrets,
    storage,
};

/// How long before its end a token is no longer handed out while it can be renewed.
const MANDATORY: Duration = Duration::from_secs(60);
/// How long a renewal that was cut short may still take to end and to be stored.
const GRACE: Duration = Duration::from_secs(3);

/// What the command that runs has set going, for whoever has to end it. There is one of each.
#[derive(Debug, Default)]
pub(crate) struct Running {
    tokens: OnceLock<TokenManager>,
    file: OnceLock<Sqlite>,
    /// Held to the very end: nobody may change the key before all is written.
    key_lock: OnceLock<File>,
    has_only_read: AtomicBool,
}

impl Running {
    pub(crate) fn opened(&self, file: &Sqlite) {
        let _ = self.file.set(file.clone());
    }

    pub(crate) fn uses_key(&self, lock: File) {
        let _ = self.key_lock.set(lock);
    }

    /// Nothing was written, so there is nothing to close.
    pub(crate) fn has_only_read(&self) {
        self.has_only_read.store(true, Ordering::Relaxed);
    }

    /// Lets a renewal end that is under way: what the server has sent is stored.
    pub(crate) async fn settle(&self) {
        if let Some(tokens) = self.tokens.get() {
            tokens.shutdown(GRACE).await;
        }
    }

    /// Leaves the store's file whole by itself.
    pub(crate) async fn close(&self) {
        if let Some(file) = self.file.get()
            && !self.has_only_read.load(Ordering::Relaxed)
        {
            // Everything is on the disk: the next command only has more to read.
            let _ = file.close().await;
        }
    }
}

pub(crate) struct Session {
    pub(crate) options: Options,
    pub(crate) secrets: Secrets,
    pub(crate) clients: Clients,
    pub(crate) tokens: TokenManager,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) subject: Subject,
    pub(crate) scopes: Option<Scopes>,
    pub(crate) request: TokenRequest,
}

impl Session {
    /// Everything is checked that can be, then the store is opened, then the server is asked for
    /// its metadata if need be.
    pub(crate) async fn open(options: Options, running: &Running) -> Result<Self, Failure> {
        Self::open_for(options, running, Use::Ask).await
    }

    /// As [`Session::open`], for a command that reads the store: one that cannot be read is told,
    /// and the server is not asked for its metadata when the store has a token to hand out.
    pub(crate) async fn open_to_read(options: Options, running: &Running) -> Result<Self, Failure> {
        Self::open_for(options, running, Use::Read).await
    }

    async fn open_for(options: Options, running: &Running, what_for: Use) -> Result<Self, Failure> {
        let secrets = Secrets::read(&options).await?;
        if let Some(token) = &secrets.token {
            AccessToken::new(token.expose_secret()).map_err(|_| {
                Failure::usage(
                    "the token in OAUTH_TOKEN or --token-file has a character that is not printable ASCII",
                )
            })?;
        }
        let setup = Setup::new(&options, &secrets)?;
        let scopes = asked_scopes(&options)?;
        let mut request = TokenRequest::any().with_scopes(scopes.clone());
        for (name, value) in options.params()? {
            request = match name {
                "resource" => request.resource(value),
                _ => request.param(name, value)?,
            };
        }
        let source = Source::new(&options, &secrets);
        // What can be wrong about the client is found before the store is opened.
        let issuer = options.discovered_issuer();
        let mut clients = match issuer {
            Some(issuer) => setup.unasked(issuer, &options, &secrets)?,
            None => setup.clients(&options, &secrets).await?,
        };
        let store = storage::open(
            options.store.as_ref(),
            options.store_key_file.as_deref(),
            running,
        )
        .await?;
        let manager = |clients: &Clients| {
            // A command ends with its answer: nothing may be renewed behind its back.
            let policy = RefreshPolicy::default()
                .with_advisory(Duration::ZERO)
                .with_mandatory(MANDATORY);
            TokenManager::builder(clients.core.clone())
                .shared_store(Arc::clone(&store))
                .source(source.clone())
                .policy(policy)
                .build()
        };
        let subject = options.subject();
        let mut tokens = manager(&clients);
        let mut is_answered = false;
        if let Use::Read = what_for {
            // The manager would go on without a store.
            let kept = tokens.sessions(&subject).await?;
            if issuer.is_some() {
                is_answered = !options.fresh
                    && has_fresh(&tokens, &kept, &request)
                    && has_answer(&tokens, &subject, &request).await;
                if !kept.iter().any(|session| session.refreshable) && !is_answered {
                    source.check()?;
                }
            }
        }
        if issuer.is_some() && !is_answered {
            clients = setup.clients(&options, &secrets).await?;
            tokens = manager(&clients);
        }
        let _ = running.tokens.set(tokens.clone());
        Ok(Self {
            options,
            secrets,
            clients,
            tokens,
            store,
            subject,
            scopes,
            request,
        })
    }

    /// What the store has of the subject: with these scopes if some were named.
    pub(crate) async fn stored(&self) -> Result<Vec<Issued>, Failure> {
        let owner = self.tokens.owner(&self.subject);
        let Some(stored) = self.store.load(&owner).await? else {
            return Ok(Vec::new());
        };
        use oauth_core::Token;
        let named = self.options.scopes()?;
        let wanted = |issued: &&Issued| {
            named.as_ref().is_none_or(|scopes| {
                *issued.token.scopes() == *scopes
                    || issued.request.requested_scopes() == Some(scopes)
            })
        };
        Ok(stored
            .record
            .tokens()
            .iter()
            .filter(wanted)
            .cloned()
            .collect())
    }

    /// The stored token that lives longest.
    pub(crate) async fn stored_token(&self) -> Result<TokenSet, Failure> {
        use oauth_core::Token;
        let all = self.stored().await?;
        let lasting = |issued: &Issued| {
            let end = issued.token.expires_at();
            (end.is_none(), end)
        };
        let last = all.into_iter().max_by_key(lasting);
        last.map(|issued| issued.token).ok_or_else(|| {
            Error::reauthorization_needed(
                "the store has no such token; get one with `oauth token` or `oauth login`, or give one in OAUTH_TOKEN or --token-file",
            )
            .into()
        })
    }
}

#[derive(Clone, Copy)]
enum Use {
    Ask,
    Read,
}

/// The scopes to ask for. Ministry Platform knows one, which nobody should have to type.
fn asked_scopes(options: &Options) -> Result<Option<Scopes>, Failure> {
    let named = options.scopes()?;
    let platform = options.provider() == ProviderName::MinistryPlatform;
    let from_login = matches!(
        options.grant,
        Some(GrantName::RefreshToken | GrantName::AuthorizationCode)
    );
    if named.is_some() || !platform || from_login {
        return Ok(named);
    }
    Ok(Some(Scopes::parse(ministry_platform::SCOPE_ALL)?))
}

/// Whether one of these is likely to be handed out.
fn has_fresh(tokens: &TokenManager, kept: &[Kept], request: &TokenRequest) -> bool {
    let now = tokens.client().clock().now();
    let any = request.is_plain() && request.requested_scopes().is_none();
    kept.iter().any(|session| {
        let same = session.request == *request || any && session.request.is_plain();
        let fresh = session.expires_at.is_none_or(|end| {
            let life = end.duration_since(session.issued_at).unwrap_or_default();
            end > now + MANDATORY.min(life / 5)
        });
        same && fresh
    })
}

/// Whether the manager of a client that sends nothing has a token all the same.
async fn has_answer(tokens: &TokenManager, subject: &Subject, request: &TokenRequest) -> bool {
    let selection = tokens.select(subject).request(request.clone());
    selection.get().await.is_ok()
}
