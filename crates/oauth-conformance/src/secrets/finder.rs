//! The search for secrets in each form in which they could be written.

use std::{collections::HashMap, ops::Range};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::Value;

use super::Form;

/// How many bytes of a form are looked up before it is compared.
const PREFIX: usize = 6;

/// Finds the forms of secrets in a text, in one pass however many there are.
#[derive(Default)]
pub(crate) struct Finder(HashMap<Vec<u8>, Vec<(Form, Vec<u8>)>>);

impl Finder {
    pub(super) fn of(secrets: &[String]) -> Self {
        let mut finder = Self::default();
        for (form, bytes) in secrets.iter().flat_map(|secret| forms_of(secret)) {
            if let Some(prefix) = bytes.get(..PREFIX) {
                let same = finder.0.entry(prefix.to_vec()).or_default();
                same.push((form, bytes));
            }
        }
        finder
    }

    /// Where they are, and how they are written.
    pub(super) fn find(&self, text: &str) -> Vec<(Form, Range<usize>)> {
        let bytes = text.as_bytes();
        // Hex and percent-encoding are written in either case.
        let lower = bytes.to_ascii_lowercase();
        let mut found = Vec::new();
        let mut next = 0;
        while next + PREFIX <= bytes.len() {
            // The longest, so that nothing is left of a secret that begins with another one.
            let longest = [&bytes[next..], &lower[next..]]
                .into_iter()
                .filter_map(|rest| Some((rest, self.0.get(&rest[..PREFIX])?)))
                .flat_map(|(rest, forms)| {
                    let here = move |(_, form): &&(Form, Vec<u8>)| rest.starts_with(form);
                    forms.iter().filter(here)
                })
                .max_by_key(|(_, form)| form.len());
            match longest {
                Some((form, bytes)) => {
                    found.push((*form, next..next + bytes.len()));
                    next += bytes.len();
                }
                None => next += 1,
            }
        }
        found
    }

    /// `text` with `[secret]` in the place of each.
    pub(crate) fn masked(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut rest = 0;
        for (_, range) in self.find(text) {
            masked.push_str(&text[rest..range.start]);
            masked.push_str("[secret]");
            rest = range.end;
        }
        masked.push_str(&text[rest..]);
        masked
    }
}

fn forms_of(secret: &str) -> Vec<(Form, Vec<u8>)> {
    let mut forms = vec![(Form::Plain, secret.as_bytes().to_vec())];
    let json = Value::from(secret).to_string();
    forms.push((Form::Plain, json.as_bytes()[1..json.len() - 1].to_vec()));
    forms.push((Form::Plain, escaped(secret).into_bytes()));
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    forms.push((Form::Hex, hex.into_bytes()));
    let list: Vec<_> = secret.bytes().map(|byte| byte.to_string()).collect();
    forms.push((Form::List, list.join(", ").into_bytes()));
    forms.push((Form::List, list.join(",").into_bytes()));
    let every: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    forms.push((Form::Percent, every.into_bytes()));
    for encoded in [
        percent(secret),
        form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
    ] {
        if encoded != secret {
            let lower = lower_escapes(&encoded);
            forms.push((Form::Percent, encoded.into_bytes()));
            forms.push((Form::Percent, lower.into_bytes()));
        }
    }
    // What stands before it decides at which of three offsets base64 cuts it up; the characters
    // that neighbours share are left out.
    for offset in 0..3 {
        let mut bytes = vec![0; offset];
        bytes.extend_from_slice(secret.as_bytes());
        let shared = [0, 2, 3][offset];
        let whole = bytes.len() * 8 / 6;
        for text in [
            BASE64_STANDARD_NO_PAD.encode(&bytes),
            BASE64_URL_SAFE_NO_PAD.encode(&bytes),
        ] {
            forms.push((Form::Base64, text.as_bytes()[shared..whole].to_vec()));
        }
    }
    forms
}

/// As HTML and XML have it in a report.
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '&' | '<' | '>' | '"' | '\'' => format!("&#{};", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// Percent-encoding that leaves the unreserved characters (RFC 3986 §2.3).
pub(super) fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn lower_escapes(text: &str) -> String {
    let mut escape = 0;
    text.chars()
        .map(|c| {
            escape = if c == '%' { 4 } else { escape };
            escape -= i32::from(escape > 0);
            if escape > 0 {
                c.to_ascii_lowercase()
            } else {
                c
            }
        })
        .collect()
}
