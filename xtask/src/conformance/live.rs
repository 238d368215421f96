//! `--live`: what changes nothing, against the real service, with credentials from the environment.
//! Of what there was before, that is: of Moov it ends the token that it made.
//!
//! `TWITCH_BASE_URL`, `MOOV_HOST` with `MOOV_URL_SCHEME`, and `MP_BASE_URL` lead it somewhere
//! else, such as to an emulator.

use std::{env, fmt::Display, process::ExitCode};

use oauth_conformance::Secrets;
use oauth_core::{AccessToken, ErrorCode, Recovery, Scopes, Token, grant::ClientCredentials};

use super::{checks::Checks, said, show};

/// A service to test in the wild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Live {
    /// An app token, validated. Wants TWITCH_CLIENT_ID, TWITCH_CLIENT_SECRET
    Twitch,
    /// A token, which is ended again. Wants MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, MOOV_ORIGIN
    Moov,
    /// A token of the user, asked about. Wants MP_BASE_URL, MP_USERNAME, MP_PASSWORD, MP_CLIENT_ID,
    /// MP_CLIENT_SECRET; with MP_LOOKUP_CLIENT_ID also looks that API client up, and gets its token
    MinistryPlatform,
}

/// An API client of Ministry Platform's whose secret is looked up. Not every user may.
const LOOKUP: &str = "MP_LOOKUP_CLIENT_ID";

/// Without credentials nothing is begun, as with any bad option.
const USAGE: u8 = 2;

