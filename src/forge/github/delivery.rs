//! Reads GitHub's list of the App's deliveries, including failed ones.
//!
//! <https://docs.github.com/rest/apps/webhooks>. GitHub keeps deliveries for three days, Enterprise
//! Server for up to a week.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    domain::id::ConnectionId,
    forge::github::{
        cache::Further,
        client::{Caller, Client},
        transport::Call,
        verify::HOOK,
    },
    port::forge::{ForgeError, SentDelivery, SentPage, Verified},
};

/// Number of the App's own requests that are reserved for other purposes, such as tokens; at most a
/// quarter of the limit.
const KEPT: u32 = 300;

/// Fails if few of the App's own requests are left. The requests of this module can wait.
fn spares_some(client: &Client) -> Result<(), ForgeError> {
    let low = client.transport.allowance().filter(|it| it.remaining < KEPT.min(it.limit / 4));
    match low.filter(|it| it.reset > client.now()) {
        Some(it) => Err(ForgeError::RateLimited { until: it.reset }),
        None => Ok(()),
    }
}

/// Returns a page of the list: the first, or the one at the address that the previous page named.
pub(super) async fn sent(client: &Client, page: Option<&str>) -> Result<SentPage, ForgeError> {
    #[derive(Deserialize)]
    struct Row {
        id: u64,
        guid: String,
        delivered_at: Timestamp,
        status_code: Option<i64>,
    }
    spares_some(client)?;
    let route = "GET /app/hook/deliveries";
    let root = &client.transport.root;
    let path = match page {
        None => root.rest("/app/hook/deliveries?per_page=100"),
        Some(address) => root
            .local(address)
            .ok_or_else(|| ForgeError::Permanent(format!("{route}: the next page is said to be on another host")))?,
    };
    let call = Call { route, method: Method::GET, path, body: None, read: true };
    let reply = client.call(&call, Caller::App).await?;
    let rows: Vec<Row> = reply.json()?;
    let deliveries = rows
        .into_iter()
        .map(|row| SentDelivery {
            id: row.id,
            delivery: row.guid,
            at: row.delivered_at,
            acknowledged: row.status_code.is_some_and(|code| (200..300).contains(&code)),
        })
        .collect();
    let next = match reply.next {
        Further::At(address) => Some(address),
        Further::None | Further::Unsaid => None,
    };
    Ok(SentPage { deliveries, next })
}

/// Returns a delivery with its payload; `None` if GitHub no longer has it.
pub(super) async fn one(client: &Client, id: u64) -> Result<Option<(Verified, Bytes)>, ForgeError> {
    #[derive(Deserialize)]
    struct Body<'a> {
        guid: String,
        event: String,
        #[serde(borrow)]
        request: Request<'a>,
    }
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(default)]
        headers: Option<BTreeMap<String, Value>>,
        /// Null after GitHub has deleted it.
        #[serde(borrow, default)]
        payload: Option<&'a RawValue>,
    }
    spares_some(client)?;
    let call = Call {
        route: "GET /app/hook/deliveries/{delivery_id}",
        method: Method::GET,
        path: client.transport.root.rest(&format!("/app/hook/deliveries/{id}")),
        body: None,
        read: true,
    };
    let reply = match client.call(&call, Caller::App).await {
        Ok(reply) => reply,
        Err(failure) => match failure.error {
            ForgeError::NotFound(_) => return Ok(None),
            other => return Err(other),
        },
    };
    // Errors must not quote the answer, because it contains the payload.
    let body: Body<'_> = serde_json::from_slice(&reply.body)
        .map_err(|_| ForgeError::Transient(format!("{}: the answer makes no sense", call.route)))?;
    let Some(payload) = body.request.payload.filter(|payload| payload.get() != "null") else { return Ok(None) };
    let headers = body.request.headers.unwrap_or_default();
    let hook = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(HOOK)).and_then(|(_, value)| value.as_str());
    let hook = hook.unwrap_or_default().to_owned();
    let verified = Verified { event: body.event, delivery: body.guid, hook };
    Ok(Some((verified, Bytes::copy_from_slice(payload.get().as_bytes()))))
}

/// Returns every installation of the App.
pub(super) async fn installations(client: &Client) -> Result<Vec<ConnectionId>, ForgeError> {
    #[derive(Deserialize)]
    struct Row {
        id: ConnectionId,
    }
    let root = &client.transport.root;
    let mut path = root.rest("/app/installations?per_page=100");
    let mut all = Vec::new();
    loop {
        let call = Call { route: "GET /app/installations", method: Method::GET, path, body: None, read: true };
        let reply = client.call(&call, Caller::App).await?;
        all.extend(reply.json::<Vec<Row>>()?.into_iter().map(|row| row.id));
        match &reply.next {
            Further::At(address) => match root.local(address) {
                Some(next) if next != call.path => path = next,
                _ => return Ok(all),
            },
            Further::None | Further::Unsaid => return Ok(all),
        }
    }
}
