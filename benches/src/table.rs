//! The table that is printed.

use std::fmt::Write as _;
use std::time::Duration;

/// One measure.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) measure: String,
    /// What came out.
    pub(crate) value: String,
    /// The floor of the same run.
    pub(crate) floor: String,
    /// Value over floor.
    pub(crate) ratio: String,
    /// What is wanted.
    pub(crate) target: String,
    /// Whether it is reached; `None` where nothing is demanded.
    pub(crate) reached: Option<bool>,
}

impl Row {
    /// A time over a floor's time.
    pub(crate) fn ratio(measure: &str, value: Duration, floor: Duration, most: Option<f64>) -> Self {
        let ratio = value.as_secs_f64() / floor.as_secs_f64().max(f64::EPSILON);
        Self {
            measure: measure.to_owned(),
            value: milliseconds(value),
            floor: milliseconds(floor),
            ratio: format!("{ratio:.2} ×"),
            target: most.map_or_else(String::new, |most| format!("≤ {most} ×")),
            reached: most.map(|most| ratio <= most),
        }
    }

    /// A value that is demanded in its own unit.
    pub(crate) fn bound(measure: &str, value: f64, most: Option<f64>, unit: &str) -> Self {
        Self {
            measure: measure.to_owned(),
            value: format!("{value:.1} {unit}"),
            floor: String::new(),
            ratio: String::new(),
            target: most.map_or_else(String::new, |most| format!("≤ {most} {unit}")),
            reached: most.map(|most| value <= most),
        }
    }

    /// Seconds that are demanded, down to the tenth of a millisecond.
    pub(crate) fn seconds(measure: &str, value: f64, most: f64) -> Self {
        Self { value: format!("{value:.4} s"), ..Self::bound(measure, value, Some(most), "s") }
    }

    /// A value of ours that no rival has.
    pub(crate) fn alone(measure: &str, value: f64, unit: &str, demand: Demand) -> Self {
        Self::rival(measure, value, None, unit, demand)
    }

    /// A value of ours beside a rival's of the same run; either may be missing.
    pub(crate) fn rival(
        measure: &str,
        ours: impl Into<Option<f64>>,
        rival: impl Into<Option<f64>>,
        unit: &str,
        demand: Demand,
    ) -> Self {
        let (ours, rival) = (ours.into(), rival.into());
        let ratio = ours.zip(rival).filter(|(_, rival)| *rival > 0.0).map(|(ours, rival)| ours / rival);
        let (target, reached) = match demand {
            Demand::Nothing => (String::new(), None),
            Demand::RatioAtLeast(least) => (format!("≥ {least} ×"), ratio.map(|ratio| ratio >= least)),
            Demand::RatioAtMost(most) => (format!("≤ {most} ×"), ratio.map(|ratio| ratio <= most)),
            Demand::ValueAtMost(most) => {
                (format!("≤ {most} {unit}").trim_end().to_owned(), ours.map(|value| value <= most))
            }
            Demand::ValueAtLeast(least) => {
                (format!("≥ {least} {unit}").trim_end().to_owned(), ours.map(|value| value >= least))
            }
        };
        Self {
            measure: measure.to_owned(),
            value: ours.map_or_else(|| "–".to_owned(), |ours| quantity(ours, unit)),
            floor: rival.map_or_else(String::new, |rival| quantity(rival, unit)),
            ratio: ratio.map_or_else(String::new, |ratio| format!("{ratio:.2} ×")),
            target,
            reached,
        }
    }

    /// Something to know, without a verdict.
    pub(crate) fn note(measure: &str, text: &str) -> Self {
        Self {
            measure: measure.to_owned(),
            value: text.to_owned(),
            floor: String::new(),
            ratio: String::new(),
            target: String::new(),
            reached: None,
        }
    }

    /// A measure that could not be taken.
    pub(crate) fn failed(measure: &str, error: &anyhow::Error) -> Self {
        Self {
            measure: measure.to_owned(),
            value: format!("not measured: {error:#}"),
            floor: String::new(),
            ratio: String::new(),
            target: String::new(),
            reached: Some(false),
        }
    }
}

/// What is demanded of a value that stands beside a rival's.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Demand {
    /// Only to know it.
    Nothing,
    /// So many times the rival's, or more.
    RatioAtLeast(f64),
    /// So many times the rival's, or less.
    RatioAtMost(f64),
    /// In its own unit.
    ValueAtMost(f64),
    /// In its own unit, where more is better.
    ValueAtLeast(f64),
}

/// Three digits or more, with its unit.
fn quantity(value: f64, unit: &str) -> String {
    let digits = if value == 0.0 || value.abs() >= 100.0 {
        0
    } else if value.abs() >= 1.0 {
        2
    } else {
        3
    };
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// As a Markdown table with aligned columns.
pub(crate) fn render(rows: &[Row]) -> String {
    let head = ["measure", "value", "floor or rival", "ratio", "target", ""].map(str::to_owned);
    let lines: Vec<[String; 6]> = std::iter::once(head)
        .chain(rows.iter().map(|row| {
            let verdict = match row.reached {
                Some(true) => "ok",
                Some(false) => "MISS",
                None => "",
            };
            let Row { measure, value, floor, ratio, target, .. } = row;
            [measure, value, floor, ratio, target, verdict].map(|cell| cell.to_string())
        }))
        .collect();
    let widths: Vec<usize> =
        (0..6).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell}{} ", " ".repeat(width - cell.chars().count()));
        }
        text += "|\n";
        if number == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text += "|\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rival_decides_only_where_it_is_asked_to() {
        let row = |demand| Row::rival("reads/s", 30_000.0, 10_000.0, "", demand);
        assert_eq!(row(Demand::RatioAtLeast(3.0)).reached, Some(true));
        assert_eq!(row(Demand::RatioAtLeast(3.1)).reached, Some(false));
        assert_eq!(row(Demand::RatioAtMost(2.9)).reached, Some(false));
        assert_eq!(row(Demand::ValueAtMost(30_000.0)).reached, Some(true));
        assert_eq!(row(Demand::ValueAtLeast(30_000.0)).reached, Some(true));
        assert_eq!(row(Demand::ValueAtLeast(30_001.0)).reached, Some(false));
        assert_eq!(row(Demand::Nothing).reached, None);
        let alone = Row::rival("reads/s", 1.0, None, "", Demand::RatioAtLeast(3.0));
        assert_eq!((alone.ratio.as_str(), alone.reached), ("", None));
    }

    #[test]
    fn a_missed_target_is_shown_and_columns_are_aligned() {
        let text = render(&[
            Row::ratio("fast", Duration::from_millis(2), Duration::from_millis(1), Some(2.5)),
            Row::bound("large", 61.0, Some(60.0), "MB"),
        ]);
        assert!(text.contains("| 2.00 ×") && text.contains("| ok") && text.contains("MISS"), "{text}");
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
}
