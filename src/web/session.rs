//! Sessions: who signed in, and what the forge lets them read.
//!
//! A session is a sealed cookie and nothing else, so that any replica reads it. What the forge said
//! about a person is remembered for [`REMEMBERED`], and nothing else decides: without an answer
//! nothing is shown.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    app::signed_out,
    port::{
        pages::PageStore,
        sign_in::{Person, PersonToken, SignIn, SignInError},
        store::Store,
    },
    web::{
        bucket::{Bucket, Shares, make_room},
        failure::Failure,
        page::SignedIn,
        seal::Keys,
    },
};

/// Name of the session's cookie. The prefix makes browsers refuse it unless it is of this very host
/// and secure (RFC 6265bis).
pub(super) const SESSION: &str = "__Host-phasebot";
/// Time for which what the forge said is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(5);
/// Longest session.
const LONGEST: SignedDuration = SignedDuration::from_hours(8);
/// Furthest that the clocks of replicas differ.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(1);
/// Names that are remembered for each.
const MOST_NAMES: usize = 200;
/// Bit of the numbers under which tokens are remembered. No account has so high a number.
const TOKENS: u64 = 1 << 63;
/// Longest name of a repository: an account's 39 characters, a slash, and 100; with room to spare.
const LONGEST_NAME: usize = 200;

/// Signs people in, and answers what they may read.
pub struct Sessions {
    pub(super) forge: Arc<dyn SignIn>,
    pub(super) keys: Keys,
    /// Public address of the pages, without a slash at its end.
    pub(super) url: String,
    store: Arc<dyn Store>,
    known: Mutex<HashMap<u64, Known>>,
    /// The same of tokens, so that no number of these makes it forget people.
    known_tokens: Mutex<HashMap<u64, Known>>,
    /// Tokens that the forge refused, by number, each with the time.
    refused: Mutex<HashMap<u64, Timestamp>>,
    /// Sign-ins of all people together.
    pub(super) sign_ins: Mutex<Shares>,
    /// Tokens of callers that the forge has not accepted yet.
    new_tokens: Mutex<Shares>,
}

/// What is remembered of a person.
struct Known {
    /// The session for which the forge answered: another one's token may have been revoked.
    session: String,
    /// Repositories by lower-case name; `None`: not theirs to read.
    names: HashMap<String, (Timestamp, Option<u64>)>,
    all: Option<(Timestamp, Arc<BTreeSet<u64>>)>,
    requests: Bucket,
    /// The forge accepted the token.
    accepted: bool,
}

impl Known {
    fn new() -> Self {
        Self {
            session: String::new(),
            names: HashMap::new(),
            all: None,
            requests: Bucket::new(120.0, 4.0),
            accepted: false,
        }
    }
}

/// Contents of a session's cookie.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Session {
    /// The account's number.
    person: u64,
    login: String,
    token: String,
    made: Timestamp,
    ends: Timestamp,
    /// Token that the form for signing out contains.
    form: String,
}

impl Session {
    /// Returns the person, as pages name them.
    pub(super) fn shown(&self) -> SignedIn {
        SignedIn { login: self.login.clone(), form_token: self.form.clone() }
    }

    /// Returns the time until which the cookie is kept, in seconds.
    pub(super) fn lifetime(&self) -> i64 {
        self.ends.duration_since(self.made).as_secs()
    }

    fn secret(&self) -> SecretString {
        SecretString::from(self.token.as_str())
    }
}

impl Sessions {
    /// Creates the sessions of the pages at `url`.
    pub fn new(forge: Arc<dyn SignIn>, secrets: &[SecretString], url: String, store: Arc<dyn Store>) -> Self {
        let sign_ins = Mutex::new(Shares::new((10.0, 0.2), (60.0, 2.0)));
        // Few: for too many wrong ones the forge would refuse this address everything.
        let new_tokens = Mutex::new(Shares::new((5.0, 0.05), (20.0, 0.2)));
        let (known, known_tokens, refused) = (Mutex::default(), Mutex::default(), Mutex::default());
        let keys = Keys::new(secrets);
        Self { forge, keys, url, store, known, known_tokens, refused, sign_ins, new_tokens }
    }

    /// Returns the session of a request, if it has one that is valid, and counts the request.
    /// `pages` reads whether the person signed out.
    pub(super) async fn of_request(
        &self,
        pages: &dyn PageStore,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<Session>, Failure> {
        let Some(sealed) = cookie(headers, SESSION) else { return Ok(None) };
        let Some(text) = self.keys.open(SESSION, sealed) else { return Ok(None) };
        let Ok(session) = serde_json::from_str::<Session>(&text) else { return Ok(None) };
        // Another replica's clock may be somewhat ahead.
        if now >= session.ends || now + CLOCKS_DIFFER < session.made {
            return Ok(None);
        }
        self.charge(&session, now)?;
        // Signing out ends every session of a person, on every replica.
        let mark = pages.memo(&signed_out(session.person)).await?;
        let signed_out = mark.and_then(|mark| mark.parse::<Timestamp>().ok());
        Ok(Some(session).filter(|session| signed_out.is_none_or(|at| at < session.made)))
    }

    /// Returns a session of the token that a caller at an address shows, and counts the request. Whether
    /// the forge accepts the token shows with the first question to it.
    pub(super) fn of_token(&self, token: &str, from: Option<IpAddr>, now: Timestamp) -> Result<Session, Failure> {
        let digest = Sha256::digest(token);
        let (name, ends) = (hex::encode(digest), now + REMEMBERED);
        // Answers to another token with it are not used: the names
        // of their sessions differ.
        let person = u64::from_be_bytes(digest[..8].try_into().unwrap_or_default()) | TOKENS;
        if self.refused.lock().unwrap_or_else(PoisonError::into_inner).get(&person).is_some_and(|at| is_fresh(*at, now))
        {
            return Err(Failure::SignIn("/".to_owned()));
        }
        let takes = || self.new_tokens.lock().unwrap_or_else(PoisonError::into_inner).take(from, now);
        if !self.is_accepted(person) && !takes() {
            return Err(Failure::TooMany);
        }
        let session = Session { person, login: String::new(), token: token.to_owned(), made: now, ends, form: name };
        self.charge(&session, now)?;
        Ok(session)
    }

    /// Returns the map in which a person, or a token, is remembered.
    fn known_with(&self, person: u64) -> &Mutex<HashMap<u64, Known>> {
        if person & TOKENS == 0 { &self.known } else { &self.known_tokens }
    }

    fn is_accepted(&self, person: u64) -> bool {
        let known = self.known_with(person).lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&person).is_some_and(|known| known.accepted)
    }

