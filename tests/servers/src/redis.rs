//! `redis-server`, of the Debian package of that name.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Process, on_a_free_port};

/// A Redis server that writes every command to its disk before it answers.
#[derive(Debug)]
pub struct RedisServer {
    process: Option<Process>,
    port: u16,
    settings: Vec<String>,
    folder: TempDir,
}

impl RedisServer {
    /// A server as a store wants it.
    ///
    /// # Errors
    /// When there is no `redis-server`, or it does not start.
    pub fn start() -> Result<Self, String> {
        Self::with(&[])
    }

    /// A server with further settings, as arguments: `["--requirepass", "secret"]`.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub fn with(settings: &[&str]) -> Result<Self, String> {
        let mut version = Command::new("redis-server");
        let version = version.arg("--version").stdout(Stdio::null()).status();
        version.map_err(|error| {
            format!("redis-server cannot be run ({error}); install the Debian package redis-server")
        })?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut server = Self {
            process: None,
            port: 0,
            settings: settings.iter().map(ToString::to_string).collect(),
            folder,
        };
        on_a_free_port(|port| {
            server.port = port;
            server.restart()
        })?;
        Ok(server)
    }

    /// Where it is, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command; what `redis-cli` printed.
    ///
    /// # Errors
    /// What the server says against it.
    pub fn command(&self, command: &[&str]) -> Result<String, String> {
        let output = Command::new("redis-cli")
            .args(["-e", "-p", &self.port.to_string()])
            .args(command)
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
        let port = self.port.to_string();
        let folder = self.folder.path().to_string_lossy().into_owned();
        let mut arguments = vec!["--port", &port, "--bind", "127.0.0.1", "--dir", &folder];
        arguments.extend([
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ]);
        arguments.extend(self.settings.iter().map(String::as_str));
        let mut process = Process::start("redis-server", &arguments, None, Signal::TERM, None)?;
        process.wait_until(|| answers(self.port))?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops it; its data stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Kills it; its data stays.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.end(Signal::KILL);
        }
    }

    /// Lets it hang: it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        if let Some(process) = &self.process {
            process.signal(Signal::STOP);
        }
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        if let Some(process) = &self.process {
            process.signal(Signal::CONT);
        }
    }
}

/// Whether the server answers, be it that it wants a password; one that still loads does not.
fn answers(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    // With TLS alone there is no answer to this, but an end.
    !matches!(ask(), Ok(answer) if answer == *b"-LOAD")
        && TcpStream::connect(("127.0.0.1", port)).is_ok()
}
