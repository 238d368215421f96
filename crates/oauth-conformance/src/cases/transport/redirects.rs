//! Redirects: followed to no host at all.

use oauth_core::{AccessToken, Capability, Client, Error, ErrorKind, ReqwestTransport};
use reqwest::redirect::Policy;

use crate::{Context, Failure, Outcome, Reply, ensure};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// What each endpoint of the target's provider makes of the answer it gets.
async fn errors(
    cx: &Context,
    client: &Client,
) -> Result<Vec<(&'static str, Option<Error>)>, Failure> {
    let can = |capability| client.provider().capabilities().contains(capability);
    let token = AccessToken::new("planted-access-token")?;
    let mut errors = vec![("token", cx.ask(client).await.err())];
    if can(Capability::Revocation) {
        errors.push(("revocation", client.revoke(&token).await.err()));
    }
    if can(Capability::Introspection) {
        let answer = client
            .introspect(&"planted-access-token".into(), None)
            .await;
        errors.push(("introspection", answer.err()));
    }
    if can(Capability::DeviceCode) {
        errors.push((
            "device authorization",
            client.device_authorization(None).await.err(),
        ));
    }
    if can(Capability::UserInfo) {
        errors.push(("userinfo", client.userinfo(&token).await.err()));
    }
    Ok(errors)
}

fn redirect(status: u16, location: &str) -> Reply {
    Reply::new(status).header("Location", location)
}

fn ensure_refused(status: u16, errors: &[(&str, Option<Error>)]) -> Outcome {
    for (endpoint, error) in errors {
        ensure!(
            error
                .as_ref()
                .is_some_and(|error| error.kind() == ErrorKind::Protocol),
            "sent {status} from the {endpoint} endpoint, expected a protocol error, got {error:?}"
        );
        let text = format!(
            "{} {error:?}",
            error.as_ref().map(Error::to_string).unwrap_or_default()
        );
        ensure!(
            !text.contains("planted"),
            "sent {status} from the {endpoint} endpoint, expected no path or query in the error, got {text}"
        );
    }
    Ok(())
}

pub(in crate::cases) async fn not_followed(cx: Context) -> Outcome {
    for status in STATUSES {
        let elsewhere = cx.scripted([cx.token_reply("planted-elsewhere")]).await?;
        let location = format!("{}/planted?planted=1", elsewhere.base_url());
        let server = cx.scripted([redirect(status, &location)]).await?;
        let answers = errors(&cx, &cx.client(server.base_url())?).await?;
        ensure_refused(status, &answers)?;
        for (endpoint, error) in &answers {
            let text = error.as_ref().map(Error::to_string).unwrap_or_default();
            ensure!(
                text.contains(&status.to_string()) && text.contains("127.0.0.1"),
                "sent {status} from the {endpoint} endpoint, expected an error with status and host, got {text}"
            );
        }
        let (asked, count) = (server.received().len(), answers.len());
        ensure!(
            asked == count,
            "sent {status}, expected {count} requests, got {asked}"
        );
        let came = elsewhere.received().len();
        ensure!(
            came == 0,
            "sent {status} to another server, expected nothing there, got {came} requests"
        );

        // The same host is no reason to follow either.
        for location in ["/planted", "planted?planted=1", ""] {
            let server = cx
                .scripted([
                    redirect(status, location),
                    cx.token_reply("conformance-access-token"),
                ])
                .await?;
            let result = cx.ask(&cx.client(server.base_url())?).await;
            let error = result.err();
            ensure_refused(status, &[("token", error)])?;
            let count = server.received().len();
            ensure!(
                count == 1,
                "sent {status} to {location:?}, expected one request, got {count}"
            );
        }
    }
    followed_by_the_http_client()
}

/// An HTTP client of the caller's that follows redirects is none for these requests.
fn followed_by_the_http_client() -> Outcome {
    let build = |builder: reqwest::ClientBuilder| {
        let client = builder.no_proxy().build();
        client.map_err(|_| Failure::new("the HTTP client cannot be built"))
    };
    for policy in [Policy::default(), Policy::limited(1)] {
        let follows = build(reqwest::Client::builder().redirect(policy))?;
        let result = ReqwestTransport::from_client(follows);
        let refused = result
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::Usage);
        ensure!(
            refused,
            "gave an HTTP client that follows redirects, expected a usage error, got {result:?}"
        );
    }
    let stays = build(reqwest::Client::builder().redirect(Policy::none()))?;
    ReqwestTransport::from_client(stays)?;
    Ok(())
}
