//! From annotations to a request, with everything that is wrong with them.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    CommandLine, Containers, Init, Key, Mode, PREFIX, Restart, Rich, Rule, Violations, limits,
    parse_duration, rules, shown,
};

/// What annotations ask for, and which rules they break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The request; also given where rules are broken, so that all can be listed at once.
    pub rich: Option<Rich>,
    /// The rules that are broken; a request counts only where there are none.
    pub violations: Violations,
}

/// Reads the annotations of a pod or a pod template. Those of others are passed over.
#[must_use]
pub fn read<'a>(annotations: impl IntoIterator<Item = (&'a str, &'a str)>) -> Reading {
    let mut reader = Reader::default();
    for (name, value) in annotations {
        if name.starts_with(PREFIX) {
            match Key::parse(name) {
                Some(key) => reader.read(key, value),
                None => reader.unknown(name),
            }
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    rich: Rich,
    enabled: Option<bool>,
    mode: bool,
    initscript: Option<CommandLine>,
    initcmd: Option<String>,
    /// The keys that need rich mode and are there, whatever their value.
    dependent: Vec<Key>,
    violations: Violations,
}

impl Reader {
    fn read(&mut self, key: Key, value: &str) {
        if !matches!(key, Key::Rich | Key::Mode | Key::Status) {
            self.dependent.push(key);
        }
        match key {
            Key::Rich => self.enabled = self.boolean(key, value),
            Key::Mode => {
                self.mode = true;
                match Mode::parse(value) {
                    Some(mode) => self.rich.mode = mode,
                    None => self.broken(&rules::UNKNOWN_MODE, key, value),
                }
            }
            Key::Initscript => self.initscript = self.command_line(key, value),
            Key::Initcmd => {
                if value.trim().is_empty() {
                    self.bad_value(key, value, "a shell command line");
                } else if value.contains('\0') {
                    self.broken(&rules::PATH_WITH_BREAK, key, value);
                } else {
                    self.initcmd = Some(value.to_string());
                }
            }
            Key::InitscriptTimeout => {
                self.rich.init_timeout = parse_duration(value);
                if self.rich.init_timeout.is_none() {
                    self.bad_value(key, value, "a duration longer than zero, such as 30s or 5m");
                }
            }
            Key::Poststop => self.rich.poststop = self.command_line(key, value),
            Key::Containers => self.containers(key, value),
            Key::Restart => match Restart::parse(value) {
                Some(restart) => self.rich.restart = restart,
                None => self.bad_value(key, value, "container or service"),
            },
            Key::Privileged => self.rich.privileged = self.boolean(key, value),
            Key::Profile => self.rich.profile = self.boolean(key, value),
            Key::Status => {}
        }
    }

    fn boolean(&mut self, key: Key, value: &str) -> Option<bool> {
        match value {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.bad_value(key, value, "\"true\" or \"false\"");
                None
            }
        }
    }

    fn command_line(&mut self, key: Key, value: &str) -> Option<CommandLine> {
        CommandLine::parse(value).map_err(|rule| self.broken(rule, key, value)).ok()
    }

    fn containers(&mut self, key: Key, value: &str) {
        let count = 1 + value.bytes().filter(|byte| *byte == b',').count();
        if count > limits::NAMED {
            self.violations.push(|| {
                rules::TOO_MANY_RICH
                    .broken_at(&annotation(key.name()))
                    .with("count", count)
                    .with("most", limits::RICH_CONTAINERS.most)
            });
            return;
        }
        let names: BTreeSet<&str> = value.split(',').map(str::trim).collect();
        if value.trim() == "*" {
            self.rich.containers = Containers::All;
        } else if names.contains("") || names.contains("*") {
            self.bad_value(key, value, "container names with commas between them, or * for all");
        } else {
            self.rich.containers =
                Containers::Named(names.into_iter().map(ToString::to_string).collect());
        }
    }

    fn unknown(&mut self, name: &str) {
        self.violations.push(|| {
            rules::UNKNOWN_KEY
                .broken_at(&annotation(&shown(name)))
                .with("key", name)
                .with("nearest", Key::nearest(name).name())
        });
    }

    fn broken(&mut self, rule: &'static Rule, key: Key, value: &str) {
        self.violations.push(|| {
            rule.broken_at(&annotation(key.name())).with("key", key.name()).with("value", value)
        });
    }

    fn bad_value(&mut self, key: Key, value: &str, expected: &str) {
        self.violations.push(|| {
            rules::BAD_VALUE
                .broken_at(&annotation(key.name()))
                .with("key", key.name())
                .with("value", value)
                .with("expected", expected)
        });
    }

    /// The rules about annotations that go together.
    fn finish(mut self) -> Reading {
        if self.mode && self.enabled == Some(false) {
            self.broken(&rules::MODE_NEEDS_RICH, Key::Mode, "");
        }
        let enabled = self.enabled.unwrap_or(self.mode);
        if !enabled && !self.mode {
            self.dependent.sort_unstable();
            for key in core::mem::take(&mut self.dependent) {
                self.broken(&rules::NEEDS_RICH, key, "");
            }
        }
        if self.initscript.is_some() && self.initcmd.is_some() {
            self.broken(&rules::INITSCRIPT_AND_INITCMD, Key::Initcmd, "");
        }
        if enabled {
            self.mode_rules();
        }
        self.rich.init =
            self.initscript.map(Init::Script).or_else(|| self.initcmd.map(Init::Command));
        Reading { rich: enabled.then_some(self.rich), violations: self.violations }
    }

    /// The rules about what a mode can do.
    fn mode_rules(&mut self) {
        if self.rich.restart == Restart::Service && self.rich.mode != Mode::Systemd {
            self.broken(&rules::RESTART_NEEDS_SYSTEMD, Key::Restart, "");
        }
        if self.rich.mode.boots_the_image() && self.rich.privileged == Some(false) {
            let mode = self.rich.mode.name();
            self.violations.push(|| {
                let field = annotation(Key::Privileged.name());
                rules::NEEDS_PRIVILEGED.broken_at(&field).with("mode", mode)
            });
        }
    }
}

