//! Labels of a repository and of its items.

use serde_json::Value;

use super::{
    super::{SimError, shape, state::State},
    Call, Reply, Route,
    issues::present,
};

const WRITE: &[&str] = &["issues:write", "pull_requests:write"];
const READ: &[&str] = &["issues:read", "pull_requests:read"];

pub(super) const ROUTES: &[Route] = &[
    Route::new("GET", "/repos/{owner}/{repo}/labels", READ, list),
    Route::new("POST", "/repos/{owner}/{repo}/labels", WRITE, create),
    Route::new("GET", "/repos/{owner}/{repo}/labels/{name}", READ, get),
    Route::new("PATCH", "/repos/{owner}/{repo}/labels/{name}", WRITE, edit),
    Route::new("DELETE", "/repos/{owner}/{repo}/labels/{name}", WRITE, delete),
    Route::new("GET", "/repos/{owner}/{repo}/issues/{issue_number}/labels", READ, of_item),
    Route::new("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels", WRITE, add),
    Route::new("DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}", WRITE, remove),
];

/// Maximum length of a label's name, in characters; a description has at most 100.
const LONGEST_NAME: usize = 50;
const LONGEST_DESCRIPTION: usize = 100;

fn list(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let all = repo.labels.values().map(|l| shape::label(state, repo, l)).collect();
    Ok(Reply::page(&state.api, call, all))
}

fn shown(state: &State, repo: u64, key: &str) -> Result<Value, Reply> {
    let place = state.repo(repo)?;
    let label = place.labels.get(&key.to_lowercase()).ok_or_else(Reply::not_found)?;
    Ok(shape::label(state, place, label))
}

fn check(call: &Call, name: &str) -> Result<(), Reply> {
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(Reply::invalid("Label", "name", "invalid"));
    }
    if call.text("color").is_some_and(|c| c.len() != 6 || !c.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(Reply::invalid("Label", "color", "invalid"));
    }
    if call.text("description").is_some_and(|d| d.chars().count() > LONGEST_DESCRIPTION) {
        return Err(Reply::invalid("Label", "description", "invalid"));
    }
    Ok(())
}

fn taken(error: SimError) -> Reply {
    match error {
        SimError::Refused(_) => Reply::invalid("Label", "name", "already_exists"),
        other => other.into(),
    }
}

fn create(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let name = call.required("Label", "name")?;
    check(call, name)?;
    let bot = state.bot();
    state.create_label(call.repo, &bot, name, call.text("color"), call.text("description")).map_err(taken)?;
    Ok(Reply::created(shown(state, call.repo, name)?))
}

fn get(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    Ok(Reply::ok(shown(state, call.repo, call.param("name"))?))
}

fn edit(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let new_name = call.text("new_name");
    check(call, new_name.unwrap_or(call.param("name")))?;
    let bot = state.bot();
    let key = state
        .edit_label(call.repo, &bot, call.param("name"), new_name, call.text("color"), call.text("description"))
        .map_err(taken)?;
    Ok(Reply::ok(shown(state, call.repo, &key)?))
}

fn delete(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let bot = state.bot();
    state.delete_label(call.repo, &bot, call.param("name"))?;
    Ok(Reply::no_content())
}

fn labels_of(state: &State, call: &Call, number: u64) -> Result<Vec<Value>, Reply> {
    let repo = state.repo(call.repo)?;
    let item = state.item(call.repo, number)?;
    Ok(item.labels.iter().filter_map(|n| repo.labels.get(n)).map(|l| shape::label(state, repo, l)).collect())
}

fn of_item(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = present(state, call)?;
    let all = labels_of(state, call, number)?;
    Ok(Reply::page(&state.api, call, all))
}

/// Returns the names in `{"labels": […]}` or a bare list, given as text or as objects.
fn names(body: &Value) -> Option<Vec<String>> {
    let list = body.get("labels").unwrap_or(body).as_array()?;
    list.iter().map(|l| l.as_str().or_else(|| l.get("name")?.as_str()).map(str::to_owned)).collect()
}

fn add(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = present(state, call)?;
    let names = names(&call.body)
        .filter(|n| !n.is_empty())
        .ok_or_else(|| Reply::invalid("Label", "labels", "missing_field"))?;
    for name in &names {
        check(call, name)?;
    }
    let bot = state.bot();
    state.add_labels(call.repo, number, &bot, &names)?;
    Ok(Reply::ok(labels_of(state, call, number)?.into()))
}

fn remove(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = present(state, call)?;
    let bot = state.bot();
    state
        .remove_label(call.repo, number, &bot, call.param("name"))
        .map_err(|_| Reply::not_found_because("Label does not exist"))?;
    Ok(Reply::ok(labels_of(state, call, number)?.into()))
}
