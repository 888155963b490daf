//! The forms in which a sound's values come to zstd.

use super::error::PackError;
use super::{integers, palette, shuffled};

/// How a sound's values are written before they are compressed.
///
/// A saved sound names its form, but for the first, which is the one of sounds from before there were others. A Continuo of
/// that time knows no other. It checks that there are four bytes per value when all is unpacked, and the other forms always
/// have fewer: so it says that the sound cannot be unpacked, plays nothing of it, and saves it again as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any values.
    Shuffled,
    /// At most 256 values that differ.
    Palette,
    /// Whole numbers of 16 or 24 bits.
    Integers,
    /// One of a newer Continuo.
    Unknown,
}

impl Form {
    /// The form that the text `name` names.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "palette" => Self::Palette,
            "integers" => Self::Integers,
            _ => Self::Unknown,
        }
    }

    /// Its name in a saved sound; `None` for the form that goes without.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Palette => Some("palette"),
            Self::Integers => Some("integers"),
            Self::Shuffled | Self::Unknown => None,
        }
    }

    /// Most bytes that `values` values come to.
    pub(super) fn most_bytes(self, values: usize) -> usize {
        match self {
            Self::Shuffled | Self::Unknown => 4 * values,
            Self::Palette => palette::most_bytes(values),
            Self::Integers => 3 * values,
        }
    }
}

/// Writes the values of `channels`, which have the same length, in the form that suits them.
pub(super) fn write(channels: &[Vec<f32>]) -> (Form, Vec<u8>) {
    let palette = palette::write(channels).map(|bytes| (Form::Palette, bytes));
    palette
        .or_else(|| integers::write(channels).map(|bytes| (Form::Integers, bytes)))
        .unwrap_or_else(|| (Form::Shuffled, shuffled::write(channels)))
}

