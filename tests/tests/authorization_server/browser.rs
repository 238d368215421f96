//! The pages in Chromium, once on a desk and once on a phone with a dark screen. Pictures of all of
//! them are in `target/screenshots` afterwards.

use std::path::{Path, PathBuf};

use axum::{Router, extract::RawQuery, response::Html, routing::get};
use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use test_servers::Chromedriver;
use tokio::net::TcpListener;

use crate::server::{PASSWORD, Server, USERNAME};

#[tokio::test(flavor = "multi_thread")]
async fn people_use_the_pages_on_a_desk() {
    in_a_browser("desk").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_use_the_pages_on_a_phone() {
    in_a_browser("phone").await;
}

/// The browser is closed whatever becomes of the story.
async fn in_a_browser(device: &'static str) {
    let (server, site) = (Server::start().await, site().await);
    let chromedriver = Chromedriver::start().unwrap();
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities(device));
    let connected = builder.connect(&chromedriver.url()).await;
    let driver = connected.expect("a browser; install Debian's chromium and chromium-driver");
    let story = Story {
        driver: driver.clone(),
        issuer: server.issuer.clone(),
        site,
        device,
    };
    let outcome = tokio::spawn(async move {
        story.log_in_and_consent().await;
        story.connect_a_device().await;
        story.refuse_frames_and_forms_from_elsewhere().await;
        story.log_out().await;
    });
    let outcome = outcome.await;
    driver.close().await.unwrap();
    outcome.unwrap();
}

struct Story {
    driver: Client,
    issuer: String,
    /// The port of a site that is not the server.
    site: u16,
    device: &'static str,
}

impl Story {
    async fn log_in_and_consent(&self) {
        self.goto(&self.authorization("native")).await;
        self.shows("Sign in", "login").await;
        self.tabs_through(&["username", "password", "submit"]).await;
        self.log_in("a guess").await;
        self.shows("Error: Sign in", "login-refused").await;
        self.log_in(PASSWORD).await;
        self.shows("Allow Ada's calendar?", "consent").await;
        self.tabs_through(&["allow", "deny"]).await;
        self.press("deny").await;
        assert!(self.called_back().await.contains("error=access_denied"));

        self.goto(&self.authorization("native")).await;
        self.press("allow").await;
        let answer = self.called_back().await;
        assert!(
            answer.contains("code=") && answer.contains("state=a%26b"),
            "{answer}"
        );

        self.goto(&self.authorization("nobody")).await;
        self.shows("Error", "error").await;
    }

    async fn connect_a_device(&self) {
        let started = self
            .posted("/device_authorization", "client_id=native&scope=read")
            .await;
        let text = |name: &str| started[name].as_str().unwrap().to_owned();
        self.goto(&text("verification_uri")).await;
        self.shows("Connect a device", "device").await;
        self.enter("#user_code", "BCDF-GHJK").await;
        self.shows("Error: Connect a device", "device-refused")
            .await;
        self.enter("#user_code", &text("user_code").to_lowercase())
            .await;
        self.shows("Connect Ada's calendar?", "device-confirm")
            .await;
        self.press("allow").await;
        self.shows("Device connected", "device-connected").await;
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let form = format!(
            "grant_type={grant}&client_id=native&device_code={}",
            text("device_code")
        );
        let tokens = self.posted("/token", &form).await;
        assert_eq!(tokens["scope"], "read");

        let started = self
            .posted("/device_authorization", "client_id=native")
            .await;
        self.goto(started["verification_uri_complete"].as_str().unwrap())
            .await;
        self.submit().await;
        self.press("deny").await;
        self.shows("Device not connected", "device-denied").await;
    }

