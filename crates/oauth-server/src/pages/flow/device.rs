//! Connecting a device (RFC 8628 §3.3): its code, the confirmation, the end.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::{Answer, Visit, account::Goal, too_many};
use crate::{
    DeviceCodeRecord, OAuthError,
    pages::{DeviceConfirmPage, DeviceDonePage, DevicePage, SessionRecord},
    parameters::Parameters,
};

impl Visit {
    pub(super) async fn device(&mut self) -> Answer {
        let query = self.request.uri().query().unwrap_or_default().to_owned();
        if self.session().await?.is_none() {
            return self.login_page(Goal::Device, &query, None, None, "");
        }
        // RFC 8628 §3.3.1: a code in the link only fills the field in.
        let parameters = Parameters::decode(query.as_bytes(), self.server.max_parameters())?;
        let user_code = parameters.get("user_code").unwrap_or_default();
        self.device_page(StatusCode::OK, user_code, None)
    }

    pub(super) async fn device_code(&mut self) -> Answer {
        let form = self.checked_form()?;
        let user_code = form.get("user_code").unwrap_or_default();
        let (session, record) = match self.waiting(user_code).await? {
            Waiting::Found(session, record) => (session, record),
            Waiting::Answer(answer) => return Ok(answer),
        };
        let client = self.server.client(record.client_id()).await?;
        let page = DeviceConfirmPage {
            nonce: self.nonce()?,
            form: self.form("/device/confirm", &[("user_code", user_code)])?,
            client: client.map_or_else(|| record.client_id().to_owned(), |it| it.name().to_owned()),
            username: session.username,
            user_code: user_code.to_owned(),
            scopes: self.server.scope_records(record.scope()).await?,
            resources: record.audience().to_vec(),
        };
        let html = self.settings.pages.device_confirm(&page);
        Ok(self.page(StatusCode::OK, html, &page.nonce, None))
    }

    pub(super) async fn device_decision(&mut self) -> Answer {
        let form = self.checked_form()?;
        let user_code = form.get("user_code").unwrap_or_default();
        let session = match self.waiting(user_code).await? {
            Waiting::Found(session, _) => session,
            Waiting::Answer(answer) => return Ok(answer),
        };
        let allowed = form.get("decision") == Some("allow");
        let decided = match allowed {
            true => {
                let (subject, auth_time) = (&session.subject, session.authenticated_at);
                self.server
                    .approve_device_of(user_code, subject, auth_time)
                    .await?
            }
            false => self.server.deny_device(user_code).await?,
        };
        let page = DeviceDonePage {
            nonce: self.nonce()?,
            connected: allowed && decided,
        };
        let html = self.settings.pages.device_done(&page);
        Ok(self.page(StatusCode::OK, html, &page.nonce, None))
    }

    /// The device authorization behind a code, or the page that says why there is none.
    async fn waiting(&mut self, user_code: &str) -> Result<Waiting, OAuthError> {
        let Some(session) = self.session().await? else {
            let page = self.login_page(Goal::Device, "", None, None, "");
            return page.map(Waiting::Answer);
        };
        let source = self.source();
        let found = self
            .server
            .verify_user_code(user_code, &session.subject, source);
        let (status, message, headers) = match found.await {
            Ok(Some(record)) => return Ok(Waiting::Found(session, Box::new(record))),
            Ok(None) => (
                StatusCode::BAD_REQUEST,
                "No device waits with this code.".to_owned(),
                HeaderMap::new(),
            ),
            Err(error) if error.status() == StatusCode::TOO_MANY_REQUESTS => {
                (error.status(), too_many(&error), error.headers())
            }
            Err(error) => return Err(error),
        };
        let mut response = self.device_page(status, user_code, Some(message))?;
        response.headers_mut().extend(headers);
        Ok(Waiting::Answer(response))
    }

    fn device_page(
        &mut self,
        status: StatusCode,
        user_code: &str,
        error: Option<String>,
    ) -> Answer {
        let page = DevicePage {
            nonce: self.nonce()?,
            form: self.form("/device", &[])?,
            user_code: user_code.to_owned(),
            error,
        };
        let html = self.settings.pages.device(&page);
        Ok(self.page(status, html, &page.nonce, None))
    }
}

enum Waiting {
    Found(SessionRecord, Box<DeviceCodeRecord>),
    Answer(Response<Bytes>),
}
