//! What a case works with: the target's client against a scripted server or the counterpart.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use oauth_core::{
    Capability, Client, ClientBuilder, Provider, RetryPolicy, Token, TokenSet, Transport,
    clock::{Clock, ManualClock},
    grant::{AuthorizationCode, ClientCredentials, DeviceCode, Grant},
};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{
    Counterpart, Credentials, Failure, Fault, Need, Reply, ScriptedServer, Secrets, Seed, Target,
    WatchedTransport, seed::SeededRandom, target::ANY_GRANT, trace::Recorded,
};

/// The example of RFC 7636, appendix B: a verifier, and what it is to be shown as.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What a case works with. Each case has its own: nothing is shared between two.
#[derive(Debug, Clone)]
pub struct Context {
    target: Arc<dyn Target>,
    clock: ManualClock,
    run: Setting,
    random: Arc<SeededRandom>,
}

/// What the cases of a run share.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) transport: WatchedTransport,
    pub(crate) secrets: Secrets,
    pub(crate) seed: Seed,
    /// The only fault that cases about faults are to make, if one was asked for.
    pub(crate) fault: Option<Fault>,
}

impl Context {
    pub(crate) fn new(target: Arc<dyn Target>, id: &str, mut run: Setting) -> Self {
        // A fixed moment, so that a run is like the one before: 2026-01-01T00:00:00Z.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        run.seed = run.seed.of(&format!("{id} on {}", target.name()));
        let own = target.credentials();
        for secret in [&own.client_secret, &own.password] {
            run.secrets.add(secret.expose_secret());
        }
        for public in [&*own.redirect_uri, &own.client_id, CHALLENGE] {
            run.secrets.public(public);
        }
        Self {
            target,
            clock: ManualClock::at(now),
            random: Arc::new(SeededRandom::new(run.seed)),
            run,
        }
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> &dyn Target {
        &*self.target
    }

    /// The target's credentials.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.target.credentials()
    }

    /// The clock of the case's clients; it moves when a client sleeps, and when the case says so.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The transport of the run's clients: a new one for each would read the machine's root
    /// certificates each time.
    #[must_use]
    pub fn transport(&self) -> WatchedTransport {
        self.run.transport.clone()
    }

