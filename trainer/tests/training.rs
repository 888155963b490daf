//! Training as a whole: it learns, it goes on after an interruption as if there had been none, it survives damage.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::{Path, PathBuf};

use common::{TINY, tones};
use continuo_trainer::cli::{DeviceArg, ResumeArgs, TrainArgs, WorkersArgs};
use continuo_trainer::data::BatchCursor;
use continuo_trainer::data::dataset::Dataset;
use continuo_trainer::device::Device;
use continuo_trainer::family::FAMILIES;
use continuo_trainer::family::wavenet::config::Config;
use continuo_trainer::train;
use continuo_trainer::training::checkpoint::Checkpoint;
use continuo_trainer::training::run::{Run, RunError};
use continuo_trainer::training::trainer::{End, Limits, Trainer};

const QUIET: Limits = Limits { time: None, steps: None, quiet: true };

fn config(change: impl FnOnce(&mut Config)) -> Box<Config> {
    let mut config = Config::parse(TINY).unwrap();
    change(&mut config);
    Box::new(config)
}

/// A dataset that is used up in a few steps, so that epochs end inside the tests.
fn dataset(dir: &Path) -> Dataset {
    tones(&dir.join("data"), &[2500, 390, 1900, 1200])
}

fn begin<'a>(run: &'a Run, data: &'a Dataset) -> Trainer<'a> {
    Trainer::begin(run, data, run.config.task(&Device::Cpu).unwrap()).unwrap()
}

fn resumed<'a>(run: &'a Run, data: &'a Dataset) -> Trainer<'a> {
    Trainer::resume(run, data, run.config.task(&Device::Cpu).unwrap(), &newest(run)).unwrap()
}

/// Losses of `steps` steps.
fn steps(trainer: &mut Trainer<'_>, steps: usize) -> Vec<u64> {
    (0..steps).map(|_| trainer.step().unwrap().losses["loss_nats"].to_bits()).collect()
}

fn newest(run: &Run) -> Checkpoint {
    Checkpoint::newest(&run.checkpoints()).unwrap().0
}

#[test]
fn a_small_model_learns_a_tone_by_heart() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let config = config(|config| {
        config.training.steps = 250;
        config.training.decay_steps = 100;
        config.evaluation.every_steps = 0;
    });
    let run = Run::create(&dir.path().join("run"), config, &data, false).unwrap();
    let mut trainer = begin(&run, &data);
    let before = trainer.measure().unwrap()["nll_nats"];
    assert!((before - 64f64.ln()).abs() < 0.5, "fresh weights know nothing: {before}");
    assert_eq!(trainer.train(QUIET).unwrap(), End::Finished);
    let after = trainer.progress().heldout["nll_nats"];
    assert!(after < 0.25, "held-out loss is {after} nats");
    assert_eq!(trainer.progress().frames_seen, 250 * 3 * 400);
    let log = std::fs::read_to_string(run.log()).unwrap();
    let events: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.first().unwrap()["event"], "start");
    assert_eq!(events.last().unwrap()["reason"], "finished");
    assert!(events.iter().any(|event| event["event"] == "train" && event["loss_bits"].as_f64().unwrap() > 0.0));
    let measured = events.iter().rfind(|event| event["event"] == "heldout").unwrap();
    assert!((measured["nll_nats"].as_f64().unwrap() - after).abs() < 1e-12);
}

#[test]
fn resuming_is_the_same_as_never_stopping() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let run = |name: &str, threads| {
        let config = config(|config| config.training.threads = threads);
        Run::create(&dir.path().join(name), config, &data, false).unwrap()
    };
    // With another number of threads.
    let (whole, broken) = (run("whole", 1), run("broken", 3));

    let mut trainer = begin(&whole, &data);
    let expected = steps(&mut trainer, 12);
    trainer.checkpoint().unwrap();
    let end = newest(&whole);

    // The same in three sittings, through files.
    let mut trainer = begin(&broken, &data);
    let mut losses = steps(&mut trainer, 5);
    trainer.checkpoint().unwrap();
    for count in [1, 6] {
        let mut trainer = resumed(&broken, &data);
        losses.extend(steps(&mut trainer, count));
        trainer.checkpoint().unwrap();
    }
    assert_eq!(losses, expected);
    let found = newest(&broken);
    assert_eq!(found.tensors, end.tensors);
    assert_eq!(found.progress.cursor, end.progress.cursor);
    assert_eq!((found.progress.step, found.optimiser_steps["wavenet"]), (12, 12));
    let BatchCursor::Chunks(cursor) = found.progress.cursor else { panic!("chunks are sampled") };
    assert!(cursor.epoch >= 1, "the test runs over the end of an epoch");

    // Another seed is another run.
    let other = config(|config| config.training.rng_seed = 6);
    let other = Run::create(&dir.path().join("other"), other, &data, false).unwrap();
    assert_ne!(steps(&mut begin(&other, &data), 2), expected[..2]);
}

