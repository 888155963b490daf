//! `phrase.png`: waveform and spectrogram over one time axis, the seam marked.
//!
//! Drawn with plotters into memory with a font that ships in a crate, so that no system font is needed.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::spectrum::{Spectrogram, spectrogram};

const WIDTH: u32 = 1600;
const HEIGHT: u32 = 1000;

/// The quietest level that the spectrogram shows, in dB below a full-scale sine.
const FLOOR_DB: f32 = -100.0;

/// The highest frequency shown.
const TOP_HZ: f64 = 12_000.0;

const FONT: &str = "continuo";
const SEED: RGBColor = RGBColor(0x33, 0x66, 0x99);
const CONTINUATION: RGBColor = RGBColor(0xb3, 0x4a, 0x2a);
const SEAM: RGBColor = RGBColor(0x10, 0x90, 0x50);
/// Room for a panel's labels, in pixels.
const LEFT: u32 = 70;
const BOTTOM: u32 = 50;
/// Room for the colour scale beside the spectrogram.
const RIGHT: i32 = 110;

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Draws `signal`, whose first `seed_frames` frames are the seed clip.
pub fn draw(path: &Path, title: &str, signal: &[f32], seed_frames: usize, rate_hz: u32) -> Result<()> {
    plotters::style::register_font(FONT, FontStyle::Normal, epaint_default_fonts::HACK_REGULAR)
        .map_err(|_| anyhow!("the built-in font cannot be read"))?;
    let mut pixels = vec![0; (WIDTH * HEIGHT * 3) as usize];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE).map_err(drawing)?;
        let titled = root.margin(14, 8, 16, 0).titled(title, (FONT, 24)).map_err(drawing)?;
        let (above, below) = titled.split_vertically(360);
        let seconds = signal.len() as f64 / f64::from(rate_hz);
        let seam = seed_frames as f64 / f64::from(rate_hz);
        waveform(&above, signal, seed_frames, seconds, seam)?;
        spectra(&below, &spectrogram(signal, 2048, 256)?, rate_hz, seconds, seam)?;
        root.present().map_err(drawing)?;
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().with_context(|| format!("cannot write {}", path.display()))?;
    writer.write_image_data(&pixels).with_context(|| format!("cannot write {}", path.display()))
}

fn waveform(area: &Area, signal: &[f32], seed_frames: usize, seconds: f64, seam: f64) -> Result<()> {
    let peak = signal.iter().fold(0.05_f32, |peak, sample| peak.max(sample.abs())) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .margin_right(RIGHT)
        .margin_top(10)
        .set_label_area_size(LabelAreaPosition::Left, LEFT)
        .set_label_area_size(LabelAreaPosition::Bottom, BOTTOM)
        .build_cartesian_2d(0.0..seconds, -peak..peak)
        .map_err(drawing)?;
    chart
        .configure_mesh()
        .x_desc("time (s)")
        .y_desc("amplitude")
        // The tick at nought comes out a hair below it.
        .y_label_formatter(&|amplitude| format!("{:.1}", (amplitude * 10.0).round() / 10.0 + 0.0))
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 16))
        .x_labels(12)
        .y_labels(7)
        .light_line_style(WHITE)
        .draw()
        .map_err(drawing)?;
    // One vertical stroke a pixel column, from the lowest to the highest sample in it.
    let columns = chart.plotting_area().dim_in_pixel().0 as usize;
    for column in 0..columns {
        let (from, to) = (column * signal.len() / columns, (column + 1) * signal.len() / columns);
        let part = &signal[from..to.max(from + 1).min(signal.len())];
        let low = part.iter().copied().fold(f32::INFINITY, f32::min);
        let high = part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let x = column as f64 / columns as f64 * seconds;
        let colour = if from < seed_frames { SEED } else { CONTINUATION };
        let stroke = PathElement::new(vec![(x, low), (x, high)], colour.stroke_width(1));
        chart.draw_series([stroke]).map_err(drawing)?;
    }
    chart.draw_series([PathElement::new(vec![(seam, -peak), (seam, peak)], SEAM.stroke_width(2))]).map_err(drawing)?;
    let labels = [
        ("seed clip ", peak, SEED, Pos::new(HPos::Right, VPos::Top)),
        (" continuation", peak, CONTINUATION, Pos::new(HPos::Left, VPos::Top)),
        (" seam", -peak, SEAM, Pos::new(HPos::Left, VPos::Bottom)),
    ];
    for (text, y, colour, anchor) in labels {
        let style = TextStyle::from((FONT, 17).into_font()).color(&colour).pos(anchor);
        chart.draw_series([Text::new(text, (seam, y), style)]).map_err(drawing)?;
    }
    Ok(())
}

