//! Audio files: reading, writing and resampling.
//!
//! [`read`] takes a whole clip into memory and [`Decoder`] a long recording block by block. WAV is read by hound; what
//! hound refuses, and FLAC, MP3, OGG Vorbis, AAC in M4A, and AIFF are read by symphonia. [`StreamResampler`] changes the
//! rate with rubato. Every refusal is an [`AudioError`] that names the file, the reason and what to do.
//!
//! Everything is f32 with full scale at 1.0.

mod clip;
mod decoder;
mod error;
mod packets;
mod resample;
mod wav;
mod write;

pub use clip::{Clip, MAX_CLIP_SAMPLES, read, read_bounded};
pub use decoder::{Decoder, Info, MAX_CHANNELS, MAX_LEVEL, RATES_HZ, Warning};
pub use error::AudioError;
pub(crate) use resample::period;
pub use resample::{StreamResampler, resample, resampled_frames};
pub use write::{WavFormat, WavSink, write_wav};

#[cfg(test)]
mod tests;