    async fn refuse_frames_and_forms_from_elsewhere(&self) {
        let elsewhere = format!("http://localhost:{}", self.site);
        let framed = async |url: &str| {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("of", url)
                .finish();
            self.goto(&format!("{elsewhere}/frame?{query}")).await;
            self.driver.enter_frame(0).await.unwrap();
            let shown = self.driver.source().await.unwrap();
            self.driver.enter_parent_frame().await.unwrap();
            shown
        };
        assert!(
            framed(&format!("{elsewhere}/callback"))
                .await
                .contains("Back at the app")
        );
        let ours = framed(&self.authorization("native")).await;
        let refused = ours.contains("ERR_BLOCKED_BY_RESPONSE") && !ours.contains("calendar");
        assert!(refused, "our page is in a frame");

        // Our own consent, sent by somebody else's page.
        self.goto(&format!("{elsewhere}/form?of={}/consent", self.issuer))
            .await;
        self.submit().await;
        self.shows("Error", "form-from-elsewhere").await;
        let now = self.driver.current_url().await.unwrap();
        assert_eq!(now.as_str(), format!("{}/consent", self.issuer));
    }

    async fn log_out(&self) {
        self.goto(&format!("{}/logout", self.issuer)).await;
        self.shows("Sign out", "logout").await;
        self.submit().await;
        self.shows("Signed out", "logged-out").await;
        self.goto(&self.authorization("native")).await;
        self.is_at("Sign in").await;
    }

    fn authorization(&self, client: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", client)
            .append_pair(
                "redirect_uri",
                &format!("http://127.0.0.1:{}/callback", self.site),
            )
            .append_pair("scope", "profile read")
            .append_pair("state", "a&b")
            .append_pair(
                "code_challenge",
                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            )
            .append_pair("code_challenge_method", "S256")
            .finish();
        format!("{}/authorize?{query}", self.issuer)
    }

    async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// This page, no wider than the screen, for eyes and for screen readers. It is kept as a
    /// picture.
    async fn shows(&self, title: &str, picture: &str) {
        self.is_at(title).await;
        let faults = self.driver.execute(FAULTS, Vec::new()).await.unwrap();
        assert_eq!(faults, json!([]), "{title}");
        let fits = "return document.documentElement.scrollWidth <= window.innerWidth";
        let fits = self.driver.execute(fits, Vec::new()).await.unwrap();
        assert_eq!(fits, true, "{title} is too wide");
        let folder = target().join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let picture = folder.join(format!("{picture}-{}.png", self.device));
        let shown = self.driver.screenshot().await.unwrap();
        std::fs::write(picture, shown).unwrap();
    }

    /// Whoever has no mouse comes to these, by name or value, in this order.
    async fn tabs_through(&self, order: &[&str]) {
        const FOCUSED: &str = "const it = document.activeElement;\
             return it.tagName === 'BUTTON' ? it.value || it.type : it.name;";
        let focused = async || {
            let focused = self.driver.execute(FOCUSED, Vec::new()).await.unwrap();
            focused.as_str().unwrap_or_default().to_owned()
        };
        if focused().await != order[0] {
            self.press_tab().await;
        }
        for wanted in order {
            assert_eq!(focused().await, *wanted);
            self.press_tab().await;
        }
    }

    async fn press_tab(&self) {
        let tab = fantoccini::key::Key::Tab.to_string();
        self.find(":focus, body")
            .await
            .send_keys(&tab)
            .await
            .unwrap();
    }

    /// The browser may still be on its way there.
    async fn is_at(&self, title: &str) {
        let there = format!("//title[.=\"{title}\"]");
        let found = self.driver.wait().for_element(Locator::XPath(&there));
        if found.await.is_err() {
            panic!("{title}, not {:?}", self.driver.title().await);
        }
    }

    async fn find(&self, css: &str) -> Element {
        let found = self.driver.wait().for_element(Locator::Css(css));
        found.await.unwrap()
    }

    async fn log_in(&self, password: &str) {
        let username = self.find("#username").await;
        username.clear().await.unwrap();
        username.send_keys(USERNAME).await.unwrap();
        self.enter("#password", password).await;
    }

    async fn enter(&self, field: &str, text: &str) {
        let field = self.find(field).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
        self.submit().await;
    }

    async fn press(&self, decision: &str) {
        let button = self.find(&format!("button[value={decision}]")).await;
        button.click().await.unwrap();
    }

