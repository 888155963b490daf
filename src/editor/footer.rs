//! The last line: where the take is kept, and frames that came too late.

use egui::{Align, Label, Layout, Popup, RichText, Sense, Ui};

use super::context::Cx;
use super::theme;
use super::ticks::{bytes, count, duration};
use super::widgets::menu_padding;
use crate::session::{Command, Storage};

/// Limits to choose from, in bytes.
const LIMITS: [u64; 5] = [0, 1 << 20, 4 << 20, 16 << 20, 64 << 20];

/// The last line.
pub fn footer(ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.horizontal_centered(|ui| {
        let limit = bytes(cx.snapshot.inline_limit);
        let (words, tip) = match &cx.snapshot.storage {
            None => (
                format!("Takes up to {limit} are kept in the project"),
                "Larger takes go to a folder of yours, and the project refers to them.".to_owned(),
            ),
            Some(Storage::Inline { bytes: size }) => (
                format!("Kept in the project · {} of at most {limit}", bytes(*size)),
                "The project holds the sound itself: it opens and plays on any machine.".to_owned(),
            ),
            Some(Storage::Store { bytes: size, folder }) => (
                format!("Kept in the take store · {}, more than the project's {limit}", bytes(*size)),
                format!("The project refers to a file in {}", folder.display()),
            ),
        };
        let line = ui
            .add(Label::new(RichText::new(words).font(theme::caption()).color(theme::FAINT)).sense(Sense::click()))
            .on_hover_text(format!("{tip}\n\nClick to change the limit."));
        if line.hovered() {
            ui.set_cursor_icon(egui::CursorIcon::PointingHand);
        }
        Popup::menu(&line).show(|ui| {
            menu_padding(ui);
            ui.label(RichText::new("Keep takes in the project up to").font(theme::caption()).color(theme::MUTED));
            for limit in LIMITS {
                let name = if limit == 0 { "nothing".to_owned() } else { bytes(limit) };
                if ui
                    .selectable_label(limit == cx.snapshot.inline_limit, RichText::new(name).color(theme::TEXT))
                    .clicked()
                {
                    cx.session.send(Command::InlineLimit(limit));
                }
            }
        });

        let missing = cx.session.missing_frames();
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add_space(14.0);
            if missing > 0 {
                let text = RichText::new(missed(missing, cx.session.link.host_rate_hz())).font(theme::caption());
                let label = ui.add(Label::new(text.color(theme::SEED)).sense(Sense::click())).on_hover_text(
                    "Playback came to frames that were not rendered yet; they were faded to silence. \
                     Wait for the render to finish, or start playing later.\n\n\
                     Counted since the instrument was loaded. Click to count from 0 again.",
                );
                if label.hovered() {
                    ui.set_cursor_icon(egui::CursorIcon::PointingHand);
                }
                if label.clicked() {
                    cx.session.forget_missing();
                }
            }
            if let Some(take) = &cx.snapshot.take {
                let recipe = RichText::new(&take.recipe).font(theme::caption()).color(theme::FAINT);
                ui.add(Label::new(recipe).truncate()).on_hover_text(format!("What made this take: {}", take.recipe));
            }
        });
    });
}

/// How many frames were missing, and how long that is.
fn missed(frames: u64, rate_hz: Option<u32>) -> String {
    let words = if frames == 1 { "1 missing frame".to_owned() } else { format!("{} missing frames", count(frames)) };
    let Some(rate_hz) = rate_hz else { return words };
    let milliseconds = frames as f64 / f64::from(rate_hz) * 1e3;
    let long = match milliseconds {
        ..1.0 => "under 1 ms".to_owned(),
        ..1_000.0 => format!("{milliseconds:.0} ms"),
        _ => duration(milliseconds / 1e3),
    };
    format!("{words} · {long}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_frames_are_told_with_their_time() {
        assert_eq!(missed(1, None), "1 missing frame");
        assert_eq!(missed(3, Some(48_000)), "3 missing frames · under 1 ms");
        assert_eq!(missed(480, Some(48_000)), "480 missing frames · 10 ms");
        assert_eq!(missed(96_000, Some(48_000)), "96\u{a0}000 missing frames · 2.0 s");
    }
}
