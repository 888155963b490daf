//! A run's folder: found however it is named, made whole, moved, kept to one trainer, and safe from kills and full disks.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::program::{CPU, done, refused, train, trainer};
use continuo_trainer::random::{Purpose, Random};

/// Losses of the log by their step, as bits; each step once.
fn losses(run: &Path) -> BTreeMap<u64, u64> {
    let text = std::fs::read_to_string(run.join("log.jsonl")).unwrap();
    let mut losses = BTreeMap::new();
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        if event["event"] == "train" {
            let before = losses.insert(event["step"].as_u64().unwrap(), event["loss_nats"].as_f64().unwrap().to_bits());
            assert_eq!(before, None, "step {} stands in the log twice", event["step"]);
        }
    }
    losses
}

#[test]
fn kills_at_any_moment_cost_no_bit() {
    let kills: u64 = std::env::var("CONTINUO_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let dir = tempfile::tempdir().unwrap();
    let changes = [
        ("steps = 12", "steps = 500\nlog_every_steps = 1\ncheckpoint_minutes = 0.0005"),
        ("every_steps = 4", "every_steps = 40"),
    ];
    let (config, data, run) = train(dir.path(), &changes);
    let whole = dir.path().join("whole");
    done(&[&"train", &config, &"--data", &data, &"--out", &whole, &CPU]);
    let expected = losses(&whole);
    assert_eq!(expected.len(), 500);

    let mut random = Random::new(1, Purpose::named("kills"), 0);
    let mut killed = 0;
    loop {
        // A run begins once: whatever has a checkpoint is resumed.
        let begun = std::fs::read_dir(run.join("checkpoints")).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("step-"))
        });
        let mut command = if begun {
            trainer(&[&"resume", &run, &CPU])
        } else {
            trainer(&[&"train", &config, &"--data", &data, &"--out", &run, &CPU])
        };
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        if killed < kills {
            std::thread::sleep(Duration::from_millis(20 + random.below(180)));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                killed += 1;
                child.wait().unwrap();
                continue;
            }
        }
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        break;
    }
    assert!(killed > 0, "the run was over before anybody could kill it");
    assert_eq!(losses(&run), expected, "after {killed} kills");
    let newest = |run: &Path| std::fs::read(run.join("checkpoints/step-0000000500.safetensors")).unwrap();
    // All tensors: they lie behind the header, which holds the wall time.
    let tensors = |bytes: Vec<u8>| {
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..].to_vec()
    };
    assert!(tensors(newest(&run)) == tensors(newest(&whole)));
    let left: Vec<_> = std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn any_path_that_means_the_run_is_the_run_and_what_is_missing_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data, run) = train(dir.path(), &[("steps = 12", "steps = 2")]);
    let out = dir.path().join("a run with spaces");
    done(&[&"train", &config, &"--data", &data, &"--out", &out, &CPU]);
    let mut steps = 2;
    let slash = format!("{}/", out.display());
    let checkpoint = out.join("checkpoints/step-0000000002.safetensors");
    let places: [&dyn AsRef<std::ffi::OsStr>; 6] =
        [&out, &slash, &checkpoint, &out.join("checkpoints"), &out.join("config.toml"), &out.join("log.jsonl")];
    let more = |place: &dyn AsRef<std::ffi::OsStr>, steps: &mut u64| {
        *steps += 1;
        let said = done(&[&"resume", place, &CPU, &"--steps", &steps.to_string()]);
        assert!(said.contains(&format!("step {steps}: all steps are made")), "{said}");
        said
    };
    for place in places {
        // The checkpoint that a path names need not be the newest: the run is what is meant.
        std::fs::write(&checkpoint, "").unwrap();
        more(place, &mut steps);
    }
    // In the folder itself.
    steps += 1;
    let here = trainer(&[&"resume", &".", &CPU, &"--steps", &steps.to_string()]).current_dir(&out).output().unwrap();
    assert!(here.status.success(), "{}", String::from_utf8_lossy(&here.stderr));

    for damage in ["run.json", "config.toml"] {
        std::fs::remove_file(out.join(damage)).unwrap();
        assert!(more(&out, &mut steps).contains("made anew"));
        assert!(out.join(damage).exists());
    }
    std::fs::write(out.join("run.json"), "").unwrap();
    assert!(more(&out, &mut steps).contains("made anew"));
    // Without run.json it is a run all the same, which `train` does not touch.
    std::fs::remove_file(out.join("run.json")).unwrap();
    assert!(refused(&[&"train", &config, &"--data", &data, &"--out", &out, &CPU]).contains("there is a run already"));
    more(&out, &mut steps);

    for nothing in [dir.path().join("nowhere"), data.clone(), config.clone()] {
        assert!(refused(&[&"resume", &nothing, &CPU]).contains("not a run"));
    }
    // A folder that a refused `train` might have left is no obstacle.
    std::fs::create_dir(&run).unwrap();
    std::fs::write(run.join("run.json"), "").unwrap();
    done(&[&"train", &config, &"--data", &data, &"--out", &run, &CPU]);
}

