//! Signing in and out.

use http::StatusCode;
use secrecy::SecretString;

use super::{Answer, Visit, too_many};
use crate::{
    AuthorizationRequest, ErrorCode, OAuthError, TokenHash,
    issue::later,
    pages::{Form, LoginPage, LogoutPage, SessionRecord, headers::see_other},
};

/// Where a person goes on after the login: never anywhere but here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    Authorize,
    Device,
}

impl Goal {
    fn path(self) -> &'static str {
        match self {
            Self::Authorize => "/authorize",
            Self::Device => "/device",
        }
    }
}

impl Visit {
    pub(super) async fn login(&mut self) -> Answer {
        let form = self.checked_form()?;
        let text = form.get("request").unwrap_or_default().to_owned();
        let goal = match form.get("goal") {
            Some("device") => Goal::Device,
            _ => Goal::Authorize,
        };
        let username = form.get("username").unwrap_or_default();
        let password = SecretString::from(form.get("password").unwrap_or_default());
        let source = self.source();
        let owner = self
            .server
            .authenticate_resource_owner(username, &password, source);
        let subject = match owner.await {
            Ok(subject) => subject,
            Err(error)
                if error.retry_after().is_some() || error.code() == ErrorCode::InvalidGrant =>
            {
                let authorization = match goal {
                    Goal::Authorize => self.again(&text).await?.ok(),
                    Goal::Device => None,
                };
                return self.login_page(
                    goal,
                    &text,
                    authorization.as_ref(),
                    Some(&error),
                    username,
                );
            }
            Err(error) => return Err(error),
        };
        if let Some(old) = self.browser.session() {
            self.settings.sessions.remove(&old).await?;
        }
        let now = self.server.now();
        let record = SessionRecord {
            hash: self.browser.begin(&self.server)?,
            subject,
            username: username.to_owned(),
            authenticated_at: now,
            login_for: (goal == Goal::Authorize).then(|| TokenHash::of(&text)),
            expires_at: later(now, self.settings.session_lifetime)?,
            consents: Vec::new(),
        };
        self.settings.sessions.insert(record, now).await?;
        see_other(&format!("{}?{text}", self.path(goal.path())))
    }

    pub(super) fn login_page(
        &mut self,
        goal: Goal,
        text: &str,
        authorization: Option<&AuthorizationRequest>,
        error: Option<&OAuthError>,
        username: &str,
    ) -> Answer {
        let name = match goal {
            Goal::Authorize => "authorize",
            Goal::Device => "device",
        };
        let too_many_attempts = |error: &OAuthError| error.retry_after().is_some();
        let page = LoginPage {
            nonce: self.nonce()?,
            form: self.form("/login", &[("goal", name), ("request", text)])?,
            client: authorization.map(|it| it.client().name().to_owned()),
            username: username.to_owned(),
            error: error.map(|error| match too_many_attempts(error) {
                true => too_many(error),
                false => "The user name or the password is wrong.".to_owned(),
            }),
        };
        let html = self.settings.pages.login(&page);
        let redirect_uri = authorization.map(AuthorizationRequest::redirect_uri);
        let status = error.map_or(StatusCode::OK, OAuthError::status);
        let mut response = self.page(status, html, &page.nonce, redirect_uri);
        response
            .headers_mut()
            .extend(error.map(OAuthError::headers).unwrap_or_default());
        Ok(response)
    }

    pub(super) fn logout_form(&mut self) -> Answer {
        let form = self.form("/logout", &[])?;
        self.logout_page(form, false)
    }

    pub(super) async fn logout(&mut self) -> Answer {
        self.checked_form()?;
        if let Some(session) = self.browser.session() {
            self.settings.sessions.remove(&session).await?;
        }
        self.browser.end();
        self.logout_page(Form::default(), true)
    }

    fn logout_page(&self, form: Form, done: bool) -> Answer {
        let nonce = self.nonce()?;
        let page = LogoutPage { nonce, form, done };
        let html = self.settings.pages.logout(&page);
        Ok(self.page(StatusCode::OK, html, &page.nonce, None))
    }

    /// The live session of this browser, of a person who still is one.
    pub(super) async fn session(&self) -> Result<Option<SessionRecord>, OAuthError> {
        let Some(hash) = self.browser.session() else {
            return Ok(None);
        };
        let session = self.settings.sessions.get(&hash).await?;
        match session.filter(|session| self.server.now() < session.expires_at) {
            Some(session)
                if self
                    .server
                    .resource_owner_is_active(&session.subject)
                    .await? =>
            {
                Ok(Some(session))
            }
            _ => Ok(None),
        }
    }
}
