//! Values as SQL Server's literals.

use std::fmt;

use crate::Error;

/// A value in a filter.
///
/// ```
/// use ministry_platform::filter::Literal;
///
/// assert_eq!(Literal::from("O'Brien").to_string(), "'O''Brien'");
/// assert_eq!(Literal::number("-12.50")?.to_string(), "-12.50");
/// assert!(Literal::guid("1 OR 1=1").is_err());
/// # Ok::<(), ministry_platform::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Literal(String);

impl Literal {
    /// The number that `text` is: digits, with a `-` before and a fraction after them if need be.
    ///
    /// # Errors
    /// A usage error, which does not repeat the text, for everything else: `1e3`, `0x10`, `+7`,
    /// blanks, `NaN`, more than 38 digits.
    pub fn number(text: &str) -> Result<Self, Error> {
        let digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        // 38 digits are the most that SQL Server keeps.
        if unsigned.len() > 39 || !digits(whole) || !digits(fraction) {
            return Err(Error::usage(
                "a number in a filter is not digits, with a sign and a fraction if need be",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The GUID that `text` is: 32 hexadecimal digits with hyphens after 8, 12, 16 and 20.
    ///
    /// # Errors
    /// A usage error, which does not repeat the text, for everything else.
    pub fn guid(text: &str) -> Result<Self, Error> {
        let fits = |(at, byte): (usize, u8)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        if text.len() != 36 || !text.bytes().enumerate().all(fits) {
            return Err(Error::usage(
                "a GUID in a filter is not 32 hexadecimal digits in groups of 8-4-4-4-12",
            ));
        }
        Ok(Self(format!("'{text}'")))
    }
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        // A backslash before a line end would continue the line: SQL Server drops both. Two
        // literals joined keep them.
        let text = text
            .replace('\'', "''")
            .replace("\\\n", "\\'+'\n")
            .replace("\\\r", "\\'+'\r");
        Self(format!("'{text}'"))
    }
}

impl From<String> for Literal {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Self(u8::from(value).to_string())
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {
        $(
            impl From<$integer> for Literal {
                fn from(value: $integer) -> Self {
                    Self(value.to_string())
                }
            }
        )*
    };
}

from_integers!(i32, i64, u32);

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Literal(..)")
    }
}

/// Text as a pattern of `LIKE … ESCAPE '\'` that matches itself.
pub(super) fn escape_like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '%' | '_' | '[') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
