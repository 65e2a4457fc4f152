//! The keeper becomes another program in the same process: its children stay
//! its children, its descriptors stay open, and the runner's connection is in
//! the middle of whatever was being said. An exit in between is not lost:
//! SIGCHLD stays blocked and pending, and an ended child stays until collected.

use super::Keeper;
use crate::connection::Connection;
use crate::diary::say;
use crate::entry;
use crate::epoll::Source;
use crate::log::{Key, States};
use crate::passing::Sets;
use crate::protocol::{Event, Opaque};
use crate::resume::{self, ConnectionImage, For, Found, Image, Kept, Numbers};
use crate::run::Run;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

/// Numbers of descriptors.
fn numbers(held: &[BorrowedFd<'_>]) -> Vec<i32> {
    held.iter().map(AsRawFd::as_raw_fd).collect()
}

impl Keeper {
    /// Becomes the program that was asked for, if one was, and does not return.
    pub(super) fn become_what_was_asked(&mut self) {
        let Some(program) = self.upgrade.take() else { return };
        self.holding.cgroups.remove_spare();
        let outcome = match self.desk.take_all() {
            Some(states) => {
                // What it told last goes along.
                self.hear_logs();
                self.become_program(&program, states)
            }
            // A thread that waits for a disk cannot be ended: neither could this program.
            None => Err("the disk under the logs does not answer".to_owned()),
        };
        if let Err(why) = outcome {
            say!("cannot become {program}: {why}");
            self.send(&Event::UpgradeFailed { message: format!("{program}: {why}") });
            self.flush();
        }
    }

    /// Returns only why that was not possible; everything goes on then.
    fn become_program(&mut self, program: &str, states: States) -> Result<(), String> {
        let mut held = Vec::new();
        let image = self.image(&mut held, &mut states.clone());
        let why = resume::become_program(program, &image, &held).to_string();
        self.desk.go_on();
        for (Key { run, index }, state) in states {
            let outlet = self.runs.get_mut(run).and_then(|run| run.outputs.get_mut(index)?.as_mut());
            if let Some(outlet) = outlet {
                self.desk.restore(run, index, outlet, state);
            }
        }
        Err(why)
    }

    fn image<'a>(&'a self, held: &mut Vec<BorrowedFd<'a>>, states: &mut States) -> Image {
        held.extend([self.lock.as_fd(), self.listener.as_fd()]);
        let runner = self.runner.as_ref().map(|runner| {
            let set = runner.sets.under_way().iter().map(OwnedFd::as_fd);
            let set: Vec<BorrowedFd<'a>> = set.collect();
            held.push(runner.stream.as_fd());
            held.extend(&set);
            ConnectionImage {
                stream: runner.stream.as_raw_fd(),
                version: runner.version,
                incoming: Opaque(runner.incoming.as_slice().into()),
                set: numbers(&set),
                outgoing: Opaque(runner.outgoing.as_slice().into()),
            }
        });
        let runs = self.runs.iter().map(|(id, run)| {
            let mut kept = Kept::default();
            let image = {
                let reaper = self.foreign.get(&id).map(|foreign| foreign.reaper);
                run.image(id, reaper, For::NextProgram, states, &mut kept)
            };
            held.extend(&kept.0);
            (image, numbers(&kept.0))
        });
        let mut kept = Kept::default();
        let sockets = self.holding.sockets.images(&mut kept);
        let sockets = (sockets, numbers(&kept.0));
        let runs = runs.collect();
        held.extend(&kept.0);
        Image {
            lock: self.lock.as_raw_fd(),
            listener: self.listener.as_raw_fd(),
            nofile: self.nofile,
            runner,
            runs,
            sockets,
            fences: self.fences.images(),
        }
    }

    /// The keeper that another program was, in this process. `refused` is why
    /// the program that was to be next could not go on.
    pub(crate) fn resume(image: Image, refused: Option<String>) -> io::Result<Self> {
        let mut numbers = Numbers::take_all(image.numbers());
        let lock = File::from(numbers.take(image.lock)?);
        let listener = UnixListener::from(numbers.take(image.listener)?);
        // SIGCHLD was blocked all the time: what is pending is read from the new descriptor.
        let mut keeper = Self::new(listener, entry::signals()?, image.nofile, lock)?;
        let (sockets, descriptors) = image.sockets;
        let mut found: Found = descriptors.iter().map(|number| numbers.take(*number).ok()).collect();
        keeper.holding.sockets.of_images(sockets, &mut found);
        keeper.fences.of_images(image.fences)?;
        for (image, descriptors) in image.runs {
            let found: Found = descriptors.iter().map(|number| numbers.take(*number).ok()).collect();
            keeper.restore(image, found);
        }
        if let Some(runner) = image.runner {
            keeper.take_up(runner, &mut numbers)?;
        }
        // Whoever ended between the two programs.
        keeper.reap();
        keeper.settle(Vec::new());
        if let Some(why) = refused {
            keeper.send(&Event::UpgradeFailed { message: why });
        } else {
            keeper.greet();
        }
        Ok(keeper)
    }

    fn restore(&mut self, image: resume::RunImage, mut found: Found) {
        let (id, reaper, instance) = (image.run, image.reaper, image.instance.clone());
        match Run::of_image(image, &mut found, &self.desk) {
            Ok(run) => self.include(id, run, reaper),
            Err(e) => say!("run {id} of {instance} is lost: {e}"),
        }
    }

    fn take_up(&mut self, image: ConnectionImage, numbers: &mut Numbers) -> io::Result<()> {
        let mut runner = Connection::new(UnixStream::from(numbers.take(image.stream)?))?;
        runner.version = image.version;
        runner.incoming = image.incoming.0.into();
        runner.outgoing = image.outgoing.0.into();
        let set = image.set.iter().map(|number| numbers.take(*number));
        runner.sets = Sets::resumed(set.collect::<io::Result<_>>()?);
        self.epoll.add(&runner.stream, Source::Runner)?;
        self.runner = Some(runner);
        Ok(())
    }
}
