//! Contexts that fail, panic, or let everybody look before anybody acts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use async_trait::async_trait;
use oauth_server::ErrorCode::{InvalidGrant, ServerError, TemporarilyUnavailable};
use oauth_server::{
    AccessTokenRecord, AccessTokens, AuthorizationCodeRecord, AuthorizationCodes, Client, Clients,
    ContextError, DeviceCodeRecord, DeviceCodes, GrantId, Random, RefreshTokenRecord, Rotation,
    TokenHash, TokenResponse,
    memory::{MemoryAccessTokens, MemoryAuthorizationCodes},
};
use tokio::sync::Barrier;

use crate::support::{CHALLENGE, World, app, as_client, assert_refused, world_with};

#[derive(Debug)]
struct Panicking;

#[async_trait]
impl Clients for Panicking {
    async fn get(&self, client_id: &str) -> Result<Option<Client>, ContextError> {
        panic!("{client_id} made me fall")
    }
}

#[async_trait]
impl DeviceCodes for Panicking {
    async fn insert(&self, _: DeviceCodeRecord, _: SystemTime) -> Result<bool, ContextError> {
        panic!("nothing is kept")
    }

    async fn find(&self, _: &TokenHash) -> Result<Option<DeviceCodeRecord>, ContextError> {
        panic!("nothing is found")
    }

    async fn update(
        &self,
        _: &TokenHash,
        _: &mut (dyn for<'r> FnMut(&'r mut DeviceCodeRecord) + Send),
    ) -> Result<bool, ContextError> {
        panic!("nothing is changed")
    }
}

/// Random until it is dry.
#[derive(Debug, Default)]
struct Drying(AtomicBool);

impl Random for Drying {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), ContextError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(ContextError::new("dry").with_source("no entropy"));
        }
        bytes.fill(7);
        Ok(())
    }
}

/// Works until it is switched off; with a barrier, so many look up a refresh token at once.
#[derive(Debug, Default)]
struct Flaky {
    tokens: MemoryAccessTokens,
    down: AtomicBool,
    /// How often somebody asked for anything.
    asked: AtomicUsize,
    barrier: Option<Barrier>,
}

