//! Programs that are not ours, from npm and PyPI: what their lists in `tests/foreign/NAME` name is
//! installed into `target/foreign/NAME`.

use std::{
    fs::{self, File},
    io,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rustix::process::Signal;

use crate::{free_port, process::Process};

/// What the package managers read. When it changes, they install anew.
const LISTS: [&str; 4] = [
    ".npmrc",
    "package.json",
    "package-lock.json",
    "requirements.txt",
];

/// The folder in which the Node.js program `name` lies beside its packages.
///
/// # Errors
/// When npm is missing or fails; the text names its Debian package.
pub fn node(name: &str) -> Result<PathBuf, String> {
    installed(name, |folder| {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-progress", "--loglevel=error"]);
        run(npm.current_dir(folder), "npm").map(drop)
    })
}

/// The folder in which the Python program `name` lies beside its virtual environment, `venv`.
///
/// # Errors
/// When Python or its venv is missing, or pip fails; the text names the Debian package.
pub fn python(name: &str) -> Result<PathBuf, String> {
    installed(name, |folder| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"])
            .arg(folder.join("venv"));
        run(&mut venv, "python3-venv")?;
        let mut pip = Command::new(folder.join("venv/bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"]);
        run(pip.arg(folder.join("requirements.txt")), "python3-venv").map(drop)
    })
}

/// Runs a program to its end. `package` is Debian's, which has it.
///
/// # Errors
/// When it cannot be started, or doesn't end well: then with what it said.
pub fn run(command: &mut Command, package: &str) -> Result<Output, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| {
        format!("{program} cannot be started ({error}); install the Debian package {package}")
    })?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!(
        "{program} failed; if a part of it is missing, install the Debian package {package}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// node-oidc-provider on a free port of its own, certified for OpenID Connect.
#[derive(Debug)]
pub struct NodeOidcProvider {
    process: Process,
    issuer: String,
}

impl NodeOidcProvider {
    /// Installs it if it isn't yet, and starts it.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn start() -> Result<Self, String> {
        let folder = node("node-oidc-provider")?;
        run(Command::new("node").arg("--version"), "nodejs")?;
        let log = folder.join("log");
        let failed = |error| format!("{}: {error}", log.display());
        let file = Some(File::create(&log).map_err(failed)?);
        let (script, port) = (folder.join("server.mjs"), free_port()?);
        let arguments = [&*script.to_string_lossy(), &port.to_string()];
        let mut process = Process::start("node", &arguments, None, Signal::KILL, file)?;
        process
            .wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())
            .map_err(|why| format!("{why}; it said why in {}", log.display()))?;
        let issuer = format!("http://127.0.0.1:{port}");
        Ok(Self { process, issuer })
    }

    /// Its issuer, which is its URL.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The id of its process.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }
}

fn installed(
    name: &str,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("target/foreign").join(name);
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    // Another run may be installing the same.
    let lock = File::create(folder.join("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    // Beside the packages, because that is where Node.js looks for them.
    for source in fs::read_dir(root.join("tests/foreign").join(name)).map_err(failed)? {
        let source = source.map_err(failed)?;
        fs::copy(source.path(), folder.join(source.file_name())).map_err(failed)?;
    }
    let list = |list: &&str| fs::read_to_string(folder.join(list)).ok();
    let wanted: String = LISTS.iter().filter_map(list).collect();
    let done = folder.join("installed");
    if fs::read_to_string(&done).is_ok_and(|there| there == wanted) {
        return Ok(folder);
    }
    install(&folder)?;
    fs::write(done, wanted).map_err(failed)?;
    Ok(folder)
}
