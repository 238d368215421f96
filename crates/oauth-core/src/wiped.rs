//! Texts with secrets in them, made without a copy that nobody wipes.

use std::io;

use bytes::Bytes;
use http::{HeaderValue, header::InvalidHeaderValue};
use secrecy::SecretString;
use serde::Serialize;
use zeroize::Zeroizing;

/// `value` as JSON. A buffer that grows leaves what it held where it was, so the length is counted
/// before anything is written.
pub(crate) fn json(value: &impl Serialize) -> SecretString {
    let mut length = Length(0);
    // Into memory, and of texts, numbers and JSON values: nothing here can fail.
    serde_json::to_writer(&mut length, value).ok();
    let mut text = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *text, value).ok();
    String::from_utf8(std::mem::take(&mut *text))
        .unwrap_or_default()
        .into()
}

/// `text` as the value of a header, marked sensitive; wiped when the last clone of it is dropped.
///
/// # Errors
/// When a character is not fit for a header.
pub(crate) fn header(text: Zeroizing<String>) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Owned(text)))?;
    value.set_sensitive(true);
    Ok(value)
}

struct Owned(Zeroizing<String>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_text_and_the_header_are_what_they_would_be() {
        let text = json(&["a\"b", "é"]);
        assert_eq!(text.expose_secret(), r#"["a\"b","é"]"#);
        let value = header(Zeroizing::new("Bearer a".to_owned())).unwrap();
        assert!(value.is_sensitive() && value == "Bearer a");
        assert!(header(Zeroizing::new("a\r\nb".to_owned())).is_err());
    }
}
