//! The command of a rich container: `/.rich/rich run … -- COMMAND`.

use contract::{Rich, names};

use crate::{
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
pub(crate) fn command(
    rich: &Rich,
    container: &Container,
    program: &[Text<'_>],
    grace: Option<i64>,
) -> Vec<String> {
    let mut flags = rich.flags();
    if let Some(seconds) = grace
        && rich.mode.boots_the_image()
        && seconds != GRACE
    {
        flags.push(format!("--grace={}s", seconds.max(1)));
    }
    if let Some(path) = container.termination_message_path.as_deref()
        && path != TERMINATION_LOG
        && !path.is_empty()
    {
        flags.push(format!("--termination-log={path}"));
    }
    [names::LAUNCHER, RUN]
        .map(String::from)
        .into_iter()
        // The kubelet expands $(NAME) in a command; what we put there means itself.
        .chain(flags.into_iter().map(literal))
        .chain([END_OF_FLAGS.to_owned()])
        .chain(program.iter().map(ToString::to_string))
        .collect()
}

fn literal(flag: String) -> String {
    if flag.contains('$') { flag.replace('$', "$$") } else { flag }
}

/// The preStop command that stops the application before the kubelet signals PID 1, with the
/// user's own preStop joined to it; none where the container has ours already.
pub(crate) fn stop_command(container: &Container) -> Option<Vec<String>> {
    let mut command = vec![names::LAUNCHER.to_owned(), STOP.to_owned()];
    let Some(handler) = container.pre_stop() else {
        return Some(command);
    };
    if let Some(exec) = &handler.exec {
        let users = exec.command.as_deref().unwrap_or_default();
        if matches!(users, [launcher, stop, ..] if *launcher == names::LAUNCHER && *stop == STOP) {
            return None;
        }
        command.push(END_OF_FLAGS.to_owned());
        command.extend(users.iter().map(ToString::to_string));
    } else if let Some(sleep) = &handler.sleep {
        command.push(format!("--sleep={}s", sleep.seconds));
    }
    Some(command)
}
