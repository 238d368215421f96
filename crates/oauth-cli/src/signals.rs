//! Being told to stop.

use tokio::signal;

/// Waits for SIGINT or SIGTERM. From the call on, not only once it is waited for, neither ends the
/// process by itself.
#[cfg(unix)]
pub(crate) fn stop() -> impl Future<Output = ()> + Send + 'static {
    use signal::unix::SignalKind;
    let [interrupt, terminate] =
        [SignalKind::interrupt(), SignalKind::terminate()].map(signal::unix::signal);
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
            // Without a handler the signal ends the process by itself.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn stop() {
    if signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
