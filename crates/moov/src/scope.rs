//! Moov's scopes as a list that the compiler checks. Most name the account they are for.
//!
//! ```
//! use moov::{AccountId, AccountScope, Scope};
//! use moov::oauth_core::Scopes;
//!
//! let account: AccountId = "c520f1b9-0ba7-42f5-b977-248cdbe41c69".parse()?;
//! let scopes: Scopes = [Scope::accounts_read(), AccountScope::CardsWrite.of(&account)].into_iter().collect();
//! assert_eq!(scopes.to_string(), "/accounts.read /accounts/c520f1b9-0ba7-42f5-b977-248cdbe41c69/cards.write");
//! # Ok::<(), oauth_core::Error>(())
//! ```

use std::{borrow::Cow, fmt, str::FromStr};

use oauth_core::{Error, Scopes};

/// The id of a Moov account: a UUID in its hyphenated form, so that no id can smuggle a second
/// scope into a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccountId(Box<str>);

impl AccountId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fit = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if !fit {
            return Err(Error::usage("a Moov account id is a UUID with hyphens"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One scope of Moov's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Cow<'static, str>);

impl Scope {
    /// A scope that this crate has no name for.
    ///
    /// # Errors
    /// A usage error when it does not begin with `/`, has a blank or another character outside
    /// RFC 6749 §3.3, or a brace: then `{accountID}` was not replaced.
    pub fn custom(text: &str) -> Result<Self, Error> {
        if !text.starts_with('/') {
            return Err(Error::usage(
                "a Moov scope begins with a slash, such as /accounts.read",
            ));
        }
        check_filled(text)?;
        Scopes::new([text])?;
        Ok(Self(Cow::Owned(text.to_owned())))
    }

    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Refuses scopes with a template's braces still in them: Moov would grant less than was meant.
pub(crate) fn check_filled(scopes: &str) -> Result<(), Error> {
    if scopes.contains(['{', '}']) {
        return Err(Error::usage(
            "a scope still has a brace; put the account's id in the place of {accountID}",
        ));
    }
    Ok(())
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self::new(scopes).expect(
            "names and account ids of scopes have no other characters, custom ones were checked",
        )
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self::from_iter([scope])
    }
}

macro_rules! global {
    ($($name:ident = $text:literal,)*) => {
        impl Scope {
            $(
                #[doc = concat!("`", $text, "`")]
                #[must_use]
                pub const fn $name() -> Self {
                    Self(Cow::Borrowed($text))
                }
            )*
        }
    };
}

global! {
    accounts_read = "/accounts.read",
    accounts_write = "/accounts.write",
    card_metadata_read = "/card-metadata.read",
    fed_read = "/fed.read",
    institutions_read = "/institutions.read",
    issued_cards_read = "/issued-cards.read",
    ping_read = "/ping.read",
    profile_enrichment_read = "/profile-enrichment.read",
    terminal_applications_read = "/terminal-applications.read",
    terminal_applications_write = "/terminal-applications.write",
}

macro_rules! per_account {
    ($($variant:ident = $text:literal,)*) => {
        /// What can be asked for on one account; [`AccountScope::of`] makes it a scope.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AccountScope {
            $(
                #[doc = concat!("`/accounts/{accountID}/", $text, "`")]
                $variant,
            )*
        }

        impl AccountScope {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Resource and verb, as Moov writes them after the account's id.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

per_account! {
    ApplePayRead = "apple-pay.read",
    ApplePayWrite = "apple-pay.write",
    ApplePayMerchantRead = "apple-pay-merchant.read",
    ApplePayMerchantWrite = "apple-pay-merchant.write",
    BankAccountsRead = "bank-accounts.read",
    BankAccountsWrite = "bank-accounts.write",
    BrandingRead = "branding.read",
    BrandingWrite = "branding.write",
    CapabilitiesRead = "capabilities.read",
    CapabilitiesWrite = "capabilities.write",
    CardsRead = "cards.read",
    CardsWrite = "cards.write",
    DocumentsRead = "documents.read",
    DocumentsWrite = "documents.write",
    FilesRead = "files.read",
    FilesWrite = "files.write",
    InvoicesRead = "invoices.read",
    InvoicesWrite = "invoices.write",
    IssuedCardsRead = "issued-cards.read",
    IssuedCardsWrite = "issued-cards.write",
    IssuedCardsReadSecure = "issued-cards.read-secure",
    PaymentMethodsRead = "payment-methods.read",
    ProfileRead = "profile.read",
    ProfileWrite = "profile.write",
    ProfileDisconnect = "profile.disconnect",
    RepresentativesRead = "representatives.read",
    RepresentativesWrite = "representatives.write",
    ResolutionLinksRead = "resolution-links.read",
    ResolutionLinksWrite = "resolution-links.write",
    TerminalApplicationsRead = "terminal-applications.read",
    TerminalApplicationsWrite = "terminal-applications.write",
    TerminalConfigurationRead = "terminal-configuration.read",
    TicketsRead = "tickets.read",
    TicketsWrite = "tickets.write",
    TransfersRead = "transfers.read",
    TransfersWrite = "transfers.write",
    WalletsRead = "wallets.read",
    WalletsWrite = "wallets.write",
}

impl AccountScope {
    /// This scope on `account`. The account must be known before the token is asked for.
    #[must_use]
    pub fn of(self, account: &AccountId) -> Scope {
        Scope(Cow::Owned(format!("/accounts/{account}/{}", self.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "c520f1b9-0ba7-42f5-b977-248cdbe41c69";

    #[test]
    fn only_a_uuid_is_an_account_id() {
        assert_eq!(ID.parse::<AccountId>().unwrap().as_str(), ID);
        for bad in [
            "",
            "x",
            "c520f1b90ba742f5b977248cdbe41c69",
            "c520f1b9-0ba7-42f5-b977-248cdbe41c6g",
            "{accountID}",
            "c520f1b9-0ba7-42f5-b977-248cdbe41c69 /accounts.write",
            "c520f1b9-0ba7-42f5-b977 248cdbe41c69",
            "c520f1b9/0ba7-42f5-b977-248cdbe41c69",
            "c520f1b9-0ba7-42f5-b977-248cdbe41c6é",
        ] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_account_scope_is_a_scope_of_its_own() {
        let account = ID.parse().unwrap();
        let scopes: Scopes = AccountScope::ALL
            .iter()
            .map(|scope| scope.of(&account))
            .collect();
        assert_eq!(scopes.len(), 38);
        assert!(
            scopes
                .iter()
                .all(|scope| scope.starts_with(&format!("/accounts/{ID}/")))
        );
        assert!(scopes.contains(&format!("/accounts/{ID}/issued-cards.read-secure")));
    }

    #[test]
    fn a_custom_scope_is_one_whole_scope() {
        assert_eq!(
            Scope::custom("/sweeps.read").unwrap().as_str(),
            "/sweeps.read"
        );
        for bad in [
            "",
            "accounts.read",
            "/accounts/{accountID}/cards.read",
            "/a.read /b.write",
            "/a\n.read",
            "/a\".read",
        ] {
            assert!(Scope::custom(bad).is_err(), "{bad:?}");
        }
    }
}
