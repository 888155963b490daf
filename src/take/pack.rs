//! Sound packed without loss for the host's session.
//!
//! The four bytes of all `f32` values are grouped (all first bytes, all second bytes, …) before zstd sees them: generated
//! audio has a few hundred distinct values and recordings were integers, so whole groups hardly vary. The host's session
//! is JSON, so bytes travel as base64.

use std::io::Read as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use continuo_engine::audio::Clip;
pub(crate) use continuo_engine::hash::sha256_hex;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::recipe::Extent;
use super::store::{Store, StoreError};
use super::{MAX_SEED_SECONDS, MAX_VALUES, MAX_VARIATIONS, Recipe, Take};
use crate::json::Object;

/// Most packed bytes of a take inside the host's session, whatever the user's limit: a session that is larger than what a
/// host hands back could not be opened again.
pub const MAX_INLINE_BYTES: u64 = 128 << 20;

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
    /// The system has no memory for it.
    #[error(
        "the saved take needs {megabytes} MB of memory, which this machine does not have now; close other programs and open the project again"
    )]
    Memory {
        /// What it needs.
        megabytes: u64,
    },
    /// The sound lies in the take store and cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A sound as the session file keeps it.
#[derive(Debug, Clone, PartialEq)]
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
    pub inline: Option<String>,
    /// What a newer Continuo has added.
    pub other: Object,
}

/// A take as the session file keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct PackedTake {
    /// How it was made.
    pub recipe: Recipe,
    /// The seed clip.
    pub seed: Option<PackedSound>,
    /// The continuation in every variation.
    pub variations: Vec<PackedSound>,
    /// What a newer Continuo has added.
    pub other: Object,
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
/// (Beyond [`MAX_INLINE_BYTES`] the project could not be opened, so such a take waits for a store that can be written.)
pub fn pack(take: &Take, inline_limit: u64, store: Option<&Store>) -> (PackedTake, Option<StoreError>) {
    pack_within(take, inline_limit, MAX_INLINE_BYTES, store)
}

/// As [`pack`], beside others in the same session: `most_inline` is what they leave of [`MAX_INLINE_BYTES`].
pub fn pack_within(
    take: &Take,
    inline_limit: u64,
    most_inline: u64,
    store: Option<&Store>,
) -> (PackedTake, Option<StoreError>) {
    let mut seed = take.seed.as_deref().map(parcel);
    let mut variations: Vec<Parcel> = take.variations.iter().map(|clip| parcel(clip)).collect();
    let total: u64 = seed.iter().chain(&variations).map(|parcel| parcel.sound.bytes).sum();
    let mut failure = None;
    let mut outside = false;
    if total > inline_limit.min(most_inline) {
        match store {
            Some(store) => {
                let written = seed
                    .iter()
                    .chain(&variations)
                    .try_for_each(|parcel| store.put(&parcel.sound.sha256, &parcel.bytes));
                match written {
                    Ok(()) => outside = true,
                    Err(error) => failure = Some(error),
                }
            }
            None => failure = Some(StoreError::NoFolder),
        }
    }
    if !outside && total <= most_inline {
        for parcel in seed.iter_mut().chain(&mut variations) {
            parcel.sound.inline = Some(STANDARD.encode(&parcel.bytes));
        }
    }
    let packed = PackedTake {
        recipe: take.recipe.clone(),
        seed: seed.map(|parcel| parcel.sound),
        variations: variations.into_iter().map(|parcel| parcel.sound).collect(),
        other: Object::default(),
    };
    (packed, failure)
}

impl PackedTake {
    /// Unpacks the take, from itself or from `store`.
    pub fn unpack(&self, store: Option<&Store>) -> Result<Take, PackError> {
        self.check()?;
        let seed = self.seed.as_ref().map(|sound| sound.unpack(store)).transpose()?.map(Arc::new);
        let variations = self
            .variations
            .iter()
            .map(|sound| sound.unpack(store).map(Arc::new))
            .collect::<Result<Vec<_>, PackError>>()?;
        Ok(Take { recipe: self.recipe.clone(), seed, variations })
    }

