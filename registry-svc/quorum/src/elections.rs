//! Who may stand for leader, and when: evidence enters, [`Do`] leaves. It takes
//! the place of the Raft library's election timer and gives it what it lacks:
//! pre-votes, a fast but careful fail-over, suspension, hand-over.
//!
//! ```text
//!              evidence against the leader            a majority suspects too,
//!  following ────────────────────────────▶ asking ──── and its leases are over ──▶ stood
//!      ▲                                     │ ▲                                      │
//!      └────────── the leader is heard ──────┘ └── the term is vacant for `retry` ────┤
//!      └──────────────────────────── another leads ◀──────────────────────────────────┤
//!  leading ◀───────────────────────────── elected ◀───────────────────────────────────┘
//!   │  ▲ no majority for `silence`, disk stalled or full ─▶ suspended ─ healed, or a higher term
//!   │  └───────────────────────────────────────────────────────┘ │
//!   └── hand-over asked ─▶ hold ─▶ the heir has everything ─▶ take over ─▶ following
//! ```
//!
//! The rules, and why:
//! 1. **No term rises without a majority that suspects** (of each half of a
//!    joint configuration). A leader deposes itself when it meets a higher
//!    term, and openraft's leader even votes for a challenger at once, as its
//!    own heartbeats do not refresh its own vote. So a replica that is cut off,
//!    deaf on one side, restarted or back from the dead asks, is told no, and
//!    has disturbed nobody. The one exception is a leader's own wish.
//! 2. A dead process is known in milliseconds (its host refuses the dial), a
//!    dead host in `unanswered`, anything else in `silence`.
//! 3. Only what was listened to counts as silence: a replica that slept through
//!    its own deadlines forgives the time that it slept.
//! 4. Of two equal candidates the greater id goes first for one round, so that
//!    a clean fail-over never splits the vote; later rounds are left to chance,
//!    so that a preferred candidate that cannot win holds nobody up.
//! 5. A replica whose disk stalls or is full neither stands nor grants: both
//!    need a write.
//! 6. A leader that nobody acknowledges falls silent, so that replicas which
//!    still hear it may suspect it. It keeps its term and asks around: if
//!    nobody took over, it goes on.
//!
//! | module | what |
//! |---|---|
//! | `machine` | [`Elections`]: the one entrance, and which part hears what |
//! | `view` | who leads, and what a change of it ends |
//! | `settle` | what follows from everything at a moment; when to look again |
//! | `suspicion` | what speaks against the leader |
//! | `bid` | our own candidacy |
//! | `petitions` | what the others asked of us |
//! | `leading` | suspension |
//! | `hand_over`, `take_over` | a planned change, at the leader and at the heir |

mod action;
mod ballot;
mod bid;
mod evidence;
mod hand_over;
mod leading;
mod machine;
mod mandate;
mod petitions;
mod saw;
mod settle;
mod standing;
mod suspicion;
mod take_over;
mod timing;
mod view;
mod why;

pub use action::Do;
pub use ballot::{Ballot, Opinion};
pub use evidence::Evidence;
pub use machine::Elections;
pub use mandate::Mandate;
pub use saw::Saw;
pub use standing::Standing;
pub use timing::Timing;
pub use why::{HandOverEnd, Why};
