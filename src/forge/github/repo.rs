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

/// Maximum number of entries per page on GitHub.
pub(super) const PER_PAGE: usize = 100;

/// Access to a repository during one effect or query.
pub(super) struct Repo<'a> {
    pub(super) client: &'a Client,
    pub(super) target: &'a Target,
    /// Path of the repository: by name, or as a redirect said.
    base: String,
    moved: bool,
}

impl<'a> Repo<'a> {
    /// Prepares calls about the repository that `target` names.
    pub(super) fn new(client: &'a Client, target: &'a Target) -> Result<Self, ForgeError> {
        let base = client.transport.root.rest(&path::repository(&target.full_name)?);
        Ok(Self { client, target, base, moved: false })
    }

    fn caller(&self) -> Caller {
        Caller::Installation(self.target.installation, self.target.repo.id)
    }

    /// Reads `tail`, a path below the repository. `route` is GitHub's name of the route.
    pub(super) async fn get(&mut self, route: &'static str, tail: &str) -> Result<Reply, Failure> {
        self.send(Method::GET, route, tail, None).await
    }

    /// Sends a request with `method` to `tail`.
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
            // Later calls of this effect skip the redirect.
            base.clone_into(&mut self.base);
            self.moved = true;
        }
        Ok(reply)
    }

    /// Returns one page of the list at `tail`, and whether another page follows. GitHub says so in
    /// `Link`; `is_full` decides if an answer has no such header.
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

    /// Returns the entries of the list at `tail`, at most `max_pages` pages, and whether these are
    /// all.
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

    /// Returns the repository's present name if a redirect showed that it was renamed. Needs a read
    /// if the redirect contained only the repository's id.
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
        // The effect has been applied; a failure here does not change that.
        let reply = self.get("GET /repositories/{repository_id}", "").await.ok()?;
        reply.json::<Named>().ok().map(|named| named.full_name)
    }
}