impl Flaky {
    fn up(&self) -> Result<(), ContextError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.down.load(Ordering::SeqCst) {
            true => Err(ContextError::new("the store is down")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl AccessTokens for Flaky {
    async fn insert(
        &self,
        access: &AccessTokenRecord,
        refresh: Option<&RefreshTokenRecord>,
    ) -> Result<(), ContextError> {
        self.up()?;
        self.tokens.insert(access, refresh).await
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<AccessTokenRecord>, ContextError> {
        self.up()?;
        self.tokens.get(hash).await
    }

    async fn get_refresh(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<RefreshTokenRecord>, ContextError> {
        self.up()?;
        let record = self.tokens.get_refresh(hash).await;
        if let Some(barrier) = &self.barrier {
            barrier.wait().await;
        }
        record
    }

    async fn rotate(
        &self,
        used: &RefreshTokenRecord,
        access: &AccessTokenRecord,
        successor: Option<&RefreshTokenRecord>,
    ) -> Result<Rotation, ContextError> {
        self.up()?;
        self.tokens.rotate(used, access, successor).await
    }

    async fn revoke(&self, hash: &TokenHash) -> Result<(), ContextError> {
        self.up()?;
        self.tokens.revoke(hash).await
    }

    async fn revoke_grant(&self, grant: &GrantId, until: SystemTime) -> Result<(), ContextError> {
        self.up()?;
        self.tokens.revoke_grant(grant, until).await
    }

    async fn revoke_access_tokens(&self, client_id: Option<&str>) -> Result<usize, ContextError> {
        self.up()?;
        self.tokens.revoke_access_tokens(client_id).await
    }

    async fn revoke_grants(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
        until: SystemTime,
    ) -> Result<usize, ContextError> {
        self.up()?;
        self.tokens.revoke_grants(client_id, subject, until).await
    }
}

/// Lets nobody go on before everybody has looked.
#[derive(Debug)]
struct Crowded {
    codes: MemoryAuthorizationCodes,
    barrier: Barrier,
}

#[async_trait]
impl AuthorizationCodes for Crowded {
    async fn insert(
        &self,
        record: AuthorizationCodeRecord,
        now: SystemTime,
    ) -> Result<(), ContextError> {
        self.codes.insert(record, now).await
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<AuthorizationCodeRecord>, ContextError> {
        let record = self.codes.get(hash).await;
        self.barrier.wait().await;
        record
    }

    async fn consume(&self, hash: &TokenHash) -> Result<bool, ContextError> {
        self.codes.consume(hash).await
    }
}

const CROWD: usize = 20;

async fn all_at_once(world: &World, fields: &[(&str, &str)]) -> Vec<TokenResponse> {
    let requests = (0..CROWD).map(|_| {
        let (server, request) = (world.server.clone(), as_client("app", fields));
        tokio::spawn(async move { server.token(&request).await })
    });
    let mut granted = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        match request.await.unwrap() {
            Ok(token) => granted.push(token),
            Err(error) => assert_eq!(error.code(), InvalidGrant),
        }
    }
    granted
}

#[tokio::test]
async fn a_refresh_token_that_all_saw_unused_is_used_once() {
    let store = Arc::new(Flaky {
        barrier: Some(Barrier::new(CROWD)),
        ..Flaky::default()
    });
    let world = world_with(|builder| builder.access_tokens(store));
    let token = world.login().await;
    let refresh = token.refresh_token().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let granted = all_at_once(&world, &fields).await;
    assert_eq!(granted.len(), 1);
    assert!(
        !world.is_live(granted[0].access_token()).await,
        "it was a reuse"
    );
}

#[tokio::test]
async fn a_code_that_all_saw_unused_is_used_once() {
    let codes = Arc::new(Crowded {
        codes: MemoryAuthorizationCodes::new(),
        barrier: Barrier::new(CROWD),
    });
    let world = world_with(|builder| builder.authorization_codes(codes));
    world
        .clients
        .insert(app("app").require_pkce(false).build().unwrap());
    let request = http::Request::get("/authorize?response_type=code&client_id=app");
    let request = request.body(bytes::Bytes::new()).unwrap();
    let request = world.server.preauthorize(&request).await.unwrap();
    let response = world.server.authorize(&request, "person-1").await.unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", response.code()),
    ];
    let granted = all_at_once(&world, &fields).await;
    assert_eq!(granted.len(), 1);
    assert!(
        !world.is_live(granted[0].access_token()).await,
        "it was a replay"
    );
}

#[tokio::test]
async fn a_store_that_is_down_judges_nothing() {
    let store = Arc::new(Flaky::default());
    let world = world_with(|builder| builder.access_tokens(store.clone()));
    let token = world.login().await;
    let refresh = token.refresh_token().unwrap();
    store.down.store(true, Ordering::SeqCst);

    let cc = world.token(&[("grant_type", "client_credentials")]).await;
    let error = assert_refused(cc, 503, TemporarilyUnavailable);
    assert!(error.headers().contains_key("retry-after"));
    assert!(!error.to_string().contains("store"), "{error}");
    assert_refused(world.refresh(refresh).await, 503, TemporarilyUnavailable);
    let revoke = as_client("app", &[("token", refresh)]);
    assert_refused(
        world.server.revoke(&revoke).await,
        503,
        TemporarilyUnavailable,
    );
    assert_refused(
        world.server.introspect(&revoke).await,
        503,
        TemporarilyUnavailable,
    );

    store.down.store(false, Ordering::SeqCst);
    world
        .refresh(refresh)
        .await
        .expect("the refresh token is as it was");
}

#[tokio::test]
async fn a_token_of_another_client_costs_what_an_unknown_one_does() {
    let store = Arc::new(Flaky::default());
    let world = world_with(|builder| builder.access_tokens(store.clone()));
    let token = world.login().await;
    for (what, token) in [
        ("unknown", "unknown"),
        ("an access token", token.access_token()),
        ("a refresh token", token.refresh_token().unwrap()),
    ] {
        store.asked.store(0, Ordering::SeqCst);
        let public = crate::support::form(&[("client_id", "public"), ("token", token)]);
        world.server.revoke(&public).await.unwrap();
        let request = as_client("other", &[("token", token)]);
        let refused = world.server.revoke(&request).await.is_err();
        assert_eq!(refused, what != "unknown");
        assert_eq!(store.asked.load(Ordering::SeqCst), 4, "{what}");
    }
}

#[tokio::test]
async fn codes_outlive_a_store_that_is_down() {
    let store = Arc::new(Flaky::default());
    let world = world_with(|builder| builder.access_tokens(store.clone()));
    world
        .clients
        .insert(app("app").require_pkce(false).build().unwrap());
    let request = http::Request::get("/authorize?response_type=code&client_id=app");
    let request = request.body(bytes::Bytes::new()).unwrap();
    let request = world.server.preauthorize(&request).await.unwrap();
    let response = world.server.authorize(&request, "person-1").await.unwrap();
    let request = as_client("app", &[]);
    let started = world.server.device_authorization(&request).await.unwrap();
    let approved = world.server.approve_device(started.user_code(), "person-1");
    assert!(approved.await.unwrap());

    for fields in [
        [
            ("grant_type", "authorization_code"),
            ("code", response.code()),
        ],
        [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", started.device_code()),
        ],
    ] {
        store.down.store(true, Ordering::SeqCst);
        let error = assert_refused(world.token(&fields).await, 503, TemporarilyUnavailable);
        assert!(error.headers().contains_key("retry-after"));
        store.down.store(false, Ordering::SeqCst);
        let token = world.token(&fields).await.expect("the advised retry");
        assert!(world.is_live(token.access_token()).await);
        assert_refused(world.token(&fields).await, 400, InvalidGrant);
    }
}

#[tokio::test]
async fn a_code_that_came_back_is_not_released() {
    let codes = Arc::new(MemoryAuthorizationCodes::new());
    let world = world_with(|builder| builder.authorization_codes(codes.clone()));
    world
        .clients
        .insert(app("app").require_pkce(false).build().unwrap());
    let request = http::Request::get("/authorize?response_type=code&client_id=app");
    let request = request.body(bytes::Bytes::new()).unwrap();
    let request = world.server.preauthorize(&request).await.unwrap();
    let response = world.server.authorize(&request, "person-1").await.unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", response.code()),
    ];
    world.token(&fields).await.expect("the first use");
    assert_refused(world.token(&fields).await, 400, InvalidGrant);
    // As a first use would whose tokens could not be stored, had it been slower than the second.
    codes
        .release(&TokenHash::of(response.code()))
        .await
        .unwrap();
    assert_refused(world.token(&fields).await, 400, InvalidGrant);
}

#[tokio::test]
async fn a_panic_at_a_decision_is_a_500_too() {
    let good = world_with(|builder| builder);
    let request = http::Request::get(format!(
        "/authorize?response_type=code&client_id=app&code_challenge={CHALLENGE}\
         &code_challenge_method=S256"
    ));
    let request = request.body(bytes::Bytes::new()).unwrap();
    let request = good.server.preauthorize(&request).await.unwrap();
    let world = world_with(|builder| {
        let builder = builder.clients(Arc::new(Panicking));
        builder.device_codes(Arc::new(Panicking))
    });
    let refused = world.server.authorize(&request, "person-1").await;
    let refused = refused.map_err(|error| error.error().clone());
    assert_refused(refused, 500, ServerError);
    let approved = world.server.approve_device("ABCD-EFGH", "person-1").await;
    assert_refused(approved, 500, ServerError);
    let denied = world.server.deny_device("ABCD-EFGH").await;
    assert_refused(denied, 500, ServerError);
}

#[tokio::test]
async fn a_panic_is_a_500_that_says_nothing() {
    let world = world_with(|builder| builder.clients(Arc::new(Panicking)));
    let refused = world.token(&[("grant_type", "client_credentials")]).await;
    let error = assert_refused(refused, 500, ServerError);
    assert!(!error.to_string().contains("fall"), "{error}");
}

#[tokio::test]
async fn without_randomness_nothing_is_issued() {
    let random = Arc::new(Drying::default());
    let world = world_with(|builder| builder.random(random.clone()));
    random.0.store(true, Ordering::SeqCst);
    let refused = world.token(&[("grant_type", "client_credentials")]).await;
    assert_refused(refused, 503, TemporarilyUnavailable);
    assert_eq!(world.tokens.dump()["access_tokens"], serde_json::json!([]));
}
