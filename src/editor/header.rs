//! The top of the window: which model, what it starts from.

use std::sync::atomic::{AtomicU32, Ordering};

use egui::{
    Align2, CursorIcon, Popup, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::context::Cx;
use super::gesture::gesture;
use super::widgets::{elided, focus_ring, menu_padding, segments};
use super::{chooser, listen, models, patches, stepper, theme, trim};
use crate::params::{Mode, SeedSource};
use crate::session::{Capture, CaptureRing, Look, Sound};

/// Width of the button that trims the clip.
const TRIM: f32 = 84.0;

/// Name, patch, model, and how the model steps.
pub fn header(ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.horizontal_centered(|ui| {
        let name = elided(ui, "Continuo", egui::FontId::proportional(19.0), theme::TEXT, 120.0);
        let (rect, response) = ui.allocate_exact_size(vec2(name.size().x + 18.0, theme::ROW), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Window size"));
        draw_mark(ui, rect);
        ui.painter().galley(pos2(rect.left() + 18.0, rect.center().y - name.size().y / 2.0), name, theme::TEXT);
        focus_ring(ui, rect.expand2(vec2(4.0, 0.0)), &response);
        choose_zoom(ui, cx, &response);
        response.on_hover_text(concat!(
            "Continuo ",
            env!("CARGO_PKG_VERSION"),
            "\nClick to make everything larger or smaller."
        ));

        ui.add_space(theme::MARGIN);
        let room = ui.available_width();
        patches::patches(ui, cx, (room * 0.27).clamp(130.0, 260.0));
        models::model(ui, cx, (room * 0.38).clamp(190.0, 360.0));

        ui.add_space(theme::GAP);
        stepper::stepper(ui, cx);
    });
}

/// Hosts do not always pass their screen's scale on, so it can be chosen. The window grows with what is in it.
fn choose_zoom(ui: &Ui, cx: &Cx<'_>, button: &Response) {
    if button.hovered() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    Popup::menu(button).show(|ui| {
        menu_padding(ui);
        let now = ui.ctx().zoom_factor();
        for percent in [80_u8, 100, 125, 150, 175, 200] {
            let factor = f32::from(percent) / 100.0;
            let name = RichText::new(format!("{percent} %")).color(theme::TEXT);
            if ui.selectable_label((factor - now).abs() < 0.01, name).clicked() {
                // Followed as what a project brings along is: the scale first, and the window once that is what it is to be.
                let window = ui.ctx().content_rect().size() * factor;
                let zoom = ((factor - 1.0).abs() > 1e-3).then_some(factor);
                cx.session.keep_look(Look { zoom, window: Some((window.x, window.y)), ..cx.session.look() });
            }
        }
    });
}

/// Four strokes: a clip that ends, and what goes on from there.
fn draw_mark(ui: &Ui, rect: Rect) {
    let painter = ui.painter();
    for (index, (height, hue)) in
        [(6.0, theme::SEED), (11.0, theme::SEED), (8.0, theme::CONTINUATION), (4.0, theme::CONTINUATION)]
            .into_iter()
            .enumerate()
    {
        let x = rect.left() + 1.5 + 3.5 * index as f32;
        painter.line_segment(
            [pos2(x, rect.center().y - height / 2.0), pos2(x, rect.center().y + height / 2.0)],
            Stroke::new(2.0, hue),
        );
    }
}

/// Mode, and where the seed clip comes from.
pub fn source(ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.horizontal_centered(|ui| {
        segments(
            ui,
            &cx.setter,
            &cx.params.mode,
            &["The model carries on from the seed clip's last frame.", "The model makes a phrase out of nothing."],
            &|mode| cx.snapshot.card.as_ref().and_then(|card| card.why_not_mode(mode)),
            220.0,
        );
        ui.add_space(theme::GAP);
        ui.add_enabled_ui(cx.params.mode.value() == Mode::Continue, |ui| {
            segments(
                ui,
                &cx.setter,
                &cx.params.seed_source,
                &["The seed clip is an audio file.", "The seed clip is what was captured from the sidechain input."],
                &|_| None,
                170.0,
            );
            match cx.params.seed_source.value() {
                SeedSource::Clip => {
                    hear_seed(ui, cx, "the chosen clip");
                    // Before the first take, the clip is shown to be trimmed anyway.
                    let trims = cx.snapshot.take.is_some();
                    let width = ui.available_width() - if trims { TRIM + theme::GAP } else { 0.0 };
                    chooser::seed(ui, cx, width);
                    if trims {
                        trim::button(ui, cx, TRIM);
                    }
                }
                SeedSource::Sidechain => capture(ui, cx),
            }
        });
    });
}

/// A button that plays what the next render goes on from.
fn hear_seed(ui: &mut Ui, cx: &Cx<'_>, what: &str) {
    let (rect, _) = ui.allocate_exact_size(vec2(listen::BUTTON, theme::ROW), Sense::hover());
    listen::button(ui, cx, rect, Sound::Seed, what);
}

/// The capture button, and how much there is.
fn capture(ui: &mut Ui, cx: &mut Cx<'_>) {
    let on = cx.params.capture.value();
    let (rect, response) = ui.allocate_exact_size(vec2(112.0, theme::ROW), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), on, "Capture"));
    let hovered = response.hovered();
    ui.painter().rect_filled(rect, theme::RADIUS, if hovered { theme::RAISED_HOVER } else { theme::RAISED });
    if on {
        ui.painter().rect_stroke(rect, theme::RADIUS, Stroke::new(1.0, theme::ERROR), StrokeKind::Inside);
    }
    let dot = pos2(rect.left() + 16.0, rect.center().y);
    let hue = if ui.is_enabled() { theme::ERROR } else { theme::FAINT };
    if on {
        ui.painter().rect_filled(Rect::from_center_size(dot, vec2(9.0, 9.0)), 1.5, hue);
    } else {
        ui.painter().circle_filled(dot, 5.0, hue);
    }
    let color = if ui.is_enabled() { theme::TEXT } else { theme::FAINT };
    let words = if on { "Stop" } else { "Capture" };
    ui.painter().text(pos2(rect.left() + 30.0, rect.center().y), Align2::LEFT_CENTER, words, theme::body(), color);
    if response.clicked() {
        gesture(&cx.setter, &cx.params.capture, |setter| setter.set_parameter(&cx.params.capture, !on));
    }
    if hovered && ui.is_enabled() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    focus_ring(ui, rect, &response);
    response.on_hover_text(
        "Records the sidechain input: while it is on, or one pass of the host's loop. The newest 30 seconds are kept as the seed clip.",
    );
    capture_loop(ui, cx);

    let seconds = cx.snapshot.captured_seconds;
    if seconds > 0.0 && !on {
        hear_seed(ui, cx, "what was captured");
    }
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), theme::ROW), Sense::hover());
    let rect = if on { level_meter(ui, cx, rect) } else { rect };
    let state = cx.session.link.capture_state();
    let words = match (on, state, seconds > 0.0) {
        (true, Capture::Waits, _) => "Waits for the loop to begin".to_owned(),
        (true, Capture::NoLoop, _) => "The host has no loop: switch it on, or Loop off".to_owned(),
        (true, ..) => format!("Recording · {seconds:.1} s"),
        (false, _, true) => format!("{seconds:.1} s captured"),
        (false, _, false) => {
            "Nothing captured yet: route a track to the sidechain, press Capture while it plays".to_owned()
        }
    };
    // One pass is there: the switch has done its work, and nothing that follows may take its place.
    if on && state == Capture::Done {
        gesture(&cx.setter, &cx.params.capture, |setter| setter.set_parameter(&cx.params.capture, false));
    }
    let galley = elided(ui, &words, theme::body(), theme::MUTED, rect.width() - theme::GAP);
    ui.painter().galley(pos2(rect.left() + theme::GAP, rect.center().y - galley.size().y / 2.0), galley, theme::MUTED);
}

