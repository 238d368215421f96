//! An authorization server on a bare hyper service: no framework, routes by hand. It asks itself
//! for a token, introspects it, shows both answers and ends; with `--serve` it goes on:
//!
//! ```text
//! cargo run -p oauth-server --example hyper -- --serve
//! curl -u reports:'a long and secret phrase' -d grant_type=client_credentials \
//!     http://127.0.0.1:4001/oauth/token
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::{convert::Infallible, error::Error, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use oauth_server::{
    AuthorizationServer, Client, EndpointService, GrantType, RfcApplication, Source,
    memory::MemoryClients,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower_service::Service;

/// The endpoints that this application offers; it decides where.
#[derive(Clone)]
struct Routes {
    token: EndpointService,
    introspect: EndpointService,
}

impl Routes {
    fn new(server: &AuthorizationServer) -> Self {
        Self {
            token: server.token_service(RfcApplication),
            introspect: server.introspect_service(RfcApplication),
        }
    }

    async fn answer(
        mut self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        // No proxy is in front, so the peer is who fails to authenticate.
        request.extensions_mut().insert(Source(peer.ip()));
        match request.uri().path() {
            "/oauth/token" => self.token.call(request).await,
            "/oauth/introspect" => self.introspect.call(request).await,
            _ => {
                let mut response = Response::new(Full::new(Bytes::from("not here\n")));
                *response.status_mut() = StatusCode::NOT_FOUND;
                Ok(response)
            }
        }
    }
}

async fn serve(listener: TcpListener, routes: Routes) -> std::io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let routes = routes.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| routes.clone().answer(request, peer));
            // Who connects and says nothing is cut off by the time-out for the head.
            let mut connection = http1::Builder::new();
            connection.timer(TokioTimer::new());
            // A connection that breaks is the client's matter.
            let _ = connection
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::builder("reports")
        .secret("a long and secret phrase")
        .grants([GrantType::ClientCredentials])
        .scopes(["read"])
        .default_scopes(["read"])
        .build()?;
    let on = std::env::args().any(|argument| argument == "--serve");
    let listener = TcpListener::bind(("127.0.0.1", if on { 4001 } else { 0 })).await?;
    let address = listener.local_addr()?;
    let server = AuthorizationServer::builder(format!("http://{address}/oauth"))
        .clients(Arc::new(MemoryClients::from_iter([client])))
        .build()?;
    let serving = tokio::spawn(serve(listener, Routes::new(&server)));

    let answer = post(address, "/oauth/token", "grant_type=client_credentials").await?;
    println!("{answer}\n");
    let token = answer.split("\"access_token\":\"").nth(1);
    let token = token.and_then(|rest| rest.split('"').next());
    let token = token.ok_or("no access token")?;
    let answer = post(address, "/oauth/introspect", &format!("token={token}")).await?;
    println!("{answer}");
    if on {
        serving.await??;
    }
    Ok(())
}

/// What a client would send, by hand.
async fn post(address: SocketAddr, path: &str, fields: &str) -> std::io::Result<String> {
    let body = format!("{fields}&client_id=reports&client_secret=a+long+and+secret+phrase");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
