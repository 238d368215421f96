//! One of the servers that are measured, on one thread and a free port. Prints its URL and the
//! secret of its client `service`.

use std::{env, net::SocketAddr};

use axum::Router;
use oauth_server::{AuthorizationServer, RfcApplication};
use peers::{
    servers::{by_hand, oauth_server, oxide_auth, plain, purging},
    throughput::runtime,
};
use tokio::net::TcpListener;

fn main() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let url = format!("http://{address}");
        let kind = env::args().nth(1).unwrap_or_default();
        let (router, secret) = match kind.as_str() {
            "plain" => (plain(), String::new()),
            "by-hand" => (by_hand(), String::new()),
            "oxide-auth" => oxide_auth(),
            "oauth-server" => routed(oauth_server(&url, |builder| builder)),
            "purging" => routed(purging(&url).await),
            _ => panic!("there is no such server"),
        };
        println!("{url}\n{secret}");
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.expect("it serves");
    });
}

fn routed((server, secret): (AuthorizationServer, String)) -> (Router, String) {
    (server.into_router(RfcApplication), secret)
}
