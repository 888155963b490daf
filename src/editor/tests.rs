//! The editor as a user operates it, without a window: found by name, clicked, typed into.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod arrangement;
mod cropping;
mod patches;
mod seeds;
mod takes;
mod timeline;
mod values;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui::{Event, Key, Modifiers, PointerButton, Pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use nice_plug::context::PluginApi;
use nice_plug::context::gui::{GuiContext, GuiContextInner};
use nice_plug::params::internals::ParamPtr;
use nice_plug::prelude::{Param as _, PluginState};

use super::library::{Entry, Listing};
use super::{State, show, theme};
use crate::params::{ContinuoParams, Playback};
use crate::session::{Command, Look, OtherModel, Peak, Preferences, Sound, Status, TakeOverview};

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
    /// Nothing is brought to the plugin: no block comes that would.
    deaf: AtomicBool,
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
        if !self.deaf.load(Ordering::Relaxed) {
            // SAFETY: the pointer is one of `_params`, which this host keeps alive.
            unsafe { param._internal_set_normalized_value(normalized) };
        }
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
        let host = Arc::new(Host { heard: Mutex::default(), deaf: false.into(), _params: Arc::clone(&params) });
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
        levels: vec![Some(1.5); variations],
        tempo: Some(120.0),
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
            ..Listing::default()
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
    bench.click("FLAC, 16 bits");
    let [Command::SetExport(options)] = bench.commands()[..] else { panic!("one command") };
    bench.params.session.post(|snapshot| snapshot.export = options);
    bench.harness.run();
    bench.click("Write");
    let commands = bench.commands();
    let flac = |path: &std::path::Path| path.extension().is_some_and(|it| it == "flac");
    assert!(matches!(&commands[..], [Command::ExportTake(path)] if flac(path)), "{commands:?}");
    bench.params.session.post(|snapshot| snapshot.export = crate::session::ExportOptions::default());
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
fn a_file_that_was_written_is_shown_in_its_folder() {
    let mut bench = Bench::open();
    let file = std::path::Path::new("/music/a phrase.wav");
    bench.params.session.tell_of_file("Exported to /music/a phrase.wav.", file);
    bench.harness.run();
    bench.click("Show in folder");
    assert_eq!(bench.commands(), [Command::Reveal(file.into())]);
    // What is said after that is about something else.
    bench.params.session.post(|snapshot| snapshot.notice = Some("It is done.".into()));
    bench.harness.run();
    assert!(bench.harness.query_by_label("Show in folder").is_none());
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
    let row = ["Key tracking", "Root key", "Keys…", "Play seed", "Gain", "Timeline…"];
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
    // The click that closes the popup does nothing else.
    bench.click("Timeline");
    assert!(bench.harness.query_by_label("Attack").is_none());
    assert_eq!(bench.params.playback.value(), Playback::Midi);
    bench.click("Timeline");
    assert_eq!(bench.params.playback.value(), Playback::Timeline);
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
    assert_eq!(delay, Duration::MAX, "it is drawn again when somebody rings");
}

#[test]
fn a_second_render_is_another_one_in_a_host_that_runs_no_audio() {
    let mut bench = Bench::open();
    bench.host.deaf.store(true, Ordering::Relaxed);
    let (link, rng_seed) = (&bench.params.session.link, &bench.params.rng_seed);
    let first = rng_seed.value();
    // While blocks come, the value comes with one of them, and not from here.
    link.tick();
    assert!(!link.at_rest());
    bench.click("Render");
    assert_eq!(bench.params.rng_seed.value(), first);
    let since = Instant::now();
    while !bench.params.session.link.at_rest() {
        assert!(since.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    bench.params.session.post(|snapshot| snapshot.status = Status::Idle);
    bench.harness.run();
    bench.click("Render");
    let second = bench.params.rng_seed.value();
    assert_ne!(second, first);
    bench.click("Render");
    assert_ne!(bench.params.rng_seed.value(), second);
    let set = bench.host.heard.lock().unwrap().iter().filter(|heard| matches!(heard, Heard::Set(..))).count();
    assert_eq!(set, 3, "the host is told as well");
}

#[test]
fn missing_frames_are_shown_until_they_are_clicked_away() {
    let mut bench = Bench::open();
    bench.params.session.link.set_host_rate(48_000.0);
    assert!(bench.harness.query_by_label_contains("missing").is_none());
    bench.params.session.link.add_missing(480);
    bench.harness.run();
    bench.click("480 missing frames · 10 ms");
    assert!(bench.harness.query_by_label_contains("missing").is_none());
    assert_eq!(bench.params.session.missing_frames(), 0);
}

#[test]
fn a_lost_model_is_located_and_another_one_is_used_only_when_the_user_says_so() {
    let mut bench = Bench::open();
    let lost = std::path::Path::new("/models/a.continuo");
    bench.params.session.miss_model(lost);
    bench.harness.run();
    bench.harness.get_by_label_contains("/models/a.continuo is not there any more");
    bench.harness.get_by_label("Locate…");
    let other = OtherModel { path: "/models/b.continuo".into(), sha256: "b".repeat(64), wanted: "a".repeat(64) };
    bench.params.session.post(|snapshot| snapshot.other_model = Some(Arc::new(other)));
    bench.harness.run();
    bench.harness.get_by_label_contains("/models/b.continuo is another model (SHA-256 bbbbbbbbbbbb…");
    bench.click("Leave it");
    bench.click("Use it");
    assert_eq!(bench.commands(), [Command::LeaveModel, Command::ChooseModel("/models/b.continuo".into())]);
    // Another error has nothing to do with it.
    bench.params.session.post(|snapshot| snapshot.error = Some("the disk is full".into()));
    bench.harness.run();
    assert!(bench.harness.query_by_label("Locate…").is_none());
}

#[test]
fn the_window_grows_with_what_is_in_it() {
    let mut bench = Bench::open();
    bench.click("Window size");
    bench.harness.get_by_label("200 %").click();
    // Up to the frame that asks for it.
    let asked = (0..4).find_map(|_| {
        bench.harness.step();
        let commands = bench.harness.output().viewport_output.values().flat_map(|viewport| &viewport.commands);
        commands.into_iter().find_map(|command| match command {
            egui::ViewportCommand::InnerSize(size) => Some(*size),
            _ => None,
        })
    });
    assert!((bench.harness.ctx.zoom_factor() - 2.0).abs() < 1e-6);
    // In the points of a window in which everything is twice as large: as many as before.
    let (width, height) = theme::MIN_SIZE;
    assert_eq!(asked, Some(vec2(width, height)));
}

#[test]
fn the_window_is_kept_and_found_again() {
    let mut bench = Bench::open();
    let session = Arc::clone(&bench.params.session);
    let (width, height) = theme::MIN_SIZE;
    assert_eq!(session.look().window, Some((width, height)), "it is smaller than it is at first");
    bench.harness.ctx.set_zoom_factor(1.25);
    bench.harness.run();
    assert_eq!(session.look().zoom, Some(1.25));
    // What a project brings along is followed.
    session.keep_look(Look { zoom: Some(1.5), trim_view: Some((1.0, 2.5)), ..session.look() });
    bench.harness.run();
    assert!((bench.harness.ctx.zoom_factor() - 1.5).abs() < 1e-6);
    let look = session.look();
    assert_eq!((look.zoom, look.trim_view), (Some(1.5), Some((1.0, 2.5))));
    session.keep_look(Look::default());
    bench.harness.run();
    assert!((bench.harness.ctx.zoom_factor() - 1.0).abs() < 1e-6);
}
