//! What holds for the sources of every crate: how secrets are held, compared, shown and logged.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "hygiene/logged.rs"]
mod logged;
#[path = "hygiene/source.rs"]
mod source;

use std::{collections::BTreeSet, fs};

use source::{Holder, crates, root, text_of, types};

/// Traits through which a secret would get out by accident.
const WAYS_OUT: [&str; 7] = [
    "Display",
    "ToString",
    "AsRef",
    "Borrow",
    "Deref",
    "Serialize",
    "LowerHex",
];

/// Fields that are named like a secret, and are none.
const NO_SECRETS: [&str; 2] = [
    // The `error` of an answer.
    "Failure.code: Option < String >",
    // A path.
    "Server.token: String",
];

fn holders() -> Vec<Holder> {
    let all = types();
    let holders: Vec<Holder> = all
        .iter()
        .filter(|it| it.holds_a_secret())
        .cloned()
        .collect();
    assert!(all.len() > 300, "{} types were walked", all.len());
    assert!(
        holders.len() > 40,
        "{} of them hold a secret",
        holders.len()
    );
    holders
}

#[test]
fn no_type_that_holds_a_secret_derives_debug_over_it() {
    let shown: Vec<String> = holders()
        .iter()
        .filter(|holder| holder.derives("Debug"))
        .flat_map(source::Holder::bare_secrets)
        .filter(|it| !NO_SECRETS.contains(&it.as_str()))
        .collect();
    assert!(shown.is_empty(), "Debug would show {shown:#?}");
}

#[test]
fn a_secret_has_no_way_out_but_its_accessor() {
    for holder in holders().iter().filter(|holder| holder.public) {
        // A server's answers are made to be written.
        let written = holder.name.ends_with("Response");
        for way in WAYS_OUT {
            assert!(
                (written && way == "Serialize") || !holder.derives(way) && !holder.implements(way),
                "{} is {way}, and holds a secret",
                holder.name
            );
        }
    }
    // A macro's types are walked by nobody: what it writes is.
    let token = text_of("crates/oauth-core/src/token.rs");
    let written = token.split("macro_rules! secret_token").nth(1).unwrap();
    let written = written.split("secret_token! {").next().unwrap();
    for way in WAYS_OUT.iter().chain(&["Hash", "PartialOrd", "Ord"]) {
        assert!(
            !written.contains(&format!("{way} for")) && !written.contains(&format!("{way},")),
            "tokens are {way}"
        );
    }
    assert!(written.contains("ct_eq") && written.contains("[REDACTED]"));
    assert_eq!(written.matches("pub fn expose_secret").count(), 1);
}

#[test]
fn secrets_are_compared_in_constant_time_or_not_at_all() {
    for holder in holders() {
        for other in ["Hash", "PartialOrd", "Ord"] {
            assert!(
                !holder.derives(other) && !holder.implements(other),
                "{} is {other}, and holds a secret",
                holder.name
            );
        }
        if holder.derives("PartialEq") {
            let bare = holder.bare_secrets();
            assert!(bare.is_empty(), "compared with an early exit: {bare:?}");
        }
        if let Some(body) = holder.body_of("PartialEq") {
            assert!(body.contains("ct_eq"), "{}: {body}", holder.name);
        }
    }
}

#[test]
fn a_verifier_is_compared_in_constant_time() {
    let text = text_of("crates/oauth-server/src/pkce.rs");
    let (_, rest) = text.split_once("fn fits(").unwrap();
    let (body, _) = rest.split_once("\n}\n").unwrap();
    assert!(
        body.contains("ct_eq(challenge") && !body.contains("=="),
        "{body}"
    );
}

