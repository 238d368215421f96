//! Over a real socket, through axum and through bare hyper.

use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use oauth_server::{
    AuthorizationRequest, AuthorizeApplication, AuthorizeError, Decision, RfcApplication,
    TokenApplication, TokenResponse,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
};
use tower_service::Service;

use crate::support::{CHALLENGE, SECRET, World, form, world, world_with};

async fn serve(world: &World) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = world.server.clone().into_router(RfcApplication);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// Sends bytes as they are, from this loopback host; gives head and body.
async fn exchange(address: SocketAddr, host: u8, request: &str) -> (String, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, host], 0).into()).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn good() -> String {
    let secret = SECRET.replace(' ', "+");
    format!("grant_type=client_credentials&client_id=app&client_secret={secret}")
}

#[tokio::test]
async fn token_endpoint() {
    let world = world();
    let address = serve(&world).await;
    let (head, body) = exchange(address, 1, &post("/token", &good())).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    for header in [
        "content-type: application/json",
        "cache-control: no-store",
        "pragma: no-cache",
    ] {
        assert!(head.contains(header), "{head}");
    }
    let token: Value = serde_json::from_str(&body).unwrap();
    assert!(world.is_live(token["access_token"].as_str().unwrap()).await);

    let get = "GET /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let (head, body) = exchange(address, 1, get).await;
    assert!(
        head.starts_with("http/1.1 405") && head.contains("allow: post"),
        "{head}"
    );
    assert!(body.contains("invalid_request"), "{body}");

    let (head, body) = exchange(address, 1, &post("/token", "grant_type=client_credentials")).await;
    assert!(head.starts_with("http/1.1 401"), "{head}");
    assert!(
        head.contains("www-authenticate: basic") && head.contains("no-store"),
        "{head}"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap()["error"],
        "invalid_client"
    );

    let (head, _) = exchange(address, 1, &post("/token", &"x".repeat(65_537))).await;
    assert!(
        head.starts_with("http/1.1 413") && head.contains("connection: close"),
        "{head}"
    );
}

#[tokio::test]
async fn a_peer_that_guesses_is_throttled() {
    let world = world_with(|builder| builder.throttle(2, Duration::from_secs(60)));
    let address = serve(&world).await;
    let wrong = post(
        "/token",
        "grant_type=client_credentials&client_id=app&client_secret=wrong",
    );
    for status in ["400", "400", "429"] {
        let (head, _) = exchange(address, 1, &wrong).await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{head}");
    }
    let (head, _) = exchange(address, 2, &post("/token", &good())).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
}

#[tokio::test]
async fn metadata_tells_the_truth() {
    let world = world();
    let address = serve(&world).await;
    let get = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n");
        format!("{request}X-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n")
    };
    let path = "/.well-known/oauth-authorization-server";
    let (head, body) = exchange(address, 1, &get(path)).await;
    assert!(head.contains("content-type: application/json"), "{head}");
    let metadata: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(metadata, world.server.metadata());
    assert_eq!(metadata["issuer"], "https://auth.example");
    for (name, path) in [
        ("token_endpoint", "/token"),
        ("introspection_endpoint", "/introspect"),
        ("revocation_endpoint", "/revoke"),
        ("device_authorization_endpoint", "/device_authorization"),
    ] {
        assert_eq!(metadata[name], format!("https://auth.example{path}"));
        let (head, _) = exchange(address, 1, &post(path, "")).await;
        assert!(head.starts_with("http/1.1 401"), "{path}: {head}");
    }
    assert_eq!(metadata["response_types_supported"], json!([]));
    let grants = metadata["grant_types_supported"].as_array().unwrap();
    assert!(!grants.contains(&json!("authorization_code")), "{grants:?}");
    assert!(grants.contains(&json!("client_credentials")), "{grants:?}");
    let (head, _) = exchange(address, 1, &post(path, "")).await;
    assert!(head.starts_with("http/1.1 405"), "{head}");
    let (head, _) = exchange(address, 1, &get("/elsewhere")).await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

