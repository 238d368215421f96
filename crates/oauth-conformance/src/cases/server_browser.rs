//! A browser by hand, for the rows about pages: it keeps cookies and sends the forms it is shown.

use std::collections::BTreeMap;

use serde_json::json;

use super::server::{CHALLENGE, Tested, granted, member};
use crate::{
    Failure, Outcome, ServerClient, ensure,
    wire::{self, Answer},
};

/// The person of the demo set-up.
pub(super) const USERNAME: &str = "demo";
pub(super) const PASSWORD: &str = "demo";

/// One person's browser at the server under test.
pub(super) struct Browser<'t> {
    tested: &'t Tested,
    cookies: BTreeMap<String, String>,
}

impl<'t> Browser<'t> {
    /// At a server that shows its pages.
    pub(super) async fn start(tested: &'t Tested) -> Result<Self, Failure> {
        let pages = json!({ "pages": true });
        tested.control().post("switches", &pages).await?;
        Ok(Self::new(tested))
    }

    pub(super) fn new(tested: &'t Tested) -> Self {
        Self {
            tested,
            cookies: BTreeMap::new(),
        }
    }

    pub(super) async fn get(&mut self, target: &str) -> Result<Page, Failure> {
        self.send("GET", target, &[], "").await
    }

    /// Sends a form as a page of the server itself does.
    pub(super) async fn post(
        &mut self,
        target: &str,
        fields: &[(String, String)],
    ) -> Result<Page, Failure> {
        let origin = self.tested.base_url().to_owned();
        self.post_with(target, fields, &[("Origin", &origin)]).await
    }

    pub(super) async fn post_with(
        &mut self,
        target: &str,
        fields: &[(String, String)],
        headers: &[(&str, &str)],
    ) -> Result<Page, Failure> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        self.send("POST", target, &[headers, &[form]].concat(), &body)
            .await
    }

    /// Fills the page's form in and sends it.
    pub(super) async fn submit(
        &mut self,
        page: &Page,
        fields: &[(&str, &str)],
    ) -> Result<Page, Failure> {
        let (action, fields) = page.filled(fields)?;
        self.post(&action, &fields).await
    }

    /// Fills the login page in, and follows to what comes after it.
    pub(super) async fn log_in(&mut self, login: &Page) -> Result<Page, Failure> {
        let fields = [("username", USERNAME), ("password", PASSWORD)];
        let sent = self.submit(login, &fields).await?;
        let to = sent.redirect("a login")?.to_owned();
        self.get(&to).await
    }

    async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Page, Failure> {
        let target = target
            .strip_prefix(self.tested.base_url())
            .unwrap_or(target);
        let pairs = self.cookies.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = pairs.join("; ");
        let mut headers = headers.to_vec();
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        let base_url = self.tested.base_url();
        let answer = wire::request(base_url, method, target, &headers, body.as_bytes()).await?;
        let set = answer.headers().iter();
        for (_, cookie) in set.filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            for attribute in ["HttpOnly", "SameSite", "Path=/"] {
                ensure!(
                    attributes.contains(attribute),
                    "was given the cookie {name}, expected {attribute}, got {attributes}"
                );
            }
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(Page(answer))
    }
}

/// What a browser is shown, or where it is sent.
pub(super) struct Page(pub(super) Answer);

impl Page {
    pub(super) fn html(&self) -> String {
        self.0.text()
    }

    /// Where it leads after a form: 303, or 302 as some servers do (RFC 9700 §4.12).
    pub(super) fn redirect(&self, sent: &str) -> Result<&str, Failure> {
        let location = self.0.header("location").unwrap_or_default();
        let right = matches!(self.0.status(), 302 | 303) && !location.is_empty();
        ensure!(
            right,
            "sent {sent}, expected 303, got {} {}",
            self.0.status(),
            text(&self.html())
        );
        Ok(location)
    }

    /// Fails unless it is a page with this status and this text in it, and leads nowhere.
    pub(super) fn shows(&self, sent: &str, status: u16, words: &str) -> Outcome {
        let shown = text(&self.html());
        let right = self.0.status() == status
            && shown.contains(words)
            && self.0.header("location").is_none();
        ensure!(
            right,
            "sent {sent}, expected {status} and a page with {words:?}, got {} {shown:?}",
            self.0.status()
        );
        Ok(())
    }

    /// Where the page's form goes, and all its fields with these filled in.
    pub(super) fn filled(
        &self,
        fields: &[(&str, &str)],
    ) -> Result<(String, Vec<(String, String)>), Failure> {
        let html = self.html();
        let no_form = || Failure::new(format!("expected a form, got {:?}", text(&html)));
        let form = html.split_once("<form").ok_or_else(no_form)?.1;
        let form = form.split("</form>").next().unwrap_or_default();
        let action = attribute(form, "action").ok_or_else(no_form)?;
        let mut all: Vec<(String, String)> = form
            .split("<input ")
            .skip(1)
            .filter_map(|input| {
                let input = input.split('>').next()?;
                let value = attribute(input, "value").unwrap_or_default();
                Some((attribute(input, "name")?, value))
            })
            .collect();
        all.retain(|(name, _)| !fields.iter().any(|(other, _)| other == name));
        let fields = fields.iter();
        all.extend(fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Ok((action, all))
    }
}

/// The query of a good authorization request of this client.
pub(super) fn authorization(tested: &Tested, client: &ServerClient, state: &str) -> String {
    let set = tested.set();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", &client.id)
        .append_pair("redirect_uri", &set.redirect_uri)
        .append_pair("scope", "read write")
        .append_pair("state", state)
        .append_pair("code_challenge", CHALLENGE)
        .append_pair("code_challenge_method", "S256")
        .finish();
    format!("{}?{query}", set.authorization)
}

/// A parameter of the address a browser was sent to.
pub(super) fn parameter(location: &str, name: &str) -> Option<String> {
    let query = location.split_once('?')?.1;
    let mut pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

/// A device authorization: its device code and user code.
pub(super) async fn device(
    tested: &Tested,
    client: &ServerClient,
) -> Result<(String, String), Failure> {
    let path = &tested.set().device_authorization;
    let answer = tested.post_as(path, client, &[("scope", "read")]).await?;
    let started = granted("a device authorization", &answer)?;
    let text = |name| member(&started, name).map(str::to_owned);
    Ok((text("device_code")?, text("user_code")?))
}

/// The value of an attribute, its character references resolved.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    Some(plain(rest.split_once('"')?.0))
}

/// What a person reads: everything but tags and style.
pub(super) fn text(html: &str) -> String {
    let body = html.split_once("</style>").map_or(html, |(_, body)| body);
    let pieces = body
        .split('<')
        .enumerate()
        .map(|(index, piece)| match index {
            0 => piece,
            _ => piece.split_once('>').map_or("", |(_, after)| after),
        });
    let words = pieces.collect::<Vec<_>>().join(" ");
    plain(&words.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn plain(text: &str) -> String {
    [
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#60;", "<"),
        ("&lt;", "<"),
        ("&#62;", ">"),
        ("&gt;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
