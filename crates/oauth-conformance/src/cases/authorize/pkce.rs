//! A1: PKCE (RFC 7636). A client may switch it on whatever its provider does with it, so every
//! target with the code flow is asked.

use std::sync::Arc;

use oauth_core::{
    Error, PendingAuthorization,
    random::Random,
    secrecy::{ExposeSecret, SecretString},
};
use serde_json::Value;

use super::{NOWHERE, begin, ensure_random, once};
use crate::{Context, Failure, Outcome, ensure};

/// The verifier that is kept for the exchange.
pub(in crate::cases) fn verifier(pending: &PendingAuthorization) -> Result<String, Failure> {
    let kept: Value = serde_json::from_str(pending.to_json().expose_secret())
        .map_err(|_| Failure::new("what is kept of an authorization is not JSON"))?;
    let verifier = kept["code_verifier"].as_str().map(str::to_owned);
    verifier.ok_or_else(|| Failure::new("nothing kept a code verifier"))
}

pub(super) async fn code_verifier(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx.client(server.base_url())?;
    let mut verifiers = Vec::new();
    for _ in 0..1000 {
        verifiers.push(verifier(&begin(&cx, &client)?.1)?);
    }
    for text in &verifiers {
        let fit = (43..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        ensure!(
            fit,
            "expected 43 to 128 unreserved characters, got {} others",
            text.len()
        );
    }
    ensure_random("code verifier", &verifiers)?;

    let (url, mut pending) = begin(&cx, &client)?;
    let kept = verifier(&pending)?;
    let state = once(&url, "state")?;
    client
        .exchange(&pending.accept(&format!("code=a-code&state={state}"))?)
        .await?;
    let sent = server
        .received()
        .first()
        .and_then(|request| request.param("code_verifier"));
    ensure!(
        sent == Some(kept),
        "expected the kept verifier in the token request, got another"
    );
    Ok(())
}

/// The bytes that RFC 7636 appendix B draws for its verifier.
const APPENDIX_B: [u8; 32] = [
    116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77,
    105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
];

pub(super) async fn code_challenge(cx: Context) -> Outcome {
    #[derive(Debug)]
    struct Fixed([u8; 32]);
    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
            bytes.copy_from_slice(&self.0[..bytes.len()]);
            Ok(())
        }
    }
    for (bytes, expected_verifier, expected) in [
        (
            APPENDIX_B,
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
        (
            [0; 32],
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo",
        ),
        (
            [255; 32],
            "__________________________________________8",
            "Il9-dTKd1FqjVJddc5hzGTCTk686TGczvBNgGk8bh5Y",
        ),
    ] {
        let client = cx
            .builder(NOWHERE)?
            .random(Arc::new(Fixed(bytes)))
            .build()?;
        let (url, pending) = begin(&cx, &client)?;
        let (verifier, challenge) = (verifier(&pending)?, once(&url, "code_challenge")?);
        ensure!(
            verifier == expected_verifier && challenge == expected,
            "drew the bytes of {expected_verifier}, expected the challenge {expected}, got {verifier} and {challenge}"
        );
    }
    Ok(())
}

pub(super) async fn never_plain(cx: Context) -> Outcome {
    let client = cx.client(NOWHERE)?;
    let (url, pending) = begin(&cx, &client)?;
    let method = once(&url, "code_challenge_method")?;
    ensure!(method == "S256", "expected the method S256, got {method}");
    ensure!(
        once(&url, "code_challenge")? != verifier(&pending)?,
        "expected a challenge that hides the verifier, got the verifier itself"
    );
    for (name, value) in [
        ("code_challenge_method", "plain"),
        ("code_challenge", "guess"),
    ] {
        let result = client
            .authorization_request(cx.credentials().redirect_uri)
            .pkce(true)
            .param(name, value)
            .build();
        ensure!(
            result.is_err(),
            "offered {name}={value}, expected an error, got {result:?}"
        );
    }
    // A record that somebody kept from elsewhere cannot bring a method either.
    let kept = pending.to_json();
    ensure!(
        !kept.expose_secret().contains("plain"),
        "expected no method in what is kept, got one"
    );
    PendingAuthorization::from_json(&SecretString::from(kept.expose_secret()))?;
    Ok(())
}
