//! The verbs, one file each: its arguments, its help, and what it does.

pub mod actions;
pub mod apply;
pub mod apply_row;
pub mod audit;
pub mod completion;
pub mod delete;
pub mod down;
pub mod events;
pub mod instance_row;
pub mod list;
pub mod logs;
pub mod nodes;
pub mod order;
pub mod register;
pub mod restart;
pub mod schema;
pub mod start;
pub mod status;
pub mod stop;
pub mod up;
pub mod validate;
pub mod version;
pub mod watch;
