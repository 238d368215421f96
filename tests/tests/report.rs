//! The page of a conformance run, in a browser: offline, by clicks and by the keyboard, on a phone.
//!
//! It needs Debian's `chromium` and `chromium-driver`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{sync::Arc, time::Duration};

use fantoccini::{Client, ClientBuilder, Locator, key::Key};
use hyper_util::client::legacy::connect::HttpConnector;
use oauth_conformance::{Credentials, Run, Target, html};
use oauth_core::{Endpoints, Error, GenericProvider, Provider};
use serde_json::{Value, json};
use test_servers::Chromedriver;

/// A provider; with `refusals` of its own it fails the rows about those of the RFC.
#[derive(Debug)]
struct Mine {
    name: &'static str,
    refuses: bool,
}

impl Target for Mine {
    fn name(&self) -> &str {
        self.name
    }

    fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
        let endpoints = Endpoints::new(&format!("{base_url}/token"))?;
        Ok(Arc::new(GenericProvider::new(endpoints)))
    }

    fn credentials(&self) -> Credentials {
        Credentials::new("svc", "svc-secret")
    }

    fn token_answer(&self, access_token: &str) -> Value {
        let name = if self.refuses {
            "token"
        } else {
            "access_token"
        };
        json!({name: access_token, "token_type": "Bearer", "expires_in": 3600})
    }
}

async fn open(chromedriver: &Chromedriver, more: &[&str]) -> Client {
    let offline = ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"];
    let arguments = [Chromedriver::ARGUMENTS.as_slice(), &offline, more].concat();
    let options = json!({"args": arguments});
    let capabilities = serde_json::Map::from_iter([("goog:chromeOptions".to_owned(), options)]);
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    let connected = builder.connect(&chromedriver.url()).await;
    connected.expect("a browser; install Debian's chromium and chromium-driver")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_leads_from_the_matrix_to_the_bytes() {
    let targets: Vec<Arc<dyn Target>> = vec![
        Arc::new(Mine {
            name: "good",
            refuses: false,
        }),
        Arc::new(Mine {
            name: "bad one",
            refuses: true,
        }),
    ];
    let report = Run::new(targets).start(|_| {}).await.unwrap();
    let in_b1 = |id: &str| {
        report
            .catalogue
            .get(id)
            .is_some_and(|row| row.group_id() == "B1")
    };
    let mut events = report.events.iter();
    let failed = events.find(|event| {
        event.target == "bad one" && event.status.word() == "failed" && in_b1(event.id)
    });
    let failed = failed.unwrap().id;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, html(&report).unwrap()).unwrap();
    let address = format!("file://{}", file.display());
    let chromedriver = Chromedriver::start().unwrap();
    let browser = open(&chromedriver, &[]).await;
    let seen = look(&browser, &address, failed).await;
    // Before the verdict: a browser that nobody closes stays.
    browser.close().await.unwrap();
    let browser = open(&chromedriver, &["--blink-settings=preferredColorScheme=0"]).await;
    let dark = look_in_the_dark(&browser, &address).await;
    browser.close().await.unwrap();
    seen.unwrap();
    dark.unwrap();
}