fn arguments(dir: &Path, out: &str) -> TrainArgs {
    let file = dir.join("tiny.toml");
    std::fs::write(&file, TINY).unwrap();
    TrainArgs {
        config: file,
        data: dir.join("data"),
        out: dir.join(out),
        device: DeviceArg::Cpu,
        steps: None,
        minutes: None,
        init: None,
        force: false,
        plain: false,
        workers: WorkersArgs::default(),
    }
}

fn resume(run: PathBuf, steps: Option<u64>) -> ResumeArgs {
    ResumeArgs {
        run,
        data: None,
        device: DeviceArg::Cpu,
        steps,
        minutes: None,
        plain: false,
        workers: WorkersArgs::default(),
    }
}

#[test]
fn a_cut_off_checkpoint_costs_only_the_steps_since_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    dataset(dir.path());
    assert_eq!(train::run(&arguments(dir.path(), "whole")).unwrap(), End::Finished);
    let whole = newest(&Run::open(&dir.path().join("whole"), FAMILIES).unwrap());

    // `steps` only decides where to stop if the learning rate does not fall before; so does the decay's start here.
    let broken = dir.path().join("broken");
    train::run(&TrainArgs { steps: Some(12), minutes: Some(1e-9), ..arguments(dir.path(), "broken") }).unwrap();
    let run = Run::open(&broken, FAMILIES).unwrap();
    assert_eq!(newest(&run).progress.step, 0, "no time at all is enough for no step");
    let data = Dataset::open(&dir.path().join("data")).unwrap();
    for count in [4, 3] {
        let limits = Limits { steps: Some(count), ..QUIET };
        assert_eq!(resumed(&run, &data).train(limits).unwrap(), End::Limit);
    }
    let file = run.checkpoints().join("step-0000000007.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() * 2 / 3]).unwrap();
    assert_eq!(train::resume(&resume(broken.clone(), None)).unwrap(), End::Finished);
    assert_eq!(newest(&run).tensors, whole.tensors);

    // A finished run stays finished, unless it is given more steps.
    assert_eq!(train::resume(&resume(broken.clone(), None)).unwrap(), End::Finished);
    assert_eq!(train::resume(&resume(broken, Some(14))).unwrap(), End::Finished);
    assert_eq!(newest(&run).progress.step, 14);
}

#[test]
fn mistakes_are_refused_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    dataset(dir.path());
    train::run(&TrainArgs { steps: Some(1), ..arguments(dir.path(), "run") }).unwrap();
    let said = |result: Result<End, RunError>| result.unwrap_err().to_string();

    assert!(said(train::run(&arguments(dir.path(), "run"))).contains("--force"));
    assert!(train::run(&TrainArgs { force: true, steps: Some(1), ..arguments(dir.path(), "run") }).is_ok());
    assert!(said(train::resume(&resume(dir.path().join("data"), None))).contains("not a run"));

    let arguments_at = |rate: &str| {
        let arguments = arguments(dir.path(), "new");
        std::fs::write(&arguments.config, TINY.replace("sample_rate_hz = 16000", rate)).unwrap();
        arguments
    };
    assert!(said(train::run(&arguments_at("sample_rate_hz = 44100"))).contains("--rate 44100"));
    assert!(!dir.path().join("new").exists(), "nothing is left of a run that could not start");

    tones(&dir.path().join("data"), &[2500, 390, 1900, 1201]);
    assert!(said(train::resume(&resume(dir.path().join("run"), None))).contains("--data"));
}

#[test]
fn a_loss_that_is_no_number_ends_training_and_spares_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let run = Run::create(&dir.path().join("run"), config(|_| {}), &data, false).unwrap();
    begin(&run, &data).checkpoint().unwrap();
    let mut damaged = newest(&run);
    damaged.tensors.get_mut("wavenet/weights/layer.3.dilated.weight").unwrap().values[0] = f32::NAN;
    let mut task = run.config.task(&Device::Cpu).unwrap();
    damaged.restore(task.as_mut()).unwrap();
    let error = Trainer::begin(&run, &data, task).unwrap().train(QUIET).unwrap_err();
    assert!(matches!(error, RunError::Diverged { step: 1, .. }), "{error}");
    assert!(newest(&run).tensors.values().flat_map(|tensor| &tensor.values).all(|value| value.is_finite()));
}

