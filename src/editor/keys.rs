//! How notes play the take: what matters most beside Playback, the rest behind a button.

use egui::{Button, Popup, PopupCloseBehavior, Ui, vec2};

use super::bar::param_bar;
use super::context::Cx;
use super::theme;
use super::widgets::{captioned, switch};

const TRACKING: f32 = 80.0;
const BUTTON: f32 = 72.0;
/// Width of what is not the bar.
pub const WIDTH: f32 = TRACKING + BUTTON;
/// Width of each thing in the popup.
const CELL: f32 = 104.0;
/// Things in a row of the popup.
const COLUMNS: f32 = 4.0;

/// Key tracking, the root key as a bar that is `width` wide, and the button that opens the rest.
pub fn keys(ui: &mut Ui, cx: &mut Cx<'_>, width: f32) {
    let keys = &cx.params.keys;
    let tip =
        "On: a key transposes the take by its distance from the root key. Off: every key plays it as it was made.";
    switch(ui, &cx.setter, &keys.key_tracking, "Key tracking", tip, TRACKING);
    ui.add_enabled_ui(keys.key_tracking.value(), |ui| {
        let tip = "The key at which the take sounds as it was made; C4 is middle C, MIDI's key 60.";
        param_bar(ui, &cx.setter, &keys.root_key, "Root key", tip, width, None);
    });
    captioned(ui, "", BUTTON, |ui| {
        let button = ui.add(Button::new("Keys…").min_size(vec2(BUTTON, theme::ROW)));
        Popup::menu(&button)
            .width(COLUMNS * CELL + (COLUMNS - 1.0) * theme::GAP)
            .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
            .show(|ui| more(ui, cx));
        button.on_hover_text("Envelope, velocity, voices, pitch bend and level of notes.");
    });
}

fn more(ui: &mut Ui, cx: &Cx<'_>) {
    let (keys, setter) = (&cx.params.keys, &cx.setter);
    ui.horizontal_top(|ui| {
        let tip = "Milliseconds from silence to full level. At 0 a note begins as the take does.";
        param_bar(ui, setter, &keys.attack, "Attack", tip, CELL, None);
        let tip = "Milliseconds from full level to that of Sustain.";
        param_bar(ui, setter, &keys.decay, "Decay", tip, CELL, None);
        let tip = "Level while the key stays down, in per cent of full level.";
        param_bar(ui, setter, &keys.sustain, "Sustain", tip, CELL, None);
        let tip = "Milliseconds from the key's release to silence.";
        param_bar(ui, setter, &keys.release, "Release", tip, CELL, None);
    });
    ui.horizontal_top(|ui| {
        let tip = "How loud a velocity is. Soft: a light touch is loud already. Hard: only a heavy one is.";
        param_bar(ui, setter, &keys.velocity_curve, "Velocity curve", tip, CELL, None);
        let tip = "Seconds that a note leaves out at its beginning: of the continuation, or of the seed clip where that is played.";
        param_bar(ui, setter, &keys.start_offset, "Start offset", tip, CELL, None);
        let tip = "Semitones (st) of the pitch wheel all the way up or down.";
        param_bar(ui, setter, &keys.bend_range, "Bend range", tip, CELL, None);
        ui.add_enabled_ui(!keys.mono.value(), |ui| {
            let tip = "How many notes sound at once. Of more, those that were released fade out first, then the oldest.";
            param_bar(ui, setter, &keys.voices, "Voices", tip, CELL, None);
        });
    });
    ui.horizontal_top(|ui| {
        let tip = "One note at a time, the last that was pressed. When it is released, a key that is still down plays again.";
        switch(ui, setter, &keys.mono, "Mono", tip, CELL);
        let tip = "Whether pitch wheel, sustain pedal and what the host says of single notes (tuning, volume, pan) are heeded.";
        switch(ui, setter, &keys.controllers, "Controllers", tip, CELL);
        let tip = "Keeps all notes together at 0 dB before Gain. A note alone, and what is below, is not changed.";
        switch(ui, setter, &keys.limiter, "Key limiter", tip, CELL);
    });
}