    /// Bounds everything together before anything is unpacked.
    fn check(&self) -> Result<(), PackError> {
        let Some(first) = self.variations.first().filter(|_| self.variations.len() <= MAX_VARIATIONS) else {
            return Err(implausible("number of variations", self.variations.len()));
        };
        if let Some(odd) = self.variations.iter().find(|sound| sound.extent() != first.extent() || sound.frames == 0) {
            return Err(implausible("continuation", odd.describe()));
        }
        if let Some(seed) = &self.seed
            && seed.frames as f64 > (MAX_SEED_SECONDS + 1.0) * f64::from(seed.rate_hz)
        {
            return Err(implausible("length of the seed clip", seed.describe()));
        }
        let mut values = 0_u64;
        for sound in self.seed.iter().chain(&self.variations) {
            values = values.saturating_add(sound.values()?);
        }
        if values > MAX_VALUES { Err(implausible("length of all sounds together", values)) } else { Ok(()) }
    }

    /// Packed size of all sounds in bytes.
    pub fn bytes(&self) -> u64 {
        self.seed.iter().chain(&self.variations).map(|sound| sound.bytes).sum()
    }

    /// Whether the sounds are in the take store.
    pub fn is_stored_outside(&self) -> bool {
        self.seed.iter().chain(&self.variations).any(|sound| sound.inline.is_none())
    }

    fn read(mut saved: Object) -> Option<Self> {
        // The first version called the variations by what they are of.
        let key = if saved.contains("variations") { "variations" } else { "continuations" };
        let seed = saved.take::<Option<PackedSound>>("seed");
        if saved.contains("seed") {
            return None;
        }
        let variations: Vec<PackedSound> = saved.take(key)?;
        let first = variations.first()?;
        let extent = Extent {
            rate_hz: first.rate_hz,
            channels: first.channels,
            variations: variations.len() as u32,
            frames: first.frames,
        };
        let recipe = Recipe::read(saved.take("recipe").unwrap_or_default(), extent);
        Some(Self { recipe, seed: seed.flatten(), variations, other: saved })
    }

    fn write(&self) -> Result<Object, serde_json::Error> {
        let mut saved = Object::default();
        saved.set("recipe", &self.recipe.write()?)?;
        saved.set("seed", &self.seed)?;
        saved.set("variations", &self.variations)?;
        // A recipe that was not understood stands in place of what was put there instead of it.
        let mut whole = self.other.clone();
        whole.complete(saved);
        Ok(whole)
    }
}

impl<'de> Deserialize<'de> for PackedTake {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Object::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not a take of this version"))
    }
}

impl Serialize for PackedTake {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.write().map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl PackedSound {
    /// Rate, channels and frames.
    fn extent(&self) -> (u32, u16, u64) {
        (self.rate_hz, self.channels, self.frames)
    }

    fn describe(&self) -> String {
        format!("{} frames, {} channels, {} Hz", self.frames, self.channels, self.rate_hz)
    }

    /// Frames × channels, if the description is possible at all.
    fn values(&self) -> Result<u64, PackError> {
        if !(1_000..=768_000).contains(&self.rate_hz) {
            return Err(implausible("rate", self.rate_hz));
        }
        if !(1..=2).contains(&self.channels) {
            return Err(implausible("number of channels", self.channels));
        }
        let values = self.frames.checked_mul(u64::from(self.channels)).filter(|values| *values <= MAX_VALUES);
        values.ok_or_else(|| implausible("length in frames", self.frames))
    }

    fn unpack(&self, store: Option<&Store>) -> Result<Clip, PackError> {
        let values = self.values()?;
        let bytes = match &self.inline {
            Some(text) => STANDARD.decode(text).map_err(|error| PackError::Unpack(error.to_string()))?,
            None => store.ok_or(StoreError::NoFolder)?.get(&self.sha256, values * 4 + 1024)?,
        };
        if sha256_hex(&bytes) != self.sha256 {
            return Err(PackError::Checksum);
        }
        let plain = decompress(&bytes, values as usize * 4)?;
        let frames = self.frames as usize;
        let channels: Vec<Vec<f32>> =
            (0..usize::from(self.channels)).map(|channel| unshuffle(&plain, channel * frames, frames)).collect();
        if channels.iter().flatten().any(|value| !value.is_finite()) {
            return Err(PackError::Unpack("it holds values that are not numbers".to_owned()));
        }
        Ok(Clip { sample_rate_hz: self.rate_hz, channels })
    }

