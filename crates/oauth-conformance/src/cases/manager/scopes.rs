//! D1: scopes asked for, and scopes granted.

use std::time::Duration;

use oauth_core::{
    Capability::{ClientCredentials, RefreshToken as Refresh},
    Scopes, TokenManager,
    manager::RefreshPolicy,
    store::Subject,
};

use super::setting::{LIFE, Setting, ends, gives, scope};
use crate::{Case, Context, Need::Can, Outcome, Reply, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "TM-03" [Can(ClientCredentials)] => exactly_these,
    "TM-05" [Can(ClientCredentials), Can(Refresh)] => any_or_none,
    "TM-06" [Can(ClientCredentials)] => fewer_than_asked,
};

async fn exactly_these(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.in_memory()?;
    let (one, all) = at.scopes()?;
    let texts: Vec<_> = all.iter().collect();
    let turned: Vec<_> = texts.iter().rev().chain(&texts).copied().collect();
    for scopes in [&all, &Scopes::new(turned)?] {
        let got = tokens.get(&Subject::Client, Some(scopes)).await;
        gives(got, "client.a1", "the same scopes in another order, twice")?;
    }
    at.came(1, "the same scopes in another order, twice")?;
    let got = tokens.get(&Subject::Client, Some(&one)).await;
    gives(got, "client.a2", "a part of the scopes")?;

    // More than was asked for is taken only by those who say so.
    let policy = RefreshPolicy::default().with_accept_superset(true);
    let at = Setting::new(&cx).await?;
    let tokens = TokenManager::builder(at.client()?).policy(policy).build();
    tokens.get(&Subject::Client, Some(&all)).await?;
    let got = tokens.get(&Subject::Client, Some(&one)).await;
    gives(got, "client.a1", "a part of the scopes, by opt-in")?;
    at.came(1, "a part of the scopes, by opt-in")?;
    let more = Scopes::new(texts.iter().copied().chain([&*format!("{}x", texts[0])]))?;
    let got = tokens.get(&Subject::Client, Some(&more)).await;
    gives(got, "client.a2", "more scopes than there are, by opt-in")
}

async fn any_or_none(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let (one, all) = at.scopes()?;
    let user = Subject::user("user");
    for longer_first in [true, false] {
        let tokens = at.in_memory()?;
        let end = cx.now() + LIFE;
        let short = at.token("short")?.with_scopes(one.clone());
        let short = short.with_expires_at(Some(end - Duration::from_secs(10)));
        let long = at.token("long")?.with_expires_at(Some(end));
        let mut order = vec![
            short.with_refresh_token(None),
            long.with_refresh_token(None),
        ];
        if longer_first {
            order.reverse();
        }
        for token in order {
            tokens.register(&user, token).await?;
        }
        let any = tokens.get(&user, None).await;
        gives(any, "long.a0", "any token, of two that differ in their end")?;
        gives(
            tokens.get(&user, Some(&one)).await,
            "short.a0",
            "the shorter one's scopes",
        )?;
        ends(
            tokens.get(&user, Some(&Scopes::empty())).await,
            "no scope, of two tokens with scopes",
        )?;
        ensure!(
            *tokens.get(&user, Some(&all)).await?.scopes() == all,
            "all scopes, expected them, got others"
        );
    }
    at.came(0, "tokens without refresh tokens")?;

    let tokens = at.in_memory()?;
    let empty = tokens.get(&Subject::Client, Some(&Scopes::empty())).await;
    gives(empty, "client.a1", "no scope")?;
    gives(
        tokens.get(&Subject::Client, None).await,
        "client.a1",
        "any, when there is one without scopes",
    )?;
    let got = tokens.get(&Subject::Client, Some(&all)).await;
    gives(got, "client.a2", "all scopes, when there is one without")?;
    let empty = tokens.get(&Subject::Client, Some(&Scopes::empty())).await;
    gives(empty, "client.a1", "no scope, again")?;
    at.came(2, "no scope, any, all")
}

async fn fewer_than_asked(cx: Context) -> Outcome {
    for stored in [false, true] {
        let at = Setting::new(&cx).await?;
        let tokens = if stored {
            at.manager()?
        } else {
            at.in_memory()?
        };
        let (one, all) = at.scopes()?;
        let mut answer = cx.target().token_answer("fewer");
        answer["scope"] = scope(&answer, &one.to_string());
        at.server.reply(Reply::json(200, &answer));
        for _ in 0..3 {
            let token = tokens.get(&Subject::Client, Some(&all)).await?;
            ensure!(
                token.expose_secret() == "fewer" && *token.scopes() == one,
                "asked for {all}, granted {one}, expected that token and that scope, got {token:?}"
            );
        }
        let handle = tokens.source(&Subject::Client, Some(&all));
        handle.header().await?;
        at.came(1, "fewer scopes than asked for, three times")?;
        if stored {
            let restarted = at.other_process()?;
            let got = restarted.get(&Subject::Client, Some(&all)).await;
            gives(got, "fewer", "after a restart")?;
            at.came(1, "fewer scopes than asked for, after a restart")?;
        }
    }
    Ok(())
}
