//! Every secret that a run uses, and the search for them in whatever the run says.

mod finder;
mod names;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use serde_json::Value;

use crate::wire::Answer;

pub(crate) use finder::Finder;
pub(crate) use names::{PARAMETERS, in_header};

/// A shorter one is a word like any other: `demo` as a password is in every sentence about demos.
const SHORTEST: usize = 8;

/// One with fewer different bytes is padding, and like any other padding.
const DIFFERENT: usize = 4;

/// The secrets that were seen in a run: those of the targets' credentials, and those that went
/// over a wire the suite could see. Clones share them; none is ever printed.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    secrets: BTreeSet<String>,
    public: BTreeSet<String>,
}

tokio::task_local! {
    /// Those of the run that a case belongs to.
    pub(crate) static CURRENT: Secrets;
}

/// Keeps what a case sent and received by hand, where it runs in a run.
pub(crate) fn seen(request: &[u8], answer: &Answer) {
    // Outside of a run nobody will look for them.
    let _ = CURRENT.try_with(|secrets| {
        let end = request.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = request.split_at(end.map_or(request.len(), |end| end + 4));
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let target = lines.next().and_then(|line| line.split(' ').nth(1));
        secrets.add_address(target.unwrap_or_default());
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            secrets.add_header(name, value.trim());
        }
        secrets.add_body(body);
        for (name, value) in answer.headers() {
            secrets.add_header(name, value);
        }
        secrets.add_body(answer.body());
    });
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("count", &self.len())
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// Adds one, if it [can be told from other text](Self::can_find).
    pub fn add(&self, secret: &str) {
        if Self::can_find(secret) {
            self.lock().secrets.insert(secret.to_owned());
        }
    }

    /// Whether a secret can be told from other text. What the catalogue itself says cannot, nor
    /// anything under eight characters or of fewer than four different ones, such as a token of a
    /// million letters `a`.
    #[must_use]
    pub fn can_find(secret: &str) -> bool {
        let different = secret.bytes().collect::<BTreeSet<_>>().len();
        secret.len() >= SHORTEST
            && different >= DIFFERENT
            && !crate::catalogue::TEXT.contains(secret)
    }

    /// Says that this is none, wherever it is sent: rows put a redirect URI where a code belongs.
    pub fn public(&self, text: &str) {
        self.lock().public.insert(text.to_owned());
    }

    /// Adds those in the body of a request or an answer: a JSON object or a form.
    pub fn add_body(&self, body: &[u8]) {
        if let Ok(value) = serde_json::from_slice::<Value>(body) {
            return self.add_members(&value);
        }
        self.add_form(body);
    }

    /// Adds those in the query and the fragment of an address, whole or relative.
    pub fn add_address(&self, address: &str) {
        for part in address.split(['?', '#']).skip(1) {
            self.add_form(part.as_bytes());
        }
    }

    /// Adds those in a header of a request or an answer: a token, a proof, cookies, what a redirect
    /// takes along.
    pub fn add_header(&self, name: &str, value: &str) {
        match name.to_ascii_lowercase().as_str() {
            "authorization" | "proxy-authorization" => self.add_authorization(value),
            "location" => self.add_address(value),
            name => in_header(name, value)
                .into_iter()
                .for_each(|range| self.add(&value[range])),
        }
    }

    /// Adds that of an `Authorization` header: the token, or the password in it.
    pub fn add_authorization(&self, value: &str) {
        let Some((scheme, credentials)) = value.split_once(' ') else {
            return;
        };
        if !scheme.eq_ignore_ascii_case("basic") {
            return self.add(credentials);
        }
        let decoded = BASE64_STANDARD_NO_PAD.decode(credentials.trim_end_matches('='));
        if let Ok(Ok(pair)) = decoded.map(String::from_utf8)
            && let Some((_, password)) = pair.split_once(':')
        {
            self.add(password);
            // RFC 6749 §2.3.1: it may have been form-encoded first.
            let password = format!("p={password}");
            for (_, password) in form_urlencoded::parse(password.as_bytes()) {
                self.add(&password);
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let kept = self.lock();
        kept.secrets.difference(&kept.public).count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where `text` has one of them: plain, escaped as JSON, HTML and XML do, in base64 of either
    /// alphabet and at any offset, percent-encoded, in hex or as a list of bytes. Each find says
    /// which form and where; never the secret.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Leak> {
        let line = |at: usize| 1 + text[..at].matches('\n').count();
        let found = self.finder().find(text).into_iter();
        found
            .map(|(form, range)| Leak {
                form,
                line: line(range.start),
            })
            .collect()
    }

    /// What searches texts for those that there are now.
    pub(crate) fn finder(&self) -> Finder {
        let secrets: Vec<String> = {
            let kept = self.lock();
            kept.secrets.difference(&kept.public).cloned().collect()
        };
        Finder::of(&secrets)
    }

    fn add_form(&self, form: &[u8]) {
        for (name, value) in form_urlencoded::parse(form) {
            if PARAMETERS.contains(&name.as_ref()) {
                self.add(&value);
            }
        }
    }

    fn add_members(&self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(text) if PARAMETERS.contains(&name.as_str()) => {
                            self.add(text);
                        }
                        value => self.add_members(value),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.add_members(value)),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a secret was written where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// As it is, or escaped as JSON does.
    Plain,
    /// In base64.
    Base64,
    /// With percent signs (RFC 3986 §2.1).
    Percent,
    /// In hexadecimal digits.
    Hex,
    /// As a list of bytes in decimal, as `Debug` shows them.
    List,
}

/// A secret that was found where none may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// How it was written.
    pub form: Form,
    /// In which line of the text, from 1 on.
    pub line: usize,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.form {
            Form::Plain => "in plain",
            Form::Base64 => "in base64",
            Form::Percent => "percent-encoded",
            Form::Hex => "in hex",
            Form::List => "as a list of bytes",
        };
        write!(f, "a secret of the run, {form}, in line {}", self.line)
    }
}

#[cfg(test)]
mod tests;
