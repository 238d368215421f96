//! The pages, as a browser without scripts uses them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use oauth_server::{
    Client, ContextError, EndpointService, ScopeRecord, SecretCost, Source, TokenHash,
    memory::MemoryScopes,
    pages::{
        DefaultPages, LoginPage, MemorySessions, PageSettings, Pages, SessionRecord, Sessions,
    },
};
use tokio::sync::Barrier;
use tower_service::Service;

use crate::support::{CALLBACK, CHALLENGE, VERIFIER, World, app, as_client, world_with};

/// Keeps cookies, and sends the forms it was shown.
struct Browser {
    service: EndpointService,
    cookies: BTreeMap<String, String>,
    origin: &'static str,
}

struct Page {
    status: u16,
    headers: http::HeaderMap,
    html: String,
}

impl Browser {
    fn new(world: &World) -> Self {
        Self {
            service: world.server.pages_service().unwrap(),
            cookies: BTreeMap::new(),
            origin: "https://auth.example",
        }
    }

    async fn get(&mut self, path: &str) -> Page {
        self.send(Request::get(path), String::new()).await
    }

    /// Sends the form of `page` with these fields filled in.
    async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let action = attribute(&page.html, "<form", "action").unwrap();
        let body = filled(page, fields);
        self.post(&action, body).await
    }

    async fn post(&mut self, path: &str, body: String) -> Page {
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", self.origin);
        self.send(request, body).await
    }

    async fn send(&mut self, mut request: http::request::Builder, body: String) -> Page {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let source = Source([127, 0, 0, 1].into());
        let request = request.extension(source).body(Full::new(Bytes::from(body)));
        let response: Response<_> = self.service.call(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let (cookie, attributes) = cookie.to_str().unwrap().split_once("; ").unwrap();
            let (name, value) = cookie.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{name}");
            let kept = "Path=/; HttpOnly; SameSite=Lax; Secure";
            match attributes.strip_prefix(kept).unwrap() {
                "" => self.cookies.insert(name.to_owned(), value.to_owned()),
                "; Max-Age=0" => self.cookies.remove(name),
                other => panic!("{other}"),
            };
        }
        let body = body.collect().await.unwrap().to_bytes();
        Page {
            status: parts.status.as_u16(),
            headers: parts.headers,
            html: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn login(&mut self, page: &Page) -> Page {
        let fields = [("username", "ada"), ("password", "her pass phrase")];
        let moved = self.submit(page, &fields).await;
        let location = moved.location();
        self.get(&location).await
    }
}

impl Page {
    #[track_caller]
    fn location(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.html);
        self.headers["location"].to_str().unwrap().to_owned()
    }

    #[track_caller]
    fn title(&self) -> &str {
        let (_, rest) = self.html.split_once("<title>").unwrap();
        rest.split_once("</title>").unwrap().0
    }
}

fn attribute(html: &str, tag: &str, name: &str) -> Option<String> {
    let (_, rest) = html.split_once(tag)?;
    let (_, rest) = rest.split_once(&format!("{name}=\""))?;
    let value = rest.split_once('"')?.0;
    let entities = [
        ("&#38;", "&"),
        ("&#34;", "\""),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#39;", "'"),
    ];
    Some(
        entities
            .iter()
            .fold(value.to_owned(), |text, (from, to)| text.replace(from, to)),
    )
}

fn world() -> World {
    world_with(|it| it.pages(PageSettings::new()))
}

