//! What these cases start from: a manager over the target's client, a server that rotates, a store
//! with faults and a clock that stands still.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use oauth_core::{
    AccessToken, Capability, Client, Error, RefreshToken, Scopes, Token, TokenManager, TokenSet,
    clock::Clock,
    manager::{ManagedToken, TokenManagerBuilder},
    store::{Issued, MemoryStore, Subject, TokenRequest, TokenStore},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{clock::StillClock, store::FaultyStore};
use crate::{Context, Failure, Outcome, Received, Reply, ScriptedServer, ensure};

/// How long the tokens of these cases live.
pub(super) const LIFE: Duration = Duration::from_secs(3600);
/// Longer than the first back-off after a failure.
pub(super) const BACK_OFF: Duration = Duration::from_secs(1);
/// Longer than any back-off, and than a lease.
pub(super) const MINUTE: Duration = Duration::from_secs(61);

/// Longer than anything takes that comes at all.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A fresh one for each part of a case.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) cx: Context,
    pub(super) clock: StillClock,
    pub(super) server: ScriptedServer,
    pub(super) store: FaultyStore,
    token_path: String,
}

impl Setting {
    /// The server refuses a refresh token that it has seen before. It answers `NAME.r0` with
    /// `NAME.a1` and `NAME.r1`, and a client with `client.a1`; all numbers are different.
    pub(super) async fn new(cx: &Context) -> Result<Self, Failure> {
        let server = cx.scripted([]).await?;
        let provider = cx.target().provider(server.base_url())?;
        let token_path = provider.endpoints().token().as_str();
        let token_path = token_path
            .strip_prefix(server.base_url())
            .unwrap_or(token_path)
            .to_owned();
        let dead = cx.refusal("invalid_grant")?;
        server.model(rotating(cx.clone(), token_path.clone(), dead));
        let clock = StillClock::new(cx.clock());
        let memory = MemoryStore::with_clock(Arc::new(clock.clone()));
        Ok(Self {
            cx: cx.clone(),
            clock,
            server,
            store: FaultyStore::over(memory),
            token_path,
        })
    }

    /// The same clock and store, and another server: another issuer.
    pub(super) async fn beside(&self) -> Result<Self, Failure> {
        let other = Self::new(&self.cx).await?;
        Ok(Self {
            clock: self.clock.clone(),
            store: self.store.clone(),
            ..other
        })
    }

    pub(super) fn client(&self) -> Result<Client, Failure> {
        let builder = self.cx.builder(self.server.base_url())?;
        Ok(builder.clock(Arc::new(self.clock.clone())).build()?)
    }

    /// A client of another name at the same server.
    pub(super) fn client_named(&self, name: &str) -> Result<Client, Failure> {
        let provider = self.cx.target().provider(self.server.base_url())?;
        let builder = self.cx.builder_for(provider, name);
        let builder = builder.client_secret(self.cx.credentials().client_secret);
        Ok(builder.clock(Arc::new(self.clock.clone())).build()?)
    }

    /// A manager over the store, before it is built.
    pub(super) fn builder(&self) -> Result<TokenManagerBuilder, Failure> {
        Ok(TokenManager::builder(self.client()?).store(self.store.clone()))
    }

    /// A manager over the store.
    pub(super) fn manager(&self) -> Result<TokenManager, Failure> {
        Ok(self.builder()?.build())
    }

    /// A manager without a store.
    pub(super) fn in_memory(&self) -> Result<TokenManager, Failure> {
        Ok(TokenManager::new(self.client()?))
    }

    /// How another process sees the same store, without faults.
    pub(super) fn other_process(&self) -> Result<TokenManager, Failure> {
        let store = FaultyStore::over(self.store.memory().clone());
        Ok(TokenManager::builder(self.client()?).store(store).build())
    }

    /// The access token `NAME.a0` with the refresh token `NAME.r0` and all scopes, for an hour.
    pub(super) fn token(&self, name: &str) -> Result<TokenSet, Failure> {
        self.numbered(name, 0)
    }

