//! The members of a cluster as this process knows them: addresses, connections, and who is asked first.

use std::sync::Arc;
use std::time::Instant;

use super::line::{Dialling, Line, dial};
use super::preference::Preference;
use crate::identity::Secured;
use crate::transport::endpoints::{Endpoints, MAX_ENDPOINTS, address, is_tls};

/// All members.
#[derive(Debug, Default)]
pub(super) struct Book {
    members: Vec<Member>,
    preference: Preference,
    /// Whether anybody was ever connected.
    reached: bool,
    /// Who was asked last.
    last: Option<Arc<str>>,
    /// How connections are encrypted, if they are.
    secured: Option<Secured>,
}

#[derive(Debug)]
struct Member {
    address: Arc<str>,
    /// From the command line, and so never forgotten.
    given: bool,
    dialling: Option<Dialling>,
}

impl Member {
    /// The connection, if there is one and it was not lost.
    fn line(&self) -> Option<&Line> {
        self.dialling.as_ref()?.peek()?.as_ref().ok().filter(|line| line.is_open())
    }

    /// There was a connection, and it was lost.
    fn is_lost(&self) -> bool {
        let made = self.dialling.as_ref().and_then(Dialling::peek);
        made.is_some_and(|made| made.as_ref().is_ok_and(|line| !line.is_open()))
    }
}

impl Book {
    pub(super) fn new(endpoints: &Endpoints, secured: Option<Secured>) -> Self {
        let mut book = Self { secured, ..Self::default() };
        endpoints.addresses().iter().for_each(|address| book.add(address, true));
        book
    }

    fn add(&mut self, address: &str, given: bool) {
        self.members.push(Member { address: address.into(), given, dialling: None });
        self.preference.add();
    }

    fn find(&self, address: &str) -> Option<usize> {
        self.members.iter().position(|member| *member.address == *address)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    /// Whether anybody was ever connected.
    pub(super) fn was_reached(&self) -> bool {
        self.reached
    }

    /// The connection of the one who is asked first, if it is there: the way of nearly every call.
    pub(super) fn first(&mut self, now: Instant) -> Option<(Arc<str>, Line)> {
        let member = self.members.get(self.preference.first(now)?)?;
        let found = (member.address.clone(), member.line()?.clone());
        self.last = Some(found.0.clone());
        Some(found)
    }

    /// Everybody, in the order in which they are to be asked. Whoever lost its connection meanwhile is asked last.
    pub(super) fn order(&mut self, now: Instant) -> Vec<Arc<str>> {
        for (at, member) in self.members.iter_mut().enumerate() {
            if member.is_lost() {
                member.dialling = None;
                self.preference.rest(at, now);
            }
        }
        let order = self.preference.order(now);
        order.into_iter().filter_map(|at| self.members.get(at)).map(|member| member.address.clone()).collect()
    }

    /// The connection to a member, there already, being made, or begun now. `None`: it is no member any more.
    pub(super) fn dial(&mut self, address: &str) -> Option<Dialling> {
        let at = self.find(address)?;
        let member = self.members.get_mut(at)?;
        // What failed or was lost is tried anew; what is not done yet is waited for.
        let usable = member.dialling.clone().filter(|made| made.peek().is_none() || member.line().is_some());
        Some(usable.unwrap_or_else(|| member.dialling.insert(dial(&member.address, self.secured.as_ref())).clone()))
    }

    /// A connection was made: the call goes there.
    pub(super) fn connected(&mut self, address: &Arc<str>) {
        (self.reached, self.last) = (true, Some(address.clone()));
    }

    /// It answered.
    pub(super) fn good(&mut self, address: &str) {
        if let Some(at) = self.find(address) {
            self.preference.good(at);
        }
    }

    /// It could not be connected, or says nothing.
    pub(super) fn rest(&mut self, address: &str, now: Instant) {
        if let Some(at) = self.find(address) {
            self.preference.rest(at, now);
        }
    }

    /// Its connection broke. Another one may have been made since.
    pub(super) fn broke(&mut self, address: &str, line: &Line, now: Instant) {
        let Some(at) = self.find(address) else { return };
        let Some(member) = self.members.get_mut(at) else { return };
        let made = member.dialling.as_ref().and_then(Dialling::peek);
        if made.is_some_and(|made| made.as_ref().is_ok_and(|now| now.is(line))) {
            member.dialling = None;
            self.preference.rest(at, now);
        }
    }

    /// Others say that it leads; whoever is not a member is not asked. Returns whether it is asked first now.
    pub(super) fn prefer(&mut self, said: &str, now: Instant) -> bool {
        let scheme = if self.secured.is_some() { "https" } else { "http" };
        let known = address(said).or_else(|_| address(&format!("{scheme}://{said}")));
        let at = known.ok().and_then(|address| self.find(&address));
        at.is_some_and(|at| self.preference.prefer(at, now))
    }

    /// Who was asked last is asked last for a while.
    pub(super) fn pass_over(&mut self, now: Instant) {
        if let Some(last) = self.last.clone() {
            self.rest(&last, now);
        }
    }

    /// The members are those that were given and these. Returns what is no address, or one of the other kind.
    pub(super) fn learn(&mut self, addresses: &[String]) -> Vec<String> {
        let (mut known, mut refused) = (Vec::new(), Vec::new());
        for said in addresses {
            match address(said) {
                Ok(address) if is_tls(&address) == self.secured.is_some() => known.push(address),
                Ok(_) | Err(_) => refused.push(said.clone()),
            }
        }
        for at in (0..self.members.len()).rev() {
            if self.members.get(at).is_some_and(|m| !m.given && !known.iter().any(|k| *k == *m.address)) {
                self.members.remove(at);
                self.preference.remove(at);
            }
        }
        for address in known {
            if self.find(&address).is_none() && self.members.len() < MAX_ENDPOINTS {
                self.add(&address, false);
            }
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(book: &mut Book) -> Vec<String> {
        book.order(Instant::now()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn learned_addresses_come_and_go_and_given_ones_stay() {
        let mut book = Book::new(&"http://a:1,http://b:1".parse().unwrap(), None);
        let refused = book.learn(&["http://c:1".into(), "http://a:1".into(), "nonsense".into(), "https://d:1".into()]);
        assert_eq!(refused, ["nonsense", "https://d:1"]);
        assert_eq!(addresses(&mut book), ["http://a:1", "http://b:1", "http://c:1"]);
        assert!(book.prefer("c:1", Instant::now()));
        book.learn(&["http://d:1".into()]);
        let mut now = addresses(&mut book);
        now.sort();
        assert_eq!(now, ["http://a:1", "http://b:1", "http://d:1"]);
        book.learn(&[]);
        assert_eq!(book.count(), 2);
        let many: Vec<String> = (1..100).map(|n| format!("http://m:{n}")).collect();
        book.learn(&many);
        assert_eq!(book.count(), MAX_ENDPOINTS);
    }

    #[test]
    fn a_leader_that_is_no_member_is_not_asked() {
        let mut book = Book::new(&"http://a:1,http://b:1".parse().unwrap(), None);
        assert!(!book.prefer("http://evil:1", Instant::now()));
        assert!(!book.prefer("", Instant::now()));
        assert!(book.prefer("http://B:1/", Instant::now()));
        assert_eq!(addresses(&mut book), ["http://b:1", "http://a:1"]);
    }
}
