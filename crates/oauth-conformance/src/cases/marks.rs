//! Looks for values that must not be seen: in what an error shows, in every form they could take.

use std::error::Error as StdError;

use base64::{Engine, prelude::BASE64_STANDARD};
use oauth_core::Error;

use crate::{Failure, Outcome};

/// Everything that `error` shows: `Display`, `Debug`, and both of its whole source chain.
pub(super) fn shown(error: &Error) -> String {
    let mut text = format!("{error}\n{error:?}\n{error:#?}\n");
    if let Some(oauth) = error.oauth_error() {
        text.push_str(&format!(
            "{oauth}\n{oauth:?}\n{:?}\n{:?}\n",
            oauth.description(),
            oauth.uri()
        ));
    }
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!("{source}\n{source:?}\n"));
        next = source.source();
    }
    text
}

/// Ends the case when `error` shows one of `marks`.
pub(super) fn unseen(error: &Error, marks: &[&str], sent: &str) -> Outcome {
    unseen_in(&shown(error), marks, sent)
}

/// Ends the case when `text` shows one of `marks`.
pub(super) fn unseen_in(text: &str, marks: &[&str], sent: &str) -> Outcome {
    for mark in marks {
        if let Some((form, _)) = forms(mark)
            .into_iter()
            .find(|(_, form)| text.contains(form))
        {
            return Err(Failure::new(format!(
                "sent {sent}, expected {mark} to stay unseen, got it as {form}"
            )));
        }
    }
    Ok(())
}

/// What `mark` looks like: plain, as a list of bytes, form-encoded, and as base64 wherever in the
/// encoded text it may stand.
fn forms(mark: &str) -> Vec<(&'static str, String)> {
    let bytes = format!("{:?}", mark.as_bytes());
    let mut forms = vec![
        ("plain text", mark.to_owned()),
        ("bytes", bytes.trim_matches(['[', ']']).to_owned()),
        ("form text", encoded(mark)),
    ];
    for (before, skip) in [(0, 0), (1, 2), (2, 3)] {
        let padded = [&vec![0; before], mark.as_bytes()].concat();
        let whole = padded.len() / 3 * 4;
        let text = BASE64_STANDARD.encode(&padded);
        forms.push(("base64", text[skip..whole].to_owned()));
    }
    forms
}

/// `text` as a form writes it (RFC 6749 appendix B).
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_wherever_it_stands() {
        let mark = "mark+7Q/2x&";
        for before in ["", "a", "ab", "abc"] {
            let pair = BASE64_STANDARD.encode(format!("{before}{mark}:rest"));
            assert!(unseen_in(&pair, &[mark], "base64").is_err(), "{before}");
        }
        for text in [
            format!("x {mark}"),
            format!("{:?}", mark.as_bytes()),
            encoded(mark),
        ] {
            assert!(unseen_in(&text, &[mark], "text").is_err(), "{text}");
        }
        assert!(unseen_in("mark", &[mark], "something else").is_ok());
    }
}
