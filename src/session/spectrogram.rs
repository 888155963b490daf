//! What frequencies a variation has.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use crate::take::id::TakeId;
use crate::take::play::PlayTake;

/// Most columns.
const COLUMNS: usize = 960;
/// Rows, each as many times higher than the one below.
const ROWS: usize = 144;
/// The lowest row's frequency, in Hz: below the lowest key of a piano there is little to see.
const LOWEST_HZ: f32 = 40.0;
/// Seconds of sound under a column's window.
const WINDOW_SECONDS: f32 = 0.08;
/// Level of the lowest shade in dB, where a sine of full scale is 0.
const FLOOR_DB: f32 = -96.0;

/// The spectrum of a variation over its time, on a logarithmic axis of frequencies.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrogram {
    /// Of which take.
    pub take: TakeId,
    /// Of which of its variations, from 0.
    pub variation: usize,
    /// Columns, spread evenly over seed clip and continuation.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// Shades, row by row from the highest frequency down: 0 is -96 dB or less, 255 a sine of full scale.
    pub shades: Vec<u8>,
    /// Frequency in the middle of the lowest row, in Hz.
    pub lowest_hz: f32,
    /// Frequency in the middle of the highest row, in Hz.
    pub highest_hz: f32,
}

impl Spectrogram {
    /// How far up a frequency lies, from 0 (the lowest row) to 1.
    pub fn height(&self, hz: f32) -> f32 {
        (hz / self.lowest_hz).ln() / (self.highest_hz / self.lowest_hz).ln()
    }
}

/// Draws a variation up to `top_hz`; `None` where it is given up because `goes_on` says no, or where there is nothing to draw.
pub(super) fn spectrogram(
    play: &PlayTake,
    (take, variation): (TakeId, usize),
    top_hz: f32,
    goes_on: impl Fn() -> bool,
) -> Option<Spectrogram> {
    let rate_hz = play.rate_hz as f32;
    let frames = play.seed_frames() + play.frames();
    let [left, right] = play.frames_between(variation, (true, false), 0, frames as i64)?;
    let mono: Vec<f32> = left.iter().zip(&right).map(|(left, right)| 0.5 * (left + right)).collect();
    let length = ((WINDOW_SECONDS * rate_hz) as usize).next_power_of_two().max(256);
    let highest_hz = top_hz.min(0.5 * rate_hz).max(2.0 * LOWEST_HZ);
    let columns = COLUMNS.min(frames);
    if columns == 0 {
        return None;
    }
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(length);
    let mut column = Column::new(transform, rate_hz, highest_hz);
    let mut shades = vec![0; columns * ROWS];
    for at in 0..columns {
        if !goes_on() {
            return None;
        }
        let middle = ((at as f64 + 0.5) / columns as f64 * frames as f64) as usize;
        for (row, shade) in column.shades(&mono, middle).enumerate() {
            shades[(ROWS - 1 - row) * columns + at] = shade;
        }
    }
    Some(Spectrogram { take, variation, columns, rows: ROWS, shades, lowest_hz: LOWEST_HZ, highest_hz })
}

/// Draws one column after the other.
struct Column {
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    input: Vec<f32>,
    spectrum: Vec<realfft::num_complex::Complex<f32>>,
    scratch: Vec<realfft::num_complex::Complex<f32>>,
    /// Edges of the rows, in bins.
    edges: Vec<f32>,
}

impl Column {
    fn new(transform: Arc<dyn RealToComplex<f32>>, rate_hz: f32, highest_hz: f32) -> Self {
        let length = transform.len();
        let hann = |at: usize| 0.5 - 0.5 * (std::f32::consts::TAU * (at as f32 + 0.5) / length as f32).cos();
        let window: Vec<f32> = (0..length).map(hann).collect();
        let ratio = highest_hz / LOWEST_HZ;
        let edge = |row: usize| LOWEST_HZ * ratio.powf((row as f32 - 0.5) / (ROWS - 1) as f32);
        Self {
            input: transform.make_input_vec(),
            spectrum: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            edges: (0..=ROWS).map(|row| edge(row) * length as f32 / rate_hz).collect(),
            window,
            transform,
        }
    }

