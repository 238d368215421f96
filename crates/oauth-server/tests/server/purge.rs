//! What has ended is cleared away by use, so that memory stays flat however long a server runs.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use oauth_server::{
    AuthorizationServer, Client, GeneratedSecret, ManualClock, SecretCost,
    memory::{MemoryAccessTokens, MemoryAuthorizationCodes, MemoryClients, MemoryDeviceCodes},
};
use serde_json::Value;

use crate::support::{ALL_GRANTS, CALLBACK, CHALLENGE, VERIFIER};

/// How many seconds the server runs, with one of everything issued in each.
const SECONDS: usize = 10_000;

/// How long what is issued is remembered, codes ten minutes past their minute.
const REMEMBERED: usize = 660;

fn form(path: &str, secret: &GeneratedSecret, fields: &str) -> Request<Bytes> {
    Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("client_id=app&client_secret={}&{fields}", secret.expose()).into())
        .unwrap()
}

fn count(dump: &Value) -> usize {
    match dump {
        Value::Array(records) => records.len(),
        Value::Object(kinds) => kinds.values().map(count).sum(),
        _ => 0,
    }
}

#[tokio::test]
async fn memory_stays_flat_without_anybody_calling_purge() {
    let secret = GeneratedSecret::generate().unwrap();
    let app = Client::builder("app")
        .generated_secret(&secret)
        .redirect_uri(CALLBACK)
        .grants(ALL_GRANTS)
        .any_scope()
        .build()
        .unwrap();
    let clock = Arc::new(ManualClock::new(std::time::SystemTime::UNIX_EPOCH));
    let tokens = Arc::new(MemoryAccessTokens::new());
    let codes = Arc::new(MemoryAuthorizationCodes::new());
    let devices = Arc::new(MemoryDeviceCodes::new());
    let minute = Duration::from_secs(60);
    let server = AuthorizationServer::builder("https://auth.example")
        .clients(Arc::new(MemoryClients::from_iter([app])))
        .access_tokens(tokens.clone())
        .authorization_codes(codes.clone())
        .device_codes(devices.clone())
        .clock(clock.clone())
        .secret_cost(SecretCost::LOW)
        .access_token_lifetime(minute)
        .refresh_token_lifetime(2 * minute)
        .device_code_lifetime(minute)
        .build()
        .unwrap();
    let wanted = format!(
        "/authorize?response_type=code&client_id=app&code_challenge_method=S256\
         &code_challenge={CHALLENGE}"
    );
    let mut most = [0; 3];
    for second in 0..SECONDS {
        clock.advance(Duration::from_secs(1));
        let request = Request::get(&wanted).body(Bytes::new()).unwrap();
        let request = server.preauthorize(&request).await.unwrap();
        let code = server.authorize(&request, "person").await.unwrap();
        let fields = format!(
            "grant_type=authorization_code&code={}&code_verifier={VERIFIER}",
            code.code()
        );
        let issued = server
            .token(&form("/token", &secret, &fields))
            .await
            .unwrap();
        let refresh = issued.refresh_token().unwrap();
        let fields = format!("grant_type=refresh_token&refresh_token={refresh}");
        server
            .token(&form("/token", &secret, &fields))
            .await
            .unwrap();
        let device = form("/device_authorization", &secret, "scope=read");
        server.device_authorization(&device).await.unwrap();
        // To count is slower than to issue.
        if second % 500 == 499 {
            let now = [tokens.dump(), codes.dump(), devices.dump()];
            for (most, now) in most.iter_mut().zip(now.iter().map(count)) {
                *most = now.max(*most);
            }
        }
    }
    // Two access tokens of a minute and two refresh tokens of two in each second; what ended in the
    // last four is cleared away by the eighth issuance.
    let bounds = [2 * 60 + 2 * 120, REMEMBERED, REMEMBERED];
    for (most, bound) in most.into_iter().zip(bounds) {
        assert!(most <= bound + 16, "{most} are more than {bound}");
        assert!(
            most >= bound / 2,
            "{most} of {bound}: this proves too little"
        );
    }
    clock.advance(Duration::from_secs(86_400));
    while server.purge(1_000).await.unwrap() > 0 {}
    for dump in [tokens.dump(), codes.dump(), devices.dump()] {
        assert_eq!(count(&dump), 0);
    }
}