/// Where an annotation stands in a pod.
fn annotation(name: &str) -> String {
    format!("metadata.annotations[{name}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rich(annotations: &[(&str, &str)]) -> Option<Rich> {
        let reading = read(annotations.iter().copied());
        assert_eq!(reading.violations, []);
        reading.rich
    }

    fn refused(annotations: &[(&str, &str)]) -> Vec<String> {
        read(annotations.iter().copied()).violations.iter().map(ToString::to_string).collect()
    }

    fn codes(annotations: &[(&str, &str)]) -> Vec<&'static str> {
        read(annotations.iter().copied()).violations.iter().map(|v| v.rule.code).collect()
    }

    #[test]
    fn annotations_of_others_ask_for_nothing() {
        assert_eq!(rich(&[]), None);
        assert_eq!(rich(&[("example.com/mode", "systemd")]), None);
        assert_eq!(rich(&[("rich.pouch/rich", "false")]), None);
        assert_eq!(rich(&[("rich.pouch/status", "{}")]), None);
    }

    #[test]
    fn rich_alone_is_dumb_init() {
        assert_eq!(rich(&[("rich.pouch/rich", "true")]), Some(Rich::default()));
    }

    #[test]
    fn every_annotation_is_read() {
        assert_eq!(
            rich(&[
                ("rich.pouch/rich", "true"),
                ("rich.pouch/mode", "systemd"),
                ("rich.pouch/initscript", "/tmp/1.sh a b"),
                ("rich.pouch/initscript-timeout", "5m"),
                ("rich.pouch/poststop", "/tmp/2.sh"),
                ("rich.pouch/containers", "app, web"),
                ("rich.pouch/restart", "service"),
                ("rich.pouch/privileged", "true"),
                ("rich.pouch/profile", "false"),
            ]),
            Some(Rich {
                mode: Mode::Systemd,
                init: Some(Init::Script(CommandLine::parse("/tmp/1.sh a b").unwrap())),
                init_timeout: parse_duration("5m"),
                poststop: CommandLine::parse("/tmp/2.sh").ok(),
                containers: Containers::Named(["app".into(), "web".into()].into()),
                restart: Restart::Service,
                privileged: Some(true),
                profile: Some(false),
            })
        );
        assert_eq!(
            rich(&[("rich.pouch/mode", "/sbin/init"), ("rich.pouch/initcmd", "echo hi > /x")])
                .map(|rich| (rich.mode, rich.init)),
            Some((Mode::SbinInit, Some(Init::Command("echo hi > /x".into()))))
        );
        assert_eq!(
            rich(&[("rich.pouch/mode", "dumb-init"), ("rich.pouch/containers", "*")])
                .map(|rich| rich.containers),
            Some(Containers::All)
        );
    }

    #[test]
    fn an_initscript_without_rich_mode_is_refused_in_the_words_of_the_contract() {
        assert_eq!(
            refused(&[("rich.pouch/initscript", "/tmp/1.sh")]),
            ["rich.pouch/initscript can only be used along with rich mode: \
              set rich.pouch/mode to dumb-init, systemd or sbin-init"]
        );
    }

    #[test]
    fn every_other_key_without_rich_mode_is_refused() {
        for (key, value) in [
            ("rich.pouch/initcmd", "echo"),
            ("rich.pouch/initscript-timeout", "30s"),
            ("rich.pouch/poststop", "/tmp/2.sh"),
            ("rich.pouch/restart", "container"),
            ("rich.pouch/containers", "*"),
            ("rich.pouch/privileged", "true"),
            ("rich.pouch/profile", "false"),
        ] {
            assert_eq!(codes(&[(key, value)]), ["needs-rich"], "{key}");
            assert_eq!(codes(&[("rich.pouch/rich", "false"), (key, value)]), ["needs-rich"]);
        }
    }

    #[test]
    fn a_mode_with_rich_false_is_refused_in_pouchs_words() {
        let said = refused(&[("rich.pouch/rich", "false"), ("rich.pouch/mode", "systemd")]);
        assert_eq!(said.len(), 1);
        assert!(said[0].ends_with("must first enable rich mode, then specify a rich mode type"));
    }

    #[test]
    fn an_unknown_mode_is_refused_with_the_three_that_are() {
        assert_eq!(
            refused(&[("rich.pouch/mode", "upstart")]),
            [
                "rich.pouch/mode: not supported rich mode: upstart; use dumb-init, systemd or sbin-init"
            ]
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest() {
        assert_eq!(
            refused(&[("rich.pouch/init-script", "/x")]),
            ["rich.pouch/init-script is not an annotation of Rich Pouch: \
              did you mean rich.pouch/initscript?"]
        );
    }

    #[test]
    fn a_value_of_the_wrong_form_is_refused() {
        let mode = ("rich.pouch/mode", "dumb-init");
        for (key, value, code) in [
            ("rich.pouch/rich", "yes", "bad-value"),
            ("rich.pouch/privileged", "True", "bad-value"),
            ("rich.pouch/profile", "no", "bad-value"),
            ("rich.pouch/initscript-timeout", "30", "bad-value"),
            ("rich.pouch/initcmd", " ", "bad-value"),
            ("rich.pouch/initcmd", "a\0", "path-with-break"),
            ("rich.pouch/restart", "always", "bad-value"),
            ("rich.pouch/containers", "", "bad-value"),
            ("rich.pouch/containers", "a,,b", "bad-value"),
            ("rich.pouch/containers", "a,*", "bad-value"),
            ("rich.pouch/initscript", "", "path-not-absolute"),
            ("rich.pouch/initscript", "x.sh", "path-not-absolute"),
            ("rich.pouch/poststop", "x.sh", "path-not-absolute"),
            ("rich.pouch/initscript", "/a\n/b", "path-with-break"),
        ] {
            assert_eq!(codes(&[mode, (key, value)]), [code], "{key}: {value:?}");
        }
    }

    #[test]
    fn a_container_that_is_named_twice_is_named_once() {
        let names = "app, web,app,,".trim_end_matches(',');
        assert_eq!(
            rich(&[("rich.pouch/mode", "systemd"), ("rich.pouch/containers", names)])
                .map(|rich| rich.containers),
            Some(Containers::Named(["app".into(), "web".into()].into()))
        );
    }

    #[test]
    fn more_names_than_a_pod_has_containers_are_counted_and_not_read() {
        let names = "x,".repeat(99_999) + "x";
        let said = refused(&[("rich.pouch/mode", "dumb-init"), ("rich.pouch/containers", &names)]);
        assert_eq!(
            said,
            [
                "metadata.annotations[rich.pouch/containers] asks for 100000 rich containers, and no \
              more than 4 are taken: name fewer"
            ]
        );
    }

    #[test]
    fn unknown_keys_are_counted_and_the_first_are_listed() {
        let keys: Vec<String> = (0..100_000).map(|it| format!("rich.pouch/{it}")).collect();
        let violations = read(keys.iter().map(|key| (key.as_str(), ""))).violations;
        assert_eq!((violations.count(), violations.iter().count()), (100_000, limits::LISTED));
        let long = ["rich.pouch/", &"k".repeat(100_000)].concat();
        let violations = read([(long.as_str(), "")]).violations;
        assert!(violations.iter().all(|it| it.field.len() + it.to_string().len() < 500));
    }

    #[test]
    fn everything_that_is_wrong_is_listed_at_once() {
        assert_eq!(
            codes(&[
                ("rich.pouch/mode", "sbin-init"),
                ("rich.pouch/inits", "x"),
                ("rich.pouch/initscript", "/a"),
                ("rich.pouch/initcmd", "b"),
                ("rich.pouch/restart", "service"),
                ("rich.pouch/privileged", "false"),
            ]),
            ["unknown-key", "initscript-and-initcmd", "restart-needs-systemd", "needs-privileged"]
        );
    }

    proptest! {
        #[test]
        fn no_annotation_makes_the_reading_panic(
            pairs in proptest::collection::vec(("(rich.pouch/)?[a-z-]{0,20}", ".*"), 0..8),
            keys in proptest::collection::vec((0..Key::ALL.len(), ".*"), 0..8),
        ) {
            let known = keys.iter().map(|(key, value)| (Key::ALL[*key].name(), value.as_str()));
            let any = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let reading = read(known.chain(any));
            for violation in reading.violations {
                let text = violation.to_string();
                prop_assert!(!text.contains('\n'), "{}", text);
            }
        }
    }
}
