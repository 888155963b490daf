//! Sound packed without loss for the host's session.
//!
//! The four bytes of all `f32` values are grouped (all first bytes, all second bytes, …) before zstd sees them: generated
//! audio has a few hundred distinct values and recordings were integers, so whole groups hardly vary. The host's session
//! is JSON, so bytes travel as base64.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use continuo_engine::audio::Clip;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::store::{Store, StoreError};
use super::{Recipe, Take};

/// Most values (frames × channels) that one sound may claim: ten minutes of stereo at 192 kHz.
const MAX_VALUES: u64 = 10 * 60 * 192_000 * 2;
/// Most alternatives that a saved take may claim.
const MAX_ALTERNATIVES: usize = 8;
const COMPRESSION_LEVEL: i32 = 6;

/// Why a saved sound cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The description does not make sense.
    #[error("the saved take's {what} is not possible ({detail}); the project file is damaged — render the take again")]
    Implausible {
        /// The field.
        what: &'static str,
        /// Its value.
        detail: String,
    },
    /// The bytes do not have the hash they were saved with.
    #[error(
        "the saved take's sound does not match its checksum; the project file is damaged — open a backup of the project or render the take again"
    )]
    Checksum,
    /// The bytes do not unpack to what the description says.
    #[error("the saved take's sound cannot be unpacked ({0}); the project file is damaged — render the take again")]
    Unpack(String),
    /// The sound lies in the take store and cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A sound as the session file keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedSound {
    /// Frames per second.
    pub rate_hz: u32,
    /// Number of channels.
    pub channels: u16,
    /// Number of frames.
    pub frames: u64,
    /// SHA-256 of the packed bytes, hexadecimal; also their name in the take store.
    pub sha256: String,
    /// Number of packed bytes.
    pub bytes: u64,
    /// The packed bytes in base64; without them, the bytes are in the take store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
}

/// A take as the session file keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PackedTake {
    /// How it was made.
    pub recipe: Recipe,
    /// The seed clip.
    pub seed: Option<PackedSound>,
    /// The alternatives' continuations.
    pub continuations: Vec<PackedSound>,
}

/// A packed sound whose bytes are still at hand.
struct Parcel {
    sound: PackedSound,
    bytes: Vec<u8>,
}

/// Packs a take.
///
/// It goes inline when all of it takes at most `inline_limit` packed bytes; else its sounds go to `store`. When the store
/// cannot be written the take stays inline all the same, and the error comes along: a large project beats a lost take.
pub fn pack(take: &Take, inline_limit: u64, store: Option<&Store>) -> (PackedTake, Option<StoreError>) {
    let mut seed = take.seed.as_ref().map(|clip| parcel(clip.sample_rate_hz, &clip.channels));
    let mut continuations: Vec<Parcel> = take
        .continuations
        .iter()
        .map(|frames| parcel(take.recipe.model_rate_hz, std::slice::from_ref(frames.as_ref())))
        .collect();
    let total: u64 = seed.iter().chain(&continuations).map(|parcel| parcel.sound.bytes).sum();
    let mut failure = None;
    let mut outside = false;
    if total > inline_limit {
        match store {
            Some(store) => {
                let written = seed
                    .iter()
                    .chain(&continuations)
                    .try_for_each(|parcel| store.put(&parcel.sound.sha256, &parcel.bytes));
                match written {
                    Ok(()) => outside = true,
                    Err(error) => failure = Some(error),
                }
            }
            None => failure = Some(StoreError::NoFolder),
        }
    }
    if !outside {
        for parcel in seed.iter_mut().chain(&mut continuations) {
            parcel.sound.inline = Some(STANDARD.encode(&parcel.bytes));
        }
    }
    let packed = PackedTake {
        recipe: take.recipe.clone(),
        seed: seed.map(|parcel| parcel.sound),
        continuations: continuations.into_iter().map(|parcel| parcel.sound).collect(),
    };
    (packed, failure)
}

