//! Comments by people without permissions leave little data behind, and commands whose records were
//! removed never run again.

use jiff::{SignedDuration, Timestamp};
use phasebot_core::{
    command::{
        caller::CallerPermissions,
        extract::hear,
        run::{self, CommandRun, asks},
    },
    domain::{
        alert::AlertRules,
        event::{Association, CommentSeen, Event, ItemChange, ItemSeen, RepoSeen, Seen},
        fact::{DocumentKey, RepoFacts, command::CommandAction},
        id::{ForgeName, ItemId, RepoKey},
        permission::Role,
        policy::Policy,
    },
    ingest::{self, Us},
    plan::DecisionContext,
};

use crate::{policy_of, scenario::forge::accounts::Accounts};

struct Place {
    facts: RepoFacts,
    policy: Policy,
    comments: u64,
    asked: usize,
}

fn start() -> Timestamp {
    "2026-03-02T10:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    start().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

impl Place {
    fn new() -> Self {
        let facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
        Self { facts, policy: policy_of(None), comments: 0, asked: 0 }
    }

    fn comment(&mut self, item: ItemId, by: &str, at: Timestamp, body: &str) -> Event {
        self.comments += 1;
        let actor = Accounts::default().actor(by);
        let seen = ItemSeen {
            number: item,
            is_pull: false,
            title: "A wish".to_owned(),
            body: String::new(),
            author: Some(actor.clone()),
            association: Association::Other,
            created_at: start(),
            updated_at: at,
            open: true,
            closed_at: None,
            close_reason: None,
            labels: Some([].into()),
            locked: false,
            change: ItemChange::Other,
        };
        let (id, body, author) = (self.comments, body.to_owned(), Some(actor.clone()));
        Event {
            name: "issue_comment.created".to_owned(),
            connection: Some(1),
            repo: Some(RepoSeen {
                key: self.facts.key.clone(),
                full_name: "acme/shop".to_owned(),
                default_branch: Some("main".to_owned()),
                owner: Accounts::default().account("acme"),
                private: None,
                web_host: Some("github.com".into()),
            }),
            sender: Some(actor),
            at,
            seen: Seen::Comment(Box::new(CommentSeen {
                item: seen,
                id,
                author,
                body,
                created_at: at,
                created: true,
                via: None,
            })),
        }
    }

    /// Processes an event as the app does; the sender has `role`.
    fn deliver(&mut self, event: &Event, role: Role, now: Timestamp) -> CommandRun {
        ingest::observe(&mut self.facts, event, &self.policy, &Us::default());
        let Some(request) = hear(event, &self.policy, &Us::default()) else { return CommandRun::default() };
        if request.undecided(&self.facts).next().is_none() {
            return CommandRun::default();
        }
        self.asked += usize::from(asks(&self.facts, &self.policy, &request).role);
        let standing = CallerPermissions { role: Ok(role), teams: [].into(), head: None, asked_at: now };
        let alerts = AlertRules::default();
        let terms = DecisionContext { policy: &self.policy, alerts: &alerts, now, writes_disabled: None };
        run::run(&mut self.facts, &request, &standing, &terms)
    }
}

fn writes(ran: &CommandRun) -> (usize, usize) {
    let of = |kind: &str| ran.effects.iter().filter(|wish| wish.effect.kind() == kind).count();
    (of("react"), of("upsert_comment"))
}

/// Regression: 3,000 lines of commands were stored forever, 3.5 KB each.
#[test]
fn a_stranger_leaves_twenty_records_behind() {
    let mut place = Place::new();
    let body = "/deploy production\n".repeat(10);
    let (mut reactions, mut comments, mut removed) = (0, 0, 0);
    // Six hours at GitHub's limit of 500 comments an hour per account.
    for n in 0..3000_i64 {
        let at = after(n * 36 / 5);
        let event = place.comment(n.cast_unsigned() % 40, "mallory", at, &body);
        let ran = place.deliver(&event, Role::Read, at);
        let (reacted, commented) = writes(&ran);
        (reactions, comments) = (reactions + reacted, comments + commented);
        let gone = |key: &&DocumentKey| matches!(key, DocumentKey::Command(_)) && place.facts.document(key).is_none();
        removed += ran.observed.changed.iter().filter(gone).count();
        assert!(place.facts.commands.len() <= 32, "{}", place.facts.commands.len());
    }
    assert!(removed > 29_000, "what goes is told to the store: {removed}");
    assert!(reactions <= 6 * 12, "{reactions} reactions");
    assert!((1..=7).contains(&comments), "{comments} comments");
    assert!(place.asked <= 6 * 60 * 6, "{} questions about one person's rights", place.asked);
    let marks: usize = place
        .facts
        .items
        .keys()
        .filter_map(|item| place.facts.document(&DocumentKey::Item(*item)))
        .map(|body| body.len())
        .sum();
    assert!(marks < 40 * 2000, "{marks} bytes of items");
}

#[test]
fn many_strangers_together_leave_five_hundred_records_behind() {
    let mut place = Place::new();
    for n in 0..2000_i64 {
        let at = after(n);
        let event = place.comment(1, &format!("mallory-{}", n % 100), at, "/deploy production");
        place.deliver(&event, Role::Read, at);
    }
    // In addition, one answer per item's comments is remembered for an hour.
    assert!(place.facts.commands.len() <= 502, "{}", place.facts.commands.len());
    let item = place.facts.document(&DocumentKey::Item(1)).unwrap();
    assert!(item.len() < 4000, "marks are bounded: {}", item.len());
}

/// The key of a record ensures that a command runs only once.
#[test]
fn a_command_whose_record_went_never_runs_again() {
    let mut place = Place::new();
    let mut all = Vec::new();
    for n in 0..600_i64 {
        let at = after(n * 60);
        let event = place.comment(1, "mallory", at, "/hold on");
        place.deliver(&event, Role::Read, at);
        all.push(event);
    }
    assert!(place.facts.commands.len() <= 21);
    // In the meantime she got permissions, and GitHub delivers everything again.
    for event in &all {
        let ran = place.deliver(event, Role::Admin, after(40_000));
        assert_eq!(ran, CommandRun::default());
    }
    assert!(place.facts.holds(1).is_empty());
    // An older comment by someone else runs although it arrives late.
    let late = place.comment(1, "alice", after(90), "/hold for legal");
    place.deliver(&late, Role::Triage, after(40_000));
    assert_eq!(place.facts.holds(1).len(), 1);
    // Her new comments run, too.
    let new = place.comment(1, "mallory", after(40_001), "/hold really");
    place.deliver(&new, Role::Admin, after(40_001));
    assert_eq!(place.facts.holds(1).len(), 2);
}

#[test]
fn records_of_people_with_rights_are_bounded_by_item_and_person() {
    let mut place = Place::new();
    for n in 0..1000_i64 {
        let at = after(n * 60);
        let event = place.comment(1, "alice", at, "/why nowhere");
        place.deliver(&event, Role::Maintain, at);
    }
    assert!((200..=202).contains(&place.facts.commands.len()), "{}", place.facts.commands.len());
    // Records that decisions depend on are never removed; beyond the limit, new ones are refused.
    for n in 1000..1700_i64 {
        let at = after(n * 60);
        let event = place.comment(2, "alice", at, "/phase code");
        place.deliver(&event, Role::Maintain, at);
    }
    let lasting = place
        .facts
        .commands_on(2)
        .iter()
        .filter(|(_, c)| matches!(c.action, Some(CommandAction::Phase { .. })))
        .count();
    assert_eq!(lasting, 500);
    let at = after(200_000);
    let hold = place.comment(2, "alice", at, "/hold stop");
    place.deliver(&hold, Role::Maintain, at);
    assert_eq!(place.facts.holds(2).len(), 1, "what stops something has room again");
}

/// Regression: twenty comments on ten items caused ten of our comments in a minute.
#[test]
fn misspelt_commands_on_many_items_bring_one_comment() {
    let mut place = Place::new();
    let (mut reactions, mut comments) = (0, 0);
    let bodies = ["/hepl", "/status now", "/why nowhere", "/statsu"];
    for (n, body) in (0..20_u64).zip(bodies.into_iter().cycle()) {
        let at = after(3 * n.cast_signed());
        let event = place.comment(1 + n / 2, "mallory", at, body);
        let (reacted, commented) = writes(&place.deliver(&event, Role::Read, at));
        (reactions, comments) = (reactions + reacted, comments + commented);
    }
    assert_eq!((reactions, comments), (10, 1));
}

/// A person with permissions may send many commands, but receives fewer answers.
#[test]
fn one_person_does_not_fill_a_lane() {
    let mut place = Place::new();
    let mut effects = 0;
    for n in 0..80_i64 {
        let at = after(n * 3 / 4);
        let event = place.comment(1, "alice", at, "/why nowhere\n/deploy nowhere\n/hold");
        effects += place.deliver(&event, Role::Maintain, at).effects.len();
    }
    assert!(effects <= 40, "{effects} writes for one person in a minute");
}
