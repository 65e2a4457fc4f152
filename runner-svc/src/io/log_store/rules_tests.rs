use super::*;

fn file(output: &str, state: State, bytes: u64) -> Kept {
    let process = output.split('-').next().unwrap().to_owned();
    Kept { process, output: output.into(), state, bytes, made: 0, retention: None, quota: None }
}

#[test]
fn the_oldest_rotated_files_of_a_process_go_until_the_rest_fits() {
    let mut files = vec![
        file("web-1.out", State::Rotated(30), 10),
        file("web-2.out", State::Rotated(10), 10),
        file("web-1.out", State::Active, 100),
        file("web-1.err", State::Rotated(20), 10),
        file("db-1.out", State::Rotated(1), 1000),
    ];
    files[2].quota = Some(115);
    files[2].made = 9;
    assert_eq!(judge(&files, None, 99).gone, [1, 3]);
    files[2].quota = Some(1);
    assert_eq!(judge(&files, None, 99).gone, [1, 3, 0], "the active file is never one of them");
}

#[test]
fn a_node_s_quota_takes_from_everybody_the_oldest_first_and_counts_what_went_already() {
    let mut files = vec![
        file("web-1.out", State::Rotated(30), 10),
        file("db-1.out", State::Rotated(20), 10),
        file("db-1.out", State::Rotated(10), 10),
        file("db-1.out", State::Active, 10),
    ];
    assert_eq!(judge(&files, Some(25), 99).gone, [2, 1]);
    files[1].quota = Some(20);
    files[2].quota = Some(20);
    files[3].quota = Some(20);
    assert_eq!(judge(&files, Some(30), 99).gone, [2], "one gone for its process's quota is one less for the node's");
}

#[test]
fn retention_is_by_the_newest_rule_and_outlives_the_instance() {
    let second = 1_000_000_000;
    let mut files = vec![
        file("web-1.out", State::Rotated(10 * second), 1),
        file("web-1.out", State::Rotated(15 * second), 1),
        file("web-1.out", State::Closed(17 * second), 1),
        file("web-1.err", State::Active, 1),
    ];
    files[0].retention = Some(Duration::from_secs(1000));
    files[2].retention = Some(Duration::from_secs(5));
    files[2].made = 1;
    files[3].retention = Some(Duration::from_secs(1));
    let verdict = judge(&files, None, 20 * second);
    assert_eq!(verdict.gone, [0, 1]);
    assert_eq!(verdict.next, Some(22 * second));
    assert_eq!(judge(&files, None, 22 * second).gone, [0, 1, 2]);
}

#[test]
fn when_no_rotated_file_is_left_those_of_ended_instances_go_and_never_one_that_is_written_to() {
    let files = vec![
        file("job-1.out", State::Closed(5), 10),
        file("old-1.out", State::Closed(1), 10),
        file("web-1.out", State::Active, 10),
        file("web-1.out", State::Rotated(9), 10),
    ];
    assert_eq!(judge(&files, Some(30), 99).gone, [3], "what was rotated goes first, however new");
    assert_eq!(judge(&files, Some(20), 99).gone, [3, 1]);
    assert_eq!(judge(&files, Some(0), 99).gone, [3, 1, 0]);
}
