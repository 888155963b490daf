//! What carries a variation out of the window as a file: the grip of its lane, and copying.

use egui::{CursorIcon, Event, PointerButton, Rect, Role, Sense, Ui, WidgetInfo, vec2};

use super::context::Cx;
pub use super::drag::HERE;
use super::theme;
use super::widgets::focus_ring;

/// Room for the lanes' grips.
pub const GRIP: f32 = 14.0;

/// The grip of a lane: dragged to another window, it leaves the variation there as a file.
pub fn grip(ui: &Ui, cx: &mut Cx<'_>, place: Rect, variation: usize) {
    // A click is no drag: it begins a little beside where the button went down.
    let sense = if HERE { Sense::click_and_drag() } else { Sense::hover() };
    let response = ui.interact(place, ui.scope_id().with(("grip", variation)), sense);
    let name = format!("Drag variation {}", variation + 1);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, HERE, &name));
    let color = match (HERE, response.hovered() || response.dragged()) {
        (false, _) => theme::LINE,
        (true, true) => theme::TEXT,
        (true, false) => theme::FAINT,
    };
    for x in [-2.0, 2.0] {
        for y in [-4.5, 0.0, 4.5] {
            ui.painter().circle_filled(place.center() + vec2(x, y), 1.2, color);
        }
    }
    #[cfg(all(unix, not(target_os = "macos")))]
    if response.drag_started() {
        let own = cx.state.drops.windows();
        cx.state.drags.begin(cx.session, variation, own);
    }
    // Who has no pointer cannot drag.
    if HERE && response.clicked() && !response.clicked_by(PointerButton::Primary) {
        copy(cx, variation);
    }
    focus_ring(ui, place, &response);
    if HERE && response.hovered() && cx.state.drags.accepts().is_none() {
        ui.set_cursor_icon(CursorIcon::Grab);
    }
    response.on_hover_text(if HERE {
        "Drag this to a track of the host or to a folder: it leaves the variation there as a file, as Export… would write it. \
         Escape gives it up. Enter copies it as a file, and Ctrl+C the variation that plays."
    } else {
        "Dragging a take out of the window is not on this system yet. Export… writes it to a file."
    });
}

/// While something is dragged, the pointer says whether a drop would be taken.
pub fn cursor(ui: &Ui, cx: &Cx<'_>) {
    match cx.state.drags.accepts() {
        Some(true) => ui.set_cursor_icon(CursorIcon::Copy),
        Some(false) => ui.set_cursor_icon(CursorIcon::Grabbing),
        None => {}
    }
}

/// Puts a variation on the clipboard as a file.
#[cfg(all(unix, not(target_os = "macos")))]
pub fn copy(cx: &mut Cx<'_>, variation: usize) {
    cx.state.drags.copy(cx.session, variation);
}

/// Nothing is offered that could be copied here.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub fn copy(_: &mut Cx<'_>, _: usize) {}

/// Ctrl+C copies the variation that plays, while no text has the keyboard.
pub fn shortcut(ui: &Ui, cx: &mut Cx<'_>, shown: usize) {
    if !HERE || ui.ctx().egui_wants_keyboard_input() {
        return;
    }
    let copies = ui.input_mut(|input| {
        let before = input.events.len();
        input.events.retain(|event| !matches!(event, Event::Copy));
        input.events.len() < before
    });
    if copies {
        copy(cx, shown);
    }
}
