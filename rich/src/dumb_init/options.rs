//! The command line of dumb-init, read as `getopt_long(3)` reads it up to the first operand.

use core::{ffi::CStr, fmt};

use crate::Strings;

/// The highest signal number, `_NSIG` of the kernel.
const LAST_SIGNAL: u8 = 64;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    Run(Options<'a>),
    Help,
    Version,
}

/// How to run the application.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options<'a> {
    /// Whether the application leads a session, to all of which signals go.
    pub(super) setsid: bool,
    /// Whether to say what happens.
    pub(super) verbose: bool,
    /// As what a signal is passed on.
    pub(super) rewrite: Rewrite,
    /// The application.
    pub(super) command: Strings<'a>,
}

/// As what each signal is passed on, where that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewrite([Option<u8>; LAST_SIGNAL as usize + 1]);

impl Rewrite {
    /// The signal that was asked for in place of `signal`; 0 is none at all.
    pub(super) fn of(&self, signal: u8) -> Option<u8> {
        self.0.get(usize::from(signal)).copied().flatten()
    }

    fn read(&mut self, argument: &[u8]) -> Option<()> {
        let (from, to) = core::str::from_utf8(argument).ok()?.split_once(':')?;
        let (from, to) = (from.parse::<u8>().ok()?, to.parse::<u8>().ok()?);
        if from == 0 || to > LAST_SIGNAL {
            return None;
        }
        *self.0.get_mut(usize::from(from))? = Some(to);
        Some(())
    }
}

