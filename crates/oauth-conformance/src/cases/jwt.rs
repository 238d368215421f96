//! JWTs, opened by code of the suite's own: a client that signs and verifies with the same code
//! could agree with itself on a mistake. The tests below put it to the vectors of the RFCs.

use std::time::SystemTime;

use aws_lc_rs::{
    hmac,
    rsa::PublicKeyComponents,
    signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use oauth_core::SigningKey;
use serde_json::{Value, json};

use crate::{Context, Failure};

/// RFC 7515 appendix A.3.1, with a name.
const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"ec","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
/// RFC 7515 appendix A.2.1.
const RSA: &str = include_str!("jwt/rfc7515-a2.json");

/// A JWT that was verified.
#[derive(Debug)]
pub(super) struct Jwt {
    pub(super) header: Value,
    pub(super) claims: Value,
}

/// The P-256 key of RFC 7515 as a client's, and as a server knows it.
pub(super) fn ec() -> Result<(SigningKey, Value), Failure> {
    pair(EC)
}

/// The RSA key of RFC 7515, likewise.
pub(super) fn rsa() -> Result<(SigningKey, Value), Failure> {
    pair(RSA)
}

/// That P-256 key with one member changed, as JSON.
pub(super) fn ec_with(name: &str, value: Value) -> String {
    let mut members: Value = serde_json::from_str(EC).unwrap_or_default();
    members[name] = value;
    members.to_string()
}

fn pair(jwk: &str) -> Result<(SigningKey, Value), Failure> {
    let public =
        serde_json::from_str(jwk).map_err(|_| Failure::new("the suite's own key is none"))?;
    Ok((SigningKey::from_jwk(&jwk.into())?, public))
}

/// A client's secret as a key.
pub(super) fn secret(text: &str) -> Value {
    json!({"kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode(text)})
}

/// What is in `text`, if the owner of `jwk` signed it in the one way that fits the key.
pub(super) fn open(text: &str, jwk: &Value) -> Result<Jwt, Failure> {
    let parts: Vec<_> = text.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        return Err(Failure::new(format!(
            "expected a JWT of 3 parts, got {}",
            parts.len()
        )));
    };
    let signature = bytes(signature)?;
    let signed = format!("{header}.{claims}");
    let jwt = Jwt {
        header: json(header)?,
        claims: json(claims)?,
    };
    let member = |name: &str| bytes(jwk[name].as_str().unwrap_or_default());
    let (algorithm, good) = match jwk["kty"].as_str() {
        Some("EC") => {
            let point = [vec![4], member("x")?, member("y")?].concat();
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            ("ES256", key.verify(signed.as_bytes(), &signature).is_ok())
        }
        Some("RSA") => {
            let key = PublicKeyComponents {
                n: member("n")?,
                e: member("e")?,
            };
            let rule = &RSA_PKCS1_2048_8192_SHA256;
            (
                "RS256",
                key.verify(rule, signed.as_bytes(), &signature).is_ok(),
            )
        }
        _ => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &member("k")?);
            (
                "HS256",
                hmac::verify(&key, signed.as_bytes(), &signature).is_ok(),
            )
        }
    };
    if jwt.header["alg"] != algorithm || !good {
        return Err(Failure::new(format!(
            "expected a JWT signed with {algorithm}, got alg {} and a signature that is {}",
            jwt.header["alg"],
            if good { "right" } else { "wrong" },
        )));
    }
    Ok(jwt)
}

/// What the case's clock shows, as a JWT has it.
pub(super) fn seconds(cx: &Context) -> u64 {
    let since = cx.now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

fn bytes(part: &str) -> Result<Vec<u8>, Failure> {
    BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Failure::new("expected base64url without padding (RFC 7515 section 2)"))
}

fn json(part: &str) -> Result<Value, Failure> {
    serde_json::from_slice(&bytes(part)?)
        .map_err(|_| Failure::new("expected a JWT of JSON objects"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_7515_and_rfc_9449_open_and_others_do_not() {
        let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let oct = json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"});
        let dpop = json!({"kty": "EC", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA", "crv": "P-256"});
        let vectors = [
            (oct, format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{payload}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "joe"),
            (rsa().unwrap().1, format!("eyJhbGciOiJSUzI1NiJ9.{payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"), "joe"),
            (ec().unwrap().1, format!("eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"), "joe"),
            (dpop, "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg".to_owned(), ""),
        ];
        for (key, text, issuer) in &vectors {
            let jwt = open(text, key).unwrap();
            assert_eq!(jwt.claims["iss"].as_str().unwrap_or_default(), *issuer);
            let others = vectors.iter().filter(|(other, _, _)| other != key);
            for (other, _, _) in others {
                assert!(open(text, other).is_err(), "{text} with {other}");
            }
            let forged = text.replacen(".eyJ", ".eyK", 1);
            assert!(open(&forged, key).is_err(), "{forged}");
        }
    }
}