#[tokio::test]
async fn bare_hyper() {
    let world = world();
    let service = world.server.token_service(RfcApplication);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .await
    });
    let (head, body) = exchange(address, 1, &post("/anywhere", &good())).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(body.contains("access_token"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let world = world_with(|builder| builder.body_timeout(Duration::from_secs(10)));
    let mut service = world.server.token_service(RfcApplication);
    let started = tokio::time::Instant::now();
    let request = form(&[]).map(|_| Stalled);
    let answer = service.call(request).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), started.elapsed().as_secs()),
        (408, 10)
    );
    assert_eq!(answer.headers()["connection"], "close");
}

/// A body without a first byte.
struct Stalled;

impl http_body::Body for Stalled {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn an_application_cannot_forget_the_headers() {
    struct Careless;
    impl TokenApplication for Careless {
        fn token_success(&self, _: &TokenResponse) -> Response<Bytes> {
            let mut response = Response::new(Bytes::from_static(b"mine"));
            let value = http::HeaderValue::from_static("public, max-age=60");
            response.headers_mut().insert("cache-control", value);
            response
        }

        fn token_error(&self, _: &oauth_server::OAuthError) -> Response<Bytes> {
            panic!("the view fell")
        }
    }
    let world = world();
    let mut service = world.server.token_service(Careless);
    let request = crate::support::as_client("app", &[("grant_type", "client_credentials")]);
    let request = request.map(http_body_util::Full::new);
    let answer = service.call(request).await.unwrap();
    let caching: Vec<_> = answer.headers().get_all("cache-control").iter().collect();
    assert_eq!(caching, ["no-store"]);
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        "mine"
    );

    let answer = service
        .call(form(&[]).map(http_body_util::Full::new))
        .await
        .unwrap();
    assert_eq!(answer.status(), 500);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(!String::from_utf8_lossy(&body).contains("fell"));
}

#[tokio::test]
async fn the_path_of_the_issuer() {
    let server = oauth_server::AuthorizationServer::builder("http://127.0.0.1/tenant/")
        .secret_cost(oauth_server::SecretCost::LOW)
        .grant_types([oauth_server::GrantType::AuthorizationCode])
        .authorization_endpoint("http://127.0.0.1/login")
        .build()
        .unwrap();
    let metadata = server.metadata();
    assert_eq!(metadata["token_endpoint"], "http://127.0.0.1/tenant/token");
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    let grants = &metadata["grant_types_supported"];
    assert_eq!(*grants, json!(["authorization_code"]));
    assert_eq!(metadata.get("device_authorization_endpoint"), None);

    let mut router = server.into_router(RfcApplication);
    let mut status = async |method: &str, path: &str| {
        let request = http::Request::builder().method(method).uri(path);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let answer: Response<axum::body::Body> = router.call(request).await.unwrap();
        answer.status().as_u16()
    };
    let well_known = "/.well-known/oauth-authorization-server";
    assert_eq!(status("GET", &format!("{well_known}/tenant")).await, 200);
    assert_eq!(status("GET", well_known).await, 404);
    assert_eq!(
        status("POST", "/tenant/token").await,
        400,
        "no content type"
    );
    assert_eq!(status("POST", "/token").await, 404);
    assert_eq!(status("POST", "/tenant/device_authorization").await, 404);
}

/// Its person is logged in already, and decides by a field of its form.
struct Deciding;

#[async_trait]
impl AuthorizeApplication for Deciding {
    async fn decision(&self, request: &http::Request<Bytes>, _: &AuthorizationRequest) -> Decision {
        // As if it asked a database who that is.
        tokio::task::yield_now().await;
        match request.body().as_ref() {
            body if body.ends_with(b"&decision=allow") => Decision::allowed_by("person-1"),
            body if body.ends_with(b"&decision=client") => Decision::allowed_by("app"),
            body if body.ends_with(b"&decision=deny") => Decision::Denied,
            _ => Decision::Pending,
        }
    }

    fn preauthorize_success(
        &self,
        _: &http::Request<Bytes>,
        _: &AuthorizationRequest,
    ) -> Response<Bytes> {
        Response::new("Allow it?".into())
    }

    fn preauthorize_error(&self, error: &AuthorizeError) -> Response<Bytes> {
        Response::new(format!("No: {}", error.error().error()).into())
    }
}

