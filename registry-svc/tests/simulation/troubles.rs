//! Faults that the rig does not have: of nodes, of their connections, of clocks.

use crate::replica::Replica;
use crate::rig::{Dice, Weather, World};
use crate::runners::host;
use crate::town::Wrong;
use std::time::Duration;
use tokio::time::sleep;

const SECOND: i64 = 1_000_000_000;

/// One after the other, until it is over.
pub(crate) async fn come(world: World<Replica>, dice: Dice) {
    while !world.oracle.is_over() {
        sleep(dice.millis(100, 1_200)).await;
        if !world.oracle.is_over() {
            strike(&world, &dice);
        }
    }
    for node in world.common.fleet.numbers() {
        world.common.fleet.node(node).set_replays(0);
        for id in world.ids() {
            world.net.cut(host(node), id, false);
            world.net.cut(id, host(node), false);
        }
        world.common.fleet.node(node).start(&world, false);
    }
}

fn strike(world: &World<Replica>, dice: &Dice) {
    let node = dice.one_of(&world.common.fleet.numbers());
    // Now and then for long enough that what it has is placed elsewhere.
    let lasts = if dice.permille(150) { dice.millis(4_000, 14_000) } else { dice.millis(50, 2_500) };
    match dice.between(0, 9) {
        0 | 1 => crash(world, node, lasts, false),
        2 => crash(world, node, lasts, true),
        3 | 4 => {
            // From all replicas, or from one; both ways, or one.
            let ids = if dice.permille(500) { world.ids() } else { vec![dice.one_of(&world.ids())] };
            let (there, back) = dice.one_of(&[(true, true), (true, false), (false, true)]);
            for id in ids {
                world.net.cut(host(node), id, there);
                world.net.cut(id, host(node), back);
                let net = world.net.clone();
                tokio::spawn(async move {
                    sleep(lasts).await;
                    net.cut(host(node), id, false);
                    net.cut(id, host(node), false);
                });
            }
            world.oracle.note(|| format!("node {node} is cut off for {lasts:?}"));
            world.oracle.count("runner cut off");
        }
        5 => {
            for id in world.ids() {
                let weather = Weather { least: 10_000, most: 300_000, lost: 100 };
                world.net.weather(host(node), id, weather);
                world.net.weather(id, host(node), weather);
            }
        }
        6 => world.common.fleet.node(node).set_replays(300),
        7 => {
            let id = dice.one_of(&world.ids());
            let nanos = dice.between(0, 2 * 86_400) as i64 * SECOND - 86_400 * SECOND;
            world.common.clocks.set(id, Wrong { nanos, millionths: 0 });
            world.oracle.count("clock jumps");
        }
        8 => {
            let id = dice.one_of(&world.ids());
            let millionths = dice.between(0, 100_000) as i64 - 50_000;
            world.common.clocks.set(id, Wrong { nanos: 0, millionths });
            world.oracle.count("clock drifts");
        }
        _ => {
            world.common.clocks.set(host(node), Wrong { nanos: -3_600 * SECOND, millionths: 0 });
        }
    }
}

fn crash(world: &World<Replica>, node: u64, lasts: Duration, reboots: bool) {
    let Some(ended) = world.common.fleet.node(node).crash(reboots) else { return };
    world.oracle.note(|| format!("the runner of node {node} crashes, reboots: {reboots}"));
    world.oracle.count(if reboots { "node rebooted" } else { "crash of a runner" });
    let world = world.clone();
    tokio::spawn(async move {
        sleep(lasts).await;
        let runner = world.common.fleet.node(node);
        if runner.is_down_since(ended) {
            runner.start(&world, reboots);
        }
    });
}