    fn read(mut saved: Object) -> Option<Self> {
        let inline = saved.take::<Option<String>>("inline");
        if saved.contains("inline") {
            return None;
        }
        Some(Self {
            rate_hz: saved.take("rate_hz")?,
            channels: saved.take("channels")?,
            frames: saved.take("frames")?,
            sha256: saved.take("sha256")?,
            bytes: saved.take("bytes")?,
            inline: inline.flatten(),
            other: saved,
        })
    }

    fn write(&self) -> Result<Object, serde_json::Error> {
        let mut saved = Object::default();
        saved.set("rate_hz", &self.rate_hz)?;
        saved.set("channels", &self.channels)?;
        saved.set("frames", &self.frames)?;
        saved.set("sha256", &self.sha256)?;
        saved.set("bytes", &self.bytes)?;
        if let Some(inline) = &self.inline {
            saved.set("inline", inline)?;
        }
        saved.complete(self.other.clone());
        Ok(saved)
    }
}

impl<'de> Deserialize<'de> for PackedSound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Object::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not a sound of this version"))
    }
}

impl Serialize for PackedSound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.write().map_err(S::Error::custom)?.serialize(serializer)
    }
}

fn implausible(what: &'static str, detail: impl std::fmt::Display) -> PackError {
    PackError::Implausible { what, detail: detail.to_string() }
}