fn authorize(client: &str) -> String {
    format!(
        "/authorize?response_type=code&client_id={client}&state=a%26b&scope=read\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    )
}

#[track_caller]
fn assert_protected(page: &Page) {
    let header = |name: &str| page.headers[name].to_str().unwrap();
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-frame-options"), "DENY");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    let policy = header("content-security-policy");
    let nonce = attribute(&page.html, "<style", "nonce").unwrap();
    assert_eq!(nonce.len(), 43);
    for part in [
        "default-src 'none';",
        &format!("style-src 'nonce-{nonce}';"),
        "form-action 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!page.html.contains("<script") && !page.html.contains(" style="));
    assert!(page.html.contains("<html lang=\"en\">") && page.html.contains("<h1>"));
    assert!(page.html.contains("name=\"viewport\""));
    for input in page
        .html
        .split("<input ")
        .skip(1)
        .filter(|it| !it.starts_with("type=\"hidden\""))
    {
        let id = attribute(input, "", "id").unwrap();
        assert!(page.html.contains(&format!("<label for=\"{id}\">")), "{id}");
        assert!(input.contains("autocomplete="), "{id}");
    }
}

#[tokio::test]
async fn a_person_logs_in_consents_and_the_client_gets_a_token() {
    let world = world();
    let mut browser = Browser::new(&world);
    let login = browser.get(&authorize("app")).await;
    assert_eq!((login.status, login.title()), (200, "Sign in"));
    assert_protected(&login);
    let policy = login.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("form-action 'self' https://app.example;"),
        "{policy}"
    );
    let wrong = browser
        .submit(&login, &[("username", "ada\"><b>"), ("password", "no")])
        .await;
    assert_eq!((wrong.status, wrong.title()), (400, "Error: Sign in"));
    assert_protected(&wrong);
    assert!(!wrong.html.contains("<b>") && wrong.html.contains("role=\"alert\""));
    let consent = browser.login(&wrong).await;
    assert_eq!((consent.status, consent.title()), (200, "Allow app?"));
    assert_protected(&consent);
    assert!(consent.html.contains("signed in as <strong>ada</strong>"));
    assert!(consent.html.contains("<li>read</li>") && consent.html.contains("app.example"));
    let done = browser.submit(&consent, &[("decision", "allow")]).await;
    let location = done.location();
    let (uri, answer) = location.split_once('?').unwrap();
    assert_eq!(uri, CALLBACK);
    let answer: BTreeMap<_, _> = form_urlencoded::parse(answer.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(
        (&*answer["state"], &*answer["iss"]),
        ("a&b", "https://auth.example")
    );
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &answer["code"]),
        ("code_verifier", VERIFIER),
    ];
    let tokens = world.token(&fields).await.unwrap();
    assert_eq!(tokens.subject(), Some("person-1"));

    // Signed in already, but asked again.
    let again = browser.get(&authorize("app")).await;
    assert_eq!(again.title(), "Allow app?");
    let denied = browser.submit(&again, &[("decision", "deny")]).await;
    assert!(
        denied
            .location()
            .starts_with(&format!("{CALLBACK}?error=access_denied"))
    );
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let world = world();
    let mut browser = Browser::new(&world);
    let login = browser.get(&authorize("app")).await;
    let fields = [("username", "ada"), ("password", "her pass phrase")];
    let refused = async |browser: &mut Browser, page: &Page| {
        let answer = browser.submit(page, &fields).await;
        assert_eq!((answer.status, answer.title()), (403, "Error"));
        assert_protected(&answer);
    };
    browser.origin = "https://evil.example";
    refused(&mut browser, &login).await;
    browser.origin = "null";
    refused(&mut browser, &login).await;
    browser.origin = "https://auth.example";
    let without = login.html.replace("form_token", "other");
    refused(
        &mut browser,
        &Page {
            html: without,
            ..page_like(&login)
        },
    )
    .await;
    let mut other = Browser::new(&world);
    refused(&mut other, &login).await;
    let own = other.get(&authorize("app")).await;
    refused(&mut other, &login).await;
    assert_eq!(other.submit(&own, &fields).await.status, 303);

    // A policy without referrer makes browsers say `null`, and where from in another header.
    for (site, status) in [
        ("same-origin", 303),
        ("same-site", 403),
        ("cross-site", 403),
    ] {
        let body = filled(&own, &fields);
        let request = Request::post("/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", "null")
            .header("sec-fetch-site", site);
        let mut third = Browser::new(&world);
        let shown = third.get(&authorize("app")).await;
        let body = body.replace(&token_of(&own), &token_of(&shown));
        assert_eq!(third.send(request, body).await.status, status, "{site}");
    }
}

fn page_like(page: &Page) -> Page {
    Page {
        status: page.status,
        headers: page.headers.clone(),
        html: String::new(),
    }
}

fn token_of(page: &Page) -> String {
    let (_, rest) = page.html.split_once("name=\"form_token\"").unwrap();
    attribute(rest, "", "value").unwrap()
}

