//! What lies in a run's folder, or should not: leftovers, broken files, files of somebody else.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use common::library;
use common::program::{CPU, done, refused, train, trainer};
use continuo_trainer::training::run::Run;

/// A run of twelve steps.
fn trained(dir: &Path) -> PathBuf {
    let (config, data, run) = train(dir, &[]);
    done(&[&"train", &config, &"--data", &data, &"--out", &run, &CPU]);
    run
}

#[test]
fn a_broken_configuration_can_be_deleted_and_an_empty_one_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(dir.path());
    let file = run.join("config.toml");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, "[nonsense").unwrap();
    let said = refused(&[&"resume", &run, &CPU]);
    assert!(said.contains("config.toml") && said.contains("Or delete the file"), "{said}");
    std::fs::write(&file, "").unwrap();
    let said = done(&[&"resume", &run, &CPU]);
    assert!(said.contains("made anew"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), whole);
}

#[test]
fn a_line_of_the_log_that_is_no_text_costs_itself_alone() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(dir.path());
    let file = run.join("log.jsonl");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"\xff\n{\"event\"").unwrap();
    done(&[&"resume", &run, &CPU]);
    let after = std::fs::read_to_string(&file).unwrap();
    assert!(after.starts_with(&before) && after.lines().all(|line| line.starts_with("{\"event\"")), "{after}");
}

#[test]
fn somebody_s_own_files_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data, _) = train(dir.path(), &[]);
    for name in ["config.toml", "log.jsonl"] {
        let own = dir.path().join(name.replace('.', "-"));
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join(name), "mine").unwrap();
        let said = refused(&[&"train", &config, &"--data", &data, &"--out", &own, &CPU, &"--force"]);
        assert!(said.contains(name) && said.contains("--out"), "{said}");
        assert_eq!(std::fs::read_to_string(own.join(name)).unwrap(), "mine");
    }
}

#[test]
fn what_a_killed_preview_leaves_is_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(dir.path());
    let scratch = run.join("previews/.continuo-x.part");
    std::fs::create_dir_all(&scratch).unwrap();
    std::fs::write(scratch.join("preview.continuo"), "half").unwrap();
    std::fs::write(run.join("previews/.continuo-y.part"), "half").unwrap();
    std::fs::write(run.join("previews/notes.txt"), "mine").unwrap();
    done(&[&"resume", &run, &CPU]);
    let names = std::fs::read_dir(run.join("previews")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(
        names.iter().any(|name| name == "notes.txt") && !names.iter().any(|name| name.starts_with('.')),
        "{names:?}"
    );
}

#[test]
fn a_sitting_that_ends_with_an_error_says_so_in_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data, run) = train(dir.path(), &[("batch = 3", "batch = 3\noptimiser = \"sgd\"")]);
    let text = std::fs::read_to_string(&config).unwrap();
    let rate = text.lines().find(|line| line.starts_with("learning_rate")).unwrap();
    std::fs::write(&config, text.replace(rate, "learning_rate = 1e30")).unwrap();
    let said = refused(&[&"train", &config, &"--data", &data, &"--out", &run, &CPU]);
    assert!(said.contains("config.toml"), "where to change it: {said}");
    let log = std::fs::read_to_string(run.join("log.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "stop");
    assert!(last["reason"].as_str().unwrap().contains("step"), "{last}");
}

#[test]
fn a_checkpoint_means_its_run_and_a_package_in_a_run_itself() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(dir.path());
    let checkpoint = run.join("checkpoints/step-0000000012.safetensors");
    let package = run.join("model.continuo");
    assert!(Run::is_meant(&run) && Run::is_meant(&checkpoint) && Run::is_meant(&run.join("log.jsonl")));
    assert!(!Run::is_meant(&package) && !Run::is_meant(&dir.path().join("tiny.toml")));
    let wav = dir.path().join("sound.wav");
    let mut render = trainer(&[&"render", &checkpoint, &"--seconds", &"0.05", &"--out", &wav]);
    assert!(render.env("CONTINUO_ONNXRUNTIME", library()).status().unwrap().success() && wav.is_file());
    #[cfg(unix)]
    {
        let link = dir.path().join("newest");
        std::os::unix::fs::symlink(&checkpoint, &link).unwrap();
        done(&[&"resume", &link, &CPU]);
    }
}
