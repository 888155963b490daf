//! Trimming the seed clip, and files that are dropped on the window.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Event, HoveredFile, Key, Modifiers, MouseWheelUnit, Pos2, Rect, pos2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::{Bench, take};
use crate::params::{Mode, SeedSource};
use crate::session::{Command, Peak, SeedPreview, SeedTrim, Sound, Status};

/// An editor before the first render, with a clip of so many seconds.
fn with_clip(seconds: u64) -> Bench {
    let mut bench = Bench::open();
    // Whatever the editor had drawn by itself has come by now.
    crate::threads::join_all();
    let peaks = vec![Peak { min: -0.5, max: 0.5 }; 100 * seconds as usize];
    let preview = SeedPreview { rate_hz: 16_000, frames: 16_000 * seconds, frames_per_column: 160, peaks };
    bench.params.session.post(|snapshot| snapshot.seed_preview = Some(Arc::new(preview)));
    bench.harness.run();
    bench
}

impl Bench {
    /// Where the clip is drawn; without a look closer it and its continuation fill this.
    fn drawing(&self) -> Rect {
        self.harness.get_by_label("Seed clip").rect()
    }

    fn place(&self, seconds: f64, of: f64) -> Pos2 {
        let drawing = self.drawing();
        pos2(drawing.left() + drawing.width() * (seconds / of) as f32, drawing.center().y)
    }

    fn drag(&mut self, from: Pos2, to: Pos2) {
        self.pointer(from, Some(true), Modifiers::NONE);
        for step in 1..=10_u8 {
            self.pointer(from + (to - from) * (f32::from(step) / 10.0), None, Modifiers::NONE);
        }
        self.pointer(to, Some(false), Modifiers::NONE);
        self.harness.run();
    }

    /// The one trim that was asked for, as the session then has it.
    fn trimmed(&mut self) -> Option<(f64, f64)> {
        let commands = self.commands();
        let [Command::TrimSeed(trim)] = commands[..] else { panic!("one trim, not {commands:?}") };
        self.params.session.trim_seed(trim);
        self.harness.run();
        trim.map(|trim| (trim.begin_seconds(), trim.end_seconds()))
    }

    fn value(&self, handle: &str) -> String {
        self.harness.get_by_label(handle).accesskit_node().value().unwrap_or_default()
    }

    fn length(&self) -> f64 {
        self.params.settings(self.params.session.link.meter()).seconds
    }
}

fn near(got: Option<(f64, f64)>, begin: f64, end: f64) {
    let (from, to) = got.expect("a part of it");
    assert!((from - begin).abs() < 0.05 && (to - end).abs() < 0.05, "{from}–{to}, not {begin}–{end}");
}

#[test]
fn the_ends_of_the_clip_are_dragged_and_one_command_says_so() {
    let mut bench = with_clip(10);
    let all = 10.0 + bench.length();
    bench.drag(bench.place(0.0, all), bench.place(2.0, all));
    near(bench.trimmed(), 2.0, 10.0);
    bench.drag(bench.place(10.0, all), bench.place(6.0, all));
    near(bench.trimmed(), 2.0, 6.0);
    // The seam has moved along. A handle cannot pass the other.
    let behind = bench.place(6.0, all);
    assert!((bench.middle("Clip end").x - behind.x).abs() < 8.0);
    bench.drag(bench.place(2.0, all), bench.place(9.0, all));
    let (begin, end) = bench.trimmed().unwrap();
    assert!(begin < end && end - begin < 0.02, "{begin} {end}");
    bench.click("All");
    assert_eq!(bench.trimmed(), None);
    bench.click("All");
    assert_eq!(bench.commands(), [], "it is all already");
}

#[test]
fn the_last_seconds_are_chosen_or_typed() {
    let mut bench = with_clip(30);
    bench.click("4 s");
    near(bench.trimmed(), 26.0, 30.0);
    bench.click("4 s");
    assert_eq!(bench.commands(), []);
    bench.harness.get_by_role(egui::accesskit::Role::TextInput).click();
    bench.harness.run();
    bench.type_and_press("2,5 s", Key::Enter);
    near(bench.trimmed(), 27.5, 30.0);
    bench.harness.get_by_role(egui::accesskit::Role::TextInput).click();
    bench.harness.run();
    bench.type_and_press("a few", Key::Enter);
    assert_eq!(bench.commands(), []);
}

