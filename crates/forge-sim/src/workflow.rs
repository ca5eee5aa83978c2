//! Workflows of a simulated repository.

/// A workflow, and the behaviour of its runs.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Its path in the repository.
    pub path: String,
    /// Its trigger: `deployment` or `workflow_dispatch`.
    pub on: String,
    /// The job's `environment:`, for which GitHub creates a deployment.
    pub environment: Option<String>,
    /// Whether that environment has the App's deployment protection rule.
    pub protected: bool,
    /// Conclusion of its runs; `None` if they hang.
    pub conclusion: Option<String>,
    /// Whether a dispatch never creates a run.
    pub dead: bool,
    /// Whether its branch moves at the moment of the dispatch.
    pub moves: bool,
}

impl Worker {
    /// Returns a workflow at `path` that `on` triggers and that succeeds.
    pub fn new(path: &str, on: &str) -> Self {
        Self {
            path: path.to_owned(),
            on: on.to_owned(),
            environment: None,
            protected: false,
            conclusion: Some("success".to_owned()),
            dead: false,
            moves: false,
        }
    }
}
