//! The program, in a world of its own: an empty environment and a home that is thrown away.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use url::Url;

pub(crate) struct World {
    pub(crate) home: TempDir,
}

/// What a command has done.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home }
    }

    /// The program with these arguments, blanks between them.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(program());
        command
            .env_clear()
            .env("HOME", self.home.path())
            // Not the keyring of whoever runs the tests.
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
            .args(arguments.split_whitespace())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Outcome {
        self.run_with(arguments, &[])
    }

    /// As [`World::run`], with variables.
    pub(crate) fn run_with(&self, arguments: &str, variables: &[(&str, &str)]) -> Outcome {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        Outcome::of(&mut command)
    }

    /// A file that nobody else may read.
    pub(crate) fn secret_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name, text);
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        path
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

pub(crate) fn program() -> PathBuf {
    assert_cmd::cargo::cargo_bin!("oauth").into()
}

impl Outcome {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// With this exit code.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert_eq!(self.out, "", "a failure prints nothing on standard output");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|_| panic!("no JSON: {:?} {}", self.out, self.err))
    }

    /// The last line of standard error, which is the error.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let line = self.err.lines().last().unwrap_or_default();
        let error: Value =
            serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {:?}", self.err));
        error["error"].clone()
    }
}

/// A server that the program runs, until it is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) info: Value,
}

impl Running {
    /// Starts `oauth` with these arguments and waits for its line.
    pub(crate) fn start(arguments: &str) -> Self {
        let world = World::new();
        let mut child = world
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let info = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line:?}"));
        Self { child, info }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.info[name].as_str().unwrap()
    }

    /// What an emulator's control says.
    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let url: Url = format!("{}{path}", self.text("control_url"))
            .parse()
            .unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let mut stream = TcpStream::connect(&host).unwrap();
        let body = body.to_string();
        let length = body.len();
        write!(
            stream,
            "{method} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}",
            url.path(),
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Sends it a signal and gives its exit code.
    pub(crate) fn stopped_by(mut self, signal: &str) -> i32 {
        signalled(&self.child, signal);
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signalled(child: &Child, signal: &str) {
    let status = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}
