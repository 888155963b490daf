//! Writing FLAC, all or nothing: into a temporary file beside the target, renamed when complete.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use continuo_package::files::NewFile;
use flac_codec::encode::{FlacSampleWriter, Options};
use flac_codec::metadata::VorbisComment;

use super::annotations::Annotations;
use super::write::integer;
use super::{AudioError, Clip, RATES_HZ};

/// Most channels that a FLAC holds.
const MOST_CHANNELS: usize = 8;
/// Frames that are handed to the encoder at once.
const BLOCK: usize = 1 << 14;

/// How many bits a sample has; rounded, without dither, and clamped at full scale, as in a WAV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlacBits {
    /// 16 bits.
    B16,
    /// 24 bits.
    B24,
}

impl FlacBits {
    fn count(self) -> u32 {
        match self {
            Self::B16 => 16,
            Self::B24 => 24,
        }
    }
}

/// Writes a clip, with what the file says about itself as Vorbis comments. An existing file is replaced only once the new one is
/// complete on the disk.
///
/// # Errors
/// [`AudioError::InvalidClip`] for a clip that no FLAC can hold: without a frame, with unequal or more than 8 channels, or with
/// what is not a number; [`AudioError::DiskFull`] or another IO error.
pub fn write_flac(path: &Path, clip: &Clip, bits: FlacBits, annotations: &Annotations) -> Result<(), AudioError> {
    let invalid = |reason: String| AudioError::InvalidClip { path: path.to_path_buf(), reason };
    let (frames, channels) = (clip.frames(), clip.channels.len());
    if !RATES_HZ.contains(&clip.sample_rate_hz) {
        return Err(invalid(format!("a sample rate of {} Hz", clip.sample_rate_hz)));
    }
    if channels == 0 || channels > MOST_CHANNELS {
        return Err(invalid(format!("{channels} channels")));
    }
    if clip.channels.iter().any(|channel| channel.len() != frames) {
        return Err(invalid("its channels differ in length".into()));
    }
    if frames == 0 {
        return Err(invalid("it holds no frame".into()));
    }
    let not_finite = |channel: &Vec<f32>| channel.iter().position(|x| !x.is_finite());
    if let Some(frame) = clip.channels.iter().filter_map(not_finite).min() {
        return Err(invalid(format!("frame {frame} is not a number")));
    }

    let failed = |error: io::Error| AudioError::io(path, "write", error);
    let encoder = |error: flac_codec::Error| match error {
        flac_codec::Error::Io(error) => failed(error),
        error => invalid(error.to_string()),
    };
    let file = NewFile::create(path).map_err(failed)?;
    let mut handle = BufWriter::new(file.reopen().map_err(failed)?);
    let mut comment = VorbisComment { vendor_string: annotations.software.clone(), fields: Vec::new() };
    for (name, text) in annotations.comments() {
        comment.insert(name, text);
    }
    let options = Options::default().comment(comment);
    let values = frames as u64 * channels as u64;
    let mut writer =
        FlacSampleWriter::new(&mut handle, options, clip.sample_rate_hz, bits.count(), channels as u8, Some(values))
            .map_err(encoder)?;
    let mut block = Vec::with_capacity(BLOCK * channels);
    for first in (0..frames).step_by(BLOCK) {
        block.clear();
        for frame in first..(first + BLOCK).min(frames) {
            block.extend(clip.channels.iter().map(|channel| integer(channel[frame], bits.count())));
        }
        writer.write(&block).map_err(encoder)?;
    }
    writer.finalize().map_err(encoder)?;
    handle.flush().map_err(failed)?;
    file.commit().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::sine;
    use super::super::{Beat, WavFormat, import, write_wav};
    use super::*;

    /// Music, noise, silence and full scale: what an encoder has a form of its own for.
    fn clip(rate_hz: u32, channels: usize, frames: usize) -> Clip {
        let channel = |index: usize| {
            let mut channel = sine(220.0 * (index + 1) as f64, rate_hz, 0.7, 0.3, frames);
            let mut state = 1_u32 + index as u32;
            for (frame, x) in channel.iter_mut().enumerate() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                match frame * 5 / frames {
                    1 => *x = (state >> 8) as f32 / 8_388_608.0 - 1.0,
                    2 => *x = 0.0,
                    3 => *x = if frame % 2 == 0 { 1.5 } else { -1.5 },
                    _ => {}
                }
            }
            channel
        };
        Clip { sample_rate_hz: rate_hz, channels: (0..channels).map(channel).collect() }
    }

    #[test]
    fn what_is_written_is_read_as_a_wav_of_the_same_bits_is() {
        let folder = tempfile::tempdir().unwrap();
        let (flac, wav) = (folder.path().join("a.flac"), folder.path().join("a.wav"));
        for (rate_hz, channels, frames) in
            [(44_100, 2, 30_001), (16_000, 1, 4_096), (96_000, 2, 17), (22_050, 1, 1), (191_999, 3, 9_000)]
        {
            let clip = clip(rate_hz, channels, frames);
            for (bits, format) in [(FlacBits::B16, WavFormat::I16), (FlacBits::B24, WavFormat::I24)] {
                write_flac(&flac, &clip, bits, &Annotations::default()).unwrap();
                write_wav(&wav, &clip, format).unwrap();
                let read = import(&flac, 60.0).unwrap();
                assert!(read.losses.is_empty(), "{:?}", read.losses);
                assert_eq!(read.clip, import(&wav, 60.0).unwrap().clip, "{rate_hz} {channels} {frames} {bits:?}");
            }
        }
        let tone = Clip { sample_rate_hz: 48_000, channels: vec![sine(220.0, 48_000, 0.5, 0.0, 48_000); 2] };
        write_flac(&flac, &tone, FlacBits::B24, &Annotations::default()).unwrap();
        write_wav(&wav, &tone, WavFormat::I24).unwrap();
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&flac) * 2 < size(&wav), "{} of {}", size(&flac), size(&wav));
    }

    #[test]
    fn it_says_where_it_comes_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.flac");
        let annotations = Annotations {
            title: "Take 3, variation 2".into(),
            comment: "Größe = 1".into(),
            copyright: "CC0-1.0".into(),
            software: "Continuo".into(),
            first_frame: Some(96_000),
            beat: Some(Beat { tempo: 92.5, beats_per_bar: 4.0 }),
        };
        write_flac(&path, &clip(48_000, 2, 2_000), FlacBits::B24, &annotations).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for field in [
            "TITLE=Take 3, variation 2",
            "DESCRIPTION=Größe = 1",
            "COPYRIGHT=CC0-1.0",
            "ENCODER=Continuo",
            "BPM=92.5",
            "TIME_REFERENCE=96000",
        ] {
            assert!(bytes.windows(field.len()).any(|window| window == field.as_bytes()), "{field}");
        }
    }

    #[test]
    fn what_no_flac_holds_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.flac");
        let good = clip(48_000, 2, 100);
        let mut bad = vec![Clip { channels: Vec::new(), ..good.clone() }, clip(48_000, 9, 10), clip(48_000, 1, 0)];
        bad.push(Clip { sample_rate_hz: 10, ..good.clone() });
        let mut uneven = good.clone();
        uneven.channels[1].pop();
        let mut noise = good;
        noise.channels[1][50] = f32::NAN;
        bad.extend([uneven, noise]);
        for clip in bad {
            let refusal = write_flac(&path, &clip, FlacBits::B16, &Annotations::default());
            assert!(matches!(refusal, Err(AudioError::InvalidClip { .. })), "{refusal:?}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
