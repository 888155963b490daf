//! Values: typed, dragged, chosen; what means nothing to a model; what a model brings along.

use std::sync::Arc;

use continuo_package::{Defaults, Manifest, Package, PackageWriter};
use egui::accesskit::Role;
use egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use nice_plug::prelude::Param as _;

use super::Bench;
use crate::params::{LengthUnit, Mode};
use crate::session::{Abilities, FileChoice, ModelCard, Setting, Suggestion};

#[test]
fn a_value_is_typed_after_a_double_click_and_nonsense_is_refused() {
    let mut bench = Bench::open();
    let at = bench.middle("Wildness");
    for _ in 0..2 {
        bench.press_and_release(at, Modifiers::NONE);
    }
    bench.harness.run();
    assert_eq!(bench.gestures(), []);
    bench.type_and_press("warm", Key::Enter);
    assert_eq!(bench.gestures(), []);
    bench.harness.get_by_role(Role::TextInput);

    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    bench.type_and_press("70 %", Key::Enter);
    assert!((bench.params.wildness.value() - 70.0).abs() < 1e-6);
    let gestures = bench.gestures();
    assert_eq!(gestures.len(), 1);
    assert_eq!(gestures[0].0, bench.params.wildness.as_ptr());
    assert!(bench.harness.query_by_role(Role::TextInput).is_none());
}

#[test]
fn escape_leaves_a_value_as_it_was() {
    let mut bench = Bench::open();
    let at = bench.middle("Wildness");
    for _ in 0..2 {
        bench.press_and_release(at, Modifiers::NONE);
    }
    bench.harness.run();
    bench.type_and_press("20", Key::Escape);
    assert!(bench.harness.query_by_role(Role::TextInput).is_none());
    assert!((bench.params.wildness.value() - 50.0).abs() < 1e-6);
    assert_eq!(bench.gestures(), []);
}

#[test]
fn dragging_is_one_gesture_and_control_click_resets() {
    let mut bench = Bench::open();
    let at = bench.middle("Wildness");
    bench.pointer(at, Some(true), Modifiers::NONE);
    for step in 1..=10 {
        bench.pointer(at - vec2(5.0 * step as f32, 0.0), None, Modifiers::NONE);
    }
    bench.pointer(at - vec2(50.0, 0.0), Some(false), Modifiers::NONE);
    bench.harness.run();
    let dragged = bench.params.wildness.value();
    assert!(dragged > 20.0 && dragged < 40.0, "{dragged}");
    let gestures = bench.gestures();
    assert_eq!(gestures.len(), 1);
    assert!(gestures[0].1.len() >= 5 && gestures[0].1.is_sorted_by(|a, b| a >= b));

    bench.press_and_release(at, Modifiers::COMMAND);
    bench.harness.run();
    assert!((bench.params.wildness.value() - 50.0).abs() < 1e-6);
    assert_eq!(bench.gestures().len(), 1);
}

#[test]
fn segments_and_switches_set_their_parameters() {
    let mut bench = Bench::open();
    bench.click("From silence");
    bench.click("Bars");
    bench.click("Play seed");
    assert_eq!(bench.params.mode.value(), Mode::Unconditional);
    assert_eq!(bench.params.length_unit.value(), LengthUnit::Bars);
    assert!(!bench.params.play_seed.value());
    assert_eq!(bench.gestures().len(), 3);
    // What is chosen already is not chosen again.
    bench.click("Bars");
    assert_eq!(bench.gestures(), []);
}

/// Gives the keyboard to what has this name.
fn focus(bench: &mut Bench, name: &str) {
    bench.harness.get_by_label(name).focus();
    bench.harness.run();
}

