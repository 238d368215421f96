//! Names that go into a path or a query as they are: only what cannot be anything else.

use std::{fmt, str::FromStr};

use crate::Error;

/// No name of the database is longer, in bytes.
const LONGEST: usize = 128;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:expr, $message:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name `text`.
            ///
            /// # Errors
            /// A usage error, which does not repeat the text, when it is anything else than a name.
            pub fn new(text: &str) -> Result<Self, Error> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.into())) } else { Err(Error::usage($message)) }
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The name of a table: `[A-Za-z_][A-Za-z0-9_]*`, so that it cannot walk the path.
    ///
    /// ```
    /// use ministry_platform::TableName;
    ///
    /// assert!(TableName::new("Contacts").is_ok());
    /// assert!(TableName::new("..").is_err());
    /// ```
    TableName, is_identifier, "a table name is not of the form [A-Za-z_][A-Za-z0-9_]*"
}

name! {
    /// The name of a stored procedure: `[A-Za-z_][A-Za-z0-9_]*`.
    ///
    /// ```
    /// use ministry_platform::ProcedureName;
    ///
    /// assert!(ProcedureName::new("api_Common_GetContacts").is_ok());
    /// assert!(ProcedureName::new("api/../x").is_err());
    /// ```
    ProcedureName, is_identifier, "a procedure name is not of the form [A-Za-z_][A-Za-z0-9_]*"
}

name! {
    /// The name of a column: `[A-Za-z_][A-Za-z0-9_]*`, if need be with its table or a path of
    /// foreign keys before it (`Contact_ID_TABLE.First_Name`).
    ///
    /// ```
    /// use ministry_platform::ColumnName;
    ///
    /// assert!(ColumnName::new("Group_ID_TABLE_Meeting_Day_ID_TABLE.Meeting_Day").is_ok());
    /// assert!(ColumnName::new("1 OR 1=1").is_err());
    /// ```
    ColumnName, is_path, "a column name is not of the form [A-Za-z_][A-Za-z0-9_]*, with at most one table before it"
}

fn is_identifier(text: &str) -> bool {
    let start = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    text.len() <= LONGEST
        && text.as_bytes().first().is_some_and(start)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_path(text: &str) -> bool {
    match text.split_once('.') {
        Some((table, column)) => is_identifier(table) && is_identifier(column),
        None => is_identifier(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_name_passes() {
        for bad in [
            "",
            ".",
            "..",
            "../tables/dp_API_Clients",
            "a/b",
            "a%2Fb",
            "a b",
            "1a",
            "a-b",
            "a.b.c",
            ".a",
            "a.",
            "ä",
            "a;b",
            "a'b",
            "a\0",
            "a\n",
            "a(b)",
            "*",
            "a]",
            &"a".repeat(129),
        ] {
            assert!(ColumnName::new(bad).is_err(), "{bad:?}");
            let error = TableName::new(bad).unwrap_err();
            assert!(
                bad.len() < 3 || !format!("{error} {error:?}").contains(bad),
                "{bad:?} is repeated"
            );
            assert!(ProcedureName::new(bad).is_err(), "{bad:?}");
        }
        assert!(TableName::new("a.b").is_err() && ColumnName::new("a.b").is_ok());
        assert_eq!("_a1".parse::<TableName>().unwrap().to_string(), "_a1");
    }
}
