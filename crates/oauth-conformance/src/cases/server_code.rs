//! E6: authorization codes and PKCE at the token endpoint.

use serde_json::json;

use super::server::{CHALLENGE, Tested, VERIFIER, granted, only_success, pair, refused};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, ServerClient, cases, ensure,
    wire::Answer,
};

pub(super) const CASES: &[Case] = cases! {
    "SAC-01" [Counterpart, Server] => code_used_twice,
    "SAC-02" [Counterpart, Server] => code_redeemed_at_once,
    "SAC-03" [Counterpart, Server] => life_of_a_code,
    "SAC-04" [Counterpart, Server] => code_of_another_client,
    "SAC-05" [Counterpart, Server] => other_redirect_uri,
    "SPK-01" [Counterpart, Server] => right_verifier,
    "SPK-02" [Counterpart, Server] => wrong_verifier,
    "SPK-03" [Counterpart, Server] => downgrade,
    "SPK-08" [Counterpart, Server] => repeated_wrong_verifiers,
};

const GRANT: &[&str] = &["invalid_grant"];

async fn code_used_twice(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    for seconds in [0, 30] {
        let code = tested.code(client).await?;
        let (access, refresh) = pair(&granted(
            "a good code",
            &tested.redeem(client, &code).await?,
        )?)?;
        tested.control().advance(seconds).await?;
        let sent = format!("a code again after {seconds} s");
        refused(&sent, &tested.redeem(client, &code).await?, &[400], GRANT)?;
        tested.all_dead(&sent, &[&access]).await?;
        refused(
            "the refresh token of the first use",
            &tested.refresh(client, &refresh).await?,
            &[400],
            GRANT,
        )?;
    }
    // At once, when the second use may come before the first one's tokens are stored.
    for _ in 0..5 {
        let code = tested.code(client).await?;
        let form = form(&code, &tested.set().redirect_uri, Some(VERIFIER));
        let won = only_success("a code", tested.race(8, client, &form).await?)?;
        let (access, refresh) = pair(&won.json()?)?;
        tested
            .all_dead("a code 8 times at once", &[&access])
            .await?;
        refused(
            "the refresh token of the one success",
            &tested.refresh(client, &refresh).await?,
            &[400],
            GRANT,
        )?;
    }
    Ok(())
}

async fn code_redeemed_at_once(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    for times in [2, 8, 50] {
        let code = tested.code(&set.confidential).await?;
        let form = form(&code, &set.redirect_uri, Some(VERIFIER));
        let answers = tested.race(times, &set.confidential, &form).await?;
        for answer in answers.iter().filter(|answer| answer.status() != 200) {
            refused("a code at once", answer, &[400], GRANT)?;
        }
        only_success("a code", answers)?;
    }
    Ok(())
}

async fn life_of_a_code(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    for (seconds, good) in [(30, true), (61, false), (601, false), (100_000, false)] {
        let code = tested.code(client).await?;
        tested.control().advance(seconds).await?;
        let answer = tested.redeem(client, &code).await?;
        match good {
            true => granted(&format!("a code after {seconds} s"), &answer).map(|_| ())?,
            false => refused(&format!("a code after {seconds} s"), &answer, &[400], GRANT)?,
        }
    }
    Ok(())
}

async fn code_of_another_client(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    for (owner, other) in [
        (&set.confidential, &set.code_only),
        (&set.confidential, &set.public),
        (&set.public, &set.confidential),
    ] {
        let code = tested.code(owner).await?;
        refused(
            "a code of another client",
            &tested.redeem(other, &code).await?,
            &[400],
            GRANT,
        )?;
        let tokens = granted(
            "the same code by its owner",
            &tested.redeem(owner, &code).await?,
        )?;
        // Used now, it still tells a stranger nothing and gives him no power over the tokens.
        refused(
            "a used code of another client",
            &tested.redeem(other, &code).await?,
            &[400],
            GRANT,
        )?;
        let (access, _) = pair(&tokens)?;
        ensure!(
            tested.is_active(&access).await?,
            "used again by another client, expected the owner's token alive, got dead"
        );
    }
    Ok(())
}