    pub(super) fn numbered(&self, name: &str, number: u32) -> Result<TokenSet, Failure> {
        let now = self.clock.now();
        let refresh_token = RefreshToken::new(format!("{name}.r{number}"))?;
        let token = TokenSet::new(AccessToken::new(format!("{name}.a{number}"))?, now);
        Ok(token
            .with_expires_at(Some(now + LIFE))
            .with_scopes(self.cx.credentials().scopes)
            .with_refresh_token(Some(refresh_token)))
    }

    /// The user `user`, registered with the tokens of that name.
    pub(super) async fn session(&self, tokens: &TokenManager) -> Result<Subject, Failure> {
        let user = Subject::user("user");
        tokens.register(&user, self.token("user")?).await?;
        Ok(user)
    }

    pub(super) fn expire(&self) {
        self.clock.advance(LIFE);
    }

    /// The token requests that came.
    pub(super) fn asked(&self) -> Vec<Received> {
        let mut received = self.server.received();
        received.retain(|request| request.path() == self.token_path);
        received
    }

    /// The requests that came to other endpoints.
    pub(super) fn elsewhere(&self) -> Vec<Received> {
        let mut received = self.server.received();
        received.retain(|request| request.path() != self.token_path);
        received
    }

    /// The refresh tokens that came, in order.
    pub(super) fn sent(&self) -> Vec<String> {
        let asked = self.asked();
        let sent = asked.iter();
        sent.filter_map(|request| request.param("refresh_token"))
            .collect()
    }

    /// Ends the case unless as many token requests came.
    pub(super) fn came(&self, count: usize, did: &str) -> Outcome {
        let got = self.asked().len();
        ensure!(
            got == count,
            "{did}: expected {count} token requests, got {got}"
        );
        Ok(())
    }

    /// What the store holds of a subject.
    pub(super) async fn stored(
        &self,
        tokens: &TokenManager,
        subject: &Subject,
    ) -> Result<Vec<Issued>, Failure> {
        let stored = self.store.memory().load(&tokens.owner(subject)).await;
        let stored = stored.map_err(|error| Failure::new(error.to_string()))?;
        Ok(stored
            .map(|stored| stored.record.tokens().to_vec())
            .unwrap_or_default())
    }

    /// The refresh tokens that the store holds of a subject.
    pub(super) async fn refreshable(
        &self,
        tokens: &TokenManager,
        subject: &Subject,
    ) -> Result<Vec<String>, Failure> {
        let stored = self.stored(tokens, subject).await?;
        Ok(stored
            .iter()
            .filter_map(|issued| issued.token.refresh_token())
            .map(|token| token.expose_secret().to_owned())
            .collect())
    }

    /// Ends the case unless the store holds exactly these refresh tokens of a subject.
    pub(super) async fn holds(
        &self,
        tokens: &TokenManager,
        subject: &Subject,
        expected: &[&str],
        did: &str,
    ) -> Outcome {
        let got = self.refreshable(tokens, subject).await?;
        ensure!(
            got == expected,
            "{did}: expected the refresh tokens {expected:?} in the store, got {got:?}"
        );
        Ok(())
    }