/// The hidden fields of a page and these.
fn filled(page: &Page, fields: &[(&str, &str)]) -> String {
    let mut body = form_urlencoded::Serializer::new(String::new());
    for input in page.html.split("<input type=\"hidden\"").skip(1) {
        let (name, value) = (attribute(input, "", "name"), attribute(input, "", "value"));
        body.append_pair(&name.unwrap(), &value.unwrap());
    }
    body.extend_pairs(fields).finish()
}

#[tokio::test]
async fn a_consent_belongs_to_the_session_that_was_asked() {
    let world = world();
    world
        .owners
        .insert("eve", "person-2", "another phrase")
        .unwrap();
    let mut browser = Browser::new(&world);
    let login = browser.get(&authorize("app")).await;
    let consent = browser.login(&login).await;
    // Somebody else signs in at the same browser.
    let cookies = browser.cookies.clone();
    let login = Browser::new(&world).get(&authorize("app")).await;
    let mut fresh = Browser::new(&world);
    let own_login = fresh.get(&authorize("app")).await;
    drop(login);
    let eve = [("username", "eve"), ("password", "another phrase")];
    assert_eq!(fresh.submit(&own_login, &eve).await.status, 303);
    let refused = fresh.submit(&consent, &[("decision", "allow")]).await;
    assert_eq!(refused.status, 403);
    assert_ne!(fresh.cookies, cookies);
    // Without a session the person is asked to sign in, whatever the form says.
    world.advance(12 * 60 * 60);
    let ended = browser.submit(&consent, &[("decision", "allow")]).await;
    assert_eq!((ended.status, ended.title()), (200, "Sign in"));
}

#[tokio::test]
async fn a_session_begins_anew_with_each_login_and_ends_with_logout() {
    let world = world();
    let mut browser = Browser::new(&world);
    let login = browser.get(&authorize("app")).await;
    browser.login(&login).await;
    let first = browser.cookies.clone();
    let logout = browser.get("/logout").await;
    assert_protected(&logout);
    let done = browser.submit(&logout, &[]).await;
    assert_eq!((done.status, done.title()), (200, "Signed out"));
    assert_protected(&done);
    assert!(browser.cookies.is_empty());
    browser.cookies = first.clone();
    let login = browser.get(&authorize("app")).await;
    assert_eq!(login.title(), "Sign in", "the old cookie is worth nothing");
    browser.login(&login).await;
    assert_ne!(
        browser.cookies["__Host-oauth_session"],
        first["__Host-oauth_session"]
    );
    world.owners.remove("ada");
    assert_eq!(
        browser.get(&authorize("app")).await.title(),
        "Sign in",
        "gone"
    );
}

#[tokio::test]
async fn who_guesses_passwords_waits() {
    let world = world_with(|it| {
        it.pages(PageSettings::new())
            .throttle(3, std::time::Duration::from_secs(60))
    });
    let mut browser = Browser::new(&world);
    let login = browser.get(&authorize("app")).await;
    for _ in 0..3 {
        let wrong = browser
            .submit(&login, &[("username", "ada"), ("password", "no")])
            .await;
        assert_eq!(wrong.status, 400);
    }
    let fields = [("username", "ada"), ("password", "her pass phrase")];
    let waits = browser.submit(&login, &fields).await;
    assert_eq!(waits.status, 429);
    assert!(waits.headers.contains_key("retry-after"));
    assert!(waits.html.contains("Too many attempts"), "{}", waits.html);
    world.advance(61);
    assert_eq!(browser.submit(&login, &fields).await.status, 303);
}

#[tokio::test]
async fn consent_is_remembered_where_it_may_be() {
    let settings = PageSettings::new().remember_consent(true);
    let world = world_with(|it| it.pages(settings));
    let mut browser = Browser::new(&world);
    let login = browser.get(&authorize("app")).await;
    let consent = browser.login(&login).await;
    browser
        .submit(&consent, &[("decision", "allow")])
        .await
        .location();
    assert!(
        browser
            .get(&authorize("app"))
            .await
            .location()
            .starts_with(CALLBACK)
    );
    let more = authorize("app").replace("scope=read", "scope=read+write");
    assert_eq!(browser.get(&more).await.title(), "Allow app?");
    assert_eq!(
        browser.get(&authorize("other")).await.title(),
        "Allow other?"
    );
    let public = authorize("public") + "&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb";
    for _ in 0..2 {
        let consent = browser.get(&public).await;
        assert_eq!(
            consent.title(),
            "Allow public?",
            "anybody can pretend to be it"
        );
        browser
            .submit(&consent, &[("decision", "allow")])
            .await
            .location();
    }
}

