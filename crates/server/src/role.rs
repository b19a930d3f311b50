//! What a node is there for, as its operator says it. What becomes of that in the layout is its duty there (`placement::Duty`).
//!
//! 1. A role reads back what it displays.

use std::fmt;
use std::str::FromStr;

/// What a node is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It holds its share, and takes requests.
    #[default]
    Store,
    /// It holds nothing: it takes every request and passes it on to who holds the key.
    Gateway,
}

/// A text that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role: write store or gateway")]
pub struct RoleError(String);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        match text {
            "store" => Ok(Self::Store),
            "gateway" => Ok(Self::Gateway),
            _ => Err(RoleError(text.to_owned())),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store",
            Self::Gateway => "gateway",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn roles_read_back_what_they_display() {
        for role in [Role::Store, Role::Gateway] {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        for bad in ["", "Store", "route", "manager"] {
            assert!(bad.parse::<Role>().unwrap_err().to_string().contains("write store or gateway"), "{bad}");
        }
    }
}
