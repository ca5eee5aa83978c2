//! Acts on deploy requests, by their state: nothing is sent that was done already.

use crate::{
    database::planetscale::{PlanetScale, payload::DeployRequest},
    domain::{
        effect::{ForgeResult, SchemaAct},
        schema::{SchemaChange, SchemaPin, SchemaState},
    },
    port::forge::{Applied, ForgeError},
};

/// What a state means for an act.
enum Step {
    /// It is to be sent.
    Send,
    /// It was done already.
    Done,
    /// It can't be done.
    No,
}

/// Reads a deploy request, and moves it on if it is in the state for that.
pub(super) async fn act(
    planetscale: &PlanetScale,
    pin: &SchemaPin,
    act: SchemaAct,
    look_only: bool,
) -> Result<Applied, ForgeError> {
    let before = planetscale.one(pin.number).await?;
    let refused = |why: String| Ok(Applied { result: Some(ForgeResult::NotStarted(why)), ..Applied::default() });
    if before.content != pin.content {
        return refused("its statements changed".to_owned());
    }
    match step(act, before.state) {
        Step::Done => Ok(acted(before)),
        Step::No => refused(format!("its state is {}", before.word)),
        Step::Send if look_only => Ok(Applied::default()),
        Step::Send => {
            let (route, word) = match act {
                SchemaAct::Deploy => ("POST /deploy-requests/{number}/deploy", "deploy"),
                SchemaAct::Apply => ("POST /deploy-requests/{number}/apply-deploy", "apply-deploy"),
                SchemaAct::Revert => ("POST /deploy-requests/{number}/revert", "revert"),
            };
            let path = format!("/deploy-requests/{}/{word}", pin.number);
            let after: DeployRequest = planetscale.client.post(route, &path).await?;
            Ok(acted(planetscale.change(after)))
        }
    }
}

fn acted(change: SchemaChange) -> Applied {
    Applied { result: Some(ForgeResult::SchemaActed(Box::new(change))), ..Applied::default() }
}

fn step(act: SchemaAct, state: SchemaState) -> Step {
    match (act, state) {
        (SchemaAct::Deploy, SchemaState::Ready)
        | (SchemaAct::Apply, SchemaState::Staged)
        | (SchemaAct::Revert, SchemaState::Revertible) => Step::Send,
        (SchemaAct::Deploy, SchemaState::Queued | SchemaState::Running | SchemaState::Staged | SchemaState::Empty)
        | (
            SchemaAct::Deploy | SchemaAct::Apply,
            SchemaState::Applying | SchemaState::Revertible | SchemaState::Applied,
        )
        | (SchemaAct::Revert, SchemaState::Reverting | SchemaState::Reverted) => Step::Done,
        _ => Step::No,
    }
}
