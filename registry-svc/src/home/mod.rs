//! The directory of a replica: what it is, how it comes to be, and what is
//! refused. Nothing is changed by a refusal; each says what is wrong, in which
//! file, and the way back in.
//!
//! ```text
//! DIR/lock        held while a registry has the directory
//! DIR/founding    this directory's own number, and the plan of a cluster to be; called `founders` once founded
//! DIR/identity    the founding mark: cluster, epoch, replica, store, boot
//! DIR/turned-away there only when the cluster turned this directory away: why
//! DIR/set-aside/  what was here before that, after `pmctl cluster reset`
//! DIR/log/        Raft log, vote, purge position (registry-log)
//! DIR/state/      rows (sled); rebuilt from snapshot and log
//! DIR/snapshots/  snapshot files
//! ```
//!
//! | mark | log | else | [`Home::look`] and [`Home::open_log`] say |
//! |---|---|---|---|
//! | no | no, or never opened | nothing, or a plan | `Fresh`, `Planned`: a founding may begin, or begin anew |
//! | no | used | | refused: the mark is gone |
//! | no | no | state, snapshots, log of an earlier version | refused: the mark is gone |
//! | yes | no | | refused: the log is gone |
//! | damaged, or of a later version | | | refused |
//! | of format 1, from before the first release | | | refused |
//! | yes | another directory's | | refused: foreign |
//! | yes | damaged, cut short, incomplete | | refused |
//! | yes | opened less often than the mark knows | | refused: an older copy |
//! | yes | ends before what the state has applied | | refused: the log is behind |
//! | yes | any | turned away | refused, as the cluster said |
//! | yes | yes | | `Founded` |
//!
//! | module | what |
//! |---|---|
//! | [`Home`] | lock and look (`directory`), plan and found (`founding`), open (`opening`) |
//! | [`Identity`], [`Found`], [`HomeError`] | its words |
//! | [`health`], [`numbers`] | how the disk fares, for whoever leads and for metrics |
//! | `founding_file`, `sealed`, `files` | bytes on the disk |

mod directory;
mod error;
mod files;
mod found;
mod founding;
mod founding_file;
pub mod health;
mod identity;
pub mod numbers;
mod opening;
mod sealed;

pub use directory::Home;
pub use error::HomeError;
pub use found::Found;
pub use identity::Identity;
