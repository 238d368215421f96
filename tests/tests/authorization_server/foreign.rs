//! OAuth clients that are not ours: openid-client for Node.js, and Authlib for Python. What they
//! need is installed into `target/foreign` from the lists in `foreign/`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

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
    let folder = installed(
        "openid-client",
        &["package.json", "package-lock.json", ".npmrc"],
        |folder| {
            let mut npm = Command::new("npm");
            run(npm.args(["ci", "--silent"]).current_dir(folder), "npm");
        },
    );
    // Beside the packages, because that is where they are looked for.
    let script = folder.join("openid-client.mjs");
    fs::copy(source("openid-client.mjs"), &script).unwrap();
    let more = ["pushed and bound", "device"];
    meets_the_server(Command::new("node").arg(script), "nodejs", &more).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib() {
    let folder = installed("authlib", &["requirements.txt"], |folder| {
        let mut venv = Command::new("python3");
        run(
            venv.args(["-m", "venv", "--clear"])
                .arg(folder.join("venv")),
            "python3-venv",
        );
        let mut pip = Command::new(folder.join("venv/bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"]);
        run(pip.arg(source("requirements.txt")), "python3-venv");
    });
    let mut python = Command::new(folder.join("venv/bin/python"));
    // It refuses plain HTTP otherwise, on loopback, too.
    python.env("AUTHLIB_INSECURE_TRANSPORT", "1");
    let script = source("authlib_client.py");
    meets_the_server(python.arg(script), "python3-venv", &[]).await;
}

/// The script says which things went well; all of them must have been tried.
async fn meets_the_server(script: &mut Command, package: &str, more: &[&str]) {
    let server = Server::start().await;
    script.arg(&server.issuer);
    let output = tokio::task::block_in_place(|| run(script, package));
    let said = String::from_utf8(output.stdout).unwrap();
    let passed: Vec<_> = said
        .lines()
        .filter_map(|line| line.strip_prefix("ok "))
        .collect();
    assert_eq!(passed, [&COMMON, more].concat());
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("foreign")
        .join(name)
}

/// A folder in which what these lists name is installed; done once for each state of them.
fn installed(name: &str, lists: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("foreign").join(name);
    fs::create_dir_all(&folder).unwrap();
    let wanted: String = lists
        .iter()
        .map(|list| fs::read_to_string(source(list)).unwrap())
        .collect();
    let done = folder.join("installed");
    if fs::read_to_string(&done).is_ok_and(|there| there == wanted) {
        return folder;
    }
    for list in lists {
        fs::copy(source(list), folder.join(list)).unwrap();
    }
    install(&folder);
    fs::write(done, wanted).unwrap();
    folder
}

fn run(command: &mut Command, package: &str) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|error| {
        panic!("{program} cannot be started ({error}): install Debian's {package}")
    });
    assert!(
        output.status.success(),
        "{program} failed; if a part of it is missing, install Debian's {package}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
