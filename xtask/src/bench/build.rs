//! What a provider crate adds to the build of a program that has reqwest anyway: crates, and the
//! processor's seconds of a clean dev build.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use super::{Figure, cargo};

/// One program with reqwest alone, one with a provider; the same TLS, the same versions.
const PROGRAMS: [(&str, &str); 2] = [
    (
        "reqwest with rustls",
        r#"reqwest = { version = "0.13", default-features = false, features = ["rustls"] }"#,
    ),
    (
        "oauth-core: twitch with rustls",
        r#"twitch = { path = "../../../crates/twitch", default-features = false, features = ["rustls"] }"#,
    ),
];

pub(super) fn measure(root: &Path) -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    for (number, (who, dependency)) in PROGRAMS.into_iter().enumerate() {
        let folder = root.join(format!("target/bench-build/{number}"));
        write(root, &folder, dependency).map_err(|error| format!("{who}: {error}"))?;
        let crates = crates(&folder)?;
        let seconds = build(&folder)?;
        eprintln!("{who}: {crates} crates, {seconds:.1} CPU seconds");
        for (what, value, unit) in [
            ("crates in the tree", crates as f64, "crates"),
            ("clean dev build", seconds, "CPU s"),
        ] {
            figures.push(Figure {
                name: "build",
                what: what.to_owned(),
                who: who.to_owned(),
                value,
                low: value,
                high: value,
                unit: unit.to_owned(),
                rounds: 1,
            });
        }
    }
    Ok(figures)
}

/// A program in a workspace of its own, with this workspace's lock file.
fn write(root: &Path, folder: &Path, dependency: &str) -> std::io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder.join("src"))?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    fs::write(folder.join("src/main.rs"), "fn main() {}\n")?;
    fs::write(
        folder.join("Cargo.toml"),
        format!(
            "[workspace]\n\n[package]\nname = \"program\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n"
        ),
    )
}

fn crates(folder: &Path) -> Result<usize, String> {
    let mut command = cargo();
    command
        .args(["tree", "--edges", "normal", "--prefix", "none"])
        .current_dir(folder);
    let output = command
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter(|line| !line.is_empty());
    let names: BTreeSet<_> = names
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>())
        .collect();
    // The program itself is one of them.
    Ok(names.len() - 1)
}

fn build(folder: &Path) -> Result<f64, String> {
    let before = seconds_of_children()?;
    let mut command = cargo();
    command
        .args(["build", "--quiet", "--target-dir", "target"])
        .current_dir(folder)
        .env_remove("RUSTC_WRAPPER");
    wait(command)?;
    Ok(seconds_of_children()? - before)
}

fn wait(mut command: Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("{command:?} failed")),
        Err(error) => Err(format!("cargo cannot be started: {error}")),
    }
}

/// What all ended children of this process have used, with their children: proc(5), `cutime` and
/// `cstime`, in hundredths of a second.
fn seconds_of_children() -> Result<f64, String> {
    let text = fs::read_to_string("/proc/self/stat")
        .map_err(|error| format!("CPU time is read from /proc, as on Linux: {error}"))?;
    // The second field, the program's name, may hold blanks; it ends with the last bracket.
    let fields = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: f64 = fields
        .split(' ')
        .skip(13)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    Ok(ticks / 100.0)
}
