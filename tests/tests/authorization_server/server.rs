//! The server that they meet, on a free port.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use oauth_server::{
    AuthorizationServer, Client, GrantType, OsRandom, RfcApplication, ScopeRecord, SecretCost,
    SigningAlgorithm, SigningKey, SigningKeys,
    memory::{MemoryClients, MemoryResourceOwners, MemoryScopes},
    pages::PageSettings,
};
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) const USERNAME: &str = "ada";
pub(crate) const PASSWORD: &str = "her pass phrase";

/// It ends with the test.
pub(crate) struct Server {
    pub(crate) issuer: String,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let router = server(&issuer).into_router(RfcApplication);
        let task = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service).await.unwrap();
        });
        Self { issuer, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn server(issuer: &str) -> AuthorizationServer {
    let people = MemoryResourceOwners::new(SecretCost::LOW).unwrap();
    people.insert(USERNAME, "person-1", PASSWORD).unwrap();
    let claims = serde_json::json!({ "name": "Ada" });
    people.set_claims("person-1", claims.as_object().unwrap().clone());
    let key = SigningKey::generate(SigningAlgorithm::Es256, &OsRandom).unwrap();
    let scopes = [
        ("openid", "know who you are"),
        ("profile", "see your name"),
        ("read", "read your calendar"),
    ];
    let scopes = scopes.map(|(name, means)| ScopeRecord::new(name, means).unwrap());
    AuthorizationServer::builder(issuer)
        .clients(Arc::new(MemoryClients::from_iter(clients())))
        .resource_owners(Arc::new(people))
        .scopes(Arc::new(MemoryScopes::from_iter(scopes)))
        .signing_keys(SigningKeys::new([key]).unwrap())
        .device_poll_interval(Duration::from_secs(1))
        .secret_cost(SecretCost::LOW)
        .pages(PageSettings::new())
        .build()
        .unwrap()
}

fn clients() -> [Client; 3] {
    let granted = [
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
        GrantType::DeviceCode,
    ];
    let service = Client::builder("service")
        .secret("the secret of the service")
        .secret_cost(SecretCost::LOW)
        .redirect_uri("https://app.example/callback")
        .grants([GrantType::ClientCredentials].into_iter().chain(granted))
        .default_scopes(["read"]);
    let signing = Client::builder("signing")
        .assertion_secret("a secret for an HMAC of 256 bits")
        .grants([GrantType::ClientCredentials]);
    let native = Client::builder("native")
        .name("Ada's calendar")
        .public()
        .native()
        .redirect_uri("http://127.0.0.1/callback")
        .grants(granted);
    [service, signing, native].map(|client| {
        let client = client.scopes(["openid", "profile", "read"]);
        client.build().unwrap()
    })
}
