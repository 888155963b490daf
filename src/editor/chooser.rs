//! The popups that choose a file: a list of what is shipped, the system's dialog, and a field for a path.

use std::path::{Path, PathBuf};

use egui::{Align, Button, Key, Layout, Popup, PopupCloseBehavior, Response, RichText, Sense, TextEdit, Ui};

use super::context::Cx;
use super::dialog::{Purpose, export_name, typed_path, with_ending};
use super::library::{Entry, display_name};
use super::widgets::list_button;
use super::{listen, theme};
use crate::session::{Command, ExportFormat, FileChoice, Origin, Sound};

/// Width of the button beside a path.
pub(super) const GO: f32 = 64.0;

/// The seed clip's button and its popup.
pub fn seed(ui: &mut Ui, cx: &mut Cx<'_>, width: f32) {
    let listing = cx.state.library.listing();
    let choice_now = &cx.snapshot.seed;
    let shown = match (&choice_now.path, choice_now.origin, listing.seeds.first()) {
        (None, Origin::Factory, Some(first)) => first.name.clone(),
        _ => shown_name(choice_now, &listing.seeds),
    };
    let button = list_button(ui, "Seed clip…", &shown, theme::SEED, width);
    open_library(cx, &button);
    popup(&button, 380.0, |ui| {
        heading(ui, "Shipped seed clips");
        let current = cx.snapshot.seed.path.as_deref();
        if let Some(trouble) = &listing.trouble {
            explain(ui, trouble);
        }
        for (index, entry) in listing.seeds.iter().enumerate() {
            let is_default = index == 0;
            let selected =
                current.map_or(is_default && cx.snapshot.seed.origin == Origin::Factory, |path| path == entry.path);
            if choice(ui, cx, selected, entry, Sound::File(entry.path.clone())).clicked() {
                cx.session.send(if is_default {
                    Command::FactorySeed
                } else {
                    Command::ChooseSeed(entry.path.clone())
                });
                ui.close();
            }
        }
        file_choices(ui, cx, Purpose::Seed, current, "or paste the path of an audio file");
    });
    hover(cx, button, cx.snapshot.seed.path.as_deref(), "The clip that the next take carries on from.");
}

/// The export button and its popup.
pub fn export(ui: &mut Ui, cx: &mut Cx<'_>, width: f32) {
    let can = cx.snapshot.take.is_some() && !cx.snapshot.status.busy();
    let button = ui.add_enabled(can, Button::new("Export…").min_size(egui::vec2(width, 34.0)));
    if button.clicked() && cx.state.export_path.is_empty() {
        let folder = music_folder().unwrap_or_default();
        cx.state.export_path = folder.join(export_name(cx.snapshot.export.format)).display().to_string();
    }
    popup(&button, 420.0, |ui| {
        export_options(ui, cx);
        heading(ui, "Write the variation that plays to a file");
        let near = typed_path(&cx.state.export_path, home().as_deref());
        let purpose = Purpose::Export(cx.snapshot.export.format);
        file_choices(ui, cx, purpose, near.as_deref(), "Path of the file");
        export_starred(ui, cx, near.as_deref());
    });
    button
        .on_hover_text(
            "Writes the variation that plays to a WAV or FLAC file: with or without the seed clip, at the host's rate or the model's.",
        )
        .on_disabled_hover_text("There is nothing to export until a take is finished.");
}

/// What of a variation is written.
fn export_options(ui: &mut Ui, cx: &mut Cx<'_>) {
    let mut options = cx.snapshot.export;
    ui.checkbox(&mut options.with_seed, "Begin with the seed clip");
    ui.checkbox(&mut options.model_rate, "The model's own rate in place of the host's");
    ui.horizontal(|ui| {
        for format in ExportFormat::ALL {
            ui.radio_value(&mut options.format, format, format.words());
        }
    });
    if options.format != cx.snapshot.export.format && !cx.state.export_path.is_empty() {
        let path = with_ending(PathBuf::from(&cx.state.export_path), options.format);
        cx.state.export_path = path.display().to_string();
    }
    if options != cx.snapshot.export {
        cx.session.send(Command::SetExport(options));
    }
}

/// Writes all variations with a star beside the file that is named.
fn export_starred(ui: &mut Ui, cx: &Cx<'_>, near: Option<&Path>) {
    let stars: u32 = cx.snapshot.takes.iter().map(|entry| entry.stars.count_ones()).sum();
    let folder = near.and_then(Path::parent).filter(|folder| folder.is_absolute());
    let Some(folder) = folder.filter(|_| stars > 0) else { return };
    ui.separator();
    let words =
        if stars == 1 { "Write the one with a star".to_owned() } else { format!("Write all {stars} with a star") };
    let button =
        ui.button(words).on_hover_text(format!("Each to a file of its own in {}; none is replaced.", folder.display()));
    if button.clicked() {
        cx.session.send(Command::ExportStarred(folder.to_path_buf()));
        ui.close();
    }
}

