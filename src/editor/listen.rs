//! Playing to the user: the buttons for it, a click on the waveform, the space bar.

use egui::{Color32, Key, Modifiers, Painter, Rect, Response, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::context::Cx;
use super::theme;
use crate::session::{Command, Sound};

/// Side of a small play button.
pub const BUTTON: f32 = 18.0;

/// Plays a sound from a second on.
pub fn play(cx: &Cx<'_>, sound: Sound, from_seconds: f64) {
    cx.session.send(Command::Listen { sound, from_seconds });
}

/// The second at which a sound is being played; `None` while another one is, or nothing.
pub fn seconds_of(cx: &Cx<'_>, sound: &Sound) -> Option<f64> {
    cx.session.heard().filter(|(heard, _)| heard == sound).map(|(_, seconds)| seconds)
}

/// A button in `rect` that plays a sound from its start, and stops it. `what` is its name: "variation 2".
pub fn button(ui: &Ui, cx: &Cx<'_>, rect: Rect, sound: Sound, what: &str) -> Response {
    let plays = seconds_of(cx, &sound).is_some();
    let name = format!("{} {what}", if plays { "Stop" } else { "Play" });
    let response = ui.interact(rect, ui.scope_id().with(("play", what)), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), &name));
    let color = match (response.hovered() || response.has_focus(), plays) {
        (true, _) => theme::TEXT,
        (false, true) => theme::CONTINUATION,
        (false, false) => theme::FAINT,
    };
    if response.has_focus() {
        ui.painter().rect_stroke(rect, 4.0, Stroke::new(1.0, theme::TEXT), egui::StrokeKind::Inside);
    }
    let draw = if plays { draw_stop } else { draw_play };
    draw(ui.painter(), rect, color);
    if response.hovered() {
        ui.set_cursor_icon(egui::CursorIcon::PointingHand);
    }
    if response.clicked() {
        if plays {
            cx.session.send(Command::StopListening);
        } else {
            play(cx, sound, 0.0);
        }
    }
    response.on_hover_text(format!("{name}. It is heard beside the host's own playback."))
}

/// The space bar plays what is shown, from where the last click was, and stops whatever is played.
pub fn space_bar(ui: &Ui, cx: &Cx<'_>, shown: &Sound, from_seconds: f64) {
    if ui.ctx().egui_wants_keyboard_input() || ui.ctx().memory(|memory| memory.focused().is_some()) {
        return;
    }
    if ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Space)) {
        toggle(cx, shown, from_seconds);
    }
}

/// Stops whatever is played, else plays `shown` from a second on.
pub fn toggle(cx: &Cx<'_>, shown: &Sound, from_seconds: f64) {
    if cx.session.heard().is_some() {
        cx.session.send(Command::StopListening);
    } else {
        play(cx, shown.clone(), from_seconds);
    }
}

fn draw_play(painter: &Painter, rect: Rect, color: Color32) {
    let middle = rect.center();
    let points = vec![middle + vec2(-3.5, -5.0), middle + vec2(5.0, 0.0), middle + vec2(-3.5, 5.0)];
    painter.add(Shape::convex_polygon(points, color, Stroke::NONE));
}

fn draw_stop(painter: &Painter, rect: Rect, color: Color32) {
    painter.rect_filled(Rect::from_center_size(rect.center(), vec2(8.0, 8.0)), 1.0, color);
}

/// A line across a lane where it is being played.
pub fn draw_head(painter: &Painter, lane: Rect, x: f32) {
    painter.line_segment([pos2(x, lane.top()), pos2(x, lane.bottom())], Stroke::new(1.5, theme::TEXT));
    let tip = vec![pos2(x - 4.0, lane.top()), pos2(x + 4.0, lane.top()), pos2(x, lane.top() + 5.0)];
    painter.add(Shape::convex_polygon(tip, theme::TEXT, Stroke::NONE));
}
