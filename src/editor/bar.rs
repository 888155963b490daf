//! A host parameter as a bar with its value in words.
//!
//! Drag sideways to change (Shift: finer), turn the wheel for single steps, double-click to type, Ctrl- or Alt-click for the
//! default. With the keyboard: arrow keys (Shift: half as far), Page Up and Down, Home and End, Enter to type, Delete for the default. Every change reaches the host between a begin and an end, so that automation is recorded as one gesture.

use egui::{
    Align2, CursorIcon, EventFilter, Key, Modifiers, Rect, Response, Sense, Stroke, StrokeKind, TextEdit, Ui,
    WidgetInfo, pos2, vec2,
};
use nice_plug::prelude::Param;

use super::gesture::{Setter, gesture};
use super::theme;
use super::widgets::{captioned, focus_ring, select_all};

/// Pixels of dragging from one end of the range to the other.
const DRAG_RANGE: f32 = 220.0;
/// Part of that when Shift is held.
const FINE: f32 = 0.1;
/// Steps over the range for the wheel, where the parameter has none of its own.
const WHEEL_STEPS: f32 = 50.0;
/// Steps that Page Up and Page Down go.
const PAGE: f32 = 10.0;

/// What a bar remembers between frames.
#[derive(Clone, Default)]
struct Memory {
    /// Normalised value while it is dragged; finer than the parameter's own steps.
    drag: Option<f32>,
    /// Text while it is typed, and whether it was refused.
    entry: Option<(String, bool)>,
    /// Wheel movement that is not yet a step.
    wheel: f32,
}

/// What to say for a value, made from the number that the parameter itself writes.
pub type Words<'a> = &'a dyn Fn(&str) -> String;

/// What else to do with a text that was typed as a value and was understood.
pub type Typed<'a> = &'a dyn Fn(&str);

/// A caption over a bar for `param`, `width` wide. `words` replaces the parameter's own words for its value.
pub fn param_bar<P: Param>(
    ui: &mut Ui,
    setter: &Setter<'_>,
    param: &P,
    caption: &str,
    tip: &str,
    width: f32,
    words: Option<Words<'_>>,
) -> Response {
    typed_bar(ui, setter, param, (caption, tip), width, words, &|_| {})
}

/// As [`param_bar`]; `typed` is called with what was typed before the value is set.
pub fn typed_bar<P: Param>(
    ui: &mut Ui,
    setter: &Setter<'_>,
    param: &P,
    (caption, tip): (&str, &str),
    width: f32,
    words: Option<Words<'_>>,
    typed: Typed<'_>,
) -> Response {
    captioned(ui, caption, width, |ui| {
        let response = bar(ui, setter, param, caption, width, words, typed);
        if !response.hovered() {
            return response;
        }
        let [least, most] = [0.0, 1.0].map(|end| said(param, end, words));
        response.on_hover_text(format!(
            "{tip} From {least} to {most}.\n\nDrag to change, Shift for fine steps. Double-click to type, Ctrl-click to reset."
        ))
    })
}

/// A value in words.
fn said<P: Param>(param: &P, normalized: f32, words: Option<Words<'_>>) -> String {
    match words {
        Some(words) => words(&param.normalized_value_to_string(normalized, false)),
        None => param.normalized_value_to_string(normalized, true),
    }
}

fn bar<P: Param>(
    ui: &mut Ui,
    setter: &Setter<'_>,
    param: &P,
    caption: &str,
    width: f32,
    words: Option<Words<'_>>,
    typed: Typed<'_>,
) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(width, theme::ROW), Sense::click_and_drag());
    let id = response.id;
    let mut memory: Memory = ui.data(|data| data.get_temp(id)).unwrap_or_default();

    if memory.entry.is_some() {
        type_value(ui, (setter, param), &mut memory, &response, caption, typed);
    } else if ui.is_enabled() {
        operate(ui, setter, param, &mut memory, &response);
        if response.has_focus() {
            keys(ui, setter, param, &mut memory, &response);
        }
    }

    let normalized = memory.drag.unwrap_or_else(|| param.unmodulated_normalized_value());
    let words = said(param, normalized, words);
    response.widget_info(|| {
        let mut info = WidgetInfo::slider(ui.is_enabled(), f64::from(normalized), caption);
        info.current_text_value = Some(words.clone());
        info
    });
    if memory.entry.is_none() {
        paint(ui, rect, &response, param.preview_normalized(param.preview_plain(normalized)), &words);
    }
    ui.data_mut(|data| data.insert_temp(id, memory));
    response
}

fn operate<P: Param>(ui: &Ui, setter: &Setter<'_>, param: &P, memory: &mut Memory, response: &Response) {
    let modifiers = ui.input(|input| input.modifiers);
    if response.double_clicked() {
        begin_to_type(param, memory);
        return;
    }
    if response.clicked() && (modifiers.command || modifiers.alt) {
        gesture(setter, param, |setter| setter.set_parameter(param, param.default_plain_value()));
        return;
    }
    if response.drag_started() {
        memory.drag = Some(param.unmodulated_normalized_value());
        setter.begin_set_parameter(param);
    }
    if let Some(value) = memory.drag {
        if response.dragged() {
            let pace = if modifiers.shift { FINE } else { 1.0 } / DRAG_RANGE;
            let moved = (value + response.drag_delta().x * pace).clamp(0.0, 1.0);
            if param.preview_plain(moved) != param.preview_plain(value) {
                setter.set_parameter(param, param.preview_plain(moved));
            }
            memory.drag = Some(moved);
        } else {
            // Also when the drag was taken away without a release, so that the host never waits for an end.
            setter.end_set_parameter(param);
            memory.drag = None;
        }
        return;
    }
    if response.hovered() {
        ui.set_cursor_icon(CursorIcon::ResizeHorizontal);
        turn_wheel(ui, setter, param, memory);
    }
}

