//! The GraphQL endpoint: the issues that a pull request closes, an issue's linked branches and the
//! change that closed it, reactions to reviews, and minimizing comments.

use serde_json::{Value, json};

use super::{
    super::{
        model::{Closer, Closing, Item, Repo},
        shape,
        state::State,
    },
    Call, Reply, Route,
    graphql_item::{basics, named},
    graphql_lists,
    query::{self, Field, Operation},
};

pub(super) const ROUTES: &[Route] = &[Route::new("POST", "/graphql", &["metadata:read"], answer)];

fn answer(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let Some(text) = call.text("query") else {
        return Ok(failed(&Value::Null, "", "A query attribute must be specified and must be a string."));
    };
    let Operation { mutation, fields } = match query::parse(text, call.body.get("variables").unwrap_or(&Value::Null)) {
        Ok(operation) => operation,
        Err(why) => return Ok(failed(&Value::Null, "PARSE_ERROR", &why)),
    };
    let mut data = json!({});
    for field in &fields {
        let found = match field.name.as_str() {
            _ if mutation => change(state, call, field),
            "repository" => repository(state, call, field),
            "nodes" => {
                let reach = |repo| state.installations.get(&call.installation).is_some_and(|i| i.repos.contains(&repo));
                query::project(&graphql_lists::nodes(state, reach, field), &field.fields)
                    .map_err(|why| ("UNDEFINED_FIELD", why))
            }
            "rateLimit" => query::project(&json!({ "cost": 1, "limit": 5000, "remaining": 4999 }), &field.fields)
                .map_err(|why| ("UNDEFINED_FIELD", why)),
            other => Err(("UNDEFINED_FIELD", format!("Field '{other}' doesn't exist on type 'Query'"))),
        };
        match found {
            Ok(value) => data[&field.alias] = value,
            Err((kind, why)) => {
                data[&field.alias] = Value::Null;
                return Ok(failed(&data, kind, &why));
            }
        }
    }
    Ok(Reply::ok(json!({ "data": data })))
}

/// Returns an error. GraphQL reports errors with status 200.
fn failed(data: &Value, kind: &str, message: &str) -> Reply {
    Reply::ok(json!({ "data": data, "errors": [{ "type": kind, "message": message }] }))
}

