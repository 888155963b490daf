//! The training loop, checkpoints and resuming know tasks only: a family that exists in the tests alone is trained by them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;

use common::toy::FAMILY;
use common::{TINY, tones_of};
use continuo_trainer::config;
use continuo_trainer::data::dataset::Dataset;
use continuo_trainer::device::Device;
use continuo_trainer::export;
use continuo_trainer::family::FAMILIES;
use continuo_trainer::training::checkpoint::{Checkpoint, CheckpointError};
use continuo_trainer::training::run::Run;
use continuo_trainer::training::trainer::{End, Limits, Trainer};

const TOY: &str = "family = \"toy\"\nsteps = 10\nrng_seed = 3\nsequences = 3\n";

fn dataset(dir: &Path) -> Dataset {
    tones_of(&dir.join("data"), 2, &[400, 250, 333, 500, 20, 300])
}

fn create(dir: &Path, name: &str, toml: &str, data: &Dataset) -> Run {
    Run::create(&dir.join(name), config::parse(toml, &[FAMILY]).unwrap(), data, false).unwrap()
}

/// Goes on from the newest checkpoint, or begins, and trains so many steps.
fn sitting(run: &Run, data: &Dataset, steps: u64) -> End {
    let task = run.config.task(&Device::Cpu).unwrap();
    let mut trainer = match Checkpoint::newest(&run.checkpoints()) {
        Ok((checkpoint, _)) => Trainer::resume(run, data, task, &checkpoint).unwrap(),
        Err(_) => Trainer::begin(run, data, task).unwrap(),
    };
    trainer.train(Limits { steps: Some(steps), quiet: true, ..Limits::default() }).unwrap()
}

/// The newest checkpoint, without what differs between two runs of the same steps.
fn newest(run: &Run) -> Checkpoint {
    let (mut checkpoint, refused) = Checkpoint::newest(&run.checkpoints()).unwrap();
    assert!(refused.is_empty());
    checkpoint.file = "checkpoint".into();
    checkpoint.progress.wall_seconds = 0.0;
    checkpoint.about = None;
    checkpoint
}

#[test]
fn two_networks_and_a_carried_state_resume_as_if_they_had_never_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let whole = create(dir.path(), "whole", TOY, &data);
    assert_eq!(sitting(&whole, &data, 99), End::Finished);
    let expected = newest(&whole);
    assert_eq!(expected.progress.step, 10);
    assert_eq!(expected.optimiser_steps["critic"], 20, "twice a step");
    assert!(expected.tensors["buffers/hidden/h"].values.iter().all(|h| h.abs() > 0.0), "a state is carried");
    assert_eq!(expected.tensors["predictor/average/out.weight"].shape, [1, 1]);
    for name in ["predictor/first-moment/cell.input", "critic/velocity/guess"] {
        assert!(expected.tensors.contains_key(name), "{name}");
    }

    // One step at a time through files; the batches change their length on the way.
    let broken = create(dir.path(), "broken", TOY, &data);
    for step in 1..=10 {
        sitting(&broken, &data, 1);
        let run = Run::open(&broken.dir, &[FAMILY]).unwrap();
        assert_eq!(newest(&run).progress.step, step);
    }
    assert_eq!(newest(&broken).tensors, expected.tensors);
    assert_eq!(newest(&broken).progress.cursor, expected.progress.cursor);
    assert_eq!(sitting(&broken, &data, 1), End::Finished);
    assert_eq!(newest(&broken), expected);

    // Another seed is another run.
    let other = create(dir.path(), "other", &TOY.replace("rng_seed = 3", "rng_seed = 4"), &data);
    sitting(&other, &data, 10);
    assert_ne!(newest(&other).tensors, expected.tensors);
}

#[test]
fn workers_share_a_carried_state_and_resume_as_if_they_had_never_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let toml = TOY.replace("sequences = 3", "sequences = 4");
    let one = create(dir.path(), "one", &toml, &data);
    sitting(&one, &data, 99);
    let alone = newest(&one);
    // Trains so many steps with two workers, of which the first keeps the run.
    let train = |name: &str, steps: u64| {
        let ends = common::workers(|peers| {
            let config = config::parse(&toml, &[FAMILY]).unwrap();
            let run = Run::plan(&dir.path().join(name), config, &data).unwrap();
            let task = run.config.task(&Device::Cpu).unwrap();
            let trainer = match Checkpoint::newest(&run.checkpoints()) {
                Ok((checkpoint, _)) => Trainer::resume(&run, &data, task, &checkpoint),
                Err(_) => Trainer::begin(&run, &data, task),
            };
            // Nobody writes a checkpoint before both have read one.
            peers.flags(0).unwrap();
            let mut trainer = trainer.unwrap().join(peers).unwrap();
            trainer.train(Limits { steps: Some(steps), quiet: true, ..Limits::default() }).unwrap()
        });
        assert_eq!(ends[0], ends[1]);
        let run = Run::plan(&dir.path().join(name), config::parse(&toml, &[FAMILY]).unwrap(), &data).unwrap();
        newest(&run)
    };
    std::fs::create_dir_all(dir.path().join("two")).unwrap();
    std::fs::create_dir_all(dir.path().join("broken")).unwrap();
    let two = train("two", 99);
    assert_eq!((two.progress.step, &two.progress.cursor), (10, &alone.progress.cursor));
    for (name, tensor) in &two.tensors {
        for (value, expected) in tensor.values.iter().zip(&alone.tensors[name].values) {
            assert!((value - expected).abs() < 1e-5, "{name}: {value} against {expected}");
        }
    }
    for steps in [4, 3] {
        train("broken", steps);
    }
    assert_eq!(train("broken", 99).tensors, two.tensors);
}

