//! E6 and E10: the pages for login, consent and devices.

use serde_json::json;

use super::server::{CHALLENGE, Tested, granted, refused};
use super::server_browser::{
    Browser, PASSWORD, Page, USERNAME, authorization, device, parameter, text,
};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, ServerClient, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "SAC-12" [Counterpart, Server] => redirects_after_a_form,
    "SAC-13" [Counterpart, Server] => protected_pages,
    "SAC-14" [Counterpart, Server] => markup,
    "SAC-18" [Counterpart, Server] => session_that_began_it,
    "SDV-08" [Counterpart, Server] => guessed_user_codes,
    "SDV-09" [Counterpart, Server] => verification_page,
};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What is inserted into a text to see whether it comes out as markup.
const MARKUP: &str = "<b>x</b>\"'><script>alert(1)</script>&lt;";

async fn redirects_after_a_form(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let mut browser = Browser::start(&tested).await?;
    let public = &tested.set().public;
    let login = browser.get(&authorization(&tested, public, "s")).await?;
    let fields = [("username", USERNAME), ("password", PASSWORD)];
    let mut answers = vec![("a login", browser.submit(&login, &fields).await?)];
    for decision in ["deny", "allow"] {
        let consent = browser.get(&authorization(&tested, public, "s")).await?;
        let sent = browser.submit(&consent, &[("decision", decision)]).await?;
        answers.push((decision, sent));
    }
    for (sent, answer) in &answers {
        answer.redirect(sent)?;
    }
    let (_, allowed) = &answers[2];
    let code = parameter(allowed.redirect("allow")?, "code");
    ensure!(
        code.is_some(),
        "allowed, expected a code at the client, got none"
    );
    let (_, denied) = &answers[1];
    let error = parameter(denied.redirect("deny")?, "error");
    ensure!(
        error.as_deref() == Some("access_denied"),
        "did not allow, expected error=access_denied at the client, got {error:?}"
    );
    Ok(())
}

async fn protected_pages(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let mut browser = Browser::start(&tested).await?;
    let asked = authorization(&tested, &set.public, "s");
    let login = browser.get(&asked).await?;
    login.shows("an authorization request", 200, "Sign in")?;
    let wrong = [("username", USERNAME), ("password", "a guess")];
    let wrong = browser.submit(&login, &wrong).await?;
    is_protected("a wrong password", &wrong)?;
    is_protected("an authorization request", &login)?;

    // Cross-site request forgery: a form without its token, with one of another browser, from
    // another site.
    let (action, fields) = login.filled(&[("username", USERNAME), ("password", PASSWORD)])?;
    for name in tokens(&fields) {
        let kept = |(key, _): &&(String, String)| *key != name;
        let without: Vec<_> = fields.iter().filter(kept).cloned().collect();
        let answer = browser.post(&action, &without).await?;
        is_refused("a login form without its token", &answer)?;
    }
    let mut other = Browser::new(&tested);
    other.get(&asked).await?;
    let answer = other.post(&action, &fields).await?;
    is_refused("a login form of another browser", &answer)?;
    is_refused(
        "a login form to a browser without cookies",
        &Browser::new(&tested).post(&action, &fields).await?,
    )?;
    for header in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let answer = browser.post_with(&action, &fields, &[header]).await?;
        is_refused(&format!("a login form with {header:?}"), &answer)?;
    }

    let consent = browser.log_in(&login).await?;
    consent.shows("a login", 200, "Allow")?;
    is_protected("a login", &consent)?;
    let (action, fields) = consent.filled(&[("decision", "allow")])?;
    let answer = browser
        .post_with(&action, &fields, &[("Origin", "https://evil.example")])
        .await?;
    is_refused("a consent form of another site", &answer)?;
    let answer = other.post(&action, &fields).await?;
    is_refused("a consent form of another browser", &answer)?;
    is_protected("a refusal", &answer)?;
    let device_page = browser.get(&set.device_page).await?;
    is_protected("the device page", &device_page)?;
    let unknown = browser
        .get(&format!("{}?client_id=x", set.authorization))
        .await?;
    is_protected("an unknown client", &unknown)?;
    browser
        .post(&action, &fields)
        .await?
        .redirect("the consent form itself")
        .map(|_| ())
}

/// Names of fields that hold something unforgeable.
fn tokens(fields: &[(String, String)]) -> Vec<String> {
    let long = |value: &str| value.len() >= 22 && !value.contains(['=', '&', ' ']);
    let fields = fields.iter().filter(|(_, value)| long(value));
    fields.map(|(name, _)| name.clone()).collect()
}