/// Reads one or two `channels` of `frames` values.
pub(super) fn read(form: Form, bytes: &[u8], channels: usize, frames: usize) -> Result<Vec<Vec<f32>>, PackError> {
    let values = channels * frames;
    let mut left = match form {
        Form::Palette => palette::read(bytes, values)?,
        Form::Integers => integers::read(bytes, values)?,
        Form::Shuffled | Form::Unknown => shuffled::read(bytes, values)?,
    };
    let right = (channels == 2).then(|| left.split_off(frames));
    Ok(std::iter::once(left).chain(right).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random, from 0 up to below `below`.
    fn numbers(below: u32) -> impl Iterator<Item = u32> {
        let mut number = below;
        std::iter::repeat_with(move || {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(number) * u64::from(below)) >> 32) as u32
        })
    }

    /// `count` values of `levels` that differ, in no order, the lowest and the highest after each other too.
    fn levels(levels: u32, count: usize) -> Vec<f32> {
        let value = |level: u32| (level as f32 - levels as f32 / 2.0) / 300.7;
        let all = (0..levels).chain([levels - 1, 0, levels - 1]).chain(numbers(levels));
        all.map(value).take(count).collect()
    }

    /// Whole numbers of `bits` bits, both ends of their range after each other too.
    fn whole(bits: u32, count: usize) -> Vec<f32> {
        let full = (1_u32 << (bits - 1)) as f32;
        let all = [0, (1 << bits) - 1, 0].into_iter().chain(numbers(1 << bits));
        all.map(|number| (number as f32 - full) / full).take(count).collect()
    }

    fn bits(channels: &[Vec<f32>]) -> Vec<Vec<u32>> {
        channels.iter().map(|channel| channel.iter().map(|value| value.to_bits()).collect()).collect()
    }

    fn comes_back(channels: &[Vec<f32>], wanted: Form) {
        let frames = channels[0].len();
        let (form, bytes) = write(channels);
        assert_eq!(form, wanted, "{frames} frames");
        assert!(bytes.len() <= form.most_bytes(channels.len() * frames));
        assert_eq!(bits(&read(form, &bytes, channels.len(), frames).unwrap()), bits(channels), "{frames} frames");
        // Who knows the first form alone goes by its length, which is as exact.
        let four_each = 4 * channels.len() * frames;
        assert_eq!(bytes.len() == four_each, form == Form::Shuffled, "{frames} frames");
        if form != Form::Shuffled {
            assert!(matches!(read(Form::Shuffled, &bytes, channels.len(), frames), Err(PackError::Unpack(_))));
        }
    }

    #[test]
    fn every_sound_comes_back_bit_for_bit() {
        comes_back(&[vec![]], Form::Shuffled);
        comes_back(&[vec![], vec![]], Form::Shuffled);
        comes_back(&[vec![0.25]], Form::Integers);
        comes_back(&[vec![0.3]], Form::Shuffled);
        comes_back(&[vec![0.3; 1_000]], Form::Palette);
        comes_back(&[[0.3, -0.3, 1.1e-40, f32::MIN_POSITIVE, f32::MAX].repeat(9)], Form::Palette);
        comes_back(&[levels(255, 3_000)], Form::Palette);
        comes_back(&[levels(256, 3_000)], Form::Palette);
        comes_back(&[levels(257, 3_000)], Form::Shuffled);
        comes_back(&[levels(100, 2_000), levels(155, 2_000)], Form::Palette);
        comes_back(&[levels(256, 2_000), levels(155, 2_000)], Form::Shuffled);
        comes_back(&[whole(16, 5_000)], Form::Integers);
        comes_back(&[whole(24, 5_000), whole(16, 5_000)], Form::Integers);
        // All that differ in their length alone, and a palette that does not pay.
        for frames in 1..600 {
            let (form, bytes) = write(&[levels(256, frames)]);
            assert_eq!(form == Form::Palette, bytes.len() < 4 * frames);
            comes_back(&[levels(256, frames)], form);
        }
    }

    #[test]
    fn a_zero_keeps_its_sign() {
        comes_back(&[[0.0, -0.0].repeat(100)], Form::Palette);
        let mut recorded = whole(16, 5_000);
        recorded.push(0.0);
        comes_back(&[recorded.clone()], Form::Integers);
        recorded.push(-0.0);
        comes_back(&[recorded], Form::Shuffled);
    }

    #[test]
    fn what_is_a_bit_off_or_beyond_full_scale_is_no_whole_number() {
        for odd in [1.0, -1.0 - 1.0 / 32_768.0, 0.5 + f32::EPSILON / 2.0, 1e-30, f32::MAX, f32::INFINITY, f32::NAN] {
            let mut recorded = whole(24, 5_000);
            recorded.push(odd);
            comes_back(&[recorded], Form::Shuffled);
        }
    }

    #[test]
    fn any_bytes_in_any_form_are_refused_or_read_and_never_more_than_was_announced() {
        let (_, palette) = write(&[levels(200, 900)]);
        let (_, integers) = write(&[whole(16, 900)]);
        let mut draws = numbers(1 << 16);
        let mut draw = |below: usize| draws.next().unwrap_or(0) as usize % below;
        for _ in 0..20_000 {
            let mut bytes = if draw(2) == 0 { palette.clone() } else { integers.clone() };
            for _ in 0..draw(4) {
                let at = draw(bytes.len());
                bytes[at] = draw(256) as u8;
            }
            bytes.truncate(bytes.len().saturating_sub(draw(3) * draw(900)));
            let form = [Form::Shuffled, Form::Palette, Form::Integers, Form::Unknown][draw(4)];
            let (channels, frames) = (1 + draw(2), [0, 225, 450, 899, 900, 901, draw(4_000)][draw(7)]);
            match read(form, &bytes, channels, frames) {
                Ok(sound) => assert!(sound.len() == channels && sound.iter().all(|channel| channel.len() == frames)),
                Err(error) => assert!(matches!(error, PackError::Unpack(_)), "{error}"),
            }
        }
    }
}