/// What is wrong with the command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UsageError {
    NoCommand,
    Unknown(&'static CStr),
    NoArgument(&'static CStr),
    NeedlessArgument(&'static CStr),
    BadRewrite(&'static CStr),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand => f.write_str("the command is missing"),
            Self::Unknown(given) => {
                write!(f, "{} is not an option, or not one alone", given.to_string_lossy())
            }
            Self::NoArgument(given) => write!(f, "{} needs an argument", given.to_string_lossy()),
            Self::NeedlessArgument(given) => {
                write!(f, "{} takes no argument", given.to_string_lossy())
            }
            Self::BadRewrite(given) => write!(
                f,
                "{}: write -r SIGNAL:SIGNAL, numbers from 1 to {LAST_SIGNAL}, the second also 0",
                given.to_string_lossy()
            ),
        }
    }
}

const LONG: [(&[u8], u8); 5] = [
    (b"help", b'h'),
    (b"single-child", b'c'),
    (b"rewrite", b'r'),
    (b"verbose", b'v'),
    (b"version", b'V'),
];

/// Reads the arguments after the program's name.
pub(super) fn parse(args: Strings<'_>) -> Result<Parsed<'_>, UsageError> {
    let mut options = Options::new(&[]);
    let mut rest = args;
    while let Some((&given, after)) = rest.split_first() {
        let word = given.to_bytes();
        if word == b"--" {
            rest = after;
            break;
        }
        if word == b"-" || !word.starts_with(b"-") {
            break;
        }
        rest = after;
        let found = match word.strip_prefix(b"--") {
            Some(long) => read_long(given, long, &mut rest, &mut options)?,
            None => read_short(given, &mut rest, &mut options)?,
        };
        match found {
            Some(b'h') => return Ok(Parsed::Help),
            Some(b'V') => return Ok(Parsed::Version),
            _ => {}
        }
    }
    if rest.is_empty() {
        return Err(UsageError::NoCommand);
    }
    options.command = rest;
    Ok(Parsed::Run(options))
}

/// Reads `--name` or `--name=value`, where a name may be cut as long as it is one only. Gives the
/// letter of an option that asks for a text.
fn read_long(
    given: &'static CStr,
    word: &'static [u8],
    rest: &mut Strings<'_>,
    options: &mut Options<'_>,
) -> Result<Option<u8>, UsageError> {
    let end = word.iter().position(|byte| *byte == b'=');
    let (name, value) = match end {
        Some(end) => (&word[..end], word.get(end + 1..)),
        None => (word, None),
    };
    let mut meant = LONG.iter().filter(|(known, _)| known.starts_with(name));
    let letter = match (meant.next(), meant.next()) {
        (Some((_, letter)), None) => *letter,
        _ => return Err(UsageError::Unknown(given)),
    };
    if letter == b'r' {
        let value = value.or_else(|| take(rest)).ok_or(UsageError::NoArgument(given))?;
        options.rewrite.read(value).ok_or(UsageError::BadRewrite(given))?;
    } else if value.is_some() {
        return Err(UsageError::NeedlessArgument(given));
    } else {
        options.switch(letter);
    }
    Ok(Some(letter))
}

/// Reads `-cv`, `-r15:2` or `-r 15:2`. Gives the letter of an option that asks for a text.
fn read_short(
    given: &'static CStr,
    rest: &mut Strings<'_>,
    options: &mut Options<'_>,
) -> Result<Option<u8>, UsageError> {
    let mut letters = &given.to_bytes()[1..];
    while let Some((&letter, after)) = letters.split_first() {
        letters = after;
        match letter {
            b'r' => {
                let value = Some(letters).filter(|value| !value.is_empty());
                let value = value.or_else(|| take(rest)).ok_or(UsageError::NoArgument(given))?;
                options.rewrite.read(value).ok_or(UsageError::BadRewrite(given))?;
                return Ok(None);
            }
            b'h' | b'V' => return Ok(Some(letter)),
            b'c' | b'v' => options.switch(letter),
            _ => return Err(UsageError::Unknown(given)),
        }
    }
    Ok(None)
}

impl<'a> Options<'a> {
    /// What holds where nothing else is asked for.
    pub(super) fn new(command: Strings<'a>) -> Self {
        let rewrite = Rewrite([None; LAST_SIGNAL as usize + 1]);
        Self { setsid: true, verbose: false, rewrite, command }
    }

    fn switch(&mut self, letter: u8) {
        match letter {
            b'c' => self.setsid = false,
            b'v' => self.verbose = true,
            _ => {}
        }
    }
}

fn take(rest: &mut Strings<'_>) -> Option<&'static [u8]> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(first.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<'a>(args: &'a [&'static CStr]) -> Options<'a> {
        match parse(args) {
            Ok(Parsed::Run(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_end_at_the_command() {
        let options = run(&[c"-c", c"-v", c"sleep", c"-c", c"9"]);
        assert!(!options.setsid && options.verbose);
        assert_eq!(options.command, [c"sleep", c"-c", c"9"]);
        assert_eq!(run(&[c"--", c"-c"]).command, [c"-c"]);
        assert_eq!(run(&[c"-", c"x"]).command, [c"-", c"x"]);
    }

    #[test]
    fn letters_can_be_joined_and_long_names_cut() {
        let options = run(&[c"-cvr15:2", c"--rew=10:0", c"--rewrite", c"64:1", c"x"]);
        assert!(!options.setsid && options.verbose);
        assert_eq!(
            [15, 10, 64, 1].map(|from| options.rewrite.of(from)),
            [Some(2), Some(0), Some(1), None]
        );
        assert!(!run(&[c"--sin", c"x"]).setsid);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for rewrite in [c"", c"15", c"15:", c":2", c"0:2", c"15:65", c"65:1", c"15:-1", c"x:1"] {
            assert_eq!(parse(&[c"-r", rewrite, c"x"]), Err(UsageError::BadRewrite(c"-r")));
        }
        assert_eq!(parse(&[c"-x", c"x"]), Err(UsageError::Unknown(c"-x")));
        assert_eq!(parse(&[c"--ver", c"x"]), Err(UsageError::Unknown(c"--ver")));
        assert_eq!(parse(&[c"-r"]), Err(UsageError::NoArgument(c"-r")));
        assert_eq!(parse(&[c"--help=1"]), Err(UsageError::NeedlessArgument(c"--help=1")));
        assert_eq!(parse(&[]), Err(UsageError::NoCommand));
        assert_eq!(parse(&[c"-c", c"--"]), Err(UsageError::NoCommand));
    }

    #[test]
    fn help_and_version_need_no_command() {
        assert_eq!(parse(&[c"-h"]), Ok(Parsed::Help));
        assert_eq!(parse(&[c"-cV", c"x"]), Ok(Parsed::Version));
        assert_eq!(parse(&[c"--version"]), Ok(Parsed::Version));
    }
}
