//! How Twitch's tokens look.

use oauth_server::{Alphanumeric, ContextError, Random, TokenFormat, TokenKind};

/// Thirty lower-case letters and digits. Refresh tokens hold characters that must be
/// form-encoded exactly once, as the real ones may.
#[derive(Debug)]
pub(super) struct TwitchFormat;

impl TokenFormat for TwitchFormat {
    fn generate(&self, kind: TokenKind, random: &dyn Random) -> Result<String, ContextError> {
        let text = Alphanumeric::new(30).generate(kind, random)?;
        Ok(match kind {
            TokenKind::RefreshToken => {
                let (head, tail) = text.split_at(10);
                format!("{head}%6V/{tail}+d=")
            }
            // Twitch's are typed without the dash, which the server overlooks anyway.
            TokenKind::UserCode => text.replace('-', ""),
            _ => text,
        })
    }
}
