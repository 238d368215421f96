//! Rows about tokens: scopes, expiry, type, renewal.

mod renewal;

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use moov::{AccountId, AccountScope, Scope, Token, TokenSet};
use oauth_conformance::{Case, Context, Counterpart, Failure, Need, Outcome, cases, ensure};
use oauth_core::Scopes;
use serde_json::{Value, json};

use super::{ask, client, failed, get, refused};

pub(super) const CASES: &[Case] = cases! {
    "MV-02" [Need::Counterpart] => account_ids_are_checked,
    "MV-03" [Need::Counterpart] => unix_time_or_seconds,
    "MV-04" [] => every_type_is_bearer,
    "MV-08" [Need::Counterpart] => accounts_are_kept_apart,
    "MV-09" [Need::Counterpart] => renewal::refresh_then_the_key_pair,
};

const ACCOUNT: &str = "c520f1b9-0ba7-42f5-b977-248cdbe41c69";
const OTHER_ACCOUNT: &str = "2f93df7b-97e2-4a26-9d60-ad6ed4b4aeb4";

/// Scopes are paths with the account's id in them; text in its place could name a second scope.
async fn account_ids_are_checked(cx: Context) -> Outcome {
    for bad in [
        "",
        "{accountID}",
        "c520f1b9",
        "c520f1b9-0ba7-42f5-b977-248cdbe41c69 /accounts.write",
        "c520f1b9-0ba7-42f5-b977 248cdbe41c69",
        "c520f1b9-0ba7-42f5-b977-248cdbe41c6/",
        "../../accounts.write",
        "c520f1b9-0ba7-42f5-b977-248cdbe41c69\n",
    ] {
        ensure!(
            bad.parse::<AccountId>().is_err(),
            "account id {bad:?}: expected a usage error, got an id"
        );
    }
    for bad in [
        "/ping.read /accounts.write",
        "accounts.read",
        "/accounts/{accountID}/cards.read",
        "/a\n.read",
    ] {
        ensure!(
            Scope::custom(bad).is_err(),
            "scope {bad:?}: expected a usage error, got a scope"
        );
    }
    let server = cx.scripted([cx.token_reply("a")]).await?;
    let template = Scopes::parse("/ping.read /accounts/{accountID}/cards.read")?;
    let asked = ask(&cx, server.base_url(), template).await?;
    let error = refused("a scope with {accountID}", asked)?;
    let sent = server.received().len();
    ensure!(
        error.kind() == moov::ErrorKind::Usage && sent == 0,
        "a scope with {{accountID}}: expected a usage error before any request, got {:?} after {sent}",
        error.kind()
    );

    let counterpart = cx.counterpart().await?;
    let account: AccountId = ACCOUNT.parse()?;
    let client = client(&cx, counterpart.base_url())?;
    for scope in AccountScope::ALL {
        let scope = scope.of(&account);
        let token = client.client_credentials(scope.clone()).await;
        let granted = token.map_err(failed)?.scopes().to_string();
        ensure!(
            granted == scope.as_str(),
            "scope {scope}: expected it alone, got {granted}"
        );
    }
    Ok(())
}

/// `expires_in` is a lifetime in seconds in old answers, a Unix time in new ones.
async fn unix_time_or_seconds(cx: Context) -> Outcome {
    let now = cx.now();
    let after = |seconds| now + Duration::from_secs(seconds);
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    for (expires_in, end) in [
        (json!(900), after(900)),
        (json!("900"), after(900)),
        (json!(0), now),
        (json!(315_360_000), after(315_360_000)),
        (json!(1_000_000_000), at(1_000_000_000)),
        (json!(1_736_966_581), at(1_736_966_581)),
        (json!(1_767_226_500), after(900)),
        (json!("1767226500"), after(900)),
    ] {
        let end_is = token(&cx, "expires_in", json!(expires_in))
            .await?
            .expires_at();
        ensure!(
            end_is == Some(end),
            "expires_in {expires_in}: expected the end {end:?}, got {end_is:?}"
        );
    }
    let past = token(&cx, "expires_in", json!(1_767_225_599)).await?;
    ensure!(
        past.is_expired(now) && past.expires_in(now).unwrap_or_default().is_zero(),
        "expires_in a second ago: expected an expired token, got {:?} of life",
        past.expires_in(now)
    );
    // Beyond 32 bits, in 2038.
    cx.clock().set(at(2_147_483_700));
    let late = token(&cx, "expires_in", json!(2_147_484_600_u64)).await?;
    ensure!(
        late.expires_at() == Some(at(2_147_484_600)),
        "expires_in 2147484600 in 2038: expected that time, got {:?}",
        late.expires_at()
    );

    let counterpart = cx.counterpart().await?;
    for as_unix_time in [true, false] {
        let switch = json!({"expires_in_as_unix_time": as_unix_time});
        counterpart.control().post("switches", &switch).await?;
        let token = granted(&cx, &counterpart).await?;
        let life = token.expires_in(cx.now()).unwrap_or_default().as_secs();
        // The emulator's time runs on between its answers.
        ensure!(
            (900..960).contains(&life),
            "as Unix time {as_unix_time}: expected 900 s of life, got {life}"
        );
    }
    Ok(())
}