#[test]
fn a_value_is_turned_from_the_keyboard_alone() {
    let mut bench = Bench::open();
    focus(&mut bench, "Wildness");
    let mut press = |key, wanted: f32| {
        bench.harness.key_press(key);
        bench.harness.run();
        let now = bench.params.wildness.value();
        assert!((now - wanted).abs() < 1e-4, "{key:?}: {now}");
    };
    press(Key::ArrowRight, 52.0);
    press(Key::ArrowUp, 54.0);
    press(Key::ArrowLeft, 52.0);
    press(Key::ArrowDown, 50.0);
    press(Key::PageDown, 30.0);
    press(Key::PageUp, 50.0);
    press(Key::End, 100.0);
    press(Key::ArrowRight, 100.0);
    press(Key::Home, 0.0);
    press(Key::Delete, 50.0);
    assert_eq!(bench.gestures().len(), 9, "one for each that changed something");
    bench.harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    bench.harness.run();
    assert!((bench.params.wildness.value() - 51.0).abs() < 1e-4, "a fine step: {}", bench.params.wildness.value());
    bench.harness.key_press(Key::Enter);
    bench.harness.run();
    bench.harness.get_by_role(Role::TextInput);
    bench.type_and_press("35", Key::Enter);
    assert!((bench.params.wildness.value() - 35.0).abs() < 1e-4);
    // The bar has the keyboard again.
    bench.harness.key_press(Key::ArrowRight);
    bench.harness.run();
    assert!((bench.params.wildness.value() - 37.0).abs() < 1e-4);
}

#[test]
fn a_length_is_typed_with_its_unit() {
    let mut bench = Bench::open();
    for (text, value, unit) in [
        ("4 bars", 4.0, LengthUnit::Bars),
        ("6", 6.0, LengthUnit::Bars),
        ("2.5 s", 2.5, LengthUnit::Seconds),
        ("1 bar", 1.0, LengthUnit::Bars),
        ("12 seconds", 12.0, LengthUnit::Seconds),
    ] {
        focus(&mut bench, "Length");
        bench.harness.key_press(Key::Enter);
        bench.harness.run();
        bench.type_and_press(text, Key::Enter);
        assert!((bench.params.length.value() - value).abs() < 1e-4, "{text}: {}", bench.params.length.value());
        assert_eq!(bench.params.length_unit.value(), unit, "{text}");
    }
}

#[test]
fn everything_that_is_operated_is_reached_with_the_tab_key() {
    let mut bench = Bench::open();
    let mut reached = std::collections::HashSet::new();
    for _ in 0..60 {
        bench.harness.key_press(Key::Tab);
        bench.harness.run();
        let focused = bench.harness.root().children_recursive().find(|node| node.accesskit_node().is_focused());
        reached.extend(focused.and_then(|node| node.accesskit_node().label()));
    }
    for name in [
        "Window size",
        "Model…",
        "Renderer",
        "Continue",
        "From silence",
        "Clip",
        "Sidechain",
        "Play the chosen clip",
        "Seed clip…",
        "Length",
        "Seconds",
        "Bars",
        "Wildness",
        "Temperature and top-k",
        "RNG seed",
        "New RNG seed",
        "Lock RNG seed",
        "Variations",
        "Timeline",
        "MIDI",
        "Start",
        "Play seed",
        "Gain",
        "Render",
    ] {
        assert!(reached.contains(name), "{name} is not reached: {reached:?}");
    }
}

/// A model of which somebody says what it can do.
fn card(abilities: Abilities) -> Arc<ModelCard> {
    Arc::new(ModelCard::new(abilities, Suggestion::default()))
}

#[test]
fn what_means_nothing_to_the_model_is_disabled_and_says_why() {
    let mut bench = Bench::open();
    let disabled = |bench: &Bench, name: &str| bench.harness.get_by_label(name).accesskit_node().is_disabled();
    let bars = ["Length", "Wildness", "RNG seed", "Variations"];
    let all = Abilities {
        channels: 1,
        can_continue: true,
        can_begin: true,
        classes: Vec::new(),
        fixed_frames: None,
        settings: Setting::ALL.into(),
    };
    bench.params.session.post(|snapshot| snapshot.card = Some(card(all.clone())));
    bench.harness.run();
    for name in bars.into_iter().chain(["Continue", "From silence", "Bars"]) {
        assert!(!disabled(&bench, name), "{name}");
    }
    // A model that knows several kinds of recordings offers them by name; others offer nothing.
    assert!(bench.harness.query_by_value("grand").is_none());
    let classes = ["grand", "upright"].map(String::from).to_vec();
    bench.params.session.post(|snapshot| snapshot.card = Some(card(Abilities { classes, ..all.clone() })));
    bench.harness.run();
    assert!(bench.harness.query_by_value("grand").is_some(), "the first of them");
    // One that knows neither temperature nor length and makes phrases out of nothing alone.
    let settings = [Setting::RngSeed, Setting::Variations].into();
    let few = Abilities { can_continue: false, fixed_frames: Some(16_384), settings, ..all.clone() };
    bench.params.session.post(|snapshot| snapshot.card = Some(card(few)));
    bench.harness.run();
    for name in ["Length", "Bars", "Wildness", "Continue"] {
        assert!(disabled(&bench, name), "{name}");
    }
    for name in ["RNG seed", "Variations", "From silence", "Gain"] {
        assert!(!disabled(&bench, name), "{name}");
    }
    bench.click("Bars");
    let at = bench.middle("Wildness");
    bench.press_and_release(at, Modifiers::COMMAND);
    bench.pointer(at, Some(true), Modifiers::NONE);
    bench.pointer(at + vec2(50.0, 0.0), Some(false), Modifiers::NONE);
    assert_eq!(bench.gestures(), [], "what is disabled changes nothing");
    // The reason comes when the pointer rests.
    for (name, reason) in [("Wildness", "there is no temperature"), ("Continue", "cannot carry on from a clip")] {
        let at = bench.middle(name);
        bench.pointer(at, None, Modifiers::NONE);
        for _ in 0..120 {
            bench.harness.step();
        }
        bench.harness.get_by_label_contains(reason);
    }
    // Another model brings them back.
    bench.params.session.post(|snapshot| snapshot.card = Some(card(all)));
    bench.harness.run();
    assert!(!disabled(&bench, "Wildness"));
}

