//! Audio files: reading, writing and resampling.
//!
//! [`import`] takes a whole clip into memory, [`import_part`] a part of a recording of any length, and [`Decoder`] gives a long
//! recording block by block. What is missing in a damaged
//! file comes back as [`Loss`]es. [`StreamResampler`] changes the rate with rubato. Every refusal is an [`AudioError`] that
//! names the file, the reason and what to do.
//!
//! | file | container | samples |
//! |---|---|---|
//! | WAV, RF64, BW64, Wave64, AIFF, AIFC | `chunks`, `wav`, `aiff` | `pcm`, and symphonia for ADPCM, through `blocks` |
//! | FLAC | `flac` | symphonia |
//! | OGG with Vorbis or FLAC | `pages`, `ogg` | symphonia |
//! | MP3, MP2, MP1, AAC in ADTS | `framed`, `mpeg` | symphonia |
//! | M4A, CAF, Matroska | symphonia, with `mp4` for edit lists | symphonia |
//!
//! Everything is f32 with full scale at 1.0.

mod aac;
mod aiff;
mod annotations;
mod blocks;
mod bounds;
mod checksum;
mod chunks;
mod clip;
mod codec;
mod container;
mod decoder;
mod error;
mod flac;
mod flac_sink;
mod framed;
mod loss;
mod mp4;
mod mpeg;
mod ogg;
mod pages;
mod part;
mod pcm;
mod resample;
mod sniff;
mod source;
mod tags;
mod wav;
mod window;
mod write;

pub use annotations::{Annotations, Beat};
pub use bounds::{MAX_CHANNELS, MAX_LEVEL, RATES_HZ};
pub use clip::{Clip, DamagedClip, Imported, MAX_CLIP_SAMPLES, import, read};
pub use decoder::Decoder;
pub use error::AudioError;
pub use flac_sink::{FlacBits, write_flac};
pub use loss::{Cause, Loss, describe};
pub use part::{Excerpt, Part, import_part};
pub(crate) use resample::period;
pub use resample::{StreamResampler, resample, resampled_frames};
pub use source::Info;
pub use write::{WavFormat, WavSink, write_wav};

#[cfg(test)]
mod tests;