pub(super) fn open_library(cx: &Cx<'_>, button: &Response) {
    if button.clicked() {
        cx.state.library.refresh(&cx.session.repaint);
    }
}

pub(super) fn popup(button: &Response, width: f32, content: impl FnOnce(&mut Ui)) {
    Popup::from_toggle_button_response(button)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .layout(Layout::top_down_justified(Align::Min))
        .width(width)
        .gap(4.0)
        .show(|ui| {
            ui.set_width(width);
            ui.spacing_mut().item_spacing.y = 4.0;
            content(ui);
        });
}

pub(super) fn heading(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).font(theme::caption()).color(theme::MUTED));
}

pub(super) fn explain(ui: &mut Ui, text: &str) {
    // Not justified as the rest of the popup is: that would stretch the words apart.
    ui.with_layout(Layout::top_down(Align::Min), |ui| ui.label(RichText::new(text).color(theme::FAINT)));
}

/// A shipped file, and a button to hear it before it is chosen.
pub(super) fn choice(ui: &mut Ui, cx: &Cx<'_>, selected: bool, entry: &Entry, sound: Sound) -> Response {
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(egui::vec2(listen::BUTTON, theme::ROW), Sense::hover());
        listen::button(ui, cx, rect, sound, &entry.name);
        let name = RichText::new(&entry.name).color(theme::TEXT);
        let size = egui::vec2(ui.available_width(), theme::ROW);
        ui.allocate_ui_with_layout(size, Layout::top_down_justified(Align::Min), |ui| {
            ui.add(Button::selectable(selected, name).truncate())
        })
        .inner
    })
    .inner
}

/// The dialog's button and the field for a path.
pub(super) fn file_choices(ui: &mut Ui, cx: &mut Cx<'_>, purpose: Purpose, near: Option<&Path>, hint: &str) {
    ui.add_space(4.0);
    ui.separator();
    ui.add_space(4.0);
    let exports = matches!(purpose, Purpose::Export(_));
    let words = if exports { "Save as…" } else { "Open file…" };
    if ui.add_enabled(!cx.state.dialogs.is_open(), Button::new(words)).clicked() {
        cx.state.dialogs.ask(purpose, near, cx.session);
        ui.close();
    }
    let text = match purpose {
        Purpose::Model | Purpose::Locate => &mut cx.state.model_path,
        Purpose::Seed => &mut cx.state.seed_path,
        Purpose::Export(_) => &mut cx.state.export_path,
    };
    let (go, entered) = ui
        .horizontal(|ui| {
            let room = ui.available_width() - GO - theme::GAP;
            let field = TextEdit::singleline(text).hint_text(hint).desired_width(room).margin(egui::vec2(8.0, 6.0));
            let field = ui.add(field);
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            let go = if exports { "Write" } else { "Open" };
            let can = !text.trim().is_empty();
            (ui.add_enabled(can, Button::new(go).min_size(egui::vec2(GO, theme::ROW))).clicked(), entered)
        })
        .inner;
    if (go || entered)
        && let Some(path) = typed_path(text, home().as_deref())
    {
        cx.session.send(purpose.command(path));
        ui.close();
    }
}

pub(super) fn hover(cx: &Cx<'_>, button: Response, path: Option<&Path>, purpose: &str) {
    if cx.state.dialogs.is_open() {
        button.on_hover_text("A file dialog is open.");
    } else if let Some(path) = path {
        button.on_hover_text(format!("{purpose}\n{}", path.display()));
    } else {
        button.on_hover_text(purpose);
    }
}

pub(super) fn shown_name(choice: &FileChoice, shipped: &[Entry]) -> String {
    if let Some(entry) = shipped.iter().find(|entry| Some(&entry.path) == choice.path.as_ref()) {
        return entry.name.clone();
    }
    match choice.origin {
        Origin::Factory => display_name(&choice.name),
        Origin::Chosen => choice.name.clone(),
        Origin::Captured => "Captured from the sidechain".to_owned(),
    }
}

fn home() -> Option<PathBuf> {
    directories::UserDirs::new().map(|dirs| dirs.home_dir().to_path_buf())
}

fn music_folder() -> Option<PathBuf> {
    let dirs = directories::UserDirs::new()?;
    Some(dirs.audio_dir().map_or_else(|| dirs.home_dir().to_path_buf(), Path::to_path_buf))
}