#[test]
fn a_model_that_is_chosen_brings_its_own_settings_once() {
    let folder = tempfile::tempdir().unwrap();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/packages/piano-16k-format1.continuo");
    let package = Package::open(golden.as_ref()).unwrap();
    let path = folder.path().join("daring.continuo");
    let defaults = Defaults { temperature: Some(0.75), top_k: Some(40), noise: None };
    let mut writer = PackageWriter::new(Manifest { defaults, ..package.manifest }, package.licence);
    for (id, graph) in package.graphs {
        writer = writer.graph(id, graph);
    }
    writer.write(&path).unwrap();

    let mut bench = Bench::open();
    let choice = FileChoice::chosen(path);
    bench.params.session.post(|snapshot| snapshot.model = choice.clone());
    // Read because an editor looks: what the user has set stays.
    bench.params.session.describe(&choice, false);
    bench.harness.run();
    assert_eq!(bench.gestures(), []);
    assert!(bench.params.session.snapshot().card.is_some());
    // Chosen by the user.
    bench.params.session.describe(&choice, true);
    bench.harness.run();
    assert!((bench.params.temperature.value() - 0.75).abs() < 1e-6);
    assert_eq!(bench.params.top_k.value(), 40);
    assert_eq!(bench.gestures().len(), 2);
    bench.harness.run();
    assert_eq!(bench.gestures(), []);
}

#[test]
fn the_numbers_behind_the_wildness_are_in_a_popup() {
    let mut bench = Bench::open();
    assert!(bench.harness.query_by_label("Temperature").is_none());
    bench.click("Temperature and top-k");
    let at = bench.middle("Temperature");
    // A click right after another one elsewhere would count as the second of two.
    for _ in 0..30 {
        bench.harness.step();
    }
    for _ in 0..2 {
        bench.press_and_release(at, Modifiers::NONE);
    }
    bench.harness.run();
    bench.harness.get_by_role(Role::TextInput);
    bench.type_and_press("0.8", Key::Enter);
    assert!((bench.params.temperature.value() - 0.8).abs() < 1e-6);
    bench.harness.get_by_label_contains("With this wildness: temperature 0.80, top-k 64");
}

#[test]
fn codes_have_numbers_of_their_own_where_the_model_has_codes() {
    for (settings, is_there) in [(Setting::ALL.into(), true), ([Setting::Temperature, Setting::TopK].into(), false)] {
        let mut bench = Bench::open();
        let abilities = Abilities {
            channels: 1,
            can_continue: true,
            can_begin: true,
            classes: Vec::new(),
            fixed_frames: None,
            settings,
        };
        bench.params.session.post(|snapshot| snapshot.card = Some(card(abilities)));
        bench.harness.run();
        bench.click("Temperature and top-k");
        for name in ["Code temperature", "Code top-k"] {
            assert_eq!(bench.harness.query_by_label(name).is_some(), is_there, "{name}");
        }
    }
}

#[test]
fn the_die_picks_another_rng_seed() {
    let mut bench = Bench::open();
    let before = bench.params.rng_seed.value();
    bench.click("New RNG seed");
    assert_ne!(bench.params.rng_seed.value(), before);
    assert_eq!(bench.gestures().len(), 1);
}
