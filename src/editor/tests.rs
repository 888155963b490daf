//! The editor as a user operates it, without a window: found by name, clicked, typed into.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod seeds;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use egui::accesskit::Role;
use egui::{Event, Key, Modifiers, PointerButton, Pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use nice_plug::context::PluginApi;
use nice_plug::context::gui::{GuiContext, GuiContextInner};
use nice_plug::params::internals::ParamPtr;
use nice_plug::prelude::{Param as _, PluginState};

use continuo_package::{Defaults, Manifest, Package, PackageWriter};

use super::library::{Entry, Listing};
use super::{State, show, theme};
use crate::params::{ContinuoParams, LengthUnit, Mode};
use crate::session::{
    Abilities, Collapse, CollapseKind, Command, Deed, FileChoice, ModelCard, Peak, Preferences, Setting, Sound, Status,
    Suggestion, TakeEntry, TakeId, TakeOverview,
};

/// What a host hears of a change.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Heard {
    Begin(ParamPtr),
    Set(ParamPtr, f32),
    End(ParamPtr),
}

/// A host that applies every change at once and keeps a record.
struct Host {
    heard: Mutex<Vec<Heard>>,
    // Keeps the parameters alive that the pointers point to.
    _params: Arc<ContinuoParams>,
}

impl GuiContextInner for Host {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Clap
    }

    unsafe fn raw_begin_set_parameter(&self, param: ParamPtr) {
        self.heard.lock().unwrap().push(Heard::Begin(param));
    }

    unsafe fn raw_set_parameter_normalized(&self, param: ParamPtr, normalized: f32) {
        self.heard.lock().unwrap().push(Heard::Set(param, normalized));
        // SAFETY: the pointer is one of `_params`, which this host keeps alive.
        unsafe { param._internal_set_normalized_value(normalized) };
    }

    unsafe fn raw_end_set_parameter(&self, param: ParamPtr) {
        self.heard.lock().unwrap().push(Heard::End(param));
    }

    fn get_state(&self) -> PluginState {
        panic!("the editor has no business with the whole state");
    }

    fn set_state(&self, _state: PluginState) {
        panic!("the editor has no business with the whole state");
    }

    fn request_restart(&self) {
        panic!("the editor never restarts the plugin");
    }
}

/// An open editor.
struct Bench {
    params: Arc<ContinuoParams>,
    host: Arc<Host>,
    harness: Harness<'static, State>,
}

impl Bench {
    fn open() -> Self {
        let params = Arc::new(ContinuoParams::default());
        let host = Arc::new(Host { heard: Mutex::default(), _params: Arc::clone(&params) });
        let context = GuiContext::new(Arc::clone(&host) as Arc<dyn GuiContextInner>);
        let shown = Arc::clone(&params);
        let harness = Harness::builder()
            .with_size(vec2(theme::MIN_SIZE.0, theme::MIN_SIZE.1))
            .with_step_dt(1.0 / 60.0)
            .with_max_steps(30)
            .with_context_setup(theme::apply)
            .build_ui_state(move |ui, state| show(ui, &shown, context.param_setter(), state), State::default());
        let mut bench = Self { params, host, harness };
        bench.harness.run();
        bench
    }

    fn click(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.harness.run();
    }

    fn middle(&self, name: &str) -> Pos2 {
        self.harness.get_by_label(name).rect().center()
    }

    fn pointer(&mut self, at: Pos2, pressed: Option<bool>, modifiers: Modifiers) {
        self.harness.event(Event::PointerMoved(at));
        if let Some(pressed) = pressed {
            self.harness.event_modifiers(
                Event::PointerButton { pos: at, button: PointerButton::Primary, pressed, modifiers },
                modifiers,
            );
        }
        self.harness.step();
    }

    fn press_and_release(&mut self, at: Pos2, modifiers: Modifiers) {
        self.pointer(at, Some(true), modifiers);
        self.pointer(at, Some(false), modifiers);
    }

