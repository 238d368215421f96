//! Who may depend on whom, and how much a provider crate costs its user.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

/// What a crate may depend on among ours; whoever is not named may depend on none.
const LAYERS: &[(&str, &[&str])] = &[
    ("ministry-platform", &["oauth-core"]),
    ("twitch", &["oauth-core"]),
    ("moov", &["oauth-core"]),
    ("oauth-store", &["oauth-core"]),
    ("oauth-emulators", &["oauth-server"]),
    ("oauth-conformance", &["oauth-core"]),
    ("example-provider", &["oauth-core"]),
    (
        "oauth-cli",
        &[
            "ministry-platform",
            "twitch",
            "moov",
            "oauth-core",
            "oauth-store",
            "oauth-server",
            "oauth-emulators",
        ],
    ),
    (
        "xtask",
        &[
            "ministry-platform",
            "twitch",
            "moov",
            "oauth-core",
            "oauth-emulators",
            "oauth-conformance",
            "test-servers",
        ],
    ),
];

/// How many crates a provider crate may add to bare reqwest with the same TLS.
const BUDGET: usize = 20;

pub(crate) fn check() -> Result<(), String> {
    layers()?;
    let bare = reqwest_alone()?;
    for package in ["twitch", "moov", "ministry-platform"] {
        let whole = tree(package)?;
        let added: Vec<_> = whole.difference(&bare).map(String::as_str).collect();
        println!(
            "{package} adds {} crates to reqwest's {}",
            added.len(),
            bare.len()
        );
        if added.len() > BUDGET {
            return Err(format!(
                "{package} adds {} crates, more than {BUDGET}: {}",
                added.len(),
                added.join(", ")
            ));
        }
    }
    Ok(())
}

/// An example of a crate, and the features that it asks for.
pub(crate) struct Example {
    pub(crate) package: String,
    pub(crate) name: String,
    pub(crate) features: String,
}

/// Every example of the workspace.
pub(crate) fn examples() -> Result<Vec<Example>, String> {
    let mut examples = Vec::new();
    for package in packages()? {
        let targets = package["targets"].as_array().cloned().unwrap_or_default();
        for target in targets
            .iter()
            .filter(|target| target["kind"][0] == "example")
        {
            let features = target["required-features"].as_array();
            let features = features.into_iter().flatten().map(text);
            examples.push(Example {
                package: text(&package["name"]),
                name: text(&target["name"]),
                features: features.collect::<Vec<_>>().join(","),
            });
        }
    }
    Ok(examples)
}

fn layers() -> Result<(), String> {
    let packages = packages()?;
    let ours: BTreeSet<String> = packages
        .iter()
        .map(|package| text(&package["name"]))
        .collect();
    for package in &packages {
        let name = text(&package["name"]);
        let allowed = LAYERS
            .iter()
            .find(|(layer, _)| *layer == name)
            .map_or(&[][..], |(_, allowed)| *allowed);
        let dependencies = package["dependencies"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for dependency in dependencies
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
        {
            let on = text(&dependency["name"]);
            if ours.contains(&on) && !allowed.contains(&on.as_str()) {
                return Err(format!(
                    "{name} depends on {on}, which its layer may not; see docs/architecture.md"
                ));
            }
        }
    }
    Ok(())
}

fn packages() -> Result<Vec<Value>, String> {
    let output = cargo(&["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata: Value =
        serde_json::from_str(&output).map_err(|error| format!("cargo metadata: {error}"))?;
    Ok(metadata["packages"].as_array().cloned().unwrap_or_default())
}

/// The crates of reqwest's own tree, as this workspace builds it: the lock file and the features
/// are the same, so that only what we add is counted.
fn reqwest_alone() -> Result<BTreeSet<String>, String> {
    let output = cargo(&[
        "tree",
        "--edges",
        "normal",
        "--prefix",
        "depth",
        "--no-dedupe",
        "--package",
        "oauth-core",
    ])?;
    let mut inside = None;
    let mut crates = BTreeSet::new();
    for line in output.lines() {
        let digits = line
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(line.len());
        let (depth, rest) = line.split_at(digits);
        let depth: usize = depth
            .parse()
            .map_err(|_| "cargo tree printed something else".to_owned())?;
        if inside.is_some_and(|top| depth <= top) {
            inside = None;
        }
        if rest.starts_with("reqwest v") {
            inside = Some(depth);
        }
        if inside.is_some() {
            crates.insert(name(rest));
        }
    }
    Ok(crates)
}

fn tree(package: &str) -> Result<BTreeSet<String>, String> {
    let output = cargo(&[
        "tree",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--package",
        package,
    ])?;
    Ok(output
        .lines()
        .filter(|line| !line.is_empty())
        .map(name)
        .collect())
}

/// `name version` of a line of `cargo tree`.
fn name(line: &str) -> String {
    line.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn cargo(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
