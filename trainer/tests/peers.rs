//! Several processes train one run: the run of one process to rounding, and exactly itself whoever is killed on the way.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{TINY, tones};
use continuo_trainer::random::{Purpose, Random};
use continuo_trainer::training::checkpoint::Checkpoint;

/// A configuration of four sequences a batch whose every step is in the log, a dataset, and a place for runs.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(steps: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        tones(&dir.path().join("data"), &[2500, 390, 1900, 1200]);
        let place = Self { dir };
        let steps = format!("steps = {steps}\nlog_every_steps = 1\ncheckpoint_minutes = 0.001");
        place.config("config.toml", &[("steps = 12", &steps), ("every_steps = 4", "every_steps = 0")]);
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a configuration with changed lines.
    fn config(&self, name: &str, changes: &[(&str, &str)]) {
        let text = TINY.replace("batch = 3", "batch = 4");
        let text = changes.iter().fold(text, |text, (from, to)| text.replace(from, to));
        std::fs::write(self.at(name), text).unwrap();
    }

    fn train(&self, out: &str, more: &[&str]) -> Command {
        let mut command = program();
        command.arg("train").arg(self.at("config.toml")).arg("--data").arg(self.at("data"));
        command.arg("--out").arg(self.at(out)).args(more);
        command
    }

    /// Goes on with a run, or begins it.
    fn go_on(&self, out: &str, more: &[&str]) -> Command {
        let checkpoints = std::fs::read_dir(self.at(out).join("checkpoints")).into_iter().flatten().flatten();
        if checkpoints.filter(|entry| entry.file_name().to_string_lossy().starts_with("step-")).count() == 0 {
            return self.train(out, more);
        }
        let mut command = program();
        command.arg("resume").arg(self.at(out)).args(more);
        command
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_continuo-trainer"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn done(mut command: Command) -> String {
    let output = command.arg("--device=cpu").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

fn refused(mut command: Command) -> String {
    let output = command.arg("--device=cpu").output().unwrap();
    assert!(!output.status.success() && !said(&output).contains("panicked"), "{}", said(&output));
    said(&output)
}

fn begun(mut command: Command) -> Child {
    command.arg("--device=cpu").spawn().unwrap()
}

/// What a process that should end soon says.
fn ended(mut child: Child) -> Output {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_mins(1) {
            child.kill().unwrap();
            panic!("it does not end: {}", said(&child.wait_with_output().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// An address on this machine that nobody listens at.
fn address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn events(run: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("log.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Losses of the log by their step.
fn losses(run: &Path) -> BTreeMap<u64, f64> {
    let events = events(run);
    let trained = events.iter().filter(|event| event["event"] == "train");
    let losses: Vec<_> =
        trained.map(|event| (event["step"].as_u64().unwrap(), event["loss_nats"].as_f64().unwrap())).collect();
    let by_step: BTreeMap<u64, f64> = losses.iter().copied().collect();
    assert_eq!(by_step.len(), losses.len(), "a step stands in the log twice");
    by_step
}

fn newest(run: &Path) -> Checkpoint {
    Checkpoint::newest(&run.join("checkpoints")).unwrap().0
}

#[test]
fn workers_train_what_one_process_trains() {
    let place = Place::new(12);
    done(place.train("one", &[]));
    let (one, alone) = (losses(&place.at("one")), newest(&place.at("one")));
    assert_eq!(one.len(), 12);
    for workers in ["2", "4"] {
        let told = done(place.train(workers, &["--workers", workers]));
        let run = place.at(workers);
        assert!(told.contains(&format!("{workers} workers")) && !told.contains("error"), "{told}");
        assert_eq!(events(&run)[0]["workers"].to_string(), workers);
        for ((step, loss), expected) in losses(&run).iter().zip(one.values()) {
            assert!((loss - expected).abs() < 1e-6, "step {step}: {loss} against {expected}");
        }
        let found = newest(&run);
        assert_eq!((found.progress.step, found.progress.frames_seen), (12, alone.progress.frames_seen));
        assert_eq!(found.progress.cursor, alone.progress.cursor);
        for (name, tensor) in found.tensors.iter().filter(|(name, _)| name.contains("/weights/")) {
            for (value, expected) in tensor.values.iter().zip(&alone.tensors[name].values) {
                assert!((value - expected).abs() < 1e-6, "{name}: {value} against {expected}");
            }
        }
    }
    // Another number of workers goes on with the same run.
    let told = done(place.go_on("2", &["--workers", "4", "--steps", "14"]));
    assert!(told.contains("4 workers") && newest(&place.at("2")).progress.step == 14, "{told}");
    assert_eq!(losses(&place.at("2")).len(), 14);

    place.config("config.toml", &[("batch = 4", "batch = 3")]);
    let told = refused(place.train("uneven", &["--workers", "2"]));
    assert!(told.contains("`batch` is 3") && told.contains("multiple of 2"), "{told}");
    assert!(!place.at("uneven").exists());
}

/// Steps of the run that is killed again and again.
const STEPS: u64 = 250;

#[test]
fn whoever_is_killed_a_resumed_run_is_the_same() {
    let kills = std::env::var("CONTINUO_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let place = Place::new(STEPS);
    done(place.train("whole", &["--workers", "2"]));
    let mut random = Random::new(2, Purpose::named("kills of workers"), 0);
    let mut killed = 0;
    loop {
        let meet = address();
        let worker = |number: &str| begun(place.go_on("run", &["--worker", number, "--meet", &meet]));
        // Both read the run before either writes it, as with --workers: worker 0 waits for the other.
        let mut workers = [worker("0/2"), worker("1/2")];
        if killed == kills {
            for worker in workers {
                let output = ended(worker);
                assert!(output.status.success(), "{}", said(&output));
            }
            break;
        }
        let before = losses(&place.at("run")).len();
        while losses(&place.at("run")).len() <= before && workers[0].try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(random.below(15)));
        let victim = killed % 2;
        workers[victim].kill().unwrap();
        let killed_at = Instant::now();
        let [zero, one] = workers.map(ended);
        assert!(killed_at.elapsed() < Duration::from_secs(10), "{:?}", killed_at.elapsed());
        let survivor = if victim == 0 { one } else { zero };
        let words = said(&survivor);
        assert!(!survivor.status.success() && !words.contains("panicked"), "{words}");
        assert!(words.contains(&format!("worker {victim} is lost at step")) && words.contains("resume"), "{words}");
        killed += 1;
    }
    assert!(killed > 0);
    let (run, whole) = (place.at("run"), place.at("whole"));
    let bits = |run| losses(run).into_iter().map(|(step, loss)| (step, loss.to_bits())).collect::<Vec<_>>();
    assert_eq!(bits(&run), bits(&whole));
    assert_eq!(bits(&run).len() as u64, STEPS);
    let (run, whole) = (newest(&run), newest(&whole));
    assert_eq!((run.tensors, run.progress.cursor), (whole.tensors, whole.progress.cursor));
}

#[test]
fn who_is_lost_costs_no_step_and_an_interrupt_ends_all() {
    let place = Place::new(100_000_000);
    let meet = address();
    let changes =
        [("batch = 4", "batch = 3"), ("steps = 12", "steps = 100000000"), ("every_steps = 4", "every_steps = 0")];
    place.config("config.toml", &changes);
    // Who is lost in the midst of a step costs the steps since the checkpoint before: a few tries, until one is lost between steps.
    let mut tries = (0..20).map(|_| {
        let force: &[&str] = if newest_step(&place.at("run")).is_some() { &["--force"] } else { &[] };
        let begin = |worker| begun(place.train("run", &[&["--worker", worker, "--meet", &meet], force].concat()));
        let mut children = ["0/3", "1/3", "2/3"].map(begin);
        let steps = || events(&place.at("run")).iter().filter(|event| event["event"] == "train").count();
        while steps() == 0 {
            assert!(children[0].try_wait().unwrap().is_none(), "the program ended by itself");
            std::thread::sleep(Duration::from_millis(10));
        }
        children[1].kill().unwrap();
        let [zero, _, two] = children.map(ended);
        assert!(said(&zero).contains("worker 1 is lost"), "{}", said(&zero));
        assert!(
            said(&two).contains("worker 0 has stopped") && said(&two).contains("worker 1 is lost"),
            "{}",
            said(&two)
        );
        (newest_step(&place.at("run")).unwrap(), said(&zero))
    });
    // Checkpoints come every five minutes: this one was written because of the loss.
    let (saved, told) = tries.find(|(saved, _)| *saved > 0).unwrap();
    assert!(told.contains(&format!("at step {}", saved + 1)), "{saved}: {told}");

    let mut child = begun(place.go_on("run", &["--workers", "3"]));
    let sittings = || events(&place.at("run")).iter().filter(|event| event["event"] == "start").count();
    while sittings() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "the program ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(200));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = ended(child);
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(said(&output).contains("interrupted") && !said(&output).contains("lost"), "{}", said(&output));
    assert!(newest_step(&place.at("run")).unwrap() > saved);
}

fn newest_step(run: &Path) -> Option<u64> {
    Checkpoint::newest(&run.join("checkpoints")).ok().map(|(checkpoint, _)| checkpoint.progress.step)
}

#[test]
fn who_does_not_belong_is_sent_away_and_disturbs_nobody() {
    let place = Place::new(12);
    let meet = address();
    let lead = begun(place.train("run", &["--worker", "0/2", "--meet", &meet]));
    // Whoever calls: nothing, noise, another protocol, a frame with a false sum, a length without end; some stay on the line.
    let mut frame = b"CTWF\x03\0\0\0".to_vec();
    frame.extend([0xff; 28]);
    let noise: Vec<u8> = (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut lines = Vec::new();
    for bytes in [&b""[..], &noise, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &frame, &frame[..20]] {
        let mut line = loop {
            match TcpStream::connect(&meet) {
                Ok(line) => break line,
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        // It may have hung up already.
        let _ = line.write_all(bytes);
        lines.push(line);
    }
    place.config("other.toml", &[("learning_rate = 0.01", "learning_rate = 0.02")]);
    tones(&place.at("other"), &[2500, 390, 1900, 1201]);
    let another = |config: &str, data: &str, more: &[&str]| {
        let mut command = program();
        command.arg("train").arg(place.at(config)).arg("--data").arg(place.at(data)).arg("--out").arg(place.at("x"));
        command.args(["--worker", "1/2", "--meet", &meet]).args(more);
        command
    };
    let told = refused(another("other.toml", "data", &[]));
    assert!(told.contains("worker 1 is refused") && told.contains("another configuration"), "{told}");
    let told = refused(another("config.toml", "other", &[]));
    assert!(told.contains("another dataset") && !told.contains("configuration"), "{told}");
    let mut keyed = another("config.toml", "data", &[]);
    keyed.env("CONTINUO_MEETING_KEY", "guess");
    assert!(refused(keyed).contains("key"));
    // The one that belongs.
    assert!(done(another("config.toml", "data", &[])).is_empty(), "only worker 0 speaks");
    let output = ended(lead);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("worker 1 is refused: it has another configuration"), "{}", said(&output));
    assert_eq!(newest_step(&place.at("run")), Some(12));
    assert!(!place.at("x").exists(), "worker 1 writes nothing");
}