fn spectra(area: &Area, spectra: &Spectrogram, rate_hz: u32, seconds: f64, seam: f64) -> Result<()> {
    let mut chart = ChartBuilder::on(area)
        .margin_right(RIGHT)
        .margin_top(10)
        .set_label_area_size(LabelAreaPosition::Left, LEFT)
        .set_label_area_size(LabelAreaPosition::Bottom, BOTTOM)
        .build_cartesian_2d(0.0..seconds, 0.0..TOP_HZ / 1000.0)
        .map_err(drawing)?;
    let plot = chart.plotting_area().clone();
    let (columns, rows) = plot.dim_in_pixel();
    let (left, top) = plot.get_base_pixel();
    let inner = area.strip_coord_spec();
    let (base_x, base_y) = area.get_base_pixel();
    for column in 0..columns as usize {
        let frame = column as f64 / f64::from(columns) * seconds * f64::from(rate_hz);
        // A window shows what is around its middle.
        let hop = ((frame - spectra.size as f64 / 2.0) / spectra.hop as f64).round().max(0.0) as usize;
        let Some(power) = spectra.power.get(hop.min(spectra.power.len().saturating_sub(1))) else { break };
        for row in 0..rows as usize {
            let hz = (1.0 - (row as f64 + 0.5) / f64::from(rows)) * TOP_HZ;
            let bin = (hz * spectra.size as f64 / f64::from(rate_hz)).round() as usize;
            let level = 10.0 * power.get(bin).copied().unwrap_or(0.0).max(1e-12).log10();
            let at = (left - base_x + column as i32, top - base_y + row as i32);
            inner.draw_pixel(at, &heat(level)).map_err(drawing)?;
        }
    }
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("time (s)")
        .y_desc("frequency (kHz)")
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 16))
        .x_labels(12)
        .y_labels(7)
        .draw()
        .map_err(drawing)?;
    let line = PathElement::new(vec![(seam, 0.0), (seam, TOP_HZ / 1000.0)], SEAM.stroke_width(2));
    chart.draw_series([line]).map_err(drawing)?;
    let style = TextStyle::from((FONT, 17).into_font()).color(&WHITE).pos(Pos::new(HPos::Left, VPos::Top));
    chart.draw_series([Text::new(" seam", (seam, TOP_HZ / 1000.0 * 0.985), style)]).map_err(drawing)?;
    scale(&inner, (left - base_x + columns as i32 + 20, top - base_y), rows as i32)
}

/// The colour scale, at `at` in the area's pixels.
fn scale(area: &Area, at: (i32, i32), rows: i32) -> Result<()> {
    for row in 0..rows {
        let level = FLOOR_DB * row as f32 / rows as f32;
        let bar = Rectangle::new([(at.0, at.1 + row), (at.0 + 16, at.1 + row + 1)], heat(level).filled());
        area.draw(&bar).map_err(drawing)?;
    }
    let style = TextStyle::from((FONT, 14).into_font()).color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    for tenth in (0..=10).step_by(2) {
        // The sum makes a zero of the negative zero.
        let level = FLOOR_DB * tenth as f32 / 10.0 + 0.0;
        let y = at.1 + rows * tenth / 10;
        area.draw(&Text::new(format!("{level:.0} dB"), (at.0 + 22, y), style.clone())).map_err(drawing)?;
    }
    Ok(())
}

/// Dark to light with the level: black, violet, orange, pale yellow.
fn heat(level_db: f32) -> RGBColor {
    const STOPS: [[f32; 3]; 5] =
        [[0.0, 0.0, 4.0], [81.0, 18.0, 124.0], [183.0, 55.0, 121.0], [252.0, 137.0, 97.0], [252.0, 253.0, 191.0]];
    let place = ((1.0 - level_db / FLOOR_DB) * (STOPS.len() - 1) as f32).clamp(0.0, (STOPS.len() - 1) as f32);
    let below = (place as usize).min(STOPS.len() - 2);
    let share = place - below as f32;
    let mix = |i: usize| (STOPS[below][i] + (STOPS[below + 1][i] - STOPS[below][i]) * share).round() as u8;
    RGBColor(mix(0), mix(1), mix(2))
}

fn drawing(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw the picture: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_a_png_with_the_seam_in_both_panels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phrase.png");
        let signal: Vec<f32> = (0..96_000).map(|i| 0.5 * (i as f32 * 0.06).sin()).collect();
        draw(&path, "a tone", &signal, 48_000, 48_000).unwrap();
        let mut reader = png::Decoder::new(std::io::BufReader::new(File::open(&path).unwrap())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let seam = |y: u32| -> Vec<u32> {
            let row = &pixels[(y * WIDTH * 3) as usize..][..(WIDTH * 3) as usize];
            (0..WIDTH).zip(row.chunks(3)).filter(|(_, rgb)| *rgb == [SEAM.0, SEAM.1, SEAM.2]).map(|(x, _)| x).collect()
        };
        let (wave, spectrum) = (seam(200), seam(700));
        assert!(!wave.is_empty());
        assert_eq!(wave, spectrum);
    }

    #[test]
    fn louder_is_lighter() {
        let sum = |colour: RGBColor| u32::from(colour.0) + u32::from(colour.1) + u32::from(colour.2);
        let mut last = 0;
        for level in (0..=10).rev() {
            let now = sum(heat(FLOOR_DB * level as f32 / 10.0));
            assert!(now >= last);
            last = now;
        }
        assert_eq!(sum(heat(10.0)), sum(heat(0.0)));
    }
}