#[test]
fn nothing_unwraps_what_could_hold_a_secret() {
    let lints = text_of("Cargo.toml");
    assert!(lints.contains("unwrap_used = \"warn\"") && lints.contains("panic = \"warn\""));
    let mut calls = 0;
    for (name, found) in source::unwraps() {
        let manifest = text_of(&format!("crates/{name}/Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name}");
        for (file, call) in found {
            calls += 1;
            assert!(!call.contains(". unwrap ("), "{file}: {call}");
            for word in ["expose_secret", "token", "secret", "password", "verifier"] {
                let of_a_constant = call.contains("constant") || call.contains("provable");
                assert!(
                    !call.to_lowercase().contains(word) || of_a_constant,
                    "{file}: {call}"
                );
            }
        }
    }
    assert!(calls > 0, "no call of expect was found: nothing was walked");
}

#[test]
fn the_log_of_a_server_holds_no_query_and_no_user() {
    logged::run();
}

#[test]
fn labels_of_metrics_come_from_no_secret() {
    let mut counters = 0;
    for (name, files) in crates() {
        for (file, text) in files {
            for call in text.split("metrics::").skip(1) {
                let Some(call) = ["counter!", "gauge!", "histogram!"]
                    .iter()
                    .find_map(|macro_name| call.strip_prefix(macro_name))
                else {
                    continue;
                };
                let call = call.split(';').next().unwrap();
                counters += 1;
                for label in call.split("=>").skip(1) {
                    assert!(
                        label.trim_start().starts_with("owner.issuer()"),
                        "{name} {}: a label of {label}",
                        file.display()
                    );
                }
            }
        }
    }
    assert!(counters > 0, "no counter was found");
}

#[test]
fn the_repository_holds_no_real_secret() {
    // In two parts, so that this file is none of the finds.
    let marks = [
        ("ghp", "_"),
        ("github", "_pat_"),
        ("AK", "IA"),
        ("xo", "xb-"),
        ("sk", "_live_"),
        ("AI", "zaSy"),
        ("gl", "pat-"),
    ]
    .map(|(one, two)| format!("{one}{two}"));
    let mut read = 0;
    for file in source::files() {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        read += 1;
        for mark in &marks {
            let real = text.split(mark.as_str()).skip(1).any(|rest| {
                let length = rest.chars().take_while(char::is_ascii_alphanumeric).count();
                length >= 16
            });
            assert!(
                !real,
                "{} has a secret that begins with {mark}",
                file.display()
            );
        }
    }
    assert!(read > 500, "{read} files were read");
    // A secret is never an argument: others on the machine see those.
    for (_, files) in crates().into_iter().filter(|(name, _)| name == "oauth-cli") {
        for (file, text) in files {
            for option in ["secret", "password", "token", "assertion"] {
                assert!(
                    !text.contains(&format!("long = \"{option}\""))
                        && !text.contains(&format!("long = \"client-{option}\"")),
                    "{} takes --{option} from the command line",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn the_documents_say_what_is_out_of_scope() {
    let security = text_of("SECURITY.md").to_lowercase();
    for word in [
        "core dump",
        "swap",
        "ptrace",
        "limitcore=0",
        "kernel.yama.ptrace_scope",
    ] {
        assert!(security.contains(word), "SECURITY.md does not say {word}");
    }
}

#[test]
fn the_password_grant_is_asked_for_by_name() {
    let manifest = text_of("crates/oauth-core/Cargo.toml");
    let default = manifest
        .lines()
        .find(|line| line.starts_with("default ="))
        .unwrap();
    assert!(manifest.contains("\npassword = ") && !default.contains("password"));
    let readme = text_of("crates/oauth-core/README.md");
    assert!(readme.contains("`grant::Password`, which RFC 9700 §2.4 says must not be used"));
    let grant = text_of("crates/oauth-core/src/grant/password.rs");
    assert!(
        grant.contains("9700"),
        "grant::Password does not name RFC 9700"
    );
}

#[test]
fn every_crate_is_walked() {
    let names: BTreeSet<_> = crates().into_iter().map(|(name, _)| name).collect();
    let there = fs::read_dir(root().join("crates")).unwrap();
    let there: BTreeSet<_> = there
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, there);
}
