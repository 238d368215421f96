//! An application with its own view, controller and router around the token endpoint. It asks
//! itself for a token, shows the answer and ends; with `--serve` it goes on:
//!
//! ```text
//! cargo run -p oauth-server --example axum -- --serve
//! curl -u reports:'a long and secret phrase' -d grant_type=client_credentials \
//!     http://127.0.0.1:4000/oauth/token
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::{error::Error, net::SocketAddr, sync::Arc};

use axum::Router;
use oauth_server::{AuthorizationServer, Client, GrantType, memory::MemoryClients};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How the answers look.
mod oauth_view {
    use bytes::Bytes;
    use oauth_server::{OAuthError, TokenResponse};
    use serde_json::json;

    pub(crate) fn token(response: &TokenResponse) -> Bytes {
        let body = json!({
            "token_type": response.token_type(),
            "access_token": response.access_token(),
            "expires_in": response.expires_in(),
            "refresh_token": response.refresh_token(),
        });
        body.to_string().into()
    }

    pub(crate) fn error(error: &OAuthError) -> Bytes {
        let body = json!({
            "error": error.error(),
            "error_description": error.error_description(),
        });
        body.to_string().into()
    }
}

/// What the application does with an outcome.
mod oauth_controller {
    use bytes::Bytes;
    use http::{Response, StatusCode, header::CONTENT_TYPE};
    use oauth_server::{OAuthError, TokenApplication, TokenResponse};

    use super::oauth_view;

    pub(crate) struct OauthController;

    impl TokenApplication for OauthController {
        fn token_success(&self, response: &TokenResponse) -> Response<Bytes> {
            json(StatusCode::OK, oauth_view::token(response))
        }

        fn token_error(&self, error: &OAuthError) -> Response<Bytes> {
            json(error.status(), oauth_view::error(error))
        }
    }

    fn json(status: StatusCode, body: Bytes) -> Response<Bytes> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}

/// Where it is mounted.
fn router(server: &AuthorizationServer) -> Router {
    let token = server.token_service(oauth_controller::OauthController);
    Router::new().nest("/oauth", Router::new().route_service("/token", token))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::builder("reports")
        .secret("a long and secret phrase")
        .grants([GrantType::ClientCredentials])
        .scopes(["read"])
        .default_scopes(["read"])
        .build()?;
    let serve = std::env::args().any(|argument| argument == "--serve");
    let port = if serve { 4000 } else { 0 };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let server = AuthorizationServer::builder(format!("http://{address}/oauth"))
        .clients(Arc::new(MemoryClients::from_iter([client])))
        .build()?;
    // With the address of whoever asks: without it nobody who guesses secrets is slowed down.
    let service = router(&server).into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });

    println!("{}", token_request(address).await?);
    if serve {
        serving.await??;
    }
    Ok(())
}

/// What a client would send, by hand.
async fn token_request(address: SocketAddr) -> std::io::Result<String> {
    let body =
        "grant_type=client_credentials&client_id=reports&client_secret=a+long+and+secret+phrase";
    let request = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
