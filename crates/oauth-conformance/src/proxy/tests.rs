//! What the proxy does to a connection, seen by hand.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::{Reply, ScriptedServer, wire};

const BODY: &str = r#"{"access_token":"a-token-that-passes"}"#;

async fn server() -> ScriptedServer {
    ScriptedServer::start([Reply::new(200).body(BODY)])
        .await
        .unwrap()
}

/// Everything that comes within a moment after one request, and how the connection ended.
async fn met(fault: Fault, seed: u64) -> (String, io::Result<()>) {
    let server = server().await;
    let proxy = FaultProxy::start(server.base_url(), [Some(fault)], Seed::new(seed))
        .await
        .unwrap();
    let mut stream = TcpStream::connect(wire::host(proxy.base_url()))
        .await
        .unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut got = Vec::new();
    let end = loop {
        match tokio::time::timeout(Duration::from_millis(300), stream.read_buf(&mut got)).await {
            Ok(Ok(0)) => break Ok(()),
            Ok(Ok(_)) if got.len() < 3 * BODY.len() + 500 => {}
            Ok(Err(error)) => break Err(error),
            _ => break Err(io::ErrorKind::TimedOut.into()),
        }
    };
    (String::from_utf8_lossy(&got).into_owned(), end)
}

#[tokio::test]
async fn an_answer_is_broken_as_asked_and_alike_for_the_same_seed() {
    let (text, end) = met(Fault::ResetBeforeHeaders, 1).await;
    assert!(text.is_empty() && end.unwrap_err().kind() == io::ErrorKind::ConnectionReset);
    let (_, end) = met(Fault::ResetAfterHeaders, 1).await;
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let (text, end) = met(Fault::CutBody, 1).await;
    assert!(
        end.is_ok() && text.contains("Content-Length: 38") && !text.contains(BODY),
        "{text}"
    );
    assert_eq!(text, met(Fault::CutBody, 1).await.0);
    let mut others = Vec::new();
    for seed in 2..6 {
        others.push(met(Fault::CutBody, seed).await.0);
    }
    assert!(others.iter().any(|other| *other != text), "{others:?}");
    for fault in [Fault::Stall, Fault::Delay] {
        let (text, end) = met(fault, 1).await;
        assert!(text.is_empty() && end.unwrap_err().kind() == io::ErrorKind::TimedOut);
    }
    let (text, end) = met(Fault::StallInBody, 1).await;
    assert!(text.contains("200") && !text.contains(BODY), "{text}");
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
    let (text, _) = met(Fault::Duplicate, 1).await;
    assert_eq!(text.matches(BODY).count(), 2, "{text}");
    let (text, _) = met(Fault::Informational, 1).await;
    assert!(
        text.starts_with("HTTP/1.1 100") && text.contains("HTTP/1.1 103"),
        "{text}"
    );
    assert!(text.ends_with(BODY), "{text}");
    let (text, _) = met(Fault::ShortLength, 1).await;
    assert!(
        text.ends_with(BODY) && !text.contains("Content-Length: 38"),
        "{text}"
    );
    let (text, end) = met(Fault::LongLength, 1).await;
    assert!(end.is_ok() && text.ends_with(BODY), "{text}");
    assert!(!text.contains("Content-Length: 38"), "{text}");
    let (text, _) = met(Fault::GzipBomb, 1).await;
    assert!(text.contains("Content-Encoding: gzip"));
    let (text, _) = met(Fault::Redirect, 1).await;
    assert!(
        text.starts_with("HTTP/1.1 30") && text.contains("Location: /elsewhere\r\n"),
        "{text}"
    );
    assert!(!text.contains(BODY), "{text}");
    // In the 300 ms in which nothing else comes there are a few bytes, each by itself.
    let (text, end) = met(Fault::Drip, 1).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Length: 100038"), "{head}");
    assert!(body.starts_with('{') && end.is_err(), "{body}");
}