/// Old answers name the type `opaque` or `JWT`.
async fn every_type_is_bearer(cx: Context) -> Outcome {
    for name in ["Bearer", "bearer", "opaque", "Opaque", "JWT", "jwt"] {
        let token = token(&cx, "token_type", json!(name)).await?;
        let mut headers = HeaderMap::new();
        client(&cx, "http://127.0.0.1:9")?
            .authorize(token.access_token(), &mut headers)
            .map_err(failed)?;
        let got = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        ensure!(
            got == Some("Bearer conformance-access-token"),
            "token_type {name}: expected Bearer in a request, got {got:?}"
        );
    }
    Ok(())
}

/// One key pair, a token for each account: by its scopes, whoever asked before or at the same time.
async fn accounts_are_kept_apart(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let client = client(&cx, counterpart.base_url())?;
    let scope = |account: &str| -> Result<Scope, Failure> {
        Ok(AccountScope::ProfileRead.of(&account.parse()?))
    };
    let (one, other) = (scope(ACCOUNT)?, scope(OTHER_ACCOUNT)?);
    // At the same time, and then again, after each other.
    let (first, second) = tokio::join!(
        client.client_credentials(one.clone()),
        client.client_credentials(other.clone()),
    );
    let (first, second) = (first.map_err(failed)?, second.map_err(failed)?);
    let later = client.client_credentials(other.clone()).await;
    let later = later.map_err(failed)?;
    let again = client.client_credentials(one.clone()).await;
    let again = again.map_err(failed)?;
    let renewed = client.renew(&first, one.clone()).await.map_err(failed)?;
    for (token, account, foreign) in [
        (&second, OTHER_ACCOUNT, ACCOUNT),
        (&later, OTHER_ACCOUNT, ACCOUNT),
        (&again, ACCOUNT, OTHER_ACCOUNT),
        (&renewed, ACCOUNT, OTHER_ACCOUNT),
    ] {
        let scopes = token.scopes().to_string();
        ensure!(
            scopes == scope(account)?.as_str(),
            "a token for {account}: expected its scope alone, got {scopes}"
        );
        for (path, expected) in [(account, 200), (foreign, 403)] {
            let (token, path) = (token.access_token(), format!("/accounts/{path}"));
            let status = get(&client, token, counterpart.base_url(), &path).await?;
            ensure!(
                status == expected,
                "a token for {account} at {path}: expected {expected}, got {status}"
            );
        }
    }
    let asked = counterpart.control().requests().await?;
    let mut asked: Vec<_> = asked
        .iter()
        .filter_map(|request| request["json"]["scope"].as_str())
        .collect();
    asked.sort_unstable();
    let mut expected = [one.as_str(), one.as_str(), other.as_str(), other.as_str()];
    expected.sort_unstable();
    ensure!(
        asked == expected,
        "two callers for each account: expected a request each with its own scope, got {asked:?}"
    );
    Ok(())
}

/// What the client makes of a token answer with one member set.
async fn token(cx: &Context, member: &str, value: Value) -> Result<TokenSet, Failure> {
    let sent = format!("{member} {value}");
    let server = cx.scripted([cx.token_reply_with(member, value)]).await?;
    let token = ask(cx, server.base_url(), Scope::accounts_read()).await?;
    token.map_err(|error| Failure::new(format!("{sent}: expected a token, got {error}")))
}

/// A token of the emulator, once the case's clock shows the emulator's time.
async fn granted(cx: &Context, counterpart: &Counterpart) -> Result<TokenSet, Failure> {
    let clock = json!({"advance_seconds": 0});
    let shown = counterpart.control().post("clock", &clock).await?.json()?;
    let now = shown["now"]
        .as_u64()
        .ok_or_else(|| Failure::new("control: no time came"))?;
    cx.clock()
        .set(SystemTime::UNIX_EPOCH + Duration::from_secs(now));
    let token = ask(cx, counterpart.base_url(), Scope::accounts_read()).await?;
    token.map_err(failed)
}
