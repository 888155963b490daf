//! The patches' button and its popup: shipped patches and the user's own, to load, to save, to rename and to delete.

use egui::{Align, Button, Id, Key, Layout, Response, RichText, ScrollArea, TextEdit, Ui, vec2};

use super::chooser::{GO, explain, heading, open_library, popup};
use super::context::Cx;
use super::library::PatchEntry;
use super::theme;
use super::widgets::{draw_cross, icon_button, list_button, select_all};
use crate::session::Command;

/// Width of the popup.
const WIDTH: f32 = 380.0;
/// Most of the popup's height that the patches take.
const HEIGHT: f32 = 230.0;
/// Width of what renames a patch.
const RENAME: f32 = 76.0;

/// The button and its popup.
pub fn patches(ui: &mut Ui, cx: &mut Cx<'_>, width: f32) {
    let shown = cx.snapshot.patch.clone();
    let button = list_button(ui, "Patch…", shown.as_deref().unwrap_or("Patches"), theme::MUTED, width);
    open_library(cx, &button);
    if cx.state.browser.seen != cx.snapshot.patches {
        cx.state.browser.seen = cx.snapshot.patches;
        cx.state.library.refresh(&cx.session.repaint);
    }
    popup(&button, WIDTH, |ui| {
        let search = TextEdit::singleline(&mut cx.state.browser.search).hint_text("Search");
        let field = ui.add(search.desired_width(f32::INFINITY).margin(vec2(8.0, 6.0)));
        name_field(ui, &field, "Search patches");
        ScrollArea::vertical().max_height(HEIGHT).show(ui, |ui| {
            ui.set_width(ui.available_width());
            list(ui, cx);
        });
        ui.add_space(4.0);
        ui.separator();
        ui.add_space(4.0);
        save(ui, cx);
    });
    button.on_hover_text(
        "A model, a seed clip and the values of the controls under a name. Loading one changes no take.",
    );
}

fn list(ui: &mut Ui, cx: &mut Cx<'_>) {
    let listing = cx.state.library.listing();
    let wanted = cx.state.browser.search.trim().to_lowercase();
    let found: Vec<&PatchEntry> = listing.patches.iter().filter(|entry| entry.matches(&wanted)).collect();
    if found.is_empty() {
        explain(ui, if wanted.is_empty() { "There is none yet." } else { "None is called so." });
    }
    let mut group = String::new();
    for entry in found {
        let category = if entry.own { "Your own" } else { entry.category.as_str() };
        if group != category {
            heading(ui, category);
            category.clone_into(&mut group);
        }
        row(ui, cx, entry);
    }
}

fn row(ui: &mut Ui, cx: &mut Cx<'_>, entry: &PatchEntry) {
    if cx.state.browser.renaming.as_ref().is_some_and(|(path, _)| *path == entry.path) {
        return rename(ui, cx, entry);
    }
    ui.horizontal(|ui| {
        let buttons = if entry.own { RENAME + theme::ROW + 2.0 * theme::GAP } else { 0.0 };
        let size = vec2(ui.available_width() - buttons, theme::ROW);
        let selected = cx.snapshot.patch.as_deref() == Some(entry.name.as_str());
        let hue = if entry.trouble.is_some() { theme::ERROR } else { theme::TEXT };
        let name = RichText::new(&entry.name).color(hue);
        let layout = Layout::top_down_justified(Align::Min);
        let button =
            ui.allocate_ui_with_layout(size, layout, |ui| ui.add(Button::selectable(selected, name).truncate())).inner;
        // What is wrong with one is told when it is chosen, too.
        if button.clicked() {
            cx.session.send(Command::LoadPatch(entry.path.clone()));
            ui.close();
        }
        button.on_hover_text(entry.trouble.as_deref().unwrap_or(&entry.description));
        if !entry.own {
            return;
        }
        if ui.add_sized(vec2(RENAME, theme::ROW), Button::new("Rename")).clicked() {
            cx.state.browser.renaming = Some((entry.path.clone(), entry.name.clone()));
        }
        let sure = cx.state.browser.deleting.as_ref() == Some(&entry.path);
        let what = format!("{} {}", if sure { "Really delete" } else { "Delete" }, entry.name);
        let cross = icon_button(ui, &what, theme::ROW, |painter, rect, color| {
            draw_cross(painter, rect, if sure { theme::ERROR } else { color });
        });
        if cross.clicked() {
            if sure {
                cx.session.send(Command::DeletePatch(entry.path.clone()));
            }
            cx.state.browser.deleting = (!sure).then(|| entry.path.clone());
        }
        cross.on_hover_text(if sure { "Click once more to delete it for good." } else { "Delete this patch" });
    });
}

/// The name of a patch while it is being typed. Escape leaves it as it was.
fn rename(ui: &mut Ui, cx: &mut Cx<'_>, entry: &PatchEntry) {
    let Some((_, text)) = &mut cx.state.browser.renaming else { return };
    let id = Id::unique(("patch name", &entry.path));
    let first = ui.ctx().read_response(id).is_none();
    let edit = TextEdit::singleline(text).id(id).hint_text("Name").desired_width(f32::INFINITY);
    let response = ui.add(edit.margin(vec2(8.0, 6.0)));
    if first {
        response.request_focus();
        select_all(ui, id, text.chars().count());
        return;
    }
    if response.lost_focus() {
        let name = std::mem::take(text);
        cx.state.browser.renaming = None;
        if !ui.input(|input| input.key_pressed(Key::Escape)) && name.trim() != entry.name {
            cx.session.send(Command::RenamePatch(entry.path.clone(), name));
        }
    }
}

/// What a field is called for those who do not see its hint.
fn name_field(ui: &Ui, field: &Response, name: &str) {
    ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(name));
}

/// The field for a name and the button that saves under it.
fn save(ui: &mut Ui, cx: &mut Cx<'_>) {
    let listing = cx.state.library.listing();
    let name = &mut cx.state.browser.name;
    let over = listing.patches.iter().any(|entry| entry.own && entry.name.eq_ignore_ascii_case(name.trim()));
    let (go, entered) = ui
        .horizontal(|ui| {
            let room = ui.available_width() - GO - 22.0 - theme::GAP;
            let field = TextEdit::singleline(name).hint_text("Save the present settings as…").desired_width(room);
            let field = ui.add(field.margin(vec2(8.0, 6.0)));
            name_field(ui, &field, "Name of the new patch");
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            let words = if over { "Replace" } else { "Save patch" };
            let can = !name.trim().is_empty();
            let button = Button::new(words).min_size(vec2(GO + 22.0, theme::ROW));
            let button = ui.add_enabled(can, button).on_disabled_hover_text("Type a name first.");
            // What would be replaced is replaced by a click on the button that says so.
            (button.clicked(), entered && !over)
        })
        .inner;
    if (go || entered) && !name.trim().is_empty() {
        let name = std::mem::take(name).trim().to_owned();
        cx.session.send(Command::SavePatch { name, over });
        ui.close();
    }
}
