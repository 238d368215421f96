//! The authorization endpoint: from a client's request over the person's consent to the answer.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use super::{Answer, Visit, account::Goal};
use crate::{
    AuthorizationRequest, AuthorizeError, OAuthError, Prompt, TokenHash,
    client::is_loopback,
    pages::{ConsentPage, SessionRecord, headers::see_other},
};

/// What a form may hold as it is, and an address may not.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

impl Visit {
    pub(super) async fn authorize(&mut self) -> Answer {
        if *self.request.method() == Method::POST {
            return self.posted();
        }
        let text = self.request.uri().query().unwrap_or_default().to_owned();
        let authorization = match self.server.preauthorize(&self.request).await {
            Ok(authorization) => authorization,
            Err(error) => return refused(error),
        };
        let session = self.session().await?;
        let Some(session) = session.filter(|it| self.is_recent(it, &authorization, &text)) else {
            return self.sign_in(&authorization, &text);
        };
        let scopes = self.server.scope_records(authorization.scope()).await?;
        let client = authorization.client();
        let harmless = !scopes.is_empty() && scopes.iter().all(|scope| !scope.consent);
        let remembered = session.remembers(&authorization);
        let ask = authorization.prompts(Prompt::Consent);
        if !ask && !client.is_public() && (harmless || remembered) {
            return self.grant(authorization, session, &text).await;
        }
        if authorization.prompts(Prompt::None) {
            return refused(self.server.consent_required(&authorization));
        }
        let page = ConsentPage {
            nonce: self.nonce()?,
            form: self.form("/consent", &[("request", &text)])?,
            client: client.name().to_owned(),
            username: session.username,
            destination: destination(authorization.redirect_uri()),
            scopes,
            resources: authorization.resources().to_vec(),
        };
        let html = self.settings.pages.consent(&page);
        Ok(self.page(
            StatusCode::OK,
            html,
            &page.nonce,
            Some(authorization.redirect_uri()),
        ))
    }

    /// A client's own form (OpenID Connect Core §3.1.2.1) brings no cookies along, because it is
    /// from another site; the way on does.
    fn posted(&self) -> Answer {
        self.server.form(&self.request)?;
        let body = std::str::from_utf8(self.request.body()).unwrap_or_default();
        let query = utf8_percent_encode(body, UNSAFE);
        see_other(&format!("{}?{query}", self.path("/authorize")))
    }

    pub(super) async fn consent(&mut self) -> Answer {
        let form = self.checked_form()?;
        let text = form.get("request").unwrap_or_default();
        let authorization = match self.again(text).await? {
            Ok(authorization) => authorization,
            Err(error) => return refused(error),
        };
        let session = self.session().await?;
        let Some(session) = session.filter(|it| self.is_recent(it, &authorization, text)) else {
            return self.sign_in(&authorization, text);
        };
        if form.get("decision") != Some("allow") {
            let denied = self.server.refuse(&authorization).await?;
            return refused(denied);
        }
        let sessions = &self.settings.sessions;
        let mut remember = |stored: &mut SessionRecord| stored.remember(&authorization);
        // Who logged out meanwhile consented to nothing.
        if self.settings.remember_consent && !sessions.update(&session.hash, &mut remember).await? {
            return self.sign_in(&authorization, text);
        }
        self.grant(authorization, session, text).await
    }

    fn sign_in(&mut self, authorization: &AuthorizationRequest, text: &str) -> Answer {
        match authorization.prompts(Prompt::None) {
            true => refused(self.server.login_required(authorization)),
            false => self.login_page(Goal::Authorize, text, Some(authorization), None, ""),
        }
    }

    /// Whether the login behind this session is recent enough for the request: not too long ago,
    /// or made for this very request, which can take the person some time to decide.
    fn is_recent(
        &self,
        session: &SessionRecord,
        authorization: &AuthorizationRequest,
        text: &str,
    ) -> bool {
        session.login_for == Some(TokenHash::of(text))
            || !authorization.wants_login(session.authenticated_at, self.server.now())
    }

    async fn grant(
        &mut self,
        authorization: AuthorizationRequest,
        session: SessionRecord,
        text: &str,
    ) -> Answer {
        let authorization = authorization.authenticated_at(session.authenticated_at);
        // A login is for one request: should it come again, and be it at the same moment, the person
        // logs in again.
        if session.login_for.is_some() {
            let mut first = false;
            let mut used = |stored: &mut SessionRecord| {
                first = stored.login_for.take() == session.login_for;
            };
            let sessions = &self.settings.sessions;
            let there = sessions.update(&session.hash, &mut used).await?;
            let recent = || !authorization.wants_login(session.authenticated_at, self.server.now());
            if !there || !(first || recent()) {
                return self.sign_in(&authorization, text);
            }
        }
        match self
            .server
            .authorize(&authorization, &session.subject)
            .await
        {
            Ok(granted) => see_other(granted.location()),
            Err(error) => refused(error),
        }
    }

    /// The authorization request that a form carries along, judged again from the beginning.
    pub(super) async fn again(
        &self,
        text: &str,
    ) -> Result<Result<AuthorizationRequest, AuthorizeError>, OAuthError> {
        let request = Request::get(format!("/authorize?{text}")).body(Bytes::new());
        let malformed = |_| OAuthError::invalid_request("the form is malformed");
        Ok(self.server.preauthorize(&request.map_err(malformed)?).await)
    }
}

fn refused(error: AuthorizeError) -> Answer {
    match error {
        AuthorizeError::Page(error) => Err(error),
        AuthorizeError::Redirect { location, .. } => see_other(&location),
    }
}

/// What a person can recognise of a redirect URI.
fn destination(redirect_uri: &str) -> String {
    let Ok(url) = Url::parse(redirect_uri) else {
        return String::new();
    };
    match url.host_str() {
        Some(host) if !is_loopback(&url) => host.to_owned(),
        Some(host) => format!("an application on this device ({host})"),
        None => format!("an application on this device ({})", url.scheme()),
    }
}
