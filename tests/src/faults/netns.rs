//! A network of its own: one namespace for each replica, joined by a bridge,
//! in which packets can be dropped. Replicas are cut off from each other, not
//! from the test: its clients go on seeing every side of a partition.
//!
//! ```text
//! test ── pmK ─┐ hub: br0 ┌─ eth0  space 0, 10.213.K.1
//!  10.213.K.254└──────────┼─ eth0  space 1, 10.213.K.2
//!                         └─ eth0  space 2, 10.213.K.3
//! ```
//!
//! A namespace lives as long as the process in it, which ends with our end of
//! its pipe: nothing is left however the test ends.

use super::tool;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

/// Networks at the same time on one machine.
const MOST: u8 = 250;
/// The test's own place in a network.
const OUTSIDE: u8 = 254;

/// What drops packets, and what leads connections elsewhere.
const TABLES: &str = "
table ip faults {
  counter dropped { }
  chain input { type filter hook input priority 0; policy accept; }
  chain output { type filter hook output priority 0; policy accept; }
}
table ip detours {
  chain output { type nat hook output priority -100; policy accept; }
}
";

/// One namespace.
struct Space(Child);

impl Space {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("not available here: unshare: {error}"));
        let ours = std::fs::read_link("/proc/self/ns/net").unwrap();
        let theirs = format!("/proc/{}/ns/net", child.id());
        crate::until("a network namespace of its own", || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("not available here: unshare --net ended with {status}; it needs root");
            }
            std::fs::read_link(&theirs).is_ok_and(|namespace| namespace != ours)
        });
        let space = Self(child);
        space.run("ip link set lo up");
        space
    }

    fn enter(&self) -> [String; 3] {
        ["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", self.0.id()), "--".to_owned()]
    }

    fn run(&self, words: &str) -> String {
        let [program, namespace, end] = self.enter();
        tool::run(Command::new(program).args([&namespace, &end]).args(words.split_whitespace()))
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A network.
pub struct Net {
    spaces: Vec<Space>,
    hub: Space,
    number: u8,
}

impl Net {
    /// A network of so many spaces.
    ///
    /// # Panics
    /// When this machine has no namespaces or no nftables, with the reason.
    #[must_use]
    pub fn new(spaces: usize) -> Self {
        let hub = Space::new();
        hub.run("ip link add br0 type bridge");
        hub.run("ip link set br0 up");
        let number = Self::join_outside(&hub);
        hub.run("ip link set uplink master br0");
        hub.run("ip link set uplink up");
        let mut net = Self { spaces: Vec::new(), hub, number };
        for i in 0..spaces {
            net.add(i);
        }
        net
    }

    /// Joins the test to the hub; the number that was still free.
    fn join_outside(hub: &Space) -> u8 {
        let pid = hub.0.id().to_string();
        for number in 0..MOST {
            let name = format!("pm{number}");
            // Only one can make the device of a name: that decides whose the number is.
            let args = ["link", "add", &name, "type", "veth", "peer", "name", "uplink", "netns", &pid];
            match tool::tried(Command::new("ip").args(args)) {
                Ok(_) => {
                    tool::run_words(&format!("ip addr add 10.213.{number}.{OUTSIDE}/24 dev {name}"));
                    tool::run_words(&format!("ip link set {name} up"));
                    return number;
                }
                Err(reason) if reason.contains("exists") => {}
                Err(reason) => panic!("{reason}"),
            }
        }
        panic!("not available here: {MOST} networks are in use");
    }

    fn add(&mut self, i: usize) {
        let space = Space::new();
        let pid = space.0.id();
        self.hub.run(&format!("ip link add port{i} type veth peer name eth0 netns {pid}"));
        self.hub.run(&format!("ip link set port{i} master br0"));
        self.hub.run(&format!("ip link set port{i} up"));
        space.run(&format!("ip addr add {}/24 dev eth0", self.host(i)));
        space.run("ip link set eth0 up");
        let [program, namespace, end] = space.enter();
        let mut nft = Command::new(program);
        let _ = tool::run(nft.args([&namespace, &end]).args(["nft", TABLES]));
        self.spaces.push(space);
    }

    /// The address of a space.
    #[must_use]
    pub fn host(&self, i: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, u8::try_from(i + 1).expect("few spaces"))
    }

    /// The test's own address in it.
    #[must_use]
    pub fn outside(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, OUTSIDE)
    }

    /// The words before a command line that make it run in a space, as the
    /// same process.
    #[must_use]
    pub fn enter(&self, i: usize) -> Vec<String> {
        self.spaces[i].enter().into()
    }

    /// What comes from these spaces is dropped in `i`, silently.
    pub fn drop_from(&self, i: usize, from: &[usize]) {
        for from in from.iter().filter(|from| **from != i) {
            self.drop_where(i, "input", &format!("ip saddr {}", self.host(*from)));
        }
    }

    /// What `i` sends to these spaces is dropped, silently.
    pub fn drop_to(&self, i: usize, to: &[usize]) {
        for to in to.iter().filter(|to| **to != i) {
            self.drop_where(i, "output", &format!("ip daddr {}", self.host(*to)));
        }
    }

    /// `i` hears no other space, and is heard: one way is cut.
    pub fn drop_in(&self, i: usize) {
        self.drop_from(i, &self.all());
    }

    /// `i` hears every other space, and is not heard: the other way is cut.
    pub fn drop_out(&self, i: usize) {
        self.drop_to(i, &self.all());
    }

    /// `i` alone, both ways.
    pub fn isolate(&self, i: usize) {
        let others: Vec<usize> = self.all().into_iter().filter(|other| *other != i).collect();
        self.split(&[i], &others);
    }

    /// Two sides that do not reach each other.
    pub fn split(&self, one: &[usize], other: &[usize]) {
        for (side, opposite) in [(one, other), (other, one)] {
            for i in side {
                self.drop_from(*i, opposite);
                self.drop_to(*i, opposite);
            }
        }
    }

    /// Each reaches its neighbours only, and the last one is no neighbour of
    /// the first: nobody but those in the middle sees everybody.
    pub fn ring(&self) {
        for i in self.all() {
            let strangers: Vec<usize> = self.all().into_iter().filter(|other| other.abs_diff(i) > 1).collect();
            self.drop_from(i, &strangers);
            self.drop_to(i, &strangers);
        }
    }

    /// This share of what other spaces send to `i` is lost.
    pub fn loss(&self, i: usize, percent: u8) {
        let from = format!("ip saddr 10.213.{0}.1-10.213.{0}.{1}", self.number, self.spaces.len());
        self.drop_where(i, "input", &format!("{from} numgen random mod 100 < {percent}"));
    }

    fn drop_where(&self, i: usize, chain: &str, what: &str) {
        self.spaces[i].run(&format!("nft add rule ip faults {chain} {what} counter name dropped drop"));
    }

    /// The cable is pulled, for the test's clients too: what is sent is
    /// refused at once instead of being lost.
    pub fn link_down(&self, i: usize) {
        self.spaces[i].run("ip link set eth0 down");
    }

    /// The cable is back.
    pub fn link_up(&self, i: usize) {
        self.spaces[i].run("ip link set eth0 up");
    }

    /// Leads what `i` dials at `to` to a port of the test instead, where a
    /// [`crate::Proxy`] waits. The one that dials does not notice.
    pub fn detour(&self, i: usize, to: usize, port: u16, instead: u16) {
        let (host, outside) = (self.host(to), self.outside());
        let rule = format!("ip daddr {host} tcp dport {port} dnat to {outside}:{instead}");
        self.spaces[i].run(&format!("nft add rule ip detours output {rule}"));
    }

    /// All is well again: cables, packets, ways.
    pub fn heal(&self) {
        for space in &self.spaces {
            for chain in ["faults input", "faults output", "detours output"] {
                space.run(&format!("nft flush chain ip {chain}"));
            }
            space.run("ip link set eth0 up");
        }
    }

    /// Packets that were dropped in `i` so far: the proof that the fault
    /// happened.
    #[must_use]
    pub fn dropped(&self, i: usize) -> u64 {
        let said = self.spaces[i].run("nft list counter ip faults dropped");
        let mut words = said.split_whitespace().skip_while(|word| *word != "packets").skip(1);
        words.next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no count in {said}"))
    }

    /// Dropped in all spaces.
    #[must_use]
    pub fn all_dropped(&self) -> u64 {
        self.all().into_iter().map(|i| self.dropped(i)).sum()
    }

    fn all(&self) -> Vec<usize> {
        (0..self.spaces.len()).collect()
    }
}

#[cfg(test)]
mod tests;
