//! What this package takes for granted about openraft 0.9.25, one test each:
//! another version has to be looked at where one of them fails.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod library;

use library::{Trio, at, pause};
use openraft::error::{ClientWriteError, RaftError};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest};
use openraft::{CommittedLeaderId, LeaderId, LogId, ServerState, Vote};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const LEASE: u64 = library::LEASE;

fn vote(term: u64, voted_for: Option<u64>, committed: bool) -> Vote<u64> {
    Vote { leader_id: LeaderId { term, voted_for }, committed }
}

fn log_id(term: u64, index: u64) -> LogId<u64> {
    LogId::new(CommittedLeaderId::new(term, 0), index)
}

#[tokio::test(start_paused = true)]
async fn without_timers_nobody_stands_by_himself_however_long_it_takes() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    trio.cut(leader, true);
    pause(60_000).await;
    for id in [1, 2, 3] {
        assert_eq!(trio.vote(id).await.leader_id.term, term, "replica {id} stood");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_told_to_stand_stands_at_once_in_the_next_term() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    trio.cut(leader, true);
    pause(LEASE + 1).await;
    let next = leader % 3 + 1;
    let began = Instant::now();
    trio.raft(next).trigger().elect().await.unwrap();
    trio.leads(next).await;
    assert!(began.elapsed() < Duration::from_millis(20));
    assert_eq!(trio.vote(next).await, vote(term + 1, Some(next), true));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_told_to_stand_does_nothing() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    trio.raft(leader).trigger().elect().await.unwrap();
    pause(1_000).await;
    assert_eq!(trio.leader().await, (leader, term));
}

#[tokio::test(start_paused = true)]
async fn a_voter_refuses_as_long_as_the_lease_of_the_last_append_runs_and_not_a_moment_longer() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    let (voter, candidate) = (leader % 3 + 1, (leader + 1) % 3 + 1);
    trio.write(leader, b"one").await;
    trio.write(leader, b"two").await;
    trio.cut(leader, true);
    let ask = VoteRequest::new(vote(term + 1, Some(candidate), false), Some(log_id(term, 100)));
    let refused = trio.raft(voter).vote(ask.clone()).await.unwrap();
    assert!(!refused.vote_granted && refused.vote == vote(term, Some(leader), true), "{refused:?}");
    pause(LEASE - 20).await;
    assert!(!trio.raft(voter).vote(ask.clone()).await.unwrap().vote_granted);
    pause(25).await;
    assert!(trio.raft(voter).vote(ask).await.unwrap().vote_granted);
}

#[tokio::test(start_paused = true)]
async fn a_leaders_own_vote_is_not_renewed_by_its_heartbeats() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    pause(LEASE + 1).await;
    trio.write(leader, b"a sign of life for everybody else").await;
    let ask = VoteRequest::new(vote(term + 1, Some(leader % 3 + 1), false), Some(log_id(term, 100)));
    assert!(trio.raft(leader).vote(ask).await.unwrap().vote_granted, "a hand-over needs it");
}

#[tokio::test(start_paused = true)]
async fn a_fresh_leader_refuses_an_heir_for_a_lease() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    let ask = VoteRequest::new(vote(term + 1, Some(leader % 3 + 1), false), Some(log_id(term, 100)));
    assert!(!trio.raft(leader).vote(ask).await.unwrap().vote_granted);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_vote_is_forgotten_after_the_least_election_timeout() {
    for (delay, wins) in [(LEASE - 10, true), (LEASE + 10, false)] {
        let trio = Trio::founded().await;
        let (leader, _) = trio.leader().await;
        trio.cut(leader, true);
        pause(LEASE + 1).await;
        let next = leader % 3 + 1;
        trio.delay_votes(delay);
        trio.raft(next).trigger().elect().await.unwrap();
        pause(1_000).await;
        assert_eq!(trio.state(next) == ServerState::Leader, wins, "answered after {delay} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn an_append_of_a_vote_for_nobody_that_fits_no_log_raises_the_promise_and_nothing_else() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    trio.write(leader, b"one").await;
    let voter = leader % 3 + 1;
    let before = trio.last(voter).await;
    let raise = AppendEntriesRequest {
        vote: vote(term + 1, None, false),
        prev_log_id: Some(log_id(term + 1, u64::MAX / 2)),
        entries: Vec::new(),
        leader_commit: None,
    };
    // In the middle of the lease, which a vote would run into.
    let answer = trio.raft(voter).append_entries(raise).await.unwrap();
    assert_eq!(answer, AppendEntriesResponse::Conflict);
    assert_eq!((trio.vote(voter).await, trio.last(voter).await), (vote(term + 1, None, false), before));
    let ask = VoteRequest::new(vote(term + 1, Some(voter % 3 + 1), false), Some(log_id(term, 100)));
    assert!(trio.raft(voter).vote(ask).await.unwrap().vote_granted);
}

#[tokio::test(start_paused = true)]
async fn an_append_that_ends_at_a_snapshots_last_entry_cuts_off_only_what_contradicts_it() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    for word in [b"one", b"two", b"six"] {
        trio.write(leader, word).await;
    }
    let follower = leader % 3 + 1;
    trio.cut(leader, true);
    let last = trio.last(follower).await.unwrap();
    let ends_at = |at| AppendEntriesRequest {
        vote: vote(term + 1, Some(follower % 3 + 1), true),
        prev_log_id: Some(at),
        entries: Vec::new(),
        leader_commit: None,
    };
    // It is there: nothing happens. It is beyond the end: nothing happens.
    let answer = trio.raft(follower).append_entries(ends_at(last)).await.unwrap();
    assert_eq!((answer, trio.last(follower).await), (AppendEntriesResponse::Success, Some(last)));
    let beyond = log_id(term, last.index + 7);
    let answer = trio.raft(follower).append_entries(ends_at(beyond)).await.unwrap();
    assert_eq!((answer, trio.last(follower).await), (AppendEntriesResponse::Conflict, Some(last)));
}

#[tokio::test(start_paused = true)]
async fn what_a_leader_wrote_and_lost_is_answered_as_if_it_had_been_refused() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    trio.cut(leader, true);
    let raft = trio.raft(leader).clone();
    let written = tokio::spawn(async move { raft.client_write(library::word(b"lost")).await });
    pause(LEASE + 1).await;
    let next = leader % 3 + 1;
    trio.raft(next).trigger().elect().await.unwrap();
    trio.leads(next).await;
    trio.write(next, b"in its place").await;
    trio.cut(leader, false);
    let lost = timeout(Duration::from_secs(5), written).await.unwrap().unwrap().unwrap_err();
    let refused = trio.raft(leader).client_write(library::word(b"refused")).await.unwrap_err();
    for error in [lost, refused] {
        assert!(matches!(error, RaftError::APIError(ClientWriteError::ForwardToLeader(_))), "{error:?}");
    }
    assert!(trio.vote(leader).await.leader_id.term > term);
}

