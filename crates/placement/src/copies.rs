//! How many copies of each key there are to be, and where. Data alone: `layout` says who has them.
//!
//! Invariants:
//! 1. What `Copies` displays, it parses back to equal copies.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::member::{Duty, Member, TEXT_BYTES_MAX};

/// The most copies in a cluster that does not count them by datacenter, and the most in one datacenter.
pub const REPLICAS_MAX: u8 = 7;

/// The most copies in all.
pub const COPIES_MAX: usize = 15;

/// How many copies there are to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Copies {
    /// So many, spread over datacenters and zones as evenly as these allow.
    Anywhere(u8),
    /// So many in each of these datacenters, spread over its zones; none elsewhere.
    In(BTreeMap<String, u8>),
}

/// Copies that cannot be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CopiesError {
    /// A number out of its bounds.
    #[error("{0} replicas: the number must be from 1 to {REPLICAS_MAX}")]
    Number(u8),
    /// Too many in all.
    #[error("{0} replicas in all: there cannot be more than {COPIES_MAX}")]
    Sum(usize),
    /// A text that says not how many.
    #[error("`{0}` does not say how many copies there are to be: write 3, or dc1=3,dc2=2")]
    Text(String),
}

impl Copies {
    /// Whether all numbers are within their bounds.
    ///
    /// # Errors
    /// Which is not.
    pub fn check(&self) -> Result<(), CopiesError> {
        let numbers = match self {
            Self::Anywhere(number) => vec![*number],
            Self::In(each) => each.values().copied().collect(),
        };
        if let Some(number) = numbers.iter().find(|number| !(1..=REPLICAS_MAX).contains(number)) {
            return Err(CopiesError::Number(*number));
        }
        if let Self::In(each) = self {
            let is_name = |name: &String| (1..=TEXT_BYTES_MAX).contains(&name.len()) && !name.contains('/');
            if each.is_empty() || !each.keys().all(is_name) {
                return Err(CopiesError::Text(self.to_string()));
            }
        }
        if self.all() > COPIES_MAX { Err(CopiesError::Sum(self.all())) } else { Ok(()) }
    }

    /// How many there are to be in all, once there are enough members.
    #[must_use]
    pub fn all(&self) -> usize {
        match self {
            Self::Anywhere(number) => usize::from(*number),
            Self::In(each) => each.values().map(|number| usize::from(*number)).sum(),
        }
    }

    /// How many there can be with these members.
    pub(crate) fn among(&self, members: &[Member]) -> usize {
        match self {
            Self::Anywhere(number) => storing(members).count().min(usize::from(*number)),
            Self::In(each) => each.keys().map(|datacenter| self.among_those_of(datacenter, members)).sum(),
        }
    }

    /// How many there can be of those that are counted in one datacenter.
    pub(crate) fn among_those_of(&self, datacenter: &str, members: &[Member]) -> usize {
        let Self::In(each) = self else { return 0 };
        let there = storing(members).filter(|member| member.zone.datacenter == *datacenter).count();
        each.get(datacenter).map_or(0, |number| usize::from(*number).min(there))
    }
}

fn storing(members: &[Member]) -> impl Iterator<Item = &Member> {
    members.iter().filter(|member| member.duty == Duty::Store)
}

impl From<u8> for Copies {
    fn from(number: u8) -> Self {
        Self::Anywhere(number)
    }
}

impl fmt::Display for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere(number) => write!(f, "{number}"),
            Self::In(each) => {
                let each: Vec<_> = each.iter().map(|(name, number)| format!("{name}={number}")).collect();
                f.write_str(&each.join(","))
            }
        }
    }
}

impl FromStr for Copies {
    type Err = CopiesError;

    fn from_str(text: &str) -> Result<Self, CopiesError> {
        let wrong = || CopiesError::Text(text.chars().take(TEXT_BYTES_MAX).collect());
        let copies = match text.parse() {
            Ok(number) => Self::Anywhere(number),
            Err(_) => {
                let mut each = BTreeMap::new();
                for part in text.split(',') {
                    let (name, number) = part.rsplit_once('=').ok_or_else(wrong)?;
                    let number = number.parse().map_err(|_| wrong())?;
                    if each.insert(name.to_owned(), number).is_some() {
                        return Err(wrong());
                    }
                }
                Self::In(each)
            }
        };
        copies.check().map(|()| copies)
    }
}

#[cfg(test)]
mod tests {
    use super::Copies;

    #[test]
    fn copies_parse_what_they_display() {
        for text in ["1", "7", "dc1=3,dc2=2", "eu=1"] {
            assert_eq!(text.parse::<Copies>().unwrap().to_string(), text);
        }
        assert_eq!("dc1=3,dc2=2".parse::<Copies>().unwrap().all(), 5);
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let refusal = |text: &str| text.parse::<Copies>().unwrap_err().to_string();
        for text in ["", "x", "dc1", "dc1=", "dc1=x", "=3", "dc1=1,dc1=2", "a/b=1", "300", "dc1=3,"] {
            assert!(refusal(text).contains("write 3, or dc1=3,dc2=2"), "{text}: {}", refusal(text));
        }
        for text in ["0", "8", "dc1=8", "dc1=0"] {
            assert!(refusal(text).contains("must be from 1 to 7"), "{text}");
        }
        assert!(refusal("a=7,b=7,c=2").contains("more than 15"));
    }
}
