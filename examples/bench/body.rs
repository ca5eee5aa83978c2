//! A body like those that GitHub sends when an issue is opened: 11.6 KB, our own words.
//!
//! JSON objects have no order, so what differs from issue to issue stands at the
//! end: the signature over the long beginning is computed once for each
//! repository, and signing costs the load generator next to nothing.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The size of GitHub's published example, in bytes.
const SIZE: usize = 11_600;

/// The webhook secret of the bench.
pub const SECRET: &str = "a secret of the bench that nobody else knows";

/// Links of an account in GitHub's payloads.
const ACCOUNT: [&str; 11] = [
    "followers",
    "following{/other_user}",
    "gists{/gist_id}",
    "starred{/owner}{/repo}",
    "subscriptions",
    "orgs",
    "repos",
    "events{/privacy}",
    "received_events",
    "hooks",
    "members{/member}",
];
/// Links of a repository.
const REPOSITORY: [&str; 36] = [
    "forks",
    "keys{/key_id}",
    "collaborators{/collaborator}",
    "teams",
    "hooks",
    "issues/events{/number}",
    "events",
    "assignees{/user}",
    "branches{/branch}",
    "tags",
    "git/blobs{/sha}",
    "git/tags{/sha}",
    "git/refs{/sha}",
    "git/trees{/sha}",
    "statuses/{sha}",
    "languages",
    "stargazers",
    "contributors",
    "subscribers",
    "subscription",
    "commits{/sha}",
    "git/commits{/sha}",
    "comments{/number}",
    "issues/comments{/number}",
    "contents/{+path}",
    "compare/{base}...{head}",
    "merges",
    "{archive_format}{/ref}",
    "downloads",
    "issues{/number}",
    "pulls{/number}",
    "milestones{/number}",
    "notifications{?since,all,participating}",
    "labels{/name}",
    "releases{/id}",
    "deployments",
];
/// Texts that a customer may write.
const WORDS: &str = "The basket forgets its contents when the page is left open over lunch. \
    Expected: whatever was put in is still there an hour later, on the telephone as well. \
    Seen: it is empty, and the prices of the season before are shown beside it. \
    Steps: choose three things, wait until the session ends, come back by the link in the letter. \
    It began with the release of last Tuesday; the colleagues in the warehouse see it too. ";

/// One repository, with everything in a body up to what is particular to an issue.
pub struct Repository {
    /// Its number.
    pub id: u64,
    /// `owner/name`.
    pub full_name: String,
    start: String,
    signed: Hmac<Sha256>,
}

/// A signed body.
pub struct Body {
    /// The beginning is [`Repository::start`]; this is the rest.
    pub end: String,
    /// The signature in hex.
    pub signature: String,
}

