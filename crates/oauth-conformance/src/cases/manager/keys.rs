//! D1: what a token is kept under.

use std::collections::HashSet;

use oauth_core::{
    Capability::{ClientCredentials, RefreshToken as Refresh},
    Scopes, TokenManager,
    manager::ManagedToken,
    store::{Subject, TokenRequest},
};
use serde_json::json;

use super::setting::{Setting, ends, gives};
use crate::{
    Case, Context, Failure,
    Need::{Can, FormRequests},
    Outcome, Reply, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "TM-01" [Can(ClientCredentials)] => no_request,
    "TM-02" [Can(ClientCredentials)] => the_key,
    "TM-04" [Can(ClientCredentials)] => full_sets,
    "TM-07" [Can(ClientCredentials)] => users_and_clients,
    "TM-08" [Can(Refresh)] => never_mixed,
    "TM-09" [Can(Refresh)] => odd_names,
    "TM-33" [Can(ClientCredentials)] => parameters,
};

async fn no_request(cx: Context) -> Outcome {
    for stored in [false, true] {
        let at = Setting::new(&cx).await?;
        let tokens = if stored {
            at.manager()?
        } else {
            at.in_memory()?
        };
        tokens.get(&Subject::Client, None).await?;
        at.came(1, "a first token")?;
        let loads = at.store.asked().len();
        let handle = tokens.source(&Subject::Client, None);
        for _ in 0..3 {
            let got = tokens.get(&Subject::Client, None).await;
            gives(got, "client.a1", "a valid token")?;
            gives(handle.token().await, "client.a1", "a handle")?;
            handle.header().await?;
        }
        at.came(1, "a valid token, asked for again")?;
        ensure!(
            at.store.asked().len() == loads,
            "a valid token in memory, expected the store not to be asked, it was"
        );
    }
    Ok(())
}

/// Asks twice for each; ends the case unless each has a token of its own, by one request.
async fn distinct(
    at: &Setting,
    rows: Vec<(String, TokenManager, TokenRequest)>,
) -> Result<Vec<ManagedToken>, Failure> {
    let mut first = Vec::new();
    for (_, tokens, request) in &rows {
        let selected = tokens.select(&Subject::Client).request(request.clone());
        first.push(selected.get().await?);
    }
    let came = at.server.received().len();
    let texts: HashSet<_> = first.iter().map(ManagedToken::expose_secret).collect();
    let names: Vec<_> = rows.iter().map(|(name, ..)| name).collect();
    ensure!(
        texts.len() == rows.len(),
        "asked for {names:?}, expected a token for each, got {} tokens",
        texts.len()
    );
    for ((name, tokens, request), first) in rows.iter().zip(&first) {
        let selected = tokens.select(&Subject::Client).request(request.clone());
        gives(selected.get().await, first.expose_secret(), name)?;
        gives(selected.source().token().await, first.expose_secret(), name)?;
    }
    let again = at.server.received().len();
    ensure!(
        again == came,
        "asked for {names:?} again, expected no request, got {}",
        again - came
    );
    Ok(first)
}

async fn the_key(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let other = at.beside().await?;
    let (one, all) = at.scopes()?;
    for stored in [false, true] {
        let tokens = if stored {
            at.manager()?
        } else {
            at.in_memory()?
        };
        let of = |scopes: &Scopes| TokenRequest::scopes(scopes.clone());
        let mut rows = vec![
            ("all scopes", &tokens, of(&all)),
            ("one scope", &tokens, of(&one)),
            ("no scope", &tokens, of(&Scopes::empty())),
            (
                "a resource",
                &tokens,
                of(&all).resource("https://api.example.com"),
            ),
            (
                "another resource",
                &tokens,
                of(&all).resource("https://api.example.com/"),
            ),
            (
                "an audience",
                &tokens,
                of(&all).param("audience", "https://api.example.com")?,
            ),
        ];
        // JSON has no way to give a parameter twice.
        if !cx.lacks(FormRequests) {
            let both = of(&all).resource("https://api.example.com");
            let both = both.resource("https://api.example.com/");
            rows.push(("two resources", &tokens, both));
        }
        let client = tokens.with_client(at.client_named("another-client")?);
        rows.push(("another client", &client, of(&all)));
        let issuer = tokens.with_client(other.client()?);
        let rows = rows
            .into_iter()
            .map(|(name, tokens, request)| (name.to_owned(), tokens.clone(), request))
            .collect();
        distinct(&at, rows).await?;
        // Its server counts for itself, so that its first token has the first one's name.
        let before = other.asked().len();
        let selected = issuer.select(&Subject::Client).request(of(&all));
        selected.get().await?;
        selected.get().await?;
        other.came(before + 1, "another issuer")?;
        // A subject is never served with the client's own.
        ends(
            tokens.get(&Subject::user("user"), Some(&all)).await,
            "a subject without a token",
        )?;
        // With a store, and in another process.
        if stored {
            let came = at.asked().len();
            let selected = at.other_process()?;
            let selected = selected.select(&Subject::Client).request(of(&one));
            selected.get().await?;
            at.came(came, "another process, the same key")?;
        }
    }
    Ok(())
}

