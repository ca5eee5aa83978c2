//! Checks whether an address is reachable.

use std::{error::Error, time::Duration};

/// Time-out of the request; GitHub's deliveries to a slower address fail, too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the HTTP status of an address; a redirect is a valid answer.
pub(super) async fn get(url: &str) -> Result<u16, String> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())?;
    match client.get(url).send().await {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) => {
            // The innermost cause is the shortest message.
            let mut cause: &dyn Error = &error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            Err(if error.is_timeout() { format!("nothing within {} s", PATIENCE.as_secs()) } else { cause.to_string() })
        }
    }
}
