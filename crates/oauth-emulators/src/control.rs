//! The control: what a test does to an emulator from another process, under `/_control/`.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Client;
use crate::authority::{CodeRequest, DeviceAction, USER};
use crate::core::{CONTROL, Core};
use crate::fault::Script;
use crate::params::Params;
use crate::reply::{empty, json};

pub(crate) async fn answer(core: &Core, request: &Request<Bytes>) -> Response<Bytes> {
    carry_out(core, request).await.unwrap_or_else(|refusal| {
        let Refusal { status, reason } = refusal;
        json(status, &json!({"error": reason}))
    })
}

async fn carry_out(core: &Core, request: &Request<Bytes>) -> Result<Response<Bytes>, Refusal> {
    let name = request
        .uri()
        .path()
        .strip_prefix(CONTROL)
        .unwrap_or_default();
    let body = request.body();
    let facade = core.facade().await;
    let authority = facade.authority();
    match (request.method(), name) {
        (&Method::POST, "codes") => {
            let asked: Codes = parse(body)?;
            let code = authority.mint_code(&asked.request()).await;
            let code = code.map_err(|error| Refusal::bad(error.to_string()))?;
            return Ok(json(StatusCode::OK, &json!({"code": code})));
        }
        (&Method::POST, "devices") => {
            let Devices {
                user_code,
                action,
                username,
            } = parse(body)?;
            let username = username.as_deref().unwrap_or(USER);
            let decided = authority.decide_device(&user_code, action, username);
            if !decided.await.map_err(Refusal::internal)? {
                return Err(Refusal::not_found("no open request has this user code"));
            }
        }
        (&Method::POST, "faults") => {
            core.faults
                .add(parse::<Script>(body)?)
                .map_err(Refusal::bad)?;
        }
        (&Method::POST, "clock") => {
            let Advance { advance_seconds } = parse(body)?;
            core.setup.clock.shift(advance_seconds);
            let now = core.setup.clock.epoch_seconds();
            return Ok(json(StatusCode::OK, &json!({"now": now})));
        }
        (&Method::POST, "keys") => {
            let Keys { algorithm, keep } = parse(body)?;
            let rotated = facade.rotate_key(&algorithm, keep);
            let kid = rotated.map_err(|error| Refusal::bad(error.to_string()))?;
            return Ok(json(StatusCode::OK, &json!({"kid": kid})));
        }
        (&Method::POST, "switches") => {
            core.setup
                .switches
                .change(parse(body)?)
                .map_err(Refusal::bad)?;
        }
        (&Method::POST, "clients") => {
            let client: Client = parse(body)?;
            let put = facade.put_client(client);
            put.map_err(|error| Refusal::bad(error.to_string()))?;
        }
        (&Method::GET, "requests") => {
            let requests = serde_json::to_value(core.recorder.requests());
            return Ok(json(StatusCode::OK, &requests.map_err(Refusal::internal)?));
        }
        (&Method::GET, "store") => return Ok(json(StatusCode::OK, &authority.dump())),
        (&Method::DELETE, "requests") => core.recorder.clear(),
        (&Method::DELETE, "tokens") => match Params::query(request).get("kind") {
            None | Some("access") => {
                let killed = authority.kill_access_tokens().await;
                killed.map_err(Refusal::internal)?;
            }
            Some("refresh") => authority.kill_refresh_tokens(),
            Some(_) => return Err(Refusal::bad("kind is access or refresh")),
        },
        (&Method::DELETE, "grants") => {
            let query = Params::query(request);
            let ended = authority.end_grants(query.get("client_id"), query.get("username"));
            ended.await.map_err(Refusal::internal)?;
        }
        (&Method::DELETE, "clients") => {
            let query = Params::query(request);
            if !authority.remove_client(query.get("client_id").unwrap_or_default()) {
                return Err(Refusal::not_found("there is no such client"));
            }
        }
        (&Method::DELETE, "users") => {
            let query = Params::query(request);
            if !authority.remove_user(query.get("username").unwrap_or(USER)) {
                return Err(Refusal::not_found("there is no such user"));
            }
        }
        (&Method::DELETE, "state") => core.reset().await.map_err(Refusal::internal)?,
        _ => return Err(Refusal::not_found("the control has no such thing")),
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

struct Refusal {
    status: StatusCode,
    reason: String,
}

impl Refusal {
    fn bad(reason: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason: reason.into(),
        }
    }

    fn not_found(reason: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            reason: reason.to_owned(),
        }
    }

    fn internal(error: impl std::fmt::Display) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            reason: error.to_string(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    client_id: Option<String>,
    redirect_uri: String,
    scope: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    nonce: Option<String>,
    resource: Option<String>,
    dpop_jkt: Option<String>,
    username: Option<String>,
}

impl Codes {
    fn request(&self) -> CodeRequest<'_> {
        CodeRequest {
            client_id: self.client_id.as_deref().unwrap_or("demo"),
            redirect_uri: &self.redirect_uri,
            scope: self.scope.as_deref(),
            code_challenge: self.code_challenge.as_deref(),
            code_challenge_method: self.code_challenge_method.as_deref(),
            nonce: self.nonce.as_deref(),
            resource: self.resource.as_deref(),
            dpop_jkt: self.dpop_jkt.as_deref(),
            username: self.username.as_deref().unwrap_or(USER),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Devices {
    user_code: String,
    action: DeviceAction,
    username: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    algorithm: String,
    #[serde(default)]
    keep: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: i64,
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    // An empty body asks for nothing in particular.
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        // Its text may quote a secret.
        let (line, column) = (error.line(), error.column());
        Refusal::bad(format!(
            "the body is not what is wanted: line {line}, column {column}"
        ))
    })
}
