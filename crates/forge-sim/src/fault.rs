//! Faults that a test asks for.

use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// 502, nothing done.
    Status502Before,
    /// Done, but answered with 502.
    Status502AfterApply,
    /// The connection closes, nothing done.
    ResetBefore,
    /// Done, but the connection closes before the answer.
    ResetAfterApply,
    /// Done, but never answered: the client has to give up.
    Timeout,
    /// 429 with `Retry-After`, nothing done.
    RateLimit429 {
        /// How long to wait, in whole seconds.
        retry_after: Duration,
    },
    /// The secondary limit's 403 with its words and no header that says how long.
    SecondaryLimit403,
    /// A refusal in these words, nothing done.
    Refused {
        /// Status.
        status: u16,
        /// GitHub's message.
        message: &'static str,
    },
    /// 403 for what is too large to be shown, nothing done.
    TooLarge403,
    /// 403 for what the App may not see, or an organisation lets nobody see; nothing done.
    Forbidden403,
    /// 202 without what was asked for: it was taken, and something else is done instead.
    Accepted202,
    /// 404 although it exists, as a replica that lags answers; later requests find it.
    NotFoundThenOk,
    /// A list without its newest element, as a replica that lags answers; if that tells when it was
    /// made, only for some seconds after.
    StaleList,
}

impl FaultKind {
    /// Whether the request is carried out all the same.
    pub(super) fn applies(self) -> bool {
        matches!(self, Self::Status502AfterApply | Self::ResetAfterApply | Self::Timeout | Self::StaleList)
    }
}

/// Which requests a fault hits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matcher {
    /// Method; `None`: each.
    pub method: Option<String>,
    /// Route template as in GitHub's description, such as
    /// `/repos/{owner}/{repo}/issues/{issue_number}/labels`; `None`: each.
    pub route: Option<String>,
    /// The path itself; `None`: each.
    pub path: Option<String>,
}

impl Matcher {
    /// Requests of this method to this route template.
    pub fn of(method: &str, route: &str) -> Self {
        Self { method: Some(method.to_owned()), route: Some(route.to_owned()), path: None }
    }

    /// Requests of this method to this very path.
    pub fn at(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), route: None, path: Some(path.to_owned()) }
    }

    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    fn hits(&self, method: &str, route: &str, path: &str) -> bool {
        self.method.as_ref().is_none_or(|m| m.eq_ignore_ascii_case(method))
            && self.route.as_ref().is_none_or(|r| r == route)
            && self.path.as_ref().is_none_or(|p| p == path)
    }
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// For which requests.
    pub matcher: Matcher,
    /// What.
    pub kind: FaultKind,
}

/// Says for each request, by method and route template, what goes wrong with it.
pub type Weather = Box<dyn FnMut(&str, &str) -> Option<FaultKind> + Send>;

/// Faults still to come.
#[derive(Default)]
pub(super) struct Faults {
    pending: Vec<Pending>,
    weather: Option<Weather>,
}

#[derive(Debug)]
struct Pending {
    fault: Fault,
    /// Requests that match and are let pass first.
    spared: u32,
    /// Requests that it happens to then.
    times: u32,
}

impl Faults {
    /// Lets `fault` happen to the next `times` requests that match, after `spared` others.
    pub(super) fn add(&mut self, fault: Fault, spared: u32, times: u32) {
        self.pending.push(Pending { fault, spared, times });
    }

    /// What happens to this request.
    pub(super) fn take(&mut self, method: &str, route: &str, path: &str) -> Option<FaultKind> {
        let hits = |p: &&mut Pending| p.times > 0 && p.fault.matcher.hits(method, route, path);
        let Some(found) = self.pending.iter_mut().find(hits) else {
            return self.weather.as_mut().and_then(|weather| weather(method, route));
        };
        if found.spared > 0 {
            found.spared -= 1;
            return None;
        }
        found.times -= 1;
        Some(found.fault.kind)
    }

    /// How many have not happened yet.
    pub(super) fn left(&self) -> u32 {
        self.pending.iter().map(|pending| pending.times).sum()
    }

    /// From now on `weather` says what happens to requests that no pending fault hits.
    pub(super) fn turn(&mut self, weather: Weather) {
        self.weather = Some(weather);
    }

    /// None happens any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
