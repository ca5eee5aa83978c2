//! Names of the people whose turn it is.

use crate::{
    domain::{
        fact::RepoFacts,
        id::{Account, ItemId, Sha},
    },
    text::message::person,
};

/// Names the authors of items: `**bob** (author of #5)`. `None`: no author is known, or only bots.
pub(crate) fn authors(facts: &RepoFacts, items: &[ItemId]) -> Option<String> {
    const MOST: usize = 3;
    let known = items.iter().filter_map(|item| {
        let author = facts.items.get(item)?.author.as_ref().filter(|author| !author.bot)?;
        Some(format!("{} (author of #{item})", person(&author.login)))
    });
    let known: Vec<String> = known.take(MOST).collect();
    (!known.is_empty()).then(|| known.join(" or "))
}

/// Names the authors of the pull requests that a commit is the merge or the head of.
fn authors_at(facts: &RepoFacts, sha: &Sha) -> Option<String> {
    let merged = facts.index.merged_as.get(sha).into_iter().flatten();
    let heads = facts.index.pulls_by_head.get(sha).into_iter().flatten();
    let mut items: Vec<ItemId> = merged.chain(heads).copied().collect();
    items.dedup();
    authors(facts, &items)
}

/// Names the people who made a commit: the authors of its pull requests, or whoever pushed it.
pub(crate) fn makers(facts: &RepoFacts, sha: &Sha) -> Option<String> {
    authors_at(facts, sha).or_else(|| {
        let pushes = facts.index.ended_at.get(sha).into_iter().flatten().filter_map(|push| facts.pushes.get(push));
        let mut by = pushes.filter_map(|push| push.pusher.as_ref()).filter(|by| !by.login.ends_with("[bot]"));
        by.next().map(|by| format!("{} (pushed {})", person(&by.login), sha.code()))
    })
}

/// Names an account; `None`: it is phasebot or a bot, which act on no comment.
pub(crate) fn human(account: &Account) -> Option<String> {
    let is_own = account.id.is_none() && account.login == "phasebot";
    (!is_own && !account.login.ends_with("[bot]")).then(|| person(&account.login))
}

/// Names an account and those who may do the same; a bot is left out.
pub(crate) fn or_may(account: &Account, may: &str) -> String {
    human(account).map_or_else(|| may.to_owned(), |who| format!("{who} or {may}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_people_are_told_to_comment() {
        for login in ["phasebot", "renovate[bot]"] {
            assert_eq!(human(&Account::login_only(login)), None);
            assert_eq!(or_may(&Account::login_only(login), "anyone"), "anyone");
        }
        assert_eq!(or_may(&Account::login_only("bob"), "anyone"), "**bob** or anyone");
    }
}
