//! Calls about one repository.

use http::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    forge::github::{
        cache::Further,
        client::{Caller, Client, Reply},
        failure::Failure,
        path,
        transport::Call,
    },
    port::forge::{ForgeError, Target},
};

/// GitHub's largest page.
pub(super) const PER_PAGE: usize = 100;

/// A repository for the time of one effect or question.
pub(super) struct Repo<'a> {
    pub(super) client: &'a Client,
    pub(super) target: &'a Target,
    /// Path of the repository: by name, or where a redirect led.
    base: String,
    moved: bool,
}

impl<'a> Repo<'a> {
    /// The repository that `target` names.
    pub(super) fn new(client: &'a Client, target: &'a Target) -> Result<Self, ForgeError> {
        let base = client.transport.root.rest(&path::repository(&target.full_name)?);
        Ok(Self { client, target, base, moved: false })
    }

    fn caller(&self) -> Caller {
        Caller::Installation(self.target.installation, self.target.repo.id)
    }

    /// Reads `tail`, a path below the repository. `route` is GitHub's name for it.
    pub(super) async fn get(&mut self, route: &'static str, tail: &str) -> Result<Reply, Failure> {
        self.send(Method::GET, route, tail, None).await
    }

    /// Changes something at `tail`.
    pub(super) async fn send(
        &mut self,
        method: Method,
        route: &'static str,
        tail: &str,
        body: Option<Value>,
    ) -> Result<Reply, Failure> {
        let read = method == Method::GET;
        let call = Call { route, method, path: format!("{}{tail}", self.base), body, read };
        let reply = self.client.call(&call, self.caller()).await?;
        if let Some(base) = reply.moved_to.as_deref().and_then(|path| path.strip_suffix(tail)) {
            // Further calls of this effect go there at once.
            base.clone_into(&mut self.base);
            self.moved = true;
        }
        Ok(reply)
    }

    /// One page of what `tail` lists, and whether there is another: GitHub
    /// says so in `Link`; `is_full` is asked where an answer has no such header.
    pub(super) async fn page<T: DeserializeOwned>(
        &mut self,
        route: &'static str,
        tail: &str,
        page: usize,
        is_full: impl FnOnce(&T) -> bool,
    ) -> Result<(T, bool), Failure> {
        let joint = if tail.contains('?') { '&' } else { '?' };
        let reply = self.get(route, &format!("{tail}{joint}per_page={PER_PAGE}&page={page}")).await?;
        let found: T = reply.json()?;
        let more = match reply.next {
            Further::Unsaid => is_full(&found),
            Further::None => false,
            Further::At(_) => true,
        };
        Ok((found, more))
    }

    /// Everything that `tail` lists, and whether that was all; at most `max_pages` pages.
    pub(super) async fn list<T: DeserializeOwned>(
        &mut self,
        route: &'static str,
        tail: &str,
        max_pages: usize,
    ) -> Result<(Vec<T>, bool), Failure> {
        let mut all = Vec::new();
        for page in 1..=max_pages {
            let (found, more) = self.page(route, tail, page, |found: &Vec<T>| found.len() >= PER_PAGE).await?;
            all.extend(found);
            if !more {
                return Ok((all, true));
            }
        }
        Ok((all, false))
    }

    /// The repository's present name, if a redirect showed that it has a new
    /// one. Costs a read where the redirect told only its number.
    pub(super) async fn renamed_to(&mut self) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            full_name: String,
        }
        if !self.moved {
            return None;
        }
        if let Some(name) = self.client.transport.root.repository_name(&self.base) {
            return Some(name);
        }
        // What was to be done is done: a failure here takes nothing back.
        let reply = self.get("GET /repositories/{repository_id}", "").await.ok()?;
        reply.json::<Named>().ok().map(|named| named.full_name)
    }
}
