//! Proof key for code exchange (RFC 7636), S256 only.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// 43 to 128 unreserved characters (RFC 7636 §4.1, §4.2); verifiers and challenges alike.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

/// Whether the verifier answers the challenge. A verifier without a challenge is a downgrade
/// (RFC 9700 §4.8.2): somebody took the challenge out of the authorization request.
pub(crate) fn fits(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
            digest.as_bytes().ct_eq(challenge.as_bytes()).into()
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_fits() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(fits(Some(challenge), Some(verifier)));
        assert!(!fits(Some(challenge), Some(&verifier.replace('d', "e"))));
        assert!(!fits(Some(verifier), Some(verifier)), "plain");
        assert!(!fits(Some(challenge), None));
        assert!(!fits(None, Some(verifier)));
        assert!(fits(None, None));
    }

    #[test]
    fn lengths_and_characters_are_held() {
        for (text, good) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("~".repeat(128), true),
            ("a".repeat(129), false),
            ("+".repeat(43), false),
            ("ä".repeat(43), false),
        ] {
            assert_eq!(is_well_formed(&text), good, "{text}");
        }
    }
}
