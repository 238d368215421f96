//! Every flow through every fault of the proxy: each ends in its class, within its time limit, and
//! no grant is lost that the server did not use up.

mod flow;

use std::time::Duration;

use futures_util::future::try_join_all;
use oauth_core::{Error, ErrorKind, Recovery, TransportError, TransportErrorKind};

use crate::{Context, Failure, Fault, FaultProxy, Outcome, ensure};
use flow::{Begun, Flow, Upstream};

/// The flows that a session hangs on.
pub(super) const OF_A_SESSION: &[Flow] = &[Flow::Refresh, Flow::Manager];

/// All others.
pub(super) const WITHOUT_A_SESSION: &[Flow] = &[
    Flow::ClientCredentials,
    Flow::Password,
    Flow::Code,
    Flow::PushedAuthorization,
    Flow::DeviceAuthorization,
    Flow::DevicePoll,
    Flow::JwtBearer,
    Flow::TokenExchange,
    Flow::Revocation,
    Flow::Introspection,
    Flow::UserInfo,
    Flow::Metadata,
];

/// The time limit where only that can end an exchange, and where something else must.
const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(20);

/// What a machine with much to do may add to a time limit before it counts as not kept.
const SLACK: Duration = Duration::from_secs(10);

/// Sends each of `flows` that the target has through each fault.
pub(super) async fn meet(cx: &Context, flows: &[Flow]) -> Outcome {
    let can = cx.target().provider("http://127.0.0.1:9")?.capabilities();
    for flow in flows.iter().filter(|flow| can.contains(flow.needs())) {
        let upstream = Upstream::start(cx, *flow).await?;
        if !upstream.serves(*flow) {
            continue;
        }
        let cells = cx
            .faults()
            .into_iter()
            .map(|fault| cell(cx, &upstream, *flow, fault));
        try_join_all(cells).await?;
    }
    Ok(())
}

/// One flow through one fault.
async fn cell(cx: &Context, upstream: &Upstream, flow: Flow, fault: Fault) -> Outcome {
    let met = format!("{flow:?} through {}", fault.name());
    let seed = cx.seed().of(&met);
    let proxy = FaultProxy::start(upstream.base_url(), [Some(fault)], seed).await?;
    let begun = Begun::new(cx, upstream, flow, proxy.base_url())
        .await
        .map_err(|failure| Failure::new(format!("{met}: before it: {failure}")))?;
    let limit = if fault.times_out() { SHORT } else { LONG };
    let result = tokio::time::timeout(limit + SLACK, begun.go(limit))
        .await
        .map_err(|_| Failure::new(format!("{met}: expected an end in {limit:?}, got none")))??;
    check(&met, expected(flow, fault), result)?;
    let strays = proxy.paths().iter().any(|path| path == "/elsewhere");
    ensure!(
        !strays,
        "{met}: expected no redirect to be followed, got a request there"
    );
    begun.kept(&met, fault).await?;

    // Once the way is free again, whatever the server has not used up still works.
    proxy.heal().await?;
    match begun.go(LONG).await? {
        Ok(()) => Ok(()),
        Err(error) if fault.commits() && flow.uses_up() => {
            // Of a token that is revoked already, a server says what it likes.
            let dead = error.needs_reauthorization() || flow == Flow::Revocation;
            ensure!(
                error.kind() == ErrorKind::OAuth && dead,
                "{met}, then once more: expected it to work, or the word that it is used up, got {:?}: {error}",
                error.kind()
            );
            Ok(())
        }
        Err(error) => Err(Failure::new(format!(
            "{met}, then once more: expected it to work, got {:?}: {error}",
            error.kind()
        ))),
    }
}

/// How it must end: well, or in this class.
type Expected = Option<(ErrorKind, Option<TransportErrorKind>)>;

fn expected(flow: Flow, fault: Fault) -> Expected {
    match (fault, flow) {
        // RFC 7009 §2.2: the body says nothing.
        (Fault::ShortLength, Flow::Revocation) => None,
        // What is no metadata document at one place is looked for at the next (RFC 8414 §5).
        (Fault::ShortLength, Flow::Metadata) => None,
        (fault, _) => fault.ends_in(),
    }
}

fn check(met: &str, expected: Expected, result: Result<(), Error>) -> Outcome {
    let (error, (kind, transport)) = match (result, expected) {
        (Ok(()), None) => return Ok(()),
        (Err(error), Some(expected)) => (error, expected),
        (result, expected) => {
            return Err(Failure::new(format!(
                "{met}: expected {expected:?}, got {result:?}"
            )));
        }
    };
    let recovery = match kind {
        ErrorKind::Transport => Recovery::Retry { after: None },
        _ => Recovery::GiveUp,
    };
    let got = error.transport_error().map(TransportError::kind);
    ensure!(
        error.kind() == kind && (transport.is_none() || got == transport),
        "{met}: expected {kind:?} {transport:?}, got {:?} {got:?}: {error}",
        error.kind()
    );
    ensure!(
        error.recovery() == recovery,
        "{met}: expected {recovery:?}, got {:?}",
        error.recovery()
    );
    Ok(())
}
