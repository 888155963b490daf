//! A packed sound: what is saved of it, how it is packed and how it is unpacked.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use continuo_engine::audio::Clip;
use continuo_engine::hash::sha256_hex;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::PackError;
use super::form::{self, Form};
use super::inline::Inline;
use super::outline;
use crate::json::Object;
use crate::take::MAX_VALUES;
use crate::take::store::{Store, StoreError};

/// The key of a sound's form.
const FORM: &str = "form";

/// zstd's level for a form. Distances hardly repeat, so looking for repetitions costs time and brings nothing: of three
/// recordings at 16 kHz in µ-law, levels 1, 6 and 19 make 5.91, 5.91 and 5.92 bits per value, at 70, 7 and 0.4 MB/s.
fn level(form: Form) -> i32 {
    if form == Form::Shuffled { 6 } else { 1 }
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
    /// How its values are written in what is packed.
    pub form: Form,
    /// The packed bytes in base64; without them, the bytes are in the take store.
    pub inline: Option<Inline>,
    /// What a newer Continuo has added.
    pub other: Object,
}

/// A packed sound whose bytes are still at hand.
pub(super) struct Parcel {
    pub(super) sound: PackedSound,
    pub(super) bytes: Vec<u8>,
}

impl PackedSound {
    /// Rate, channels and frames.
    pub(super) fn extent(&self) -> (u32, u16, u64) {
        (self.rate_hz, self.channels, self.frames)
    }

    pub(super) fn describe(&self) -> String {
        format!("{} frames, {} channels, {} Hz", self.frames, self.channels, self.rate_hz)
    }

    /// Frames × channels, if the description is possible at all.
    pub(super) fn values(&self) -> Result<u64, PackError> {
        if !(1_000..=768_000).contains(&self.rate_hz) {
            return Err(PackError::implausible("rate", self.rate_hz));
        }
        if !(1..=2).contains(&self.channels) {
            return Err(PackError::implausible("number of channels", self.channels));
        }
        let values = self.frames.checked_mul(u64::from(self.channels)).filter(|values| *values <= MAX_VALUES);
        values.ok_or_else(|| PackError::implausible("length in frames", self.frames))
    }

