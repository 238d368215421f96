//! PostgreSQL, of the Debian package `postgresql`.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Signal, getuid};
use tempfile::TempDir;

use crate::process::{Process, on_a_free_port};

/// The server does not run as root; its Debian package makes this user.
const USER: &str = "postgres";

/// A PostgreSQL server with the superuser `postgres`, who needs no password.
#[derive(Debug)]
pub struct PostgresServer {
    process: Option<Process>,
    port: u16,
    settings: Vec<String>,
    programs: PathBuf,
    folder: TempDir,
}

impl PostgresServer {
    /// A server with its usual settings.
    ///
    /// # Errors
    /// When there is no PostgreSQL, or it does not start.
    pub fn start() -> Result<Self, String> {
        Self::with(&[])
    }

    /// A server with further settings: `["max_connections=5"]`.
    ///
    /// # Errors
    /// As [`PostgresServer::start`].
    pub fn with(settings: &[&str]) -> Result<Self, String> {
        let programs = programs()?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut server = Self {
            process: None,
            port: 0,
            settings: settings.iter().map(ToString::to_string).collect(),
            programs,
            folder,
        };
        server.initialize()?;
        on_a_free_port(|port| {
            server.port = port;
            server.restart()
        })?;
        Ok(server)
    }

    /// Where its database is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder, where the server may write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives a file of its folder to the server, and to nobody else.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn own(&self, file: &str) -> Result<(), String> {
        let file = self.folder.path().join(file);
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&file, mode).map_err(|error| error.to_string())?;
        self.give(&file)
    }

    /// Runs SQL as the superuser; what it printed, columns separated by `|`.
    ///
    /// # Errors
    /// What the server says against it.
    pub fn sql(&self, sql: &str) -> Result<String, String> {
        let output = Command::new(self.programs.join("psql"))
            .args([
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                &self.url(),
                "-c",
                sql,
            ])
            .output()
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Starts it, with what it had on its disk, after it was stopped if it runs.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<(), String> {
        self.stop();
        let folder = self.folder.path().to_string_lossy().into_owned();
        let data = format!("{folder}/data");
        let port = self.port.to_string();
        let sockets = format!("unix_socket_directories={folder}");
        let mut arguments = vec!["-D", &data, "-p", &port, "-h", "127.0.0.1", "-c", &sockets];
        for setting in &self.settings {
            arguments.extend(["-c", setting]);
        }
        let program = self.programs.join("postgres");
        let mut process = Process::start(
            &program.to_string_lossy(),
            &arguments,
            user(),
            Signal::QUIT,
            None,
        )?;
        process.wait_until(|| {
            let ready = Command::new(self.programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status();
            ready.is_ok_and(|status| status.success())
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops it, cutting every connection; its data stays.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.end(Signal::INT);
        }
    }

    /// Stops it as a crash would; its data stays.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Lets all of it hang: it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        self.signal_all("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal_all("-CONT");
    }

    fn initialize(&self) -> Result<(), String> {
        let data = self.folder.path().join("data");
        self.give(self.folder.path())?;
        let mut command = match user() {
            None => Command::new(self.programs.join("initdb")),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]);
                command.arg(self.programs.join("initdb"));
                command
            }
        };
        command.args([
            "--no-sync",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-U",
            USER,
            "-D",
        ]);
        let output = command.arg(data).current_dir("/").output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn give(&self, path: &Path) -> Result<(), String> {
        match user() {
            None => Ok(()),
            Some(_) => chown(path, Some(number("-u")?), Some(number("-g")?))
                .map_err(|error| error.to_string()),
        }
    }

    /// Every connection is a process of its own, a child of the first.
    fn signal_all(&self, signal: &str) {
        let Some(first) = self.process.as_ref().and_then(Process::id) else {
            return;
        };
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
        let children = children.unwrap_or_default();
        let first = first.to_string();
        let processes = children.split_whitespace().chain([first.as_str()]);
        // One of them may just have ended.
        let mut kill = Command::new("kill");
        let _ = kill
            .arg(signal)
            .args(processes)
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // The children of a process that was frozen are not continued with it.
        self.thaw();
    }
}

fn user() -> Option<&'static str> {
    getuid().is_root().then_some(USER)
}

fn number(which: &str) -> Result<u32, String> {
    let output = Command::new("id")
        .args([which, USER])
        .stderr(Stdio::null())
        .output();
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .map_err(|_| format!("there is no user {USER}; install the Debian package postgresql"))
}

/// The folder of the newest server.
fn programs() -> Result<PathBuf, String> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let folders = versions.flatten().map(|version| version.path().join("bin"));
    folders
        .filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .max()
        .ok_or_else(|| {
            "there is no PostgreSQL under /usr/lib/postgresql; install the Debian package postgresql"
                .to_owned()
        })
}