    fn type_and_press(&mut self, text: &str, key: Key) {
        self.harness.event(Event::Text(text.to_owned()));
        self.harness.step();
        self.harness.key_press(key);
        self.harness.run();
    }

    fn commands(&self) -> Vec<Command> {
        std::iter::from_fn(|| self.params.session.take_command()).map(|(command, _)| command).collect()
    }

    /// What the host heard of since the last call; every change lies between a begin and an end of the same parameter.
    fn gestures(&self) -> Vec<(ParamPtr, Vec<f32>)> {
        let heard = std::mem::take(&mut *self.host.heard.lock().unwrap());
        let mut gestures: Vec<(ParamPtr, Vec<f32>)> = Vec::new();
        let mut open: Option<ParamPtr> = None;
        for event in heard {
            match (event, open) {
                (Heard::Begin(param), None) => {
                    open = Some(param);
                    gestures.push((param, Vec::new()));
                }
                (Heard::Set(param, value), Some(now)) if param == now => gestures.last_mut().unwrap().1.push(value),
                (Heard::End(param), Some(now)) if param == now => open = None,
                (event, open) => panic!("{event:?} while {open:?} is open"),
            }
        }
        assert_eq!(open, None, "a gesture was not ended");
        gestures
    }
}

fn take(variations: usize) -> TakeOverview {
    TakeOverview {
        seed_seconds: 2.0,
        continuation_seconds: 6.0,
        ready_seconds: 6.0,
        seam: 0.25,
        columns: 64,
        peaks: vec![vec![Peak { min: -0.5, max: 0.5 }; 64]; variations],
        collapses: vec![None; variations],
        recipe: "a test".to_owned(),
    }
}

#[test]
fn render_and_cancel_are_sent_as_commands() {
    let mut bench = Bench::open();
    assert!(bench.harness.query_by_label("Cancel").is_none());
    bench.click("Render");
    assert_eq!(bench.commands(), [Command::Render]);

    bench.params.session.post(|snapshot| {
        snapshot.status = Status::Rendering { progress: 0.25, seconds_left: Some(3.0), speed: 0.5 };
    });
    bench.harness.step();
    assert!(bench.harness.query_by_label("Render").is_none());
    bench.harness.get_by_label("Progress");
    bench.harness.get_by_label("Cancel").click();
    bench.harness.step();
    bench.harness.step();
    assert_eq!(bench.commands(), [Command::Cancel]);
}

#[test]
fn the_renderers_settings_are_chosen_behind_the_words_on_how_the_model_steps() {
    let mut bench = Bench::open();
    bench.click("Renderer");
    assert!(bench.harness.query_by_label_contains("16-bit").is_none(), "nobody has said yet what the settings are");
    let now = Preferences { threads: 1, ..Preferences::default() };
    bench.params.session.post(|snapshot| snapshot.preferences = Some(now));
    bench.harness.run();
    if bench.harness.query_by_label_contains("16-bit").is_none() {
        bench.click("Renderer");
    }
    bench.harness.get_by_label_contains("16-bit").click();
    bench.harness.run();
    let [Command::Prefer(wanted)] = bench.commands()[..] else { panic!("one command") };
    assert_eq!((wanted.precision_name(), wanted.threads), ("bf16", 1));
    bench.harness.get_by_label_contains("gives way").click();
    bench.harness.run();
    assert_eq!(bench.commands(), [], "it is low already");
    bench.harness.get_by_label_contains("Automatic: ").click();
    bench.harness.run();
    assert_eq!(bench.commands(), [Command::Prefer(Preferences { threads: 0, ..now })]);
}

#[test]
fn an_error_is_shown_until_it_is_dismissed() {
    let mut bench = Bench::open();
    assert!(bench.harness.query_by_label("Dismiss").is_none());
    bench.params.session.post(|snapshot| snapshot.error = Some("the model is gone; choose another".into()));
    bench.harness.run();
    bench.harness.get_by_label("The model is gone; choose another.");
    bench.click("Dismiss");
    assert_eq!(bench.commands(), [Command::DismissError]);
}

