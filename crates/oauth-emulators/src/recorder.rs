//! What arrived: every request outside the control, with its secrets masked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use bytes::Bytes;
use http::Request;
use serde::Serialize;
use serde_json::Value;

use crate::guard::lock;
use crate::params::{Params, content_type, media_type};

/// One request as it arrived. Values of secret members read `***`; that they were there, and how
/// often, stays visible. Of a text longer than 16 KiB there is the beginning, then `…`.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedRequest {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    content_type: String,
    form: Vec<(String, String)>,
    json: Option<Value>,
}

impl RecordedRequest {
    /// The HTTP method, in capitals.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, still percent-encoded, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query's parameters, decoded, in order.
    #[must_use]
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// A header by its lower-case name; of a repeated one the values, joined by a comma.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The `Content-Type` header, empty when there was none.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The parameters of a form or multipart body, decoded, in order.
    #[must_use]
    pub fn form(&self) -> &[(String, String)] {
        &self.form
    }

    /// The body, if it was a JSON object.
    #[must_use]
    pub fn json(&self) -> Option<&Value> {
        self.json.as_ref()
    }

    /// About what it takes in memory.
    fn bytes(&self) -> usize {
        let pair = |name: &str, value: &str| size_of::<[String; 2]>() + name.len() + value.len();
        let pairs = self.query.iter().chain(&self.form);
        let pairs = pairs.map(|(name, value)| pair(name, value));
        let headers = self.headers.iter().map(|(name, value)| pair(name, value));
        size_of::<Self>()
            + self.path.len()
            + self.content_type.len()
            + pairs.chain(headers).sum::<usize>()
            + self.json.as_ref().map_or(0, json_bytes)
    }

    fn of(request: &Request<Bytes>) -> Self {
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in request.headers() {
            let value = masked_header(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|values| *values = format!("{values}, {value}"))
                .or_insert(value);
        }
        let json = (media_type(content_type(request)) == "application/json")
            .then(|| serde_json::from_slice::<Value>(request.body()).ok())
            .flatten()
            .filter(Value::is_object);
        Self {
            method: request.method().to_string(),
            path: cut(request.uri().path()),
            query: masked_pairs(&Params::query(request)),
            headers,
            content_type: cut(content_type(request)),
            form: masked_pairs(&Params::body(request)),
            json: json.map(masked_json),
        }
    }
}

/// The requests of one emulator, oldest first. An emulator that runs for days forgets the oldest.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Requests>);

#[derive(Default)]
struct Requests {
    recorded: VecDeque<RecordedRequest>,
    /// What they take.
    bytes: usize,
}

const MOST_BYTES: usize = 16 << 20;
const LONGEST_TEXT: usize = 16 << 10;

impl Recorder {
    pub(crate) fn record(&self, request: &Request<Bytes>) {
        let recorded = RecordedRequest::of(request);
        let mut requests = lock(&self.0);
        requests.bytes += recorded.bytes();
        requests.recorded.push_back(recorded);
        while requests.bytes > MOST_BYTES
            && let Some(oldest) = requests.recorded.pop_front()
        {
            requests.bytes -= oldest.bytes();
        }
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.0).recorded.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        *lock(&self.0) = Requests::default();
    }
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(LONGEST_TEXT)])
}

fn json_bytes(value: &Value) -> usize {
    let below = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(json_bytes).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| size_of::<String>() + name.len() + json_bytes(value))
            .sum(),
        _ => 0,
    };
    size_of::<Value>() + below
}

const MASK: &str = "***";

const SECRET_MEMBERS: [&str; 12] = [
    "client_secret",
    "password",
    "code",
    "token",
    "refresh_token",
    "device_code",
    "code_verifier",
    "access_token",
    "assertion",
    "client_assertion",
    "subject_token",
    "actor_token",
];

