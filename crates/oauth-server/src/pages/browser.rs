//! What a browser brings along: its cookies, and whether a form is really from one of our pages.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{
    HeaderValue, Request,
    header::{COOKIE, ORIGIN},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use crate::{AuthorizationServer, ContextError, ErrorCode, OAuthError, TokenHash};

/// The names of the cookies behind `__Host-`, which keeps neighbours from setting them
/// (RFC 6265bis §4.1.3.2); on plain http, which is for loopback only, browsers refuse the prefix.
const SESSION: &str = "oauth_session";
const FORMS: &str = "oauth_forms";

/// The field that every form carries.
pub(super) const FIELD: &str = "form_token";

/// The cookies of one browser, and those it is to be given.
pub(super) struct Browser {
    secure: bool,
    session: Option<SecretString>,
    forms: Option<SecretString>,
    set: Vec<String>,
}

impl Browser {
    pub(super) fn of(server: &AuthorizationServer, request: &Request<Bytes>) -> Self {
        let secure = server.issuer().starts_with("https:");
        Self {
            secure,
            session: cookie(request, &name(secure, SESSION)),
            forms: cookie(request, &name(secure, FORMS)),
            set: Vec::new(),
        }
    }

    /// The hash that the browser's session is found by.
    pub(super) fn session(&self) -> Option<TokenHash> {
        let session = self.session.as_ref()?;
        Some(TokenHash::of(session.expose_secret()))
    }

    /// Begins a session. What an old one could do, and its forms, end with it.
    pub(super) fn begin(
        &mut self,
        server: &AuthorizationServer,
    ) -> Result<TokenHash, ContextError> {
        let token = server.random_text()?;
        self.set(SESSION, &token, "");
        self.session = Some(token.into());
        self.renew_forms(server)?;
        Ok(self.session().unwrap_or_else(|| TokenHash::of("")))
    }

    pub(super) fn end(&mut self) {
        self.set(SESSION, "", "; Max-Age=0");
        self.set(FORMS, "", "; Max-Age=0");
        (self.session, self.forms) = (None, None);
    }

    /// What a form for this browser and this session carries, and no other page can know.
    pub(super) fn form_token(
        &mut self,
        server: &AuthorizationServer,
    ) -> Result<String, ContextError> {
        if self.forms.is_none() {
            self.renew_forms(server)?;
        }
        Ok(self.expected().unwrap_or_default())
    }

    /// Whether a form came from one of our pages, in this browser and this session.
    pub(super) fn check(
        &self,
        server: &AuthorizationServer,
        request: &Request<Bytes>,
        token: Option<&str>,
    ) -> Result<(), OAuthError> {
        let expected = self.expected();
        let fits = match (expected, token) {
            (Some(expected), Some(token)) => {
                bool::from(expected.as_bytes().ct_eq(token.as_bytes()))
            }
            _ => false,
        };
        match fits && same_origin(server, request) {
            true => Ok(()),
            false => Err(OAuthError::new(
                ErrorCode::AccessDenied,
                "the form is too old, or from another page or browser",
            )),
        }
    }

    pub(super) fn set_cookies(&self) -> impl Iterator<Item = HeaderValue> {
        let values = self.set.iter();
        values.filter_map(|value| HeaderValue::from_str(value).ok())
    }

    fn renew_forms(&mut self, server: &AuthorizationServer) -> Result<(), ContextError> {
        let token = server.random_text()?;
        self.set(FORMS, &token, "");
        self.forms = Some(token.into());
        Ok(())
    }

    /// Bound to the session, so that what one person was shown, no other can send.
    fn expected(&self) -> Option<String> {
        let session = self.session.as_ref();
        let session = session.map_or("", |session| session.expose_secret());
        let mut digest = Sha256::new();
        digest.update(self.forms.as_ref()?.expose_secret());
        digest.update([0]);
        digest.update(session);
        Some(BASE64_URL_SAFE_NO_PAD.encode(digest.finalize()))
    }

    /// Not `Strict`: people come here from the client's site, and are to be known then.
    fn set(&mut self, cookie: &str, value: &str, end: &str) {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = name(self.secure, cookie);
        self.set.retain(|set| !set.starts_with(&format!("{name}=")));
        let attributes = format!("Path=/; HttpOnly; SameSite=Lax{secure}{end}");
        self.set.push(format!("{name}={value}; {attributes}"));
    }
}

fn name(secure: bool, cookie: &str) -> String {
    let prefix = if secure { "__Host-" } else { "" };
    format!("{prefix}{cookie}")
}

/// The cookie of this name, unless there are two: then one was smuggled in.
fn cookie(request: &Request<Bytes>, name: &str) -> Option<SecretString> {
    let headers = request.headers().get_all(COOKIE).iter();
    let pairs = headers
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) if value.len() == 43 => Some(value.into()),
        _ => None,
    }
}

/// Our own referrer policy makes browsers send `Origin: null` with forms; `Sec-Fetch-Site` says
/// then where they are from. A browser too old for both is held to the token alone.
fn same_origin(server: &AuthorizationServer, request: &Request<Bytes>) -> bool {
    let header = |name: &str| request.headers().get(name).map(|it| it.to_str().ok());
    let site = header("sec-fetch-site");
    let fits = site.is_none_or(|site| site == Some("same-origin"));
    let home = Url::parse(server.issuer()).map(|url| url.origin().ascii_serialization());
    match request.headers().get(ORIGIN) {
        None => fits,
        Some(origin) if origin == "null" => fits && site.is_some(),
        Some(origin) => fits && home.is_ok_and(|home| origin == home.as_str()),
    }
}

impl AuthorizationServer {
    /// 256 random bits for a cookie, 43 characters.
    pub(super) fn random_text(&self) -> Result<String, ContextError> {
        let mut bytes = [0; 32];
        self.random().fill(&mut bytes)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}
