//! What went wrong and what went well, in words, until the user has read it, and what the user is asked.

use egui::{Align, Button, Color32, Frame, Layout, Margin, RichText, Stroke, Ui, vec2};

use super::context::Cx;
use super::dialog::Purpose;
use super::theme;
use super::widgets::{draw_cross, icon_button};
use super::words::capitalised;
use crate::session::{Command, OtherModel, short};

/// Width of the button that shows a file.
const SHOW: f32 = 112.0;

/// What there is to say and whether it is an error; an error comes before a notice.
pub fn pending(cx: &mut Cx<'_>) -> Option<(String, bool)> {
    if let Some(error) = &cx.snapshot.error {
        return Some((sentence(error), true));
    }
    let notice = cx.state.notices.shown(cx.snapshot)?;
    Some((sentence(&notice), false))
}

/// Errors are written to be joined to others; on their own they begin with a capital and end with a stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut sentence = capitalised(text);
    if !text.ends_with(['.', '!', '?', '…', ')']) {
        sentence.push('.');
    }
    sentence
}

/// Asks whether an export may replace a file.
pub fn question(ui: &mut Ui, cx: &mut Cx<'_>, file: &std::path::Path) {
    bar(ui, theme::SEED, |ui| {
        // The buttons first, so that a long path leaves them their room.
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let keep = ui.button("Keep it").on_hover_text("Nothing is written; choose another name.");
            if keep.clicked() {
                cx.session.send(Command::KeepFile);
            }
            let replace = ui.button("Replace").on_hover_text("The file is gone then, and the take is in its place.");
            if replace.clicked() {
                cx.session.send(Command::ExportOver(file.to_path_buf()));
            }
            let words = format!("{} is there already. Replace it with the take?", file.display());
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(egui::Label::new(RichText::new(words).color(theme::TEXT)).truncate());
            });
        });
    });
}

/// Asks whether a model is to be used that was found in place of the lost one and is another.
pub fn another_model(ui: &mut Ui, cx: &mut Cx<'_>, other: &OtherModel) {
    bar(ui, theme::SEED, |ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button("Leave it").on_hover_text("The project goes on naming the model that is lost.").clicked() {
                cx.session.send(Command::LeaveModel);
            }
            let uses = ui.button("Use it").on_hover_text("The next take is made with this model.");
            if uses.clicked() {
                cx.session.send(Command::ChooseModel(other.path.clone()));
            }
            let words = format!(
                "{} is another model (SHA-256 {}… in place of {}…). Use it all the same?",
                other.path.display(),
                short(&other.sha256),
                short(&other.wanted)
            );
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(egui::Label::new(RichText::new(&words).color(theme::TEXT)).truncate()).on_hover_text(words);
            });
        });
    });
}

/// A bar across the window.
fn bar(ui: &mut Ui, hue: Color32, content: impl FnOnce(&mut Ui)) {
    Frame::new()
        .fill(hue.gamma_multiply(0.13))
        .stroke(Stroke::new(1.0, hue.gamma_multiply(0.5)))
        .corner_radius(theme::RADIUS)
        .inner_margin(Margin::symmetric(12, 6))
        .show(ui, |ui| ui.horizontal(content));
}

/// The bar with the message and its cross.
pub fn message(ui: &mut Ui, cx: &mut Cx<'_>, text: &str, is_error: bool) {
    bar(ui, if is_error { theme::ERROR } else { theme::CONTINUATION }, |ui| {
        let file = cx.snapshot.told_file().filter(|_| !is_error).cloned();
        let lost = cx.snapshot.lost_model().filter(|_| is_error).cloned();
        let button = if file.is_some() || lost.is_some() { SHOW + theme::GAP } else { 0.0 };
        let room = ui.available_width() - 24.0 - theme::GAP - button;
        ui.scope(|ui| {
            ui.set_max_width(room);
            ui.add(egui::Label::new(RichText::new(text).color(theme::TEXT)).wrap());
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, "Dismiss", 22.0, draw_cross).on_hover_text("I have read this.").clicked() {
                if is_error {
                    cx.session.send(Command::DismissError);
                } else {
                    cx.state.notices.dismiss();
                }
            }
            if let Some(lost) = lost {
                let locate = Button::new("Locate…").min_size(vec2(SHOW, 22.0));
                let locate = ui.add_enabled(!cx.state.dialogs.is_open(), locate);
                if locate.on_hover_text("Find the model's file, wherever it lies now.").clicked() {
                    cx.state.dialogs.ask(Purpose::Locate, Some(&lost.path), cx.session);
                }
            }
            if let Some(file) = file {
                let show = ui.add(Button::new("Show in folder").min_size(vec2(SHOW, 22.0)));
                if show.on_hover_text("Opens the folder in the system's file manager.").clicked() {
                    cx.session.send(Command::Reveal(file));
                }
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_becomes_a_sentence() {
        assert_eq!(sentence("the model is gone; choose another"), "The model is gone; choose another.");
        assert_eq!(sentence("Exported to /a/b.wav."), "Exported to /a/b.wav.");
        assert_eq!(sentence("élan"), "Élan.");
    }
}
