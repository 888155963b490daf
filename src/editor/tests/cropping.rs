//! Cropping a take by the handles of its lane.

use egui::Key;
use egui::Modifiers;
use egui::Pos2;
use egui_kittest::kittest::Queryable as _;

use super::Bench;
use super::takes::with_takes;
use crate::session::Command;

/// What was asked for, if anything was: variation, begin and end of a part.
fn cropped(bench: &Bench) -> Option<(usize, Option<f64>, Option<f64>)> {
    let commands = bench.commands();
    assert!(commands.len() <= 1, "{commands:?}");
    commands.into_iter().next().map(|command| match command {
        Command::CropTake { variation, begin_seconds, end_seconds } => (variation, begin_seconds, end_seconds),
        other => panic!("{other:?}"),
    })
}

/// The place of a second in the lane that plays: eight seconds, from handle to handle.
fn place(bench: &Bench, seconds: f32) -> Pos2 {
    let lane = bench.harness.get_by_label("Variation 1").rect();
    egui::pos2(lane.left() + lane.width() * seconds / 8.0, lane.center().y)
}

fn drag(bench: &mut Bench, from: f32, to: f32) {
    let (from, to) = (place(bench, from), place(bench, to));
    bench.pointer(from, Some(true), Modifiers::NONE);
    bench.pointer(from + (to - from) / 2.0, None, Modifiers::NONE);
    bench.pointer(to, None, Modifiers::NONE);
}

fn let_go(bench: &mut Bench, at: f32) {
    let at = place(bench, at);
    bench.pointer(at, Some(false), Modifiers::NONE);
    bench.harness.run();
}

#[test]
fn an_end_that_is_dragged_away_is_cropped_when_it_is_let_go() {
    let (mut bench, _) = with_takes();
    drag(&mut bench, 0.0, 3.0);
    assert_eq!(cropped(&bench), None, "it still hangs on the pointer");
    let_go(&mut bench, 3.0);
    let Some((0, Some(begin), None)) = cropped(&bench) else { panic!("the begin of the first variation") };
    assert!((begin - 3.0).abs() < 0.03, "{begin}");

    drag(&mut bench, 8.0, 5.0);
    let_go(&mut bench, 5.0);
    let Some((0, None, Some(end))) = cropped(&bench) else { panic!("the end of the first variation") };
    assert!((end - 5.0).abs() < 0.03, "{end}");

    // Of the continuation, which begins at 2 s, something is left.
    drag(&mut bench, 8.0, 0.5);
    let_go(&mut bench, 0.5);
    let Some((0, None, Some(end))) = cropped(&bench) else { panic!("an end") };
    assert!((end - 2.05).abs() < 1e-6, "{end}");
}

#[test]
fn what_is_put_back_is_not_cropped() {
    let (mut bench, _) = with_takes();
    drag(&mut bench, 0.0, 3.0);
    drag(&mut bench, 3.0, 0.0);
    let_go(&mut bench, 0.0);
    assert_eq!(cropped(&bench), None, "it is where it was");

    drag(&mut bench, 8.0, 5.0);
    bench.harness.key_press(Key::Escape);
    bench.harness.step();
    let_go(&mut bench, 5.0);
    assert_eq!(cropped(&bench), None, "Escape gives it up");
}

#[test]
fn without_a_pointer_the_arrow_keys_move_an_end_and_enter_crops() {
    let (mut bench, _) = with_takes();
    bench.harness.get_by_label("Crop end").focus();
    bench.harness.run();
    for _ in 0..3 {
        bench.harness.key_press(Key::ArrowLeft);
        bench.harness.run();
    }
    bench.harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    bench.harness.run();
    assert_eq!(cropped(&bench), None);
    bench.harness.key_press(Key::Enter);
    bench.harness.run();
    let Some((0, None, Some(end))) = cropped(&bench) else { panic!("an end") };
    assert!((end - 7.971).abs() < 1e-6, "{end}");

    // Escape puts it back, and Enter has nothing to crop then.
    bench.harness.key_press(Key::ArrowLeft);
    bench.harness.run();
    bench.harness.key_press(Key::Escape);
    bench.harness.run();
    bench.harness.key_press(Key::Enter);
    bench.harness.run();
    assert_eq!(cropped(&bench), None);
}
