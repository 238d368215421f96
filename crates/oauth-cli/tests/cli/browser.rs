//! `oauth login` with Chromium for a browser. Pictures of what a person sees are in
//! `target/screenshots` afterwards.

use std::path::Path;

use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use test_servers::Chromedriver;
use url::Url;

use crate::{
    login::{device_login, device_login_of, login, started},
    program::{Running, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_log_in() {
    let chromedriver = Chromedriver::start().unwrap();
    let options = json!({ "args": Chromedriver::ARGUMENTS });
    let capabilities = Map::from_iter([("goog:chromeOptions".to_owned(), options)]);
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    let connected = builder.connect(&chromedriver.url()).await;
    let driver = connected.expect("a browser; install Debian's chromium and chromium-driver");
    let browser = Browser(driver.clone());
    let outcome = tokio::spawn(async move {
        let demo = Running::start("serve --demo --listen 127.0.0.1:0");
        browser.sign_in(demo.text("issuer")).await;
        browser.deny(demo.text("issuer")).await;
        browser.connect_a_device(demo.text("issuer")).await;
        browser.with_a_secret(demo.text("issuer")).await;
    });
    let outcome = outcome.await;
    // Before the verdict: a browser that nobody closes stays.
    driver.close().await.unwrap();
    outcome.unwrap();
}

struct Browser(Client);

impl Browser {
    async fn sign_in(&self, issuer: &str) {
        let more = "--scope read --scope openid --scope offline_access --subject ada";
        let login = login(issuer, more);
        let callback = login.redirect_uri();

        // The answer to a login that somebody else began, and a page that is none.
        let mut other = callback.clone();
        other.set_query(Some("code=PLANTED&state=PLANTED"));
        self.goto(&other).await;
        let page = self.shows("This answer was not used", "wrong-state").await;
        assert!(!page.contains("PLANTED"), "{page}");
        other.set_path("/");
        self.goto(&other).await;
        self.shows("Nothing here", "nothing").await;

        self.goto(&login.address).await;
        self.find("#username")
            .await
            .send_keys("demo")
            .await
            .unwrap();
        self.find("#password")
            .await
            .send_keys("demo")
            .await
            .unwrap();
        self.press("button[type=submit]").await;
        self.press("button[value=allow]").await;
        let page = self.shows("Back to the terminal", "signed-in").await;
        let url = self.0.current_url().await.unwrap();
        assert_eq!(
            (url.host_str(), url.port(), url.path()),
            (Some("127.0.0.1"), callback.port(), "/callback")
        );

        let (exit, out, err, world) = login.end();
        assert_eq!(exit, 0, "{err}");
        let token: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(token["scopes"], json!(["offline_access", "openid", "read"]));
        let kept = kept(&world);
        assert_eq!(kept["access_token"], token["access_token"]);
        let code = url
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1;
        for secret in [
            kept["access_token"].as_str().unwrap(),
            kept["refresh_token"].as_str().unwrap(),
        ] {
            assert!(!page.contains(secret) && !url.as_str().contains(secret));
            assert!(!err.contains(secret), "{err}");
        }
        assert!(!page.contains(&*code), "{page}");
        let gone = std::net::TcpStream::connect(("127.0.0.1", callback.port().unwrap()));
        assert!(gone.is_err(), "somebody still listens");
    }

    /// The server remembers who has signed in, so there is only the consent.
    async fn deny(&self, issuer: &str) {
        let login = login(issuer, "--scope write");
        self.goto(&login.address).await;
        self.press("button[value=deny]").await;
        self.shows("Not signed in", "not-signed-in").await;
        let (exit, out, err, world) = login.end();
        assert_eq!((exit, &*out), (10, ""), "{err}");
        assert!(err.contains("access_denied"), "{err}");
        assert_eq!(world.run("tokens list").succeeded().out, "");
    }

    async fn connect_a_device(&self, issuer: &str) {
        let (device, code, complete) = device_login(issuer, "--subject ada --output json");
        let complete = complete.parse().unwrap();
        self.goto(&complete).await;
        let shown = self.find("#user_code").await;
        assert_eq!(shown.prop("value").await.unwrap(), Some(code));
        self.press("button[type=submit]").await;
        self.press("button[value=allow]").await;
        self.is_at("Device connected").await;
        let (exit, out, err, world) = device.end();
        assert_eq!(exit, 0, "{err}");
        let token: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(kept(&world)["access_token"], token["access_token"]);
    }

    /// The demo's confidential client, in both ways.
    async fn with_a_secret(&self, issuer: &str) {
        let secret = [("OAUTH_CLIENT_SECRET", "svc-secret")];
        let arguments = format!(
            "login --issuer {issuer} --client-id svc --scope admin --no-browser --output json"
        );
        let login = started(&arguments, &secret);
        self.goto(&login.address).await;
        self.press("button[value=allow]").await;
        self.is_at("Back to the terminal").await;
        let (exit, out, err, _) = login.end();
        assert_eq!(exit, 0, "{err}");
        let token: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(token["scopes"], json!(["admin"]));

        let (device, _, complete) = device_login_of("svc", &secret, issuer, "--output json");
        self.goto(&complete.parse().unwrap()).await;
        self.press("button[type=submit]").await;
        self.press("button[value=allow]").await;
        self.is_at("Device connected").await;
        let (exit, out, err, _) = device.end();
        assert_eq!(exit, 0, "{err}");
        assert!(out.contains("access_token"), "{out}");
    }

    async fn goto(&self, url: &Url) {
        self.0.goto(url.as_str()).await.unwrap();
    }

    async fn press(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    async fn find(&self, css: &str) -> Element {
        let found = self.0.wait().for_element(Locator::Css(css));
        found.await.unwrap()
    }

    /// The browser may still be on its way there.
    async fn is_at(&self, title: &str) {
        let there = format!("//title[.=\"{title}\"]");
        let found = self.0.wait().for_element(Locator::XPath(&there));
        if found.await.is_err() {
            panic!("{title}, not {:?}", self.0.title().await);
        }
    }

    /// The source of this page, of which a picture is kept: on a desk, and as wide as a phone.
    async fn shows(&self, title: &str, picture: &str) -> String {
        self.is_at(title).await;
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let folder = target.join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        for (device, width) in [("phone", 500), ("desk", 1200)] {
            self.0.set_window_size(width, 800).await.unwrap();
            let fits = "return document.documentElement.scrollWidth <= window.innerWidth";
            let fits = self.0.execute(fits, Vec::new()).await.unwrap();
            assert_eq!(fits, true, "{title} is too wide for a {device}");
            let shown = self.0.screenshot().await.unwrap();
            std::fs::write(folder.join(format!("cli-{picture}-{device}.png")), shown).unwrap();
        }
        // Nothing was loaded, from us or from anybody else.
        let loaded = "return performance.getEntriesByType('resource').length";
        assert_eq!(self.0.execute(loaded, Vec::new()).await.unwrap(), json!(0));
        self.0.source().await.unwrap()
    }
}

/// The one stored token, secrets and all.
fn kept(world: &World) -> Value {
    let shown = world.run("tokens show --show-secrets --output json");
    let mut shown = shown.succeeded().json();
    let all = shown.as_array_mut().unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}