impl PackedTake {
    /// Unpacks the take, from itself or from `store`.
    pub fn unpack(&self, store: Option<&Store>) -> Result<Take, PackError> {
        if self.continuations.is_empty() || self.continuations.len() > MAX_ALTERNATIVES {
            return Err(implausible("number of alternatives", self.continuations.len()));
        }
        // What plays is sized by the recipe, so the recipe may not promise what the sounds do not hold.
        if self.recipe.takes as usize != self.continuations.len() || self.recipe.frames == 0 {
            return Err(implausible("recipe", format!("{} takes of {} frames", self.recipe.takes, self.recipe.frames)));
        }
        if let Some(seed) = &self.seed
            && seed.frames as f64 > (crate::renderer::MAX_SEED_SECONDS + 1.0) * f64::from(seed.rate_hz)
        {
            return Err(implausible(
                "length of the seed clip",
                format!("{} frames at {} Hz", seed.frames, seed.rate_hz),
            ));
        }
        let model_rate_hz = self.recipe.model_rate_hz;
        let seed = self.seed.as_ref().map(|sound| sound.unpack(store)).transpose()?.map(std::sync::Arc::new);
        let mut continuations = Vec::with_capacity(self.continuations.len());
        for packed in &self.continuations {
            if packed.channels != 1 || packed.rate_hz != model_rate_hz || packed.frames != self.recipe.frames {
                return Err(implausible(
                    "continuation",
                    format!("{} frames, {} channels, {} Hz", packed.frames, packed.channels, packed.rate_hz),
                ));
            }
            let mut clip = packed.unpack(store)?;
            continuations.push(std::sync::Arc::new(clip.channels.swap_remove(0)));
        }
        Ok(Take { recipe: self.recipe.clone(), seed, continuations })
    }

    /// Packed size of all sounds in bytes.
    pub fn bytes(&self) -> u64 {
        self.seed.iter().chain(&self.continuations).map(|sound| sound.bytes).sum()
    }

    /// Whether the sounds are in the take store.
    pub fn is_stored_outside(&self) -> bool {
        self.seed.iter().chain(&self.continuations).any(|sound| sound.inline.is_none())
    }
}

impl PackedSound {
    fn unpack(&self, store: Option<&Store>) -> Result<Clip, PackError> {
        if !(1_000..=768_000).contains(&self.rate_hz) {
            return Err(implausible("rate", self.rate_hz));
        }
        if !(1..=2).contains(&self.channels) {
            return Err(implausible("number of channels", self.channels));
        }
        let values = self.frames.checked_mul(u64::from(self.channels)).filter(|values| *values <= MAX_VALUES);
        let Some(values) = values else { return Err(implausible("length in frames", self.frames)) };
        let bytes = match &self.inline {
            Some(text) => STANDARD.decode(text).map_err(|error| PackError::Unpack(error.to_string()))?,
            None => store.ok_or(StoreError::NoFolder)?.get(&self.sha256, values * 4 + 1024)?,
        };
        if sha256_hex(&bytes) != self.sha256 {
            return Err(PackError::Checksum);
        }
        let plain = decompress(&bytes, values as usize * 4)?;
        let values = unshuffle(&plain);
        if values.iter().any(|value| !value.is_finite()) {
            return Err(PackError::Unpack("it holds values that are not numbers".to_owned()));
        }
        let frames = self.frames as usize;
        let channels = (0..usize::from(self.channels)).map(|c| values[c * frames..(c + 1) * frames].to_vec()).collect();
        Ok(Clip { sample_rate_hz: self.rate_hz, channels })
    }
}

fn implausible(what: &'static str, detail: impl std::fmt::Display) -> PackError {
    PackError::Implausible { what, detail: detail.to_string() }
}

fn parcel(rate_hz: u32, channels: &[Vec<f32>]) -> Parcel {
    let shuffled = shuffle(channels);
    // Compressing into memory cannot fail for want of anything but memory; the stored fallback is a valid frame too.
    let bytes = zstd::encode_all(shuffled.as_slice(), COMPRESSION_LEVEL)
        .or_else(|_| zstd::encode_all(shuffled.as_slice(), 1))
        .unwrap_or_default();
    Parcel {
        sound: PackedSound {
            rate_hz,
            channels: channels.len() as u16,
            frames: channels.first().map_or(0, Vec::len) as u64,
            sha256: sha256_hex(&bytes),
            bytes: bytes.len() as u64,
            inline: None,
        },
        bytes,
    }
}

/// All first bytes, then all second bytes, … of the values' little-endian form; channels one after the other.
fn shuffle(channels: &[Vec<f32>]) -> Vec<u8> {
    let values: usize = channels.iter().map(Vec::len).sum();
    let mut bytes = vec![0; values * 4];
    for (index, value) in channels.iter().flatten().enumerate() {
        for (plane, byte) in value.to_le_bytes().into_iter().enumerate() {
            bytes[plane * values + index] = byte;
        }
    }
    bytes
}

fn unshuffle(bytes: &[u8]) -> Vec<f32> {
    let values = bytes.len() / 4;
    (0..values).map(|index| f32::from_le_bytes(std::array::from_fn(|plane| bytes[plane * values + index]))).collect()
}

