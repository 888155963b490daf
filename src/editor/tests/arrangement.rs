//! The arrangement strip: placing, moving, lengthening, removing, its menu, and the keyboard.

use std::sync::Arc;

use egui::{Key, Modifiers, Pos2, pos2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::{Bench, take};
use crate::session::{Arranging, Block, Command, Placement, Repeat, TakeEntry, TakeId, TakeOverview};

/// A take of two variations that is chosen, and blocks of it that begin at these quarter notes, two bars each.
fn with_blocks(begins: &[f64]) -> (Bench, TakeId) {
    let mut bench = Bench::open();
    let id = TakeId::new();
    let entry = TakeEntry {
        id,
        title: "Bridge".to_owned(),
        named: true,
        variations: 2,
        stars: 0,
        bits_per_frame: Vec::new(),
        seconds: 6.0,
        recipe: "a test".to_owned(),
        chosen: true,
        before: false,
    };
    let drawn = Arc::new(TakeOverview { peaks: vec![take(1).peaks[0].clone()], ..take(1) });
    let block = |begin: &f64| Block {
        placement: Placement::new(id, 0, *begin, Some(2)),
        title: "Bridge".to_owned(),
        variations: 2,
        seed_seconds: 2.0,
        continuation_seconds: 6.0,
        tempo: Some(120.0),
        drawn: Some(Arc::clone(&drawn)),
        silent: false,
    };
    let blocks: Vec<Block> = begins.iter().map(block).collect();
    bench.params.session.post(|snapshot| {
        snapshot.take = Some(Arc::new(take(2)));
        snapshot.takes = Arc::from([entry]);
        snapshot.arrangement = blocks.into();
        snapshot.arrangement_bytes = 3 << 20;
    });
    bench.harness.run();
    (bench, id)
}

/// The only placement that was changed since the last call.
fn changed(bench: &Bench) -> Placement {
    match &bench.commands()[..] {
        [Command::Arrange(Arranging::Change(placement))] => placement.clone(),
        other => panic!("{other:?}"),
    }
}

/// What the session says once it has taken a change in.
fn answer(bench: &mut Bench, placement: &Placement) {
    bench.params.session.post(|snapshot| {
        let blocks = snapshot.arrangement.iter().cloned().map(|mut block| {
            if block.placement.id == placement.id {
                block.placement = placement.clone();
            }
            block
        });
        snapshot.arrangement = blocks.collect();
    });
    bench.params.session.touch();
    bench.harness.run();
}

fn drag(bench: &mut Bench, from: Pos2, to: Pos2, modifiers: Modifiers) {
    bench.harness.event(egui::Event::ModifiersChanged(modifiers));
    bench.pointer(from, Some(true), modifiers);
    bench.pointer(from + (to - from) / 2.0, None, modifiers);
    bench.pointer(to, None, modifiers);
    bench.pointer(to, Some(false), modifiers);
    bench.harness.event(egui::Event::ModifiersChanged(Modifiers::NONE));
    bench.harness.run();
}

#[test]
fn the_variation_that_plays_is_added_by_word_by_key_and_in_the_lanes_menu() {
    let (mut bench, id) = with_blocks(&[]);
    assert!(bench.harness.query_by_label_contains("in the arrangement at").is_none());
    let add = |variation| Command::Arrange(Arranging::Add { take: id, variation });
    bench.harness.get_by_label("Variation 2").click_secondary();
    bench.harness.run();
    bench.click("Add to the arrangement (A)");
    assert_eq!(bench.commands(), [add(1)]);
    bench.click("Add");
    assert_eq!(bench.commands(), [add(1)]);
    // The click has made the second one play.
    bench.harness.key_press(Key::A);
    bench.harness.run();
    assert_eq!(bench.commands(), [add(1)]);
}

#[test]
fn the_row_is_opened_and_closed_and_switched_on() {
    let (mut bench, _) = with_blocks(&[0.0, 8.0]);
    bench.harness.get_by_label("Bridge in the arrangement at bar 3");
    bench.click("Arrangement");
    assert!(bench.harness.query_by_label_contains("in the arrangement at").is_none());
    bench.click("Arrangement");
    bench.harness.get_by_label("Bridge in the arrangement at bar 1");
    assert!(!bench.params.timeline.arrangement.value());
    bench.click("Play it");
    assert!(bench.params.timeline.arrangement.value());
    assert_eq!(bench.gestures().len(), 1);
    bench.click("Plays");
    assert!(!bench.params.timeline.arrangement.value());
    bench.click("Timeline…");
    bench.harness.get_by_label("Arrangement crossfade");
}

#[test]
fn a_block_is_dragged_to_bars_and_to_beats_and_by_its_end() {
    let (mut bench, _) = with_blocks(&[0.0, 32.0]);
    let place = bench.harness.get_by_label("Bridge in the arrangement at bar 9").rect();
    let first = bench.harness.get_by_label("Bridge in the arrangement at bar 1").rect();
    // A bar: the second one's begin is eight bars after the first one's.
    let bar = (place.left() - first.left()) / 8.0;
    let grip = place.center();
    drag(&mut bench, grip, grip + egui::vec2(2.2 * bar, 0.0), Modifiers::NONE);
    let moved = changed(&bench);
    assert_eq!((moved.begin, moved.bars), (40.0, Some(2)));
    // It is shown there before the session has said so.
    bench.harness.get_by_label("Bridge in the arrangement at bar 11");
    answer(&mut bench, &moved);
    let place = bench.harness.get_by_label("Bridge in the arrangement at bar 11").rect();
    drag(&mut bench, place.center(), place.center() - egui::vec2(bar / 4.0, 0.0), Modifiers::SHIFT);
    let moved = changed(&bench);
    assert_eq!(moved.begin, 39.0);
    answer(&mut bench, &moved);
    let place = bench.harness.get_by_label("Bridge in the arrangement at bar 10, beat 4").rect();
    let edge = pos2(place.right() - 2.0, place.center().y);
    drag(&mut bench, edge, edge + egui::vec2(2.9 * bar, 0.0), Modifiers::NONE);
    let longer = changed(&bench);
    assert_eq!((longer.begin, longer.bars), (39.0, Some(5)));
    // What is dragged nowhere is no change.
    answer(&mut bench, &longer);
    let place = bench.harness.get_by_label("Bridge in the arrangement at bar 1").rect();
    drag(&mut bench, place.center(), place.center() + egui::vec2(bar / 4.0, 0.0), Modifiers::NONE);
    assert_eq!(bench.commands(), []);
}

#[test]
fn a_block_is_moved_lengthened_and_removed_with_the_keyboard() {
    let (mut bench, _) = with_blocks(&[8.0]);
    let name = "Bridge in the arrangement at bar 3";
    bench.harness.get_by_label(name).focus();
    bench.harness.run();
    for (modifiers, key, begin, bars) in [
        (Modifiers::NONE, Key::ArrowRight, 12.0, 2),
        (Modifiers::SHIFT, Key::ArrowRight, 13.0, 2),
        (Modifiers::NONE, Key::ArrowUp, 13.0, 3),
        (Modifiers::NONE, Key::ArrowDown, 13.0, 2),
        (Modifiers::SHIFT, Key::ArrowLeft, 12.0, 2),
        (Modifiers::NONE, Key::ArrowLeft, 8.0, 2),
    ] {
        bench.harness.key_press_modifiers(modifiers, key);
        bench.harness.run();
        let to = changed(&bench);
        assert_eq!((to.begin, to.bars), (begin, Some(bars)), "{key:?}");
        answer(&mut bench, &to);
    }
    let id = bench.params.session.snapshot().arrangement[0].placement.id;
    bench.harness.key_press(Key::Delete);
    bench.harness.run();
    assert_eq!(bench.commands(), [Command::Arrange(Arranging::Remove(id))]);
}

#[test]
fn enter_opens_what_else_there_is_and_each_choice_is_one_change() {
    let (mut bench, _) = with_blocks(&[0.0]);
    bench.harness.get_by_label("Bridge in the arrangement at bar 1").focus();
    bench.harness.run();
    assert!(bench.harness.query_by_label("Until the next").is_none());
    bench.harness.key_press(Key::Enter);
    bench.harness.run();
    bench.click("Until the next");
    let to = changed(&bench);
    assert_eq!(to.repeat, Repeat::UntilNext);
    answer(&mut bench, &to);
    bench.click("Repeated");
    let to = changed(&bench);
    assert_eq!(to.repeat, Repeat::Times(2));
    answer(&mut bench, &to);
    bench.click("As long as the take");
    let to = changed(&bench);
    assert_eq!(to.bars, None);
    answer(&mut bench, &to);
    bench.click("2");
    let to = changed(&bench);
    assert_eq!(to.variation, 1);
    answer(&mut bench, &to);
    bench.click("Remove from the arrangement");
    assert_eq!(bench.commands(), [Command::Arrange(Arranging::Remove(to.id))]);
    assert!(bench.harness.query_by_label("Until the next").is_none(), "it is closed");
}

#[test]
fn what_is_silent_is_marked_and_the_playhead_is_the_songs() {
    let (mut bench, _) = with_blocks(&[0.0]);
    bench.params.session.link.set_song(Some(20.0));
    bench.params.session.post(|snapshot| {
        let mut block = snapshot.arrangement[0].clone();
        block.silent = true;
        snapshot.arrangement = Arc::from([block]);
    });
    bench.harness.run();
    let node = bench.harness.get_by_label("Bridge in the arrangement at bar 1");
    assert!(!node.accesskit_node().is_disabled());
    assert_eq!(bench.params.session.song_beats(), Some(20.0));
}
