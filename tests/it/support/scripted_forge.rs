//! A forge with scripted answers that records the requested changes. Its deliveries are [`Event`]s
//! as JSON.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use phasebot::{
    domain::{
        effect::{Effect, Lane},
        event::Event,
        id::{Actor, ConnectionId, ForgeName},
        needs::{Answer, Need},
    },
    port::{
        clock::Clock,
        forge::{Applied, ApplyContext, Cost, Forge, ForgeError, Pace, Refusal, Route, Target, Undecodable, Verified},
    },
};
use tokio::sync::{Barrier, Semaphore};

/// Limits like GitHub's.
const PACE: Pace = Pace {
    write_every: SignedDuration::from_secs(1),
    creates: &[(80, SignedDuration::from_secs(61)), (500, SignedDuration::from_secs(3601))],
};

/// A request to change something.
#[derive(Debug, Clone)]
pub struct Sent {
    pub at: Timestamp,
    pub target: Target,
    pub effect: Effect,
    pub context: ApplyContext,
}

type OnApply = Arc<dyn Fn(&Target, &Effect, usize) -> Result<Applied, ForgeError> + Send + Sync>;
type OnAnswer = Box<dyn Fn(&Need) -> Result<Answer, ForgeError> + Send + Sync>;

/// Forge with scripted answers.
pub struct ScriptedForge {
    name: ForgeName,
    clock: Arc<dyn Clock>,
    /// Answer to an effect; the number counts requests from 0.
    pub on_apply: Mutex<OnApply>,
    /// Answer to a query.
    pub on_answer: Mutex<OnAnswer>,
    /// Answer to a query for a repository's installation.
    pub installation: Mutex<Result<Option<ConnectionId>, ForgeError>>,
    /// Answer to a query for our account.
    pub identity: Mutex<Result<Actor, ForgeError>>,
    /// Barrier at which queries for an installation wait for each other.
    pub meeting: Mutex<Option<Arc<Barrier>>>,
    /// Each applied effect permanently takes a permit.
    pub permits: Semaphore,
    pub sent: Mutex<Vec<Sent>>,
    pub asked: Mutex<Vec<Need>>,
    pub decoded: Mutex<Vec<String>>,
}

impl ScriptedForge {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            name: ForgeName::github(),
            clock,
            on_apply: Mutex::new(Arc::new(|_, effect, _| Ok(obey(effect)))),
            on_answer: Mutex::new(Box::new(|_| Err(ForgeError::Permanent("no answer scripted".to_owned())))),
            installation: Mutex::new(Err(ForgeError::Transient("none scripted".to_owned()))),
            identity: Mutex::new(Ok(Actor { id: None, login: "phasebot[bot]".to_owned(), bot: true })),
            meeting: Mutex::default(),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
            sent: Mutex::default(),
            asked: Mutex::default(),
            decoded: Mutex::default(),
        }
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    pub fn apply_with(
        &self,
        f: impl Fn(&Target, &Effect, usize) -> Result<Applied, ForgeError> + Send + Sync + 'static,
    ) {
        *self.on_apply.lock().unwrap() = Arc::new(f);
    }
}

/// Applies an effect successfully.
pub fn obey(effect: &Effect) -> Applied {
    let mut applied = Applied::default();
    if let Effect::SetPhase { item, label, .. } = effect {
        let labels: BTreeSet<String> = label.iter().map(|l| l.name.clone()).collect();
        applied.made_labels.clone_from(&labels);
        applied.labels = Some((*item, labels));
    }
    applied
}

#[async_trait]
impl Forge for ScriptedForge {
    fn name(&self) -> &ForgeName {
        &self.name
    }

    fn verify(&self, _headers: &HeaderMap, _body: &[u8]) -> Result<Verified, Refusal> {
        Err(Refusal::MissingSignature)
    }

    fn route(&self, _: &str, body: &[u8]) -> Option<Route> {
        let value: serde_json::Value = serde_json::from_slice(body).ok()?;
        let repo = value.pointer("/repo/key/id").and_then(serde_json::Value::as_u64);
        let installation = value.get("installation").and_then(serde_json::Value::as_u64);
        Some(Route { repo, installation, action: None, urgent: false })
    }

    fn decode(&self, event: &str, body: &[u8], _received_at: Timestamp) -> Result<Event, Undecodable> {
        assert_ne!(event, "panic", "told to");
        let event: Event = serde_json::from_slice(body)
            .map_err(|error| Undecodable { path: ".".to_owned(), message: error.to_string() })?;
        self.decoded.lock().unwrap().push(event.name.clone());
        Ok(event)
    }

    async fn identity(&self) -> Result<Actor, ForgeError> {
        self.identity.lock().unwrap().clone()
    }

    async fn connection_of(&self, _full_name: &str) -> Result<Option<ConnectionId>, ForgeError> {
        let meeting = self.meeting.lock().unwrap().clone();
        if let Some(meeting) = meeting {
            meeting.wait().await;
        }
        self.installation.lock().unwrap().clone()
    }

    async fn answer(&self, _target: &Target, need: &Need) -> Result<Answer, ForgeError> {
        self.asked.lock().unwrap().push(need.clone());
        self.on_answer.lock().unwrap()(need)
    }

    fn pace(&self) -> Pace {
        PACE
    }

    fn cost(&self, effect: &Effect, _context: &ApplyContext) -> Cost {
        Cost { writes: 1, creates: u32::from(effect.lane() == Lane::Conversation) }
    }

    async fn apply(&self, target: &Target, effect: &Effect, context: &ApplyContext) -> Result<Applied, ForgeError> {
        let number = {
            let mut sent = self.sent.lock().unwrap();
            let (target, effect, context) = (target.clone(), effect.clone(), context.clone());
            sent.push(Sent { at: self.clock.now(), target, effect, context });
            sent.len() - 1
        };
        self.permits.acquire().await.unwrap().forget();
        let say = self.on_apply.lock().unwrap().clone();
        say(target, effect, number)
    }
}
