//! Sound drawn as a mesh: one column of pixels from the lowest to the highest value of what it covers.

use egui::epaint::{Mesh, Vertex, WHITE_UV};
use egui::{Color32, Painter, Rect, Shape, Stroke, pos2};

use super::geometry::enlargement;
use super::theme;
use crate::session::Peak;

/// Factor by which sound is enlarged so that its loudest value nearly fills its lane; quiet sound only so far.
pub fn enlarged(peaks: &[Peak]) -> f32 {
    let all =
        peaks.iter().fold(Peak::default(), |all, peak| Peak { min: all.min.min(peak.min), max: all.max.max(peak.max) });
    enlargement(&[vec![all]])
}

/// Draws columns of pixels, the first at the left of `lane`; `hue` says in which colour at each place.
pub fn draw(painter: &Painter, lane: Rect, columns: &[Option<Peak>], factor: f32, hue: impl Fn(f32) -> Color32) {
    let middle = lane.center().y;
    painter.line_segment([pos2(lane.left(), middle), pos2(lane.right(), middle)], Stroke::new(1.0, theme::LINE));
    let pixels = painter.ctx().pixels_per_point();
    let (half, thin) = (lane.height() / 2.0, 0.6 / pixels);
    let mut mesh = Mesh::default();
    for (index, peak) in columns.iter().enumerate() {
        let Some(peak) = peak else { continue };
        let x = lane.left() + (index as f32 + 0.5) / pixels;
        let top = middle - (peak.max * factor).clamp(-1.0, 1.0) * half - thin;
        let bottom = middle - (peak.min * factor).clamp(-1.0, 1.0) * half + thin;
        column(&mut mesh, x, 0.5 / pixels, top, middle, bottom, hue(x));
    }
    painter.add(Shape::mesh(mesh));
}

/// One column: full colour in the middle, a little darker towards the extremes.
pub fn column(mesh: &mut Mesh, x: f32, half_width: f32, top: f32, middle: f32, bottom: f32, hue: Color32) {
    let first = mesh.vertices.len() as u32;
    let middle = middle.clamp(top, bottom);
    let edge = hue.lerp_to_gamma(theme::FIELD, 0.42 * (bottom - top).min(60.0) / 60.0);
    for (y, color) in [(top, edge), (middle, hue), (bottom, edge)] {
        for x in [x - half_width, x + half_width] {
            mesh.vertices.push(Vertex { pos: pos2(x, y), uv: WHITE_UV, color });
        }
    }
    for corner in [0, 2] {
        let at = first + corner;
        mesh.indices.extend([at, at + 1, at + 2, at + 2, at + 1, at + 3]);
    }
}