    /// The seed of this case: whatever it draws comes from here.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.run.seed
    }

    /// The faults to make: all, or the one that was asked for.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        match self.run.fault {
            Some(fault) => vec![fault],
            None => Fault::ALL.to_vec(),
        }
    }

    /// The secrets of the run; a case adds those that no transport of the suite's sees.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.run.secrets
    }

    /// As [`Context::transport`], for a client whose requests belong in the reports.
    #[must_use]
    pub fn recorded_transport(&self) -> impl Transport + use<> {
        Recorded::new(self.transport())
    }

    /// What that clock shows.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// A server that gives these answers, in order.
    ///
    /// # Errors
    /// When it cannot listen on loopback.
    pub async fn scripted(
        &self,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Result<ScriptedServer, Failure> {
        Ok(ScriptedServer::start(replies).await?)
    }

    /// A fresh counterpart.
    ///
    /// # Errors
    /// When the target cannot start one.
    pub async fn counterpart(&self) -> Result<Counterpart, Failure> {
        self.target.start().await.map_err(Failure::new)
    }

    /// The target's confidential client against `base_url`, with the case's clock and without
    /// retries.
    ///
    /// # Errors
    /// When the provider or the client cannot be built.
    pub fn client(&self, base_url: &str) -> Result<Client, Failure> {
        Ok(self.builder(base_url)?.build()?)
    }

    /// As [`Context::client`], before it is built.
    ///
    /// # Errors
    /// When the provider cannot be built.
    pub fn builder(&self, base_url: &str) -> Result<ClientBuilder, Failure> {
        let credentials = self.credentials();
        let provider = self.target.provider(base_url)?;
        Ok(self
            .builder_for(provider, &credentials.client_id)
            .client_secret(credentials.client_secret))
    }

    /// The target's public client against `base_url`.
    ///
    /// # Errors
    /// When there is none, or it cannot be built.
    pub fn public_client(&self, base_url: &str) -> Result<Client, Failure> {
        let credentials = self.credentials();
        let id = credentials
            .public_client_id
            .ok_or_else(|| Failure::new("the target names no public client"))?;
        let provider = self.target.provider(base_url)?;
        Ok(self.builder_for(provider, &id).build()?)
    }

    /// A client of any provider, without a secret, with the case's clock and without retries.
    pub fn builder_for(&self, provider: Arc<dyn Provider>, client_id: &str) -> ClientBuilder {
        Client::builder_for(provider, client_id)
            .transport(self.recorded_transport())
            .clock(Arc::new(self.clock.clone()))
            .random(self.random.clone())
            .retry(RetryPolicy::none())
    }

    /// The target's plain token answer, status 200.
    #[must_use]
    pub fn token_reply(&self, access_token: &str) -> Reply {
        Reply::json(200, &self.target.token_answer(access_token))
    }

    /// The target's token answer with one member set, status 200.
    #[must_use]
    pub fn token_reply_with(&self, member: &str, value: Value) -> Reply {
        let mut answer = self.target.token_answer("conformance-access-token");
        answer[member] = value;
        Reply::json(200, &answer)
    }

    /// The target's token answer without one member, status 200.
    #[must_use]
    pub fn token_reply_without(&self, member: &str) -> Reply {
        let mut answer = self.target.token_answer("conformance-access-token");
        if let Some(members) = answer.as_object_mut() {
            members.remove(member);
        }
        Reply::json(200, &answer)
    }

    /// The target's token answer with one member set to what is written in `json`, status 200: for
    /// numbers and texts that no JSON value can hold.
    #[must_use]
    pub fn token_reply_raw(&self, member: &str, json: &str) -> Reply {
        const HERE: &str = "@conformance@";

        let mut answer = self.target.token_answer("conformance-access-token");
        answer[member] = Value::String(HERE.to_owned());
        let body = answer.to_string().replace(&format!("\"{HERE}\""), json);
        Reply::new(200)
            .header("Content-Type", "application/json")
            .body(body)
    }

    /// Whether the target says that it lacks this.
    #[must_use]
    pub fn lacks(&self, need: Need) -> bool {
        self.target.lacks().contains(&need)
    }

    /// What the target's client makes of one answer to a token request ([`Context::grant`]).
    ///
    /// # Errors
    /// When the scripted server or the client cannot be set up; the inner result is the client's.
    pub async fn read(&self, reply: Reply) -> Result<Result<TokenSet, oauth_core::Error>, Failure> {
        let server = self.scripted([reply]).await?;
        Ok(self.ask(&self.client(server.base_url())?).await)
    }

    /// A token request of `client`; see [`Context::grant`].
    ///
    /// # Errors
    /// The client's.
    pub async fn ask(&self, client: &Client) -> Result<TokenSet, oauth_core::Error> {
        client.exchange(&*self.grant(client)).await
    }

    /// What `client` can ask a token with, for the target's scopes: client credentials, or where
    /// its provider has none a code with PKCE, or a device code. A scripted server takes any.
    #[must_use]
    pub fn grant(&self, client: &Client) -> Box<dyn Grant> {
        let own = self.credentials();
        let can = client.provider().capabilities();
        let first = ANY_GRANT.into_iter().find(|grant| can.contains(*grant));
        match first {
            Some(Capability::AuthorizationCode) => {
                let code = AuthorizationCode::new("conformance-code")
                    .with_redirect_uri(own.redirect_uri)
                    .with_requested_scopes(own.scopes);
                Box::new(match can.contains(Capability::Pkce) {
                    true => code.with_code_verifier(VERIFIER),
                    false => code,
                })
            }
            Some(Capability::DeviceCode) => {
                let code = DeviceCode::new("conformance-device-code");
                Box::new(code.with_requested_scopes(own.scopes))
            }
            _ => Box::new(ClientCredentials::new().with_scopes(own.scopes)),
        }
    }

    /// A refusal with `code` as the target says it; an error when it has no way to.
    ///
    /// # Errors
    /// When the target cannot say it.
    pub fn refusal(&self, code: &str) -> Result<Reply, Failure> {
        let (status, body) = self.refusal_body(code)?;
        Ok(Reply::new(status)
            .header("content-type", "application/json")
            .body(body))
    }

    /// As [`Context::refusal`]: its status and its body alone.
    ///
    /// # Errors
    /// When the target cannot say it.
    pub fn refusal_body(&self, code: &str) -> Result<(u16, String), Failure> {
        self.target
            .refusal(code)
            .ok_or_else(|| Failure::new(format!("the target has no way to say {code}")))
    }

    /// Seconds until a token ends, on the case's clock.
    #[must_use]
    pub fn lifetime(&self, token: &dyn Token) -> Option<u64> {
        token
            .expires_at()
            .map(|end| end.duration_since(self.now()).unwrap_or_default().as_secs())
    }
}
