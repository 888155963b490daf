//! The browsers of patches and of models.

use std::path::PathBuf;

use egui::Key;
use egui_kittest::kittest::Queryable as _;
use nice_plug::prelude::Param as _;

use super::Bench;
use crate::editor::library::{Entry, Listing, PatchEntry};
use crate::patch::{Patch, Resolved, Value};
use crate::session::{Command, ModelFacts, Sound};

fn patch(name: &str, category: &str, own: bool) -> PatchEntry {
    PatchEntry {
        name: name.to_owned(),
        category: category.to_owned(),
        description: format!("What {name} does"),
        path: PathBuf::from(format!("/patches/{name}.continuo-patch")),
        own,
        trouble: None,
    }
}

impl Bench {
    /// Opens a popup that then shows this.
    fn open_with(&mut self, button: &str, listing: Listing) {
        self.click(button);
        // The popup has everything listed anew, which would replace what a test puts there.
        crate::threads::join_all();
        self.harness.state_mut().library.put(listing);
        self.harness.run();
    }
}

fn listing() -> Listing {
    let patches = vec![patch("Pad", "Keys", false), patch("Étude", "Carry on", false), patch("Mine", "", true)];
    Listing { patches, ..Listing::default() }
}

#[test]
fn a_patch_is_found_by_its_words_and_loaded_by_a_click() {
    let mut bench = Bench::open();
    bench.open_with("Patch…", listing());
    for shown in ["Keys", "Carry on", "Your own", "Pad", "Étude", "Mine"] {
        bench.harness.get_by_label(shown);
    }
    bench.harness.get_by_label("Search patches").focus();
    bench.harness.run();
    bench.harness.event(egui::Event::Text("étude carry".to_owned()));
    bench.harness.run();
    assert!(bench.harness.query_by_label("Pad").is_none());
    bench.click("Étude");
    assert_eq!(bench.commands(), [Command::LoadPatch("/patches/Étude.continuo-patch".into())]);
}

#[test]
fn own_patches_are_renamed_and_deleted_after_a_second_click_and_shipped_ones_are_not() {
    let mut bench = Bench::open();
    bench.open_with("Patch…", listing());
    assert!(bench.harness.query_by_label("Delete Pad").is_none());
    bench.click("Delete Mine");
    assert_eq!(bench.commands(), []);
    bench.click("Really delete Mine");
    assert_eq!(bench.commands(), [Command::DeletePatch("/patches/Mine.continuo-patch".into())]);
    bench.click("Rename");
    bench.type_and_press("Yours", Key::Enter);
    assert_eq!(bench.commands(), [Command::RenamePatch("/patches/Mine.continuo-patch".into(), "Yours".into())]);
}

#[test]
fn the_present_settings_are_saved_under_a_name_and_replace_only_what_the_button_says() {
    let mut bench = Bench::open();
    for (name, button, over) in [("New one", "Save patch", false), ("mine", "Replace", true)] {
        bench.open_with("Patch…", listing());
        bench.harness.get_by_label("Name of the new patch").focus();
        bench.harness.run();
        bench.harness.event(egui::Event::Text(name.to_owned()));
        bench.harness.run();
        bench.click(button);
        assert_eq!(bench.commands(), [Command::SavePatch { name: name.to_owned(), over }]);
    }
}

#[test]
fn what_a_patch_turns_is_asked_of_the_host_once_and_undone_with_it() {
    let mut bench = Bench::open();
    bench.params.session.attach(&bench.params);
    let patch =
        Patch { name: "A".into(), parameters: [("mono".into(), Value::Switch(true))].into(), ..Patch::default() };
    bench.params.session.load_patch(&Resolved { patch, model: None, clip: None, notice: None });
    bench.harness.run();
    // What tells the host that something has changed is a parameter, too.
    let turned = |bench: &Bench| {
        let revision = bench.params.revision.as_ptr();
        let mut gestures = bench.gestures();
        gestures.retain(|(parameter, _)| *parameter != revision);
        gestures
    };
    let mono = bench.params.keys.mono.as_ptr();
    assert_eq!(turned(&bench), [(mono, vec![1.0])]);
    bench.harness.run();
    assert_eq!(turned(&bench), []);
    // The deed is the session's: no turn of a control is noted beside it.
    bench.params.session.go(true).unwrap();
    bench.harness.run();
    assert_eq!(turned(&bench), [(mono, vec![0.0])]);
    assert_eq!(bench.params.session.snapshot().undo, None);
}

#[test]
fn a_models_card_says_what_it_is_and_a_bad_one_what_is_wrong_before_it_is_rendered_with() {
    let mut bench = Bench::open();
    let model = |name: &str| Entry { name: name.to_owned(), path: format!("/models/{name}.continuo").into() };
    let facts = ModelFacts {
        name: "Cello".into(),
        author: "Somebody".into(),
        licence: "CC0-1.0".into(),
        corpus: "an hour of cello".into(),
        corpus_hours: 1.0,
        steps: 1234,
        abilities: vec!["carry on from a clip".into()],
        rate_hz: 16_000,
        channels: 1,
        reach_seconds: 0.25,
        bytes: 2_000_000,
        weights: 100,
    };
    let listing = Listing {
        own_models: vec![model("cello"), model("bad")],
        facts: vec![
            ("/models/cello.continuo".into(), Ok(facts)),
            ("/models/bad.continuo".into(), Err("the package is cut off".into())),
        ],
        ..Listing::default()
    };
    bench.open_with("Model…", listing.clone());
    bench.harness.get_by_label("16 kHz · 1.0 h · CC0-1.0 · 2.0 MB");
    bench.harness.get_by_label("Cannot be used: the package is cut off");
    bench.harness.get_by_label("Play cello").click();
    bench.harness.run();
    let heard = Command::Listen { sound: Sound::Preview("/models/cello.continuo".into()), from_seconds: 0.0 };
    assert_eq!(bench.commands(), [heard]);
    bench.click("cello");
    assert_eq!(bench.commands(), [Command::ChooseModel("/models/cello.continuo".into())]);

    // The chosen one's card is whole.
    bench.params.session.post(|snapshot| {
        snapshot.model.path = Some("/models/cello.continuo".into());
        snapshot.speeds = [("/models/cello.continuo".into(), 3.25)].into();
    });
    bench.open_with("Model…", listing);
    for words in [
        "Can carry on from a clip.",
        "Here: 3.25 × real time",
        "What comes next is decided by the last 0.25 s.",
        "Learnt from: An hour of cello",
        "Trained on 1.0 h, 1234 steps",
        "By Somebody · Licence: CC0-1.0",
    ] {
        bench.harness.get_by_label(words);
    }
}
