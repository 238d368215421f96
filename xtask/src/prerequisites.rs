//! The servers and tools that tests and benchmarks start: installed where this may install, named
//! where it may not.

use std::{env, fs, path::Path, process::Command};

/// A program, and the Debian package that has it.
const NEEDED: &[(&str, &str)] = &[
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("initdb", "postgresql"),
    ("gnome-keyring-daemon", "gnome-keyring"),
    ("dbus-run-session", "dbus"),
    ("psql", "postgresql-client"),
    ("openssl", "openssl"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("kill", "procps"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3-venv"),
];

/// The same of the benchmarks that load servers.
const NEEDED_FOR_LOAD: &[(&str, &str)] = &[("wrk", "wrk"), ("node", "nodejs"), ("npm", "npm")];

pub(crate) fn check() -> Result<(), String> {
    provide(NEEDED)
}

pub(crate) fn check_for_load() -> Result<(), String> {
    provide(NEEDED_FOR_LOAD)
}

fn provide(needed: &[(&str, &'static str)]) -> Result<(), String> {
    let missing = missing(needed);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let apt = find("apt-get");
    if !(apt && is_root()) {
        return Err(format!(
            "missing: {packages}; install with: sudo apt-get install {packages}"
        ));
    }
    println!("installing {packages}");
    // The list of packages may be older than the packages.
    apt_get(&["update", "--quiet"])?;
    let mut arguments = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
    arguments.extend(missing);
    apt_get(&arguments)
}

fn missing(needed: &[(&str, &'static str)]) -> Vec<&'static str> {
    let absent = needed.iter().filter(|(program, _)| !find(program));
    let mut packages: Vec<_> = absent.map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

fn find(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = env::split_paths(&path).collect();
    // Debian keeps PostgreSQL's own programs apart, by version.
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders.iter().any(|folder| folder.join(program).is_file())
}

/// Whether this may install: the folder of installed packages is its own to write.
fn is_root() -> bool {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return false;
    };
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .and_then(|ids| ids.split_whitespace().nth(1));
    effective == Some("0") && Path::new("/var/lib/dpkg").is_dir()
}

fn apt_get(arguments: &[&str]) -> Result<(), String> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .map_err(|error| format!("apt-get cannot be started: {error}"))?;
    let done = status.success().then_some(());
    done.ok_or_else(|| format!("apt-get {}: {status}", arguments.join(" ")))
}
