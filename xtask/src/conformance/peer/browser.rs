//! A browser without scripts: it keeps cookies, follows redirects, and sends the forms it is shown.

use std::{collections::BTreeMap, fmt::Display};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use oauth_conformance::WatchedTransport;
use oauth_core::{Limits, Transport};
use url::Url;

/// A person's. Cookies go wherever it goes, which is one server.
pub(super) struct Browser {
    transport: WatchedTransport,
    cookies: BTreeMap<String, String>,
}

/// What it shows.
pub(super) struct Page {
    url: Url,
    html: String,
}

/// Where a click has led.
pub(super) enum Shown {
    Page(Page),
    /// Another site's address, which it doesn't open.
    Elsewhere(Url),
}

impl Browser {
    pub(super) fn new(transport: WatchedTransport) -> Self {
        Self {
            transport,
            cookies: BTreeMap::new(),
        }
    }

    pub(super) async fn open(&mut self, url: Url) -> Result<Shown, String> {
        self.go(Method::GET, url, Bytes::new()).await
    }

    /// Sends the page's form with its hidden fields and these.
    pub(super) async fn submit(
        &mut self,
        page: &Page,
        fields: &[(&str, &str)],
    ) -> Result<Shown, String> {
        let (action, body) = page.form(fields)?;
        let url = page.url.join(&action).map_err(text)?;
        self.go(Method::POST, url, body.into()).await
    }

    async fn go(&mut self, method: Method, url: Url, body: Bytes) -> Result<Shown, String> {
        let origin = url.origin();
        let (mut method, mut url, mut body) = (method, url, body);
        for _ in 0..10 {
            if url.origin() != origin {
                return Ok(Shown::Elsewhere(url));
            }
            let answer = self.send(method, &url, body).await?;
            let Some(location) = answer.headers().get(header::LOCATION) else {
                let html = String::from_utf8_lossy(answer.body()).into_owned();
                return match answer.status().is_success() {
                    true => Ok(Shown::Page(Page { url, html })),
                    false => Err(format!("{} shows {}", url.path(), answer.status())),
                };
            };
            let location = location.to_str().map_err(text)?;
            (method, url, body) = (Method::GET, url.join(location).map_err(text)?, Bytes::new());
        }
        Err("there are more than ten redirects".to_owned())
    }

    async fn send(
        &mut self,
        method: Method,
        url: &Url,
        body: Bytes,
    ) -> Result<Response<Bytes>, String> {
        let cookies: Vec<_> = self.cookies.iter().collect();
        let cookies = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(header::COOKIE, cookies.collect::<Vec<_>>().join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .map_err(text)?;
        let answer = self.transport.send(request, Limits::default()).await;
        let answer = answer.map_err(text)?;
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().map_err(text)?;
            let pair = cookie
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='));
            match pair.unwrap_or_default() {
                (name, "") => drop(self.cookies.remove(name)),
                (name, value) => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        Ok(answer)
    }
}

impl Page {
    pub(super) fn says(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// Where its form goes, and with what.
    fn form(&self, fields: &[(&str, &str)]) -> Result<(String, String), String> {
        let form = after(&self.html, "<form").ok_or_else(|| self.lacks("form"))?;
        let action = attribute(form, "action").ok_or_else(|| self.lacks("action"))?;
        let mut body = form_urlencoded::Serializer::new(String::new());
        for input in form.split("<input").skip(1) {
            if attribute(input, "type").as_deref() == Some("hidden") {
                let [name, value] = ["name", "value"].map(|name| attribute(input, name));
                body.append_pair(&name.unwrap_or_default(), &value.unwrap_or_default());
            }
        }
        body.extend_pairs(fields);
        Ok((action, body.finish()))
    }

    fn lacks(&self, what: &str) -> String {
        format!("the page at {} has no {what}", self.url.path())
    }
}

impl Shown {
    pub(super) fn page(self) -> Result<Page, String> {
        match self {
            Self::Page(page) => Ok(page),
            Self::Elsewhere(_) => Err("a page was to come, and a redirect came".to_owned()),
        }
    }

    /// The query that the client is called back with.
    pub(super) fn callback(self) -> Result<String, String> {
        match self {
            Self::Elsewhere(url) => Ok(url.query().unwrap_or_default().to_owned()),
            Self::Page(page) => Err(format!("the page at {} came", page.url.path())),
        }
    }
}

fn after<'a>(html: &'a str, tag: &str) -> Option<&'a str> {
    html.split_once(tag).map(|(_, rest)| rest)
}

/// An attribute of the tag whose inside `html` begins with.
fn attribute(html: &str, name: &str) -> Option<String> {
    let (tag, _) = html.split_once('>')?;
    let value = after(tag, &format!(" {name}=\""))?.split('"').next()?;
    Some(value.replace("&amp;", "&"))
}

fn text(error: impl Display) -> String {
    error.to_string()
}