impl Repository {
    /// Repository `index` of an installation; both count from 0.
    pub fn new(installation: u64, index: u64) -> Self {
        let (owner, name) = (format!("company-{installation}"), format!("shop-{index}"));
        let id = 500_000_000 + installation * 1000 + index;
        let full_name = format!("{owner}/{name}");
        let mut start = String::with_capacity(SIZE);
        let _ = write!(start, "{{\"action\":\"opened\",\"repository\":{{\"id\":{id},\"node_id\":\"R_kgDO{id:x}\",");
        let _ = write!(start, "\"name\":\"{name}\",\"full_name\":\"{full_name}\",\"private\":true,\"owner\":");
        account(&mut start, &owner, 7_000_000 + installation, "Organization");
        for link in REPOSITORY {
            let key = link.split(['{', '?']).next().unwrap_or(link).trim_matches('/').replace('/', "_");
            let _ = write!(start, ",\"{key}_url\":\"https://api.github.com/repos/{full_name}/{link}\"");
        }
        let _ = write!(
            start,
            ",\"html_url\":\"https://github.com/{full_name}\",\"description\":\"Sells what the company makes\",\
             \"fork\":false,\"created_at\":\"2021-03-02T08:15:30Z\",\"updated_at\":\"2026-11-20T17:03:11Z\",\
             \"pushed_at\":\"2026-11-22T09:41:07Z\",\"size\":48213,\"stargazers_count\":12,\"watchers_count\":12,\
             \"language\":\"Rust\",\"has_issues\":true,\"has_projects\":true,\"has_downloads\":true,\"has_wiki\":false,\
             \"has_pages\":false,\"has_discussions\":false,\"forks_count\":3,\"mirror_url\":null,\"archived\":false,\
             \"disabled\":false,\"open_issues_count\":87,\"license\":null,\"allow_forking\":false,\"is_template\":false,\
             \"topics\":[\"shop\",\"payments\"],\"visibility\":\"private\",\"default_branch\":\"main\"}},\"organization\":"
        );
        account(&mut start, &owner, 7_000_000 + installation, "Organization");
        start.push_str(",\"sender\":");
        account(&mut start, "customer-care", 9_000_001, "User");
        let _ =
            write!(start, ",\"installation\":{{\"id\":{},\"node_id\":\"MDIz\"}},\"issue\":{{", 1_000 + installation);
        start.push_str("\"user\":");
        account(&mut start, "customer-care", 9_000_001, "User");
        start.push_str(
            ",\"labels\":[],\"state\":\"open\",\"locked\":false,\"assignee\":null,\"assignees\":[],\"milestone\":null,\
             \"comments\":0,\"created_at\":\"2026-11-22T10:00:00Z\",\"updated_at\":\"2026-11-22T10:00:00Z\",\
             \"closed_at\":null,\"author_association\":\"MEMBER\",\"active_lock_reason\":null,\"state_reason\":null,\
             \"performed_via_github_app\":null,\"reactions\":{\"total_count\":0,\"+1\":0,\"-1\":0,\"laugh\":0,\
             \"hooray\":0,\"confused\":0,\"heart\":0,\"rocket\":0,\"eyes\":0},\"body\":\"",
        );
        let ready = end(&full_name, 1_000_000).len() + 2;
        let room = SIZE.saturating_sub(start.len() + ready);
        start.extend(WORDS.chars().cycle().take(room));
        start.push_str("\",");
        let mut signed = key(SECRET);
        signed.update(start.as_bytes());
        Self { id, full_name, start, signed }
    }

    /// The beginning that all bodies of this repository share.
    pub fn start(&self) -> &[u8] {
        self.start.as_bytes()
    }

    /// The body for issue `number`.
    pub fn issue(&self, number: u64) -> Body {
        let end = end(&self.full_name, number);
        let mut signed = self.signed.clone();
        signed.update(end.as_bytes());
        Body { end, signature: hex::encode(signed.finalize().into_bytes()) }
    }

    /// The body for issue `number`, whole.
    pub fn whole(&self, number: u64) -> Vec<u8> {
        [self.start(), self.issue(number).end.as_bytes()].concat()
    }
}

/// Fields of an issue's payload alone.
fn end(full_name: &str, number: u64) -> String {
    let api = format!("https://api.github.com/repos/{full_name}/issues/{number}");
    format!(
        "\"url\":\"{api}\",\"repository_url\":\"https://api.github.com/repos/{full_name}\",\
         \"labels_url\":\"{api}/labels{{/name}}\",\"comments_url\":\"{api}/comments\",\"events_url\":\"{api}/events\",\
         \"timeline_url\":\"{api}/timeline\",\"html_url\":\"https://github.com/{full_name}/issues/{number}\",\
         \"title\":\"Basket is empty after lunch, case {number}\",\"id\":{},\"node_id\":\"I_kwDO{number:x}\",\
         \"number\":{number}}}}}",
        2_000_000_000 + number
    )
}

fn account(text: &mut String, login: &str, id: u64, kind: &str) {
    let api = format!("https://api.github.com/users/{login}");
    let _ = write!(
        text,
        "{{\"login\":\"{login}\",\"id\":{id},\"node_id\":\"MDEy{id:x}\",\"gravatar_id\":\"\",\"url\":\"{api}\",\
         \"avatar_url\":\"https://avatars.githubusercontent.com/u/{id}?v=4\",\"html_url\":\"https://github.com/{login}\""
    );
    for link in ACCOUNT {
        let key = link.split('{').next().unwrap_or(link);
        let _ = write!(text, ",\"{key}_url\":\"{api}/{link}\"");
    }
    let _ = write!(text, ",\"type\":\"{kind}\",\"user_view_type\":\"public\",\"site_admin\":false}}");
}

/// Signs with a secret.
pub fn key(secret: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"))
}