    /// Creates a person's session.
    pub(super) fn begin(&self, person: Person, token: &PersonToken, now: Timestamp) -> Session {
        let valid = token.valid_for.and_then(|valid| SignedDuration::try_from(valid).ok());
        let ends = now + valid.map_or(LONGEST, |valid| valid.min(LONGEST));
        self.forget(person.id);
        Session {
            person: person.id,
            login: person.login,
            token: token.token.expose_secret().to_owned(),
            made: now,
            ends,
            form: hex::encode(rand::rng().random::<[u8; 16]>()),
        }
    }

    /// Ends every session of a person.
    pub(super) async fn end(&self, session: &Session, now: Timestamp) -> Result<(), Failure> {
        self.forget(session.person);
        Ok(self.store.note(&signed_out(session.person), Some(&now.to_string())).await?)
    }

    /// Counts a request of a person, of whom not more than a reader's may come.
    fn charge(&self, session: &Session, now: Timestamp) -> Result<(), Failure> {
        let took = self.known_of(session.person, |known| known.requests.take(now));
        if took { Ok(()) } else { Err(Failure::TooMany) }
    }

    /// Returns the id of the repository of this name, if the person may read it.
    pub(super) async fn repository(
        &self,
        session: &Session,
        full_name: &str,
        now: Timestamp,
    ) -> Result<Option<u64>, Failure> {
        if full_name.len() > LONGEST_NAME {
            return Ok(None);
        }
        let name = full_name.to_ascii_lowercase();
        let known = self.answers_to(session, |known| known.names.get(&name).copied());
        if let Some((_, id)) = known.filter(|(at, _)| is_fresh(*at, now)) {
            return Ok(id);
        }
        let id = self
            .forge
            .repository(&session.secret(), full_name)
            .await
            .map_err(|error| self.failed(session, error, now))?;
        self.answers_to(session, |known| {
            if known.names.len() >= MOST_NAMES {
                known.names.clear();
            }
            known.names.insert(name, (now, id));
            known.accepted = true;
        });
        Ok(id)
    }

    /// Returns the ids of the repositories that the person may read.
    pub(super) async fn repositories(&self, session: &Session, now: Timestamp) -> Result<Arc<BTreeSet<u64>>, Failure> {
        let known = self.answers_to(session, |known| known.all.clone());
        if let Some((_, all)) = known.filter(|(at, _)| is_fresh(*at, now)) {
            return Ok(all);
        }
        let all = self.forge.repositories(&session.secret()).await.map_err(|error| self.failed(session, error, now))?;
        let all = Arc::new(all);
        self.answers_to(session, |known| {
            known.all = Some((now, all.clone()));
            known.accepted = true;
        });
        Ok(all)
    }

    fn failed(&self, session: &Session, error: SignInError, now: Timestamp) -> Failure {
        match error {
            SignInError::Rejected(_) => {
                self.forget(session.person);
                self.known_of(session.person, |known| known.accepted = false);
                if session.person & TOKENS != 0 {
                    let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                    make_room(&mut refused, &session.person);
                    refused.insert(session.person, now);
                }
                Failure::SignIn("/".to_owned())
            }
            SignInError::Unavailable(why) => {
                tracing::warn!("the forge does not say what a person may read: {why}");
                Failure::Unavailable
            }
        }
    }

    fn known_of<T>(&self, person: u64, act: impl FnOnce(&mut Known) -> T) -> T {
        let mut all = self.known_with(person).lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut all, &person);
        act(all.entry(person).or_insert_with(Known::new))
    }

    /// Lets `act` use what the forge answered to this session, and to no other one.
    fn answers_to<T>(&self, session: &Session, act: impl FnOnce(&mut Known) -> T) -> T {
        self.known_of(session.person, |known| {
            if known.session != session.form {
                known.names.clear();
                known.all = None;
                known.session.clone_from(&session.form);
            }
            act(known)
        })
    }

    /// Forgets what a person may read, but not how often they asked.
    fn forget(&self, person: u64) {
        self.known_of(person, |known| {
            known.names.clear();
            known.all = None;
        });
    }
}

fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    (SignedDuration::ZERO..REMEMBERED).contains(&now.duration_since(at))
}

/// Returns the value of a cookie. Of two with one name, none counts.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    let (first, second) = (named.next(), named.next());
    first.filter(|_| second.is_none())
}