#[test]
fn a_weight_that_is_no_number_is_never_saved_nor_resumed_from() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let run = Run::create(&dir.path().join("run"), config(|_| {}), &data, false).unwrap();
    let mut trainer = begin(&run, &data);
    steps(&mut trainer, 1);
    trainer.checkpoint().unwrap();
    let mut damaged = newest(&run);
    // In the average alone, which no loss of training shows.
    damaged.tensors.get_mut("wavenet/average/layer.3.dilated.weight").unwrap().values[0] = f32::NAN;
    let mut task = run.config.task(&Device::Cpu).unwrap();
    damaged.restore(task.as_mut()).unwrap();
    let mut trainer = Trainer::begin(&run, &data, task).unwrap();
    let refused = trainer.checkpoint().unwrap_err().to_string();
    assert!(refused.contains("wavenet/average/layer.3.dilated.weight holds NaN"), "{refused}");
    let error = trainer.step().unwrap_err();
    assert!(matches!(&error, RunError::Diverged { what, .. } if what.contains("averaged weight")), "{error}");
    assert_eq!(newest(&run).progress.step, 1);
}

#[test]
fn a_loss_that_has_run_away_ends_training_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let config = config(|config| {
        config.training.learning_rate *= 1000.0;
        config.training.steps = 200;
        config.training.log_every_steps = 5;
        config.training.clip_norm = 0.0;
        config.evaluation.every_steps = 0;
    });
    let run = Run::create(&dir.path().join("run"), config, &data, false).unwrap();
    let mut trainer = begin(&run, &data);
    trainer.checkpoint().unwrap();
    let error = trainer.train(QUIET).unwrap_err();
    assert!(matches!(error, RunError::Hopeless { .. } | RunError::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("Lower learning_rate"), "{error}");
}

#[test]
fn the_newest_the_best_and_every_so_many_checkpoints_stay() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let config = config(|config| {
        config.training.steps = 20;
        config.training.checkpoint_minutes = 1e-9;
        config.training.keep_every_steps = 6;
        config.evaluation.every_steps = 4;
    });
    let run = Run::create(&dir.path().join("run"), config, &data, false).unwrap();
    begin(&run, &data).train(QUIET).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(run.checkpoints())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let best = newest(&run).progress.best.unwrap();
    let mut wanted = vec![6, 12, 18, 19, 20, best.step];
    wanted.sort_unstable();
    wanted.dedup();
    assert_eq!(names, wanted.iter().map(|step| format!("step-{step:010}.safetensors")).collect::<Vec<_>>());
    let log = std::fs::read_to_string(run.log()).unwrap();
    let measured: Vec<f64> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|event| event["event"] == "heldout")
        .map(|event| event["nll_nats"].as_f64().unwrap())
        .collect();
    assert!(measured.iter().all(|nats| *nats >= best.figure) && measured.contains(&best.figure));
}

/// Ctrl-C as a shell sends it, to the program itself.
#[cfg(unix)]
#[test]
fn an_interrupt_writes_a_checkpoint_and_stops() {
    use std::process::{Command, Stdio};
    let dir = tempfile::tempdir().unwrap();
    dataset(dir.path());
    let arguments = TrainArgs { steps: Some(100_000_000), ..arguments(dir.path(), "run") };
    let mut child = Command::new(env!("CARGO_BIN_EXE_continuo-trainer"))
        .args(["train".as_ref(), arguments.config.as_os_str()])
        .args(["--data".as_ref(), arguments.data.as_os_str(), "--out".as_ref(), arguments.out.as_os_str()])
        .args(["--device", "cpu", "--steps", "100000000"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let log = arguments.out.join("log.jsonl");
    // The first measurement comes after four steps.
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("heldout")) {
        assert!(child.try_wait().unwrap().is_none(), "the program ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let run = Run::open(&arguments.out, FAMILIES).unwrap();
    let step = newest(&run).progress.step;
    assert!(step >= 4);
    assert!(std::fs::read_to_string(&log).unwrap().contains("interrupted"));
    assert_eq!(train::resume(&resume(arguments.out, Some(step + 2))).unwrap(), End::Finished);
    assert_eq!(newest(&run).progress.step, step + 2);
}
