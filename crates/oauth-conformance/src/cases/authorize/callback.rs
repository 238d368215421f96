//! A1, second half: the callback, and the exchange of its code.

use std::time::Duration;

use oauth_core::{
    Capability::Pkce, Client, ErrorCode, ErrorKind, Limits, PendingAuthorization, RetryPolicy,
    Token, grant::AuthorizationCode,
};

use super::{begin, once, pkce::verifier};
use crate::{
    Context, Failure, Outcome, Received, Reply, ScriptedServer,
    cases::{client_authentication::presented, transport::arrived},
    ensure,
};

/// A flow up to the moment at which the user comes back.
struct Flow {
    server: ScriptedServer,
    client: Client,
    pending: PendingAuthorization,
    state: String,
}

async fn flow(cx: &Context) -> Result<Flow, Failure> {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx.client(server.base_url())?;
    let (url, pending) = begin(cx, &client)?;
    let state = once(&url, "state")?;
    Ok(Flow {
        server,
        client,
        pending,
        state,
    })
}

impl Flow {
    /// A callback that must be refused as not being one, with nothing sent.
    fn refuse(&mut self, callback: &str) -> Outcome {
        match self.pending.accept(callback) {
            Err(error) if error.kind() == ErrorKind::Protocol => {}
            other => ensure!(
                false,
                "the callback was {callback}, expected a protocol error, got {other:?}"
            ),
        }
        let sent = self.server.received().len();
        ensure!(
            sent == 0,
            "the callback was {callback}, expected no token request, got {sent}"
        );
        Ok(())
    }

    /// The callback of the flow's real owner, to the end.
    async fn complete(&mut self) -> Outcome {
        let callback = format!("code=owners-code&state={}", self.state);
        let token = self
            .client
            .exchange(&self.pending.accept(&callback)?)
            .await?;
        let received = self.server.received();
        let codes: Vec<_> = received
            .iter()
            .map(|request| request.param("code"))
            .collect();
        ensure!(
            codes == [Some("owners-code".to_owned())],
            "expected the owner's code once, got {codes:?}"
        );
        ensure!(
            token.access_token().expose_secret() == "conformance-access-token",
            "expected the token of the answer, got another"
        );
        Ok(())
    }
}

pub(super) async fn foreign_state(cx: Context) -> Outcome {
    let mut flow = flow(&cx).await?;
    let state = flow.state.clone();
    let (first, rest) = state.split_at(1);
    let other = if first == "A" { "B" } else { "A" };
    let (most, last) = state.split_at(state.len() - 1);
    let another = if last == "A" { "B" } else { "A" };
    for wrong in [
        format!("{other}{rest}"),
        format!("{most}{another}"),
        most.to_owned(),
        format!("{state}A"),
        format!("{state}%00"),
        state.to_ascii_uppercase(),
        String::new(),
    ] {
        flow.refuse(&format!("code=stolen&state={wrong}"))?;
    }
    flow.refuse("code=stolen")?;
    let redirect_uri = cx.credentials().redirect_uri;
    flow.refuse(&format!("{redirect_uri}?code=stolen#state={state}"))?;
    flow.complete().await
}

pub(super) async fn refused_by_the_user(cx: Context) -> Outcome {
    let mut flow = flow(&cx).await?;
    let refusal = "error=access_denied&error_description=The+user+said+no";
    flow.refuse(refusal)?;
    flow.refuse(&format!("{refusal}&state=forged"))?;
    if flow.client.provider().endpoints().issuer().is_some() {
        let state = &flow.state;
        flow.refuse(&format!(
            "{refusal}&state={state}&iss=https%3A%2F%2Fevil.example"
        ))?;
    }
    match flow
        .pending
        .accept(&format!("{refusal}&state={}", flow.state))
    {
        Err(error) if error.code() == Some(&ErrorCode::AccessDenied) => ensure!(
            error.kind() == ErrorKind::OAuth,
            "the callback was {refusal}, expected an OAuth error, got {:?}",
            error.kind()
        ),
        other => ensure!(
            false,
            "the callback was {refusal}, expected access_denied, got {other:?}"
        ),
    }
    let sent = flow.server.received().len();
    ensure!(
        sent == 0,
        "the callback was {refusal}, expected no token request, got {sent}"
    );
    Ok(())
}

pub(super) async fn a_parameter_twice(cx: Context) -> Outcome {
    let mut flow = flow(&cx).await?;
    let state = flow.state.clone();
    for callback in [
        format!("code=one&code=two&state={state}"),
        format!("code=one&code=one&state={state}"),
        format!("code=one&state={state}&state={state}"),
        format!("code=one&state=forged&state={state}"),
        format!("code=one&state={state}&%63ode=two"),
        format!("code=one&error=access_denied&state={state}"),
        format!("error=access_denied&error=server_error&state={state}"),
        format!("state={state}"),
        format!("code=&state={state}"),
    ] {
        flow.refuse(&callback)?;
    }
    flow.complete().await
}

