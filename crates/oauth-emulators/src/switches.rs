//! What a provider is known to do one way or the other: chosen when an emulator is built, or
//! while it runs by `POST /_control/switches`.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::guard::lock;
use crate::params::Params;

/// Every switch of every provider; each concerns the providers named in the builder's docs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) deny: bool,
    pub(crate) expires_in_on_refresh: bool,
    pub(crate) scope_as_text_on_refresh: bool,
    pub(crate) rate_limit: Option<u32>,
    pub(crate) expires_in_as_unix_time: bool,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) forms_issuer: bool,
    pub(crate) throttle: bool,
    pub(crate) pages: bool,
    pub(crate) introspection_claims: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deny: false,
            expires_in_on_refresh: true,
            scope_as_text_on_refresh: false,
            rate_limit: None,
            expires_in_as_unix_time: true,
            allowed_origins: vec![
                "http://localhost:3000".to_owned(),
                "https://example.com".to_owned(),
            ],
            forms_issuer: false,
            throttle: false,
            pages: false,
            introspection_claims: Map::new(),
        }
    }
}

/// The settings an emulator runs with now.
#[derive(Clone, Default)]
pub(crate) struct Switches(Arc<Mutex<Settings>>);

impl Switches {
    pub(crate) fn get(&self) -> Settings {
        lock(&self.0).clone()
    }

    pub(crate) fn set(&self, settings: Settings) {
        *lock(&self.0) = settings;
    }

    /// Whether the person at the authorization endpoint says no, always or to this query.
    pub(crate) fn says_no(&self, query: &Params) -> bool {
        query.get("_deny") == Some("1") || self.get().deny
    }

    /// Changes the named ones, all or none of them.
    pub(crate) fn change(&self, changes: Value) -> Result<(), String> {
        let Value::Object(changes) = changes else {
            return Err("an object of switches is wanted".to_owned());
        };
        let mut settings = lock(&self.0);
        let mut all = serde_json::to_value(&*settings).map_err(|error| error.to_string())?;
        if let Value::Object(members) = &mut all {
            members.extend(changes);
        }
        *settings = serde_json::from_value(all)
            .map_err(|_| "there is no such switch, or it has no such value".to_owned())?;
        Ok(())
    }
}