#[tokio::test]
async fn an_application_decides_at_the_authorization_endpoint() {
    let world = world();
    let mut service = world.server.authorize_service(Deciding);
    let mut posted = async |fields: &str| {
        let request = http::Request::post("/authorize")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(http_body_util::Full::new(Bytes::from(format!(
                "client_id=app&{fields}"
            ))));
        service.call(request.unwrap()).await.unwrap()
    };
    let pkce = format!("response_type=code&code_challenge={CHALLENGE}&code_challenge_method=S256");
    let body = async |answer: Response<http_body_util::Full<Bytes>>| {
        answer.into_body().collect().await.unwrap().to_bytes()
    };
    assert_eq!(body(posted(&pkce).await).await, "Allow it?");
    assert_eq!(
        body(posted("response_type=x").await).await,
        "No: unsupported_response_type"
    );
    for (decision, told) in [
        ("allow", "code="),
        ("deny", "error=access_denied"),
        ("client", "error=access_denied"),
    ] {
        let answer = posted(&format!("{pkce}&decision={decision}")).await;
        assert_eq!(answer.status(), 303, "{decision}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let location = answer.headers()["location"].to_str().unwrap();
        let told = format!("https://app.example/cb?{told}");
        assert!(location.starts_with(&told), "{location}");
        if decision == "allow" {
            let query = location.split_once('?').unwrap().1;
            let code = form_urlencoded::parse(query.as_bytes()).next().unwrap().1;
            let fields = crate::support::redemption(&code);
            let tokens = world.token(&fields).await.unwrap();
            assert_eq!(tokens.subject(), Some("person-1"));
        }
    }
    // A pushed request is good for one decision.
    for decision in ["allow", "deny"] {
        let pushed = crate::support::as_client("app", &form_pairs(&pkce));
        let pushed = world.server.pushed_authorization(&pushed).await.unwrap();
        let uri = format!("request_uri={}&decision={decision}", pushed.request_uri());
        assert_eq!(posted(&uri).await.status(), 303, "{decision}");
        assert_eq!(body(posted(&uri).await).await, "No: invalid_request_uri");
    }
}

fn form_pairs(form: &str) -> Vec<(&str, &str)> {
    form.split('&')
        .filter_map(|it| it.split_once('='))
        .collect()
}

#[tokio::test]
async fn authorization_endpoint() {
    struct Pages;
    impl AuthorizeApplication for Pages {
        fn preauthorize_success(
            &self,
            _: &http::Request<Bytes>,
            authorization: &AuthorizationRequest,
        ) -> Response<Bytes> {
            let mut page = Response::new(authorization.client().id().to_owned().into());
            if let Some(state) = authorization.state() {
                let policy = state.parse().unwrap();
                page.headers_mut().insert("content-security-policy", policy);
            }
            page
        }
    }
    let world = world();
    let mut service = world.server.authorize_service(Pages);
    let mut answer = async |query: &str| {
        let request = http::Request::get(format!("/authorize?client_id=app&{query}"));
        let request = request.body(http_body_util::Empty::<Bytes>::new()).unwrap();
        service.call(request).await.unwrap()
    };
    let pkce = format!("code_challenge={CHALLENGE}&code_challenge_method=S256");
    let page = answer(&format!("response_type=code&{pkce}")).await;
    assert_eq!(
        (page.status().as_u16(), &page.headers()["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
    let header = |page: &Response<_>, name| page.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header(&page, "x-frame-options"), "DENY");
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
    let policy = "content-security-policy";
    assert_eq!(header(&page, policy), "frame-ancestors 'none'");
    let own = answer(&format!("response_type=code&state=sandbox&{pkce}")).await;
    assert_eq!(header(&own, policy), "sandbox", "the application's own");
    let body = page.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "app");
    let redirect = answer("response_type=token").await;
    assert_eq!(redirect.status(), 303);
    let location = redirect.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("https://app.example/cb?error=unsupported_response_type"));
    let refused = answer("redirect_uri=https%3A%2F%2Fevil.example").await;
    assert_eq!(refused.status(), 400);
    assert!(!refused.headers().contains_key("location"));
    assert_eq!(header(&refused, "x-frame-options"), "DENY");
}