#[test]
fn of_a_long_clip_the_last_minute_is_used_unless_the_user_says_otherwise() {
    let mut bench = with_clip(200);
    assert_eq!((bench.value("Clip begin"), bench.value("Clip end")), ("140.000 s".to_owned(), "200.000 s".to_owned()));
    bench.params.session.trim_seed(SeedTrim::new(10.0, 20.0));
    bench.harness.run();
    // What is used is in sight.
    assert_eq!((bench.value("Clip begin"), bench.value("Clip end")), ("10.000 s".to_owned(), "20.000 s".to_owned()));
    bench.click("All");
    assert_eq!(bench.trimmed(), None);
}

#[test]
fn arrow_keys_move_the_handle_that_was_clicked() {
    let mut bench = with_clip(10);
    let at = bench.place(10.0, 10.0 + bench.length());
    bench.press_and_release(at, Modifiers::NONE);
    bench.harness.run();
    bench.harness.key_press(Key::ArrowLeft);
    bench.harness.run();
    let (_, end) = bench.trimmed().unwrap();
    assert!((end - 9.99).abs() < 1e-6, "{end}");
    bench.harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    bench.harness.run();
    let (_, end) = bench.trimmed().unwrap();
    assert!((end - 9.991).abs() < 1e-6, "{end}");
    assert_eq!(bench.value("Clip end"), "9.991 s");
    // The cut is heard with the space bar while the handle is held.
    bench.harness.key_press(Key::Space);
    bench.harness.run();
    assert_eq!(bench.commands(), [Command::Listen { sound: Sound::Seed, from_seconds: 0.0 }]);
}

fn wheel(bench: &mut Bench, at: Pos2, delta: egui::Vec2, modifiers: Modifiers) {
    bench.pointer(at, None, modifiers);
    bench.harness.event(Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta,
        modifiers,
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
    });
    // It glides.
    bench.harness.run_steps(60);
}

#[test]
fn the_wheel_looks_closer_and_a_double_click_steps_back() {
    let mut bench = with_clip(10);
    let all = 10.0 + bench.length();
    let seam = bench.place(10.0, all);
    wheel(&mut bench, seam, vec2(0.0, 600.0), Modifiers::NONE);
    assert!((bench.middle("Clip end").x - seam.x).abs() < 4.0, "what lies under the pointer stays");
    assert!(bench.harness.query_by_label("Clip begin").is_none(), "it is out of sight");
    // The same way on the screen is a smaller step now.
    bench.drag(seam, seam - vec2(20.0, 0.0));
    let (begin, end) = bench.trimmed().unwrap();
    let coarse = 20.0 / f64::from(bench.drawing().width()) * all;
    assert!(begin < 1e-9 && end < 10.0 && 10.0 - end < coarse / 4.0, "{end}, {coarse}");
    let before = bench.middle("Clip end").x;
    wheel(&mut bench, seam, vec2(0.0, 40.0), Modifiers::SHIFT);
    let after = bench.middle("Clip end").x;
    assert!(after > before + 20.0, "scrolled: {before} {after}");

    let beside = bench.place(9.0, 10.0);
    for _ in 0..2 {
        bench.press_and_release(beside, Modifiers::NONE);
    }
    bench.harness.run();
    assert!(bench.harness.query_by_label("Clip begin").is_some());
    assert!((bench.middle("Clip end").x - bench.place(end, end.max(10.0) + bench.length()).x).abs() < 8.0);
}

#[test]
fn a_click_on_the_clip_is_heard_from_there() {
    let mut bench = with_clip(10);
    bench.params.session.trim_seed(SeedTrim::new(2.0, 6.0));
    bench.harness.run();
    let all = 10.0 + bench.length();
    bench.press_and_release(bench.place(3.0, all), Modifiers::NONE);
    let [Command::Listen { sound: Sound::Seed, from_seconds }] = bench.commands()[..] else { panic!("one command") };
    assert!((from_seconds - 1.0).abs() < 0.05, "a second into what is used: {from_seconds}");
    bench.press_and_release(bench.place(1.0, all), Modifiers::NONE);
    assert_eq!(bench.commands(), [], "what is cut off is not heard");
    bench.click("Play the seed clip");
    assert_eq!(bench.commands(), [Command::Listen { sound: Sound::Seed, from_seconds: 0.0 }]);
}

