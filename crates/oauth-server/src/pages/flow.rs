//! What happens behind each path, step by step.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::SET_COOKIE};
use url::Url;

use super::{
    ErrorPage, Form, PageSettings,
    browser::{Browser, FIELD},
    headers::{document, form_action},
};
use crate::{
    AuthorizationServer, ErrorCode, OAuthError, Source, parameters::Parameters,
    service::EndpointService,
};

mod account;
mod authorize;
mod device;

/// The paths of the pages, behind that of the issuer.
pub(crate) const ROUTES: [&str; 6] = [
    "/authorize",
    "/login",
    "/consent",
    "/device",
    "/device/confirm",
    "/logout",
];

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

    /// The form of one of our pages, from the browser that was shown it.
    fn checked_form(&self) -> Result<Parameters<'static>, OAuthError> {
        let form = self.server.posted(&self.request)?;
        self.browser
            .check(&self.server, &self.request, form.get(FIELD))?;
        Ok(Parameters::from_pairs(form.into_pairs()))
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
        Source::of(&self.request)
    }
}

fn too_many(error: &OAuthError) -> String {
    let wait = error.retry_after().unwrap_or_default().as_secs();
    format!("Too many attempts. Try again in {wait} seconds.")
}
