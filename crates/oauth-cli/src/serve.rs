//! `oauth serve`: the authorization server, on its own.

mod demo;
mod file;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use oauth_server::{
    AuthorizationServer, AuthorizationServerBuilder, BuildError, RfcApplication,
    pages::PageSettings,
};
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    arguments::Serve,
    failure::Failure,
    output::print_json,
    signals,
    terminal::{bold, say},
};

/// Where it listens unless something else is said.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4000);
/// How long requests that are under way may still take after a signal.
const GRACE: Duration = Duration::from_secs(3);

/// The names in the line that is printed, and those of RFC 8414.
const ENDPOINTS: &[(&str, &str)] = &[
    ("token", "token_endpoint"),
    ("authorize", "authorization_endpoint"),
    ("introspect", "introspection_endpoint"),
    ("revoke", "revocation_endpoint"),
    ("device", "device_authorization_endpoint"),
    ("userinfo", "userinfo_endpoint"),
    ("jwks", "jwks_uri"),
];

pub(crate) async fn run(arguments: &Serve) -> Result<(), Failure> {
    let (listener, server) = match &arguments.file {
        Some(path) => {
            let file = file::read(path)?;
            let listener = listen(arguments.listen.or(file.listen).unwrap_or(LISTEN)).await?;
            let server = file.server(&base_url(&listener)?)?;
            (listener, server)
        }
        None => {
            let address = arguments.listen.unwrap_or(LISTEN);
            if !address.ip().is_loopback() {
                return Err(Failure::usage(
                    "the demo's credentials are known to everybody, so it listens on loopback only; give --listen 127.0.0.1:PORT",
                ));
            }
            say(&format!(
                "{} demo credentials (svc/svc-secret, rs/rs-secret, demo/demo), known to everybody: for trying things out only",
                bold("warning:")
            ));
            let listener = listen(address).await?;
            let server = demo::server(&base_url(&listener)?).map_err(set_up)?;
            (listener, server)
        }
    };
    // Before the line is printed: whoever reads it may stop us at once.
    let stop = signals::stop();
    print_json(&line(&server))?;
    serve(listener, server, stop).await
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::io(&format!("cannot listen on {address}"), &error))
}

fn base_url(listener: &TcpListener) -> Result<String, Failure> {
    let address = listener.local_addr();
    let address = address.map_err(|error| Failure::io("the port is not known", &error))?;
    Ok(format!("http://{address}"))
}

async fn serve(
    listener: TcpListener,
    server: AuthorizationServer,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let router = server.into_router(RfcApplication);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let (stopping, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
        stop.await;
        drop(stopping);
    });
    let overdue = async {
        let _ = stopped.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving.into_future() => served.map_err(|error| Failure::io("the server ended", &error)),
        () = overdue => Ok(()),
    }
}

/// What a program needs to use it.
fn line(server: &AuthorizationServer) -> Value {
    let metadata = server.metadata();
    let mut endpoints: Map<_, _> = ENDPOINTS
        .iter()
        .filter_map(|(name, member)| Some(((*name).to_owned(), metadata.get(*member)?.clone())))
        .collect();
    let issuer = server.issuer();
    endpoints.insert("metadata".to_owned(), metadata_url(issuer).into());
    json!({ "issuer": issuer, "endpoints": endpoints })
}

/// RFC 8414 §3.1 puts the well-known part before the issuer's path.
fn metadata_url(issuer: &str) -> String {
    let known = "/.well-known/oauth-authorization-server";
    match url::Url::parse(issuer) {
        Ok(mut url) => {
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!("{known}{path}"));
            url.into()
        }
        Err(_) => format!("{issuer}{known}"),
    }
}

/// What the demo and a file have in common.
fn builder(issuer: &str) -> AuthorizationServerBuilder {
    AuthorizationServer::builder(issuer).pages(PageSettings::new())
}

fn set_up(error: BuildError) -> Failure {
    let mut text = format!("the server cannot be set up: {error}");
    if let Some(source) = std::error::Error::source(&error) {
        text.push_str(&format!(": {source}"));
    }
    Failure::usage(text)
}
