//! Reads JSON whose fields the settings name.

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    domain::event::{ExternalDeployment, ExternalState},
    external::Found,
    sender::json,
};

/// JSON pointers (RFC 6901) to the fields of a body, empty if there is no such field, and the words
/// for each state.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Identifier of the deployment.
    pub key: String,
    /// `owner/name` of the repository.
    pub repository: String,
    /// The commit's full hash, or a tag.
    pub commit: String,
    /// Environment.
    pub environment: String,
    /// State.
    pub state: String,
    /// Time of the state.
    pub at: String,
    /// Words for each state.
    pub words: Vec<(ExternalState, Vec<String>)>,
}

/// Returns what a message reports. `Err`: why it reports no deployment.
pub(super) fn read(
    connection: &str,
    mapping: &Mapping,
    payload: &Value,
    received_at: Timestamp,
) -> Result<Found, String> {
    let at = |pointer: &str| if pointer.is_empty() { None } else { payload.pointer(pointer) };
    let text = |pointer: &str| json::text(at(pointer));
    let word = text(&mapping.state).unwrap_or_default();
    let is = |words: &[String]| words.iter().any(|known| known.eq_ignore_ascii_case(&word));
    let Some(state) = mapping.words.iter().find(|(_, words)| is(words)).map(|(state, _)| *state) else {
        return Err(format!("its state, {word:?}, is none that the settings name"));
    };
    let environment = text(&mapping.environment).ok_or("it names no environment")?;
    let commit = text(&mapping.commit);
    if commit.is_none() && state != ExternalState::Removed {
        return Err("it names no commit".to_owned());
    }
    let told_at = json::moment(at(&mapping.at));
    let moment = told_at.unwrap_or(received_at);
    let key = match (text(&mapping.key), state) {
        (Some(key), _) => key,
        // Without an identifier, nothing connects a start with its end.
        (None, ExternalState::InProgress) => return Err("it has no id, so its end could not be recognized".to_owned()),
        // Sent again, it would be a newer deployment.
        (None, _) if told_at.is_none() => {
            return Err("it has neither an id nor a time, so it could not be recognized if it came twice".to_owned());
        }
        (None, _) => format!("at {moment}"),
    };
    let deployment = ExternalDeployment {
        connection: connection.to_owned(),
        key,
        commit,
        environment,
        state,
        at: moment,
        mirrored: false,
    };
    let repository = text(&mapping.repository);
    if repository.is_none() && at(&mapping.repository).is_some_and(|found| !found.is_null()) {
        // The connection's first repository is meant only where a message names none.
        return Err("its repository is not a name".to_owned());
    }
    Ok(Found { repository, deployment: Some(deployment) })
}
