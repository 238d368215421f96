//! Pages for people: login, consent, connecting a device, logging out, and what went wrong.
//!
//! They are rendered on the server, work without scripts, and can each be replaced by an
//! application's own [`Pages`]. Their address is behind the issuer: `/authorize`, `/device`,
//! `/logout`, and what their forms are sent to.
//!
//! ```
//! use std::sync::Arc;
//!
//! use oauth_server::{
//!     AuthorizationServer, Client, GrantType, RfcApplication, SecretCost,
//!     memory::{MemoryClients, MemoryResourceOwners},
//!     pages::PageSettings,
//! };
//!
//! let people = MemoryResourceOwners::new(SecretCost::LOW)?;
//! people.insert("ada", "person-1", "her pass phrase")?;
//! let app = Client::builder("app")
//!     .name("Ada's calendar")
//!     .public()
//!     .redirect_uri("https://calendar.example/callback")
//!     .grants([GrantType::AuthorizationCode])
//!     .scopes(["calendar"])
//!     .build()?;
//! let server = AuthorizationServer::builder("https://auth.example")
//!     .clients(Arc::new(MemoryClients::from_iter([app])))
//!     .resource_owners(Arc::new(people))
//!     .pages(PageSettings::new())
//!     .build()?;
//! assert_eq!(server.metadata()["authorization_endpoint"], "https://auth.example/authorize");
//! let router = server.into_router(RfcApplication);
//! # let _: axum::Router = router;
//! # Ok::<(), oauth_server::BuildError>(())
//! ```

use std::{fmt, sync::Arc, time::Duration};

use crate::ScopeRecord;

mod browser;
mod default;
mod flow;
mod headers;
mod session;

pub use default::DefaultPages;
pub(crate) use flow::ROUTES;
pub use session::{ConsentRecord, MemorySessions, SessionRecord, Sessions};

/// Where a form goes, and what it carries along. A page that leaves a hidden field out does not
/// work.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Form {
    /// The path for the form's `action`; its `method` is `post`.
    pub action: String,
    /// Names and values of the hidden fields.
    pub hidden: Vec<(String, String)>,
}

macro_rules! page {
    ($(#[$doc:meta])* $page:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct $page {
            /// What the page's `style` elements carry as `nonce`.
            pub nonce: String,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    };
}

page! {
    /// Asks who the person is: a form with `username` and `password`.
    LoginPage {
        /// The form.
        form: Form,
        /// The name of the client that the person comes from.
        client: Option<String>,
        /// What was entered before.
        username: String,
        /// Why the person is asked again.
        error: Option<String>,
    }
}

page! {
    /// Asks what a client may do: a form with `decision`, which is `allow` or anything else.
    ConsentPage {
        /// The form.
        form: Form,
        /// The name of the client.
        client: String,
        /// The name that the person signed in with.
        username: String,
        /// Where the answer goes: a host, or an application on the person's own device.
        destination: String,
        /// What the client asks for.
        scopes: Vec<ScopeRecord>,
        /// Where it may use it (RFC 8707); none means everywhere.
        resources: Vec<String>,
    }
}

page! {
    /// Asks for the code that a device shows (RFC 8628 §3.3): a form with `user_code`.
    DevicePage {
        /// The form.
        form: Form,
        /// What was entered before, or was in the link.
        user_code: String,
        /// Why the person is asked again.
        error: Option<String>,
    }
}

page! {
    /// Asks whether the device may do what it asks for (RFC 8628 §5.4): a form with `decision`,
    /// which is `allow` or anything else.
    DeviceConfirmPage {
        /// The form.
        form: Form,
        /// The name of the client.
        client: String,
        /// The name that the person signed in with.
        username: String,
        /// The code that the device shows.
        user_code: String,
        /// What the device asks for.
        scopes: Vec<ScopeRecord>,
        /// Where it may use it (RFC 8707); none means everywhere.
        resources: Vec<String>,
    }
}

page! {
    /// Says what was decided about a device.
    DeviceDonePage {
        /// Whether it was allowed.
        connected: bool,
    }
}

page! {
    /// Asks whether to end the session, with a form without fields, or says that it ended.
    LogoutPage {
        /// The form.
        form: Form,
        /// Whether the session ended.
        done: bool,
    }
}

page! {
    /// Says what went wrong.
    ErrorPage {
        /// The error code.
        error: String,
        /// A sentence about it; nothing of the request is in it.
        message: String,
    }
}

/// Renders the pages as HTML documents. Each one left out is that of [`DefaultPages`].
///
/// Whatever is rendered is served with a `Content-Security-Policy`, `Cache-Control: no-store`,
/// `X-Frame-Options: DENY` and `Referrer-Policy: no-referrer`.
#[allow(unused_variables)]
pub trait Pages: fmt::Debug + Send + Sync + 'static {
    /// The page for the person's name and password.
    fn login(&self, page: &LoginPage) -> String {
        DefaultPages.login(page)
    }

    /// The page for the person's consent.
    fn consent(&self, page: &ConsentPage) -> String {
        DefaultPages.consent(page)
    }

    /// The page for a device's code.
    fn device(&self, page: &DevicePage) -> String {
        DefaultPages.device(page)
    }

    /// The page for the person's consent to a device.
    fn device_confirm(&self, page: &DeviceConfirmPage) -> String {
        DefaultPages.device_confirm(page)
    }

    /// The page after it.
    fn device_done(&self, page: &DeviceDonePage) -> String {
        DefaultPages.device_done(page)
    }

    /// The page before and after logging out.
    fn logout(&self, page: &LogoutPage) -> String {
        DefaultPages.logout(page)
    }

    /// The page for what went wrong.
    fn error(&self, page: &ErrorPage) -> String {
        DefaultPages.error(page)
    }

    /// The `Content-Security-Policy` of a page: no scripts, nothing from elsewhere, styles with
    /// `nonce` only, forms to `form_action` only, and no frames around it.
    fn content_security_policy(&self, nonce: &str, form_action: &str) -> String {
        format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; form-action {form_action}; \
             frame-ancestors 'none'; base-uri 'none'"
        )
    }
}

/// How the pages work; for [`AuthorizationServerBuilder::pages`].
///
/// [`AuthorizationServerBuilder::pages`]: crate::AuthorizationServerBuilder::pages
#[derive(Debug, Clone)]
pub struct PageSettings {
    pub(crate) pages: Arc<dyn Pages>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) session_lifetime: Duration,
    pub(crate) remember_consent: bool,
}

impl PageSettings {
    /// The default pages, with sessions in memory.
    pub fn new() -> Self {
        Self {
            pages: Arc::new(DefaultPages),
            sessions: Arc::new(MemorySessions::new()),
            session_lifetime: Duration::from_secs(12 * 60 * 60),
            remember_consent: false,
        }
    }

    /// What renders the pages.
    pub fn pages(mut self, pages: Arc<dyn Pages>) -> Self {
        self.pages = pages;
        self
    }

    /// Where login sessions are kept.
    pub fn sessions(mut self, sessions: Arc<dyn Sessions>) -> Self {
        self.sessions = sessions;
        self
    }

    /// How long a login session lives, used or not; 12 hours by default, at most 30 days.
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.session_lifetime = lifetime;
        self
    }

    /// Whether a person is asked once per session, client, resources and scope only; false by default.
    /// Public clients always ask, because anybody can pretend to be one (RFC 8252 §8.6).
    pub fn remember_consent(mut self, remember: bool) -> Self {
        self.remember_consent = remember;
        self
    }
}

impl Default for PageSettings {
    fn default() -> Self {
        Self::new()
    }
}