async fn full_sets(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.in_memory()?;
    let own: Vec<String> = cx.credentials().scopes.iter().map(str::to_owned).collect();
    // Every subset of six: an exclusive-or of hashes would meet another one.
    let names: Vec<_> = (0..6).map(|number| format!("{}{number}", own[0])).collect();
    let mut rows = Vec::new();
    for bits in 0_u32..64 {
        let set = names.iter().enumerate();
        let set = Scopes::new(
            set.filter(|(bit, _)| bits & 1 << bit != 0)
                .map(|(_, name)| name.as_str()),
        )?;
        rows.push((
            format!("subset {bits}"),
            tokens.clone(),
            TokenRequest::scopes(set),
        ));
    }
    distinct(&at, rows).await?;
    at.came(64, "64 scope sets")?;
    let twice = Scopes::new([&*own[0], &*own[0]])?;
    let token = tokens.get(&Subject::Client, Some(&twice)).await?;
    let empty = tokens.get(&Subject::Client, Some(&Scopes::empty())).await?;
    ensure!(
        token.expose_secret() != empty.expose_secret(),
        "a scope twice and no scope, expected two tokens, got one"
    );
    Ok(())
}

async fn users_and_clients(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    // A server may name a `sub` for the client itself (RFC 9068 §2.2), and none for a user.
    let id = cx.credentials().client_id;
    let mut answer = cx.target().token_answer("client.a1");
    answer["sub"] = json!(id);
    at.server.reply(Reply::json(200, &answer));
    tokens.get(&Subject::Client, None).await?;
    for name in [&*id, "", "client", "Client"] {
        let user = Subject::user(name);
        ends(
            tokens.get(&user, None).await,
            "a user of the client's name, without a token",
        )?;
    }
    at.came(1, "the client, and users of its name")?;
    let user = Subject::user(&*id);
    tokens.register(&user, at.token("user")?).await?;
    let restarted = at.other_process()?;
    for manager in [&tokens, &restarted] {
        gives(manager.get(&user, None).await, "user.a0", "the user")?;
        let own = manager.get(&Subject::Client, None).await;
        gives(own, "client.a1", "the client")?;
    }
    tokens.delete_all(&user).await?;
    let own = tokens.get(&Subject::Client, None).await;
    gives(own, "client.a1", "the client, after the user was deleted")?;
    at.came(1, "the client, after the user was deleted")
}

async fn never_mixed(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let other = at.beside().await?;
    let here = at.manager()?;
    let there = here.with_client(other.client()?);
    let mut sessions = Vec::new();
    for (manager, setting, place) in [(&here, &at, "here"), (&there, &other, "there")] {
        for name in ["ann", "bob"] {
            let name = format!("{place}-{name}");
            // The same two subjects at both.
            let subject = Subject::user(&name[name.len() - 3..]);
            manager.register(&subject, setting.token(&name)?).await?;
            sessions.push((manager, subject, name));
        }
    }
    for _ in 0..3 {
        at.expire();
        for (manager, subject, name) in &sessions {
            let got = manager.get(subject, None).await?;
            ensure!(
                got.expose_secret().starts_with(&format!("{name}.")),
                "{name}, renewed, expected its own token, got {}",
                got.expose_secret()
            );
        }
    }
    for (setting, place) in [(&at, "here-"), (&other, "there-")] {
        let sent = setting.sent();
        ensure!(
            sent.len() == 6 && sent.iter().all(|token| token.starts_with(place)),
            "two subjects at two issuers, renewed three times, expected each server to see its own, got {sent:?} {place}"
        );
    }
    Ok(())
}