pub(super) async fn replayed(cx: Context) -> Outcome {
    let mut done = flow(&cx).await?;
    done.complete().await?;
    let callback = format!("code=owners-code&state={}", done.state);
    let again = done.pending.accept(&callback);
    ensure!(
        again.is_err(),
        "sent a callback again, expected it to be refused, got {again:?}"
    );
    // What a session kept of it is consumed as well.
    let mut kept = PendingAuthorization::from_json(&done.pending.to_json())?;
    let again = kept.accept(&callback);
    ensure!(
        again.is_err(),
        "sent a callback to a kept record, expected it refused, got {again:?}"
    );
    let sent = done.server.received().len();
    ensure!(
        sent == 1,
        "sent a callback twice, expected one token request, got {sent}"
    );

    let mut denied = flow(&cx).await?;
    let state = denied.state.clone();
    let refusal = denied
        .pending
        .accept(&format!("error=access_denied&state={state}"));
    ensure!(
        refusal.is_err(),
        "sent access_denied, expected an error, got {refusal:?}"
    );
    let later = denied.pending.accept(&format!("code=late&state={state}"));
    ensure!(
        later.is_err(),
        "sent a code after a refusal, expected it refused, got {later:?}"
    );
    Ok(())
}

/// That a code exchange has these parameters, each once, and of the others at most the client's.
fn ensure_exchange(request: &Received, expected: &[(&str, &str)]) -> Outcome {
    let params = request.params();
    for (name, value) in expected {
        let got: Vec<_> = params.iter().filter(|(have, _)| have == name).collect();
        ensure!(
            got.len() == 1 && got[0].1 == *value,
            "expected {name}={value} once, got {} of it",
            got.len()
        );
    }
    let client = ["client_id", "client_secret"];
    let known =
        |name: &str| client.contains(&name) || expected.iter().any(|(have, _)| *have == name);
    let more: Vec<_> = params
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !known(name))
        .collect();
    ensure!(
        more.is_empty(),
        "expected nothing else in a code exchange, got {more:?}"
    );
    Ok(())
}

pub(super) async fn code_exchange(cx: Context) -> Outcome {
    let own = cx.credentials();
    let mut confidential = flow(&cx).await?;
    let code_verifier = verifier(&confidential.pending)?;
    confidential.complete().await?;
    let whole = [
        ("grant_type", "authorization_code"),
        ("code", "owners-code"),
        ("redirect_uri", &own.redirect_uri),
        ("code_verifier", &code_verifier),
    ];
    let received = confidential.server.received();
    ensure_exchange(&received[0], &whole)?;
    let client = presented(&received[0]);
    ensure!(
        client
            .as_ref()
            .is_some_and(|(id, secret)| *id == own.client_id && secret.is_some()),
        "expected the client to authenticate, got {:?}",
        client.map(|(id, _)| id)
    );

    // Without a redirect URI in the request there is none in the exchange.
    let bare = flow(&cx).await?;
    bare.client
        .exchange(&AuthorizationCode::new("a-code"))
        .await?;
    ensure_exchange(
        &bare.server.received()[0],
        &[("grant_type", "authorization_code"), ("code", "a-code")],
    )?;

    let public = own
        .public_client_id
        .filter(|_| confidential.client.provider().capabilities().contains(Pkce));
    if let Some(id) = public {
        let server = cx
            .scripted([cx.token_reply("conformance-access-token")])
            .await?;
        let client = cx.public_client(server.base_url())?;
        let (url, mut pending) = begin(&cx, &client)?;
        let own_verifier = verifier(&pending)?;
        let state = once(&url, "state")?;
        client
            .exchange(&pending.accept(&format!("code=owners-code&state={state}"))?)
            .await?;
        let mut whole = whole.to_vec();
        whole[3].1 = &own_verifier;
        whole.push(("client_id", &id));
        let received = server.received();
        ensure_exchange(&received[0], &whole)?;
        ensure!(
            received[0].header("authorization").is_none(),
            "a public client exchanged a code, expected no Authorization header, got one"
        );
    }
    Ok(())
}

pub(super) async fn code_sent_once(cx: Context) -> Outcome {
    let default = Limits::default();
    let short = default.with_total(Duration::from_secs(1));
    for (reply, limits) in [
        (Reply::close(), default),
        (Reply::silence(), short),
        (Reply::new(503).header("Retry-After", "1"), default),
        (Reply::new(429).header("Retry-After", "1"), default),
        (Reply::new(500), default),
        (
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{\"access_"),
            default,
        ),
    ] {
        let sent = format!("{reply:?}");
        let server = cx
            .scripted([reply, cx.token_reply("conformance-access-token")])
            .await?;
        let eager = RetryPolicy::default().with_replay_refresh(true);
        let client = cx
            .builder(server.base_url())?
            .limits(limits)
            .retry(eager)
            .build()?;
        let result = client.exchange(&AuthorizationCode::new("a-code")).await;
        ensure!(
            result.is_err(),
            "sent {sent}, expected an error, got {result:?}"
        );
        arrived(&server, 1).await?;
        let count = server.received().len();
        ensure!(
            count == 1,
            "sent {sent}, expected the code to be sent once, got {count} times"
        );
    }
    Ok(())
}
