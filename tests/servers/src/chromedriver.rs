//! `chromedriver`, of the Debian package `chromium-driver`.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::process::{Process, free_port};

/// The driver of a browser that nobody sees.
#[derive(Debug)]
pub struct Chromedriver {
    _process: Process,
    port: u16,
}

impl Chromedriver {
    /// What Chromium is started with. Its sandbox is not to be had for root, and what the tests show
    /// is their own.
    pub const ARGUMENTS: [&str; 4] = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
    ];

    /// A driver that is ready to start browsers. Close them before it is dropped: they outlive it.
    ///
    /// # Errors
    /// When there is no `chromedriver`, or it does not start.
    pub fn start() -> Result<Self, String> {
        let port = free_port()?;
        let argument = format!("--port={port}");
        let mut process = Process::start("chromedriver", &[&argument], None, Signal::TERM, None)?;
        let ready = process.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        ready.map_err(|error| {
            format!(
                "chromedriver: {error}; install the Debian packages chromium and chromium-driver"
            )
        })?;
        Ok(Self {
            _process: process,
            port,
        })
    }

    /// Where it takes commands (W3C WebDriver).
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
