//! Backups of a real registry: saved while it is written to, read back bit by
//! bit, restored into another one.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod place;
mod town;

use pm_proto::error::reason;
use pm_proto::v1;
use pm_proto::v1::backup_service_client::BackupServiceClient;
use registry_svc::backup::{BackupError, Reader, Whole};
use service_host::client::ServiceChannel;
use std::time::Duration;
use tonic::{Code, Status};
use town::*;

fn backups(town: &Town) -> BackupServiceClient<ServiceChannel> {
    BackupServiceClient::new(town.channel.clone())
}

async fn save(town: &Town) -> Vec<u8> {
    let mut pieces = backups(town).save_backup(v1::SaveBackupRequest {}).await.unwrap().into_inner();
    let (mut bytes, mut whole) = (Vec::new(), Whole::default());
    while let Some(piece) = pieces.message().await.unwrap() {
        whole.pass(&piece.data);
        bytes.extend(piece.data);
    }
    assert!(whole.is_whole());
    bytes
}

async fn restore(town: &Town, file: &[u8], force: bool) -> Result<v1::RestoreBackupResponse, Status> {
    let mut pieces: Vec<_> = file
        .chunks(10_000)
        .map(|data| v1::RestoreBackupRequest { data: data.to_vec().into(), ..Default::default() })
        .collect();
    if let Some(first) = pieces.first_mut() {
        (first.force, first.reason) = (force, "lost".into());
    }
    backups(town).restore_backup(tokio_stream::iter(pieces)).await.map(tonic::Response::into_inner)
}

async fn status(town: &Town) -> v1::GetRestoreStatusResponse {
    backups(town).get_restore_status(v1::GetRestoreStatusRequest {}).await.unwrap().into_inner()
}

async fn confirm(town: &Town, unknown: v1::UnknownInstances) -> Result<(), Status> {
    let request = v1::ConfirmRestoreRequest { unknown: unknown.into(), ..Default::default() };
    backups(town).confirm_restore(request).await.map(drop)
}

fn manifest(file: &[u8]) -> registry_svc::backup::Manifest {
    Reader::open(file).and_then(Reader::verify).unwrap()
}