/// A world whose app need not ask twice, and a browser in which ada has just allowed it.
async fn consented() -> (World, Browser) {
    let world = world_with(|it| it.pages(PageSettings::new().remember_consent(true)));
    let mut browser = Browser::new(&world);
    let login = browser.get(&authorize("app")).await;
    let consent = browser.login(&login).await;
    browser
        .submit(&consent, &[("decision", "allow")])
        .await
        .location();
    (world, browser)
}

/// What the client is told: `code`, or the error.
#[track_caller]
fn answer(page: &Page) -> String {
    let location = page.location();
    let query = location.strip_prefix(&format!("{CALLBACK}?")).unwrap();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (name, value) = pairs.next().unwrap();
    match &*name {
        "error" => value.into_owned(),
        name => name.to_owned(),
    }
}

#[tokio::test]
async fn without_a_page_the_client_is_told_what_it_takes() {
    let (world, mut browser) = consented().await;
    let asking = |client: &str, prompt: &str| format!("{}&prompt={prompt}", authorize(client));
    let silent = browser.get(&asking("app", "none")).await;
    assert_eq!(answer(&silent), "code");
    let silent = browser.get(&asking("other", "none")).await;
    assert_eq!(answer(&silent), "consent_required");
    let mut stranger = Browser::new(&world);
    let silent = stranger.get(&asking("app", "none")).await;
    assert_eq!(answer(&silent), "login_required");
    world.advance(61);
    let silent = browser
        .get(&format!("{}&max_age=60", asking("app", "none")))
        .await;
    assert_eq!(answer(&silent), "login_required");
    for bad in ["none%20login", "none&max_age=-1", "login&max_age=soon"] {
        let refused = browser.get(&asking("app", bad)).await;
        assert_eq!(answer(&refused), "invalid_request", "{bad}");
    }
    let object = format!("{}&request=e30.e30.", authorize("app"));
    let refused = browser.get(&object).await;
    assert_eq!(answer(&refused), "request_not_supported");
}

#[tokio::test]
async fn a_client_can_have_the_person_asked_again() {
    let (_, mut browser) = consented().await;
    let quick = browser.get(&authorize("app")).await;
    assert_eq!(answer(&quick), "code", "remembered");
    let asking = format!("{}&prompt=consent", authorize("app"));
    let asked = browser.get(&asking).await;
    assert_eq!(asked.title(), "Allow app?");
    let allowed = browser.submit(&asked, &[("decision", "allow")]).await;
    assert_eq!(answer(&allowed), "code");
}

#[tokio::test]
async fn a_client_can_have_the_person_log_in_again() {
    for wish in [
        "prompt=login",
        "prompt=select_account",
        "max_age=0",
        "max_age=60",
    ] {
        let (world, mut browser) = consented().await;
        world.advance(61);
        let asking = format!("{}&{wish}", authorize("app"));
        // Nor does the consent of the old session do.
        let asked = browser
            .get(&format!("{}&prompt=consent", authorize("app")))
            .await;
        let body = filled(&asked, &[("decision", "allow")]);
        let body = body.replace("prompt%3Dconsent", &wish.replace('=', "%3D"));
        let old = browser.post("/consent", body).await;
        assert_eq!((old.status, old.title()), (200, "Sign in"), "{wish}");

        let login = browser.get(&asking).await;
        assert_eq!((login.status, login.title()), (200, "Sign in"), "{wish}");
        let consent = browser.login(&login).await;
        assert_eq!(consent.title(), "Allow app?", "a new session, {wish}");
        world.advance(30);
        let logged_in =
            oauth_server::Clock::now(&*world.clock) - std::time::Duration::from_secs(30);
        let done = browser.submit(&consent, &[("decision", "allow")]).await;
        assert_eq!(answer(&done), "code", "{wish}");
        let location = done.location();
        let query = location.split_once('?').unwrap().1;
        let code = form_urlencoded::parse(query.as_bytes()).next().unwrap().1;
        let tokens = world.token(&crate::support::redemption(&code)).await;
        let tokens = tokens.unwrap();
        let record = world.server.access_token(tokens.access_token());
        let auth_time = record.await.unwrap().unwrap().grant.auth_time;
        assert_eq!(auth_time, Some(logged_in), "{wish}");

        world.advance(31);
        let login = browser.get(&asking).await;
        assert_eq!(login.title(), "Sign in", "good for one request, {wish}");
    }
}

