//! How the take meets its seed clip and the song: all of it behind a button.

use egui::{Button, Popup, PopupCloseBehavior, RichText, TextWrapMode, Ui, vec2};

use super::bar::param_bar;
use super::context::Cx;
use super::theme;
use super::widgets::{captioned, captioned_segments, switch};
use crate::settings::{AtEnd, TempoMode};

/// Width of the button.
pub const WIDTH: f32 = 92.0;
/// Width of each thing in the popup.
const CELL: f32 = 120.0;
/// Things in a row of the popup.
const COLUMNS: f32 = 4.0;

/// The button that opens it.
pub fn button(ui: &mut Ui, cx: &Cx<'_>) {
    captioned(ui, "   ", WIDTH, |ui| {
        let button = ui.add(Button::new("Timeline…").wrap_mode(TextWrapMode::Extend).min_size(vec2(WIDTH, theme::ROW)));
        Popup::menu(&button)
            .width(width())
            .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
            .show(|ui| more(ui, cx));
        button.on_hover_text("Level at the seam, loop and fade at the end, and how the take goes with the tempo.");
    });
}

fn width() -> f32 {
    COLUMNS * CELL + (COLUMNS - 1.0) * theme::GAP
}

fn more(ui: &mut Ui, cx: &Cx<'_>) {
    let (timeline, setter) = (&cx.params.timeline, &cx.setter);
    let at_end = timeline.at_end.value();
    captioned_segments(
        ui,
        setter,
        &timeline.at_end,
        "At end",
        &[
            "The pinned take stops at its end.",
            "The pinned take fades out over the last seconds of it.",
            "The pinned take begins anew, with the seed clip if that is played.",
            "The pinned take goes on from the seam: the continuation alone is repeated.",
        ],
        width(),
    );
    ui.horizontal_top(|ui| {
        ui.add_enabled_ui(at_end == AtEnd::Fade, |ui| {
            let tip = "Seconds of the take over which it fades out.";
            param_bar(ui, setter, &timeline.end_fade, "End fade", tip, CELL, None);
        });
        ui.add_enabled_ui(matches!(at_end, AtEnd::Loop | AtEnd::LoopFromSeam), |ui| {
            let tip = "Milliseconds over which the end and the next beginning sound together, with equal power. At most half of what is looped.";
            param_bar(ui, setter, &timeline.loop_crossfade, "Loop crossfade", tip, CELL, None);
            let tip = "On: the loop begins at bars, as many bars apart as is nearest to its own length, at the present tempo. A loop that is shorter waits for its bar. Off: it is as long as it is.";
            switch(ui, setter, &timeline.loop_bars, "Loop whole bars", tip, CELL);
        });
    });
    ui.horizontal_top(|ui| {
        let tips = [
            "The take plays as it was made, whatever the tempo; its beginning is at its bar.",
            "The take plays faster or slower than it was made, as the tempo is: its bars stay the song's. The pitch goes along, as on a tape.",
        ];
        captioned_segments(ui, setter, &timeline.tempo, "Tempo", &tips, 2.0 * CELL + theme::GAP);
        let tip = "Turns the continuation up or down so that it begins as loud as the seed clip ends, by 12 dB at most. The take itself stays as it was made; the dB stand at the seam and in exports.";
        switch(ui, setter, &timeline.level_match, "Level match", tip, CELL);
    });
    ui.horizontal_top(|ui| {
        let tip = "Milliseconds in which one take of the arrangement goes over to the next, with equal power. Less where less is left of the one before.";
        param_bar(ui, setter, &timeline.arrangement_crossfade, "Arrangement crossfade", tip, 2.0 * CELL + theme::GAP, None);
    });
    let made_at = cx.snapshot.take.as_ref().map(|take| take.tempo);
    let words = match (made_at, timeline.tempo.value()) {
        (Some(Some(tempo)), TempoMode::StayInBars) => {
            let now = cx.session.link.meter().tempo;
            format!("Made at {}, plays at {:.1} % of its speed.", bpm(tempo), now / tempo * 100.0)
        }
        (Some(Some(tempo)), TempoMode::KeepLength) => format!("Made at {}.", bpm(tempo)),
        (Some(None), _) => "Nobody knows at which tempo this take was made: it keeps its length.".to_owned(),
        (None, _) => return,
    };
    ui.label(RichText::new(words).font(theme::caption()).color(theme::FAINT));
}

fn bpm(tempo: f64) -> String {
    format!("{} BPM", (tempo * 10.0).round() / 10.0)
}