    /// The shades of all rows around a frame, the lowest frequency first.
    fn shades(&mut self, mono: &[f32], middle: usize) -> impl Iterator<Item = u8> {
        let length = self.window.len();
        for (at, (value, weight)) in self.input.iter_mut().zip(&self.window).enumerate() {
            let frame = (middle + at).checked_sub(length / 2).and_then(|frame| mono.get(frame));
            *value = frame.copied().unwrap_or(0.0) * weight;
        }
        let done = self.transform.process_with_scratch(&mut self.input, &mut self.spectrum, &mut self.scratch);
        let whole = if done.is_ok() { self.window.iter().sum::<f32>() / 2.0 } else { f32::INFINITY };
        let spectrum = &self.spectrum;
        self.edges.windows(2).map(move |edges| {
            // Rows narrower than a bin show what lies between two of them; of wider ones, the loudest bin counts, so that a
            // partial has one shade wherever it lies.
            let (from, to) =
                (edges[0].round() as usize, (edges[1].round() as usize).max(edges[0].round() as usize + 1));
            let middle = 0.5 * (edges[0] + edges[1]);
            let power = if to - from <= 1 {
                let (below, part) = (middle.floor() as usize, middle.fract());
                let of = |bin: usize| spectrum.get(bin).map_or(0.0, |value| value.norm());
                let magnitude = of(below) * (1.0 - part) + of(below + 1) * part;
                magnitude * magnitude
            } else {
                let bins = spectrum.get(from..to.min(spectrum.len())).unwrap_or_default();
                bins.iter().map(realfft::num_complex::Complex::norm_sqr).fold(0.0, f32::max)
            };
            let level_db = 10.0 * (power / (whole * whole) + 1e-12).log10();
            ((level_db - FLOOR_DB) / -FLOOR_DB * 255.0).clamp(0.0, 255.0) as u8
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A phrase of one second without a seed clip.
    fn phrase(of: impl Fn(f32) -> f32) -> PlayTake {
        let play = PlayTake::new(48_000, &[], 1, 1, 48_000).unwrap();
        play.append(0, &[(0..48_000_u16).map(|frame| of(f32::from(frame) / 48_000.0)).collect()]);
        play.close();
        play
    }

    fn drawn(play: &PlayTake) -> Spectrogram {
        spectrogram(play, (TakeId::new(), 0), 8_000.0, || true).unwrap()
    }

    #[test]
    fn a_sine_is_a_bright_line_at_its_frequency_and_nowhere_else() {
        for hz in [110.0, 1_000.0, 5_000.0_f32] {
            let shown = drawn(&phrase(|time| (std::f32::consts::TAU * hz * time).sin()));
            let wanted = (shown.height(hz) * (ROWS - 1) as f32).round() as usize;
            for column in (40..shown.columns - 40).step_by(50) {
                let shade = |row: usize| shown.shades[(ROWS - 1 - row) * shown.columns + column];
                assert!(shade(wanted) > 248, "{hz} Hz, column {column}: {}", shade(wanted));
                let far = (0..ROWS).filter(|row| row.abs_diff(wanted) > 24).map(shade).max().unwrap();
                // What is left five bins from a sine under this window is 51 dB below it.
                assert!(far < 120, "{hz} Hz: {far} far from it");
            }
        }
    }

    #[test]
    fn silence_is_dark_and_time_goes_from_left_to_right() {
        assert!(drawn(&phrase(|_| 0.0)).shades.iter().all(|shade| *shade == 0));
        let late = drawn(&phrase(|time| if time < 0.5 { 0.0 } else { (6_283.0 * time).sin() }));
        let brightest = |columns: std::ops::Range<usize>| {
            (0..ROWS).flat_map(|row| &late.shades[row * late.columns..][columns.clone()]).max().copied().unwrap()
        };
        assert_eq!(brightest(0..late.columns * 2 / 5), 0);
        assert!(brightest(late.columns * 3 / 5..late.columns) > 240);
    }

    #[test]
    fn it_is_given_up_when_nobody_wants_it_any_more() {
        assert_eq!(spectrogram(&phrase(|_| 0.1), (TakeId::new(), 0), 8_000.0, || false), None);
        assert_eq!(spectrogram(&PlayTake::silence(), (TakeId::new(), 0), 8_000.0, || true), None);
    }
}
