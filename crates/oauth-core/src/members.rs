//! JSON objects that are read, and written again with the members that this version does not know:
//! what a later one wrote survives.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// The members of an object that nothing here knows. They may hold secrets.
#[derive(Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Unknown(Map<String, Value>);

impl Unknown {
    /// Keeps a member; whether there was one of that name.
    pub(crate) fn insert(&mut self, name: String, value: Value) -> bool {
        self.0.insert(name, value).is_some()
    }
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} members", self.0.len())
    }
}

/// A struct that is read from an object, with the further field `unknown`. A member without `=` must
/// be there. By hand, because `serde(flatten)` reads everything into a buffer first.
macro_rules! object {
    ($visible:vis struct $name:ident { $($member:ident: $kind:ty $(= $absent:expr)?,)+ }) => {
        $visible struct $name {
            $($member: $kind,)+
            unknown: $crate::members::Unknown,
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(field_identifier)]
                #[expect(non_camel_case_types, reason = "the names are those of the members")]
                enum Member {
                    $($member,)+
                    Unknown(String),
                }

                struct Members;

                impl<'de> serde::de::Visitor<'de> for Members {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut members: A,
                    ) -> Result<$name, A::Error> {
                        use serde::de::Error as _;

                        $(let mut $member = None;)+
                        let mut unknown = $crate::members::Unknown::default();
                        while let Some(member) = members.next_key()? {
                            let twice = match member {
                                $(Member::$member => {
                                    $member.replace(members.next_value()?).is_some()
                                })+
                                Member::Unknown(name) => {
                                    unknown.insert(name, members.next_value()?)
                                }
                            };
                            if twice {
                                return Err(A::Error::custom("a member comes twice"));
                            }
                        }
                        Ok($name {
                            $($member: match $member {
                                Some(value) => value,
                                None => $crate::members::object!(@absent $member $($absent)?),
                            },)+
                            unknown,
                        })
                    }
                }

                object.deserialize_map(Members)
            }
        }
    };
    (@absent $member:ident $absent:expr) => {
        $absent
    };
    (@absent $member:ident) => {
        return Err(A::Error::missing_field(stringify!($member)))
    };
}

pub(crate) use object;