fn masked_pairs(params: &Params) -> Vec<(String, String)> {
    let masked = |(name, value): (&str, &str)| {
        let value = if SECRET_MEMBERS.contains(&name) {
            MASK
        } else {
            value
        };
        (cut(name), cut(value))
    };
    params.iter().map(masked).collect()
}

fn masked_header(name: &str, value: &str) -> String {
    match name {
        "authorization" | "proxy-authorization" => match value.split_once(' ') {
            Some((scheme, credentials)) if !credentials.trim().is_empty() => {
                format!("{scheme} {MASK}")
            }
            Some((scheme, _)) => scheme.to_owned(),
            None => masked_scheme(value),
        },
        "cookie" => MASK.to_owned(),
        _ => cut(value),
    }
}

/// A single word is a scheme without credentials, or a token sent without its scheme.
fn masked_scheme(word: &str) -> String {
    let scheme = ["basic", "bearer", "oauth", "dpop"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known));
    if scheme || word.is_empty() {
        word.to_owned()
    } else {
        MASK.to_owned()
    }
}

fn masked_json(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let secret = SECRET_MEMBERS.contains(&name.as_str()) && !value.is_null();
                let value = if secret {
                    Value::from(MASK)
                } else {
                    masked_json(value)
                };
                (cut(&name), value)
            })
            .collect(),
        Value::Array(values) => values.into_iter().map(masked_json).collect(),
        Value::String(text) => cut(&text).into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_still_counted() {
        let request = Request::builder()
            .method("POST")
            .uri("/oauth2/token?client_secret=SECRET1&x=1")
            .header("authorization", "Basic SECRET2")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from("code=SECRET3&code=SECRET4&scope=read"))
            .unwrap();
        let recorded = RecordedRequest::of(&request);
        let text = serde_json::to_string(&recorded).unwrap() + &format!("{recorded:?}");
        assert!(!text.contains("SECRET"), "{text}");
        assert_eq!(recorded.header("authorization"), Some("Basic ***"));
        let codes = recorded.form().iter().filter(|(name, _)| name == "code");
        assert_eq!(codes.count(), 2);
        assert_eq!(recorded.form()[2], ("scope".to_owned(), "read".to_owned()));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_bytes() {
        let recorder = Recorder::default();
        let long = "ä".repeat(10_000);
        let count = 1200;
        for number in 0..count {
            let request = Request::builder()
                .uri(format!("/{number}"))
                .header("content-type", "application/json")
                .body(Bytes::from(format!(r#"{{"long":"{long}"}}"#)))
                .unwrap();
            recorder.record(&request);
        }
        let recorded = recorder.requests();
        assert_eq!(recorded.last().unwrap().path(), format!("/{}", count - 1));
        let kept = recorded[0].json().unwrap()["long"].as_str().unwrap();
        assert!(kept.len() < 17_000 && kept.ends_with("ä…"));
        assert!((900..1025).contains(&recorded.len()), "{}", recorded.len());
        // One that is too large alone is not kept, nor what was before it.
        let many = "a&".repeat(500_000);
        let request = Request::builder()
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(many))
            .unwrap();
        recorder.record(&request);
        assert!(recorder.requests().is_empty());
        recorder.record(&Request::new(Bytes::new()));
        assert_eq!(recorder.requests().len(), 1);
    }

    #[test]
    fn json_secrets_are_masked_at_every_depth() {
        let request = Request::builder()
            .header("content-type", "application/json; charset=utf-8")
            .header("authorization", "SECRET0")
            .body(Bytes::from(
                r#"{"token":"SECRET1","a":[{"password":"SECRET2"}],"scope":"s"}"#,
            ))
            .unwrap();
        let recorded = RecordedRequest::of(&request);
        let text = serde_json::to_string(&recorded).unwrap();
        assert!(!text.contains("SECRET"), "{text}");
        assert_eq!(recorded.json().unwrap()["scope"], "s");
        assert_eq!(recorded.json().unwrap()["token"], "***");
    }
}
