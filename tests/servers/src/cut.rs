//! A wire that can be cut.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
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

    /// Cuts the connections when a client next sends something: before the server has it, or, with
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
    let Ok(server) = TcpStream::connect(("127.0.0.1", wire.server)) else {
        return;
    };
    let copies = (client.try_clone(), server.try_clone());
    let (Ok(client_copy), Ok(server_copy)) = copies else {
        return;
    };
    let copies = (client.try_clone(), server.try_clone());
    let (Ok(mut answers_to), Ok(mut answers_from)) = copies else {
        return;
    };
    wire.streams().extend([client_copy, server_copy]);
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers_from, &mut answers_to);
        let _ = answers_to.shutdown(Shutdown::Both);
    });
    let wire = Arc::clone(wire);
    thread::spawn(move || pass(&wire, client, server));
}

fn pass(wire: &Wire, mut client: TcpStream, mut server: TcpStream) {
    let mut bytes = [0; 65_536];
    while let Ok(length @ 1..) = client.read(&mut bytes) {
        let next = wire.next.swap(PASS, Ordering::SeqCst);
        if next != PASS {
            // Nothing of the answer may pass: the client's side goes first.
            let _ = client.shutdown(Shutdown::Both);
            if next == CUT_AFTER {
                let _ = server.write_all(&bytes[..length]);
                // The server has read all when it closes its side in turn.
                let _ = server.shutdown(Shutdown::Write);
                let _ = std::io::copy(&mut server, &mut std::io::sink());
            }
            wire.cut();
            return;
        }
        if server.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}
