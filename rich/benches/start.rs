//! How much later an application starts in a rich container: from exec of `rich run` to the end of
//! an application that does nothing, beside starting that plainly and through Debian's dumb-init.
//!
//! `cargo bench -p rich`: 500 starts of each, in turn, so that a busy machine is busy for all.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run ends")]

use std::{
    env::temp_dir,
    path::Path,
    process::{Command, Stdio, exit},
    time::{Duration, Instant},
};

const RUNS: usize = 500;
const ISOLATED: &str = "RICH_BENCH_ISOLATED";
const ORIGINAL: &str = "/usr/bin/dumb-init";

struct Way {
    name: &'static str,
    command: Vec<String>,
    times: Vec<Duration>,
}

impl Way {
    fn new(name: &'static str, command: &[&str]) -> Self {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Self { name, command, times: Vec::with_capacity(RUNS) }
    }

    fn start(&mut self) {
        let (program, args) = self.command.split_first().unwrap();
        let start = Instant::now();
        let status = Command::new(program).args(args).stdin(Stdio::null()).status().unwrap();
        self.times.push(start.elapsed());
        assert!(status.success(), "{:?}", self.command);
    }

    /// The time that `share` of the runs did not exceed.
    fn quantile(&self, share: f64) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let index = ((times.len() - 1) as f64 * share) as usize;
        times[index]
    }
}

/// Makes `$0` a root like the machine's, but for an empty `/etc`, and runs `$1` there.
const ROOT: &str = "\
mount -t tmpfs root \"$0\" && mkdir -p \"$0/etc/profile.d\" && for entry in /*; do
  if [ -L \"$entry\" ]; then cp -P \"$entry\" \"$0\"
  elif [ -d \"$entry\" ] && [ \"$entry\" != /etc ]; then
    mkdir \"$0$entry\" && mount --rbind \"$entry\" \"$0$entry\" || exit
  fi
done; exec chroot \"$0\" \"$1\"";

/// Runs the benchmark again with a root of its own: `rich run` writes to its `/etc/profile.d`.
fn isolated(folder: &Path) -> i32 {
    let status = Command::new("unshare")
        .args(["--mount", "sh", "-c", ROOT])
        .arg(folder)
        .arg(std::env::current_exe().unwrap())
        .env(ISOLATED, "1")
        .status();
    std::fs::remove_dir_all(folder).unwrap();
    status.unwrap().code().unwrap_or(1)
}

fn main() {
    if !Path::new(ORIGINAL).exists() {
        eprintln!("start: install Debian's package dumb-init, the reference");
        exit(1);
    }
    let folder = temp_dir().join(format!("rich-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    if std::env::var_os(ISOLATED).is_none() {
        exit(isolated(&folder));
    }
    let rich = env!("CARGO_BIN_EXE_rich");
    assert!(Command::new(rich).arg("install").arg(&folder).status().unwrap().success());
    let installed = folder.join("rich").into_os_string().into_string().unwrap();

    let mut ways = [
        Way::new("plain", &["/bin/true"]),
        Way::new("Debian's dumb-init", &[ORIGINAL, "--", "/bin/true"]),
        Way::new("rich run", &[&installed, "run", "--mode=dumb-init", "--", "/bin/true"]),
        Way::new(
            "rich run, initcmd",
            &[&installed, "run", "--mode=dumb-init", "--initcmd=:", "--", "/bin/true"],
        ),
    ];
    for _ in 0..RUNS {
        ways.iter_mut().for_each(Way::start);
    }
    std::fs::remove_dir_all(&folder).unwrap();

    let plain = ways[0].quantile(0.5);
    println!("{:<20} {:>10} {:>10} {:>9} {:>12}", "", "median", "p99", "ratio", "more than it");
    for way in &ways {
        let (median, p99) = (way.quantile(0.5), way.quantile(0.99));
        println!(
            "{:<20} {:>7.2} ms {:>7.2} ms {:>9.2} {:>9.2} ms",
            way.name,
            median.as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3,
            median.as_secs_f64() / plain.as_secs_f64(),
            (median.as_secs_f64() - plain.as_secs_f64()) * 1e3,
        );
    }
}