/// `failed` is the id of a row that failed on the second target.
async fn look(
    browser: &Client,
    address: &str,
    failed: &str,
) -> Result<(), fantoccini::error::CmdError> {
    browser.goto(address).await?;
    let heading = browser.find(Locator::Css("h1")).await?.text().await?;
    assert_eq!(heading, "OAuth conformance");
    let cells = browser.find_all(Locator::Css("td a")).await?;
    assert!(cells.len() > 10, "{} cells", cells.len());

    // A cell opens its rows, a row what it is about.
    let row = browser
        .find(Locator::Id(&format!("{failed}-bad_one")))
        .await?;
    assert!(
        !row.is_displayed().await?,
        "the rows are open from the start"
    );
    let cell = browser
        .find(Locator::Css("td a[href^='#B1'][href$='bad_one']"))
        .await?;
    assert!(cell.text().await?.contains("failed"));
    cell.click().await?;
    browser
        .wait()
        .at_most(Duration::from_secs(10))
        .for_element(Locator::Css("details.rows[open]"))
        .await?;
    row.find(Locator::Css("summary")).await?.click().await?;
    let text = row.text().await?;
    for wanted in [
        "failed",
        failed,
        "MUST",
        "Required",
        "Seen",
        "POST /token HTTP/1.1",
        "HTTP/1.1 200",
    ] {
        assert!(text.contains(wanted), "no {wanted} in {text}");
    }
    assert!(
        text.contains("[secret 1]") && !text.contains("c3ZjOnN2Yy1zZWNyZXQ"),
        "{text}"
    );
    let section = row.find(Locator::Css("dd a[href*='#section-']")).await?;
    let link = section.attr("href").await?.unwrap_or_default();
    assert!(
        link.starts_with("https://www.rfc-editor.org/rfc/rfc6749#section-"),
        "{link}"
    );

    // The same without a mouse: an address opens what it names and puts the focus there.
    browser.goto("about:blank").await?;
    browser.goto(&format!("{address}#RSP-03-good")).await?;
    let row = browser.find(Locator::Id("RSP-03-good")).await?;
    assert!(row.is_displayed().await? && row.attr("open").await?.is_some());
    let wait = browser.wait().at_most(Duration::from_secs(10));
    wait.for_element(Locator::Css("summary:focus")).await?;
    let focused = browser.active_element().await?;
    focused.send_keys(&Key::Enter.to_string()).await?;
    assert!(
        row.attr("open").await?.is_none(),
        "Enter does not close the row"
    );

    // A phone: nothing is wider than the window.
    browser.set_window_size(400, 800).await?;
    browser.goto("about:blank").await?;
    browser.goto(&format!("{address}#{failed}-bad_one")).await?;
    let open = format!("[id='{failed}-bad_one'][open] pre");
    let wait = browser.wait().at_most(Duration::from_secs(10));
    let bytes = wait.for_element(Locator::Css(&open)).await?;
    assert!(bytes.is_displayed().await?, "no bytes are open");
    let overflow =
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.execute(overflow, Vec::new()).await?, json!(0));
    // Nothing was loaded, nothing complained about an unknown id, and no script failed.
    let loaded = "return performance.getEntriesByType('resource').length";
    assert_eq!(browser.execute(loaded, Vec::new()).await?, json!(0));
    let twice = "const ids = [...document.querySelectorAll('[id]')].map((e) => e.id); return ids.length - new Set(ids).size";
    assert_eq!(browser.execute(twice, Vec::new()).await?, json!(0));
    let background = "return getComputedStyle(document.body).backgroundColor";
    let light = browser.execute(background, Vec::new()).await?;
    assert_eq!(light, json!("rgb(255, 255, 255)"));
    Ok(())
}

/// In the dark the page is dark, and what is written on it has the contrast of WCAG 2.2 (4.5:1).
async fn look_in_the_dark(
    browser: &Client,
    address: &str,
) -> Result<(), fantoccini::error::CmdError> {
    browser.goto(address).await?;
    let dark = "return matchMedia('(prefers-color-scheme: dark)').matches";
    assert_eq!(browser.execute(dark, Vec::new()).await?, json!(true));
    let worst = r"
        const light = (text) => {
          const [r, g, b] = text.match(/[0-9.]+/g).map((part) => {
            const value = part / 255;
            return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const back = (element) => {
          for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (!colour.startsWith('rgba(0, 0, 0, 0')) return light(colour);
          }
          return 1;
        };
        let worst = 21;
        for (const element of document.querySelectorAll('h1, h2, p, a, th, td, li, summary, dd, pre')) {
          const [a, b] = [light(getComputedStyle(element).color), back(element)].sort();
          worst = Math.min(worst, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
        }
        return [worst, back(document.body)];";
    let seen = browser.execute(worst, Vec::new()).await?;
    let (contrast, back) = (seen[0].as_f64().unwrap(), seen[1].as_f64().unwrap());
    assert!(contrast >= 4.5, "the worst contrast is {contrast}");
    assert!(back < 0.05, "the page is not dark: {back}");
    Ok(())
}
