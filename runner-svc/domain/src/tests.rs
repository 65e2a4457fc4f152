//! The machine against a small model of the world: a keeper that spawns, reaps
//! and signals as told, in any order and at any time.

mod lives;
mod world;