async fn other_redirect_uri(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let uri = set.redirect_uri.as_str();
    let (slash, query, cut, upper) = (
        format!("{uri}/"),
        format!("{uri}?"),
        &uri[..uri.len() - 1],
        uri.to_uppercase(),
    );
    for other in [
        "",
        &slash,
        &query,
        cut,
        &upper,
        "https://evil.example/callback",
    ] {
        let code = tested.code(&set.confidential).await?;
        let answer = tested
            .token_as(&set.confidential, &form(&code, other, Some(VERIFIER)))
            .await?;
        let sent = format!("a code with the redirect_uri {other:?} instead of {uri}");
        refused(
            &sent,
            &answer,
            &[400],
            &["invalid_grant", "invalid_request"],
        )?;
    }
    let code = tested.code(&set.confidential).await?;
    let without: Vec<_> = form(&code, uri, Some(VERIFIER))
        .into_iter()
        .filter(|(name, _)| *name != "redirect_uri")
        .collect();
    let answer = tested.token_as(&set.confidential, &without).await?;
    refused(
        "a code without redirect_uri",
        &answer,
        &[400],
        &["invalid_grant", "invalid_request"],
    )
}

async fn right_verifier(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for client in [&tested.set().confidential, &tested.set().public] {
        let code = tested.code(client).await?;
        granted(
            "the verifier of RFC 7636 appendix B",
            &tested.redeem(client, &code).await?,
        )?;
    }
    Ok(())
}

async fn wrong_verifier(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let other = VERIFIER.replace('d', "e");
    for client in [&tested.set().confidential, &tested.set().public] {
        for verifier in [None, Some(other.as_str()), Some(CHALLENGE)] {
            let answer = verified(&tested, client, verifier).await?;
            refused(
                &format!("the verifier {verifier:?}"),
                &answer,
                &[400],
                GRANT,
            )?;
        }
    }
    Ok(())
}

/// Redeems a fresh code with this verifier.
async fn verified(
    tested: &Tested,
    client: &ServerClient,
    verifier: Option<&str>,
) -> Result<Answer, Failure> {
    let code = tested.code(client).await?;
    tested
        .token_as(client, &form(&code, &tested.set().redirect_uri, verifier))
        .await
}

async fn downgrade(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let client = &set.without_pkce;
    let wanted = json!({"client_id": client.id, "redirect_uri": set.redirect_uri, "scope": "read"});
    // The client may go without PKCE, so the codes are good: it is the verifier that is refused.
    let code = tested.control().code(wanted.clone()).await?;
    granted(
        "a code without a challenge, and no verifier",
        &tested
            .token_as(client, &form(&code, &set.redirect_uri, None))
            .await?,
    )?;
    let code = tested.control().code(wanted).await?;
    refused(
        "a verifier for a code without a challenge",
        &tested
            .token_as(client, &form(&code, &set.redirect_uri, Some(VERIFIER)))
            .await?,
        &[400],
        &["invalid_grant", "invalid_request"],
    )
}

async fn repeated_wrong_verifiers(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let code = tested.code(&set.public).await?;
    for guess in ["a", "b", "c"] {
        let guess = guess.repeat(43);
        let answer = tested
            .token_as(&set.public, &form(&code, &set.redirect_uri, Some(&guess)))
            .await?;
        refused("a guessed verifier", &answer, &[400], GRANT)?;
    }
    refused(
        "the right verifier after three wrong ones",
        &tested.redeem(&set.public, &code).await?,
        &[400],
        GRANT,
    )
}

fn form<'a>(
    code: &'a str,
    redirect_uri: &'a str,
    verifier: Option<&'a str>,
) -> Vec<(&'static str, &'a str)> {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
    ];
    form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
    form
}