/// Decompresses exactly `expected` bytes; more or less is an error, and no more than that is ever taken into memory.
fn decompress(bytes: &[u8], expected: usize) -> Result<Vec<u8>, PackError> {
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|e| PackError::Unpack(e.to_string()))?;
    let mut plain = Vec::new();
    decoder.take(expected as u64 + 1).read_to_end(&mut plain).map_err(|error| PackError::Unpack(error.to_string()))?;
    if plain.len() == expected {
        Ok(plain)
    } else {
        Err(PackError::Unpack(format!("{expected} bytes were announced, but there are {} or more", plain.len())))
    }
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::Arc;

    pub(crate) fn take() -> Take {
        let wave =
            |step: f32| (0..2_000).map(|i| ((i as f32 * step).sin() * 127.0).round() / 128.0).collect::<Vec<_>>();
        Take {
            recipe: Recipe {
                model_name: "test".to_owned(),
                model_file: "test.continuo".to_owned(),
                model_sha256: "00".repeat(32),
                model_rate_hz: 16_000,
                seed_name: Some("seed.wav".to_owned()),
                temperature: 0.9,
                top_k: 0,
                rng_seed: 7,
                takes: 2,
                frames: 2_000,
                precision: continuo_engine::Precision::Int8,
                quantisation: None,
                engine_version: "0.1.0".to_owned(),
            },
            seed: Some(Arc::new(Clip { sample_rate_hz: 44_100, channels: vec![wave(0.01), wave(0.02)] })),
            continuations: vec![Arc::new(wave(0.03)), Arc::new(wave(0.04))],
        }
    }

    #[test]
    fn a_take_comes_back_bit_for_bit_inline_and_from_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().to_path_buf());
        let take = take();
        let (inline, failure) = pack(&take, u64::MAX, Some(&store));
        assert!(failure.is_none() && !inline.is_stored_outside());
        assert_eq!(inline.unpack(None).unwrap(), take);
        assert!(inline.bytes() < 2_000 * 4 * 4 / 2, "{} bytes", inline.bytes());

        let (outside, failure) = pack(&take, 100, Some(&store));
        assert!(failure.is_none() && outside.is_stored_outside());
        assert_eq!(outside.unpack(Some(&store)).unwrap(), take);
        assert!(matches!(outside.unpack(None), Err(PackError::Store(_))));
        let json = serde_json::to_string(&outside).unwrap();
        assert_eq!(serde_json::from_str::<PackedTake>(&json).unwrap(), outside);
    }

    #[test]
    fn an_unwritable_store_keeps_the_take_inline_and_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = Store::at(file.path().join("takes"));
        let take = take();
        let (packed, failure) = pack(&take, 100, Some(&store));
        assert!(failure.unwrap().to_string().contains("takes"));
        assert_eq!(packed.unpack(None).unwrap(), take);
    }

    #[test]
    fn damage_is_refused() {
        let (packed, _) = pack(&take(), u64::MAX, None);
        let change = |edit: &dyn Fn(&mut PackedSound)| {
            let mut changed = packed.clone();
            edit(&mut changed.continuations[1]);
            changed.unpack(None).unwrap_err()
        };
        assert!(matches!(change(&|s| s.frames = 1 << 60), PackError::Implausible { .. }));
        assert!(matches!(change(&|s| s.channels = 9), PackError::Implausible { .. }));
        assert!(matches!(change(&|s| s.rate_hz = 0), PackError::Implausible { .. }));
        assert!(matches!(change(&|s| s.sha256.replace_range(0..1, "x")), PackError::Checksum));
        assert!(matches!(change(&|s| s.inline = Some("%".to_owned())), PackError::Unpack(_)));
        let mut longer = packed.clone();
        longer.recipe.frames += 1;
        longer.continuations[0].frames += 1;
        longer.continuations[1].frames += 1;
        assert!(matches!(longer.unpack(None), Err(PackError::Unpack(_))));
        // A recipe that promises more takes than there are sounds would size what plays.
        for takes in [0, 1, u32::MAX] {
            let mut promised = packed.clone();
            promised.recipe.takes = takes;
            assert!(matches!(promised.unpack(None), Err(PackError::Implausible { .. })), "{takes} takes");
        }
        let mut drawn_out = packed.clone();
        if let Some(seed) = &mut drawn_out.seed {
            seed.frames = 1 << 40;
        }
        assert!(matches!(drawn_out.unpack(None), Err(PackError::Implausible { .. })));
        // A bomb: a small frame that unpacks to far more than announced.
        let mut bomb = packed.clone();
        let bytes = zstd::encode_all(vec![0u8; 1 << 24].as_slice(), 3).unwrap();
        bomb.continuations[0].sha256 = sha256_hex(&bytes);
        bomb.continuations[0].inline = Some(STANDARD.encode(&bytes));
        assert!(matches!(bomb.unpack(None), Err(PackError::Unpack(_))));
    }
}