/// Lets two look before either acts, or signs out whoever was looked at.
#[derive(Debug, Default)]
struct Meddled {
    sessions: MemorySessions,
    both: Mutex<Option<Arc<Barrier>>>,
    gone: AtomicBool,
}

#[async_trait]
impl Sessions for Meddled {
    async fn insert(&self, record: SessionRecord, now: SystemTime) -> Result<(), ContextError> {
        self.sessions.insert(record, now).await
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<SessionRecord>, ContextError> {
        let record = self.sessions.get(hash).await;
        let both = self.both.lock().unwrap().clone();
        if let Some(both) = both {
            both.wait().await;
        }
        if self.gone.load(Ordering::SeqCst) {
            self.sessions.remove(hash).await?;
        }
        record
    }

    async fn update(
        &self,
        hash: &TokenHash,
        change: &mut (dyn for<'r> FnMut(&'r mut SessionRecord) + Send),
    ) -> Result<bool, ContextError> {
        self.sessions.update(hash, change).await
    }

    async fn remove(&self, hash: &TokenHash) -> Result<(), ContextError> {
        self.sessions.remove(hash).await
    }
}

/// A browser that is asked for consent, after a login for this very request.
async fn asked(wish: &str, remember: bool) -> (Arc<Meddled>, Browser, Page) {
    let sessions = Arc::new(Meddled::default());
    let settings = PageSettings::new().sessions(sessions.clone());
    let world = world_with(|it| it.pages(settings.remember_consent(remember)));
    let mut browser = Browser::new(&world);
    let login = browser.get(&format!("{}{wish}", authorize("app"))).await;
    let consent = browser.login(&login).await;
    assert_eq!(consent.title(), "Allow app?");
    (sessions, browser, consent)
}

#[tokio::test]
async fn a_login_for_one_request_is_not_good_for_two_at_once() {
    for (wish, codes) in [("&prompt=login", 1), ("&max_age=0", 1), ("", 2)] {
        let (sessions, mut one, consent) = asked(wish, false).await;
        let mut other = Browser {
            service: one.service.clone(),
            cookies: one.cookies.clone(),
            origin: one.origin,
        };
        *sessions.both.lock().unwrap() = Some(Arc::new(Barrier::new(2)));
        let allow = [("decision", "allow")];
        let (one, other) =
            tokio::join!(one.submit(&consent, &allow), other.submit(&consent, &allow));
        let moved = [&one, &other].into_iter().filter(|it| it.status == 303);
        assert_eq!(
            moved.map(answer).filter(|it| it == "code").count(),
            codes,
            "{wish}"
        );
        let asked = [&one, &other].into_iter().filter(|it| it.status == 200);
        assert_eq!(
            asked.filter(|it| it.title() == "Sign in").count(),
            2 - codes
        );
    }
}

#[tokio::test]
async fn who_logs_out_at_the_same_moment_consents_to_nothing() {
    for (wish, remember) in [("&prompt=login", false), ("", false), ("", true)] {
        let (sessions, mut browser, consent) = asked(wish, remember).await;
        sessions.gone.store(true, Ordering::SeqCst);
        let page = browser.submit(&consent, &[("decision", "allow")]).await;
        assert_eq!((page.status, page.title()), (200, "Sign in"), "{wish}");
    }
}