type Found = Result<Value, (&'static str, String)>;

/// Carries out `addReaction` on comments and reviews, and `minimizeComment`.
fn change(state: &mut State, call: &Call, field: &Field) -> Found {
    let input = field.arguments.get("input");
    let text = |name: &str| input.and_then(|i| i.get(name)).and_then(Value::as_str).unwrap_or("").to_owned();
    let subject = text("subjectId");
    let missing = || ("NOT_FOUND", format!("Could not resolve to a node with the global id of '{subject}'"));
    let reach = state.installations.get(&call.installation).map(|i| i.repos.clone()).unwrap_or_default();
    let shown = match field.name.as_str() {
        "addReaction" => {
            let rest = [("EYES", "eyes"), ("ROCKET", "rocket"), ("THUMBS_DOWN", "-1"), ("CONFUSED", "confused")];
            let content = rest.iter().find(|(name, _)| *name == text("content"));
            let (name, content) = content.ok_or_else(|| ("INVALID", "content is not a reaction".to_owned()))?;
            let bot = state.bot();
            let done = reach.iter().any(|repo| state.react_by_node(*repo, &subject, &bot, content));
            done.then(|| json!({ "reaction": { "content": name } })).ok_or_else(missing)?
        }
        "minimizeComment" => {
            let done = reach.iter().any(|repo| state.minimize(*repo, &subject));
            done.then(|| json!({ "minimizedComment": { "isMinimized": true } })).ok_or_else(missing)?
        }
        other => return Err(("UNDEFINED_FIELD", format!("Field '{other}' doesn't exist on type 'Mutation'"))),
    };
    query::project(&shown, &field.fields).map_err(|why| ("UNDEFINED_FIELD", why))
}

fn repository(state: &State, call: &Call, field: &Field) -> Found {
    let argument = |name: &str| field.arguments.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let full_name = format!("{}/{}", argument("owner"), argument("name"));
    let id = state.names.get(&full_name.to_lowercase()).or_else(|| state.old_names.get(&full_name.to_lowercase()));
    let visible = id.filter(|id| state.installations.get(&call.installation).is_some_and(|i| i.repos.contains(id)));
    let missing = || ("NOT_FOUND", format!("Could not resolve to a Repository with the name '{full_name}'."));
    let repo = visible.and_then(|id| state.repos.get(id)).ok_or_else(missing)?;
    let mut out = json!({});
    for asked in &field.fields {
        let number = asked.arguments.get("number").and_then(Value::as_u64);
        let item = number.and_then(|n| repo.items.get(&n)).filter(|i| !i.gone);
        let shown = match asked.name.as_str() {
            "pullRequest" => item.filter(|i| i.pull.is_some()).map(|i| pull(state, repo, i)),
            "issue" => item.filter(|i| i.pull.is_none()).map(|i| issue(repo, i)),
            _ => {
                if let Some(listed) = graphql_lists::list(state, repo, asked) {
                    let shown = query::project(&listed, &asked.fields).map_err(|why| ("UNDEFINED_FIELD", why))?;
                    out[&asked.alias] = shown;
                    continue;
                }
                let mut known = named(repo);
                known["url"] = format!("{}/{}", state.api, repo.full_name()).into();
                known["owner"] = graphql_lists::account(state, &repo.owner);
                known["object"] =
                    asked.arguments.get("oid").and_then(Value::as_str).map(|oid| authors(state, repo, oid)).into();
                out[&asked.alias] = query::project(&known, std::slice::from_ref(asked))
                    .map_err(|why| ("UNDEFINED_FIELD", why))?[&asked.alias]
                    .clone();
                continue;
            }
        };
        let number = number.unwrap_or_default();
        let shown = shown.ok_or_else(|| {
            let kind = if asked.name == "issue" { "an Issue" } else { "a PullRequest" };
            ("NOT_FOUND", format!("Could not resolve to {kind} with the number of {number}."))
        })?;
        out[&asked.alias] = query::project(&shown, &asked.fields).map_err(|why| ("UNDEFINED_FIELD", why))?;
    }
    Ok(out)
}

/// Returns a commit with its authors according to GitHub.
fn authors(state: &State, repo: &Repo, oid: &str) -> Value {
    let Some(commit) = repo.git.get(oid) else { return Value::Null };
    let trailers = commit.message.lines().filter_map(|line| line.strip_prefix("Co-authored-by: "));
    let addresses = trailers.filter_map(|value| value.rsplit_once('<')?.1.split('>').next());
    let own = shape::email(&commit.author);
    let nodes: Vec<Value> = std::iter::once(own.as_str())
        .chain(addresses)
        .map(|address| {
            let known = state.users.values().find(|user| shape::email(&user.login) == address);
            let user = known.map(|user| json!({ "databaseId": user.id, "login": user.login }));
            json!({ "email": address, "user": user })
        })
        .collect();
    json!({ "__typename": "Commit", "oid": oid, "authors": connection(&nodes) })
}

fn connection(nodes: &[Value]) -> Value {
    json!({
        "totalCount": nodes.len(),
        "pageInfo": { "hasNextPage": false, "endCursor": null },
        "nodes": nodes,
    })
}

fn pull(state: &State, repo: &Repo, item: &Item) -> Value {
    let closing = state.closing_issues(repo.id, item.number).unwrap_or_default();
    let nodes: Vec<Value> = closing.iter().filter_map(|n| repo.items.get(n)).map(|i| basics(repo, i)).collect();
    let mut out = basics(repo, item);
    out["closingIssuesReferences"] = connection(&nodes);
    out
}

fn issue(repo: &Repo, item: &Item) -> Value {
    let nodes: Vec<Value> = item
        .linked_branches
        .iter()
        .map(|name| json!({ "ref": { "name": name, "prefix": "refs/heads/", "repository": named(repo) } }))
        .collect();
    let mut out = basics(repo, item);
    out["linkedBranches"] = connection(&nodes);
    let closings: Vec<Value> = item.closings.iter().map(|closing| closed_event(repo, closing)).collect();
    out["timelineItems"] = connection(&closings);
    out
}

/// Returns a `ClosedEvent` of an issue's timeline, the only kind of event that is stored.
fn closed_event(repo: &Repo, closing: &Closing) -> Value {
    let closer = match &closing.closer {
        Some(Closer::Pull(number)) => {
            json!({ "__typename": "PullRequest", "number": number, "repository": named(repo) })
        }
        Some(Closer::Commit(sha)) => json!({ "__typename": "Commit", "oid": sha, "repository": named(repo) }),
        None => Value::Null,
    };
    json!({ "__typename": "ClosedEvent", "createdAt": shape::time(closing.at), "closer": closer })
}
