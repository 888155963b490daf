//! Small things that are operated: captions, segments, switches, icon buttons.

use egui::{
    Align, Align2, Color32, CursorIcon, FontId, Layout, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder,
    WidgetInfo, pos2, vec2,
};
use nice_plug::prelude::{BoolParam, Enum, EnumParam, Param as _};

use super::gesture::{Setter, gesture};
use super::theme;

/// Height of a caption line.
pub const CAPTION_HEIGHT: f32 = 15.0;
/// Distance from a caption to its control.
pub const CAPTION_GAP: f32 = 4.0;

/// Shows that the keyboard operates this.
pub fn focus_ring(ui: &Ui, rect: Rect, response: &Response) {
    if response.has_focus() {
        ui.painter().rect_stroke(rect, theme::RADIUS, Stroke::new(1.0, theme::TEXT), StrokeKind::Inside);
    }
}

/// Room around the words of a menu's entries, which the library's menus leave out. To be called first in a menu.
pub fn menu_padding(ui: &mut Ui) {
    ui.spacing_mut().button_padding = vec2(8.0, 4.0);
}

/// A control under its caption, `width` wide.
pub fn captioned<R>(ui: &mut Ui, text: &str, width: f32, control: impl FnOnce(&mut Ui) -> R) -> R {
    let builder = UiBuilder::new().id_salt(text).layout(Layout::top_down(Align::Min));
    ui.scope_builder(builder, |ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = CAPTION_GAP;
        let (rect, _) = ui.allocate_exact_size(vec2(width, CAPTION_HEIGHT), Sense::hover());
        let color = if ui.is_enabled() { theme::MUTED } else { theme::FAINT };
        ui.painter().text(rect.left_center(), Align2::LEFT_CENTER, text, theme::caption(), color);
        control(ui)
    })
    .inner
}

/// The choices of an enum parameter side by side; `tips` says what each does, and `why_not` why one cannot be chosen.
pub fn segments<T: Enum + PartialEq + Copy + 'static>(
    ui: &mut Ui,
    setter: &Setter<'_>,
    param: &EnumParam<T>,
    tips: &[&str],
    why_not: &dyn Fn(T) -> Option<&'static str>,
    width: f32,
) {
    let names = T::variants();
    let chosen = param.value().to_index();
    let (rect, _) = ui.allocate_exact_size(vec2(width, theme::ROW), Sense::hover());
    ui.painter().rect_filled(rect, theme::RADIUS, theme::FIELD);
    ui.painter().rect_stroke(rect, theme::RADIUS, Stroke::new(1.0, theme::LINE), StrokeKind::Inside);
    let each = rect.width() / names.len().max(1) as f32;
    for (index, name) in names.iter().enumerate() {
        let left = rect.left() + each * index as f32;
        let segment = Rect::from_min_size(pos2(left, rect.top()), vec2(each, rect.height()));
        let response = ui.interact(segment, ui.scope_id().with((param.name(), index)), Sense::click());
        let selected = index == chosen;
        let refusal = why_not(T::from_index(index));
        let enabled = ui.is_enabled() && refusal.is_none();
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, enabled, selected, name));
        if selected {
            ui.painter().rect_filled(segment.shrink(2.0), 5.0, theme::RAISED_HOVER);
        }
        let color = match (enabled, selected || response.hovered()) {
            (false, _) => theme::FAINT,
            (true, true) => theme::TEXT,
            (true, false) => theme::MUTED,
        };
        ui.painter().text(segment.center(), Align2::CENTER_CENTER, name, theme::body(), color);
        focus_ring(ui, segment.shrink(1.0), &response);
        if enabled && response.clicked() && !selected {
            gesture(setter, param, |setter| setter.set_parameter(param, T::from_index(index)));
        }
        if enabled && response.hovered() {
            ui.set_cursor_icon(CursorIcon::PointingHand);
        }
        if let Some(words) = refusal.or_else(|| tips.get(index).copied()) {
            response.on_hover_text(words);
        }
    }
}

/// [`segments`] under a caption.
pub fn captioned_segments<T: Enum + PartialEq + Copy + 'static>(
    ui: &mut Ui,
    setter: &Setter<'_>,
    param: &EnumParam<T>,
    text: &str,
    tips: &[&str],
    width: f32,
) {
    captioned(ui, text, width, |ui| segments(ui, setter, param, tips, &|_| None, width));
}

/// A switch under a caption for an on/off parameter.
pub fn switch(ui: &mut Ui, setter: &Setter<'_>, param: &BoolParam, text: &str, tip: &str, width: f32) {
    captioned(ui, text, width, |ui| {
        let (rect, response) = ui.allocate_exact_size(vec2(width, theme::ROW), Sense::click());
        let on = param.value();
        response.widget_info(|| WidgetInfo::selected(Role::CheckBox, ui.is_enabled(), on, text));
        let slot = Rect::from_center_size(pos2(rect.left() + 18.0, rect.center().y), vec2(36.0, 20.0));
        let position = ui.ctx().animate_bool_with_time(response.id, on, 0.1);
        let hue = if ui.is_enabled() { theme::CONTINUATION } else { theme::FAINT };
        ui.painter().rect_filled(slot, 10.0, if on { hue.gamma_multiply(0.45) } else { theme::FIELD });
        let outline = if on { hue.gamma_multiply(0.7) } else { theme::LINE };
        ui.painter().rect_stroke(slot, 10.0, Stroke::new(1.0, outline), StrokeKind::Inside);
        let x = egui::lerp(slot.left() + 10.0..=slot.right() - 10.0, position);
        ui.painter().circle_filled(pos2(x, slot.center().y), 6.5, if on { hue } else { theme::FAINT });
        focus_ring(ui, slot.expand(3.0), &response);
        if response.clicked() {
            gesture(setter, param, |setter| setter.set_parameter(param, !on));
        }
        if ui.is_enabled() && response.hovered() {
            ui.set_cursor_icon(CursorIcon::PointingHand);
        }
        response.on_hover_text(tip);
    });
}