fn parcel(clip: &Clip) -> Parcel {
    let shuffled = shuffle(&clip.channels);
    // Compressing into memory cannot fail for want of anything but memory; the stored fallback is a valid frame too.
    let bytes = zstd::encode_all(shuffled.as_slice(), COMPRESSION_LEVEL)
        .or_else(|_| zstd::encode_all(shuffled.as_slice(), 1))
        .unwrap_or_default();
    Parcel {
        sound: PackedSound {
            rate_hz: clip.sample_rate_hz,
            channels: clip.channels.len() as u16,
            frames: clip.frames() as u64,
            sha256: sha256_hex(&bytes),
            bytes: bytes.len() as u64,
            inline: None,
            other: Object::default(),
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

/// The values `first..first + count`.
fn unshuffle(bytes: &[u8], first: usize, count: usize) -> Vec<f32> {
    let values = bytes.len() / 4;
    (first..first + count)
        .map(|index| f32::from_le_bytes(std::array::from_fn(|plane| bytes[plane * values + index])))
        .collect()
}

/// Decompresses exactly `expected` bytes; more or less is an error, and no more than that is ever taken into memory.
fn decompress(bytes: &[u8], expected: usize) -> Result<Vec<u8>, PackError> {
    let unpack = |error: std::io::Error| PackError::Unpack(error.to_string());
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(unpack)?;
    let mut plain = Vec::new();
    // The bytes' checksum is right by now, so what is announced is hardly ever a lie.
    plain.try_reserve_exact(expected + 1).map_err(|_| PackError::Memory { megabytes: (expected >> 20) as u64 })?;
    decoder.take(expected as u64 + 1).read_to_end(&mut plain).map_err(unpack)?;
    if plain.len() == expected {
        Ok(plain)
    } else {
        Err(PackError::Unpack(format!("{expected} bytes were announced, but there are {} or more", plain.len())))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn take() -> Take {
        let wave =
            |step: f32| (0..2_000).map(|i| ((i as f32 * step).sin() * 127.0).round() / 128.0).collect::<Vec<_>>();
        let mut recipe = Recipe {
            model_name: "test".to_owned(),
            model_file: "test.continuo".to_owned(),
            model_sha256: "00".repeat(32),
            model_rate_hz: 16_000,
            channels: 1,
            variations: 2,
            frames: 2_000,
            seed_name: Some("seed.wav".to_owned()),
            rng_seed: 7,
            engine_version: "0.1.0".to_owned(),
            ..Recipe::default()
        };
        recipe.set("temperature", &0.9_f32);
        recipe.set("precision", &continuo_engine::Precision::Int8);
        let variation = |step| Arc::new(Clip { sample_rate_hz: 16_000, channels: vec![wave(step)] });
        Take {
            recipe,
            seed: Some(Arc::new(Clip { sample_rate_hz: 44_100, channels: vec![wave(0.01), wave(0.02)] })),
            variations: vec![variation(0.03), variation(0.04)],
        }
    }

    /// The same in stereo.
    pub(crate) fn stereo_take() -> Take {
        let mut take = take();
        take.recipe.channels = 2;
        for variation in &mut take.variations {
            let clip = Arc::make_mut(variation);
            let right = clip.channels[0].iter().map(|value| value * -0.5).collect();
            clip.channels.push(right);
        }
        take
    }

    #[test]
    fn a_take_comes_back_bit_for_bit_inline_and_from_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().to_path_buf());
        let stereo = stereo_take();
        assert_eq!(pack(&stereo, u64::MAX, None).0.unpack(None).unwrap(), stereo);
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
            edit(&mut changed.variations[1]);
            changed.unpack(None).unwrap_err()
        };
        assert!(matches!(change(&|s| s.frames = 1 << 60), PackError::Implausible { .. }));
        assert!(matches!(change(&|s| s.channels = 9), PackError::Implausible { .. }));
        assert!(matches!(change(&|s| s.rate_hz = 0), PackError::Implausible { .. }));
        assert!(matches!(change(&|s| s.sha256.replace_range(0..1, "x")), PackError::Checksum));
        assert!(matches!(change(&|s| s.inline = Some("%".to_owned())), PackError::Unpack(_)));
        let mut longer = packed.clone();
        longer.variations[0].frames += 1;
        longer.variations[1].frames += 1;
        assert!(matches!(longer.unpack(None), Err(PackError::Unpack(_))));
        let mut uneven = packed.clone();
        uneven.variations[0].frames += 1;
        assert!(matches!(uneven.unpack(None), Err(PackError::Implausible { .. })));
        let mut none = packed.clone();
        none.variations.clear();
        assert!(matches!(none.unpack(None), Err(PackError::Implausible { .. })));
        // Each is possible, all together are not: refused before any is unpacked.
        let mut many = packed.clone();
        many.variations = vec![PackedSound { frames: MAX_VALUES / 4, ..packed.variations[0].clone() }; 5];
        assert!(matches!(many.unpack(None), Err(PackError::Implausible { what: "length of all sounds together", .. })));
        let mut drawn_out = packed.clone();
        if let Some(seed) = &mut drawn_out.seed {
            seed.frames = 1 << 40;
        }
        assert!(matches!(drawn_out.unpack(None), Err(PackError::Implausible { .. })));
        // A bomb: a small frame that unpacks to far more than announced.
        let mut bomb = packed.clone();
        let bytes = zstd::encode_all(vec![0u8; 1 << 24].as_slice(), 3).unwrap();
        bomb.variations[0].sha256 = sha256_hex(&bytes);
        bomb.variations[0].inline = Some(STANDARD.encode(&bytes));
        assert!(matches!(bomb.unpack(None), Err(PackError::Unpack(_))));
    }

    #[test]
    fn a_take_of_the_first_version_and_one_of_a_newer_one_open() {
        let (packed, _) = pack(&take(), u64::MAX, None);
        let mut old: serde_json::Value = serde_json::to_value(&packed).unwrap();
        let variations = old.as_object_mut().unwrap().remove("variations").unwrap();
        old["continuations"] = variations;
        old["recipe"] = serde_json::json!({
            "model_name": "test", "model_file": "test.continuo", "model_sha256": "00".repeat(32), "model_rate_hz": 16_000,
            "seed_name": "seed.wav", "temperature": 0.9, "top_k": 0, "rng_seed": 7, "takes": 2, "frames": 2_000,
            "precision": "int8", "engine_version": "0.1.0",
        });
        let opened: PackedTake = serde_json::from_str(&old.to_string()).unwrap();
        assert_eq!(opened, packed);
        let mut new: serde_json::Value = serde_json::to_value(&packed).unwrap();
        new["mood"] = "blue".into();
        new["seed"]["recorded"] = "today".into();
        let opened: PackedTake = serde_json::from_str(&new.to_string()).unwrap();
        assert_eq!(opened.unpack(None).unwrap(), take());
        assert_eq!(serde_json::to_value(&opened).unwrap(), new);
        // What cannot be played as it was meant is not played at all.
        for (pointer, value) in
            [("/seed", "a bell".into()), ("/variations", serde_json::json!([])), ("/seed/inline", 1.into())]
        {
            let mut foreign = new.clone();
            *foreign.pointer_mut(pointer).unwrap() = value;
            assert!(serde_json::from_str::<PackedTake>(&foreign.to_string()).is_err(), "{pointer}");
        }
    }
}
