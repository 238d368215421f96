//! Private keys as PEM (RFC 7468).

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

/// The label and the bytes of the first private key in `text`.
pub(super) fn private_key(text: &str) -> Option<(&str, Zeroizing<Vec<u8>>)> {
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once("-----BEGIN ")?;
        let (label, after) = after.split_once("-----")?;
        let (body, after) = after.split_once("-----END ")?;
        if label.ends_with("PRIVATE KEY") {
            let plain: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
            let bytes = BASE64_STANDARD.decode(plain.as_bytes()).ok()?;
            return Some((label, Zeroizing::new(bytes)));
        }
        rest = after;
    }
}

/// `bytes` as PEM.
pub(super) fn encode(label: &str, bytes: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(BASE64_STANDARD.encode(bytes));
    let mut text = Zeroizing::new(format!("-----BEGIN {label}-----\n"));
    for (index, character) in body.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}
