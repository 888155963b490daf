//! Sound packed without loss for the host's session.
//!
//! A sound's values are written in one of a few forms ([`Form`]) before zstd sees them: what models draw has at most 256
//! distinct values, and recordings were integers. The host's session is JSON, so bytes travel as base64. A take does not
//! change once it is packed, so what saved states make of its text is made once and kept with it ([`Inline`]).

pub mod blocks;
mod error;
mod form;
mod inline;
mod integers;
pub mod outline;
mod palette;
mod shuffled;
mod sound;

use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::recipe::Extent;
use super::store::{Store, StoreError};
use super::{MAX_SEED_SECONDS, MAX_VALUES, MAX_VARIATIONS, Recipe, Take};
use crate::json::Object;
use sound::{Parcel, parcel};

pub use error::PackError;
pub use form::Form;
pub use inline::Inline;
pub use sound::PackedSound;

/// Most packed bytes of a take inside the host's session, whatever the user's limit: a session that is larger than what a
/// host hands back could not be opened again.
pub const MAX_INLINE_BYTES: u64 = 128 << 20;

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
            parcel.keep_inline();
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

    /// Unpacks one variation of the take alone, from itself or from `store`: a take of that variation.
    ///
    /// # Errors
    /// As of [`PackedTake::unpack`]; [`PackError::Implausible`] if there is no such variation.
    pub fn unpack_variation(&self, index: usize, store: Option<&Store>) -> Result<Take, PackError> {
        self.check()?;
        let none = || PackError::implausible("number of variations", self.variations.len());
        let variation = self.variations.get(index).ok_or_else(none)?;
        let seed = self.seed.as_ref().map(|sound| sound.unpack(store)).transpose()?.map(Arc::new);
        let bits = self.recipe.bits_per_frame.get(index).copied().into_iter().collect();
        let recipe = Recipe { variations: 1, bits_per_frame: bits, ..self.recipe.clone() };
        Ok(Take { recipe, seed, variations: vec![Arc::new(variation.unpack(store)?)] })
    }

    /// Bounds everything together before anything is unpacked.
    fn check(&self) -> Result<(), PackError> {
        let Some(first) = self.variations.first().filter(|_| self.variations.len() <= MAX_VARIATIONS) else {
            return Err(PackError::implausible("number of variations", self.variations.len()));
        };
        if let Some(odd) = self.variations.iter().find(|sound| sound.extent() != first.extent() || sound.frames == 0) {
            return Err(PackError::implausible("continuation", odd.describe()));
        }
        if let Some(seed) = &self.seed
            && seed.frames as f64 > (MAX_SEED_SECONDS + 1.0) * f64::from(seed.rate_hz)
        {
            return Err(PackError::implausible("length of the seed clip", seed.describe()));
        }
        let mut values = 0_u64;
        for sound in self.seed.iter().chain(&self.variations) {
            values = values.saturating_add(sound.values()?);
        }
        if values > MAX_VALUES { Err(PackError::implausible("length of all sounds together", values)) } else { Ok(()) }
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

#[cfg(test)]
pub(crate) mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use continuo_engine::audio::Clip;
    use continuo_engine::hash::sha256_hex;

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
        assert!(matches!(change(&|s| s.inline = Some(Inline::new("%".to_owned()))), PackError::Unpack(_)));
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
        bomb.variations[0].inline = Some(Inline::new(STANDARD.encode(&bytes)));
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