    /// Unpacks it, from itself or from `store`.
    pub(super) fn unpack(&self, store: Option<&Store>) -> Result<Clip, PackError> {
        let values = self.values()?;
        if self.form == Form::Unknown {
            return Err(PackError::Form(
                self.other.texts().find(|(key, _)| *key == FORM).map_or("", |(_, text)| text).to_owned(),
            ));
        }
        let bytes = match &self.inline {
            Some(inline) => STANDARD.decode(inline.text()).map_err(|error| PackError::Unpack(error.to_string()))?,
            None => store.ok_or(StoreError::NoFolder)?.get(&self.sha256, values * 4 + 1024)?,
        };
        if sha256_hex(&bytes) != self.sha256 {
            return Err(PackError::Checksum);
        }
        let plain = decompress(&bytes, self.form.most_bytes(values as usize))?;
        let channels = form::read(self.form, &plain, usize::from(self.channels), self.frames as usize)?;
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
        // A form that is not known stays as the text that it is.
        let form = match saved.get::<String>(FORM).as_deref().map(Form::named) {
            None if saved.contains(FORM) => Form::Unknown,
            None => Form::Shuffled,
            Some(form) => form,
        };
        if form != Form::Unknown {
            saved.remove(FORM);
        }
        Some(Self {
            rate_hz: saved.take("rate_hz")?,
            channels: saved.take("channels")?,
            frames: saved.take("frames")?,
            sha256: saved.take("sha256")?,
            bytes: saved.take("bytes")?,
            form,
            inline: inline.flatten().map(Inline::new),
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
        if let Some(form) = self.form.name() {
            saved.set(FORM, form)?;
        }
        if let Some(inline) = &self.inline {
            saved.set("inline", &outline::written(inline))?;
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

/// Packs a sound.
pub(super) fn parcel(clip: &Clip) -> Parcel {
    let (form, plain) = form::write(&clip.channels);
    // Compressing into memory cannot fail for want of anything but memory; the stored fallback is a valid frame too.
    let bytes = zstd::encode_all(plain.as_slice(), level(form))
        .or_else(|_| zstd::encode_all(plain.as_slice(), 1))
        .unwrap_or_default();
    Parcel {
        sound: PackedSound {
            rate_hz: clip.sample_rate_hz,
            channels: clip.channels.len() as u16,
            frames: clip.frames() as u64,
            sha256: sha256_hex(&bytes),
            bytes: bytes.len() as u64,
            form,
            inline: None,
            other: Object::default(),
        },
        bytes,
    }
}

impl Parcel {
    /// Puts the bytes into the sound, with what saved states make of them: whoever saves shall not wait for it.
    pub(super) fn keep_inline(&mut self) {
        let inline = Inline::new(STANDARD.encode(&self.bytes));
        let _ = inline.blocks();
        self.sound.inline = Some(inline);
    }
}

/// Decompresses at most `most` bytes; more is an error, and no more than that is ever taken into memory.
fn decompress(bytes: &[u8], most: usize) -> Result<Vec<u8>, PackError> {
    let unpack = |error: std::io::Error| PackError::Unpack(error.to_string());
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(unpack)?;
    let mut plain = Vec::new();
    // The bytes' checksum is right by now, so what is announced is hardly ever a lie.
    plain.try_reserve_exact(most + 1).map_err(|_| PackError::Memory { megabytes: (most >> 20) as u64 })?;
    decoder.take(most as u64 + 1).read_to_end(&mut plain).map_err(unpack)?;
    if plain.len() <= most {
        Ok(plain)
    } else {
        Err(PackError::Unpack(format!("at most {most} bytes were announced, but there are more")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(channel: Vec<f32>) -> PackedSound {
        let mut parcel = parcel(&Clip { sample_rate_hz: 16_000, channels: vec![channel] });
        parcel.keep_inline();
        parcel.sound
    }

    fn opened(saved: &serde_json::Value) -> PackedSound {
        serde_json::from_str(&saved.to_string()).unwrap()
    }

    #[test]
    fn a_sound_says_its_form_unless_it_is_the_first() {
        let steps = |count: u16| (0..5_000_u16).map(|at| f32::from(at % count) / 1_000.0).collect::<Vec<_>>();
        for (channel, form) in [
            (steps(200), serde_json::json!("palette")),
            ((0..5_000_u16).map(|at| f32::from(at) / 32_768.0).collect(), "integers".into()),
            (steps(300), serde_json::Value::Null),
        ] {
            let sound = packed(channel.clone());
            let saved = serde_json::to_value(&sound).unwrap();
            assert_eq!(saved.get("form").cloned().unwrap_or_default(), form);
            assert_eq!(opened(&saved), sound);
            assert_eq!(opened(&saved).unpack(None).unwrap().channels, [channel]);
            // A Continuo that knows the first form alone does not know the key either.
            let mut before = saved.clone();
            before.as_object_mut().unwrap().remove("form");
            match opened(&before).unpack(None) {
                Ok(_) => assert_eq!(form, serde_json::Value::Null),
                Err(error) => assert!(error.to_string().contains("cannot be unpacked"), "{error}"),
            }
        }
    }

    #[test]
    fn a_form_of_a_newer_version_is_told_and_kept() {
        let mut saved = serde_json::to_value(packed(vec![0.5; 100])).unwrap();
        for form in [serde_json::json!("opus"), serde_json::json!({"codec": 7}), serde_json::Value::Null] {
            saved["form"] = form.clone();
            let sound = opened(&saved);
            assert_eq!(sound.form, Form::Unknown);
            let error = sound.unpack(None).unwrap_err().to_string();
            assert!(error.contains(&form.to_string()), "{error}");
            assert_eq!(serde_json::to_value(&sound).unwrap(), saved);
        }
    }

    #[test]
    fn the_length_that_is_announced_is_the_length_that_is_there() {
        for channel in [vec![0.3; 4_000], (0..4_000_u16).map(|at| f32::from(at) / 32_768.0).collect()] {
            let sound = packed(channel);
            for frames in [0, 1, 3_996, 3_999, 4_001, 4_004, 8_000, 1 << 27] {
                let odd = PackedSound { frames, ..sound.clone() };
                assert!(matches!(odd.unpack(None), Err(PackError::Unpack(_))), "{frames}");
            }
        }
    }
}
