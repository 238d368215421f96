//! The API version that a call asks for.

use std::{fmt, str::FromStr};

use http::{HeaderName, HeaderValue};
use oauth_core::Error;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-moov-version");

/// A version of Moov's API, `vYYYY.QQ.BB`: year, first month of the quarter, build. It travels in
/// the header `X-Moov-Version`, never in the path. Without one Moov assumes `v2024.01.00`.
///
/// ```
/// use moov::Version;
///
/// let version: Version = "v2026.07.00".parse()?;
/// assert_eq!(version.to_string(), "v2026.07.00");
/// assert!("latest".parse::<Version>().is_err());
/// # Ok::<(), oauth_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    year: u16,
    quarter: u8,
    build: u8,
}

impl Version {
    pub(crate) fn header(self) -> Result<HeaderValue, Error> {
        HeaderValue::try_from(self.to_string()).map_err(|_| malformed())
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let &[b'v', ref year @ .., b'.', q1, q2, b'.', b1, b2] = text.as_bytes() else {
            return Err(malformed());
        };
        let (Some(year), Some(quarter), Some(build)) =
            (number(year), number(&[q1, q2]), number(&[b1, b2]))
        else {
            return Err(malformed());
        };
        match (text.len(), quarter) {
            (11, 1 | 4 | 7 | 10) => Ok(Self {
                year,
                quarter: quarter as u8,
                build: build as u8,
            }),
            _ => Err(malformed()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{:04}.{:02}.{:02}", self.year, self.quarter, self.build)
    }
}

/// At most four digits as a number.
fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |sum, digit| match digit {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u16::from(digit - b'0')),
        _ => None,
    })
}

fn malformed() -> Error {
    Error::usage(
        "a Moov version has the form vYYYY.QQ.BB with QQ one of 01, 04, 07, 10, such as v2026.07.00",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_form_is_a_version() {
        for good in ["v2024.01.00", "v2025.04.00", "v2026.10.01", "v0001.07.99"] {
            assert_eq!(good.parse::<Version>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "v",
            "latest",
            "dev",
            "2026.07.00",
            "V2026.07.00",
            "v2026.7.00",
            "v2026.02.00",
            "v2026.07.0",
            "v2026.07.00 ",
            "v2026.07.000",
            "v99999.07.00",
            "v999.07.00",
            "v20a6.07.00",
            "v2026-07-00",
            "v2026.07.00\r\n",
        ] {
            assert!(bad.parse::<Version>().is_err(), "{bad:?}");
        }
    }
}
