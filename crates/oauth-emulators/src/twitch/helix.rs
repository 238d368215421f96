//! A little of the Helix API: enough to see its three 401s and its rate limit.

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode};
use oauth_server::AccessTokenRecord;
use serde_json::{Value, json};

use super::{Refusal, Twitch};
use crate::guard::lock;
use crate::params::{Params, authorization, header};
use crate::reply;

const POINTS_A_MINUTE: u32 = 800;
const WINDOW_SECONDS: u64 = 60;

/// The points that are left to each client and user.
#[derive(Default)]
pub(super) struct Buckets(Mutex<HashMap<(String, Option<String>), Bucket>>);

#[derive(Clone, Copy)]
struct Bucket {
    used: u32,
    reset: u64,
}

impl Twitch {
    pub(super) async fn helix(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Refusal> {
        let unauthorized =
            |message| Refusal::new(StatusCode::UNAUTHORIZED, message).naming_status();
        let token = authorization(request, "Bearer")
            .filter(|token| !token.is_empty())
            .ok_or(unauthorized("OAuth token is missing"))?;
        let record = self.authority.access_token(token).await?;
        let record = record.ok_or(unauthorized("Invalid OAuth token"))?;
        let client_id = header(request, "client-id").ok_or(unauthorized("Client ID is missing"))?;
        if client_id != record.client_id() {
            return Err(unauthorized("Client ID and OAuth token do not match"));
        }
        let limit = self.switches.get().rate_limit.unwrap_or(POINTS_A_MINUTE);
        let bucket = self
            .buckets
            .spend(&record, self.clock.epoch_seconds(), limit);
        let response = if bucket.used > limit {
            let status = StatusCode::TOO_MANY_REQUESTS;
            Refusal::new(status, "Request limit exceeded")
                .naming_status()
                .into_response()
        } else {
            self.resource(request, &record)
        };
        let remaining = limit.saturating_sub(bucket.used);
        Ok([
            ("ratelimit-limit", u64::from(limit)),
            ("ratelimit-remaining", u64::from(remaining)),
            ("ratelimit-reset", bucket.reset),
        ]
        .into_iter()
        .fold(response, |response, (name, value)| {
            let name = HeaderName::from_static(name);
            reply::with_header(response, name, &value.to_string())
        }))
    }

    fn resource(&self, request: &Request<Bytes>, record: &AccessTokenRecord) -> Response<Bytes> {
        let query = Params::query(request);
        let login = query
            .get("id")
            .or(query.get("broadcaster_id"))
            .map(|id| self.authority.username(id))
            .or(query.get("login"))
            .or(record.subject().map(|own| self.authority.username(own)));
        let data: Value = match (request.uri().path(), login) {
            ("/helix/users", Some(login)) => {
                let id = self.authority.subject(login);
                json!([{"id": id, "login": login, "display_name": login, "type": "", "broadcaster_type": ""}])
            }
            ("/helix/channels", Some(login)) => {
                let id = self.authority.subject(login);
                json!([{"broadcaster_id": id, "broadcaster_login": login, "title": "A test"}])
            }
            ("/helix/users" | "/helix/channels", None) => {
                return Refusal::bad("Missing required parameter")
                    .naming_status()
                    .into_response();
            }
            _ => {
                let status = StatusCode::NOT_FOUND;
                return Refusal::new(status, "").naming_status().into_response();
            }
        };
        reply::json(StatusCode::OK, &json!({"data": data}))
    }
}

impl Buckets {
    /// Takes a point; `used` above the limit means that there was none left.
    fn spend(&self, record: &AccessTokenRecord, now: u64, limit: u32) -> Bucket {
        let key = (
            record.client_id().to_owned(),
            record.subject().map(ToOwned::to_owned),
        );
        let mut buckets = lock(&self.0);
        let full = Bucket {
            used: 0,
            reset: now + WINDOW_SECONDS,
        };
        let bucket = buckets.entry(key).or_insert(full);
        if now >= bucket.reset {
            *bucket = full;
        }
        bucket.used = bucket.used.min(limit).saturating_add(1);
        *bucket
    }
}
