//! Answers, and GitHub's error messages.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Call;

const DOCS: &str = "https://docs.github.com/rest";

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Reply {
    fn with(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), headers: Vec::new() }
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::with(status, json!({ "message": message, "documentation_url": DOCS, "status": status.to_string() }))
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::with(200, body)
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::with(201, body)
    }

    pub(crate) fn accepted() -> Self {
        Self::with(202, json!({}))
    }

    /// Returns the answer to a deployment request that caused a merge instead.
    pub(crate) fn done_otherwise() -> Self {
        Self::with(202, json!({ "message": "Auto-merged main into topic on deployment." }))
    }

    /// Returns the answer about a file over 100 MB.
    pub(crate) fn too_large() -> Self {
        Self::error(403, "This API returns blobs up to 100 MB in size. The requested blob is too large.")
    }

    pub(crate) fn no_content() -> Self {
        Self { status: 204, body: None, headers: Vec::new() }
    }

    pub(crate) fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    pub(crate) fn not_found_because(why: &str) -> Self {
        Self::error(404, why)
    }

    pub(crate) fn gone() -> Self {
        Self::error(410, "This issue was deleted")
    }

    pub(crate) fn unauthorized(why: &str) -> Self {
        Self::error(401, why)
    }

    pub(crate) fn bad_request() -> Self {
        Self::error(400, "Problems parsing JSON")
    }

    pub(crate) fn forbidden(why: &str) -> Self {
        Self::error(403, why)
    }

    pub(crate) fn conflict(why: &str) -> Self {
        Self::error(409, why)
    }

    pub(crate) fn bad_gateway() -> Self {
        Self::error(502, "Server Error")
    }

    /// Returns the secondary limit's answer, with or without a delay.
    pub(crate) fn secondary_limit(status: u16, retry_after: Option<i64>) -> Self {
        let mut reply = Self::error(
            status,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        );
        reply.headers.extend(retry_after.map(|s| ("retry-after", s.to_string())));
        reply
    }

    /// Returns the hourly limit's answer.
    pub(crate) fn primary_limit(installation: u64) -> Self {
        Self::error(403, &format!("API rate limit exceeded for installation ID {installation}."))
    }

    /// Returns 422 for one field: `missing_field`, `already_exists`, `invalid`.
    pub(crate) fn invalid(resource: &str, field: &str, code: &str) -> Self {
        let errors = json!([{ "resource": resource, "field": field, "code": code }]);
        Self::with(
            422,
            json!({ "message": "Validation Failed", "errors": errors, "documentation_url": DOCS, "status": "422" }),
        )
    }

    /// Returns 422 with a message.
    pub(crate) fn invalid_message(why: &str) -> Self {
        let errors = json!([{ "resource": "Repository", "code": "custom", "message": why }]);
        Self::with(
            422,
            json!({ "message": "Validation Failed", "errors": errors, "documentation_url": DOCS, "status": "422" }),
        )
    }

    /// Returns a redirect to a renamed repository. With 307, GitHub keeps the method of a request
    /// that changes something.
    pub(crate) fn moved(method: &str, location: &str) -> Self {
        let status = if matches!(method, "GET" | "HEAD") { 301 } else { 307 };
        let body = json!({ "message": "Moved Permanently", "url": location, "documentation_url": DOCS });
        Self { headers: vec![("location", location.to_owned())], ..Self::with(status, body) }
    }

    /// Returns one page of a list, with links to the others.
    pub(crate) fn page(api: &str, call: &Call, mut all: Vec<Value>) -> Self {
        leave_out_newest(call, &mut all);
        let (items, links) = cut(api, call, all, 30, 100);
        Self { headers: links, ..Self::ok(Value::Array(items)) }
    }

    /// Returns one page of a list within an object that holds the total count.
    pub(crate) fn page_of(api: &str, call: &Call, field: &str, mut all: Vec<Value>) -> Self {
        leave_out_newest(call, &mut all);
        let total = all.len();
        let (items, links) = cut(api, call, all, 30, 100);
        Self { headers: links, ..Self::ok(json!({ "total_count": total, field: items })) }
    }
}

/// With `call.stale`, omits the newest element, as a replica does that lags behind.
fn leave_out_newest(call: &Call, all: &mut Vec<Value>) {
    let Some(since) = call.stale else { return };
    let newest = all.iter().enumerate().max_by_key(|(_, v)| v.get("id").and_then(Value::as_u64));
    let made = |v: &Value| {
        let at = v.get("created_at").or_else(|| v.get("started_at")).and_then(Value::as_str);
        at.and_then(|at| at.parse::<Timestamp>().ok())
    };
    if let Some((at, _)) = newest.filter(|(_, v)| made(v).is_none_or(|made| made > since)) {
        all.remove(at);
    }
}

/// Cuts one page out of a list whose newest element is the last one; returns it with the `Link`
/// header.
///
/// <https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api>
pub(super) fn cut(
    api: &str,
    call: &Call,
    all: Vec<Value>,
    default: usize,
    most: usize,
) -> (Vec<Value>, Vec<(&'static str, String)>) {
    let number = |name: &str| call.query(name).and_then(|v| v.parse::<usize>().ok());
    let per_page = number("per_page").unwrap_or(default).clamp(1, most);
    let page = number("page").unwrap_or(1).max(1);
    let last = all.len().div_ceil(per_page).max(1);
    let to = |page: usize, rel: &str| {
        let mut query: Vec<String> = call
            .query
            .iter()
            .filter(|(n, _)| n != "page")
            .map(|(n, v)| format!("{n}={}", crate::shape::escape(v)))
            .collect();
        query.push(format!("page={page}"));
        format!("<{api}{}?{}>; rel=\"{rel}\"", call.link, query.join("&"))
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(to(page - 1, "prev"));
    }
    if page < last {
        links.push(to(page + 1, "next"));
        links.push(to(last, "last"));
    }
    if page > 1 {
        links.push(to(1, "first"));
    }
    let header = if links.is_empty() { Vec::new() } else { vec![("link", links.join(", "))] };
    (all.into_iter().skip((page - 1) * per_page).take(per_page).collect(), header)
}
