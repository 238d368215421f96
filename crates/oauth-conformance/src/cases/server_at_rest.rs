//! E1: what tokens are made of, and what is stored of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::server::{Tested, granted, member, pair, refused};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "STK-17" [Counterpart, Server] => entropy,
    "STK-18" [Counterpart, Server] => store_dump,
};

/// Samples of each kind: enough that a place which varies shows it.
const SAMPLES: usize = 64;

async fn entropy(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for _ in 0..SAMPLES {
        let code = tested.code(client).await?;
        let (access, refresh) = pair(&granted(
            "a good code",
            &tested.redeem(client, &code).await?,
        )?)?;
        let device = tested
            .post_as(&tested.set().device_authorization, client, &[])
            .await?;
        let device = granted("a device authorization", &device)?;
        let device = member(&device, "device_code")?.to_owned();
        for (kind, text) in [
            ("code", code),
            ("access token", access),
            ("refresh token", refresh),
            ("device code", device),
        ] {
            kinds.entry(kind).or_default().push(text);
        }
    }
    for (kind, texts) in kinds {
        let url_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let safe = texts.iter().all(|text| text.bytes().all(url_safe));
        ensure!(
            safe,
            "took {SAMPLES} of each {kind}, expected URL-safe characters, got others"
        );
        let distinct = texts.iter().collect::<BTreeSet<_>>().len();
        ensure!(
            distinct == SAMPLES,
            "took {SAMPLES} of each {kind}, expected all distinct, got {distinct}"
        );
        let bits = measured_bits(&texts);
        let enough = bits >= 128.0;
        ensure!(
            enough,
            "took {SAMPLES} of each {kind}, expected 128 bits that vary, got {bits:.0}"
        );
    }
    Ok(())
}

/// The entropy of each place over all samples, added up: what is the same in all of them, like a
/// prefix, counts for nothing. It cannot tell a good generator from a bad one with a long period.
fn measured_bits(texts: &[String]) -> f64 {
    let places = texts.iter().map(String::len).min().unwrap_or_default();
    let samples = f64::from(u32::try_from(texts.len()).unwrap_or(u32::MAX));
    let place = |index: usize| {
        let mut counts: BTreeMap<u8, f64> = BTreeMap::new();
        for text in texts {
            *counts.entry(text.as_bytes()[index]).or_default() += 1.0;
        }
        counts
            .values()
            .map(|count| -(count / samples) * (count / samples).log2())
            .sum::<f64>()
    };
    (0..places).map(place).sum()
}

async fn store_dump(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let client = &set.confidential;
    let (access, refresh) = tested.user_tokens(client).await?;
    let code = tested.code(client).await?;
    let device = granted(
        "a device authorization",
        &tested
            .post_as(&set.device_authorization, client, &[])
            .await?,
    )?;
    let device = member(&device, "device_code")?;
    let dump = tested.control().store().await?;
    let secrets = [
        &access,
        &refresh,
        &code,
        device,
        &client.secret,
        &set.limited.secret,
        &set.odd.secret,
    ];
    let shown = secrets.iter().position(|secret| dump.contains(*secret));
    ensure!(
        shown.is_none(),
        "dumped the store, expected hashes only, got secret number {shown:?}"
    );
    let dump: Value =
        serde_json::from_str(&dump).map_err(|_| Failure::new("the store's dump is no JSON"))?;
    let mut texts = BTreeSet::new();
    collect_texts(&dump, &mut texts);
    ensure!(
        texts.len() >= 4,
        "dumped the store, expected records of four kinds, got {dump}"
    );
    for text in texts.iter().filter(|text| text.len() > 15) {
        ensure!(
            !tested.is_active(text).await?,
            "presented a stored text as a token, expected inactive, got active"
        );
        for form in [
            [("grant_type", "refresh_token"), ("refresh_token", text)],
            [("grant_type", "authorization_code"), ("code", text)],
        ] {
            let answer = tested.token_as(client, &form).await?;
            refused(
                "a stored text as a credential",
                &answer,
                &[400],
                &["invalid_grant", "invalid_request"],
            )?;
        }
    }
    granted("the code itself", &tested.redeem(client, &code).await?).map(|_| ())
}

fn collect_texts(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            texts.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(members) => members.values().for_each(|item| collect_texts(item, texts)),
        _ => {}
    }
}