fn is_protected(sent: &str, page: &Page) -> Outcome {
    let header = |name| page.0.header(name).unwrap_or_default().to_ascii_lowercase();
    for (name, part) in [
        ("content-security-policy", "frame-ancestors 'none'"),
        ("content-security-policy", "default-src 'none'"),
        ("x-frame-options", "deny"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        let got = header(name);
        ensure!(
            got.contains(part),
            "sent {sent}, expected {name}: {part}, got {got:?}"
        );
    }
    let html = page.html().to_ascii_lowercase();
    let unsafe_style = header("content-security-policy").contains("unsafe-");
    ensure!(
        !unsafe_style
            && !html.contains("<script")
            && !html.contains("http://")
            && !html.contains("https://"),
        "sent {sent}, expected a page without scripts and without anything from elsewhere"
    );
    if html.contains("<form") {
        let (_, fields) = page.filled(&[])?;
        ensure!(
            !tokens(&fields).is_empty(),
            "sent {sent}, expected a form with a token, got {:?}",
            fields.iter().map(|(name, _)| name).collect::<Vec<_>>()
        );
    }
    Ok(())
}

fn is_refused(sent: &str, page: &Page) -> Outcome {
    let status = page.0.status();
    ensure!(
        (400..500).contains(&status) && page.0.header("location").is_none(),
        "sent {sent}, expected a refusal, got {status} {:?}",
        text(&page.html())
    );
    Ok(())
}

async fn markup(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let mut browser = Browser::start(&tested).await?;
    let set = tested.set();
    let named = ServerClient::new("hostile", "");
    let client = json!({
        "client_id": named.id, "public": true, "name": MARKUP,
        "redirect_uris": [set.redirect_uri], "scopes": ["read", "write", "<b>x</b>"],
    });
    tested.control().post("clients", &client).await?;
    let wanted = authorization(&tested, &named, MARKUP);
    let wanted = wanted.replace("read+write", "read+%3Cb%3Ex%3C%2Fb%3E");
    let login = browser.get(&wanted).await?;
    is_escaped("a client's name at the login", &login, Some("<b>x</b>"))?;
    let fields = [("username", MARKUP), ("password", MARKUP)];
    let again = browser.submit(&login, &fields).await?;
    is_escaped("a user name", &again, None)?;
    let (_, kept) = again.filled(&[])?;
    let kept = kept.iter().find(|(name, _)| name == "username");
    ensure!(
        kept.is_some_and(|(_, value)| value == MARKUP),
        "entered a user name with markup, expected it unchanged in its field, got {kept:?}"
    );
    let consent = browser.log_in(&again).await?;
    is_escaped(
        "a scope and a name at the consent",
        &consent,
        Some("<b>x</b>"),
    )?;

    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("user_code", MARKUP)
        .finish();
    let page = browser.get(&format!("{}?{query}", set.device_page)).await?;
    is_escaped("a user code in the address", &page, None)?;
    let page = browser.submit(&page, &[("user_code", MARKUP)]).await?;
    is_escaped("a user code in the form", &page, None)?;
    for (name, value) in [
        ("client_id", MARKUP),
        ("redirect_uri", MARKUP),
        (MARKUP, "x"),
    ] {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &named.id)
            .append_pair(name, value)
            .append_pair("code_challenge", CHALLENGE)
            .finish();
        let page = browser
            .get(&format!("{}?{query}", set.authorization))
            .await?;
        is_escaped("a bad authorization request", &page, None)?;
    }
    Ok(())
}

/// Fails when what was sent comes out as markup; `text` is what a person must read all the same.
fn is_escaped(sent: &str, page: &Page, read: Option<&str>) -> Outcome {
    let html = page.html();
    for part in ["<b>", "<script", "alert(1)</"] {
        ensure!(
            !html.contains(part),
            "sent {sent}, expected it escaped, got {part} in the page"
        );
    }
    if let Some(read) = read {
        let shown = text(&html);
        ensure!(
            shown.contains(read),
            "sent {sent}, expected it readable, got {shown:?}"
        );
    }
    Ok(())
}

async fn session_that_began_it(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let public = &tested.set().public;
    let mut one = Browser::start(&tested).await?;
    let asked = authorization(&tested, public, "of one");
    let login = one.get(&asked).await?;
    let consent = one.log_in(&login).await?;
    let (action, fields) = consent.filled(&[("decision", "allow")])?;

    // A second browser, in which nobody, and then somebody, is signed in.
    let mut two = Browser::new(&tested);
    is_refused(
        "one's consent in a browser without a session",
        &two.post(&action, &fields).await?,
    )?;
    let login = two.get(&authorization(&tested, public, "of two")).await?;
    two.log_in(&login).await?;
    is_refused(
        "one's consent in another's session",
        &two.post(&action, &fields).await?,
    )?;

    // A login does not go on with what was there before it: forms and cookies are new.
    let mut three = Browser::new(&tested);
    let before = three.get(&asked).await?;
    let (old, stale) = before.filled(&[("username", USERNAME), ("password", PASSWORD)])?;
    three.log_in(&before).await?;
    is_refused(
        "a form from before the login",
        &three.post(&old, &stale).await?,
    )?;

    // The code goes to whoever began, with the state that began it.
    let sent = one.post(&action, &fields).await?;
    let location = sent.redirect("one's consent")?;
    let state = parameter(location, "state");
    ensure!(
        state.as_deref() == Some("of one"),
        "consented, expected the state that began it, got {state:?}"
    );
    let code = parameter(location, "code").unwrap_or_default();
    let confidential = &tested.set().confidential;
    refused(
        "the code by another client",
        &tested.redeem(confidential, &code).await?,
        &[400],
        &["invalid_grant"],
    )?;
    granted("the code", &tested.redeem(public, &code).await?)?;
    Ok(())
}