#[test]
fn a_notice_goes_when_it_is_dismissed_and_the_next_one_comes() {
    let mut bench = Bench::open();
    bench.params.session.post(|snapshot| snapshot.notice = Some("Exported.".into()));
    bench.harness.run();
    bench.harness.get_by_label("Exported.");
    bench.click("Dismiss");
    assert!(bench.harness.query_by_label("Exported.").is_none());
    assert_eq!(bench.commands(), []);
    bench.params.session.post(|snapshot| snapshot.notice = Some("Exported.".into()));
    bench.harness.run();
    bench.harness.get_by_label("Exported.");
}

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
fn the_die_picks_another_rng_seed() {
    let mut bench = Bench::open();
    let before = bench.params.rng_seed.value();
    bench.click("New RNG seed");
    assert_ne!(bench.params.rng_seed.value(), before);
    assert_eq!(bench.gestures().len(), 1);
}

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
fn with_takes() -> (Bench, Vec<TakeEntry>) {
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
fn what_the_next_render_goes_on_from_can_be_heard_also_beside_a_take() {
    let mut bench = Bench::open();
    bench.params.session.post(|snapshot| snapshot.take = Some(Arc::new(take(2))));
    bench.harness.run();
    bench.click("Play the chosen clip");
    let seed = [Command::Listen { sound: Sound::Seed, from_seconds: 0.0 }];
    assert_eq!(bench.commands(), seed);
    bench.click("Sidechain");
    assert!(bench.harness.query_by_label("Play what was captured").is_none(), "there is nothing yet");
}

#[test]
fn a_shipped_clip_can_be_heard_before_it_is_chosen() {
    let mut bench = Bench::open();
    for (button, play, sound) in [
        ("Seed clip…", "Play A clip", Sound::File("/clips/a.wav".into())),
        ("Model…", "Play A model", Sound::Preview("/models/a.continuo".into())),
    ] {
        bench.click(button);
        // The popup has the shipped files listed anew, which would replace what this test puts there.
        crate::threads::join_all();
        let state = bench.harness.state_mut();
        state.library.put(Listing {
            seeds: vec![Entry { name: "A clip".to_owned(), path: "/clips/a.wav".into() }],
            models: vec![Entry { name: "A model".to_owned(), path: "/models/a.continuo".into() }],
            trouble: None,
        });
        bench.harness.step();
        bench.harness.get_by_label(play).click();
        bench.harness.step();
        bench.harness.step();
        assert_eq!(bench.commands(), [Command::Listen { sound, from_seconds: 0.0 }]);
        bench.harness.key_press(Key::Escape);
        bench.harness.run();
    }
}

#[test]
fn a_path_can_be_pasted_where_no_dialog_opens() {
    let mut bench = Bench::open();
    bench.click("Model…");
    bench.harness.get_by_role(Role::TextInput).click();
    bench.harness.run();
    bench.type_and_press(" '/models/my piano.continuo' ", Key::Enter);
    assert_eq!(bench.commands(), [Command::ChooseModel(PathBuf::from("/models/my piano.continuo"))]);
    bench.harness.run();
    assert!(bench.harness.query_by_role(Role::TextInput).is_none());

    bench.click("Seed clip…");
    bench.harness.get_by_role(Role::TextInput);
    bench.harness.key_press(Key::Escape);
    bench.harness.run();
    assert!(bench.harness.query_by_role(Role::TextInput).is_none());
    assert_eq!(bench.commands(), []);
}

#[test]
fn export_asks_for_a_path_and_only_with_a_take() {
    let mut bench = Bench::open();
    bench.click("Export…");
    assert!(bench.harness.query_by_role(Role::TextInput).is_none());
    bench.params.session.post(|snapshot| snapshot.take = Some(Arc::new(take(1))));
    bench.harness.run();
    bench.click("Export…");
    bench.click("Write");
    let commands = bench.commands();
    assert!(matches!(&commands[..], [Command::ExportTake(path)] if path.extension().is_some_and(|it| it == "wav")));
}

#[test]
fn a_file_is_replaced_only_when_the_user_says_so() {
    let mut bench = Bench::open();
    assert!(bench.harness.query_by_label("Replace").is_none());
    let file = std::path::Path::new("/music/a phrase.wav");
    bench.params.session.post(|snapshot| snapshot.overwrite = Some(file.into()));
    bench.harness.run();
    bench.harness.get_by_label_contains("/music/a phrase.wav is there already");
    bench.click("Replace");
    assert_eq!(bench.commands(), [Command::ExportOver(file.to_path_buf())]);
    bench.click("Keep it");
    assert_eq!(bench.commands(), [Command::KeepFile]);
    // An error beside it hides nothing of it.
    bench.params.session.post(|snapshot| snapshot.error = Some("the disk is full".into()));
    bench.harness.run();
    bench.harness.get_by_label("Replace");
    bench.harness.get_by_label("Dismiss");
}

#[test]
fn what_keys_do_is_shown_where_they_play_and_the_rest_behind_a_button() {
    let mut bench = Bench::open();
    for name in ["Key tracking", "Root key", "Keys…"] {
        assert!(bench.harness.query_by_label(name).is_none(), "{name} means nothing to the timeline");
    }
    bench.harness.get_by_label("Start");
    bench.click("MIDI");
    assert!(bench.harness.query_by_label("Start").is_none());
    let screen = egui::Rect::from_min_size(Pos2::ZERO, vec2(theme::MIN_SIZE.0, theme::MIN_SIZE.1));
    let row = ["Key tracking", "Root key", "Keys…", "Play seed", "Gain"];
    let places = row.map(|name| bench.harness.get_by_label(name).rect());
    assert!(places.windows(2).all(|pair| pair[0].right() <= pair[1].left()), "{places:?}");
    assert!(places.iter().all(|place| screen.contains_rect(*place)), "{places:?}");
    bench.click("Key tracking");
    assert!(!bench.params.keys.key_tracking.value());
    assert!(bench.harness.get_by_label("Root key").accesskit_node().is_disabled());

    bench.click("Keys…");
    let all =
        ["Attack", "Decay", "Sustain", "Release", "Velocity curve", "Start offset", "Bend range", "Voices", "Mono"];
    let places = all.map(|name| bench.harness.get_by_label(name).rect());
    assert!(places.iter().all(|place| screen.contains_rect(*place)), "{places:?}");
    bench.gestures();
    let at = bench.middle("Attack");
    // Long enough that the click before does not count as the first of two.
    for _ in 0..60 {
        bench.harness.step();
    }
    for _ in 0..2 {
        bench.press_and_release(at, Modifiers::NONE);
    }
    bench.harness.run();
    bench.harness.get_by_role(Role::TextInput);
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    bench.type_and_press("0.25 s", Key::Enter);
    assert!((bench.params.keys.attack.value() - 250.0).abs() < 0.1);
    bench.click("Mono");
    assert!(bench.params.keys.mono.value());
    assert!(bench.harness.get_by_label("Voices").accesskit_node().is_disabled());
    let changed: Vec<_> = bench.gestures().into_iter().map(|(param, _)| param).collect();
    assert_eq!(changed, [bench.params.keys.attack.as_ptr(), bench.params.keys.mono.as_ptr()]);
    bench.click("Timeline");
    bench.harness.run();
    assert!(bench.harness.query_by_label("Attack").is_none());
}

#[test]
fn the_host_learns_of_changes_beside_the_parameters() {
    let mut bench = Bench::open();
    assert_eq!(bench.gestures(), []);
    bench.params.session.touch();
    bench.harness.run();
    assert_eq!(bench.params.revision.value(), 1);
    let gestures = bench.gestures();
    assert_eq!(gestures.len(), 1);
    bench.harness.run();
    assert_eq!(bench.gestures(), []);
}

#[test]
fn it_rests_while_nothing_moves() {
    let bench = Bench::open();
    let output = bench.harness.output();
    let delay = output.viewport_output.values().map(|viewport| viewport.repaint_delay).min().unwrap();
    assert!(delay >= super::RESTING, "{delay:?}");
}
