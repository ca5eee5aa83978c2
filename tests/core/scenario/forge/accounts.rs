//! Accounts and their logins: accounts keep their ids when they are renamed.

use std::collections::BTreeMap;

use phasebot_core::domain::id::{Account, AccountId, Actor};

/// Logins and the accounts behind them. A login without a rename has an account of its own.
#[derive(Default, Clone)]
pub struct Accounts {
    renamed: BTreeMap<String, AccountId>,
    /// Number of times that a login was given up: its next holder is another account.
    given_up: BTreeMap<String, u64>,
}

impl Accounts {
    /// Returns the id of the account that has this login now.
    pub fn id(&self, login: &str) -> AccountId {
        let login = login.to_lowercase();
        let by_name = || {
            // FNV-1a, truncated to what databases can store.
            let hash = login
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            AccountId((hash >> 16) + self.given_up.get(&login).copied().unwrap_or_default())
        };
        self.renamed.get(&login).copied().unwrap_or_else(by_name)
    }

    /// Gives an account another login; whoever takes the old login is another account.
    pub fn rename(&mut self, from: &str, to: &str) {
        let id = self.id(from);
        self.renamed.remove(&from.to_lowercase());
        *self.given_up.entry(from.to_lowercase()).or_default() += 1;
        self.renamed.insert(to.to_lowercase(), id);
    }

    /// Returns the account that has this login now.
    pub fn account(&self, login: &str) -> Account {
        Account { id: Some(self.id(login)), login: login.to_owned() }
    }

    /// Returns the account as the forge shows it in events.
    pub fn actor(&self, login: &str) -> Actor {
        Actor { id: Some(self.id(login)), login: login.to_owned(), bot: login.ends_with("[bot]") }
    }
}