/// Whether one pass of the host's loop is captured.
fn capture_loop(ui: &mut Ui, cx: &Cx<'_>) {
    let param = &cx.params.capture_loop;
    let on = param.value();
    let mut wanted = on;
    let tip = "On: Capture waits for the begin of the host's loop and records one pass of it. Off: it records while it is on.";
    ui.checkbox(&mut wanted, "Loop").on_hover_text(tip);
    if wanted != on {
        gesture(&cx.setter, param, |setter| setter.set_parameter(param, wanted));
    }
}

/// How loud the sidechain is; gives back the room that is left.
fn level_meter(ui: &Ui, cx: &Cx<'_>, rect: Rect) -> Rect {
    const WIDTH: f32 = 90.0;
    let level = cx.session.link.captured().map_or(0.0, |ring| newest_level(&ring));
    let slot = Rect::from_center_size(pos2(rect.left() + theme::GAP + WIDTH / 2.0, rect.center().y), vec2(WIDTH, 8.0));
    ui.painter().rect_filled(slot, 4.0, theme::FIELD);
    let part = meter_part(level);
    if part > 0.0 {
        let hue = if level >= 1.0 { theme::ERROR } else { theme::SEED };
        ui.painter().rect_filled(slot.with_max_x(slot.left() + slot.width() * part), 4.0, hue);
    }
    rect.with_min_x(slot.right())
}

/// The loudest value of the newest twentieth of a second. The audio thread may be writing meanwhile: a meter does not mind.
fn newest_level(ring: &CaptureRing) -> f32 {
    let written = ring.written.load(Ordering::Acquire);
    let frames = ring.frames().min(ring.rate_hz as usize / 20);
    let loudest = |channel: &[AtomicU32]| {
        (written.saturating_sub(frames)..written)
            .filter_map(|frame| channel.get(frame % channel.len().max(1)))
            .map(|cell| f32::from_bits(cell.load(Ordering::Relaxed)).abs())
            .fold(0.0_f32, f32::max)
    };
    ring.channels.iter().map(|channel| loudest(channel)).fold(0.0, f32::max)
}

/// How far a meter from -60 to 0 dB is filled.
fn meter_part(level: f32) -> f32 {
    if level <= 0.0 { 0.0 } else { (1.0 + level.log10() * 20.0 / 60.0).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_goes_from_minus_60_db_to_0_db() {
        assert_eq!(meter_part(0.0).to_bits(), 0.0_f32.to_bits());
        assert_eq!(meter_part(1e-9).to_bits(), 0.0_f32.to_bits());
        assert!((meter_part(1.0) - 1.0).abs() < 1e-6);
        assert!((meter_part(4.0) - 1.0).abs() < 1e-6);
        assert!((meter_part(0.1) - 40.0 / 60.0).abs() < 1e-5);
    }
}
