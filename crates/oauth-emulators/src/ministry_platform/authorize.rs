//! `GET /oauth/connect/authorize`: the person is there already, and says yes at once.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oauth_server::AuthorizeError;

use super::{MinistryPlatform, USER_GUID};
use crate::params::Params;
use crate::reply;

impl MinistryPlatform {
    pub(super) async fn authorize(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let says_no = self.switches.says_no(&Params::query(request));
        match self.authority.decided(request, USER_GUID, says_no).await {
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
