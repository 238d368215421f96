//! A server's process.

use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// A child that is stopped when this is dropped, and by the kernel when this process dies.
#[derive(Debug)]
pub(crate) struct Process {
    child: Option<Child>,
    quit: Signal,
    /// The kernel stops a child when the thread that made it ends: this one ends with `self`.
    _keeper: mpsc::Sender<()>,
}

impl Process {
    /// Starts `program`, as `user` if there is one, to be stopped with `quit`. What it says goes to
    /// `log`, or is lost.
    pub(crate) fn start(
        program: &str,
        arguments: &[&str],
        user: Option<&str>,
        quit: Signal,
        log: Option<File>,
    ) -> Result<Self, String> {
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig").arg(match quit {
            Signal::QUIT => "QUIT",
            _ => "KILL",
        });
        if let Some(user) = user {
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        }
        command.arg("--").arg(program).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(log.map_or_else(Stdio::null, Stdio::from));
        let (keeper, ended) = mpsc::channel();
        let (sender, started) = mpsc::channel();
        thread::spawn(move || {
            let _ = sender.send(command.spawn());
            let _ = ended.recv();
        });
        let child = started.recv().map_err(|error| error.to_string())?;
        let child = child.map_err(|error| {
            format!("setpriv cannot be started ({error}); install the Debian package util-linux")
        })?;
        Ok(Self {
            child: Some(child),
            quit,
            _keeper: keeper,
        })
    }

    /// Waits until `ready`, or until the process has ended: what answers then is another's server.
    pub(crate) fn wait_until(&mut self, ready: impl Fn() -> bool) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let child = self.child.as_mut().ok_or("the server was stopped")?;
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("the server ended at once: {status}"));
            }
            if ready() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("the server is not ready after 60 seconds".to_owned());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            // One that has ended cannot be signalled, and need not be.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// Ends the process with `signal` and waits for it.
    pub(crate) fn end(&mut self, signal: Signal) {
        self.signal(Signal::CONT);
        self.signal(signal);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(self.quit);
    }
}

/// Starts a server on a port that was free a moment ago, and on another when somebody else was
/// faster.
pub(crate) fn on_a_free_port(
    mut start: impl FnMut(u16) -> Result<(), String>,
) -> Result<(), String> {
    for _ in 0..2 {
        if start(free_port()?).is_ok() {
            return Ok(());
        }
    }
    start(free_port()?)
}

/// A port that nobody listens on now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok(address.port())
}