#[tokio::test(start_paused = true)]
async fn a_committed_vote_of_its_own_makes_a_restarted_replica_lead_in_the_same_term() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    trio.write(leader, b"one").await;
    trio.restart(leader, |vote| vote).await;
    assert_eq!(trio.state(leader), ServerState::Leader, "if not, nothing has to be done against it any more");
    assert_eq!(trio.vote(leader).await, vote(term, Some(leader), true));
    // What is done against it.
    trio.restart(leader, |vote| Vote { committed: false, ..vote }).await;
    pause(1_000).await;
    assert_ne!(trio.state(leader), ServerState::Leader);
}

#[tokio::test(start_paused = true)]
async fn the_log_is_purged_before_the_snapshot_that_takes_its_place_is_installed() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    let follower = leader % 3 + 1;
    let snapshot = trio.snapshot_of(leader, log_id(term, 50));
    trio.hold_installation(follower);
    let raft = trio.raft(follower).clone();
    let vote = trio.vote(leader).await;
    let installed = tokio::spawn(async move { raft.install_full_snapshot(vote, snapshot).await });
    pause(100).await;
    assert!(!installed.is_finished());
    assert_eq!(at(trio.purged(follower)), 50, "if not, it need not be held back any more");
}

#[tokio::test(start_paused = true)]
async fn the_metrics_tell_the_vote_that_is_written_and_the_state_the_one_that_is_promised() {
    let trio = Trio::founded().await;
    let (leader, term) = trio.leader().await;
    let voter = leader % 3 + 1;
    pause(LEASE + 1).await;
    trio.cut(leader, true);
    pause(LEASE + 1).await;
    let metrics = trio.raft(voter).server_metrics();
    let ask = VoteRequest::new(vote(term + 1, Some(voter % 3 + 1), false), Some(log_id(term, 100)));
    trio.raft(voter).vote(ask).await.unwrap();
    assert_eq!(trio.vote(voter).await, vote(term + 1, Some(voter % 3 + 1), false));
    pause(1).await;
    assert_eq!(metrics.borrow().vote, vote(term + 1, Some(voter % 3 + 1), false));
    assert_eq!(metrics.borrow().current_leader, None);
}

#[tokio::test(start_paused = true)]
async fn a_leader_sends_heartbeats_at_one_and_a_half_of_the_interval_and_none_when_told_so() {
    let trio = Trio::founded().await;
    let (leader, _) = trio.leader().await;
    pause(500).await;
    let before = trio.appends();
    pause(1_500).await;
    let sent = trio.appends() - before;
    assert!((16..=24).contains(&sent), "{sent} in ten intervals to two followers");
    trio.raft(leader).runtime_config().heartbeat(false);
    pause(300).await;
    let before = trio.appends();
    pause(2_000).await;
    assert_eq!(trio.appends(), before);
}

#[tokio::test(start_paused = true)]
async fn an_append_that_is_not_answered_within_a_heartbeat_is_sent_again() {
    let trio = Trio::founded().await;
    let (leader, _) = trio.leader().await;
    pause(500).await;
    trio.delay_appends(100_000);
    let raft = trio.raft(leader).clone();
    tokio::spawn(async move { raft.client_write(library::word(b"slow")).await });
    let before = trio.appends();
    pause(1_000).await;
    let sent = trio.appends() - before;
    assert!((16..=24).contains(&sent), "{sent} to two followers in a second");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_voters_is_two_entries_and_the_second_one_is_the_callers_matter() {
    let trio = Trio::founded().await;
    let (leader, _) = trio.leader().await;
    let voters: BTreeSet<u64> = [leader, leader % 3 + 1].into();
    trio.delay_appends(5);
    let change = trio.raft(leader).change_membership(voters.clone(), false);
    // Dropped between its steps, as with a caller that gives up.
    let cut_short = timeout(Duration::from_millis(3), change).await;
    assert!(cut_short.is_err(), "it was too quick for this test");
    pause(2_000).await;
    let joint = |trio: &Trio| trio.members(leader).get_joint_config().len();
    assert_eq!(joint(&trio), 2, "if not, nobody has to go on with it");
    trio.raft(leader).change_membership(voters, false).await.unwrap();
    assert_eq!(joint(&trio), 1);
}
