//! The keeper's loop: its part about output. The scribe does the work; the
//! loop hears of it, and while the disk hangs it reads in the scribe's stead,
//! counts and drops, so that no program waits for a disk unless it is to.

use super::ask::{Key, Told};
use super::file::News;
use crate::diary::say;
use crate::epoll::Source;
use crate::keeper::Keeper;
use crate::protocol::Event;
use process_model::spec::LogPolicy;

/// Reads in one turn of the loop: a loud program does not starve the others.
const READS: usize = 8;

impl Keeper {
    /// Everything that a run has written is in its files afterwards, or the
    /// disk does not answer.
    pub(crate) fn drain(&mut self, run: u64) {
        let Some(record) = self.runs.get(run) else { return };
        if record.outputs.iter().flatten().all(|outlet| outlet.is_quiet()) {
            return self.hear_logs();
        }
        self.desk.drain(run);
        self.hear_logs();
    }

    /// Hears what became of output.
    pub(crate) fn hear_logs(&mut self) {
        for told in self.desk.shared().take_told() {
            match told {
                Told::News(key, news) => self.tell_news(key, news),
                Told::Closed(Key { run, index }) => {
                    let slot = self.runs.get_mut(run).and_then(|record| record.outputs.get_mut(index));
                    let Some(outlet) = slot.and_then(Option::as_mut) else { continue };
                    outlet.closed = true;
                    if std::mem::take(&mut outlet.in_stead) {
                        self.epoll.remove(&outlet.wire.pipe);
                    }
                }
            }
        }
        if self.desk.in_stead && !self.desk.shared().gate.is_in_stead() {
            self.stop_reading();
        }
    }

    fn tell_news(&mut self, Key { run, index }: Key, news: News) {
        let Some(record) = self.runs.get_mut(run) else { return };
        let event = match news {
            News::Rotated(path) => {
                Event::Rotated { instance: record.instance.clone(), path: path.to_string_lossy().into_owned() }
            }
            News::Trouble { message, dropped } => {
                if let Some(outlet) = record.outputs.get_mut(index).and_then(Option::as_mut) {
                    (outlet.lost, outlet.told) = (dropped, false);
                }
                self.to_hand.insert(run);
                Event::LogTrouble { run, message, dropped }
            }
        };
        self.send(&event);
    }

    /// The scribe has been at work for a second.
    pub(crate) fn feel_pulse(&mut self) {
        let hangs = self.desk.hangs();
        // It may have been back for a moment.
        self.hear_logs();
        if !self.desk.in_stead && self.desk.gets_on() {
            // Who could not be handed while it was late.
            self.to_hand.append(&mut self.unhanded);
        }
        if hangs && !self.desk.in_stead {
            say!("the disk under the logs does not answer; what it cannot take is dropped and counted");
            self.desk.in_stead = true;
            self.desk.shared().stand_in();
            for id in self.runs.ids().collect::<Vec<_>>() {
                self.read_along(id);
            }
        }
    }

    /// Reads the outputs of a run in the scribe's stead, if somebody has to.
    pub(crate) fn read_along(&mut self, id: u64) {
        let Some(run) = self.runs.get_mut(id).filter(|_| self.desk.in_stead) else { return };
        for (index, outlet) in run.outputs.iter_mut().enumerate() {
            let Some(outlet) = outlet.as_mut().filter(|outlet| !(outlet.closed || outlet.waits || outlet.in_stead))
            else {
                continue;
            };
            match self.epoll.add(&outlet.wire.pipe, Source::Output { run: id, index }) {
                Ok(()) => outlet.in_stead = true,
                Err(e) => say!("cannot read the output of {}: {e}", run.instance),
            }
        }
    }

    /// An output has something, and the scribe cannot read it.
    pub(crate) fn read_in_stead(&mut self, run: u64, index: usize) {
        let Some(record) = self.runs.get_mut(run) else { return };
        let Some(outlet) = record.outputs.get_mut(index).and_then(Option::as_mut) else { return };
        let mut dropped = 0;
        let mut ended = false;
        for _ in 0..READS {
            let read = self.desk.shared().gate.in_stead(|| {
                // Counted before anybody reads what comes later.
                rustix::io::read(&outlet.wire.pipe, &mut self.buffer[..]).inspect(|n| outlet.wire.drop_bytes(*n))
            });
            match read {
                Some(Ok(n)) if n > 0 => dropped += n as u64,
                Some(Err(rustix::io::Errno::AGAIN)) => break,
                Some(Err(rustix::io::Errno::INTR)) => {}
                // Its end is for the scribe to tell; or that is back, and reads itself.
                Some(Ok(_) | Err(_)) | None => {
                    ended = true;
                    break;
                }
            }
        }
        if ended {
            self.epoll.remove(&outlet.wire.pipe);
            outlet.in_stead = false;
        }
        outlet.lost += dropped;
        if dropped > 0 && !std::mem::replace(&mut outlet.told, true) {
            let message = format!("{}: the disk does not answer", outlet.path.display());
            let event = Event::LogTrouble { run, message, dropped: outlet.lost };
            self.send(&event);
        }
    }

    /// The scribe is back.
    fn stop_reading(&mut self) {
        say!("the disk under the logs answers again");
        self.desk.in_stead = false;
        for outlet in self.runs.all_mut().flat_map(|run| run.outputs.iter_mut().flatten()) {
            if std::mem::take(&mut outlet.in_stead) {
                self.epoll.remove(&outlet.wire.pipe);
            }
        }
        self.to_hand.append(&mut self.unhanded);
    }

    /// Output of a run is kept by another policy.
    pub(crate) fn set_logs(&mut self, id: u64, logs: &LogPolicy) {
        let Some(run) = self.runs.get_mut(id) else { return };
        for (index, outlet) in run.outputs.iter_mut().enumerate() {
            let Some(outlet) = outlet else { continue };
            outlet.fresh = None;
            outlet.keep_by(Some(logs));
            self.desk.keep_by(Key { run: id, index }, logs.clone());
            if outlet.waits && std::mem::take(&mut outlet.in_stead) {
                self.epoll.remove(&outlet.wire.pipe);
            }
        }
        self.read_along(id);
        // A keeper after this one keeps them so, too.
        self.to_hand.insert(id);
    }
}
