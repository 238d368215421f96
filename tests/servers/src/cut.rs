//! A wire that can be cut.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread,
};

/// Passes bytes between a client and a server, until told to cut the connection.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    wire: Arc<Wire>,
}

#[derive(Debug)]
struct Wire {
    server: u16,
    /// What to do with what a client sends next.
    next: AtomicU8,
    /// How often connections were silenced: those of before are.
    silenced: AtomicU8,
    streams: Mutex<Vec<TcpStream>>,
}

const PASS: u8 = 0;
const CUT_BEFORE: u8 = 1;
const CUT_AFTER: u8 = 2;

impl Proxy {
    /// Listens on a free port, for the server on port `server`.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(server: u16) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let wire = Arc::new(Wire {
            server,
            next: AtomicU8::new(PASS),
            silenced: AtomicU8::new(0),
            streams: Mutex::default(),
        });
        let held = Arc::clone(&wire);
        // It ends with the process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                connect(&held, client);
            }
        });
        Ok(Self {
            port: address.port(),
            wire,
        })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection now; new ones are let through.
    pub fn cut(&self) {
        self.wire.cut();
    }

    /// Drops what comes on the connections of now, without telling anybody; new ones are let
    /// through.
    pub fn silence(&self) {
        self.wire.silenced.fetch_add(1, Ordering::SeqCst);
    }

    /// Cuts the connection on which a client next sends something but its greeting: before the server has it, or, with
    /// `delivered`, after, so that its answer is lost.
    pub fn cut_next(&self, delivered: bool) {
        let next = if delivered { CUT_AFTER } else { CUT_BEFORE };
        self.wire.next.store(next, Ordering::SeqCst);
    }
}

impl Wire {
    fn cut(&self) {
        for stream in self.streams().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(wire: &Arc<Wire>, client: TcpStream) {
    // A server that is down is one that hangs up.
    if let Ok(server) = TcpStream::connect(("127.0.0.1", wire.server))
        && let (Ok(client_copy), Ok(server_copy)) = (client.try_clone(), server.try_clone())
    {
        wire.streams().extend([client_copy, server_copy]);
        let wire = Arc::clone(wire);
        thread::spawn(move || pass(&wire, &client, &server));
    }
}

/// Passes what the client says, and in a second thread what the server answers.
fn pass(wire: &Wire, client: &TcpStream, server: &TcpStream) {
    let muted = AtomicBool::new(false);
    let silenced = wire.silenced.load(Ordering::SeqCst);
    thread::scope(|scope| {
        let answers = scope.spawn(|| {
            let (mut from, mut to) = (server, client);
            let mut bytes = [0; 65_536];
            while let Ok(length @ 1..) = from.read(&mut bytes) {
                if !muted.load(Ordering::SeqCst) && to.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
            if !muted.load(Ordering::SeqCst) {
                let _ = to.shutdown(Shutdown::Both);
            }
        });
        let (mut from, mut to) = (client, server);
        let mut bytes = [0; 65_536];
        let mut greeted = false;
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            if wire.silenced.load(Ordering::SeqCst) != silenced {
                continue;
            }
            let next = match std::mem::replace(&mut greeted, true) {
                true => wire.next.swap(PASS, Ordering::SeqCst),
                false => PASS,
            };
            match next {
                PASS if to.write_all(&bytes[..length]).is_ok() => {}
                CUT_AFTER => {
                    muted.store(true, Ordering::SeqCst);
                    let _ = to.write_all(&bytes[..length]);
                    // The server closes its side when it has done what it was told.
                    let _ = server.shutdown(Shutdown::Write);
                    let _ = answers.join();
                    break;
                }
                _ => break,
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
}
