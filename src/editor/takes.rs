//! The list of takes: choosing one, its name, taking it away, A/B, undo and redo.

use egui::{
    Align2, CursorIcon, Id, Key, Modifiers, Painter, Popup, Rect, Response, Role, ScrollArea, Sense, Stroke, TextEdit,
    Ui, WidgetInfo, pos2, vec2,
};

use super::context::Cx;
use super::lane::draw_star;
use super::order::TakeOrder;
use super::ticks::duration;
use super::widgets::{draw_chevron, draw_cross, elided, focus_ring, menu_padding, select_all};
use super::words::capitalised;
use super::{listen, theme};
use crate::session::{Command, Deed, MAX_TAKES, Sound, Status, TakeEntry};

/// Width of the list.
pub const WIDTH: f32 = 176.0;
const ROW: f32 = 40.0;
const SIDE: f32 = 10.0;

/// Whether there is anything to list, or to undo.
pub fn wanted(cx: &Cx<'_>) -> bool {
    !cx.snapshot.takes.is_empty() || cx.snapshot.live.is_some() || cx.snapshot.redo.is_some()
}

/// The list, the newest take first.
pub fn takes(ui: &mut Ui, cx: &mut Cx<'_>) {
    head(ui, cx);
    ui.add_space(4.0);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        live(ui, cx);
        let takes = std::sync::Arc::clone(&cx.snapshot.takes);
        let shown: Vec<&TakeEntry> = cx.state.take_order.of(&takes).into_iter().map(|place| &takes[place]).collect();
        for at in 0..shown.len() {
            row(ui, cx, &shown, at);
        }
    });
}

/// How many there are, and the buttons.
fn head(ui: &mut Ui, cx: &mut Cx<'_>) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
    order(ui, cx, rect.with_max_x(rect.right() - 74.0));
    let place = |index: f32| {
        Rect::from_center_size(pos2(rect.right() - 11.0 - index * 24.0, rect.center().y), vec2(22.0, 22.0))
    };
    let deed = |deed: Option<Deed>, word: &str| match deed {
        Some(deed) => format!("{word} {}", deed.words()),
        None => format!("{word}: there is nothing"),
    };
    let (undo, redo) = (cx.snapshot.undo, cx.snapshot.redo);
    if button(ui, place(0.0), "Redo", redo.is_some(), &format!("{} (Ctrl+Shift+Z)", deed(redo, "Redo")), &|p, r, c| {
        arrow(p, r, c, -1.0);
    }) {
        go(cx, false);
    }
    if button(ui, place(1.0), "Undo", undo.is_some(), &format!("{} (Ctrl+Z)", deed(undo, "Undo")), &|p, r, c| {
        arrow(p, r, c, 1.0);
    }) {
        go(cx, true);
    }
    let before = cx.snapshot.takes.iter().find(|entry| entry.before);
    let tip = match before {
        Some(entry) => format!("Go to {}, and back again with the next click (B)", entry.title),
        None => "A/B: goes back and forth between the last two takes that were chosen".to_owned(),
    };
    if button(ui, place(2.0), "A/B", before.is_some(), &tip, &|painter, rect, color| {
        painter.text(rect.center(), Align2::CENTER_CENTER, "A/B", theme::caption(), color);
    }) {
        cx.session.send(Command::CompareTakes);
    }
}

/// How many takes there are; a click chooses their order.
fn order(ui: &Ui, cx: &mut Cx<'_>, rect: Rect) {
    let response = ui.interact(rect, ui.scope_id().with("order"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Order of the takes"));
    let color = if response.hovered() || response.has_focus() { theme::TEXT } else { theme::MUTED };
    let count = format!("Takes {} of {MAX_TAKES}", cx.snapshot.takes.len());
    let words = elided(ui, &count, theme::caption(), color, rect.width() - 14.0);
    let end = rect.left() + words.size().x;
    ui.painter().galley(pos2(rect.left(), rect.center().y - words.size().y / 2.0), words, color);
    draw_chevron(ui.painter(), pos2(end + 9.0, rect.center().y), color);
    focus_ring(ui, rect, &response);
    if response.hovered() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    Popup::menu(&response).show(|ui| {
        menu_padding(ui);
        for (order, name) in TakeOrder::ALL {
            if ui.selectable_label(cx.state.take_order == order, name).clicked() {
                cx.state.take_order = order;
            }
        }
    });
    let likeliest = "Likeliest: the model is least surprised by its best variation.";
    response.on_hover_text(format!(
        "When the list is full, the oldest take without a star is given up.\nClick to choose the order. {likeliest}"
    ));
}

/// The take that is being rendered.
fn live(ui: &mut Ui, cx: &Cx<'_>) {
    let Some(shown) = cx.snapshot.live else { return };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, shown, "The take in the making"));
    plate(ui, rect, &response, shown);
    let words = match cx.snapshot.status {
        Status::Rendering { progress, .. } => format!("{:.0} %", (progress * 100.0).floor()),
        _ => "being rendered".to_owned(),
    };
    lines(ui, rect, "In the making", &words, theme::CONTINUATION);
    if response.clicked() && !shown {
        cx.session.send(Command::ShowLive);
    }
}

