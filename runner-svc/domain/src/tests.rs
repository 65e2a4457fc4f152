//! The machine in a world that checks what must hold in every life.

mod adoption;
mod edits;
mod health;
mod hooks;
mod lives;
mod notices;
mod properties;
mod restarts;
mod schedules;
mod stops;
mod world;
