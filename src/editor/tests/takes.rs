//! The list of takes, their lanes, undo.

use std::sync::Arc;

use egui::Key;
use egui::Modifiers;
use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::{Bench, take};
use crate::params::{LengthUnit, Mode};
use crate::session::{Collapse, CollapseKind, Command, Deed, Sound, Status, TakeEntry, TakeId, TakeOverview};

#[test]
fn a_click_on_a_lane_makes_it_play() {
    let mut bench = Bench::open();
    bench.params.session.post(|snapshot| snapshot.take = Some(Arc::new(take(1))));
    bench.harness.run();
    bench.params.session.post(|snapshot| snapshot.take = Some(Arc::new(take(4))));
    bench.harness.run();
    bench.click("Variation 4");
    assert_eq!(bench.params.variation.value(), 4);
    let lane = bench.harness.get_by_label("Variation 4");
    assert_eq!(lane.accesskit_node().toggled(), Some(egui::accesskit::Toggled::True));
}

#[test]
fn a_click_on_a_lane_is_heard_from_there_and_the_space_bar_stops_and_starts() {
    let mut bench = Bench::open();
    bench.params.session.post(|snapshot| snapshot.take = Some(Arc::new(take(2))));
    bench.harness.run();
    // A quarter of the lane is the seed clip: 2 of 8 seconds.
    let lane = bench.harness.get_by_label("Variation 2").rect();
    bench.press_and_release(egui::pos2(lane.left() + lane.width() / 4.0, lane.center().y), Modifiers::NONE);
    let [Command::Listen { sound, from_seconds }] = &bench.commands()[..] else { panic!("one command") };
    assert_eq!(*sound, Sound::Take { variation: 1 });
    assert!((from_seconds - 2.0).abs() < 0.05, "{from_seconds}");

    bench.params.session.pretend_to_play(Sound::Take { variation: 1 });
    bench.harness.step();
    bench.harness.get_by_label("Stop variation 2");
    bench.harness.get_by_label("Play variation 1");
    bench.harness.key_press(Key::Space);
    bench.harness.step();
    assert_eq!(bench.commands(), [Command::StopListening]);

    bench.params.session.link.set_auditioned(None);
    bench.harness.key_press(Key::Space);
    bench.harness.step();
    let [Command::Listen { from_seconds, .. }] = &bench.commands()[..] else { panic!("one command") };
    assert!((from_seconds - 2.0).abs() < 0.05, "from where the last click was: {from_seconds}");

    bench.click("Play variation 1");
    assert_eq!(bench.commands(), [Command::Listen { sound: Sound::Take { variation: 0 }, from_seconds: 0.0 }]);
}

/// A take in the list.
fn entry(title: &str, chosen: bool) -> TakeEntry {
    TakeEntry {
        id: TakeId::new(),
        title: title.to_owned(),
        named: false,
        variations: 2,
        stars: 0,
        bits_per_frame: vec![2.25, 3.5],
        seconds: 6.0,
        recipe: "a test".to_owned(),
        chosen,
        before: !chosen,
    }
}

/// An editor with two takes in its list, the second of which is chosen.
pub(super) fn with_takes() -> (Bench, Vec<TakeEntry>) {
    let mut bench = Bench::open();
    let entries = vec![entry("Take 1", false), entry("Take 2", true)];
    let takes = entries.clone();
    bench.params.session.post(|snapshot| {
        snapshot.take = Some(Arc::new(take(2)));
        snapshot.takes = takes.into();
        snapshot.undo = Some(Deed::Render);
    });
    bench.harness.run();
    (bench, entries)
}

#[test]
fn takes_are_chosen_compared_starred_and_deleted_in_the_list() {
    let (mut bench, entries) = with_takes();
    bench.harness.get_by_label("Play variation 2");
    bench.harness.get_by_label_contains("3.50 bits per frame");
    bench.click("Take 1");
    assert_eq!(bench.commands(), [Command::ChooseTake(entries[0].id)]);
    // It has the keyboard now.
    for (key, command) in [
        (Key::ArrowUp, Command::ChooseTake(entries[1].id)),
        (Key::ArrowDown, Command::ChooseTake(entries[0].id)),
        (Key::Delete, Command::DeleteTake(entries[0].id)),
    ] {
        bench.harness.key_press(key);
        bench.harness.step();
        assert_eq!(bench.commands(), [command]);
    }
    bench.click("A/B");
    assert_eq!(bench.commands(), [Command::CompareTakes]);
    bench.click("Star variation 2");
    assert_eq!(bench.commands(), [Command::Star { take: entries[1].id, variation: 1, on: true }]);
    bench.click("Undo");
    bench.click("Redo");
    assert_eq!(bench.commands(), [Command::Undo], "there is nothing to be done again");
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    bench.harness.step();
    bench.harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    bench.harness.step();
    assert_eq!(bench.commands(), [Command::Undo, Command::Redo]);
}

