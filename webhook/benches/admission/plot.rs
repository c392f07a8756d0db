//! The figures as text: a table with the ratios and what is promised of them, and bars.

const BAR: usize = 48;

/// How a value is written: what it is multiplied by, and what stands behind it.
#[derive(Clone, Copy)]
pub(crate) struct Unit(f64, &'static str);

pub(crate) const MICROSECONDS: Unit = Unit(1e6, "µs");
pub(crate) const MILLISECONDS: Unit = Unit(1e3, "ms");
pub(crate) const A_SECOND: Unit = Unit(1.0, "/s");
pub(crate) const MEGABYTES: Unit = Unit(1e-6, "MB");

/// What is promised.
#[derive(Clone, Copy)]
pub(crate) enum Promise {
    /// The webhook's value is so many times the reference's, and no more.
    RatioAtMost(f64),
    /// The webhook's value is so many times the reference's, and no less.
    RatioAtLeast(f64),
    /// The webhook's value itself, in the figure's unit.
    AtMost(f64),
    /// Nothing: it is told beside another figure.
    None,
}

/// One thing that was measured of both.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) webhook: f64,
    pub(crate) reference: f64,
    pub(crate) promise: Promise,
}

impl Figure {
    fn ratio(&self) -> f64 {
        self.webhook / self.reference
    }

    fn text(&self, value: f64) -> String {
        let Unit(factor, name) = self.unit;
        let value = value * factor;
        let digits = usize::from(value < 100.0);
        format!("{value:.digits$} {name}")
    }

    /// Where the webhook is with its promise.
    fn verdict(&self) -> String {
        let Unit(factor, name) = self.unit;
        let (kept, missed, words) = match self.promise {
            Promise::RatioAtMost(most) => {
                (self.ratio() <= most, "above", format!("a ratio of at most {most:.1}"))
            }
            Promise::RatioAtLeast(least) => {
                (self.ratio() >= least, "below", format!("a ratio of at least {least:.1}"))
            }
            Promise::AtMost(most) => {
                (self.webhook * factor <= most, "above", format!("at most {most:.0} {name}"))
            }
            Promise::None => return String::new(),
        };
        format!("{}: {words}", if kept { "within" } else { missed })
    }
}

/// Prints the table and the bars.
pub(crate) fn print(figures: &[Figure]) {
    println!("\n{:<26}{:>12}{:>12}{:>8}", "", "webhook", "reference", "ratio");
    for figure in figures {
        let line = format!(
            "{:<26}{:>12}{:>12}{:>8.2}   {}",
            figure.name,
            figure.text(figure.webhook),
            figure.text(figure.reference),
            figure.ratio(),
            figure.verdict()
        );
        println!("{}", line.trim_end());
    }
    println!();
    for figure in figures {
        let longest = figure.webhook.max(figure.reference);
        for (name, side, value) in
            [(figure.name, "webhook", figure.webhook), ("", "reference", figure.reference)]
        {
            println!("{name:<26}{side:<11}{} {}", bar(value / longest), figure.text(value));
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of the longest bar"
)]
fn bar(share: f64) -> String {
    "█".repeat(((share * BAR as f64).round() as usize).max(1))
}