#[test]
fn damaged_checkpoints_are_passed_over_and_the_loss_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data, run) = train(dir.path(), &[("every_steps = 4", "every_steps = 0")]);
    done(&[&"train", &config, &"--data", &data, &"--out", &run, &CPU]);
    let newest = run.join("checkpoints/step-0000000012.safetensors");
    let whole = std::fs::read(&newest).unwrap();
    let half = &whole[..whole.len() / 2];
    for damaged in [&whole[..0], half, &whole[..whole.len() - 1]] {
        std::fs::write(&newest, damaged).unwrap();
        let said = done(&[&"resume", &run, &CPU]);
        assert!(said.contains("step-0000000012.safetensors") && said.contains("after step 0 "), "{said}");
        // It is there again; the wall time in it has more or fewer digits.
        assert!(std::fs::read(&newest).unwrap().len().abs_diff(whole.len()) < 50);
    }
    std::fs::write(&newest, half).unwrap();
    std::fs::remove_file(run.join("checkpoints/step-0000000000.safetensors")).unwrap();
    let said = refused(&[&"resume", &run, &CPU]);
    assert!(said.contains("no usable checkpoint"), "{said}");
}

#[test]
fn a_run_and_its_dataset_can_be_moved_together_or_apart() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let (config, data, run) = train(&work, &[("steps = 12", "steps = 2")]);
    done(&[&"train", &config, &"--data", &data, &"--out", &run, &CPU]);
    let moved = dir.path().join("moved");
    std::fs::rename(&work, &moved).unwrap();
    let run = moved.join("run");
    done(&[&"resume", &run, &CPU, &"--steps", &"3"]);
    let elsewhere = dir.path().join("elsewhere");
    std::fs::rename(moved.join("data"), &elsewhere).unwrap();
    let said = refused(&[&"resume", &run, &CPU, &"--steps", &"4"]);
    assert!(said.contains("--data"), "{said}");
    done(&[&"resume", &run, &CPU, &"--steps", &"4", &"--data", &elsewhere]);
    // It is remembered.
    done(&[&"resume", &run, &CPU, &"--steps", &"5"]);
}

/// A name that is not Unicode, as an old disk or another system has them.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_unicode_are_names() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let strange = dir.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&strange).unwrap();
    let (config, data, run) = train(&strange, &[("steps = 12", "steps = 2")]);
    done(&[&"train", &config, &"--data", &data, &"--out", &run, &CPU]);
    done(&[&"resume", &run, &CPU, &"--steps", &"3"]);
}

#[test]
fn a_run_has_one_trainer() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data, run) = train(dir.path(), &[("steps = 12", "steps = 100000000")]);
    let arguments: [&dyn AsRef<std::ffi::OsStr>; 7] = [&"train", &config, &"--data", &data, &"--out", &run, &CPU];
    let mut child = trainer(&arguments).stderr(Stdio::null()).spawn().unwrap();
    while !run.join("log.jsonl").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the program ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    for command in [&[&"resume" as &dyn AsRef<std::ffi::OsStr>, &run, &CPU][..], &arguments] {
        let said = refused(command);
        assert!(said.contains("another trainer (process"), "{said}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    done(&[&"resume", &run, &CPU, &"--minutes", &"0.0001"]);
}

#[test]
fn what_cannot_begin_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data, run) = train(dir.path(), &[("chunk_frames = 400", "chunk_frames = 100000")]);
    let said = refused(&[&"train", &config, &"--data", &data, &"--out", &run, &CPU]);
    assert!(said.contains("100000 frames") && !run.exists(), "{said}");
    // Nor does what begins take anything away that is no part of a run.
    let shared = dir.path().join("shared");
    std::fs::create_dir_all(shared.join("events")).unwrap();
    std::fs::write(shared.join("events/mine.txt"), "mine").unwrap();
    let (tiny, ..) = train(dir.path(), &[("steps = 12", "steps = 1")]);
    done(&[&"train", &tiny, &"--data", &data, &"--out", &shared, &CPU, &"--force"]);
    assert_eq!(std::fs::read_to_string(shared.join("events/mine.txt")).unwrap(), "mine");
    // Recordings that are too short beside others that are not are told.
    let (config, ..) = train(dir.path(), &[("chunk_frames = 400", "chunk_frames = 2000"), ("steps = 12", "steps = 1")]);
    let said = done(&[&"train", &config, &"--data", &data, &"--out", &run, &CPU]);
    assert!(said.contains("2 recordings") && said.contains("never used"), "{said}");
}

/// A disk of 20 MB that fills up. Needs a system that lets the tests mount one.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_a_checkpoint_and_not_the_training() {
    struct Mounted(PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).output();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let small = dir.path().join("disk");
    std::fs::create_dir(&small).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=20m", "tmpfs"]).arg(&small).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        eprintln!("not tested: a disk cannot be mounted here");
        return;
    }
    let mounted = Mounted(small.clone());
    let changes = [("steps = 12", "steps = 40\ncheckpoint_minutes = 1e-9"), ("every_steps = 4", "every_steps = 0")];
    let (config, data, _) = train(dir.path(), &changes);
    let run = small.join("run");
    done(&[&"train", &config, &"--data", &data, &"--out", &run, &CPU, &"--steps", &"3"]);
    let filler = small.join("filler");
    // What is left is less than a checkpoint.
    let _ = std::fs::write(&filler, vec![1; 64 << 20]);
    let said = refused(&[&"resume", &run, &CPU, &"--steps", &"20"]);
    assert!(said.contains("Training goes on") && said.contains("step 20") && said.contains("is of step 3"), "{said}");
    // With room again, it goes on from there.
    std::fs::remove_file(&filler).unwrap();
    let said = done(&[&"resume", &run, &CPU, &"--steps", &"20"]);
    assert!(said.contains("step 20: all steps are made"), "{said}");
    drop(mounted);
}
