//! `DPoP-Nonce` (RFC 9449 §8.1): a text that goes into a JWT, so not every text will do.

use http::HeaderMap;

/// The longest nonce, in bytes. Some servers put an encrypted text into it.
const MAX: usize = 1024;

/// The nonce that the server wants to see in the next proof; `None` when it names none, several, or
/// one with a character outside NQCHAR (RFC 6749 appendix A).
pub(crate) fn dpop_nonce(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all("dpop-nonce").iter();
    let nonce = all.next()?.to_str().ok()?;
    let plain = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let fit = !nonce.is_empty() && nonce.len() <= MAX && nonce.bytes().all(plain);
    (fit && all.next().is_none()).then_some(nonce)
}
