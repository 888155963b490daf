//! The spectrum of the variation that plays, in place of its waveform.

use std::sync::Arc;

use egui::{Color32, ColorImage, Painter, Rect, TextureHandle, TextureOptions, Ui, pos2, vec2};

use super::context::Cx;
use super::theme;
use crate::session::{Spectrogram, TakeEntry};

/// Frequencies that are named where there is room.
const MARKS: [(f32, &str); 5] =
    [(100.0, "100 Hz"), (440.0, "440 Hz"), (1_000.0, "1 kHz"), (4_000.0, "4 kHz"), (10_000.0, "10 kHz")];

/// The picture for a lane, if spectra are shown and this one is there; else has it drawn. `seam` is where the continuation begins, as
/// a part of the whole.
pub fn picture(ui: &Ui, cx: &mut Cx<'_>, entry: &TakeEntry, variation: usize, seam: f32) -> Option<TextureHandle> {
    if !cx.state.spectra.on {
        return None;
    }
    cx.session.draw_spectrogram(entry.id, variation);
    let shown = cx.snapshot.spectrogram.as_ref();
    let shown = shown.filter(|shown| (shown.take, shown.variation) == (entry.id, variation))?;
    let drawn = &mut cx.state.spectra.drawn;
    match drawn {
        Some((of, at, texture)) if Arc::ptr_eq(of, shown) && (*at - seam).abs() < f32::EPSILON => Some(texture.clone()),
        _ => {
            let texture = ui.ctx().load_texture("spectrogram", image(shown, seam), TextureOptions::LINEAR);
            *drawn = Some((Arc::clone(shown), seam, texture.clone()));
            Some(texture)
        }
    }
}

/// Lays the picture into a lane, with its frequencies.
pub fn draw(painter: &Painter, lane: Rect, picture: &TextureHandle, shown: &Spectrogram) {
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    painter.image(picture.id(), lane, whole, Color32::WHITE);
    let mut below = lane.bottom();
    for (hz, name) in MARKS {
        let y = lane.bottom() - shown.height(hz) * lane.height();
        if y < lane.top() + 7.0 || y > below - 7.0 {
            continue;
        }
        below = y - 7.0;
        let galley = painter.layout_no_wrap(name.to_owned(), theme::caption(), theme::TEXT);
        let place = Rect::from_min_size(pos2(lane.left() + 2.0, y - galley.size().y / 2.0), galley.size());
        painter.rect_filled(place.expand2(vec2(2.0, 0.0)), 2.0, theme::FIELD.gamma_multiply(0.7));
        painter.galley(place.min, galley, theme::TEXT);
    }
}

/// The hue of what sounds, from dark to white.
fn image(shown: &Spectrogram, seam: f32) -> ColorImage {
    let pixels = shown.shades.iter().enumerate().map(|(at, shade)| {
        let part = ((at % shown.columns) as f32 + 0.5) / shown.columns as f32;
        let hue = if part < seam { theme::SEED } else { theme::CONTINUATION };
        // The quietest tenth is what the noise of eight bits looks like.
        let level = (f32::from(*shade) / 255.0 - 0.1).max(0.0) / 0.9;
        if level < 0.75 {
            theme::FIELD.lerp_to_gamma(hue, level / 0.75)
        } else {
            hue.lerp_to_gamma(Color32::WHITE, (level - 0.75) / 0.25)
        }
    });
    ColorImage::new([shown.columns, shown.rows], pixels.collect())
}
