//! The middleware, against an API over a socket and a token endpoint in the same process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

#[path = "manager/server.rs"]
#[allow(dead_code, reason = "the manager's tests use the rest")]
mod server;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use httpmock::{Method::GET, Mock, MockServer};
use oauth_core::{
    TokenManager,
    middleware::{Authorize, AuthorizeLayer},
    store::Subject,
};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_layer::Layer;
use tower_service::Service;

async fn takes<'a>(api: &'a MockServer, token: &'a str, status: u16, body: &'a str) -> Mock<'a> {
    api.mock_async(|when, then| {
        when.path("/thing")
            .header("authorization", format!("Bearer {token}"));
        then.status(status).body(body);
    })
    .await
}

fn client(server: &Server, api: &MockServer) -> ClientWithMiddleware {
    let token = TokenManager::new(server.client()).source(&Subject::Client, None);
    ClientBuilder::new(reqwest::Client::new())
        .with(Authorize::new(token, [api.base_url()]).unwrap())
        .build()
}

#[tokio::test]
async fn a_dead_token_is_renewed_once_and_the_request_sent_again() {
    let (server, api) = (Server::new(), MockServer::start_async().await);
    let first = takes(&api, "access-1", 401, "").await;
    let second = takes(&api, "access-2", 200, "fine").await;
    let client = client(&server, &api);
    for _ in 0..2 {
        let answer = client
            .post(api.url("/thing"))
            .body("once more")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.text().await.unwrap(), "fine");
    }
    assert_eq!(
        (first.calls_async().await, second.calls_async().await),
        (1, 2)
    );
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn an_api_that_refuses_the_new_token_too_is_not_fed_with_more() {
    let (server, api) = (Server::new(), MockServer::start_async().await);
    takes(&api, "access-1", 401, "no").await;
    let second = takes(&api, "access-2", 401, "no, again").await;
    let client = client(&server, &api);
    for _ in 0..3 {
        let answer = client.get(api.url("/thing")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.url().path(), "/thing");
        assert_eq!(answer.text().await.unwrap(), "no, again");
    }
    assert_eq!(second.calls_async().await, 3);
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn another_refusal_than_of_the_token_renews_nothing() {
    let (server, api) = (Server::new(), MockServer::start_async().await);
    api.mock_async(|when, then| {
        when.method(GET);
        then.status(401)
            .header("www-authenticate", r#"Bearer error="insufficient_scope""#);
    })
    .await;
    let answer = client(&server, &api)
        .get(api.url("/thing"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.count(), 1);
}

/// An API that says nowhere how long its answers are. It takes no token but `good`, and refuses the
/// others with `length` bytes of `.`.
async fn chunked(good: &'static str, length: usize) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/thing", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let (status, body) = match request.contains(&format!("Bearer {good}\r\n")) {
                true => ("200 OK", "fine".to_owned()),
                false => ("401 Unauthorized", ".".repeat(length)),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            );
            let chunk =
                |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
            let chunks = body.as_bytes().chunks(10_000).flat_map(chunk);
            let answer: Vec<u8> = head.into_bytes().into_iter().chain(chunks).collect();
            // A client that has heard enough may go.
            let _ = stream.write_all(&answer).await;
            let _ = stream.write_all(b"0\r\n\r\n").await;
        }
    });
    url
}

#[tokio::test]
async fn a_refusal_is_one_also_when_it_does_not_say_how_long_it_is() {
    for length in [0, 2, 64 * 1024, 200_000] {
        let server = Server::new();
        let client = |url: &str| {
            let token = TokenManager::new(server.client()).source(&Subject::Client, None);
            let authorize = Authorize::new(token, [url]).unwrap();
            ClientBuilder::new(reqwest::Client::new())
                .with(authorize)
                .build()
        };
        let url = chunked("access-2", length).await;
        let answer = client(&url).get(&url).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "fine", "{length}");
        assert_eq!(server.count(), 2);

        let url = chunked("none", length).await;
        let client = client(&url);
        for _ in 0..2 {
            let answer = client.get(&url).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(answer.url().as_str(), url);
            assert_eq!(answer.text().await.unwrap(), ".".repeat(length));
        }
        assert_eq!(server.count(), 4, "the second try is remembered");
    }
}

