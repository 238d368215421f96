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
    exchanges: Vec<[Vec<u8>; 2]>,
    /// The servers that keep their own record, byte for byte.
    scripted: BTreeSet<String>,
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
        *lock(&self.here) = (log.exchanges.len() < EXCHANGES).then(|| {
            log.exchanges.push([head(bytes), Vec::new()]);
            log.exchanges.len() - 1
        });
    }

    /// Ends it.
    pub(crate) fn received(&self, bytes: &[u8]) {
        let here = lock(&self.here).take();
        let mut log = lock(&self.log);
        if let Some(exchange) = here.and_then(|here| log.exchanges.get_mut(here)) {
            exchange[1] = head(bytes);
        }
    }

    /// What was recorded. `secrets` are masked wherever they are, others where their names tell.
    pub(crate) fn exchanges(&self, secrets: &[&str]) -> Vec<Exchange> {
        let raw = std::mem::take(&mut lock(&self.log).exchanges);
        let mut texts: Vec<String> = raw.iter().flatten().map(|bytes| text(bytes)).collect();
        mask::mask(&mut texts, secrets);
        let mut texts = texts.into_iter().map(cut);
        std::iter::from_fn(|| {
            Some(Exchange {
                sent: texts.next()?,
                received: texts.next()?,
            })
        })
        .collect()
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

fn head(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(KEPT)].to_vec()
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

fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}\n… {} bytes more", &text[..end], text.len() - end),
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
        let exchanges = trace.exchanges(&[]);
        assert_eq!(exchanges.len(), EXCHANGES);
        assert!(exchanges[0].sent.ends_with("refresh_token=[secret 1]"));
        assert!(exchanges[0].received.chars().count() < SHOWN + 40);
    }

    #[test]
    fn outside_of_a_case_nothing_is_kept() {
        sent(b"GET / HTTP/1.1");
        Trace::fork().sent(b"GET / HTTP/1.1");
        assert!(Trace::fork().exchanges(&[]).is_empty());
    }

    #[test]
    fn what_cannot_be_printed_is_escaped() {
        assert_eq!(text(b"a\r\nb\x00\x1b[1m"), "a\nb\\u{0}\\u{1b}[1m");
    }
}
