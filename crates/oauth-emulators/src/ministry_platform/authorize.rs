//! `GET /oauth/connect/authorize`: the person is there already, and says yes at once.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oauth_server::AuthorizeError;

use super::MinistryPlatform;
use crate::authority::USER;
use crate::params::Params;
use crate::reply;

impl MinistryPlatform {
    pub(super) async fn authorize(&self, request: &Request<Bytes>) -> Response<Bytes> {
        match self.location(request).await {
            Ok(location) => reply::redirect(&without_iss(&location)),
            Err(AuthorizeError::Redirect { location, .. }) => {
                reply::redirect(&without_iss(&location))
            }
            Err(error) => {
                let page = format!(
                    "<!DOCTYPE html><html><body><h2>{}</h2></body></html>",
                    error.error().error()
                );
                reply::text(StatusCode::BAD_REQUEST, "text/html", page)
            }
        }
    }

    async fn location(&self, request: &Request<Bytes>) -> Result<String, AuthorizeError> {
        let server = &self.authority.server;
        let asked = server.preauthorize(request).await?;
        if self.switches.get().deny || Params::query(request).get("_deny") == Some("1") {
            return Err(server.deny(&asked));
        }
        let subject = self.authority.subject(USER);
        let consent = server.authorize(&asked, subject).await?;
        Ok(consent.location().to_owned())
    }
}

/// RFC 9207 is younger than this server: its redirects name no issuer.
fn without_iss(location: &str) -> String {
    match location.split_once('?') {
        Some((uri, query)) => {
            let query = Params::parse(query.as_bytes()).without("iss");
            format!("{uri}?{}", query.encode())
        }
        None => location.to_owned(),
    }
}
