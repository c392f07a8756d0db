//! An event as one line of JSON.
//!
//! There is one for every answer, so it is written directly and not by way of serde, as
//! tracing-subscriber's own form of it is.

use std::fmt::{self, Debug, Display, Write as _};

use k8s_openapi::jiff::Timestamp;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Most lines are shorter.
const ROOM: usize = 512;

/// Writes `timestamp`, `level`, `target`, and the event's own fields.
pub(super) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::with_capacity(ROOM);
        write!(line, r#"{{"timestamp":"{:.6}"#, Timestamp::now())?;
        line.push_str(r#"","level":""#);
        line.push_str(event.metadata().level().as_str());
        line.push_str(r#"","target":"#);
        string(&mut line, event.metadata().target());
        event.record(&mut Members(&mut line));
        line.push_str("}\n");
        to.write_str(&line)
    }
}

/// The fields of an event, as members of the line's object. (A string takes all that is written to
/// it.)
struct Members<'l>(&'l mut String);

impl Members<'_> {
    /// Names are identifiers of ours.
    fn name(&mut self, field: &Field) {
        self.0.push_str(",\"");
        self.0.push_str(field.name());
        self.0.push_str("\":");
    }

    fn plain(&mut self, field: &Field, value: impl Display) {
        self.name(field);
        let _ = write!(self.0, "{value}");
    }
}

impl Visit for Members<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        string(self.0, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.plain(field, value);
        } else {
            // JSON has no infinity.
            self.plain(field, "null");
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.name(field);
        self.0.push('"');
        let _ = write!(Escaped(self.0), "{value:?}");
        self.0.push('"');
    }
}

fn string(line: &mut String, text: &str) {
    line.push('"');
    let _ = skim::escape(text, line);
    line.push('"');
}

/// What is written to it stands in a JSON string.
struct Escaped<'l>(&'l mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        skim::escape(text, self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::{fmt, layer::SubscriberExt as _};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = fmt::layer().event_format(Line).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_field_is_a_member_of_its_type() {
        let error = std::io::Error::other("no \"quotes\"\n");
        let mut lines = lines(|| {
            tracing::info!(
                target: "here",
                text = "a\\b\u{1}é",
                flag = true,
                count = 3_u64,
                below = -3,
                seconds = 0.000_25,
                endless = f64::INFINITY,
                %error,
                list = ?["a"],
                "said"
            );
        });
        assert_eq!(lines.len(), 1);
        let time = lines[0].as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
        let expected = json!({
            "level": "INFO", "target": "here", "message": "said", "text": "a\\b\u{1}é",
            "flag": true, "count": 3, "below": -3, "seconds": 0.000_25, "endless": null,
            "error": "no \"quotes\"\n", "list": r#"["a"]"#,
        });
        assert_eq!(lines[0], expected);
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let all: String = (0..=0x7f_u8).map(char::from).collect();
        let lines = lines(|| tracing::warn!("{all}"));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["message"], *all);
    }
}
