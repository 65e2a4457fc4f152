//! A request to a keeper, as tests make them.

use runner_keeper::protocol::SpawnRequest;
use std::path::Path;

/// What a keeper is asked for a program; both outputs go to `out.log` in `dir`.
pub(crate) fn spawn_request(dir: &Path, run: u64, argv: &[&str]) -> SpawnRequest {
    let out = dir.join("out.log").to_string_lossy().into_owned();
    SpawnRequest {
        run,
        instance: format!("web-{run}"),
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        env: vec![("PATH".to_owned(), std::env::var("PATH").unwrap())],
        working_dir: dir.to_string_lossy().into_owned(),
        stdout: out.clone(),
        stderr: out,
        ..SpawnRequest::default()
    }
}