fn row_id(entry: &TakeEntry) -> Id {
    Id::unique(("take", entry.id))
}

fn row(ui: &mut Ui, cx: &mut Cx<'_>, takes: &[&TakeEntry], at: usize) {
    let entry = takes[at];
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), ROW));
    let response = ui.interact(rect, row_id(entry), Sense::click());
    let shown = entry.chosen && cx.snapshot.live != Some(true);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, shown, &entry.title));
    plate(ui, rect, &response, shown);
    if cx.state.renaming.as_ref().is_some_and(|(id, _)| *id == entry.id) {
        return rename(ui, cx, rect, entry);
    }
    let variations = if entry.variations == 1 { String::new() } else { format!(" × {}", entry.variations) };
    let below = format!("{} · {}{variations}", duration(entry.seconds), bars(cx, entry.seconds));
    lines(ui, rect, &entry.title, &below, theme::TEXT);
    let stars = entry.stars.count_ones();
    let over = response.hovered() || response.contains_pointer();
    if stars > 0 && !over {
        let place = pos2(rect.right() - SIDE - 4.0, rect.center().y);
        draw_star(ui.painter(), place, 5.5, theme::SEED, true);
        if stars > 1 {
            let text = stars.to_string();
            ui.painter().text(place - vec2(10.0, 0.0), Align2::RIGHT_CENTER, text, theme::caption(), theme::SEED);
        }
    } else if entry.before && !over {
        let place = pos2(rect.right() - SIDE, rect.center().y);
        ui.painter().text(place, Align2::RIGHT_CENTER, "B", theme::caption(), theme::FAINT);
    }
    let mut delete = false;
    if over || response.has_focus() {
        let place = Rect::from_center_size(pos2(rect.right() - SIDE - 6.0, rect.center().y), vec2(20.0, 20.0));
        let name = format!("Delete {}", entry.title);
        delete = button(ui, place, &name, true, "Delete this take (Delete); undo brings it back", &draw_cross);
    }
    if response.clicked() && !shown {
        cx.session.send(Command::ChooseTake(entry.id));
        response.request_focus();
    }
    let mut renames = response.double_clicked();
    if response.has_focus() {
        let filter = egui::EventFilter { vertical_arrows: true, ..egui::EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        renames |= pressed(Key::F2);
        delete |= pressed(Key::Delete) || pressed(Key::Backspace);
        let next = match (pressed(Key::ArrowUp), pressed(Key::ArrowDown)) {
            (true, false) => at.checked_sub(1).and_then(|at| takes.get(at)),
            (false, true) => takes.get(at + 1),
            _ => None,
        };
        // A click leaves the keyboard here; the space bar still plays.
        if pressed(Key::Space) && shown {
            let variation = cx.params.variation.value().unsigned_abs().saturating_sub(1) as usize;
            let sound = Sound::Take { variation: variation.min(entry.variations.saturating_sub(1)) };
            listen::toggle(cx, &sound, cx.state.cursor_seconds.min(entry.seconds));
        }
        if let Some(next) = next {
            cx.session.send(Command::ChooseTake(next.id));
            ui.memory_mut(|memory| memory.request_focus(row_id(next)));
        }
    }
    if delete {
        cx.session.send(Command::DeleteTake(entry.id));
    } else if renames {
        cx.state.renaming = Some((entry.id, entry.title.clone()));
    }
    if response.hovered() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    response.on_hover_text(format!("{}\n\nDouble-click or F2 to rename.", entry.recipe));
}

/// How many bars a time is at the host's tempo.
fn bars(cx: &Cx<'_>, seconds: f64) -> String {
    let meter = cx.session.link.meter();
    let bars = seconds * meter.tempo / (60.0 * meter.beats_per_bar);
    let tenths = (bars * 10.0).round() / 10.0;
    if (tenths - 1.0).abs() < 1e-9 { "1 bar".to_owned() } else { format!("{tenths} bars") }
}

