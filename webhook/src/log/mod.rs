//! The log: lines on standard output.

mod line;
mod output;

pub use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use self::line::Line;
use crate::arguments::{LogArguments, LogFormat};

/// Begins to log, until the guard is dropped.
pub fn start(arguments: &LogArguments) -> WorkerGuard {
    let (output, guard) = output::start();
    // Other crates' lines may hold what must not be logged, and failures of theirs that matter
    // come to us.
    let ours = Targets::new()
        .with_target("webhook", arguments.log_level)
        .with_target("rich_pouch_webhook", arguments.log_level);
    let registry = tracing_subscriber::registry().with(ours);
    match arguments.log_format {
        LogFormat::Json => {
            registry.with(fmt::layer().event_format(Line).with_writer(output)).init();
        }
        LogFormat::Text => registry.with(fmt::layer().with_ansi(false).with_writer(output)).init(),
    }
    guard
}
