//! The device authorization grant (RFC 8628).

use secrecy::SecretString;

use super::Grant;
use crate::{Params, Replay, Scopes};

/// One poll with a device code (RFC 8628 §3.4).
///
/// [`Client::poll_device`](crate::Client::poll_device) does the polling as the RFC wants it.
#[derive(Debug, Clone)]
pub struct DeviceCode {
    device_code: SecretString,
    scopes: Option<Scopes>,
}

impl DeviceCode {
    /// A poll with this code.
    #[must_use]
    pub fn new(device_code: impl Into<SecretString>) -> Self {
        Self {
            device_code: device_code.into(),
            scopes: None,
        }
    }

    /// The scopes of the device authorization request. They are sent again only by a provider
    /// that [wants them](crate::EndpointRequest::scopes).
    #[must_use]
    pub fn with_requested_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }
}

impl Grant for DeviceCode {
    fn grant_type(&self) -> &str {
        "urn:ietf:params:oauth:grant-type:device_code"
    }

    fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    fn write(&self, params: &mut Params) {
        params.push_secret("device_code", &self.device_code);
    }

    fn replay(&self) -> Replay {
        // The polling itself is the retry, at the pace the server asks for.
        Replay::Never
    }
}
