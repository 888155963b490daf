//! What is behind the button for the timeline, and the level that stands at the seam.

use std::sync::Arc;

use egui::{Pos2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::{Bench, take, theme};
use crate::session::TakeOverview;
use crate::settings::{AtEnd, TempoMode};

#[test]
fn the_end_the_tempo_and_the_level_are_behind_a_button() {
    let mut bench = Bench::open();
    assert!(bench.harness.query_by_label("Loop all").is_none());
    bench.click("Timeline…");
    let disabled = |bench: &Bench, name: &str| bench.harness.get_by_label(name).accesskit_node().is_disabled();
    for name in ["End fade", "Loop crossfade", "Loop whole bars"] {
        assert!(disabled(&bench, name), "{name} means nothing to a take that stops");
    }
    let screen = egui::Rect::from_min_size(Pos2::ZERO, vec2(theme::MIN_SIZE.0, theme::MIN_SIZE.1));
    for name in ["Stop", "Fade out", "Loop all", "Loop from seam", "Keep length", "Stay in bars", "Level match"] {
        let place = bench.harness.get_by_label(name).rect();
        assert!(screen.contains_rect(place), "{name} is at {place:?}");
    }
    bench.click("Fade out");
    assert!(!disabled(&bench, "End fade") && disabled(&bench, "Loop crossfade"));
    bench.click("Loop from seam");
    assert!(disabled(&bench, "End fade") && !disabled(&bench, "Loop crossfade"));
    bench.click("Loop whole bars");
    bench.click("Stay in bars");
    bench.click("Level match");
    let timeline = &bench.params.timeline;
    assert_eq!(timeline.at_end.value(), AtEnd::LoopFromSeam);
    assert_eq!(timeline.tempo.value(), TempoMode::StayInBars);
    assert!(!timeline.loop_bars.value() && !timeline.level_match.value());
    // What is shown of a take's tempo is the take's.
    let of = |tempo| Some(Arc::new(TakeOverview { tempo, ..take(1) }));
    bench.params.session.post(|snapshot| snapshot.take = of(Some(60.0)));
    bench.harness.run();
    bench.harness.get_by_label("Made at 60 BPM, plays at 200.0 % of its speed.");
    bench.params.session.post(|snapshot| snapshot.take = of(None));
    bench.harness.run();
    bench.harness.get_by_label_contains("keeps its length");
}

#[test]
fn the_level_stands_at_the_seam_of_each_variation_while_it_is_matched() {
    let mut bench = Bench::open();
    let levels = vec![Some(-3.0), Some(1.5), None];
    bench.params.session.post(|snapshot| snapshot.take = Some(Arc::new(TakeOverview { levels, ..take(3) })));
    bench.harness.run();
    bench.harness.get_by_label("Variation 1 at −3.0 dB");
    bench.harness.get_by_label("Variation 2 at +1.5 dB");
    assert!(bench.harness.query_by_label_contains("Variation 3 at").is_none());
    bench.click("Timeline…");
    bench.click("Level match");
    assert!(bench.harness.query_by_label_contains("Variation 1 at").is_none());
}
