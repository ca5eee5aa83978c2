//! Checks that the phases named for delivery metrics exist, and that they are in order.

use crate::policy::{
    Merged, Problem, Rank,
    file::text::Name,
    problem::{nearest, quote},
    validate::path,
};

/// Adds a problem for each phase that the repository's own file names and no layer lists, and one
/// if the cycle time would end before it starts.
pub(super) fn check(merged: &Merged, problems: &mut Vec<Problem>) {
    let phases: Vec<&str> = merged.file.phases.iter().flatten().map(|phase| phase.name.as_str()).collect();
    let place = |name: &Name| phases.iter().position(|phase| phase.eq_ignore_ascii_case(name.as_str()));
    for layer in merged.layers().iter().filter(|layer| layer.rank == Rank::Repository) {
        let Some(insight) = &layer.parsed.file.insight else { continue };
        let named = [("start", &insight.start), ("finish", &insight.finish)];
        let named =
            named.into_iter().filter_map(|(key, name)| Some((path(["insight".into(), key.into()]), name.as_ref()?)));
        let active = insight.active.iter().flatten().enumerate();
        let active = active.map(|(index, name)| (path(["insight".into(), "active".into(), index.into()]), name));
        for (here, name) in named.chain(active).filter(|(_, name)| place(name).is_none()) {
            let meant = nearest(name.as_str(), phases.iter().copied());
            let message = format!("{} is not one of the phases", quote(name.as_str()));
            problems.push(layer.parsed.problem(&here, message).meant(meant));
        }
        if let (Some(start), Some(finish)) = (&insight.start, &insight.finish)
            && let (Some(first), Some(last)) = (place(start), place(finish))
            && last <= first
        {
            let message = format!("{} does not come after {}", quote(finish.as_str()), quote(start.as_str()));
            problems.push(layer.parsed.problem(&path(["insight".into(), "finish".into()]), message));
        }
    }
}
