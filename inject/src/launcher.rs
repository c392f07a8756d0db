//! The command of a rich container: `/.rich/rich run … -- COMMAND`.

use std::borrow::Cow;

use contract::{Rich, names};

use crate::{
    path,
    program::{END_OF_FLAGS, RUN},
    text::Text,
    view::Container,
};

/// Where Kubernetes puts the termination message unless the container says otherwise.
const TERMINATION_LOG: &str = "/dev/termination-log";
/// How long a pod has to stop unless it says otherwise, seconds.
const GRACE: i64 = 30;
const STOP: &str = "stop";

/// The command that runs the initscript and the init, then `program`. `grace` is the pod's
/// `terminationGracePeriodSeconds`, which a container cannot find out by itself.
pub(crate) fn command<'a>(
    rich: &Rich,
    container: &Container,
    program: &'a [Text<'_>],
    grace: Option<i64>,
) -> Vec<Cow<'a, str>> {
    let mut flags = rich.flags();
    if let Some(seconds) = grace
        && rich.mode.boots_the_image()
        && seconds != GRACE
    {
        flags.push(format!("--grace={}s", seconds.max(1)));
    }
    let log = container.termination_message_path.as_deref().filter(|path| !path.is_empty());
    if let Some(log) = log.map(path::clean)
        && log != TERMINATION_LOG
    {
        flags.push(format!("--termination-log={log}"));
    }
    [names::LAUNCHER, RUN]
        .map(Cow::Borrowed)
        .into_iter()
        // The kubelet expands $(NAME) in a command; what we put there means itself.
        .chain(flags.into_iter().map(|flag| literal(flag).into()))
        .chain([Cow::Borrowed(END_OF_FLAGS)])
        .chain(program.iter().map(|word| Cow::Borrowed(&**word)))
        .collect()
}

fn literal(flag: String) -> String {
    if flag.contains('$') { flag.replace('$', "$$") } else { flag }
}

/// The preStop command that stops the application before the kubelet signals PID 1, with the
/// user's own preStop joined to it; none where the container has ours already.
pub(crate) fn stop_command<'a>(container: &'a Container<'_>) -> Option<Vec<Cow<'a, str>>> {
    let mut command = vec![Cow::Borrowed(names::LAUNCHER), Cow::Borrowed(STOP)];
    let Some(handler) = container.pre_stop() else {
        return Some(command);
    };
    if let Some(exec) = &handler.exec {
        let users = exec.command.as_deref().unwrap_or_default();
        if matches!(users, [launcher, stop, ..] if *launcher == names::LAUNCHER && *stop == STOP) {
            return None;
        }
        command.push(Cow::Borrowed(END_OF_FLAGS));
        command.extend(users.iter().map(|word| Cow::Borrowed(&**word)));
    } else if let Some(sleep) = &handler.sleep {
        command.push(format!("--sleep={}s", sleep.seconds).into());
    }
    Some(command)
}
