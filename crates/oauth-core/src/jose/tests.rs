//! Against the vectors of RFC 7515 and RFC 9449, and against keys that OpenSSL wrote: a signer and
//! a verifier of one hand could agree on a mistake.

use serde_json::json;

use super::*;

/// RFC 7515 appendix A.2.1.
const RSA: &str = include_str!("tests/rfc7515-a2.json");
/// RFC 7515 appendix A.3.1.
const EC: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

#[test]
fn rs256_signs_as_rfc_7515_a_2() {
    let key = SigningKey::from_jwk(&RSA.into()).unwrap();
    // The payload has line breaks that JSON would not write: the signing input, not `compact`.
    let input = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = base64::Engine::encode(
        &base64::prelude::BASE64_URL_SAFE_NO_PAD,
        key.sign(input.as_bytes()).unwrap(),
    );
    assert_eq!(
        signature,
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
}

#[test]
fn a_jwk_keeps_its_public_half_and_its_name() {
    for (text, names) in [
        (RSA, ["kty", "n", "e"].as_slice()),
        (EC, &["kty", "crv", "x", "y"]),
    ] {
        let mut members: serde_json::Map<_, _> = serde_json::from_str(text).unwrap();
        members.insert("kid".into(), "k1".into());
        let key = SigningKey::from_jwk(&serde_json::to_string(&members).unwrap().into()).unwrap();
        let public = key.public_jwk();
        assert_eq!(public.len(), names.len());
        for name in names {
            assert_eq!(public[*name], members[*name], "{name}");
        }
        assert_eq!(key.key_id(), Some("k1"));
        let shown = format!("{key:?}");
        assert!(!shown.contains(members["d"].as_str().unwrap()), "{shown}");
    }
}

#[test]
fn a_thumbprint_is_that_of_rfc_9449() {
    // The key of RFC 9449 §4.1 and its thumbprint in §6.1.
    let key = json!({"kty": "EC", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA", "crv": "P-256"});
    assert_eq!(
        key::thumbprint(key.as_object().unwrap().clone()),
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    );
    let key = SigningKey::from_jwk(&EC.into()).unwrap();
    assert_eq!(
        key.thumbprint(),
        "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
    );
}

#[test]
fn a_key_in_any_pem_is_read_and_written() {
    for (name, pem, algorithm) in [
        (
            "PKCS#8 RSA",
            include_str!("tests/rsa-pkcs8.pem"),
            SigningAlgorithm::Rs256,
        ),
        (
            "PKCS#1",
            include_str!("tests/rsa-pkcs1.pem"),
            SigningAlgorithm::Rs256,
        ),
        (
            "PKCS#8 EC",
            include_str!("tests/ec-pkcs8.pem"),
            SigningAlgorithm::Es256,
        ),
        (
            "SEC 1",
            include_str!("tests/ec-sec1.pem"),
            SigningAlgorithm::Es256,
        ),
    ] {
        let key = SigningKey::from_pem(&pem.into()).unwrap();
        assert_eq!(key.algorithm(), algorithm, "{name}");
        let written = key.to_pem().unwrap();
        let again = SigningKey::from_pem(&written).unwrap();
        assert_eq!(again.thumbprint(), key.thumbprint(), "{name}");
    }
}

#[test]
fn what_cannot_sign_here_is_no_key() {
    let pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    for text in [
        "",
        "PRIVATE KEY",
        "-----BEGIN PRIVATE KEY-----",
        pem,
        public,
    ] {
        assert!(SigningKey::from_pem(&text.into()).is_err(), "{text}");
    }
    let ec = |name: &str, value: serde_json::Value| {
        let mut members: serde_json::Value = serde_json::from_str(EC).unwrap();
        members[name] = value;
        SigningKey::from_jwk(&members.to_string().into())
    };
    assert!(ec("alg", json!("ES256")).is_ok());
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("use", json!("enc")),
        ("crv", json!("P-384")),
        ("d", json!("AAAA")),
        ("d", json!(null)),
        ("y", json!("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1")),
        ("kty", json!("oct")),
    ] {
        assert!(ec(name, value.clone()).is_err(), "{name}: {value}");
    }
    assert!(SigningKey::from_jwk(&r#"{"kty":"oct","k":"AAAA"}"#.into()).is_err());
}