#[tokio::test]
async fn consent_is_for_the_resources_that_were_shown() {
    let (a, b) = ("https://a.example/?<b>", "https://b.example");
    let settings = PageSettings::new().remember_consent(true);
    let world = world_with(|it| it.pages(settings).resources([a, b]));
    let mut browser = Browser::new(&world);
    let at = |resource: &str| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("resource", resource)
            .finish();
        format!("{}&{query}", authorize("app"))
    };
    let login = browser.get(&at(a)).await;
    let consent = browser.login(&login).await;
    assert!(consent.html.contains("Only at</h2>"), "{}", consent.html);
    assert!(
        consent
            .html
            .contains("<li>https://a.example/?&#60;b&#62;</li>")
    );
    assert_protected(&consent);
    let allowed = browser.submit(&consent, &[("decision", "allow")]).await;
    assert_eq!(answer(&allowed), "code");
    assert_eq!(answer(&browser.get(&at(a)).await), "code", "remembered");
    assert_eq!(browser.get(&at(b)).await.title(), "Allow app?");
    let everywhere = browser.get(&authorize("app")).await;
    assert_eq!(everywhere.title(), "Allow app?");
    assert!(!everywhere.html.contains("Only at"));

    let device = as_client("app", &[("scope", "read"), ("resource", b)]);
    let device = world.server.device_authorization(&device).await.unwrap();
    let page = browser.get("/device").await;
    let code = [("user_code", device.user_code())];
    let confirm = browser.submit(&page, &code).await;
    assert!(
        confirm.html.contains("<li>https://b.example</li>"),
        "{}",
        confirm.html
    );
}

#[tokio::test]
async fn scopes_say_what_they_allow_and_whether_to_ask() {
    let read = ScopeRecord::new("read", "see your <calendar>").unwrap();
    let scopes = Arc::new(MemoryScopes::from_iter([read.clone()]));
    let world = world_with(|it| it.pages(PageSettings::new()).scopes(scopes.clone()));
    let client = app("app").name("Ada & friends <script>");
    world.clients.insert(client.build().unwrap());
    let mut browser = Browser::new(&world);
    let login = browser.get(&authorize("app")).await;
    let consent = browser.login(&login).await;
    assert!(
        consent.html.contains("Ada &#38; friends &#60;script&#62;"),
        "{}",
        consent.html
    );
    assert!(
        consent
            .html
            .contains("<li>see your &#60;calendar&#62;</li>")
    );
    assert_protected(&consent);
    scopes.insert(read.needs_consent(false));
    assert!(
        browser
            .get(&authorize("app"))
            .await
            .location()
            .starts_with(CALLBACK)
    );
}

#[tokio::test]
async fn a_device_is_connected_after_a_confirmation() {
    let world = world();
    let start = async || {
        let started = as_client("app", &[("scope", "read")]);
        world.server.device_authorization(&started).await.unwrap()
    };
    let mut browser = Browser::new(&world);
    for (decision, title, code) in [
        ("allow", "Device connected", None),
        ("deny", "Device not connected", Some("access_denied")),
    ] {
        let started = start().await;
        let uri = started.verification_uri_complete();
        let path = uri.strip_prefix("https://auth.example").unwrap();
        let mut page = browser.get(path).await;
        if page.title() == "Sign in" {
            page = browser.login(&page).await;
        }
        assert_eq!(page.title(), "Connect a device");
        assert_protected(&page);
        let value = format!("value=\"{}\"", started.user_code());
        assert!(page.html.contains(&value), "the link only fills it in");
        let wrong = browser.submit(&page, &[("user_code", "BCDF-GHJK")]).await;
        assert_eq!(
            (wrong.status, wrong.title()),
            (400, "Error: Connect a device")
        );
        let typed = started.user_code().to_lowercase().replace('-', " ");
        let confirm = browser.submit(&page, &[("user_code", &typed)]).await;
        assert_eq!(confirm.title(), "Connect app?");
        assert_protected(&confirm);
        let done = browser.submit(&confirm, &[("decision", decision)]).await;
        assert_eq!((done.status, done.title()), (200, title));
        assert_protected(&done);
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", started.device_code()),
        ];
        let polled = world.token(&fields).await;
        assert_eq!(polled.err().map(|error| error.error()), code);
    }
}