#[test]
fn beside_a_take_the_clip_is_shown_when_it_is_asked_for() {
    let mut bench = with_clip(10);
    assert!(bench.harness.query_by_label("Trim…").is_none(), "it is shown anyway");
    bench.params.session.post(|snapshot| snapshot.take = Some(Arc::new(take(2))));
    bench.harness.run();
    assert!(bench.harness.query_by_label("Clip end").is_none());
    bench.click("Trim…");
    assert!(bench.harness.query_by_label("Clip end").is_some());
    assert!(bench.harness.query_by_label("Variation 1").is_none());
    bench.click("2 s");
    near(bench.trimmed(), 8.0, 10.0);
    bench.click("Show take");
    assert!(bench.harness.query_by_label("Variation 1").is_some());
    // A take that is being made is to be seen.
    bench.click("Trim…");
    let rendering = Status::Rendering { progress: 0.1, seconds_left: None, speed: 1.0 };
    bench.params.session.post(|snapshot| snapshot.status = rendering);
    bench.harness.step();
    bench.harness.step();
    assert!(bench.harness.query_by_label("Variation 1").is_some());
}

#[derive(Debug)]
struct Named(PathBuf);

impl egui::DroppedFile for Named {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("nobody reads it here".to_owned())
    }
}

fn let_fall(bench: &mut Bench, files: &[&str]) -> Vec<Command> {
    let dropped = files.iter().map(|file| Arc::new(Named(file.into())) as egui::DroppedFileHandle).collect();
    bench.harness.input_mut().dropped_files = dropped;
    bench.harness.run();
    bench.commands()
}

#[test]
fn what_falls_on_the_window_is_taken_for_what_it_is() {
    let mut bench = Bench::open();
    assert_eq!(let_fall(&mut bench, &["/a/piano.continuo"]), [Command::ChooseModel("/a/piano.continuo".into())]);
    assert_eq!(bench.gestures(), []);
    bench.click("From silence");
    bench.gestures();
    assert_eq!(let_fall(&mut bench, &["/a/clip.flac"]), [Command::ChooseSeed("/a/clip.flac".into())]);
    assert_eq!((bench.params.mode.value(), bench.params.seed_source.value()), (Mode::Continue, SeedSource::Clip));
    assert_eq!(bench.gestures().len(), 1, "it is to be gone on from");

    assert_eq!(let_fall(&mut bench, &["/a/notes.txt"]), []);
    bench.harness.get_by_label("Nothing comes of notes.txt: it is neither an audio file nor a .continuo model.");
    assert_eq!(let_fall(&mut bench, &["/a/1.wav", "/a/2.wav"]), []);
    bench.harness.get_by_label_contains("2 files at once");
    let_fall(&mut bench, &["/a/clip.flac"]);
    assert!(bench.harness.query_by_label_contains("2 files at once").is_none(), "something came of it");
}

#[test]
fn what_hangs_over_the_window_changes_nothing() {
    let mut bench = Bench::open();
    let hovered = HoveredFile { path: Some("/a/clip.wav".into()), ..HoveredFile::default() };
    bench.harness.input_mut().hovered_files = vec![hovered];
    // As long as something hangs there, egui looks.
    bench.harness.run_steps(3);
    let words = |bench: &Bench| {
        let shapes = &bench.harness.output().shapes;
        shapes.iter().any(|clipped| match &clipped.shape {
            egui::Shape::Text(text) => text.galley.text().contains("Drop clip.wav"),
            _ => false,
        })
    };
    assert!(words(&bench));
    assert_eq!(bench.commands(), []);
    bench.harness.input_mut().hovered_files.clear();
    bench.harness.run();
    assert!(!words(&bench));
}
