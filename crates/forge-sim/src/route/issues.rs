//! Issues, comments, reactions, pull requests.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::{change::ItemEdit, model::Item, shape, state::State},
    Call, Reply, Route,
};

const WRITE: &[&str] = &["issues:write", "pull_requests:write"];
const READ: &[&str] = &["issues:read", "pull_requests:read"];

pub(super) const ROUTES: &[Route] = &[
    Route::new("GET", "/repos/{owner}/{repo}/issues", READ, list),
    Route::content("/repos/{owner}/{repo}/issues", &["issues:write"], open),
    Route::new("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", WRITE, edit_comment),
    Route::new("GET", "/repos/{owner}/{repo}/issues/comments/{comment_id}", READ, get_comment),
    Route::new("POST", "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", WRITE, react),
    Route::new("GET", "/repos/{owner}/{repo}/issues/{issue_number}", READ, get),
    Route::new("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}", WRITE, edit),
    Route::new("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", READ, comments),
    Route::content("/repos/{owner}/{repo}/issues/{issue_number}/comments", WRITE, comment),
    Route::new("GET", "/repos/{owner}/{repo}/pulls", &["pull_requests:read"], pulls),
    Route::new("GET", "/repos/{owner}/{repo}/pulls/{pull_number}", &["pull_requests:read"], pull),
];

/// Returns the number of the item in the path: 404 if it never existed, 410 if it was deleted or
/// moved.
pub(super) fn present(state: &State, call: &Call) -> Result<u64, Reply> {
    let number = call.number("issue_number")?;
    match state.repo(call.repo)?.items.get(&number) {
        None => Err(Reply::not_found()),
        Some(item) if item.gone => Err(Reply::gone()),
        Some(_) => Ok(number),
    }
}

fn shown(state: &State, call: &Call, number: u64) -> Result<Value, Reply> {
    Ok(shape::issue(state, state.repo(call.repo)?, state.item(call.repo, number)?))
}

/// Returns whether an item matches a list's `state`, `since` and `labels`.
fn wanted(call: &Call, item: &Item) -> bool {
    let since = call.query("since").and_then(|s| s.parse::<Timestamp>().ok());
    let labels: Vec<String> =
        call.query("labels").map_or_else(Vec::new, |l| l.split(',').map(str::to_lowercase).collect());
    let right_state = match call.query("state") {
        Some("all") => true,
        Some("closed") => !item.open,
        _ => item.open,
    };
    !item.gone
        && right_state
        && since.is_none_or(|s| item.updated_at >= s)
        && labels.iter().all(|l| item.labels.contains(l))
        && call.query("creator").is_none_or(|c| item.author.eq_ignore_ascii_case(c))
}

/// Sorts a list as requested: by default by creation, newest first.
fn sorted(call: &Call, mut items: Vec<&Item>) -> Vec<u64> {
    match call.query("sort") {
        Some("updated") => items.sort_by_key(|i| (i.updated_at, i.number)),
        _ => items.sort_by_key(|i| i.number),
    }
    if call.query("direction") != Some("asc") {
        items.reverse();
    }
    items.into_iter().map(|i| i.number).collect()
}

fn list(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let found = sorted(call, repo.items.values().filter(|i| wanted(call, i)).collect());
    let all = found.iter().filter_map(|n| repo.items.get(n)).map(|i| shape::issue(state, repo, i)).collect();
    Ok(Reply::page(&state.api, call, all))
}

fn open(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let title = call.required("Issue", "title")?;
    let labels: Vec<String> = call.body.get("labels").and_then(Value::as_array).map_or_else(Vec::new, |list| {
        list.iter().filter_map(|l| l.as_str().or_else(|| l.get("name")?.as_str())).map(str::to_owned).collect()
    });
    let bot = state.bot();
    let number = state.open_issue(call.repo, &bot, title, call.text("body").unwrap_or(""), &labels)?;
    Ok(Reply::created(shown(state, call, number)?))
}

fn get(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = present(state, call)?;
    Ok(Reply::ok(shown(state, call, number)?))
}

fn edit(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = present(state, call)?;
    let open = match call.text("state") {
        None => None,
        Some("open") => Some(true),
        Some("closed") => Some(false),
        Some(_) => return Err(Reply::invalid("Issue", "state", "invalid")),
    };
    let edit = ItemEdit {
        title: call.text("title").map(str::to_owned),
        body: call.text("body").map(str::to_owned),
        open,
        reason: call.text("state_reason").map(str::to_owned),
    };
    let bot = state.bot();
    if let Some(milestone) = call.body.get("milestone") {
        state.set_milestone(call.repo, number, &bot, milestone.as_u64())?;
    }
    state.edit_item(call.repo, number, &bot, &edit)?;
    Ok(Reply::ok(shown(state, call, number)?))
}

fn comments(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = present(state, call)?;
    let since = call.query("since").and_then(|s| s.parse::<Timestamp>().ok());
    let repo = state.repo(call.repo)?;
    let all = repo
        .comments
        .values()
        .filter(|c| c.item == number && since.is_none_or(|s| c.updated_at >= s))
        .map(|c| shape::comment(state, repo, c))
        .collect();
    Ok(Reply::page(&state.api, call, all))
}

fn shown_comment(state: &State, call: &Call, id: u64) -> Result<Value, Reply> {
    let repo = state.repo(call.repo)?;
    Ok(shape::comment(state, repo, repo.comments.get(&id).ok_or_else(Reply::not_found)?))
}

fn comment(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = present(state, call)?;
    let body = call.required("IssueComment", "body")?;
    if state.item(call.repo, number)?.locked && !state.app.permissions.contains_key("issues") {
        return Err(Reply::forbidden("Unable to create comment because issue is locked."));
    }
    let bot = state.bot();
    let id = state.comment(call.repo, number, &bot, body)?;
    Ok(Reply::created(shown_comment(state, call, id)?))
}

fn get_comment(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("comment_id")?;
    Ok(Reply::ok(shown_comment(state, call, id)?))
}

fn edit_comment(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("comment_id")?;
    let body = call.required("IssueComment", "body")?;
    let bot = state.bot();
    state.edit_comment(call.repo, id, &bot, body)?;
    Ok(Reply::ok(shown_comment(state, call, id)?))
}

const REACTIONS: [&str; 8] = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

fn react(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("comment_id")?;
    let content = call.required("Reaction", "content")?;
    if !REACTIONS.contains(&content) {
        return Err(Reply::invalid("Reaction", "content", "invalid"));
    }
    let bot = state.bot();
    let (reaction, new) = state.react(call.repo, id, &bot, content)?;
    let shown = shape::reaction(state, &reaction);
    Ok(if new { Reply::created(shown) } else { Reply::ok(shown) })
}

fn pull(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = call.number("pull_number")?;
    let (item, pull) = (state.item(call.repo, number)?, state.pull(call.repo, number)?);
    Ok(Reply::ok(shape::pull(state, state.repo(call.repo)?, item, pull)))
}

fn pulls(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let head = |item: &Item| {
        item.pull.as_ref().is_some_and(|p| {
            let label = format!("{}:{}", p.fork().unwrap_or(&repo.owner), p.head_ref());
            call.query("head").is_none_or(|h| h == label) && call.query("base").is_none_or(|b| b == p.base)
        })
    };
    let found = sorted(call, repo.items.values().filter(|i| wanted(call, i) && head(i)).collect());
    let all = found
        .iter()
        .filter_map(|n| repo.items.get(n))
        .filter_map(|i| i.pull.as_ref().map(|p| shape::pull(state, repo, i, p)))
        .collect();
    Ok(Reply::page(&state.api, call, all))
}
