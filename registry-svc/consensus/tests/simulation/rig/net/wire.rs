//! One direction between two hosts.

use crate::rig::Dice;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;

/// How messages fare, in microseconds and of a thousand.
#[derive(Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) least: u64,
    pub(crate) most: u64,
    /// So many are lost at first and sent again.
    pub(crate) lost: u64,
}

impl Weather {
    pub(crate) const FAIR: Self = Self { least: 50, most: 900, lost: 0 };
}

/// TCP repeats what is lost after at least this time.
const AGAIN: (u64, u64) = (200_000, 450_000);

pub(super) struct Wire {
    dice: Dice,
    weather: Mutex<Weather>,
    cut: watch::Sender<bool>,
}

impl Wire {
    pub(super) fn new(dice: Dice) -> Self {
        Self { dice, weather: Mutex::new(Weather::FAIR), cut: watch::Sender::new(false) }
    }

    pub(super) fn cut(&self, cut: bool) {
        self.cut.send_if_modified(|was| std::mem::replace(was, cut) != cut);
    }

    pub(super) fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// How long the next message is on its way.
    pub(super) fn delay(&self) -> Duration {
        let weather = *self.weather.lock().unwrap();
        let way = self.dice.micros(weather.least, weather.most);
        let lost = weather.lost > 0 && self.dice.permille(weather.lost);
        if lost { way + self.dice.micros(AGAIN.0, AGAIN.1) } else { way }
    }

    pub(super) fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }

    pub(super) async fn becomes(&self, cut: bool) {
        // The sender is ours.
        let _ = self.cut.subscribe().wait_for(|is| *is == cut).await;
    }
}
