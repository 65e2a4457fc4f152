//! Many seeds. Each runs in a process of its own: it repeats itself exactly
//! (see `entropy`), and a panic anywhere in it is its end.

use super::{Oracle, Subject, World};
use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// In a child: the seed that it runs.
const CHILD: &str = "PM_SIM_CHILD";
/// From so many seeds on, every kind of fault has to have happened.
const MANY: u64 = 100;

/// A set of seeds. The variables `PM_SIM_SEEDS`, `PM_SIM_FIRST` and
/// `PM_SIM_SEED` say how many, from which on, and which one alone.
pub(crate) struct Seeds {
    /// The package whose test it is.
    pub(crate) package: &'static str,
    /// So many when nothing is said.
    pub(crate) count: u64,
    /// What a set of seeds has to have seen; a set that has not proves nothing.
    pub(crate) kinds: &'static [&'static str],
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs a future in virtual time.
pub(crate) fn virtually<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

/// In a child process: one seed, and what it came to.
fn child<S: Subject>(seed: u64) {
    virtually(async {
        let oracle = Oracle::new();
        let told = oracle.clone();
        // A task that panics would be a replica that is silent.
        std::panic::set_hook(Box::new(move |panic| {
            let said = panic.to_string();
            let story = if said.contains("VIOLATED") { String::new() } else { told.story() };
            eprintln!("{story}\nPANIC: {said}\n{}", std::backtrace::Backtrace::capture());
            std::process::exit(101);
        }));
        World::<S>::storm(seed, oracle.clone()).await;
        if number("PM_SIM_SEED").is_some() {
            println!("{}", oracle.story());
        }
        // The test's name stands in the line.
        println!();
        for (kind, count) in oracle.counts() {
            println!("count {count} {kind}");
        }
        println!("digest {:016x}", oracle.digest());
    });
}

fn run(seed: u64, test: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, seed.to_string());
    command.output().unwrap()
}

fn line<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(begin)).collect()
}

impl Seeds {
    fn story(&self, seed: u64, output: &Output) -> String {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let package = self.package;
        format!(
            "{out}\n{err}\nto see it again: PM_SIM_SEED={seed} cargo test -p {package} --test simulation seeds -- --nocapture"
        )
    }

    /// Each seed keeps the promises; `me` is the test that calls this.
    pub(crate) fn keep_the_promises<S: Subject>(&self, me: &str) {
        if let Some(seed) = number(CHILD) {
            return child::<S>(seed);
        }
        if let Some(seed) = number("PM_SIM_SEED") {
            let output = run(seed, me);
            println!("{}", self.story(seed, &output));
            assert!(output.status.success(), "seed {seed} fails");
            return;
        }
        let (first, seeds) = (number("PM_SIM_FIRST").unwrap_or(0), number("PM_SIM_SEEDS").unwrap_or(self.count));
        let next = AtomicU64::new(first);
        let failed: Mutex<BTreeMap<u64, String>> = Mutex::default();
        let counts: Mutex<BTreeMap<String, u64>> = Mutex::default();
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= first + seeds || !failed.lock().unwrap().is_empty() {
                            return;
                        }
                        let output = run(seed, me);
                        let text = String::from_utf8_lossy(&output.stdout).into_owned();
                        if !output.status.success() || line(&text, "digest ").is_empty() {
                            failed.lock().unwrap().insert(seed, self.story(seed, &output));
                        }
                        for counted in line(&text, "count ") {
                            let (count, kind) = counted.split_once(' ').unwrap();
                            *counts.lock().unwrap().entry(kind.to_owned()).or_default() +=
                                count.parse::<u64>().unwrap();
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap();
        if let Some((seed, story)) = failed.first_key_value() {
            panic!("seed {seed} fails\n{story}");
        }
        let counts = counts.into_inner().unwrap();
        println!("{seeds} seeds: {counts:#?}");
        let unseen: Vec<_> = self.kinds.iter().filter(|kind| !counts.contains_key(**kind)).collect();
        assert!(seeds < MANY || unseen.is_empty(), "nothing is proved: it never happened that {unseen:?}");
    }

    /// These seeds go the same way twice, message by message.
    pub(crate) fn repeat_themselves<S: Subject>(&self, me: &str, seeds: &[u64]) {
        if let Some(seed) = number(CHILD) {
            return child::<S>(seed);
        }
        for seed in seeds {
            let digest = || {
                let output = run(*seed, me);
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let digest = line(&text, "digest ").first().map(|digest| (*digest).to_owned());
                digest.unwrap_or_else(|| panic!("{}", self.story(*seed, &output)))
            };
            assert_eq!(digest(), digest(), "seed {seed} went two ways");
        }
    }
}