/// The name of a take while it is being typed. Escape leaves it as it was.
fn rename(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect, entry: &TakeEntry) {
    let Some((_, text)) = &mut cx.state.renaming else { return };
    let id = row_id(entry).with("name");
    let first = ui.ctx().read_response(id).is_none();
    let place = rect.shrink2(vec2(4.0, 6.0));
    let edit = TextEdit::singleline(text).id(id).hint_text("Name").desired_width(place.width()).margin(vec2(6.0, 0.0));
    let response = ui.put(place, edit);
    if first {
        response.request_focus();
        select_all(ui, id, text.chars().count());
        return;
    }
    if response.lost_focus() {
        let name = std::mem::take(text);
        cx.state.renaming = None;
        if !ui.input(|input| input.key_pressed(Key::Escape)) && name.trim() != entry.title {
            cx.session.send(Command::RenameTake(entry.id, name));
        }
        ui.memory_mut(|memory| memory.request_focus(row_id(entry)));
    }
}

/// What a row lies on.
fn plate(ui: &Ui, rect: Rect, response: &Response, shown: bool) {
    let fill = match (shown, response.hovered()) {
        (true, _) => theme::RAISED,
        (false, true) => theme::SURFACE,
        (false, false) => return focus_ring(ui, rect, response),
    };
    ui.painter().rect_filled(rect, theme::RADIUS, fill);
    focus_ring(ui, rect, response);
}

/// The two lines of a row.
fn lines(ui: &Ui, rect: Rect, title: &str, below: &str, color: egui::Color32) {
    let room = rect.width() - 2.0 * SIDE - 22.0;
    let title = elided(ui, &capitalised(title), theme::body(), color, room);
    let below = elided(ui, below, theme::caption(), theme::FAINT, room);
    ui.painter().galley(pos2(rect.left() + SIDE, rect.top() + 4.0), title, color);
    ui.painter().galley(pos2(rect.left() + SIDE, rect.top() + 22.0), below, theme::FAINT);
}

/// A small button without a plate.
fn button(
    ui: &Ui,
    rect: Rect,
    name: &str,
    enabled: bool,
    tip: &str,
    draw: &dyn Fn(&Painter, Rect, egui::Color32),
) -> bool {
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let response = ui.interact(rect, ui.scope_id().with(("takes", name)), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
    let color = match (enabled, response.hovered() || response.has_focus()) {
        (false, _) => theme::LINE,
        (true, false) => theme::MUTED,
        (true, true) => theme::TEXT,
    };
    draw(ui.painter(), rect, color);
    focus_ring(ui, rect, &response);
    if enabled && response.hovered() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    let clicked = response.clicked();
    response.on_hover_text(tip);
    clicked
}

/// An arrow that turns back (`side` 1) or forth (-1).
fn arrow(painter: &Painter, rect: Rect, color: egui::Color32, side: f32) {
    let middle = rect.center();
    let at = |x: f32, y: f32| middle + vec2(x * side, y);
    let stroke = Stroke::new(1.4, color);
    let bow: Vec<egui::Pos2> = (0..=10)
        .map(|step| {
            let angle = (f32::from(step as u8) / 10.0 - 0.5) * std::f32::consts::PI;
            at(0.5 + 4.5 * angle.cos(), 1.5 + 4.0 * angle.sin())
        })
        .collect();
    painter.line_segment([at(-5.0, -2.5), at(0.5, -2.5)], stroke);
    painter.line_segment([at(-5.0, 5.5), at(0.5, 5.5)], stroke);
    painter.line(bow, stroke);
    painter.line_segment([at(-5.0, -2.5), at(-2.0, -5.5)], stroke);
    painter.line_segment([at(-5.0, -2.5), at(-2.0, 0.5)], stroke);
}

/// Undo, redo and A/B from the keyboard, wherever the focus is but in a text.
pub fn shortcuts(ui: &Ui, cx: &Cx<'_>) {
    if ui.ctx().egui_wants_keyboard_input() {
        return;
    }
    let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
    // The longer one first: it holds the shorter one.
    if pressed(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z) || pressed(Modifiers::COMMAND, Key::Y) {
        go(cx, false);
    } else if pressed(Modifiers::COMMAND, Key::Z) {
        go(cx, true);
    } else if pressed(Modifiers::NONE, Key::B) {
        cx.session.send(Command::CompareTakes);
    }
}

/// Undoes the last step, or does again what was undone last. What a control was turned to, only the host may set.
fn go(cx: &Cx<'_>, back: bool) {
    match cx.session.turn(back) {
        Some((id, value)) => cx.params.turn(&cx.setter.host(), &id, value),
        None => cx.session.send(if back { Command::Undo } else { Command::Redo }),
    }
}