async fn odd_names(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let (tokens, in_memory) = (at.manager()?, at.in_memory()?);
    // All texts of up to three of what could separate, and some long ones.
    let signs = ["a", "|", ":", " ", "\0", "/"];
    let mut names = vec![String::new()];
    for length in 0..3 {
        let longer: Vec<_> = names
            .iter()
            .filter(|name| name.len() == length)
            .flat_map(|name| signs.map(|sign| format!("{name}{sign}")))
            .collect();
        names.extend(longer);
    }
    let long = "x".repeat(64 * 1024);
    for end in ["", "y", "z", "\0"] {
        names.push(format!("{long}{end}"));
    }
    names.extend(["é", "e\u{301}", "A", "client", "user"].map(str::to_owned));
    for (number, name) in names.iter().enumerate() {
        let user = Subject::user(name.as_str());
        let token = at.token(&format!("n{number}"))?;
        in_memory.register(&user, token.clone()).await?;
        tokens.register(&user, token).await?;
    }
    for manager in [&tokens, &in_memory, &at.other_process()?] {
        for (number, name) in names.iter().enumerate() {
            let got = manager.get(&Subject::user(name.as_str()), None).await;
            gives(
                got,
                &format!("n{number}.a0"),
                &name.chars().take(9).collect::<String>(),
            )?;
        }
    }
    // Renewed at once, none takes another's turn or lease.
    at.expire();
    let every = names.iter().enumerate().step_by(7);
    for (number, name) in every {
        let got = tokens.get(&Subject::user(name.as_str()), None).await?;
        ensure!(
            got.expose_secret().starts_with(&format!("n{number}.")),
            "renewed an odd name, expected its own token, got another's"
        );
    }
    // A client's name and a subject's do not run into each other.
    let (ab, a) = (
        tokens.with_client(at.client_named("a|b")?),
        tokens.with_client(at.client_named("a")?),
    );
    let (c, bc) = (Subject::user("c"), Subject::user("b|c"));
    ab.register(&c, at.token("first")?).await?;
    a.register(&bc, at.token("second")?).await?;
    gives(ab.get(&c, None).await, "first.a0", "client a|b, user c")?;
    gives(a.get(&bc, None).await, "second.a0", "client a, user b|c")
}

async fn parameters(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let all = cx.credentials().scopes;
    let plain = TokenRequest::scopes(all);
    let mut rows = vec![("none".to_owned(), tokens.clone(), plain.clone())];
    for (name, value) in [
        ("audience", "a"),
        ("audience", "b"),
        ("audience", "a&x=b"),
        ("audience", ""),
        ("x", "a"),
        ("xa", ""),
    ] {
        let request = plain.clone().param(name, value)?;
        rows.push((format!("{name}={value}"), tokens.clone(), request));
    }
    let both = plain.clone().param("x", "a")?.param("audience", "a")?;
    rows.push(("both".to_owned(), tokens.clone(), both));
    distinct(&at, rows).await?;
    let sent = at.asked();
    ensure!(
        sent[1].param("audience").as_deref() == Some("a") && sent[0].param("audience").is_none(),
        "a parameter of a call, expected it in that request alone, got {sent:?}"
    );
    // The order in which they were named means nothing.
    let turned = plain.param("audience", "a")?.param("x", "a")?;
    let count = sent.len();
    let selected = tokens.select(&Subject::Client).request(turned);
    selected.get().await?;
    at.came(count, "the same parameters in another order")?;
    // A token with parameters is not any token.
    let at = Setting::new(&cx).await?;
    let tokens = at.in_memory()?;
    let with = tokens.select(&Subject::Client).param("audience", "a")?;
    with.get().await?;
    tokens.get(&Subject::Client, None).await?;
    at.came(2, "a token for an audience, then any")
}