#[test]
fn a_task_learns_and_its_figures_are_in_the_log_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let run = create(dir.path(), "run", &TOY.replace("steps = 10", "steps = 600"), &data);
    sitting(&run, &data, 600);
    let log = std::fs::read_to_string(run.log()).unwrap();
    let events: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["parameters"], serde_json::json!({ "critic": 2, "predictor": 4 }));
    let errors: Vec<f64> = events
        .iter()
        .filter(|event| event["event"] == "heldout")
        .map(|event| event["error"].as_f64().unwrap())
        .collect();
    assert_eq!(errors.len(), 200);
    assert!(errors[199] < 0.2 * errors[0], "{} after {}", errors[199], errors[0]);
    let train = events.iter().rfind(|event| event["event"] == "train").unwrap();
    assert!(train["guess"].as_f64().unwrap() < 0.05, "{train}");
    assert!(train["gradient_norm"]["critic"].is_f64() && train["learning_rate"]["predictor"].is_f64(), "{train}");
}

#[test]
fn a_checkpoint_of_another_model_is_refused_by_the_tensor() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let run = create(dir.path(), "run", TOY, &data);
    sitting(&run, &data, 1);
    let (checkpoint, _) = Checkpoint::newest(&run.checkpoints()).unwrap();
    let wider = config::parse(&TOY.replace("sequences = 3", "sequences = 4"), &[FAMILY]).unwrap();
    let error = checkpoint.restore(wider.task(&Device::Cpu).unwrap().as_mut()).unwrap_err();
    assert!(matches!(error, CheckpointError::OtherModel { .. }), "{error}");
    assert!(error.to_string().contains("buffers/hidden/h is [3, 2]; the model's is [4, 2]"), "{error}");
    let wavenet = config::parse(TINY, FAMILIES).unwrap();
    let error = checkpoint.restore(wavenet.task(&Device::Cpu).unwrap().as_mut()).unwrap_err();
    assert!(matches!(error, CheckpointError::OtherModel { .. }), "{error}");
}

#[test]
fn damaged_checkpoints_are_passed_over_and_two_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let run = create(dir.path(), "run", TOY, &data);
    for _ in 0..3 {
        sitting(&run, &data, 1);
    }
    let mut files: Vec<_> = std::fs::read_dir(run.checkpoints()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["step-0000000002.safetensors", "step-0000000003.safetensors"], "and no other file is left");
    let before = Checkpoint::read(&files[0]).unwrap();

    let whole = std::fs::read(&files[1]).unwrap();
    let mut damaged: Vec<Vec<u8>> =
        [0, 7, 8, 100, whole.len() / 2, whole.len() - 1].iter().map(|&length| whole[..length].to_vec()).collect();
    // A bit in the header's state, in the tensors, and in the length of the header.
    for place in [whole.windows(4).position(|text| text == b"seen").unwrap(), whole.len() - 5, 6] {
        damaged.push(whole.clone());
        damaged.last_mut().unwrap()[place] ^= 4;
    }
    for bytes in damaged {
        std::fs::write(&files[1], bytes).unwrap();
        let (found, refused) = Checkpoint::newest(&run.checkpoints()).unwrap();
        assert_eq!(found, before);
        assert!(refused[0].to_string().contains("step-0000000003"), "{refused:?}");
    }
    std::fs::write(&files[0], "").unwrap();
    let error = Checkpoint::newest(&run.checkpoints()).unwrap_err();
    assert!(matches!(error, CheckpointError::NoneLeft { .. }), "{error}");

    // Those of the form before this one are refused with a way out.
    for (file, name) in files.iter().zip(["step-0000000002.checkpoint", "step-0000000003.checkpoint"]) {
        std::fs::rename(file, file.with_file_name(name)).unwrap();
    }
    let error = Checkpoint::newest(&run.checkpoints()).unwrap_err().to_string();
    assert!(error.contains("earlier trainer") && error.contains("--init"), "{error}");
}

#[test]
fn a_registry_that_does_not_know_a_family_says_which_it_knows() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let run = create(dir.path(), "run", TOY, &data);
    let error = Run::open(&run.dir, FAMILIES).unwrap_err().to_string();
    assert!(error.contains("family is \"toy\"; the families are: wavenet"), "{error}");
    // A dataset of another channel count is refused before anything is written.
    let mono = common::tones(&dir.path().join("mono"), &[400, 300]);
    let error = Run::create(&dir.path().join("x"), config::parse(TOY, &[FAMILY]).unwrap(), &mono, false).unwrap_err();
    assert!(error.to_string().contains("--channels 2"), "{error}");
    // What a family does not do, it says.
    sitting(&run, &data, 1);
    let file = dir.path().join("toy.continuo");
    assert!(export::draft(&run, &file).unwrap_err().to_string().contains("toys are not exported"));
}
