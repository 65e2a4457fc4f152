//! When to colour, and which tone means what. Colour never carries a meaning
//! alone: the word is always there.

use owo_colors::{OwoColorize, Style};
use std::fmt::Display;

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// As it should be.
    Good,
    /// On its way, or to be looked at.
    Warn,
    /// Wrong.
    Bad,
    /// Of less interest.
    Dim,
    /// A heading.
    Title,
    /// One of several sources, by number.
    Source(usize),
}

impl Tone {
    fn style(self) -> Style {
        let style = Style::new();
        match self {
            Self::Plain => style,
            Self::Good => style.green(),
            Self::Warn => style.yellow(),
            Self::Bad => style.red(),
            Self::Dim => style.dimmed(),
            Self::Title => style.bold(),
            Self::Source(number) => match number % 6 {
                0 => style.cyan(),
                1 => style.yellow(),
                2 => style.green(),
                3 => style.magenta(),
                4 => style.blue(),
                _ => style.bright_cyan(),
            },
        }
    }

    /// The same in a table's cell.
    #[must_use]
    pub fn table_colour(self) -> Option<comfy_table::Color> {
        match self {
            Self::Plain | Self::Title | Self::Source(_) => None,
            Self::Good => Some(comfy_table::Color::Green),
            Self::Warn => Some(comfy_table::Color::Yellow),
            Self::Bad => Some(comfy_table::Color::Red),
            Self::Dim => Some(comfy_table::Color::DarkGrey),
        }
    }
}

/// Colours text, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(bool);

impl Paint {
    /// Colours.
    #[must_use]
    pub fn on() -> Self {
        Self(true)
    }

    /// Does not.
    #[must_use]
    pub fn off() -> Self {
        Self(false)
    }

    /// Whether it colours.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.0
    }

    /// The text in this tone.
    pub fn paint(self, tone: Tone, text: impl Display) -> String {
        if self.0 && tone != Tone::Plain { text.style(tone.style()).to_string() } else { text.to_string() }
    }
}

/// Everything that decides about colour except the stream.
#[derive(Debug, Clone, Default)]
pub struct ColourWish {
    /// `--no-color`.
    pub refused: bool,
    /// `NO_COLOR` or `PMCTL_NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `FORCE_COLOR` is set, not empty and not `0`.
    pub forced: bool,
    /// `TERM=dumb`.
    pub dumb: bool,
}

impl ColourWish {
    /// The wish that flag and environment express.
    #[must_use]
    pub fn from_environment(refused: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            refused,
            no_color: set("NO_COLOR") || set("PMCTL_NO_COLOR"),
            forced: std::env::var_os("FORCE_COLOR").is_some_and(|value| !value.is_empty() && value != "0"),
            dumb: std::env::var_os("TERM").is_some_and(|value| value == "dumb"),
        }
    }

    /// Whether a stream is coloured. The flag outranks all; a refusal outranks
    /// a demand; a demand outranks what the stream is.
    #[must_use]
    pub fn for_stream(&self, is_terminal: bool) -> Paint {
        Paint(!self.refused && !self.no_color && (self.forced || (is_terminal && !self.dumb)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_terminal_unless_it_is_forced_and_every_refusal_wins() {
        let wish = |refused, no_color, forced, dumb| ColourWish { refused, no_color, forced, dumb };
        for (wish, terminal, expected) in [
            (wish(false, false, false, false), true, true),
            (wish(false, false, false, false), false, false),
            (wish(false, false, true, false), false, true),
            (wish(false, false, true, true), false, true),
            (wish(false, false, false, true), true, false),
            (wish(false, true, true, false), true, false),
            (wish(true, false, true, false), true, false),
        ] {
            assert_eq!(wish.for_stream(terminal).is_on(), expected, "{wish:?} terminal={terminal}");
        }
    }

    #[test]
    fn without_colour_text_stays_as_it_is() {
        assert_eq!(Paint::off().paint(Tone::Bad, "x"), "x");
        assert!(Paint::on().paint(Tone::Bad, "x").starts_with('\u{1b}'));
        assert_eq!(Paint::on().paint(Tone::Plain, "x"), "x");
    }
}
