//! Counters through the `metrics` facade. Labels name the issuer, never a user.

use super::event::Event;

pub(super) fn count(event: &Event) {
    let (name, owner) = match event {
        Event::Granted { owner, .. } => ("oauth_tokens_granted_total", owner),
        Event::Refreshed { owner, .. } => ("oauth_tokens_refreshed_total", owner),
        Event::Rotated { owner } => ("oauth_refresh_tokens_rotated_total", owner),
        Event::RefreshFailed { owner, .. } => ("oauth_refresh_failures_total", owner),
        Event::ReauthorizationRequired { owner, .. } => {
            ("oauth_reauthorizations_required_total", owner)
        }
        Event::SaveFailed { owner, .. } => ("oauth_save_failures_total", owner),
        Event::Revoked { owner } => ("oauth_tokens_revoked_total", owner),
        Event::Purged { owners } => {
            metrics::counter!("oauth_owners_purged_total").increment(*owners as u64);
            return;
        }
    };
    metrics::counter!(name, "issuer" => owner.issuer().to_owned()).increment(1);
}
