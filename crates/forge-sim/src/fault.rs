//! Faults that a test injects.

use std::time::Duration;

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// 502 without carrying out the request.
    Status502Before,
    /// 502 after carrying out the request.
    Status502AfterApply,
    /// The connection closes, without carrying out the request.
    ResetBefore,
    /// The connection closes before the answer, after carrying out the request.
    ResetAfterApply,
    /// No answer after carrying out the request: the client must give up.
    Timeout,
    /// 429 with `Retry-After`, without carrying out the request.
    RateLimit429 {
        /// Delay in whole seconds.
        retry_after: Duration,
    },
    /// 403 with the secondary limit's message, and no header with a delay.
    SecondaryLimit403,
    /// A rejection with this status and message, without carrying out the request.
    Refused {
        /// Status of the answer.
        status: u16,
        /// GitHub's message.
        message: &'static str,
    },
    /// 403 for a file that is too large to show, without carrying out the request.
    TooLarge403,
    /// 403 for data that the App or everyone in an organisation may not see, without carrying out
    /// the request.
    Forbidden403,
    /// 202 without carrying out the request: GitHub accepted it, and did something else instead.
    Accepted202,
    /// 404 although the object exists, as a lagging replica answers; later requests find it.
    NotFoundThenOk,
    /// A list without its newest element, as a lagging replica answers. If the element shows when
    /// it was created, it is missing only for some seconds after.
    StaleList,
}

impl FaultKind {
    /// Returns whether the request is carried out nevertheless.
    pub(super) fn applies(self) -> bool {
        matches!(self, Self::Status502AfterApply | Self::ResetAfterApply | Self::Timeout | Self::StaleList)
    }
}

/// Requests that a fault hits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matcher {
    /// Method; `None` matches every method.
    pub method: Option<String>,
    /// Route template as in GitHub's description, such as
    /// `/repos/{owner}/{repo}/issues/{issue_number}/labels`; `None` matches every route.
    pub route: Option<String>,
    /// The path itself; `None`: each.
    pub path: Option<String>,
}

impl Matcher {
    /// Matches requests of this method to this route template.
    pub fn of(method: &str, route: &str) -> Self {
        Self { method: Some(method.to_owned()), route: Some(route.to_owned()), path: None }
    }

    /// Requests of this method to this very path.
    pub fn at(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), route: None, path: Some(path.to_owned()) }
    }

    /// Matches every request.
    pub fn any() -> Self {
        Self::default()
    }

    fn hits(&self, method: &str, route: &str, path: &str) -> bool {
        self.method.as_ref().is_none_or(|m| m.eq_ignore_ascii_case(method))
            && self.route.as_ref().is_none_or(|r| r == route)
            && self.path.as_ref().is_none_or(|p| p == path)
    }
}

/// A fault, and the requests that it hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Requests that it hits.
    pub matcher: Matcher,
    /// Kind of the fault.
    pub kind: FaultKind,
}

/// Function that returns the fault for a request, given its method and route template.
pub type Weather = Box<dyn FnMut(&str, &str) -> Option<FaultKind> + Send>;

/// Pending faults.
#[derive(Default)]
pub(super) struct Faults {
    pending: Vec<Pending>,
    weather: Option<Weather>,
}

#[derive(Debug)]
struct Pending {
    fault: Fault,
    /// Number of matching requests that pass first.
    spared: u32,
    /// Number of matching requests that it then hits.
    times: u32,
}

impl Faults {
    /// Injects `fault` into the next `times` matching requests, after `spared` others.
    pub(super) fn add(&mut self, fault: Fault, spared: u32, times: u32) {
        self.pending.push(Pending { fault, spared, times });
    }

    /// Treatment of this request.
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

    /// Returns how many faults are still pending.
    pub(super) fn left(&self) -> u32 {
        self.pending.iter().map(|pending| pending.times).sum()
    }

    /// Lets `weather` decide on requests that no pending fault hits.
    pub(super) fn turn(&mut self, weather: Weather) {
        self.weather = Some(weather);
    }

    /// Removes all faults.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
