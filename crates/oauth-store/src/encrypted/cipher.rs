//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 §2): HChaCha20 makes a key of the first 16 bytes of
//! the nonce, ChaCha20-Poly1305 (RFC 8439) does the rest. ring's takes a third of the time that the
//! crate with both in one takes for a record.

use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};
use zeroize::Zeroizing;

/// How long the nonce is, in bytes: one at random is never drawn twice.
pub(super) const NONCE: usize = 24;
/// How long the tag is, in bytes.
pub(super) const TAG: usize = 16;

/// Seals `bytes` in place; the tag. `None` for 256 GiB and more.
pub(super) fn seal(
    key: &[u8; 32],
    nonce: &[u8; NONCE],
    data: &[u8],
    bytes: &mut [u8],
) -> Option<[u8; TAG]> {
    let (key, nonce) = derive(key, nonce)?;
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(data), bytes);
    tag.ok()?.as_ref().try_into().ok()
}

/// What was sealed and ends with its tag, in clear; `None` when it is not what was sealed. The text
/// gets a place of just its size: it may be handed on as it is, and no unwiped copy stays behind.
pub(super) fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE],
    data: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (text, tag) = sealed.split_last_chunk::<TAG>()?;
    let (key, nonce) = derive(key, nonce)?;
    let mut text = Zeroizing::new(text.to_vec());
    let tag = Tag::from(*tag);
    key.open_in_place_separate_tag(nonce, Aad::from(data), tag, &mut text, 0..)
        .ok()?;
    Some(text)
}

fn derive(key: &[u8; 32], nonce: &[u8; NONCE]) -> Option<(LessSafeKey, Nonce)> {
    let (first, rest) = nonce.split_first_chunk::<16>()?;
    let key = Zeroizing::new(hchacha::<R20>(key.into(), first.into()).0);
    let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).ok()?;
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(rest);
    Some((LessSafeKey::new(key), Nonce::assume_unique_for_key(nonce)))
}

#[cfg(test)]
mod tests {
    use chacha20poly1305::{KeyInit, XChaCha20Poly1305, aead::AeadInOut};

    use super::*;

    #[test]
    fn it_is_what_others_call_xchacha20_poly1305() {
        for length in [0, 1, 64, 300, 5000] {
            let (key, nonce, data) = ([length as u8; 32], [7; NONCE], [3; 90]);
            let clear: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut theirs = clear.clone();
            let tag = XChaCha20Poly1305::new(&key.into())
                .encrypt_inout_detached(&nonce.into(), &data, theirs.as_mut_slice().into())
                .unwrap();
            let mut ours = clear.clone();
            assert_eq!(seal(&key, &nonce, &data, &mut ours).unwrap(), *tag);
            assert_eq!(ours, theirs);
            ours.extend_from_slice(&tag);
            let opened = open(&key, &nonce, &data, &ours).unwrap();
            assert_eq!(*opened, clear);
            assert_eq!(opened.capacity(), clear.len());
        }
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let (key, nonce) = ([1; 32], [2; NONCE]);
        let mut sealed = b"text".to_vec();
        let tag = seal(&key, &nonce, b"data", &mut sealed).unwrap();
        sealed.extend_from_slice(&tag);
        let open = |nonce, data, sealed: &[u8]| open(&key, nonce, data, sealed);
        assert_eq!(open(&nonce, b"other", &sealed), None);
        assert_eq!(open(&[3; NONCE], b"data", &sealed), None);
        assert_eq!(open(&nonce, b"data", &sealed[..8]), None);
        assert_eq!(open(&nonce, b"data", &sealed[1..]), None);
        assert_eq!(open(&nonce, b"data", &[]), None);
        assert_eq!(**open(&nonce, b"data", &sealed).unwrap(), *b"text");
    }
}