#[tokio::test]
async fn what_the_server_has_seen_is_what_the_fault_says() {
    for fault in Fault::ALL.iter().copied() {
        if matches!(fault, Fault::Refuse | Fault::TlsClose) {
            continue;
        }
        let server = server().await;
        let proxy = FaultProxy::start(server.base_url(), [Some(fault)], Seed::new(1))
            .await
            .unwrap();
        let mut stream = TcpStream::connect(wire::host(proxy.base_url()))
            .await
            .unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut byte = [0];
        let wait = Duration::from_millis(300);
        let _ = tokio::time::timeout(wait, stream.read(&mut byte)).await;
        assert_eq!(proxy.forwarded() > 0, fault.commits(), "{}", fault.name());
    }
}

#[tokio::test]
async fn over_tls_the_end_comes_without_a_word() {
    let server = server().await;
    let faults = [Some(Fault::TlsClose), None];
    let proxy = FaultProxy::start(server.base_url(), faults, Seed::new(1))
        .await
        .unwrap();
    assert!(proxy.base_url().starts_with("https://"));
    let transport = crate::tls::transport().unwrap();
    let ask = || {
        let request = http::Request::get(proxy.base_url())
            .body(bytes::Bytes::new())
            .unwrap();
        oauth_core::Transport::send(&transport, request, oauth_core::Limits::default())
    };
    let error = ask().await.unwrap_err();
    assert_eq!(error.kind(), oauth_core::TransportErrorKind::Interrupted);
    assert_eq!(ask().await.unwrap().body(), BODY);
}

#[test]
fn the_bomb_is_small_and_decodes_to_much() {
    let bomb = super::bomb::gzip_bomb();
    assert!(bomb.len() < 64 * 1024, "{} bytes", bomb.len());
    assert_eq!(bomb[..3], [0x1f, 0x8b, 8]);
}

#[tokio::test]
async fn connections_meet_the_faults_in_order_and_a_refusal_lasts_until_it_is_healed() {
    let server = server().await;
    let faults = [None, Some(Fault::Refuse), Some(Fault::Stall)];
    let proxy = FaultProxy::start(server.base_url(), faults, Seed::new(1))
        .await
        .unwrap();
    let ask = || wire::request(proxy.base_url(), "GET", "/path?query", &[], b"");
    assert_eq!(ask().await.unwrap().text(), BODY);
    for _ in 0..3 {
        let refused = TcpStream::connect(wire::host(proxy.base_url())).await;
        assert_eq!(
            refused.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
    }
    proxy.heal().await.unwrap();
    assert_eq!(ask().await.unwrap().text(), BODY);
    assert_eq!(
        (proxy.paths(), proxy.forwarded()),
        (vec!["/path".to_owned(); 2], 2)
    );
}

#[tokio::test]
async fn the_servers_address_becomes_the_proxys() {
    let server = ScriptedServer::start([]).await.unwrap();
    server.reply(Reply::new(200).body(format!("{}/token", server.base_url())));
    let proxy = FaultProxy::start(server.base_url(), [], Seed::new(1))
        .await
        .unwrap();
    let answer = wire::request(proxy.base_url(), "GET", "/", &[], b"")
        .await
        .unwrap();
    assert_eq!(answer.text(), format!("{}/token", proxy.base_url()));
}

#[test]
fn every_fault_has_a_name_of_its_own() {
    for fault in Fault::ALL {
        assert_eq!(Fault::named(fault.name()), Some(*fault));
    }
    assert_eq!(Fault::named("fire"), None);
}

#[tokio::test]
async fn the_secrets_that_pass_are_remembered() {
    let answer = Reply::new(200).body(r#"{"access_token":"token-that-passed"}"#);
    let server = ScriptedServer::start([answer]).await.unwrap();
    let secrets = Secrets::default();
    let proxy = FaultProxy::start(server.base_url(), [], Seed::new(1)).await;
    let proxy = proxy.unwrap().watched(&secrets);
    let form = [("client_secret", "secret-that-passed")];
    let answer = wire::post_form(proxy.base_url(), "/token", &[], &form).await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(secrets.len(), 2);
}
