//! What the rows about servers share: a server that was just started, and requests to it by hand.

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    Context, Control, Counterpart, Failure, Outcome, Server, ServerClient, ensure,
    wire::{self, Answer},
};

/// The pair of RFC 7636 appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The form of a client credentials request.
pub(super) const CLIENT_GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// A server under test.
pub(super) struct Tested {
    counterpart: Counterpart,
    server: Server,
}

impl Tested {
    pub(super) async fn start(cx: &Context) -> Result<Self, Failure> {
        let counterpart = cx.counterpart().await?;
        let server = counterpart.server().cloned();
        let server = server.ok_or_else(|| Failure::new("the counterpart names no server"))?;
        Ok(Self {
            counterpart,
            server,
        })
    }

    pub(super) fn control(&self) -> &Control {
        self.counterpart.control()
    }

    pub(super) fn base_url(&self) -> &str {
        self.counterpart.base_url()
    }

    /// Its paths and clients.
    pub(super) fn set(&self) -> &Server {
        &self.server
    }

    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        wire::post_form(self.base_url(), path, headers, form).await
    }

    /// A form as this client sends it: Basic, or without a secret its id in the form.
    pub(super) async fn post_as(
        &self,
        path: &str,
        client: &ServerClient,
        form: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        if client.secret.is_empty() {
            let form = [form, &[("client_id", client.id.as_str())]].concat();
            return self.post(path, &[], &form).await;
        }
        let basic = basic(&client.id, &client.secret);
        self.post(path, &[("Authorization", &basic)], form).await
    }

    pub(super) async fn token_as(
        &self,
        client: &ServerClient,
        form: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        self.post_as(&self.server.token, client, form).await
    }

    /// A token request that must succeed.
    pub(super) async fn tokens_as(
        &self,
        client: &ServerClient,
        form: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        granted("a good token request", &self.token_as(client, form).await?)
    }

    /// A body of these bytes under this content type, with the confidential client's Basic.
    pub(super) async fn token_body(
        &self,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<Answer, Failure> {
        let client = &self.server.confidential;
        let basic = basic(&client.id, &client.secret);
        let mut headers = vec![("Authorization", basic.as_str())];
        headers.extend(content_type.map(|value| ("Content-Type", value)));
        wire::request(self.base_url(), "POST", &self.server.token, &headers, body).await
    }

    /// A token of the client itself.
    pub(super) async fn client_token(&self, client: &ServerClient) -> Result<String, Failure> {
        let tokens = self
            .tokens_as(client, &[("grant_type", "client_credentials")])
            .await?;
        Ok(member(&tokens, "access_token")?.to_owned())
    }

    /// A code that the user consented to, for `read write`.
    pub(super) async fn code(&self, client: &ServerClient) -> Result<String, Failure> {
        let wanted = json!({
            "client_id": client.id,
            "redirect_uri": self.server.redirect_uri,
            "scope": "read write",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        });
        self.control().code(wanted).await
    }

    pub(super) async fn redeem(
        &self,
        client: &ServerClient,
        code: &str,
    ) -> Result<Answer, Failure> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.server.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        self.token_as(client, &form).await
    }

    /// Access and refresh token of a user, for `read write`.
    pub(super) async fn user_tokens(
        &self,
        client: &ServerClient,
    ) -> Result<(String, String), Failure> {
        let code = self.code(client).await?;
        pair(&granted("a good code", &self.redeem(client, &code).await?)?)
    }

    pub(super) async fn refresh(
        &self,
        client: &ServerClient,
        token: &str,
    ) -> Result<Answer, Failure> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.token_as(client, &form).await
    }

    pub(super) async fn introspect_as(
        &self,
        client: &ServerClient,
        token: &str,
    ) -> Result<Value, Failure> {
        let path = &self.server.introspection;
        granted(
            "an introspection",
            &self.post_as(path, client, &[("token", token)]).await?,
        )
    }

    /// What the resource server is told.
    pub(super) async fn introspect(&self, token: &str) -> Result<Value, Failure> {
        self.introspect_as(&self.server.resource_server, token)
            .await
    }

    pub(super) async fn is_active(&self, token: &str) -> Result<bool, Failure> {
        Ok(self.introspect(token).await?["active"] == true)
    }

    /// Fails for the first of these tokens that still lives.
    pub(super) async fn all_dead(&self, after: &str, tokens: &[&str]) -> Outcome {
        for (index, token) in tokens.iter().enumerate() {
            let active = self.is_active(token).await?;
            ensure!(
                !active,
                "after {after}, expected token {index} of {} inactive, got active",
                tokens.len()
            );
        }
        Ok(())
    }

    pub(super) async fn revoke(
        &self,
        client: &ServerClient,
        token: &str,
    ) -> Result<Answer, Failure> {
        self.post_as(&self.server.revocation, client, &[("token", token)])
            .await
    }

    /// The same token request this many times at once.
    pub(super) async fn race(
        &self,
        times: usize,
        client: &ServerClient,
        form: &[(&str, &str)],
    ) -> Result<Vec<Answer>, Failure> {
        join_all((0..times).map(|_| self.token_as(client, form)))
            .await
            .into_iter()
            .collect()
    }

    /// Fails unless the server still answers a good request.
    pub(super) async fn still_serves(&self) -> Outcome {
        self.client_token(&self.server.confidential)
            .await
            .map(|_| ())
    }
}

