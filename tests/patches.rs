//! The shipped patches: each is whole, and everything that it names is here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use continuo::params::ContinuoParams;
use continuo::patch::{Patch, Value};
use continuo_package::Package;
use continuo_package::hash::sha256_hex_of_file;

fn presets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("presets")
}

fn patches() -> Vec<(PathBuf, Patch)> {
    let files = std::fs::read_dir(presets().join("patches")).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), Patch::read(&path).unwrap())).collect()
}

#[test]
fn every_shipped_patch_names_what_is_shipped_and_what_is_known() {
    let params = ContinuoParams::default();
    let patches = patches();
    assert!(patches.len() >= 12, "{} patches", patches.len());
    for (path, patch) in &patches {
        let at = path.display();
        assert!(!patch.author.is_empty() && !patch.category.is_empty() && !patch.description.is_empty(), "{at}");
        assert!(!patch.features.is_empty(), "{at}");
        let model = patch.model.as_ref().unwrap_or_else(|| panic!("{at} names no model"));
        let file = presets().join("models").join(&model.file);
        Package::open(&file).unwrap();
        assert_eq!(sha256_hex_of_file(&file).unwrap(), model.sha256, "{at}: {}", model.file);
        assert_eq!(model.path, None, "{at}");
        for id in patch.parameters.keys() {
            assert!(params.knows_in_patches(id), "{at}: {id} is no parameter of a patch");
        }
        let choice = |id: &str| match patch.parameters.get(id) {
            Some(Value::Choice(choice)) => choice.as_str(),
            other => panic!("{at}: {id} is {other:?}"),
        };
        let needs_clip = choice("mode") == "continue" && choice("seed_source") == "clip";
        assert_eq!(patch.clip.is_some(), needs_clip, "{at}");
        if let Some(clip) = &patch.clip {
            assert!(presets().join("seeds").join(&clip.file).is_file(), "{at}: {}", clip.file);
            assert_eq!(clip.path, None, "{at}");
        }
    }
}

#[test]
fn shipped_patches_differ_in_name_and_in_what_they_do_and_every_value_is_taken_as_it_is() {
    let patches = patches();
    let names: BTreeSet<&str> = patches.iter().map(|(_, patch)| patch.name.as_str()).collect();
    assert_eq!(names.len(), patches.len());
    let mut seen: Vec<&Patch> = Vec::new();
    for (path, patch) in &patches {
        let same = |other: &&&Patch| {
            (&other.parameters, &other.clip, &other.model) == (&patch.parameters, &patch.clip, &patch.model)
        };
        assert!(!seen.iter().any(|other| same(&other)), "{} is another patch again", path.display());
        seen.push(patch);
        // A value that is clamped, or of the wrong kind, does not come back.
        let params = ContinuoParams::default();
        let turns = params.turns_to(&patch.parameters);
        params.put(&turns.into_iter().map(|turn| (turn.id, turn.after)).collect::<Vec<_>>());
        let values = params.patch_values();
        for (id, value) in &patch.parameters {
            let same = match (&values[id], value) {
                // Hosts turn parameters by numbers from 0 to 1, and some of ours are skewed.
                (Value::Number(one), Value::Number(other)) => (one - other).abs() <= 1e-4 * other.abs().max(1.0),
                (one, other) => one == other,
            };
            assert!(same, "{}: {id} is {:?}", path.display(), values[id]);
        }
    }
}
