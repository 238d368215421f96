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