/// A token request with this `Authorization` header.
pub(super) async fn with_header(tested: &Tested, authorization: &str) -> Result<Answer, Failure> {
    tested
        .post(
            &tested.set().token,
            &[("Authorization", authorization)],
            &[CLIENT_GRANT],
        )
        .await
}

/// A token request with these credentials in the body.
pub(super) async fn with_body(tested: &Tested, id: &str, secret: &str) -> Result<Answer, Failure> {
    let form = [CLIENT_GRANT, ("client_id", id), ("client_secret", secret)];
    tested.post(&tested.set().token, &[], &form).await
}

/// Fails unless the answer names Basic as the way in.
pub(super) fn has_challenge(sent: &str, answer: &Answer) -> Outcome {
    let challenge = answer
        .header("www-authenticate")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let right = challenge.starts_with("basic ") && challenge.contains("realm=");
    ensure!(
        right,
        "sent {sent}, expected WWW-Authenticate: Basic with a realm, got {challenge:?}"
    );
    Ok(())
}

/// A Basic header with form-encoded halves (RFC 6749 §2.3.1).
pub(super) fn basic(id: &str, secret: &str) -> String {
    let encoded = |half: &str| form_urlencoded::byte_serialize(half.as_bytes()).collect::<String>();
    raw_basic(&format!("{}:{}", encoded(id), encoded(secret)))
}

/// A Basic header of this text as it is.
pub(super) fn raw_basic(credentials: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(credentials))
}

/// The text of a member.
pub(super) fn member<'v>(value: &'v Value, name: &str) -> Result<&'v str, Failure> {
    value[name]
        .as_str()
        .ok_or_else(|| Failure::new(format!("expected {name} as text, got {}", value[name])))
}

/// Access and refresh token of an answer.
pub(super) fn pair(tokens: &Value) -> Result<(String, String), Failure> {
    let text = |name| member(tokens, name).map(str::to_owned);
    Ok((text("access_token")?, text("refresh_token")?))
}

/// The JSON of a 200.
pub(super) fn granted(sent: &str, answer: &Answer) -> Result<Value, Failure> {
    ensure!(
        answer.status() == 200,
        "sent {sent}, expected 200, got {}",
        shown(answer)
    );
    answer.json()
}

/// Fails unless the answer is an error of RFC 6749 §5.2 with one of these statuses and codes.
pub(super) fn refused(sent: &str, answer: &Answer, statuses: &[u16], codes: &[&str]) -> Outcome {
    let got = shown(answer);
    let right = statuses.contains(&answer.status());
    ensure!(
        right,
        "sent {sent}, expected status {statuses:?}, got {got}"
    );
    let body = answer.json()?;
    let right = body["error"]
        .as_str()
        .is_some_and(|code| codes.contains(&code));
    ensure!(right, "sent {sent}, expected error {codes:?}, got {got}");
    ensure!(
        body.get("access_token").is_none(),
        "sent {sent}, expected no token in the error"
    );
    Ok(())
}

/// Status and body for a report, where no token belongs.
pub(super) fn shown(answer: &Answer) -> String {
    let text = answer.text();
    let has_token = ["access_token", "device_code"]
        .iter()
        .any(|name| text.contains(name));
    format!(
        "{} {}",
        answer.status(),
        if has_token { "and a token" } else { &text }
    )
}

/// The headers of RFC 6749 §5.1.
pub(super) fn is_json_not_stored(sent: &str, answer: &Answer) -> Outcome {
    let json = answer
        .header("content-type")
        .and_then(|value| value.split(';').next());
    ensure!(
        json == Some("application/json"),
        "sent {sent}, expected application/json, got {json:?}"
    );
    for (name, value) in [("cache-control", "no-store"), ("pragma", "no-cache")] {
        let got = answer.header(name);
        let right = got.is_some_and(|got| got.to_ascii_lowercase().contains(value));
        ensure!(right, "sent {sent}, expected {name}: {value}, got {got:?}");
    }
    Ok(())
}

/// Status, headers but the date, and body: what a stranger can tell two answers apart by.
pub(super) fn visible(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers().iter().filter(|(name, _)| name != "date");
    (answer.status(), headers.cloned().collect(), answer.text())
}

/// Fails unless exactly one of the answers is a 200; returns that one.
pub(super) fn only_success(sent: &str, answers: Vec<Answer>) -> Result<Answer, Failure> {
    let all = answers.len();
    let mut good: Vec<_> = answers
        .into_iter()
        .filter(|answer| answer.status() == 200)
        .collect();
    ensure!(
        good.len() == 1,
        "sent {sent} {all} times at once, expected 1 success, got {}",
        good.len()
    );
    good.pop().ok_or_else(|| Failure::new("no success"))
}
