//! An owner as one text, for databases that keep names and not three columns.
//!
//! A JSON array of strings: no character of a part can be taken for the end of it, there is no NUL,
//! and whoever looks into the database can read it.

use oauth_core::store::{Owner, StoreError, StoreErrorKind, Subject};

use crate::backend::Owners;

/// `["issuer","client"]` or `["issuer","client","user"]`.
pub(crate) fn write(owner: &Owner) -> String {
    let mut name = String::new();
    append(&mut name, owner);
    name
}

/// Adds what [`write`] writes.
pub(crate) fn append(name: &mut String, owner: &Owner) {
    let user = owner.subject().user_id();
    let parts = [owner.issuer(), owner.client_id(), user.unwrap_or_default()];
    let parts = &parts[..if user.is_some() { 3 } else { 2 }];
    let punctuation = "[]".len() + "\"\",".len() * parts.len();
    name.reserve(punctuation + parts.iter().map(|part| part.len()).sum::<usize>());
    let mut before = '[';
    for part in parts {
        name.push(before);
        before = ',';
        if is_plain(part) {
            name.push('"');
            name.push_str(part);
            name.push('"');
        } else {
            let part = serde_json::to_string(part);
            name.push_str(&part.expect("a text can be written as JSON, and a String takes it"));
        }
    }
    name.push(']');
}

/// Whether JSON has `text` as it is (RFC 8259 §7). All bytes are looked at, as it is faster to look at
/// many at once than to end early.
fn is_plain(text: &str) -> bool {
    let odd = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
    !text.bytes().fold(false, |any, byte| any | odd(byte))
}

/// The owner that [`write`] wrote.
pub(crate) fn read(name: &[u8]) -> Result<Owner, StoreError> {
    let mut parts = serde_json::from_slice::<Vec<String>>(name)
        .unwrap_or_default()
        .into_iter();
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(issuer), Some(client), None, _) => Ok(Owner::new(issuer, client, Subject::Client)),
        (Some(issuer), Some(client), Some(user), None) => {
            Ok(Owner::new(issuer, client, Subject::user(user)))
        }
        _ => Err(StoreError::new(
            StoreErrorKind::Unreadable,
            "the name of an owner in the store is damaged; remove the row",
        )),
    }
}

/// The owners among `names` that can be read: a damaged one must not hide the others.
pub(crate) fn readable<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<Owner> {
    let owners = names.map(read);
    owners
        .filter_map(|owner| owner.map_err(|error| tracing::warn!("{error}")).ok())
        .collect()
}

/// Adds a page of names to `found`. The damaged ones after the last that can be read are left to
/// the next page, which begins there; without any, they are counted now.
pub(crate) fn add<'a>(found: &mut Owners, names: impl Iterator<Item = &'a [u8]>) {
    let mut damaged = 0;
    for name in names {
        match read(name) {
            Ok(owner) => {
                found.owners.push(owner);
                found.damaged += std::mem::take(&mut damaged);
            }
            Err(error) => {
                tracing::warn!("{error}");
                damaged += 1;
            }
        }
    }
    if found.owners.is_empty() {
        found.damaged += damaged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_never_meet() {
        let odd = [
            "",
            "plain \u{7f}\u{e9}",
            "\"",
            "\",\"",
            "a\0b",
            "\n",
            "\u{1F511}",
            "]",
            "\\",
        ];
        let mut names = std::collections::HashSet::new();
        for issuer in odd {
            for client in odd {
                let users = odd.into_iter().map(Subject::user);
                for subject in users.chain([Subject::Client]) {
                    let owner = Owner::new(issuer, client, subject);
                    let name = write(&owner);
                    assert!(!name.contains('\0'), "{name}");
                    let parts = [Some(issuer), Some(client), owner.subject().user_id()];
                    let parts: Vec<_> = parts.into_iter().flatten().collect();
                    assert_eq!(name, serde_json::to_string(&parts).unwrap());
                    assert_eq!(read(name.as_bytes()).unwrap(), owner);
                    assert!(names.insert(name));
                }
            }
        }
    }

    #[test]
    fn other_texts_are_unreadable() {
        for name in [
            "",
            "[]",
            "[\"a\"]",
            "[1,2]",
            "[\"a\",\"b\",\"c\",\"d\"]",
            "{}",
        ] {
            let error = read(name.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{name}");
        }
    }
}