#[test]
fn what_was_turned_is_undone_and_done_again_through_the_host() {
    let (mut bench, _) = with_takes();
    bench.click("Bars");
    bench.click("Play seed");
    bench.gestures();
    bench.click("Undo");
    assert!(bench.params.play_seed.value());
    bench.click("Undo");
    assert_eq!(bench.params.length_unit.value(), LengthUnit::Seconds);
    bench.click("Redo");
    assert_eq!(bench.params.length_unit.value(), LengthUnit::Bars);
    assert_eq!(bench.gestures().len(), 3);
    assert_eq!(bench.commands(), []);
}

#[test]
fn a_take_gets_a_name_where_it_stands_in_the_list() {
    let (mut bench, entries) = with_takes();
    let at = bench.middle("Take 2");
    for _ in 0..2 {
        bench.press_and_release(at, Modifiers::NONE);
    }
    bench.harness.run();
    bench.harness.get_by_role(Role::TextInput);
    bench.type_and_press("Bridge", Key::Enter);
    assert_eq!(bench.commands(), [Command::RenameTake(entries[1].id, "Bridge".to_owned())]);
    assert!(bench.harness.query_by_role(Role::TextInput).is_none());
    bench.harness.key_press(Key::F2);
    bench.harness.run();
    bench.type_and_press("Chorus", Key::Escape);
    assert_eq!(bench.commands(), []);
}

#[test]
fn a_take_in_the_making_stands_above_the_others() {
    let (mut bench, entries) = with_takes();
    assert!(bench.harness.query_by_label("The take in the making").is_none());
    bench.params.session.post(|snapshot| {
        snapshot.live = Some(false);
        snapshot.status = Status::Rendering { progress: 0.5, seconds_left: None, speed: 1.0 };
    });
    bench.harness.step();
    bench.harness.get_by_label("The take in the making").click();
    bench.harness.step();
    bench.harness.step();
    assert_eq!(bench.commands(), [Command::ShowLive]);
    bench.params.session.post(|snapshot| snapshot.live = Some(true));
    bench.harness.step();
    assert!(bench.harness.query_by_label("Star variation 1").is_none(), "it has no stars yet");
    bench.harness.get_by_label("Take 2").click();
    bench.harness.step();
    bench.harness.step();
    assert_eq!(bench.commands(), [Command::ChooseTake(entries[1].id)], "the chosen one is not shown now");
}

#[test]
fn sixteen_lanes_are_scrolled_and_arrow_keys_go_through_them() {
    let mut bench = Bench::open();
    bench.params.session.post(|snapshot| snapshot.take = Some(Arc::new(take(16))));
    bench.harness.run();
    bench.harness.get_by_label("Variation 1");
    assert!(bench.harness.query_by_label("Variation 16").is_none(), "it is below what is seen");
    for _ in 0..15 {
        bench.harness.key_press(Key::ArrowDown);
        bench.harness.run();
    }
    assert_eq!(bench.params.variation.value(), 16);
    bench.harness.get_by_label("Variation 16");
    assert!(bench.harness.query_by_label("Variation 1").is_none());
}

#[test]
fn a_render_picks_another_number_for_the_next_one_unless_it_is_locked() {
    let mut bench = Bench::open();
    let before = bench.params.rng_seed.value();
    bench.click("Render");
    let after = bench.params.rng_seed.value();
    assert_ne!(before, after);
    bench.click("Lock RNG seed");
    bench.click("Render");
    assert_eq!(bench.params.rng_seed.value(), after);
    bench.harness.get_by_label("Unlock RNG seed");
}

#[test]
fn a_take_is_extended_from_its_end() {
    let (mut bench, _) = with_takes();
    bench.click("From silence");
    bench.click("Extend");
    let extend = Command::SeedFromTake { variation: 0, until_seconds: None, render: true };
    assert_eq!(bench.commands(), [extend]);
    assert_eq!(bench.params.mode.value(), Mode::Continue);
}

#[test]
fn a_variation_that_becomes_noise_is_rendered_on_from_the_last_good_second() {
    let (mut bench, _) = with_takes();
    let noise = Collapse { kind: CollapseKind::Noise, at_seconds: 4.0 };
    let spoilt = TakeOverview { collapses: vec![None, Some(noise)], ..take(2) };
    bench.params.session.post(|snapshot| snapshot.take = Some(Arc::new(spoilt)));
    bench.harness.run();
    bench.click("Variation 2 is noise from 6.0 s on");
    assert_eq!(
        bench.commands(),
        [Command::SeedFromTake { variation: 1, until_seconds: Some(5.0), render: true }],
        "two seconds of seed clip come first"
    );
}

