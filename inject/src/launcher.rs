//! The command of a rich container: `/.rich/rich run … -- COMMAND`.

use std::borrow::Cow;

use contract::{Rich, names};

use crate::{
    program::{END_OF_FLAGS, RUN},
    text::Text,
    view::Container,
};

/// How long a pod has to stop unless it says otherwise, seconds.
const GRACE: i64 = 30;
const STOP: &str = "stop";

/// The flags by which every rich container of a pod learns what is asked for. `grace` is the pod's
/// `terminationGracePeriodSeconds`, which a container cannot find out by itself.
pub(crate) fn flags(rich: &Rich, grace: Option<i64>) -> Vec<String> {
    let mut flags = rich.flags();
    if let Some(seconds) = grace
        && rich.mode.boots_the_image()
        && seconds != GRACE
    {
        flags.push(format!("--grace={}s", seconds.max(1)));
    }
    flags.into_iter().map(literal).collect()
}

/// What stands before a container's own words in the command that runs the initscript and the
/// init, then these.
pub(crate) fn command<'a>(flags: &'a [String], container: &Container) -> Vec<Cow<'a, str>> {
    let log = container.termination_message_path.as_ref();
    let log = log.map(|log| literal(format!("--termination-log={log}")).into());
    [names::LAUNCHER, RUN]
        .map(Cow::Borrowed)
        .into_iter()
        .chain(flags.iter().map(|flag| Cow::Borrowed(&**flag)))
        .chain(log)
        .chain([Cow::Borrowed(END_OF_FLAGS)])
        .collect()
}

/// The kubelet expands `$(NAME)` in a command; what we put there means itself.
fn literal(flag: String) -> String {
    // Where they are many, a search for each costs more than a look at every character.
    if flag.contains('$') { flag.replace(['$'], "$$") } else { flag }
}

/// The preStop command that stops the application before the kubelet signals PID 1, and the words
/// of the user's own preStop that are joined to it; none where the container has ours already.
pub(crate) fn stop_command<'a>(
    container: &'a Container<'_>,
) -> Option<(Vec<Cow<'static, str>>, &'a [Text<'a>])> {
    let mut command = vec![Cow::Borrowed(names::LAUNCHER), Cow::Borrowed(STOP)];
    let mut users: &[Text<'_>] = &[];
    let Some(handler) = container.pre_stop() else {
        return Some((command, users));
    };
    if let Some(exec) = &handler.exec {
        users = exec.command.as_deref().unwrap_or_default();
        if matches!(users, [launcher, stop, ..] if *launcher == names::LAUNCHER && *stop == STOP) {
            return None;
        }
        command.push(Cow::Borrowed(END_OF_FLAGS));
    } else if let Some(sleep) = &handler.sleep {
        command.push(format!("--sleep={}s", sleep.seconds).into());
    }
    Some((command, users))
}