#[tokio::test]
async fn a_pushed_request_lasts_through_the_login_and_no_longer_than_the_decision() {
    let world = world();
    let mut browser = Browser::new(&world);
    for decision in ["allow", "deny"] {
        let fields = [
            ("response_type", "code"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let pushed = as_client("app", &fields);
        let pushed = world.server.pushed_authorization(&pushed).await.unwrap();
        let path = format!(
            "/authorize?client_id=app&request_uri={}",
            pushed.request_uri()
        );
        let mut page = browser.get(&path).await;
        if page.title() == "Sign in" {
            page = browser.login(&page).await;
        }
        let answer = browser.submit(&page, &[("decision", decision)]).await;
        assert!(answer.location().starts_with(CALLBACK));
        let used = browser.get(&path).await;
        assert_eq!((used.status, used.title()), (400, "Error"));
    }
}

#[tokio::test]
async fn what_cannot_be_answered_to_the_client_is_shown() {
    let world = world();
    let mut browser = Browser::new(&world);
    for path in [
        "/authorize?client_id=unknown<script>",
        "/authorize",
        "/authorize?client_id=app&redirect_uri=https%3A%2F%2Fevil.example",
    ] {
        let request = path.replace('<', "%3C").replace('>', "%3E");
        let page = browser.get(&request).await;
        assert_eq!((page.status, page.title()), (400, "Error"), "{path}");
        assert_protected(&page);
        assert!(!page.html.contains("evil") && !page.html.contains("unknown&"));
    }
    let page = browser.get("/login").await;
    assert_eq!(
        (page.status, &page.headers["allow"]),
        (405, &"POST".parse().unwrap())
    );
    let refused = browser
        .get("/authorize?client_id=app&response_type=what")
        .await;
    assert!(refused.location().starts_with(CALLBACK));
}

/// OpenID Connect lets clients post their request (Core §3.1.2.1).
#[tokio::test]
async fn a_posted_request_is_kept_through_the_login() {
    let world = world();
    let mut browser = Browser::new(&world);
    let request = authorize("app").replace("a%26b", "\u{e4}+<b>\"#");
    let (_, body) = request.split_once('?').unwrap();
    browser.origin = "https://app.example";
    let moved = browser.post("/authorize", body.to_owned()).await;
    assert!(
        browser.cookies.is_empty(),
        "it did not see those of the browser"
    );
    browser.origin = "https://auth.example";
    let login = browser.get(&moved.location()).await;
    assert_eq!(login.title(), "Sign in");
    let consent = browser.login(&login).await;
    let done = browser.submit(&consent, &[("decision", "allow")]).await;
    let location = done.location();
    let state = form_urlencoded::Serializer::new(String::new())
        .append_pair("state", "\u{e4} <b>\"#")
        .finish();
    assert!(location.contains(&state), "{location}");
}

#[derive(Debug)]
struct Own;

impl Pages for Own {
    fn login(&self, page: &LoginPage) -> String {
        let login = DefaultPages.login(page);
        login.replace("<h1>Sign in</h1>", "<h1>Welcome to the library</h1>")
    }
}

#[tokio::test]
async fn an_application_replaces_a_page() {
    let world = world_with(|it| it.pages(PageSettings::new().pages(Arc::new(Own))));
    let mut browser = Browser::new(&world);
    let login = browser.get(&authorize("app")).await;
    assert!(login.html.contains("Welcome to the library"));
    assert_protected(&login);
    assert_eq!(browser.login(&login).await.title(), "Allow app?");
}

#[tokio::test]
async fn on_loopback_cookies_have_plain_names_and_the_router_has_the_pages() {
    let client = Client::builder("app")
        .public()
        .redirect_uri("http://127.0.0.1/cb")
        .grants([oauth_server::GrantType::AuthorizationCode]);
    let clients = oauth_server::memory::MemoryClients::from_iter([client.build().unwrap()]);
    let server = oauth_server::AuthorizationServer::builder("http://127.0.0.1:4000/tenant")
        .clients(Arc::new(clients))
        .secret_cost(SecretCost::LOW)
        .pages(PageSettings::new())
        .build()
        .unwrap();
    let endpoint = &server.metadata()["authorization_endpoint"];
    assert_eq!(endpoint, "http://127.0.0.1:4000/tenant/authorize");
    let mut router = server.into_router(oauth_server::RfcApplication);
    let request = Request::get(format!("/tenant{}", authorize("app")).replace("&scope=read", ""));
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = Service::call(&mut router, request).await.unwrap();
    assert_eq!(response.status(), 200);
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("oauth_forms=") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let html = String::from_utf8(body.to_vec()).unwrap();
    assert_eq!(
        attribute(&html, "<form", "action").unwrap(),
        "/tenant/login"
    );
}
