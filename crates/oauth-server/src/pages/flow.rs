//! What happens behind each path, step by step.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::SET_COOKIE};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use secrecy::SecretString;
use url::Url;

use super::{
    ConsentPage, DeviceConfirmPage, DeviceDonePage, DevicePage, ErrorPage, Form, LoginPage,
    LogoutPage, PageSettings, SessionRecord,
    browser::{Browser, FIELD},
    headers::{document, form_action, see_other},
};
use crate::{
    AuthorizationRequest, AuthorizationServer, AuthorizeError, DeviceCodeRecord, ErrorCode,
    OAuthError, Scope, Source, issue::later, parameters::Parameters, service::EndpointService,
};

/// The paths of the pages, behind that of the issuer.
pub(crate) const ROUTES: [&str; 6] = [
    "/authorize",
    "/login",
    "/consent",
    "/device",
    "/device/confirm",
    "/logout",
];

/// What a form may hold as it is, and an address may not.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

type Answer = Result<Response<Bytes>, OAuthError>;

impl AuthorizationServer {
    /// All pages as one service that goes by the path: `/authorize`, `/login`, `/consent`,
    /// `/device`, `/device/confirm` and `/logout`, each behind the path of the issuer. None if
    /// the server was built without [`pages`](crate::AuthorizationServerBuilder::pages).
    pub fn pages_service(&self) -> Option<EndpointService> {
        let settings = Arc::new(self.page_settings()?.clone());
        let run = move |server: Self, request: Request<Bytes>| -> crate::service::BoxFuture<_> {
            let settings = Arc::clone(&settings);
            Box::pin(async move {
                let browser = Browser::of(&server, &request);
                let visit = Visit {
                    server,
                    settings,
                    request,
                    browser,
                };
                visit.answer().await
            })
        };
        Some(EndpointService::new(self, run))
    }
}

/// One request of a browser.
struct Visit {
    server: AuthorizationServer,
    settings: Arc<PageSettings>,
    request: Request<Bytes>,
    browser: Browser,
}

