//! Scripted trouble: what the next requests meet instead of the server.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::contexts::{Trouble, TroubleKind};
use crate::guard::lock;

/// What happens to a request that meets a fault.
#[derive(Clone)]
pub(crate) enum Action {
    /// This answer, and the server never sees the request.
    Answer(Response<Bytes>),
    /// No answer, and the server never sees the request.
    Close,
    /// The request is carried out, the answer is lost.
    CommitThenClose,
    /// The request is carried out, an empty answer with this status takes the place of the real.
    CommitThenStatus(StatusCode),
    /// The server cannot get at its records.
    Trouble(Trouble),
}

/// The faults still to come, in order.
#[derive(Default)]
pub(crate) struct Faults(Mutex<VecDeque<Fault>>);

struct Fault {
    path: Option<String>,
    method: Option<Method>,
    times: u32,
    action: Action,
}

impl Faults {
    /// Adds what `POST /_control/faults` asked for.
    pub(crate) fn add(&self, script: Script) -> Result<(), String> {
        let fault = script.into_fault()?;
        lock(&self.0).push_back(fault);
        Ok(())
    }

    /// The first fault that concerns this request, used up by one.
    pub(crate) fn take(&self, method: &Method, path: &str) -> Option<Action> {
        let mut faults = lock(&self.0);
        let index = faults
            .iter()
            .position(|fault| fault.concerns(method, path))?;
        let fault = &mut faults[index];
        fault.times -= 1;
        if fault.times == 0 {
            return faults.remove(index).map(|fault| fault.action);
        }
        Some(fault.action.clone())
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }
}

impl Fault {
    fn concerns(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self
                .path
                .as_ref()
                .is_none_or(|end| path.ends_with(end.as_str()))
    }
}

/// The JSON of `POST /_control/faults`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    path: Option<String>,
    method: Option<String>,
    times: Option<u32>,
    status: Option<u16>,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    close: bool,
    #[serde(default)]
    commit_then_close: bool,
    commit_then_status: Option<u16>,
    server: Option<String>,
    after: Option<u32>,
}

impl Script {
    fn into_fault(self) -> Result<Fault, String> {
        let method = self.method.as_ref().map(|name| {
            Method::from_bytes(name.to_ascii_uppercase().as_bytes())
                .map_err(|_| "method is not one".to_owned())
        });
        Ok(Fault {
            method: method.transpose()?,
            times: match self.times {
                Some(0) => return Err("times must be at least 1".to_owned()),
                times => times.unwrap_or(1),
            },
            path: self.path.clone(),
            action: self.action()?,
        })
    }

    fn action(&self) -> Result<Action, String> {
        let mut actions = Vec::new();
        if let Some(status) = self.status {
            actions.push(Action::Answer(self.answer(status)?));
        }
        if self.close {
            actions.push(Action::Close);
        }
        if self.commit_then_close {
            actions.push(Action::CommitThenClose);
        }
        if let Some(status) = self.commit_then_status {
            actions.push(Action::CommitThenStatus(status_code(status)?));
        }
        match self.server.as_deref() {
            None => {}
            Some("store_down") => actions.push(self.trouble(TroubleKind::Down)),
            Some("panic") => actions.push(self.trouble(TroubleKind::Panic)),
            Some("killed") => actions.push(self.trouble(TroubleKind::Killed)),
            Some(_) => return Err("server is store_down, panic or killed".to_owned()),
        }
        match (actions.pop(), actions.is_empty()) {
            (Some(action), true) => Ok(action),
            _ => Err(
                "exactly one of status, close, commit_then_close, commit_then_status, server"
                    .to_owned(),
            ),
        }
    }

    fn trouble(&self, kind: TroubleKind) -> Action {
        Action::Trouble(Trouble {
            kind,
            after: self.after.unwrap_or(0),
        })
    }

    fn answer(&self, status: u16) -> Result<Response<Bytes>, String> {
        let mut response = Response::new(Bytes::from(self.body.clone()));
        *response.status_mut() = status_code(status)?;
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| "bad header name")?;
            let values = match value {
                Value::String(text) => vec![text.as_str()],
                Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
                _ => return Err("a header is a text or a list of texts".to_owned()),
            };
            for value in values {
                let value = HeaderValue::try_from(value).map_err(|_| "bad header value")?;
                response.headers_mut().append(name.clone(), value);
            }
        }
        Ok(response)
    }
}

fn status_code(status: u16) -> Result<StatusCode, String> {
    // An interim answer (1xx) is no answer: the client would wait for ever.
    StatusCode::from_u16(status)
        .ok()
        .filter(|code| !code.is_informational())
        .ok_or_else(|| "status must be from 200 to 999".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(scripts: &[Value]) -> Faults {
        let faults = Faults::default();
        for script in scripts {
            faults
                .add(serde_json::from_value(script.clone()).unwrap())
                .unwrap();
        }
        faults
    }

    fn status(action: Option<Action>) -> Option<u16> {
        match action? {
            Action::Answer(response) => Some(response.status().as_u16()),
            _ => None,
        }
    }

    #[test]
    fn faults_come_in_order_and_as_often_as_asked() {
        let faults = faults(&[
            json!({"path": "/oauth2/token", "times": 2, "status": 500}),
            json!({"status": 429, "method": "get"}),
        ]);
        assert_eq!(status(faults.take(&Method::GET, "/other")), Some(429));
        assert_eq!(status(faults.take(&Method::GET, "/other")), None);
        for _ in 0..2 {
            assert_eq!(
                status(faults.take(&Method::POST, "/v1/oauth2/token")),
                Some(500)
            );
        }
        assert_eq!(status(faults.take(&Method::POST, "/oauth2/token")), None);
    }

    #[test]
    fn two_actions_no_action_or_nonsense_are_refused() {
        for script in [
            json!({}),
            json!({"close": true, "status": 500}),
            json!({"status": 100}),
            json!({"status": 500, "times": 0}),
            json!({"server": "on fire"}),
            json!({"status": 200, "headers": {"a b": "c"}}),
        ] {
            let parsed: Script = serde_json::from_value(script.clone()).unwrap();
            assert!(Faults::default().add(parsed).is_err(), "{script}");
        }
    }
}
