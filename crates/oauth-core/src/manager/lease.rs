//! Giving a lease back, also to a store that is down just now.

use std::time::Duration;

use super::shared::Shared;
use crate::store::Lease;

/// A lease that no store has taken back for so long has ended by itself.
const GIVE_UP: Duration = Duration::from_secs(3600);

impl Shared {
    /// Gives `lease` back. When the store cannot be asked, that is tried again without anybody
    /// waiting: other processes would wait until it ran out, and take its holder for one that died.
    pub(crate) async fn release(&self, lease: Lease) {
        let Some(store) = self.store.clone() else {
            return;
        };
        if store.release(lease.clone()).await.is_ok() {
            return;
        }
        let (clock, fraction) = (self.clock.clone(), self.fraction());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            let mut wait = Duration::from_millis(100);
            let mut waited = Duration::ZERO;
            while waited < GIVE_UP {
                let pause = wait.mul_f64(0.5 + fraction / 2.0);
                clock.sleep(pause).await;
                waited = waited.saturating_add(pause);
                if store.release(lease.clone()).await.is_ok() {
                    return;
                }
                wait = wait.saturating_mul(2).min(Duration::from_secs(30));
            }
        });
    }
}