#[test]
fn a_take_is_cropped_where_the_menu_was_opened() {
    let (mut bench, _) = with_takes();
    let lane = bench.harness.get_by_label("Variation 2").rect();
    let at = egui::pos2(lane.left() + lane.width() / 2.0, lane.center().y);
    for (entry, from) in [("Crop: a take from", true), ("Crop: a take up to", false)] {
        for pressed in [true, false] {
            let (button, modifiers) = (egui::PointerButton::Secondary, Modifiers::NONE);
            bench.harness.event(egui::Event::PointerMoved(at));
            bench.harness.event(egui::Event::PointerButton { pos: at, button, pressed, modifiers });
            bench.harness.step();
        }
        bench.harness.run();
        bench.harness.get_by_label_contains(entry).click();
        bench.harness.run();
        let commands = bench.commands();
        let Some(Command::CropTake { variation, begin_seconds, end_seconds }) = commands.last() else {
            panic!("{commands:?}")
        };
        assert_eq!((*variation, begin_seconds.is_some(), end_seconds.is_some()), (1, from, !from));
        let seconds = begin_seconds.or(*end_seconds).unwrap();
        assert!((seconds - 4.0).abs() < 0.02, "{seconds}");
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn a_variation_is_carried_out_by_its_grip_and_copied_by_key_and_menu() {
    let (mut bench, _) = with_takes();
    let written = |bench: &Bench| {
        let commands = bench.commands();
        assert!(commands.len() <= 1, "{commands:?}");
        commands.into_iter().next().map(|command| match command {
            Command::WriteOut { variation, .. } => variation,
            other => panic!("{other:?}"),
        })
    };
    let grip = bench.middle("Drag variation 2");
    bench.press_and_release(grip, Modifiers::NONE);
    assert_eq!(written(&bench), None, "a click drags nothing");
    bench.pointer(grip, Some(true), Modifiers::NONE);
    for step in 1_u8..8 {
        bench.pointer(grip + egui::vec2(f32::from(step) * 5.0, 0.0), None, Modifiers::NONE);
    }
    assert_eq!(written(&bench), Some(1));
    bench.pointer(grip, Some(false), Modifiers::NONE);

    bench.harness.event(egui::Event::Copy);
    bench.harness.step();
    assert_eq!(written(&bench), Some(0), "the one that plays");
    // Who types copies text.
    bench.click("Export…");
    bench.commands();
    bench.harness.get_by_role(Role::TextInput).focus();
    bench.harness.step();
    bench.harness.event(egui::Event::Copy);
    bench.harness.step();
    assert_eq!(written(&bench), None);
    // A take in the making is no file yet.
    bench.params.session.post(|snapshot| snapshot.live = Some(true));
    bench.harness.step();
    assert!(bench.harness.query_by_label("Drag variation 2").is_none());
}

#[test]
fn variations_and_takes_are_sorted_by_likelihood() {
    let (mut bench, mut takes) = with_takes();
    takes[1].bits_per_frame = vec![3.5, 2.0];
    takes[0].bits_per_frame = vec![1.5, 4.0];
    let shown = takes.clone();
    bench.params.session.post(|snapshot| snapshot.takes = shown.into());
    bench.harness.run();
    let top = |bench: &Bench, name: &str| bench.harness.get_by_label(name).rect().top();
    assert!(top(&bench, "Variation 1") < top(&bench, "Variation 2"));
    bench.click("Likeliest first");
    assert!(top(&bench, "Variation 2") < top(&bench, "Variation 1"));
    // The arrow keys follow what is seen.
    assert_eq!(bench.params.variation.value(), 1);
    bench.harness.key_press(Key::ArrowUp);
    bench.harness.run();
    assert_eq!(bench.params.variation.value(), 2);

    assert!(top(&bench, "Take 2") < top(&bench, "Take 1"), "the newest is first");
    bench.click("Order of the takes");
    bench.harness.get_by_role_and_label(Role::Button, "Likeliest first").click();
    bench.harness.run();
    assert!(top(&bench, "Take 1") < top(&bench, "Take 2"));
}

#[test]
fn a_take_in_the_list_tells_its_length_in_bars_and_plays_with_the_space_bar() {
    let (mut bench, takes) = with_takes();
    bench.commands();
    bench.harness.get_by_label("Take 2").focus();
    bench.harness.run();
    bench.harness.key_press(Key::Space);
    bench.harness.run();
    let sound = Sound::Take { variation: 0 };
    assert_eq!(bench.commands(), [Command::Listen { sound, from_seconds: 0.0 }]);
    assert_eq!(takes.len(), 2);
}

#[test]
fn a_spectrum_is_drawn_when_it_is_asked_for() {
    let (mut bench, takes) = with_takes();
    bench.click("Spectrum");
    bench.click("Spectrum");
    bench.click("Spectrum");
    let drawn = crate::session::Spectrogram {
        take: takes[1].id,
        variation: 0,
        columns: 4,
        rows: 2,
        shades: vec![0, 80, 160, 255, 255, 160, 80, 0],
        lowest_hz: 40.0,
        highest_hz: 8_000.0,
    };
    assert!(bench.harness.state().spectra.drawn.is_none());
    bench.params.session.post(|snapshot| snapshot.spectrogram = Some(Arc::new(drawn)));
    bench.harness.run();
    assert!(bench.harness.state().spectra.drawn.is_some());
    let lane = |bench: &Bench, name: &str| bench.harness.get_by_label(name).rect().height();
    assert!(lane(&bench, "Variation 1") > 4.0 * lane(&bench, "Variation 2"), "it is enlarged");
}