async fn guessed_user_codes(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let throttle = json!({ "throttle": true });
    tested.control().post("switches", &throttle).await?;
    let set = tested.set();
    let (_, user_code) = device(&tested, &set.public).await?;
    let mut browser = Browser::start(&tested).await?;
    let login = browser.get(&set.device_page).await?;
    let page = browser.log_in(&login).await?;
    let (limited, guesses) = guess(&mut browser, &page).await?;
    ensure!(
        limited.0.header("retry-after").is_some(),
        "guessed, expected Retry-After with the refusal, got none"
    );
    // Not even the right one is told apart then, by the same person from anywhere.
    let right = [("user_code", user_code.as_str())];
    browser.submit(&page, &right).await?.shows(
        "the right code after many wrong ones",
        429,
        "Too many attempts",
    )?;
    let mut elsewhere = Browser::new(&tested);
    let login = elsewhere.get(&set.device_page).await?;
    let again = elsewhere.log_in(&login).await?;
    elsewhere.submit(&again, &right).await?.shows(
        "the right code in another session",
        429,
        "Too many attempts",
    )?;

    // It ends, and nothing was approved meanwhile.
    tested.control().advance(120).await?;
    browser.submit(&page, &right).await?.shows(
        "the right code two minutes later",
        200,
        "Connect",
    )?;

    // So many guesses in each minute of its life are too few to find a code of 20 letters in 8
    // places: less than one in a million.
    let started = tested
        .post_as(&set.device_authorization, &set.public, &[])
        .await?;
    let lives = granted("a device authorization", &started)?["expires_in"].as_u64();
    let tries = lives.unwrap_or(u64::MAX).saturating_mul(guesses) / 60;
    ensure!(
        tries < 20_u64.pow(8) / 1_000_000,
        "a code lives {lives:?} seconds, expected less than 1 in 1 000 000 to find it, got {tries} guesses"
    );
    Ok(())
}

/// Enters wrong codes until the server has enough of it.
async fn guess(browser: &mut Browser<'_>, page: &Page) -> Result<(Page, u64), Failure> {
    for guesses in 1..100 {
        let wrong = [("user_code", "BCDF-GHJK")];
        let answer = browser.submit(page, &wrong).await?;
        if answer.0.status() == 429 {
            return Ok((answer, guesses));
        }
        answer.shows("a wrong user code", 400, "No device waits")?;
    }
    Err(Failure::new(
        "entered 100 wrong user codes, expected 429, got none",
    ))
}

async fn verification_page(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let mut browser = Browser::start(&tested).await?;
    let (device_code, user_code) = device(&tested, &set.public).await?;
    let poll = async || {
        tested.control().advance(30).await?;
        let form = [
            ("grant_type", DEVICE),
            ("device_code", device_code.as_str()),
        ];
        tested.token_as(&set.public, &form).await
    };
    let pending =
        async |sent: &str| refused(sent, &poll().await?, &[400], &["authorization_pending"]);
    // The address only fills the field in, before the login and after it.
    let complete = format!("{}?user_code={user_code}", set.device_page);
    let login = browser.get(&complete).await?;
    login.shows("a link with a code", 200, "Sign in")?;
    let page = browser.log_in(&login).await?;
    let (action, fields) = page.filled(&[])?;
    let filled = fields.iter().find(|(name, _)| name == "user_code");
    ensure!(
        filled.is_some_and(|(_, value)| *value == user_code),
        "followed a link with a code, expected it in the field, got {filled:?}"
    );
    pending("a poll after the link was followed").await?;

    // Another site cannot send it, neither the code nor the decision.
    let evil = [("Origin", "https://evil.example")];
    is_refused(
        "a code from another site",
        &browser.post_with(&action, &fields, &evil).await?,
    )?;
    let confirm = browser.post(&action, &fields).await?;
    confirm.shows("a user code", 200, &set.public.id)?;
    confirm.shows("a user code", 200, &user_code)?;
    pending("a poll after the code was entered").await?;
    let (action, fields) = confirm.filled(&[("decision", "allow")])?;
    is_refused(
        "a decision from another site",
        &browser.post_with(&action, &fields, &evil).await?,
    )?;
    let without: Vec<_> = fields
        .iter()
        .filter(|(name, _)| !tokens(&fields).contains(name))
        .cloned()
        .collect();
    is_refused(
        "a decision without its token",
        &browser.post(&action, &without).await?,
    )?;
    pending("a poll after forged decisions").await?;
    browser
        .post(&action, &fields)
        .await?
        .shows("a decision", 200, "connected")?;
    granted("a poll after the decision", &poll().await?).map(|_| ())
}
