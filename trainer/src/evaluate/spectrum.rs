//! Short-time spectra, in numbers and as pictures.

use std::f64::consts::TAU;

use realfft::RealFftPlanner;

/// Frames in a window, and from window to window, at any rate: 64 ms at 16 kHz.
pub const WINDOW: usize = 1024;
/// Frames from one window to the next.
pub const HOP: usize = 256;
/// What a picture shows as black, in dB under a full-scale sine; its brightest is 0 dB.
const FLOOR_DB: f32 = -100.0;

/// Power spectra over Hann windows, `[window][bin]`; a full-scale sine has 1. Shorter sounds give none.
pub fn spectra(sound: &[f32]) -> Vec<Vec<f32>> {
    let mut all = Vec::new();
    each_spectrum(sound, &hann(WINDOW), HOP, |spectrum| all.push(spectrum.to_vec()));
    all
}

/// Hann's window, whose sidelobes fall by 18 dB per octave.
pub fn hann(window: usize) -> Vec<f32> {
    cosines(window, &[0.5, 0.5])
}

/// The four-term window of Blackman and Harris (Harris, *Proceedings of the IEEE*, 1978, table 1), whose sidelobes lie 92 dB
/// under its main lobe of four bins on either side.
pub fn blackman_harris(window: usize) -> Vec<f32> {
    cosines(window, &[0.358_75, 0.488_29, 0.141_28, 0.011_68])
}

/// A sum of cosines with alternating signs.
fn cosines(window: usize, factors: &[f64]) -> Vec<f32> {
    let value = |i: usize| {
        let terms = factors.iter().enumerate().map(|(n, factor)| {
            let sign = if n % 2 == 0 { 1.0 } else { -1.0 };
            sign * factor * (TAU * (n * i) as f64 / window as f64).cos()
        });
        terms.sum::<f64>() as f32
    };
    (0..window).map(value).collect()
}

/// Hands over one power spectrum after another, `weights.len() / 2 + 1` bins each, so that an hour needs no more memory than a
/// second. A full-scale sine has 1 whatever the window.
pub fn each_spectrum(sound: &[f32], weights: &[f32], hop: usize, mut take: impl FnMut(&[f32])) {
    let window = weights.len();
    let fft = RealFftPlanner::<f32>::new().plan_fft_forward(window);
    // A sine of amplitude 1 has its peak at half the window's sum.
    let scale = 2.0 / weights.iter().sum::<f32>();
    let (mut input, mut output) = (fft.make_input_vec(), fft.make_output_vec());
    let mut powers = vec![0.0; output.len()];
    for start in (0..(sound.len() + 1).saturating_sub(window)).step_by(hop) {
        for ((out, value), weight) in input.iter_mut().zip(&sound[start..]).zip(weights) {
            *out = value * weight;
        }
        // Buffers of the lengths that the transform itself has made cannot be of the wrong length.
        let done = fft.process(&mut input, &mut output);
        debug_assert!(done.is_ok());
        for (power, bin) in powers.iter_mut().zip(&output) {
            *power = (bin * scale).norm_sqr();
        }
        take(&powers);
    }
}

/// A spectrogram as a PNG, time to the right and frequency upwards: its bytes, width and height. `None` of a sound that is
/// too short.
pub fn picture(sound: &[f32]) -> Option<(Vec<u8>, u32, u32)> {
    let spectra = spectra(sound);
    let height = WINDOW / 2;
    let width = spectra.len();
    if width == 0 {
        return None;
    }
    let mut pixels = Vec::with_capacity(3 * width * height);
    for row in 0..height {
        for spectrum in &spectra {
            let db = 10.0 * spectrum[height - row].max(1e-12).log10();
            pixels.extend(colour(1.0 - (db / FLOOR_DB).clamp(0.0, 1.0)));
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels)).ok()?;
    Some((bytes, width as u32, height as u32))
}

/// Black over violet and orange to white: brightness grows all the way, so that it reads without colours too.
fn colour(level: f32) -> [u8; 3] {
    const STOPS: [[f32; 3]; 5] =
        [[0.0, 0.0, 4.0], [80.0, 18.0, 123.0], [182.0, 54.0, 121.0], [251.0, 136.0, 97.0], [252.0, 253.0, 191.0]];
    let place = level * (STOPS.len() - 1) as f32;
    let below = (place as usize).min(STOPS.len() - 2);
    let part = place - below as f32;
    std::array::from_fn(|channel| (STOPS[below][channel] * (1.0 - part) + STOPS[below + 1][channel] * part) as u8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_sine_is_a_peak_of_its_power_at_its_place() {
        let bin = 64;
        let sine: Vec<f32> =
            (0..4096).map(|t| 0.5 * (TAU * f64::from(t) * f64::from(bin) / WINDOW as f64).sin() as f32).collect();
        let spectra = spectra(&sine);
        assert_eq!(spectra.len(), (4096 - WINDOW) / HOP + 1);
        for spectrum in &spectra {
            assert!((spectrum[64] - 0.25).abs() < 1e-3, "{}", spectrum[64]);
            assert!(spectrum[80] < 1e-8);
        }
        let (png, width, height) = picture(&sine).unwrap();
        assert_eq!((width as usize, height), (spectra.len(), 512));
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let brightness =
            |row: usize| pixels[3 * row * width as usize..][..3].iter().map(|&x| u32::from(x)).sum::<u32>();
        assert!(brightness(512 - 64) > 400 && brightness(100) < 20);
        assert!(picture(&sine[..100]).is_none());
    }
}