fn turn_wheel<P: Param>(ui: &Ui, setter: &Setter<'_>, param: &P, memory: &mut Memory) {
    memory.wheel += ui.input(|input| input.smooth_scroll_delta.y) / 40.0;
    let steps = memory.wheel.trunc();
    if steps == 0.0 {
        return;
    }
    memory.wheel -= steps;
    step_by(setter, param, steps);
}

/// Goes so many single steps up, or down.
fn step_by<P: Param>(setter: &Setter<'_>, param: &P, steps: f32) {
    let now = param.unmodulated_normalized_value();
    let step = 1.0 / param.step_count().map_or(WHEEL_STEPS, |count| count.max(1) as f32);
    let target = param.preview_plain((now + step * steps).clamp(0.0, 1.0));
    if target != param.unmodulated_plain_value() {
        gesture(setter, param, |setter| setter.set_parameter(param, target));
    }
}

/// What a bar does that has the keyboard.
fn keys<P: Param>(ui: &Ui, setter: &Setter<'_>, param: &P, memory: &mut Memory, response: &Response) {
    let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    let presses = |key| ui.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key)) as f32;
    let steps = presses(Key::ArrowRight) + presses(Key::ArrowUp) - presses(Key::ArrowLeft) - presses(Key::ArrowDown)
        + PAGE * (presses(Key::PageUp) - presses(Key::PageDown));
    // A parameter's own steps are as fine as it gets.
    let fine = if ui.input(|input| input.modifiers.shift) && param.step_count().is_none() { 0.5 } else { 1.0 };
    if steps != 0.0 {
        step_by(setter, param, steps * fine);
    }
    let [home, end] = [Key::Home, Key::End].map(|key| presses(key) > 0.0);
    if home || end {
        let target = param.preview_plain(if end { 1.0 } else { 0.0 });
        gesture(setter, param, |setter| setter.set_parameter(param, target));
    }
    if presses(Key::Delete) + presses(Key::Backspace) > 0.0 {
        gesture(setter, param, |setter| setter.set_parameter(param, param.default_plain_value()));
    }
    if presses(Key::Enter) > 0.0 {
        begin_to_type(param, memory);
    }
}

fn begin_to_type<P: Param>(param: &P, memory: &mut Memory) {
    memory.entry = Some((param.normalized_value_to_string(param.unmodulated_normalized_value(), false), false));
}

fn type_value<P: Param>(
    ui: &mut Ui,
    (setter, param): (&Setter<'_>, &P),
    memory: &mut Memory,
    bar: &Response,
    caption: &str,
    typed: Typed<'_>,
) {
    let (id, rect) = (bar.id, bar.rect);
    let Some((text, refused)) = &mut memory.entry else { return };
    let entry_id = id.with("entry");
    let first = ui.ctx().read_response(entry_id).is_none();
    let entry = TextEdit::singleline(text)
        .id(entry_id)
        .hint_text(caption)
        .desired_width(rect.width())
        .align(egui::Align2::LEFT_CENTER)
        .margin(vec2(8.0, 0.0));
    let response = ui.put(rect, entry);
    if first {
        response.request_focus();
        select_all(ui, entry_id, text.chars().count());
        return;
    }
    if *refused {
        ui.painter().rect_stroke(rect, theme::RADIUS, Stroke::new(1.0, theme::ERROR), StrokeKind::Inside);
    }
    if !response.lost_focus() {
        *refused &= !response.changed();
        return;
    }
    let (entered, given_up) = ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
    let value = if given_up { None } else { param.string_to_normalized_value(text) };
    if let Some(value) = value {
        typed(text);
        gesture(setter, param, |setter| setter.set_parameter(param, param.preview_plain(value.clamp(0.0, 1.0))));
        memory.entry = None;
    } else if entered {
        *refused = true;
        response.request_focus();
    } else {
        memory.entry = None;
    }
    // Who came by the keyboard goes on by it.
    if memory.entry.is_none() && (entered || given_up) {
        ui.memory_mut(|memory| memory.request_focus(id));
    }
}

fn paint(ui: &Ui, rect: Rect, response: &Response, filled: f32, words: &str) {
    let enabled = ui.is_enabled();
    let painter = ui.painter();
    painter.rect_filled(rect, theme::RADIUS, theme::FIELD);
    let end = rect.left() + rect.width() * filled;
    if filled > 0.0 {
        let strength = if !enabled {
            0.08
        } else if response.hovered() || response.dragged() {
            0.34
        } else {
            0.24
        };
        let part = Rect::from_min_max(rect.min, pos2(end, rect.bottom()));
        // Clipped, not shortened, so that the corners are those of the bar.
        painter.with_clip_rect(part).rect_filled(rect, theme::RADIUS, theme::CONTINUATION.gamma_multiply(strength));
    }
    let outline = if response.hovered() && enabled { theme::FAINT } else { theme::LINE };
    painter.rect_stroke(rect, theme::RADIUS, Stroke::new(1.0, outline), StrokeKind::Inside);
    focus_ring(ui, rect, response);
    let color = if enabled { theme::TEXT } else { theme::FAINT };
    painter.with_clip_rect(rect.shrink(2.0)).text(rect.center(), Align2::CENTER_CENTER, words, theme::body(), color);
}