/// A square button with a drawing of its own, called `name` for those who do not see it.
pub fn icon_button(ui: &mut Ui, name: &str, size: f32, draw: impl FnOnce(&egui::Painter, Rect, Color32)) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(size, size), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    let (fill, color) =
        if response.hovered() { (theme::RAISED_HOVER, theme::TEXT) } else { (theme::RAISED, theme::MUTED) };
    ui.painter().rect_filled(rect, theme::RADIUS, fill);
    draw(ui.painter(), rect, color);
    focus_ring(ui, rect, &response);
    if response.hovered() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    response
}

/// A die that shows five.
pub fn draw_die(painter: &egui::Painter, rect: Rect, color: Color32) {
    let die = Rect::from_center_size(rect.center(), vec2(15.0, 15.0));
    painter.rect_stroke(die, 3.0, Stroke::new(1.3, color), StrokeKind::Inside);
    for (x, y) in [(-3.6, -3.6), (3.6, -3.6), (0.0, 0.0), (-3.6, 3.6), (3.6, 3.6)] {
        painter.circle_filled(die.center() + vec2(x, y), 1.3, color);
    }
}

/// A padlock, closed or open.
pub fn draw_lock(painter: &egui::Painter, rect: Rect, color: Color32, closed: bool) {
    let middle = rect.center() + vec2(0.0, 1.0);
    let body = Rect::from_min_max(middle + vec2(-5.0, -1.0), middle + vec2(5.0, 6.0));
    painter.rect_filled(body, 1.5, color);
    let lift = if closed { 0.0 } else { -2.0 };
    let stroke = Stroke::new(1.5, color);
    let at = |x: f32, y: f32| middle + vec2(x, y + lift);
    painter.line_segment([middle + vec2(-3.0, -1.0), at(-3.0, -4.0)], stroke);
    painter.line_segment([at(-3.0, -4.0), at(-1.5, -6.0)], stroke);
    painter.line_segment([at(-1.5, -6.0), at(1.5, -6.0)], stroke);
    painter.line_segment([at(1.5, -6.0), at(3.0, -4.0)], stroke);
    painter.line_segment([at(3.0, -4.0), at(3.0, if closed { -1.0 } else { -2.0 })], stroke);
}

/// A cross.
pub fn draw_cross(painter: &egui::Painter, rect: Rect, color: Color32) {
    let c = rect.center();
    for (x, y) in [(4.0, 4.0), (4.0, -4.0)] {
        painter.line_segment([c + vec2(-x, -y), c + vec2(x, y)], Stroke::new(1.5, color));
    }
}

/// A chevron that points down, for what opens a list.
pub fn draw_chevron(painter: &egui::Painter, center: egui::Pos2, color: Color32) {
    let stroke = Stroke::new(1.4, color);
    painter.line_segment([center + vec2(-4.0, -2.0), center + vec2(0.0, 2.0)], stroke);
    painter.line_segment([center + vec2(0.0, 2.0), center + vec2(4.0, -2.0)], stroke);
}

/// The button that opens a list: a caption in front of what is chosen, `width` wide.
pub fn list_button(ui: &mut Ui, name: &str, chosen: &str, hue: Color32, width: f32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(width, theme::ROW), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    let hovered = response.hovered();
    ui.painter().rect_filled(rect, theme::RADIUS, if hovered { theme::RAISED_HOVER } else { theme::RAISED });
    let dot = pos2(rect.left() + 14.0, rect.center().y);
    ui.painter().circle_filled(dot, 4.0, if ui.is_enabled() { hue } else { theme::FAINT });
    draw_chevron(ui.painter(), pos2(rect.right() - 15.0, rect.center().y), theme::MUTED);
    let room = rect.width() - 56.0;
    let color = if ui.is_enabled() { theme::TEXT } else { theme::FAINT };
    let galley = elided(ui, chosen, theme::body(), color, room);
    let top = rect.center().y - galley.size().y / 2.0;
    ui.painter().galley(pos2(rect.left() + 26.0, top), galley, color);
    focus_ring(ui, rect, &response);
    if hovered {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    response
}

/// One line of text, cut with an ellipsis where it is wider than `room`.
pub fn elided(ui: &Ui, text: &str, font: FontId, color: Color32, room: f32) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = egui::text::TextWrapping::truncate_at_width(room.max(0.0));
    ui.ctx().fonts_mut(|fonts| fonts.layout_job(job))
}

/// Selects all of a text that is about to be typed over.
pub fn select_all(ui: &Ui, id: egui::Id, characters: usize) {
    let mut state = egui::text_edit::TextEditState::load(ui.ctx(), id).unwrap_or_default();
    let all = egui::text::CCursorRange::two(egui::text::CCursor::new(0), egui::text::CCursor::new(characters));
    state.cursor.set_char_range(Some(all));
    state.store(ui.ctx(), id);
}
