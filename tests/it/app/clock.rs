//! The machine's clock is set forward and back during work.

use jiff::SignedDuration;
use phasebot::port::{
    clock::Clock,
    forge::{Applied, ForgeError},
    store::{EffectState, Store},
};

use super::{World, issue};

/// Deviations of the clock.
const WRONG: [SignedDuration; 3] =
    [SignedDuration::from_mins(20), SignedDuration::from_hours(5), SignedDuration::from_hours(30)];

async fn states(world: &World) -> Vec<EffectState> {
    world.store.effects(false, 1000).await.unwrap().into_iter().map(|effect| effect.state).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_ahead_holds_nothing_up() {
    for wrong in WRONG {
        let world = World::new();
        let right = world.clock.now();
        world.clock.jump(right + wrong);
        // More work than fits at once, some of it refused: it waits by the wrong clock.
        world.forge.apply_with(|_, _, nth| {
            if nth < 6 { Err(ForgeError::Transient("502".to_owned())) } else { Ok(Applied::default()) }
        });
        for n in 1..=30 {
            world.take_in(&issue(&format!("ahead-{n}"), 1, n)).await;
        }
        world.bot.idle().await;
        world.clock.jump(right);
        for n in 31..=40 {
            world.take_in(&issue(&format!("right-{n}"), 1, n)).await;
        }
        // At most the longest accepted wait, although the clock was further off.
        world.run(SignedDuration::from_hours(3)).await;
        assert_eq!(states(&world).await, [EffectState::Done; 40], "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_ahead_gives_nothing_up() {
    let world = World::new();
    let right = world.clock.now();
    world.forge.apply_with(|_, _, _| Err(ForgeError::Transient("502".to_owned())));
    for n in 1..=3 {
        world.take_in(&issue(&format!("before-{n}"), 1, n)).await;
    }
    world.bot.idle().await;
    world.clock.jump(right + SignedDuration::from_hours(48));
    world.run(SignedDuration::from_mins(1)).await;
    world.forge.apply_with(|_, _, _| Ok(Applied::default()));
    world.clock.jump(right);
    world.run(SignedDuration::from_hours(3)).await;
    assert_eq!(states(&world).await, [EffectState::Done; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn back_and_forth_each_label_is_set_once() {
    let world = World::new();
    let right = world.clock.now();
    for n in 1..=24_u64 {
        let off = SignedDuration::from_mins(i64::try_from(n * 7919 % 200).unwrap() - 100);
        world.clock.jump(right + off);
        world.take_in(&issue(&format!("d-{n}"), 1, n)).await;
        if n % 3 == 0 {
            world.bot.idle().await;
        }
    }
    world.clock.jump(right);
    world.run(SignedDuration::from_hours(3)).await;
    assert_eq!(states(&world).await, [EffectState::Done; 24]);
    assert_eq!(world.forge.sent().len(), 24);
}
