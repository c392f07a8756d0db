//! The flags of `rich run`: how the request travels from the pod's command into the container.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use crate::{Init, Key, Restart, Rich, format_duration};

impl Rich {
    /// The flags that give `rich run` this request, each `--key=value` with the key's short
    /// name: what [`crate::read`] makes of them, read as annotations, is the same request, but
    /// for what only concerns the pod (containers, privileged).
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::from([flag(Key::Mode, self.mode.name())]);
        match &self.init {
            Some(Init::Script(script)) => flags.push(flag(Key::Initscript, &script.to_string())),
            Some(Init::Command(command)) => flags.push(flag(Key::Initcmd, command)),
            None => {}
        }
        if let Some(timeout) = self.init_timeout {
            flags.push(flag(Key::InitscriptTimeout, &format_duration(timeout)));
        }
        if let Some(poststop) = &self.poststop {
            flags.push(flag(Key::Poststop, &poststop.to_string()));
        }
        if self.restart != Restart::default() {
            flags.push(flag(Key::Restart, self.restart.name()));
        }
        if let Some(profile) = self.profile {
            flags.push(flag(Key::Profile, if profile { "true" } else { "false" }));
        }
        flags
    }
}

fn flag(key: Key, value: &str) -> String {
    ["--", key.short(), "=", value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommandLine, Mode, PREFIX, read};
    use core::time::Duration;
    use proptest::{option, prelude::*};

    fn command_line() -> impl Strategy<Value = CommandLine> {
        "/[!-~]{0,9}( [!-~]{1,9}){0,3}".prop_map(|text| CommandLine::parse(&text).unwrap())
    }

    fn init() -> impl Strategy<Value = Init> {
        prop_oneof![
            command_line().prop_map(Init::Script),
            "[^\0]{0,9}[!-~]".prop_map(Init::Command)
        ]
    }

    prop_compose! {
        fn rich()(
            mode in proptest::sample::select(&Mode::ALL[..]),
            init in option::of(init()),
            millis in option::of(1..u64::from(u32::MAX)),
            poststop in option::of(command_line()),
            service in any::<bool>(),
            profile in any::<Option<bool>>(),
        ) -> Rich {
            let service = service && mode == Mode::Systemd;
            Rich {
                mode,
                init,
                init_timeout: millis.map(Duration::from_millis),
                poststop,
                restart: if service { Restart::Service } else { Restart::Container },
                profile,
                ..Rich::default()
            }
        }
    }

    proptest! {
        #[test]
        fn flags_are_read_back_as_the_same_request(rich in rich()) {
            let flags = rich.flags();
            let pairs: Vec<(String, &str)> = flags
                .iter()
                .map(|flag| flag.trim_start_matches("--").split_once('=').unwrap())
                .map(|(key, value)| ([PREFIX, key].concat(), value))
                .collect();
            let reading = read(pairs.iter().map(|(key, value)| (key.as_str(), *value)));
            prop_assert_eq!(&reading.violations, &[]);
            prop_assert_eq!(reading.rich, Some(rich));
        }
    }
}
