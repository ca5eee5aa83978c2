//! Owners of timers.

use std::{fmt, str::FromStr};

use super::id::ItemId;

/// Owner of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKey {
    /// An item: its phase changes at a known time.
    Item(ItemId),
    /// The repository: an incident, a deployment or a gate changes at a known time.
    Repository,
    /// The repository's policy: a file has to be read again, or items have to be decided under
    /// another policy.
    Policy,
    /// The organization: its policy file is reported to have changed.
    Organization,
}

impl TimerKey {
    /// Returns the item that owns the timer, if it is an item's.
    pub fn item(&self) -> Option<ItemId> {
        match self {
            Self::Item(number) => Some(*number),
            Self::Repository | Self::Policy | Self::Organization => None,
        }
    }
}

/// The stored form, such as `item/12`.
impl fmt::Display for TimerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(number) => write!(f, "item/{number}"),
            Self::Repository => f.write_str("repository"),
            Self::Policy => f.write_str("policy"),
            Self::Organization => f.write_str("organization"),
        }
    }
}

/// Reads the stored form. Fails with the text if it is none.
impl FromStr for TimerKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "repository" => Ok(Self::Repository),
            "policy" => Ok(Self::Policy),
            "organization" => Ok(Self::Organization),
            _ => {
                let number = text.strip_prefix("item/").and_then(|number| number.parse().ok());
                number.map(Self::Item).ok_or_else(|| format!("unknown timer {text:?}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_read_back() {
        for key in [TimerKey::Item(12), TimerKey::Repository, TimerKey::Policy, TimerKey::Organization] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        assert!("item/x".parse::<TimerKey>().is_err() && "".parse::<TimerKey>().is_err());
    }
}
