#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp, clippy::trivially_copy_pass_by_ref)]

mod containers;
mod damage;
mod files;
mod part;
mod rates;
mod table;

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use super::{AudioError, Imported, import};

/// `frames` frames of a sine, full scale 1.0, at `amplitude`.
pub(crate) fn sine(hz: f64, rate_hz: u32, amplitude: f64, phase: f64, frames: usize) -> Vec<f32> {
    (0..frames).map(|t| (amplitude * (TAU * hz * t as f64 / f64::from(rate_hz) + phase).sin()) as f32).collect()
}

/// Amplitude of the sine at `hz` in `x`, by a Hann-windowed projection: leakage of others is 100 dB down a few bins away.
pub(crate) fn level_at(x: &[f32], hz: f64, rate_hz: u32) -> f64 {
    let n = x.len() as f64;
    let (mut re, mut im, mut sum) = (0.0, 0.0, 0.0);
    for (t, &x) in x.iter().enumerate() {
        let w = (1.0 - (TAU * t as f64 / n).cos()) / 2.0;
        let (s, c) = (TAU * hz * t as f64 / f64::from(rate_hz)).sin_cos();
        re += w * f64::from(x) * c;
        im += w * f64::from(x) * s;
        sum += w;
    }
    2.0 * re.hypot(im) / sum
}

pub(crate) fn db(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-12).log10()
}

/// A sound file of the repository.
pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

pub(crate) fn with_file<T>(name: &str, bytes: &[u8], test: impl FnOnce(&Path) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    test(&path)
}

pub(crate) fn imported(name: &str, bytes: &[u8]) -> Imported {
    with_file(name, bytes, |path| import(path, 60.0)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

pub(crate) fn refusal(name: &str, bytes: &[u8]) -> AudioError {
    let error = with_file(name, bytes, |path| import(path, 60.0).map(|_| ()).expect_err(name));
    assert!(error.to_string().contains(name), "names the file: {error}");
    error
}