/// A registry with a history, and its backup.
async fn in_use() -> (Town, Vec<u8>) {
    let town = Town::open().await;
    let mut runner = town.runner("alpha").await;
    town.apply(vec![spec("web", 2), spec("db", 1)]).await;
    let assigned = runner.assignments().await;
    assert!(assigned.full);
    runner.report(1, vec![seen("web-1", 1, "instance.started", v1::InstancePhase::Running)], vec![]).await;
    let file = save(&town).await;
    (town, file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_under_load_is_one_revision_and_what_was_acknowledged_before_is_in_it() {
    let (town, _) = in_use().await;
    let before = town.apply(vec![spec("before", 1)]).await.revision;
    let (wrote, mut written) = tokio::sync::watch::channel(0);
    let channel = town.channel.clone();
    let writing = tokio::spawn(async move {
        let mut client = v1::process_service_client::ProcessServiceClient::new(channel);
        for n in 0.. {
            let specs = vec![spec(&format!("p{}", n % 50), n % 3)];
            client.apply_processes(v1::ApplyProcessesRequest { specs, ..Default::default() }).await.unwrap();
            if wrote.send(n).is_err() {
                return;
            }
        }
    });
    let mut files = Vec::new();
    for _ in 0..5 {
        let before = *written.borrow();
        written.wait_for(|now| *now > before).await.unwrap();
        files.push(save(&town).await);
    }
    drop(written);
    writing.await.unwrap();
    let revisions: Vec<u64> = files.iter().map(|file| manifest(file).revision).collect();
    assert!(revisions[0] >= before && revisions.windows(2).all(|pair| pair[0] <= pair[1]), "{revisions:?}");
    assert!(revisions[0] < revisions[4], "invalid: nothing was written meanwhile");
    let target = Town::open().await;
    let said = restore(&target, &files[2], false).await.unwrap();
    assert_eq!(said.digest, manifest(&files[2]).digest_hex());
    assert_eq!(said.backup_revision, revisions[2]);
    drop((town.close().await, target.close().await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flipped_bit_and_every_missing_byte_of_a_backup_is_noticed_and_named() {
    let (town, file) = in_use().await;
    let sound = manifest(&file);
    assert_eq!((sound.counts.processes, sound.counts.instances, sound.counts.nodes), (2, 3, 1));
    for bit in (0..file.len() * 8).step_by(7) {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match Reader::open(&damaged[..]).and_then(Reader::verify) {
            Err(BackupError::Damaged { offset, .. }) => assert!(offset <= (bit / 8) as u64 || bit / 8 < 40, "{bit}"),
            Err(BackupError::NotABackup | BackupError::Format(_)) => assert!(bit / 8 < 12, "{bit}"),
            other => panic!("bit {bit}: {other:?}"),
        }
    }
    for len in 0..file.len() {
        assert!(Reader::open(&file[..len]).and_then(Reader::verify).is_err(), "cut to {len}");
        let mut whole = Whole::default();
        whole.pass(&file[..len]);
        assert!(!whole.is_whole(), "cut to {len}");
    }
    let longer = [&file[..], b"x"].concat();
    assert!(Reader::open(&longer[..]).and_then(Reader::verify).is_err());
    // The registry believes nothing of it either, and is as it was.
    let target = Town::open().await;
    let mut damaged = file.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let refused = restore(&target, &damaged, false).await.unwrap_err();
    assert_eq!(fault(&refused), (Code::InvalidArgument, reason::BACKUP_UNUSABLE.to_owned()));
    let refused = restore(&target, b"no backup", false).await.unwrap_err();
    assert_eq!(fault(&refused), (Code::InvalidArgument, reason::BACKUP_UNUSABLE.to_owned()));
    target.apply(vec![spec("still", 0)]).await;
    let left: Vec<_> = std::fs::read_dir(target.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("restoring")), "{left:?}");
    drop((town.close().await, target.close().await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_restored_survives_a_restart_and_nodes_are_told_nothing_until_it_is_confirmed() {
    let (town, file) = in_use().await;
    let dir = town.close().await;
    let target = Town::open().await;
    let own = target.cluster().get_cluster_status(v1::GetClusterStatusRequest {}).await.unwrap().into_inner();
    let watcher = target.watch(0).await;
    let said = restore(&target, &file, false).await.unwrap();
    assert_ne!(said.cluster_id, own.cluster_id);
    assert!(said.epoch >= 1 && said.revision > said.backup_revision + 1_000_000, "{said:?}");
    let mut watcher = watcher;
    let cut = watcher.0.message().await;
    assert!(
        matches!(&cut, Ok(Some(frame)) if frame.frame.as_ref().is_some_and(|f| matches!(f, v1::watch_events_response::Frame::Progress(_)))),
        "{cut:?}"
    );
    let cut = watcher.0.message().await.unwrap_err();
    assert_eq!(fault(&cut).1, reason::WATCHER_TOO_SLOW, "it goes on over the gap");
    let metrics = target.registry.metrics().encode();
    assert!(metrics.contains("pm_registry_watchers_cut_total 1"), "{metrics}");
    let too_old = v1::WatchEventsRequest { from_revision: said.backup_revision + 1, ..Default::default() };
    let compacted = target.events().watch_events(too_old).await.unwrap_err();
    assert_eq!(fault(&compacted).1, reason::REVISION_COMPACTED);
    let refused = target.processes();
    let mut refused = refused;
    let request = v1::ApplyProcessesRequest { specs: vec![spec("web", 5)], ..Default::default() };
    let observing = refused.apply_processes(request).await.unwrap_err();
    assert_eq!(fault(&observing), (Code::FailedPrecondition, reason::OBSERVE_MODE.to_owned()));
    assert_eq!(fault(&restore(&target, &file, false).await.unwrap_err()).1, reason::CLUSTER_NOT_EMPTY);

    // Another process, another start: from the disk.
    let target = Town::open_in(target.close().await, |options| options).await;
    assert!(status(&target).await.observing);
    let mut runner = target.runner("alpha").await;
    assert!(runner.welcome.observe && runner.welcome.epoch == said.epoch);
    assert_eq!(runner.welcome.cluster_id, said.cluster_id);
    let entry = |id: &str, generation, wanted| v1::InstanceInventory {
        instance_id: id.into(),
        generation,
        phase: v1::InstancePhase::Running.into(),
        pid: 4242,
        wanted,
        ..Default::default()
    };
    let inventory = vec![entry("web-1", 1, true), entry("stray-1", 1, true)];
    let report = v1::Report { inventory, inventory_begins: true, inventory_complete: true, ..v1::Report::default() };
    let message = Some(v1::run_session_request::Message::Report(report));
    runner.send.send(v1::RunSessionRequest { message }).await.unwrap();
    // A heartbeat's answer comes after everything that the registry had to say, which is nothing.
    let beat = v1::run_session_request::Message::Heartbeat(v1::Heartbeat { seq: 1 });
    runner.send.send(v1::RunSessionRequest { message: Some(beat) }).await.unwrap();
    let first = runner.next().await.unwrap();
    assert!(matches!(first, v1::run_session_response::Message::HeartbeatAck(_)), "{first:?}");
    // One of an earlier version says nothing.
    let mut older = target.runner("beta").await;
    let found = loop {
        let found = status(&target).await;
        if found.nodes.iter().any(|node| node.reported) {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(found.nodes.iter().any(|node| node.name == "beta" && node.ready && !node.reported), "{found:?}");
    let findings: Vec<_> =
        found.instances.iter().map(|one| (one.instance_id.as_str(), one.finding(), one.pid)).collect();
    assert_eq!(
        findings,
        [
            ("db-1", v1::RestoreFinding::Missing, 0),
            ("stray-1", v1::RestoreFinding::Unknown, 4242),
            ("web-1", v1::RestoreFinding::Adopted, 4242),
            ("web-2", v1::RestoreFinding::Missing, 0),
        ]
    );
    let unsaid = confirm(&target, v1::UnknownInstances::Unspecified).await.unwrap_err();
    assert_eq!(fault(&unsaid), (Code::FailedPrecondition, reason::UNKNOWN_INSTANCES.to_owned()));
    confirm(&target, v1::UnknownInstances::Keep).await.unwrap();
    let update = runner.assignments().await;
    assert_eq!((update.full, update.set.len()), (false, 3), "a full set would end stray-1");
    let update = older.assignments().await;
    assert_eq!((update.full, update.set.len()), (false, 0), "a full set would end everything that it has");
    confirm(&target, v1::UnknownInstances::Stop).await.unwrap();
    let update = runner.assignments().await;
    assert_eq!((update.full, update.set.len()), (true, 3));
    drop((target.close().await, dir));
}