impl Live {
    /// The variables that must be set; those of the second list are no secrets.
    fn variables(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Twitch => (&["TWITCH_CLIENT_SECRET"], &["TWITCH_CLIENT_ID"]),
            Self::Moov => (&["MOOV_SECRET_KEY"], &["MOOV_PUBLIC_KEY", "MOOV_ORIGIN"]),
            Self::MinistryPlatform => (
                &["MP_PASSWORD", "MP_CLIENT_SECRET"],
                &["MP_BASE_URL", "MP_USERNAME", "MP_CLIENT_ID"],
            ),
        }
    }

    fn missing(self, get: &Lookup<'_>) -> Vec<&'static str> {
        let (secret, plain) = self.variables();
        let all = plain.iter().chain(secret).copied();
        all.filter(|name| get(name).is_none()).collect()
    }

    /// Secrets that nobody could find in what the run says.
    fn not_searchable(self, get: &Lookup<'_>) -> Vec<&'static str> {
        let secret = self.variables().0.iter().copied();
        let lost = |name: &&str| get(name).is_some_and(|value| !Secrets::can_find(&value));
        secret.filter(lost).collect()
    }
}

type Lookup<'a> = dyn Fn(&str) -> Option<String> + Sync + 'a;

/// Runs the subset, prints a line for each check; the exit code is 2 when a variable is missing.
pub(crate) fn run(live: Live) -> ExitCode {
    let get = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let missing = live.missing(&get);
    if !missing.is_empty() {
        eprintln!(
            "error: a live run takes its credentials from the environment; not set: {}",
            missing.join(", ")
        );
        return ExitCode::from(USAGE);
    }
    let lost = live.not_searchable(&get);
    if !lost.is_empty() {
        eprintln!(
            "error: a live run searches what it says for its secrets, and could not tell this one \
             from a word (under 8 characters, or too few different ones): {}",
            lost.join(", ")
        );
        return ExitCode::from(USAGE);
    }
    said::keep_panics();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = said::keep_log()
        .and(runtime.map_err(|error| format!("no runtime: {error}")))
        .and_then(|runtime| {
            let (text, passed) = runtime.block_on(checks(live, &get)).said()?;
            show(&text).map(|()| passed)
        });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn checks(live: Live, get: &Lookup<'_>) -> Checks {
    let mut checks = Checks::default();
    for name in live.variables().0 {
        checks.secrets().add(&get(name).unwrap_or_default());
    }
    let set_up = match live {
        Live::Twitch => twitch(&mut checks, get).await,
        Live::Moov => moov(&mut checks, get).await,
        Live::MinistryPlatform => ministry_platform(&mut checks, get).await,
    };
    if let Err(error) = set_up {
        checks.add("set up from the environment", Err(error));
    }
    checks
}

async fn twitch(checks: &mut Checks, get: &Lookup<'_>) -> Result<(), String> {
    let twitch = match get("TWITCH_BASE_URL") {
        Some(url) => ::twitch::Twitch::at(&url).map_err(text)?,
        None => ::twitch::Twitch::new(),
    };
    let id = get("TWITCH_CLIENT_ID").unwrap_or_default();
    let client = ::twitch::Client::builder_for(twitch, &id)
        .client_secret(get("TWITCH_CLIENT_SECRET").unwrap_or_default())
        .transport(checks.transport()?)
        .build()
        .map_err(text)?;
    let token = client
        .core()
        .exchange(&ClientCredentials::new())
        .await
        .map_err(text);
    checks.token("client credentials give an app token", &token);
    if let Ok(token) = token {
        let validation = client.token_validate(token.access_token()).await;
        checks.add(
            "the token is valid, and this application's",
            validation
                .map(|it| it.client_id() == id && it.user_id().is_none())
                .map_err(text),
        );
    }
    let dead = client.token_validate(&nobodys()?).await;
    checks.add(
        "a token that never was is dead, and only a token",
        match dead {
            Err(error) if error.code() == Some(&ErrorCode::InvalidToken) => {
                Ok(error.recovery() == Recovery::Renew)
            }
            other => other.map(|_| false).map_err(text),
        },
    );
    Ok(())
}

async fn moov(checks: &mut Checks, get: &Lookup<'_>) -> Result<(), String> {
    let value = |name| get(name).unwrap_or_default();
    let mut builder = ::moov::Client::builder(value("MOOV_PUBLIC_KEY"), value("MOOV_SECRET_KEY"))
        .origin(value("MOOV_ORIGIN"))
        .transport(checks.transport()?);
    if let Some(host) = get("MOOV_HOST") {
        let scheme = get("MOOV_URL_SCHEME").unwrap_or_else(|| "https".to_owned());
        builder = builder.base_url(format!("{scheme}://{host}"));
    }
    let client = builder.build().map_err(text)?;
    let scopes = Scopes::new(["/accounts.read"]).map_err(text)?;
    let token = client
        .client_credentials(scopes.clone())
        .await
        .map_err(text);
    checks.token("client credentials give a token", &token);
    if let Ok(token) = token {
        checks.add(
            "it has the scopes that were asked for",
            Ok(*token.scopes() == scopes),
        );
        let end = ::moov::RevokeAccessToken::access_token(token.access_token());
        let ended = client.revoke_access_token(end).await;
        checks.add("it is revoked", ended.map(|()| true).map_err(text));
    }
    Ok(())
}

async fn ministry_platform(checks: &mut Checks, get: &Lookup<'_>) -> Result<(), String> {
    let value = |name| get(name).unwrap_or_default();
    let church = ::ministry_platform::Authentication::builder(value("MP_BASE_URL"))
        .username(value("MP_USERNAME"))
        .password(value("MP_PASSWORD"))
        .client_id(value("MP_CLIENT_ID"))
        .client_secret(value("MP_CLIENT_SECRET"))
        .transport(checks.transport()?)
        .build()
        .map_err(text)?;
    let token = church.authenticate().await.map_err(text);
    let token = token.map(|token| (*token).clone());
    checks.token("the user's password gives a token", &token);
    if let Ok(token) = token {
        let valid = church.valid_token(token.access_token()).await;
        checks.add("the token is valid", valid.map_err(text));
    }
    let dead = church.valid_token(&nobodys()?).await;
    checks.add(
        "a token that never was is dead",
        dead.map(|valid| !valid).map_err(text),
    );
    if let Some(id) = get(LOOKUP) {
        let token = church.authenticate_client(&id).await.map_err(text);
        let token = token.map(|token| (*token).clone());
        checks.token("an API client that was looked up gets a token", &token);
    }
    Ok(())
}

/// A token that nobody has.
fn nobodys() -> Result<AccessToken, String> {
    AccessToken::new("0123456789abcdefghijklmnopqrst").map_err(text)
}

fn text(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use oauth_emulators::Emulator;

    use super::*;

    fn lookup<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| {
            let found = variables.iter().find(|(have, _)| *have == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn each_variable_that_is_not_set_is_named() {
        let get = lookup(&[("MP_USERNAME", "u"), ("MP_CLIENT_SECRET", "s")]);
        let missing = Live::MinistryPlatform.missing(&get);
        assert_eq!(missing, ["MP_BASE_URL", "MP_CLIENT_ID", "MP_PASSWORD"]);
        assert_eq!(Live::Moov.missing(&get).len(), 3);
    }

    #[test]
    fn a_secret_that_no_search_could_find_is_named() {
        let get = lookup(&[
            ("MP_PASSWORD", "demo"),
            ("MP_CLIENT_SECRET", "authorization"),
        ]);
        let lost = Live::MinistryPlatform.not_searchable(&get);
        assert_eq!(lost, ["MP_PASSWORD", "MP_CLIENT_SECRET"]);
        let get = lookup(&[("TWITCH_CLIENT_SECRET", "x7mqk2vp91")]);
        assert!(Live::Twitch.not_searchable(&get).is_empty());
    }

    #[tokio::test]
    async fn the_subset_passes_on_the_emulators_and_says_no_secret() {
        let (twitch, moov, church) = (
            Emulator::twitch().start().await.unwrap(),
            Emulator::moov().start().await.unwrap(),
            Emulator::ministry_platform().start().await.unwrap(),
        );
        let host = moov.base_url().trim_start_matches("http://");
        let variables = [
            ("TWITCH_CLIENT_ID", "demo"),
            ("TWITCH_CLIENT_SECRET", "demo-secret"),
            ("TWITCH_BASE_URL", twitch.base_url()),
            ("MOOV_PUBLIC_KEY", "demo"),
            ("MOOV_SECRET_KEY", "demo-secret"),
            ("MOOV_ORIGIN", "https://example.com"),
            ("MOOV_HOST", host),
            ("MOOV_URL_SCHEME", "http"),
            ("MP_BASE_URL", church.base_url()),
            ("MP_USERNAME", "demo"),
            ("MP_PASSWORD", "demo"),
            ("MP_CLIENT_ID", "demo"),
            ("MP_CLIENT_SECRET", "demo-secret"),
            (LOOKUP, "demo"),
        ];
        let get = lookup(&variables);
        for (live, least) in [
            (Live::Twitch, 3),
            (Live::Moov, 3),
            (Live::MinistryPlatform, 3),
        ] {
            assert!(live.missing(&get).is_empty());
            let checks = checks(live, &get).await;
            assert!(checks.len() >= 3, "{live:?}");
            // Its own, that of the emulator's client, and each token that came.
            assert!(checks.secrets().len() >= least, "{live:?}");
            let (text, passed) = checks.said().unwrap();
            assert!(passed, "{live:?}: {text}");
        }
        let wrong = [
            ("TWITCH_CLIENT_ID", "demo"),
            ("TWITCH_CLIENT_SECRET", "wrong-secret"),
            variables[2],
        ];
        let (text, passed) = checks(Live::Twitch, &lookup(&wrong)).await.said().unwrap();
        assert!(!passed && !text.contains("wrong-secret"), "{text}");
    }
}
