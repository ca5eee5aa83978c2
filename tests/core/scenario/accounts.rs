//! Who is behind a login: accounts keep their number when they are renamed.

use std::collections::BTreeMap;

use phasebot_core::domain::id::{Account, AccountId, Actor};

/// Logins and the accounts behind them. A login that nothing is said of has an
/// account of its own, by its name.
#[derive(Default, Clone)]
pub struct Accounts {
    renamed: BTreeMap<String, AccountId>,
    /// How often a login was given up: its next holder is a stranger.
    given_up: BTreeMap<String, u64>,
}

impl Accounts {
    /// The number of the account that is called so now.
    pub fn id(&self, login: &str) -> AccountId {
        let login = login.to_lowercase();
        let by_name = || {
            // FNV-1a, cut to what databases hold.
            let hash = login
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            AccountId((hash >> 16) + self.given_up.get(&login).copied().unwrap_or_default())
        };
        self.renamed.get(&login).copied().unwrap_or_else(by_name)
    }

    /// An account takes another login; whoever takes the one that it had is a stranger.
    pub fn rename(&mut self, from: &str, to: &str) {
        let id = self.id(from);
        self.renamed.remove(&from.to_lowercase());
        *self.given_up.entry(from.to_lowercase()).or_default() += 1;
        self.renamed.insert(to.to_lowercase(), id);
    }

    /// The account that is called so now.
    pub fn account(&self, login: &str) -> Account {
        Account { id: Some(self.id(login)), login: login.to_owned() }
    }

    /// The same as the forge shows who did something.
    pub fn actor(&self, login: &str) -> Actor {
        Actor { id: Some(self.id(login)), login: login.to_owned(), bot: login.ends_with("[bot]") }
    }
}
