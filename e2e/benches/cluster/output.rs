//! How fast 1 GB of an application's output reaches the container's log in a systemd pod, beside a
//! plain pod of the same image; all of it is then read by the way of `kubectl logs` and compared.
//!
//! The kubelet must not rotate it meanwhile: `kubectl logs` has the last file only.

use e2e::{App, Namespace, RunningPod, debian, in_namespace};
use futures::AsyncBufReadExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::api::LogParams;

use super::median;

const ROUNDS: usize = 5;
/// What is printed: lines of 100 bytes, each with the number of its block and its own in there.
const BLOCKS: usize = 16_000;
const LINES: usize = 625;
const LINE: usize = 100;
const BYTES: usize = BLOCKS * LINES * LINE;

const APPLICATION: &str = r#"#!/usr/bin/perl
my ($blocks, $lines) = @ARGV;
my $block = join '', map { sprintf "NNNNNNNN-%03d %s\n", $_, 'x' x 86 } 0 .. $lines - 1;
for my $n (0 .. $blocks - 1) {
  my $number = sprintf '%08d', $n;
  (my $text = $block) =~ s/NNNNNNNN/$number/g;
  syswrite(STDOUT, $text) == length $text or die;
}
"#;

/// Prints the medians of the rates.
pub(super) async fn measure() {
    in_namespace(async |namespace| {
        namespace.scripts("scripts", &[("print", APPLICATION)]).await;
        let (blocks, lines) = (BLOCKS.to_string(), LINES.to_string());
        let plain = debian(&["/scripts/print", &blocks, &lines]).scripts("scripts");
        let rich = plain.clone().rich("mode", "systemd");
        let [mut plain_rates, mut rich_rates] = [const { Vec::new() }; 2];
        for round in 1..=ROUNDS {
            eprintln!("output: round {round} of {ROUNDS}");
            let pod = printed(namespace, &plain).await;
            plain_rates.push(rate(&pod).await);
            pod.delete().await;
            let pod = printed(namespace, &rich).await;
            rich_rates.push(rate(&pod).await);
            check(&pod).await;
            pod.delete().await;
        }
        let (plain, rich) = (median(plain_rates), median(rich_rates));
        println!("Output of {BYTES} bytes, all of it in the log, medians of {ROUNDS} rounds:");
        println!("{:36} {:>13} {:>9} {:>7}", "", "plain pod", "rich pod", "ratio");
        println!("{:36} {plain:>13.1} {rich:>9.1} {:>7.2}", "MB a second", rich / plain);
    })
    .await;
}

/// Lets the application print until it has ended.
async fn printed(namespace: &Namespace, app: &App) -> RunningPod {
    let pod = namespace.run(app).await;
    assert_eq!(pod.exit_code().await, 0);
    pod
}

/// From the first to the last line's time, which the container runtime noted when it got them;
/// megabytes a second.
async fn rate(pod: &RunningPod) -> f64 {
    let line = async |params: LogParams| {
        let text = pod.logs_by(&LogParams { timestamps: true, ..params }).await;
        let time = text.split(' ').next().and_then(|time| time.parse::<Timestamp>().ok());
        time.unwrap_or_else(|| panic!("no time: {text}"))
    };
    let first = line(LogParams { limit_bytes: Some(100), ..LogParams::default() }).await;
    let last = line(LogParams { tail_lines: Some(1), ..LogParams::default() }).await;
    BYTES as f64 / 1e6 / last.duration_since(first).as_secs_f64()
}

/// Compares each line of the log.
async fn check(pod: &RunningPod) {
    let mut log = std::pin::pin!(pod.log_stream(false).await);
    let mut line = Vec::new();
    for block in 0..BLOCKS {
        for number in 0..LINES {
            line.clear();
            log.read_until(b'\n', &mut line).await.expect("a log that can be read");
            let start = format!("{block:08}-{number:03} x");
            if !line.starts_with(start.as_bytes()) || line.len() != LINE {
                let found = String::from_utf8_lossy(&line);
                panic!("instead of line {number} of block {block} the log has {found:?}");
            }
        }
    }
    line.clear();
    let more = log.read_until(b'\n', &mut line).await.expect("a log that can be read");
    assert_eq!(more, 0, "the log has more than was printed");
}
