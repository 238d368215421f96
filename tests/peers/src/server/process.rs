//! A server in a process of its own, and what loading it costs that process.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use test_servers::foreign::NodeOidcProvider;

/// A program that is asked for tokens. Gone when it is dropped.
pub(super) enum Server {
    /// One of `bin/token_server.rs`.
    Ours {
        child: Child,
        url: String,
        secret: String,
    },
    Node(NodeOidcProvider),
}

/// What is asked of it.
#[derive(Clone, Copy)]
pub(super) enum Endpoint {
    Token,
    Introspection,
}

/// What wrk and the kernel say of a round.
pub(super) struct Round {
    /// Of the server's process, for each request.
    pub(super) cpu_microseconds: f64,
    pub(super) thousands_a_second: f64,
    pub(super) p99_milliseconds: f64,
}

impl Server {
    /// The one that `bin/token_server.rs` calls `kind`.
    pub(super) fn ours(kind: &str) -> Self {
        let itself = env::current_exe().expect("the program knows where it is");
        let mut child = Command::new(itself.with_file_name("token_server"))
            .arg(kind)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server is built with this program");
        let output = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let mut line = || lines.next().expect("the server says where it listens");
        let (url, secret) = (line(), line());
        Self::Ours { child, url, secret }
    }

    pub(super) fn node() -> Self {
        Self::Node(NodeOidcProvider::start().expect("node-oidc-provider starts"))
    }

    /// An access token, by client credentials.
    pub(super) fn token(&self) -> String {
        let request = reqwest::Client::new()
            .post(self.url(Endpoint::Token))
            .header("authorization", self.authorization())
            .form(&[("grant_type", "client_credentials")]);
        let answer = crate::throughput::runtime().block_on(async {
            let answer = request.send().await.expect("an answer");
            answer.bytes().await.expect("a body")
        });
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// The least load that warms it up, then `seconds` of it that are measured.
    pub(super) fn load(&self, path: Endpoint, body: &str, seconds: u32) -> Round {
        self.wrk(path, body, 1);
        let before = self.cpu_seconds();
        let (requests, microseconds, p99) = self.wrk(path, body, seconds);
        Round {
            cpu_microseconds: (self.cpu_seconds() - before) * 1e6 / requests,
            thousands_a_second: requests / microseconds * 1e3,
            p99_milliseconds: p99 / 1e3,
        }
    }

    /// Requests, and the time that they and that the slowest hundredth of them took.
    fn wrk(&self, path: Endpoint, body: &str, seconds: u32) -> (f64, f64, f64) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/load.lua");
        let output = Command::new("wrk")
            .args(["--threads", "1", "--connections", "32"])
            .args(["--duration", &format!("{seconds}s"), "--script"])
            .args([script.as_os_str(), self.url(path).as_ref(), "--".as_ref()])
            .args([&self.authorization(), body])
            .output()
            .expect("wrk is installed (Debian: wrk)");
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.starts_with('{'));
        let line = line.unwrap_or_else(|| panic!("wrk ends with its figures: {text}"));
        let figures: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(figures["failed"], 0, "every request is answered: {line}");
        let number = |name: &str| figures[name].as_f64().expect("a number");
        (number("requests"), number("microseconds"), number("p99"))
    }

    fn url(&self, path: Endpoint) -> String {
        match (self, path) {
            (Self::Ours { url, .. }, Endpoint::Token) => format!("{url}/token"),
            (Self::Ours { url, .. }, Endpoint::Introspection) => format!("{url}/introspect"),
            (Self::Node(node), Endpoint::Token) => format!("{}/token", node.issuer()),
            (Self::Node(node), Endpoint::Introspection) => {
                format!("{}/token/introspection", node.issuer())
            }
        }
    }

    fn authorization(&self) -> String {
        let pair = match self {
            Self::Ours { secret, .. } => format!("service:{secret}"),
            Self::Node(_) => "basic:the+secret+of+the+service".to_owned(),
        };
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    }

    /// What the process has used: proc(5), `utime` and `stime`, in hundredths of a second.
    fn cpu_seconds(&self) -> f64 {
        let id = match self {
            Self::Ours { child, .. } => child.id(),
            Self::Node(node) => node.id().expect("it runs"),
        };
        let text = fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs, on Linux");
        // The second field, the program's name, may hold blanks; it ends with the last bracket.
        let (_, fields) = text.rsplit_once(") ").expect("a name in brackets");
        let ticks = fields.split(' ').skip(11).take(2);
        ticks
            .map(|ticks| ticks.parse::<f64>().expect("a number"))
            .sum::<f64>()
            / 100.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Ours { child, .. } = self {
            // One that has ended already cannot be ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
