//! What went over the wire in a case, for the reports: bounded, with the secrets masked.
//!
//! A case's task carries its [`Trace`]; whatever the case starts (a scripted server, a client, a
//! connection of the suite's own) takes it along.

mod mask;
mod transport;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub(crate) use transport::Recorded;

/// How many exchanges of a case are kept.
const EXCHANGES: usize = 8;

/// How many bytes of each side are kept while the case runs, so that a secret is whole when it is
/// looked for.
const KEPT: usize = 16 * 1024;

/// How many characters of each side end up in a report.
const SHOWN: usize = 2_000;

/// A request and what came back, secrets masked; long ones are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// What was sent.
    pub sent: String,
    /// What came back; empty where nothing did.
    pub received: String,
}

tokio::task_local! {
    static TRACE: Trace;
}

/// The record of a case, and the exchange that this part of it is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    log: Arc<Mutex<Log>>,
    here: Arc<Mutex<Option<usize>>>,
}

#[derive(Debug, Default)]
struct Log {
    exchanges: Vec<[Kept; 2]>,
    /// How many came after those.
    left_out: usize,
    /// The servers that keep their own record, byte for byte.
    scripted: BTreeSet<String>,
}

/// The beginning of one side of an exchange.
#[derive(Debug, Default)]
struct Kept {
    head: Vec<u8>,
    /// How many bytes came after it.
    more: usize,
}

impl Kept {
    fn of(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(KEPT)];
        Self {
            head: head.to_vec(),
            more: bytes.len() - head.len(),
        }
    }
}

impl Trace {
    /// That of the running case, for an exchange of its own. Outside of a case it leads nowhere.
    pub(crate) fn fork() -> Self {
        let log = TRACE.try_with(|trace| trace.log.clone());
        Self {
            log: log.unwrap_or_default(),
            here: Arc::default(),
        }
    }

    /// The same case's, for another exchange.
    pub(crate) fn sibling(&self) -> Self {
        Self {
            log: self.log.clone(),
            here: Arc::default(),
        }
    }

    /// Lets `future` and what it starts write here.
    pub(crate) async fn scope<F: Future>(self, future: F) -> F::Output {
        TRACE.scope(self, future).await
    }

    /// Says that the server at `authority` keeps the record of what it gets.
    pub(crate) fn scripted(&self, authority: &str) {
        lock(&self.log).scripted.insert(authority.to_owned());
    }

    /// Whether that was said.
    pub(crate) fn is_scripted(&self, authority: &str) -> bool {
        lock(&self.log).scripted.contains(authority)
    }

    /// Begins an exchange.
    pub(crate) fn sent(&self, bytes: &[u8]) {
        let mut log = lock(&self.log);
        let room = log.exchanges.len() < EXCHANGES;
        *lock(&self.here) = room.then_some(log.exchanges.len());
        match room {
            true => log.exchanges.push([Kept::of(bytes), Kept::default()]),
            false => log.left_out += 1,
        }
    }

    /// Ends it.
    pub(crate) fn received(&self, bytes: &[u8]) {
        let here = lock(&self.here).take();
        let mut log = lock(&self.log);
        if let Some(exchange) = here.and_then(|here| log.exchanges.get_mut(here)) {
            exchange[1] = Kept::of(bytes);
        }
    }

    /// What was recorded, and how many exchanges were not. `secrets` are masked wherever they are,
    /// others where their names tell.
    pub(crate) fn exchanges(&self, secrets: &[&str]) -> (Vec<Exchange>, usize) {
        let (raw, left_out) = {
            let mut log = lock(&self.log);
            (std::mem::take(&mut log.exchanges), log.left_out)
        };
        let sides = raw.iter().flatten();
        let mut texts: Vec<String> = sides.clone().map(|side| text(&side.head)).collect();
        mask::mask(&mut texts, secrets);
        let texts = texts.into_iter().zip(sides);
        let mut texts = texts.map(|(text, side)| cut(text, side.more));
        let exchanges = std::iter::from_fn(|| {
            Some(Exchange {
                sent: texts.next()?,
                received: texts.next()?,
            })
        });
        (exchanges.collect(), left_out)
    }
}

/// As [`Trace::sent`], in a task that carries a trace.
pub(crate) fn sent(bytes: &[u8]) {
    let _ = TRACE.try_with(|trace| trace.sent(bytes));
}

/// As [`Trace::received`], in a task that carries a trace.
pub(crate) fn received(bytes: &[u8]) {
    let _ = TRACE.try_with(|trace| trace.received(bytes));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lines and printable characters; everything else as an escape.
fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).replace("\r\n", "\n").chars() {
        if character == '\n' || character == '\t' || !character.is_control() {
            text.push(character);
        } else {
            text.extend(character.escape_default());
        }
    }
    text
}

/// What a report has room for of a text, after which `more` bytes came.
fn cut(text: String, more: usize) -> String {
    let end = text.char_indices().nth(SHOWN).map(|(end, _)| end);
    match (end, more) {
        (None, 0) => text,
        (None, more) => format!("{text}\n… {more} bytes more"),
        (Some(end), more) => {
            let more = text.len() - end + more;
            format!("{}\n… {more} bytes more", &text[..end])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_record_is_bounded_and_its_secrets_are_masked() {
        let trace = Trace::default();
        trace
            .clone()
            .scope(async {
                for _ in 0..20 {
                    let here = Trace::fork();
                    here.sent(b"POST /token HTTP/1.1\r\n\r\nrefresh_token=abcdefghij");
                    here.received("é".repeat(40_000).as_bytes());
                }
            })
            .await;
        let (exchanges, left_out) = trace.exchanges(&[]);
        assert_eq!((exchanges.len(), left_out), (EXCHANGES, 20 - EXCHANGES));
        assert!(exchanges[0].sent.ends_with("refresh_token=[secret 1]"));
        let received = &exchanges[0].received;
        assert!(received.chars().count() < SHOWN + 40);
        // Two bytes each, of which 2000 are shown; one that was cut apart is another character.
        let more: usize = received.rsplit(' ').nth(2).unwrap().parse().unwrap();
        assert!((75_900..=76_100).contains(&more), "{more}");
    }

    #[test]
    fn outside_of_a_case_nothing_is_kept() {
        sent(b"GET / HTTP/1.1");
        Trace::fork().sent(b"GET / HTTP/1.1");
        assert!(Trace::fork().exchanges(&[]).0.is_empty());
    }

    #[test]
    fn what_cannot_be_printed_is_escaped() {
        assert_eq!(text(b"a\r\nb\x00\x1b[1m"), "a\nb\\u{0}\\u{1b}[1m");
    }
}