    async fn submit(&self) {
        self.find("button[type=submit]")
            .await
            .click()
            .await
            .unwrap();
    }

    /// What the application was told.
    async fn called_back(&self) -> String {
        self.is_at("Back at the app").await;
        let url = self.driver.current_url().await.unwrap();
        url.query().unwrap_or_default().to_owned()
    }

    /// What the server answers to a client, not to the browser.
    async fn posted(&self, path: &str, form: &str) -> Value {
        let request = reqwest::Client::new()
            .post(format!("{}{path}", self.issuer))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        let body = request.send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}

/// What is wrong with a page: its language, its one heading, a name for each field and button, a
/// contrast of 4.5 between each text and what is behind it (WCAG 2.2, 1.4.3), and targets of 24
/// pixels at least (2.5.8).
const FAULTS: &str = r#"
const faults = [];
const all = (css) => [...document.querySelectorAll(css)];
if (document.documentElement.lang !== 'en') faults.push('no language');
if (all('h1').length !== 1 || all('main').length !== 1) faults.push('not one heading in one main');
if (all('script').length + all('[style]').length > 0) faults.push('scripts or style attributes');
for (const field of all('input:not([type=hidden])')) {
    if (!field.labels.length || !field.labels[0].innerText.trim()) faults.push('no label: ' + field.name);
    const told = field.getAttribute('aria-describedby');
    if (told && !document.getElementById(told)) faults.push('described by nothing: ' + field.name);
    if (field.getAttribute('aria-invalid') === 'true' && !told) faults.push('no reason: ' + field.name);
}
for (const target of all('input:not([type=hidden]), button')) {
    const { width, height } = target.getBoundingClientRect();
    if (width < 24 || height < 24) faults.push('too small: ' + target.outerHTML);
}
for (const button of all('button')) if (!button.innerText.trim()) faults.push('a button without a name');
const channels = (color) => color.match(/[\d.]+/g).map(Number);
const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
        const color = getComputedStyle(at).backgroundColor;
        if (channels(color)[3] !== 0) return color;
    }
    return 'rgb(255, 255, 255)';
};
for (const element of all('h1, h2, p, li, strong, label, input:not([type=hidden]), button, code')) {
    const [light, dark] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) faults.push('contrast ' + contrast.toFixed(1) + ': ' + element.outerHTML);
}
return faults;
"#;

/// The application, and under its other name, `localhost`, a site that means ill.
async fn site() -> u16 {
    let of = |query: Option<String>| {
        let query = query.unwrap_or_default();
        let (_, url) = form_urlencoded::parse(query.as_bytes()).next().unwrap();
        url.replace('&', "&amp;")
    };
    let frame = async move |RawQuery(query): RawQuery| {
        let of = of(query);
        Html(format!("<title>Evil</title><iframe src=\"{of}\"></iframe>"))
    };
    let form = async move |RawQuery(query): RawQuery| {
        let of = of(query);
        Html(format!(
            "<title>Evil</title><form method=post action=\"{of}\">\
             <input name=form_token value={}><input name=decision value=allow>\
             <button type=submit>Win</button></form>",
            "A".repeat(43)
        ))
    };
    let back = async || Html("<title>Back at the app</title>");
    let router = Router::new()
        .route("/callback", get(back))
        .route("/frame", get(frame))
        .route("/form", get(form));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn capabilities(device: &str) -> Map<String, Value> {
    let screen = match device {
        // The first of Chromium's preferred colour schemes is the dark one.
        "phone" => "--blink-settings=preferredColorScheme=0",
        _ => "--window-size=1200,900",
    };
    let mut options = json!({ "args": ([Chromedriver::ARGUMENTS.as_slice(), &[screen]].concat()) });
    if device == "phone" {
        let screen = json!({ "width": 390, "height": 844, "pixelRatio": 2.0 });
        options["mobileEmulation"] = json!({ "deviceMetrics": screen });
    }
    Map::from_iter([("goog:chromeOptions".to_owned(), options)])
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .to_owned()
}