#[tokio::test]
async fn parallel_refusals_of_one_token_make_one_renewal() {
    let (server, api) = (Server::new(), MockServer::start_async().await);
    takes(&api, "access-1", 401, "").await;
    takes(&api, "access-2", 200, "fine").await;
    let client = client(&server, &api);
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (client, url) = (client.clone(), api.url("/thing"));
            tokio::spawn(async move { client.get(url).send().await.unwrap().status() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_token_goes_only_where_it_is_meant_to_go() {
    let (server, api, other) = (
        Server::new(),
        MockServer::start_async().await,
        MockServer::start_async().await,
    );
    let bare = |server: &'static str| {
        move |when: httpmock::When, then: httpmock::Then| {
            let when = when.header_missing("authorization");
            drop(when);
            then.status(200).body(server);
        }
    };
    let elsewhere = other.mock_async(bare("bare")).await;
    api.mock_async(|when, then| {
        when.path("/away");
        then.status(302).header("location", other.url("/landed"));
    })
    .await;
    let client = client(&server, &api);
    assert_eq!(
        client.get(other.url("/")).send().await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(server.count(), 0, "a token was asked for another origin");
    assert_eq!(
        client.get(api.url("/away")).send().await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(elsewhere.calls_async().await, 2);
}

#[tokio::test]
async fn a_header_of_the_callers_own_stays_unless_told() {
    let (server, api) = (Server::new(), MockServer::start_async().await);
    let own = takes(&api, "mine", 200, "own").await;
    let managed = takes(&api, "access-1", 200, "managed").await;
    let send = async |client: &ClientWithMiddleware| {
        let request = client
            .get(api.url("/thing"))
            .header(AUTHORIZATION, "Bearer mine");
        request.send().await.unwrap();
    };
    send(&client(&server, &api)).await;
    assert_eq!(
        (own.calls_async().await, managed.calls_async().await),
        (1, 0)
    );
    let token = TokenManager::new(server.client()).source(&Subject::Client, None);
    let authorize = Authorize::new(token, [api.base_url()])
        .unwrap()
        .overwrite(true);
    send(
        &ClientBuilder::new(reqwest::Client::new())
            .with(authorize)
            .build(),
    )
    .await;
    assert_eq!(
        (own.calls_async().await, managed.calls_async().await),
        (1, 1)
    );
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let (server, api) = (Server::new(), MockServer::start_async().await);
    let all = api
        .mock_async(|when, then| {
            when.path("/thing");
            then.status(200);
        })
        .await;
    server.script(Ok((503, String::new())));
    let error = client(&server, &api)
        .get(api.url("/thing"))
        .send()
        .await
        .unwrap_err();
    assert!(matches!(error, reqwest_middleware::Error::Middleware(_)));
    assert_eq!(all.calls_async().await, 0);
}

#[test]
fn an_origin_is_https_or_loopback() {
    let server = Server::new();
    let token = TokenManager::new(server.client()).source(&Subject::Client, None);
    assert!(Authorize::new(token.clone(), ["http://api.example.com"]).is_err());
    assert!(Authorize::new(token.clone(), Vec::<String>::new()).is_err());
    assert!(Authorize::new(token, ["https://api.example.com/v1"]).is_ok());
}

/// An API that takes the second token only.
#[derive(Clone)]
struct Api;

impl Service<Request<&'static str>> for Api {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<&'static str>) -> Self::Future {
        let token = request.headers().get(AUTHORIZATION).cloned();
        let mut response = Response::new(format!("{} {token:?}", request.body()));
        if token.is_none_or(|token| token != "Bearer access-2") {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        ready(Ok(response))
    }
}

#[tokio::test]
async fn the_tower_layer_does_the_same() {
    let server = Server::new();
    let token = TokenManager::new(server.client()).source(&Subject::Client, None);
    let authorize = Authorize::new(token, ["https://api.example.com"]).unwrap();
    let mut service = AuthorizeLayer::new(authorize).layer(Api);
    let request = |uri: &str| Request::builder().uri(uri).body("body").unwrap();
    let answer = service
        .call(request("https://api.example.com/thing"))
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.body(), "body Some(Sensitive)");
    let answer = service
        .call(request("https://other.example.com/thing"))
        .await
        .unwrap();
    assert_eq!(answer.body(), "body None");
    assert!(service.call(request("/thing")).await.is_err());
    assert_eq!(server.count(), 2);
}
