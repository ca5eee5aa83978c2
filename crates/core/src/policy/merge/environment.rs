//! Merges what two files say of one environment.

use std::collections::BTreeMap;

use crate::{
    domain::rule::name_key,
    policy::{
        file::{environment::EnvironmentFile, text::Name},
        merge::{Block, over, require, spelled},
    },
};

/// Puts a layer's environment over those of the layers above it.
pub(super) fn over_above(
    environments: &mut Option<BTreeMap<Name, EnvironmentFile>>,
    blocks: &mut BTreeMap<String, Vec<Block>>,
    name: Name,
    below: EnvironmentFile,
) {
    let blocks = blocks.entry(name_key(name.as_str())).or_default();
    let above = spelled(environments, name);
    let EnvironmentFile {
        production,
        after,
        deploy,
        auto,
        unmerged,
        pin,
        when_busy,
        database,
        require: required,
        rollback,
        overridable,
        per,
        name: instance_name,
        label,
        teardown,
        ttl,
        max,
    } = below;
    over(&mut above.per, per);
    over(&mut above.name, instance_name);
    over(&mut above.label, label);
    over(&mut above.teardown, teardown);
    over(&mut above.ttl, ttl);
    over(&mut above.max, max);
    above.require = require(blocks, required, overridable.unwrap_or(false));
    over(&mut above.production, production);
    over(&mut above.after, after);
    over(&mut above.deploy, deploy);
    over(&mut above.auto, auto);
    over(&mut above.unmerged, unmerged);
    over(&mut above.pin, pin);
    over(&mut above.when_busy, when_busy);
    over(&mut above.database, database);
    over(&mut above.rollback, rollback);
    over(&mut above.overridable, overridable);
}