/// Where a person goes on after the login: never anywhere but here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
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
    async fn answer(mut self) -> Response<Bytes> {
        let prefix = self.path("");
        let path = self.request.uri().path().to_owned();
        let route = path.strip_prefix(&prefix).unwrap_or_default().to_owned();
        let get = matches!(*self.request.method(), Method::GET | Method::HEAD);
        let post = *self.request.method() == Method::POST;
        let answer = match route.as_str() {
            "/authorize" if get || post => self.authorize().await,
            "/login" if post => self.login().await,
            "/consent" if post => self.consent().await,
            "/device" if get => self.device().await,
            "/device" if post => self.device_code().await,
            "/device/confirm" if post => self.device_decision().await,
            "/logout" if get => self.logout_form(),
            "/logout" if post => self.logout().await,
            "/authorize" | "/device" | "/logout" => {
                Err(OAuthError::method_not_allowed("GET, HEAD, POST"))
            }
            _ => Err(OAuthError::method_not_allowed("POST")),
        };
        let mut response = answer.unwrap_or_else(|error| self.failed(&error));
        for cookie in self.browser.set_cookies() {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    async fn authorize(&mut self) -> Answer {
        let text = match *self.request.method() {
            Method::POST => std::str::from_utf8(self.request.body()).unwrap_or_default(),
            _ => self.request.uri().query().unwrap_or_default(),
        };
        let text = utf8_percent_encode(text, UNSAFE).to_string();
        let authorization = match self.server.preauthorize(&self.request).await {
            Ok(authorization) => authorization,
            Err(error) => return refused(error),
        };
        let Some(session) = self.session().await? else {
            return self.login_page(Goal::Authorize, &text, Some(&authorization), None, "");
        };
        let scopes = self.server.scope_records(authorization.scope()).await?;
        let client = authorization.client();
        let harmless = !scopes.is_empty() && scopes.iter().all(|scope| !scope.consent);
        let remembered = session.consents.get(client.id());
        let remembered = remembered.is_some_and(|it| authorization.scope().is_subset(it));
        if !client.is_public() && (harmless || remembered) {
            return self.grant(&authorization, &session.subject).await;
        }
        let page = ConsentPage {
            nonce: self.nonce()?,
            form: self.form("/consent", &[("request", &text)])?,
            client: client.name().to_owned(),
            subject: session.subject,
            destination: destination(authorization.redirect_uri()),
            scopes,
        };
        let html = self.settings.pages.consent(&page);
        Ok(self.page(
            StatusCode::OK,
            html,
            &page.nonce,
            Some(authorization.redirect_uri()),
        ))
    }

    async fn consent(&mut self) -> Answer {
        let form = self.checked_form()?;
        let text = form.get("request").unwrap_or_default();
        let authorization = match self.again(text).await? {
            Ok(authorization) => authorization,
            Err(error) => return refused(error),
        };
        let Some(mut session) = self.session().await? else {
            return self.login_page(Goal::Authorize, text, Some(&authorization), None, "");
        };
        if form.get("decision") != Some("allow") {
            let denied = self.server.refuse(&authorization).await?;
            return refused(denied);
        }
        if self.settings.remember_consent {
            let client = authorization.client().id().to_owned();
            let known = session.consents.entry(client).or_default();
            *known = Scope::of(known.iter().chain(authorization.scope().iter()));
            self.settings.sessions.replace(session.clone()).await?;
        }
        self.grant(&authorization, &session.subject).await
    }

    async fn grant(&self, authorization: &AuthorizationRequest, subject: &str) -> Answer {
        match self.server.authorize(authorization, subject).await {
            Ok(granted) => see_other(granted.location()),
            Err(error) => refused(error),
        }
    }

    async fn login(&mut self) -> Answer {
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
            authenticated_at: now,
            expires_at: later(now, self.settings.session_lifetime)?,
            consents: HashMap::new(),
        };
        self.settings.sessions.insert(record, now).await?;
        see_other(&format!("{}?{text}", self.path(goal.path())))
    }

    async fn device(&mut self) -> Answer {
        let query = self.request.uri().query().unwrap_or_default().to_owned();
        if self.session().await?.is_none() {
            return self.login_page(Goal::Device, &query, None, None, "");
        }
        // RFC 8628 §3.3.1: a code in the link only fills the field in.
        let parameters = Parameters::decode(query.as_bytes(), self.server.max_parameters())?;
        let user_code = parameters.get("user_code").unwrap_or_default();
        self.device_page(StatusCode::OK, user_code, None)
    }

    async fn device_code(&mut self) -> Answer {
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
            subject: session.subject,
            user_code: user_code.to_owned(),
            scopes: self.server.scope_records(record.scope()).await?,
        };
        let html = self.settings.pages.device_confirm(&page);
        Ok(self.page(StatusCode::OK, html, &page.nonce, None))
    }

    async fn device_decision(&mut self) -> Answer {
        let form = self.checked_form()?;
        let user_code = form.get("user_code").unwrap_or_default();
        let session = match self.waiting(user_code).await? {
            Waiting::Found(session, _) => session,
            Waiting::Answer(answer) => return Ok(answer),
        };
        let allowed = form.get("decision") == Some("allow");
        let decided = match allowed {
            true => {
                self.server
                    .approve_device(user_code, &session.subject)
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
        let (status, error) = match found.await {
            Ok(Some(record)) => return Ok(Waiting::Found(session, Box::new(record))),
            Ok(None) => (
                StatusCode::BAD_REQUEST,
                "No device waits with this code.".to_owned(),
            ),
            Err(error) => match error.retry_after() {
                Some(_) if error.status() == StatusCode::TOO_MANY_REQUESTS => {
                    (error.status(), too_many(&error))
                }
                _ => return Err(error),
            },
        };
        self.device_page(status, user_code, Some(error))
            .map(Waiting::Answer)
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

    fn login_page(
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

    fn logout_form(&mut self) -> Answer {
        let form = self.form("/logout", &[])?;
        self.logout_page(form, false)
    }

    async fn logout(&mut self) -> Answer {
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

    fn failed(&self, error: &OAuthError) -> Response<Bytes> {
        let page = ErrorPage {
            nonce: self.nonce().unwrap_or_default(),
            error: error.error().to_owned(),
            message: match error.code() {
                ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => {
                    "The server cannot answer now. Try again in a moment.".to_owned()
                }
                _ => format!("The request was refused: {}.", error.error_description()),
            },
        };
        let status = match error.code() {
            ErrorCode::AccessDenied => StatusCode::FORBIDDEN,
            _ => error.status(),
        };
        let html = self.settings.pages.error(&page);
        let mut response = self.page(status, html, &page.nonce, None);
        response.headers_mut().extend(error.headers());
        response
    }

    /// The live session of this browser, of a person who still is one.
    async fn session(&self) -> Result<Option<SessionRecord>, OAuthError> {
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

    /// The form of one of our pages, from the browser that was shown it.
    fn checked_form(&self) -> Result<Parameters, OAuthError> {
        let form = self.server.posted(&self.request)?;
        self.browser
            .check(&self.server, &self.request, form.get(FIELD))?;
        Ok(form)
    }

    /// The authorization request that a form carries along, judged again from the beginning.
    async fn again(
        &self,
        text: &str,
    ) -> Result<Result<AuthorizationRequest, AuthorizeError>, OAuthError> {
        let request = Request::get(format!("/authorize?{text}")).body(Bytes::new());
        let malformed = |_| OAuthError::invalid_request("the form is malformed");
        Ok(self.server.preauthorize(&request.map_err(malformed)?).await)
    }

    fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Form, OAuthError> {
        let token = self.browser.form_token(&self.server)?;
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ok(Form {
            action: self.path(path),
            hidden: fields.chain([(FIELD.to_owned(), token)]).collect(),
        })
    }

    fn page(
        &self,
        status: StatusCode,
        html: String,
        nonce: &str,
        redirect_uri: Option<&str>,
    ) -> Response<Bytes> {
        let pages = &self.settings.pages;
        let policy = pages.content_security_policy(nonce, &form_action(redirect_uri));
        document(status, html, &policy)
    }

    fn nonce(&self) -> Result<String, OAuthError> {
        Ok(self.server.random_text()?)
    }

    fn path(&self, path: &str) -> String {
        let issuer = Url::parse(self.server.issuer());
        let prefix = issuer.map(|url| url.path().trim_end_matches('/').to_owned());
        format!("{}{path}", prefix.unwrap_or_default())
    }

    fn source(&self) -> Option<Source> {
        self.request.extensions().get::<Source>().copied()
    }
}

enum Waiting {
    Found(SessionRecord, Box<DeviceCodeRecord>),
    Answer(Response<Bytes>),
}

fn refused(error: AuthorizeError) -> Answer {
    match error {
        AuthorizeError::Page(error) => Err(error),
        AuthorizeError::Redirect { location, .. } => see_other(&location),
    }
}

fn too_many(error: &OAuthError) -> String {
    let wait = error.retry_after().unwrap_or_default().as_secs();
    format!("Too many attempts. Try again in {wait} seconds.")
}

/// What a person can recognise of a redirect URI.
fn destination(redirect_uri: &str) -> String {
    let url = Url::parse(redirect_uri).ok();
    let host = url.as_ref().and_then(Url::host_str).map(str::to_owned);
    host.or_else(|| url.map(|url| format!("an application on this device ({})", url.scheme())))
        .unwrap_or_default()
}
