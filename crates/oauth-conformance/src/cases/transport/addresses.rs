//! Which addresses an endpoint may have.

use std::sync::Arc;

use oauth_core::{EndpointUrl, Endpoints, Error, ErrorKind, ServerMetadata};
use serde_json::{Value, json};

use super::tls::TlsServer;
use crate::{Context, Failure, Outcome, Reply, ensure};

/// That `url` is refused wherever an endpoint can be configured, and that no error repeats it.
fn refused_everywhere(cx: &Context, url: &str) -> Outcome {
    type Set = fn(Endpoints, &str) -> Result<Endpoints, Error>;
    let set: [(&str, Set); 5] = [
        ("authorization", Endpoints::with_authorization),
        ("revocation", Endpoints::with_revocation),
        ("introspection", Endpoints::with_introspection),
        ("device authorization", Endpoints::with_device_authorization),
        ("userinfo", Endpoints::with_userinfo),
    ];
    let mut results = vec![
        ("any", EndpointUrl::parse(url).err()),
        ("token", Endpoints::new(url).err()),
        ("the target's", cx.target().provider(url).err()),
    ];
    for (name, set) in set {
        let endpoints = Endpoints::new("https://id.example.com/token")?;
        results.push((name, set(endpoints, url).err()));
    }
    for (name, result) in results {
        match result {
            Some(error) if error.kind() == ErrorKind::Usage => {}
            other => ensure!(
                false,
                "gave {url} as {name} endpoint, expected a usage error, got {other:?}"
            ),
        }
    }
    Ok(())
}

pub(super) async fn plain_http(cx: Context) -> Outcome {
    for url in [
        "http://id.example.com",
        "http://id.example.com:443",
        "HTTP://id.example.com",
        "ftp://id.example.com",
    ] {
        refused_everywhere(&cx, url)?;
    }
    // What metadata supply is checked as well.
    for member in ENDPOINTS {
        let url = "http://id.example.com/endpoint";
        let server = cx
            .scripted([Reply::json(
                200,
                &metadata("https://id.example.com", member, url),
            )])
            .await?;
        let transport = Arc::new(cx.transport());
        let found =
            ServerMetadata::discover_as(server.base_url(), "https://id.example.com", transport)
                .await?;
        refused_metadata(member, url, &found)?;
    }
    Ok(())
}

pub(super) async fn loopback(cx: Context) -> Outcome {
    for url in [
        "http://127.0.0.1:9",
        "http://127.255.255.254:9",
        "http://[::1]:9",
        "http://[0:0:0:0:0:0:0:1]:9",
        "http://localhost:9",
        "http://LocalHost:9",
        "http://0x7f.1:9",
        "http://2130706433:9",
    ] {
        let result = EndpointUrl::parse(url);
        ensure!(
            result.is_ok(),
            "gave {url}, which is loopback, expected it taken, got {result:?}"
        );
    }
    for url in [
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "http://evil.com/127.0.0.1",
        "http://127.0.0.1@evil.com",
        "http://evil.com\\@127.0.0.1",
        "http://0.0.0.0",
        "http://[::]",
        "http://[::ffff:10.0.0.1]",
        "http://[::ffff:127.0.0.1]",
        "http://167772161",
        "http://012.0.0.1",
        "http://0xa.0.0.1",
        "http://128.0.0.1",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "http://localhost.localdomain",
    ] {
        refused_everywhere(&cx, url)?;
    }
    // Only who configures it may ask for it: the metadata of a server elsewhere may not.
    let found = of_a_public_issuer(&cx, "token_endpoint", "http://127.0.0.1:9/token").await?;
    refused_metadata("token_endpoint", "http://127.0.0.1:9/token", &found)
}

pub(super) async fn fragment_or_user(cx: Context) -> Outcome {
    for url in [
        "https://id.example.com/#part",
        "https://id.example.com/?a#",
        "https://user@id.example.com",
        "https://user:password@id.example.com",
        "https://:password@id.example.com",
        "http://user@127.0.0.1:9",
    ] {
        refused_everywhere(&cx, url)?;
    }
    let error = EndpointUrl::parse("https://user:planted@id.example.com").err();
    ensure!(
        !format!("{error:?}").contains("planted"),
        "gave a URL with a password, expected an error without it, got {error:?}"
    );
    Ok(())
}

pub(super) async fn private_networks(cx: Context) -> Outcome {
    for host in [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "127.0.0.1",
        "0.0.0.0",
        "localhost",
        "[::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
        "0xa9fea9fe",
    ] {
        let url = format!("https://{host}/token");
        let found = of_a_public_issuer(&cx, "token_endpoint", &url).await?;
        refused_metadata("token_endpoint", &url, &found)?;
    }
    for member in ENDPOINTS {
        let url = "https://169.254.169.254/latest";
        refused_metadata(member, url, &of_a_public_issuer(&cx, member, url).await?)?;
    }
    let public = of_a_public_issuer(&cx, "token_endpoint", "https://id.example.net/token").await?;
    public.endpoints()?;
    Ok(())
}

const ENDPOINTS: [&str; 6] = [
    "token_endpoint",
    "authorization_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "device_authorization_endpoint",
    "userinfo_endpoint",
];

/// Metadata with a token endpoint that is fine, and then this member.
fn metadata(issuer: &str, member: &str, url: &str) -> Value {
    let mut metadata = json!({"issuer": issuer, "token_endpoint": "https://id.example.com/token"});
    metadata[member] = json!(url);
    metadata
}

/// Such metadata from `https://id.example.com`, which a resolver of the test's own leads to a
/// server on this machine.
async fn of_a_public_issuer(
    cx: &Context,
    member: &str,
    url: &str,
) -> Result<ServerMetadata, Failure> {
    let issuer = "https://id.example.com";
    let server = TlsServer::start(cx, Reply::json(200, &metadata(issuer, member, url))).await?;
    let transport = Arc::new(server.transport("id.example.com")?);
    let at = format!("{issuer}:{}", server.port());
    Ok(ServerMetadata::discover_as(&at, issuer, transport).await?)
}

fn refused_metadata(member: &str, url: &str, found: &ServerMetadata) -> Outcome {
    match found.endpoints() {
        Err(error) if error.kind() == ErrorKind::Protocol => Ok(()),
        other => Err(Failure::new(format!(
            "the metadata name {url} as {member}, expected a protocol error, got {other:?}"
        ))),
    }
}
