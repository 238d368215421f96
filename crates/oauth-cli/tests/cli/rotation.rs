//! A new key for a store that others use meanwhile, and the first one.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use serde_json::json;

use crate::{
    endpoint::{self, Endpoint},
    program::{World, signalled},
};

const SECRET: (&str, &str) = ("OAUTH_CLIENT_SECRET", "secret");

/// A store with a token, and a server that gives another one while its gate is open.
struct Used {
    world: World,
    endpoint: Endpoint,
    gate: Arc<Mutex<()>>,
}

impl Used {
    fn new() -> Self {
        let gate = Arc::new(Mutex::new(()));
        let closed = Arc::clone(&gate);
        let granted = AtomicU32::new(0);
        let endpoint = Endpoint::start(move |_| {
            drop(closed.lock());
            let access = format!("access-{}", granted.fetch_add(1, Ordering::Relaxed));
            let token = json!({"access_token": access, "token_type": "bearer"});
            endpoint::json(200, &token.to_string())
        });
        let used = Self {
            world: World::new(),
            endpoint,
            gate,
        };
        assert!(used.start("").wait().unwrap().success());
        used.endpoint.take();
        used
    }

    fn token(&self, more: &str) -> String {
        let url = self.endpoint.url();
        format!("token --token-url {url} --client-id a --output json {more}")
    }

    fn start(&self, more: &str) -> Child {
        self.spawn(&self.token(more))
    }

    fn spawn(&self, arguments: &str) -> Child {
        let mut command = self.world.command(arguments);
        command.env(SECRET.0, SECRET.1);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// The store opens, and has the token.
    #[track_caller]
    fn is_whole(&self, when: &str) {
        let stored = self.world.run_with(&self.token(""), &[SECRET]);
        assert_eq!(stored.code, 0, "{when}: {}", stored.err);
        assert_eq!(stored.json()["from"], "store", "{when}");
    }
}

#[test]
fn a_rotation_waits_for_whoever_has_read_the_key() {
    let used = Used::new();
    let gate = used.gate.lock().unwrap();
    let renewal = used.start("--fresh");
    while used.endpoint.take().is_empty() {
        std::thread::yield_now();
    }
    let mut rotation = used.spawn("tokens rotate-key");
    let mut said = BufReader::new(rotation.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    drop(gate);
    let renewed = renewal.wait_with_output().unwrap();
    assert!(renewed.status.success(), "{renewed:?}");
    said.read_to_string(&mut line).unwrap();
    assert!(rotation.wait().unwrap().success(), "{line}");
    used.is_whole("after both");
    assert!(line.starts_with("note: waiting until"), "{line}");
}

#[test]
fn rotations_and_renewals_at_once() {
    let used = Used::new();
    for round in 0..6 {
        let mut all = vec![used.start("--fresh"), used.start("--fresh")];
        all.extend((0..4).map(|_| used.spawn("tokens rotate-key")));
        for child in all {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{round}: {output:?}");
        }
        used.is_whole(&format!("round {round}"));
    }
}

#[test]
fn an_interrupted_rotation_leaves_the_store_whole() {
    let used = Used::new();
    let begun = Instant::now();
    assert!(used.spawn("tokens rotate-key").wait().unwrap().success());
    let whole = begun.elapsed();
    for round in 0..24 {
        let mut child = used.spawn("tokens rotate-key");
        std::thread::sleep(whole * round / 20);
        signalled(&child, if round % 2 == 0 { "-INT" } else { "-TERM" });
        let code = child.wait().unwrap().code();
        assert!(matches!(code, None | Some(0 | 130)), "{code:?}");
        used.is_whole(&format!("round {round}"));
    }
}

#[test]
fn an_interrupted_revocation_leaves_the_store_whole() {
    let used = Used::new();
    let revoke = format!(
        "revoke --token-url {0} --revoke-url {0}/r --client-id a",
        used.endpoint.url()
    );
    let gate = used.gate.lock().unwrap();
    let mut child = used.spawn(&revoke);
    while used.endpoint.take().is_empty() {
        std::thread::yield_now();
    }
    signalled(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(gate);
    // What was not said to be revoked is still there.
    used.is_whole("interrupted");
    assert!(used.spawn(&revoke).wait().unwrap().success());
    assert_eq!(used.world.run("tokens list").succeeded().out, "");
}

#[test]
fn first_starts_at_once_make_one_key() {
    for round in 0..5 {
        let endpoint =
            Endpoint::granting(json!({"access_token": "access", "token_type": "bearer"}));
        let world = World::new();
        let arguments = |subject: usize| {
            format!(
                "token --token-url {} --client-id a --username u --subject {subject} --output json",
                endpoint.url()
            )
        };
        let variables = [SECRET, ("OAUTH_PASSWORD", "p")];
        let all: Vec<_> = (0..4)
            .map(|subject| {
                let mut command = world.command(&arguments(subject));
                command.envs(variables).stdout(Stdio::null());
                command.stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let mut notes = 0;
        for child in all {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{round}: {output:?}");
            notes += usize::from(!output.stderr.is_empty());
        }
        assert_eq!(notes, 1, "said once");
        for subject in 0..4 {
            let stored = world.run_with(&arguments(subject), &variables).succeeded();
            assert_eq!(stored.json()["from"], "store", "{round}");
        }
    }
}