    /// Waits until the store holds exactly this refresh token of a subject.
    pub(super) async fn comes_to_hold(
        &self,
        tokens: &TokenManager,
        subject: &Subject,
        expected: &str,
        did: &str,
    ) -> Outcome {
        let waiting = async {
            while self.refreshable(tokens, subject).await? != [expected] {
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>(())
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.map_err(|_| Failure::new(format!("{did}: {expected} is not stored after 30 s")))?
    }

    /// Another process stores `token` in the place of what there is of a subject.
    pub(super) async fn replace(
        &self,
        tokens: &TokenManager,
        subject: &Subject,
        token: TokenSet,
    ) -> Outcome {
        let failed = |error: oauth_core::store::StoreError| Failure::new(error.to_string());
        let owner = tokens.owner(subject);
        let memory = self.store.memory();
        let had = memory.load(&owner).await.map_err(failed)?;
        let request = TokenRequest::scopes(token.scopes().clone());
        let (record, version) = match had {
            Some(had) => (had.record, Some(had.version)),
            None => Default::default(),
        };
        let record = record.with(request, token);
        let saved = memory.save(&owner, &record, version, None).await;
        saved.map(drop).map_err(failed)
    }

    /// One of the target's scopes, and all of them.
    pub(super) fn scopes(&self) -> Result<(Scopes, Scopes), Failure> {
        let all = self.cx.credentials().scopes;
        Ok((Scopes::new(all.iter().take(1))?, all))
    }

    /// Whether the target's provider can do this.
    pub(super) fn can(&self, capability: Capability) -> Result<bool, Failure> {
        let provider = self.cx.target().provider(self.server.base_url())?;
        Ok(provider.capabilities().contains(capability))
    }
}

fn rotating(
    cx: Context,
    token_path: String,
    dead: Reply,
) -> impl Fn(&Received) -> Reply + Send + 'static {
    let count = AtomicU64::new(0);
    let seen = Mutex::new(HashSet::new());
    move |request| {
        if request.path() != token_path {
            return Reply::new(200);
        }
        let number = count.fetch_add(1, Relaxed) + 1;
        let asked = request.param("scope");
        let sent = request.param("refresh_token");
        let name = match &sent {
            Some(sent) => sent.rsplit_once('.').map_or(&**sent, |(name, _)| name),
            None => "client",
        };
        let mut answer = cx.target().token_answer(&format!("{name}.a{number}"));
        if let Some(asked) = asked {
            answer["scope"] = scope(&answer, &asked);
        }
        match &sent {
            Some(sent) => {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if !seen.insert(sent.clone()) {
                    return dead.clone();
                }
                answer["refresh_token"] = json!(format!("{name}.r{number}"));
            }
            None => drop(
                answer
                    .as_object_mut()
                    .map(|all| all.remove("refresh_token")),
            ),
        }
        Reply::json(200, &answer)
    }
}

/// Scopes in the form that the target's answer has them.
pub(super) fn scope(answer: &Value, scopes: &str) -> Value {
    match answer["scope"].is_array() {
        true => scopes.split(' ').collect(),
        false => json!(scopes),
    }
}

/// A caller in a task of its own.
pub(super) fn caller(
    tokens: &TokenManager,
    subject: &Subject,
) -> JoinHandle<Result<ManagedToken, Error>> {
    let (tokens, subject) = (tokens.clone(), subject.clone());
    tokio::spawn(async move { tokens.get(&subject, None).await })
}

/// What such a caller got.
pub(super) async fn ended<T>(caller: JoinHandle<T>) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, caller).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(_)) => Err(Failure::new("a caller's task panicked")),
        Err(_) => Err(Failure::new("a caller still waits after 30 s")),
    }
}

/// Ends the case unless this access token came.
pub(super) fn gives(result: Result<ManagedToken, Error>, expected: &str, did: &str) -> Outcome {
    let token = result
        .map_err(|error| Failure::new(format!("{did}: expected {expected}, got {error:?}")))?;
    let got = token.expose_secret();
    ensure!(got == expected, "{did}: expected {expected}, got {got}");
    Ok(())
}

/// The error of a call that must not succeed.
pub(super) fn fails<T>(result: Result<T, Error>, did: &str) -> Result<Error, Failure> {
    match result {
        Err(error) => Ok(error),
        Ok(_) => Err(Failure::new(format!("{did}: expected an error, got none"))),
    }
}

/// Ends the case unless only the user can help.
pub(super) fn ends<T>(result: Result<T, Error>, did: &str) -> Outcome {
    let error = fails(result, did)?;
    ensure!(
        error.needs_reauthorization(),
        "{did}: expected an error that needs re-authorization, got {error:?}"
    );
    Ok(())
}

/// Lets other tasks run for a while, to see that something does not happen.
pub(super) async fn settle() {
    for _ in 0..50 {
        // To yield is not enough: a case may run beside the runtime's workers, not on one of them.
        let _ = tokio::spawn(tokio::task::yield_now()).await;
    }
}

/// Waits until `check` says yes.
pub(super) async fn eventually(did: &str, mut check: impl FnMut() -> bool + Send) -> Outcome {
    let waiting = async {
        while !check() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.map_err(|_| Failure::new(format!("{did}: not so after 30 s")))
}
