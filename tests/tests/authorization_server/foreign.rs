//! OAuth clients that are not ours: openid-client for Node.js, and Authlib for Python.

use std::process::Command;

use test_servers::foreign;

use crate::server::Server;

/// What each of them goes through.
const COMMON: [&str; 6] = [
    "discovery",
    "client_credentials",
    "introspection",
    "revocation",
    "code",
    "refresh",
];

#[tokio::test(flavor = "multi_thread")]
async fn openid_client() {
    let script = foreign::node("openid-client").unwrap();
    let script = script.join("openid-client.mjs");
    let more = ["pushed and bound", "device"];
    meets_the_server(Command::new("node").arg(script), "nodejs", &more).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib() {
    let folder = foreign::python("authlib").unwrap();
    let mut python = Command::new(folder.join("venv/bin/python"));
    // It refuses plain HTTP otherwise, on loopback, too.
    python.env("AUTHLIB_INSECURE_TRANSPORT", "1");
    let script = folder.join("authlib_client.py");
    meets_the_server(python.arg(script), "python3-venv", &[]).await;
}

/// The script says which things went well; all of them must have been tried.
async fn meets_the_server(script: &mut Command, package: &str, more: &[&str]) {
    let server = Server::start().await;
    script.arg(&server.issuer);
    let output = tokio::task::block_in_place(|| foreign::run(script, package)).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let passed: Vec<_> = said
        .lines()
        .filter_map(|line| line.strip_prefix("ok "))
        .collect();
    assert_eq!(passed, [&COMMON, more].concat());
}
