//! The faults, each by itself: how it begins and how it ends.

use super::{Crash, Subject, Weather, World};
use std::time::Duration;
use tokio::time::sleep;

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Crash,
    CrashWhileSyncing,
    HostCrash,
    PowerCut,
    BrokenDisk,
    Stall,
    SlowDisk,
    FullDisk,
    Reset,
    OneWayCut,
    Isolation,
    Split,
    SlowLinks,
    Loss,
    Repeats,
    Interrupts,
}

impl Fault {
    /// All of them, as often as they are to come.
    pub(crate) const ALL: &[Self] = &[
        Self::Crash,
        Self::Crash,
        Self::CrashWhileSyncing,
        Self::CrashWhileSyncing,
        Self::CrashWhileSyncing,
        Self::HostCrash,
        Self::PowerCut,
        Self::BrokenDisk,
        Self::Stall,
        Self::Stall,
        Self::SlowDisk,
        Self::FullDisk,
        Self::Reset,
        Self::Reset,
        Self::OneWayCut,
        Self::OneWayCut,
        Self::Isolation,
        Self::Isolation,
        Self::Split,
        Self::SlowLinks,
        Self::Loss,
        Self::Repeats,
        Self::Repeats,
        Self::Interrupts,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash of a process",
            Self::CrashWhileSyncing => "crash while syncing",
            Self::HostCrash => "crash of a host",
            Self::PowerCut => "power cut of all",
            Self::BrokenDisk => "failed sync",
            Self::Stall => "stalled sync",
            Self::SlowDisk => "slow disk",
            Self::FullDisk => "full disk",
            Self::Reset => "reset connection",
            Self::OneWayCut => "one-way cut",
            Self::Isolation => "isolated replica",
            Self::Split => "split in two",
            Self::SlowLinks => "slow links",
            Self::Loss => "loss",
            Self::Repeats => "repeated messages",
            Self::Interrupts => "interrupted snapshots",
        }
    }
}

impl<S: Subject> World<S> {
    /// Begins a fault; it ends by itself.
    pub(crate) fn strike(&self, fault: Fault) {
        let dice = self.dice.clone();
        let id = self.aimed();
        let lasts = dice.millis(100, 3_000);
        self.oracle.note(|| format!("{} at {id} for {} ms", fault.name(), lasts.as_millis()));
        if self.begin(fault, id, lasts) {
            self.oracle.count(fault.name());
        }
    }

    /// Mostly the leader, if there is one: that is where it hurts.
    fn aimed(&self) -> u64 {
        let any = self.dice.one_of(&self.ids());
        self.leads().filter(|_| self.dice.permille(450)).unwrap_or(any)
    }

    fn begin(&self, fault: Fault, id: u64, lasts: Duration) -> bool {
        let disk = self.running(id).map(|life| life.disk.clone());
        match fault {
            Fault::Crash | Fault::HostCrash => {
                let crash = Crash { dark: fault == Fault::HostCrash, all_lost: self.dice.permille(500) };
                self.later(lasts, move |world| world.start(id));
                self.crash(id, crash)
            }
            Fault::CrashWhileSyncing => disk.is_some_and(|disk| {
                disk.stall(Duration::from_secs(5));
                let all = self.dice.permille(200);
                self.later(self.dice.millis(5, 700), move |world| {
                    for id in world.ids().into_iter().filter(|other| all || *other == id) {
                        world.crash(id, Crash { dark: false, all_lost: world.dice.permille(700) });
                        world.later(lasts, move |world| world.start(id));
                    }
                });
                true
            }),
            Fault::PowerCut => {
                let all_lost = self.dice.permille(500);
                let mut any = false;
                for id in self.ids() {
                    any |= self.crash(id, Crash { dark: self.dice.permille(300), all_lost });
                    let again = self.dice.millis(0, 1_500);
                    self.later(again, move |world| world.start(id));
                }
                any
            }
            Fault::BrokenDisk => disk.is_some_and(|disk| {
                disk.break_down();
                // The process ends by that, and its supervisor starts it again.
                self.later(lasts, move |world| {
                    if world.running(id).is_some_and(|life| life.disk.is_closed()) {
                        world.crash(id, Crash { dark: false, all_lost: false });
                    }
                    world.start(id);
                });
                true
            }),
            Fault::Stall => disk.is_some_and(|disk| {
                disk.stall(self.dice.millis(500, 5_000));
                true
            }),
            Fault::SlowDisk => disk.is_some_and(|disk| {
                disk.pace(15_000, 60_000);
                self.later(lasts, move |_| disk.pace(100, 1_500));
                true
            }),
            Fault::FullDisk => disk.is_some_and(|disk| {
                disk.leave_room(Some(self.dice.between(0, 2_000)));
                self.later(lasts, move |_| disk.leave_room(None));
                true
            }),
            Fault::Reset => self.ids().into_iter().filter(|other| *other != id).fold(false, |any, other| {
                let there = self.dice.permille(500) && self.net.reset(id, other);
                let back = self.dice.permille(500) && self.net.reset(other, id);
                any || there || back
            }),
            Fault::OneWayCut => {
                let other = self.dice.one_of(&self.ids());
                self.net.cut(id, other, true);
                self.later(lasts, move |world| world.net.cut(id, other, false));
                id != other
            }
            Fault::Isolation => {
                self.isolate(id, true);
                self.later(lasts, move |world| world.isolate(id, false));
                true
            }
            Fault::Split => {
                let ids = self.ids();
                let (ones, others): (Vec<u64>, Vec<u64>) = ids.into_iter().partition(|_| self.dice.permille(500));
                self.part(&ones, &others, true);
                let uneven = !ones.is_empty() && !others.is_empty();
                self.later(lasts, move |world| world.part(&ones, &others, false));
                uneven
            }
            Fault::SlowLinks => {
                self.weather(id, Weather { least: 10_000, most: 400_000, lost: 0 });
                self.later(lasts, move |world| world.weather(id, Weather::FAIR));
                true
            }
            Fault::Loss => {
                let lost = self.dice.between(50, 300);
                self.weather(id, Weather { lost, ..Weather::FAIR });
                self.later(lasts, move |world| world.weather(id, Weather::FAIR));
                true
            }
            Fault::Repeats => {
                self.net.set_repeats(self.dice.between(20, 200));
                self.later(lasts, |world| world.net.set_repeats(0));
                true
            }
            Fault::Interrupts => {
                self.net.set_interrupts(400);
                self.later(lasts, |world| world.net.set_interrupts(0));
                true
            }
        }
    }

    fn part(&self, ones: &[u64], others: &[u64], cut: bool) {
        for one in ones {
            for other in others {
                self.net.cut(*one, *other, cut);
                self.net.cut(*other, *one, cut);
            }
        }
    }

    fn later(&self, time: Duration, then: impl FnOnce(&Self) + Send + 'static) {
        let world = self.clone();
        tokio::spawn(async move {
            sleep(time).await;
            if !world.oracle.is_over() {
                then(&world);
            }
        });
    }
}
