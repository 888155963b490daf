//! Parts of recordings: what they are is the slice of the whole, bit for bit, and nothing else is held against a file.

use std::path::Path;

use super::super::{AudioError, Cause, Clip, Part, WavFormat, import, import_part, write_wav};
use super::{bytes_of, fixture, with_file};

const RATE: u32 = 8_000;
/// A minute and a half.
const FRAMES: usize = 720_000;

/// A sound in which no two places are alike.
fn value(frame: usize) -> i16 {
    i16::from((frame as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0] as i8) * 120
}

fn long_wav(path: &Path) {
    let left: Vec<f32> = (0..FRAMES).map(|frame| f32::from(value(frame)) / 32_768.0).collect();
    let right = left.iter().map(|value| -value).collect();
    write_wav(path, &Clip { sample_rate_hz: RATE, channels: vec![left, right] }, WavFormat::I16).unwrap();
}

/// A FLAC whose frames hold their samples as they are.
fn long_flac(path: &Path) {
    const BLOCK: usize = 4_096;
    let mut file = b"fLaC\x80\x00\x00\x22".to_vec();
    file.extend([BLOCK as u16, BLOCK as u16].iter().flat_map(|size| size.to_be_bytes()));
    file.extend([0; 6]);
    let packed = u64::from(RATE) << 44 | 15 << 36 | FRAMES as u64;
    file.extend(packed.to_be_bytes());
    file.extend([0; 16]);
    for (number, start) in (0..FRAMES).step_by(BLOCK).enumerate() {
        let frames = BLOCK.min(FRAMES - start);
        // Two bytes of block size, 8 kHz, one channel, 16 bits.
        let mut frame = vec![0xff, 0xf8, 0x74, 0x08];
        frame.extend(char::from_u32(number as u32).unwrap().to_string().bytes());
        frame.extend(((frames - 1) as u16).to_be_bytes());
        frame.push(crc(&frame, 8, 0x07) as u8);
        frame.push(0x02);
        frame.extend((start..start + frames).flat_map(|at| value(at).to_be_bytes()));
        frame.extend(crc(&frame, 16, 0x8005).to_be_bytes());
        file.extend(frame);
    }
    std::fs::write(path, file).unwrap();
}

fn crc(bytes: &[u8], bits: u32, polynomial: u16) -> u16 {
    bytes.iter().fold(0_u16, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << (bits - 8), |crc, _| {
            let out = crc >> (bits - 1) & 1;
            ((crc << 1) ^ (out * polynomial)) & (u16::MAX >> (16 - bits))
        })
    })
}

fn between(begin_seconds: f64, end_seconds: f64) -> Part {
    Part::Between { begin_seconds, end_seconds }
}

#[test]
fn a_part_is_that_slice_of_the_whole_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (wav, flac) = (folder.path().join("long.wav"), folder.path().join("long.flac"));
    long_wav(&wav);
    long_flac(&flac);
    for path in [&wav, &flac] {
        let whole = import(path, f64::INFINITY).unwrap();
        assert_eq!((whole.clip.frames(), whole.losses.as_slice()), (FRAMES, [].as_slice()), "{}", path.display());
        for part in [
            between(0.0, 60.0),
            between(61.000_05, 61.25),
            between(0.511_9, 0.512_1),
            between(89.9, 90.0),
            between(70.0, 1e12),
            between(-5.0, 90.0),
            Part::Last { seconds: 60.0 },
            Part::Last { seconds: 1.0 / 8_000.0 },
            Part::Last { seconds: 1e9 },
        ] {
            let excerpt = import_part(path, part).unwrap();
            let frames = part.frames(RATE, FRAMES as u64);
            let range = frames.start as usize..frames.end as usize;
            assert!(!range.is_empty());
            assert_eq!(excerpt.begin_frame, frames.start, "{part:?}");
            assert_eq!(excerpt.is_whole, range == (0..FRAMES), "{part:?}");
            assert!(excerpt.losses.is_empty(), "{:?}", excerpt.losses);
            for (got, whole) in excerpt.clip.channels.iter().zip(&whole.clip.channels) {
                assert!(got == &whole[range.clone()], "{}: {part:?}", path.display());
            }
        }
    }
}

#[test]
fn every_format_gives_the_same_part_whether_it_can_seek_or_not() {
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(whole) = import(&path, 60.0) else { continue };
        let (rate, total) = (whole.clip.sample_rate_hz, whole.clip.frames() as u64);
        let seconds = whole.clip.seconds();
        for part in [between(seconds * 0.3, seconds * 0.7), Part::Last { seconds: seconds * 0.4 }] {
            let frames = part.frames(rate, total);
            let excerpt = import_part(&path, part).unwrap();
            let slice = |channel: &Vec<f32>| channel[frames.start as usize..frames.end as usize].to_vec();
            let wanted: Vec<Vec<f32>> = whole.clip.channels.iter().map(slice).collect();
            assert!(excerpt.clip.channels == wanted, "{}: {part:?}", path.display());
        }
        let all = import_part(&path, Part::Last { seconds: 60.0 }).unwrap();
        assert!(all.clip == whole.clip && all.losses == whole.losses && all.is_whole, "{}", path.display());
    }
}

#[test]
fn the_last_part_of_a_file_that_says_more_or_less_than_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.flac");
    long_flac(&path);
    let bytes = std::fs::read(&path).unwrap();
    let told = |frames: u64, length: usize| {
        let mut bytes = bytes[..length].to_vec();
        bytes[18..26].copy_from_slice(&(u64::from(RATE) << 44 | 15 << 36 | frames).to_be_bytes());
        std::fs::write(&path, bytes).unwrap();
        let whole = import(&path, f64::INFINITY).unwrap();
        for seconds in [1.0, 30.0, 60.0, 80.0] {
            let excerpt = import_part(&path, Part::Last { seconds }).unwrap();
            let frames = Part::Last { seconds }.frames(RATE, whole.clip.frames() as u64);
            assert_eq!(excerpt.begin_frame, frames.start, "{seconds}");
            assert!(excerpt.clip.channels[0] == whole.clip.channels[0][frames.start as usize..], "{seconds}");
            assert_eq!(excerpt.losses, whole.losses, "{seconds}");
        }
        whole.clip.frames()
    };
    assert_eq!(told(FRAMES as u64, bytes.len()), FRAMES);
    assert_eq!(told(FRAMES as u64 / 2, bytes.len()), FRAMES);
    assert_eq!(told(0, bytes.len()), FRAMES);
    assert!(told(FRAMES as u64, bytes.len() / 3) < FRAMES / 2);
}

#[test]
fn a_part_behind_the_end_is_refused_in_words() {
    for name in ["tone.aiff", "tone.flac", "tone.mp3"] {
        let error = import_part(&fixture(name), between(30.0, 31.0)).unwrap_err();
        assert!(matches!(error, AudioError::NoSuchPart { .. }), "{error}");
        let sentence = error.to_string();
        assert!(sentence.contains(name) && sentence.contains("from 30.00 s on"), "{sentence}");
    }
    // What is no audio is no audio in parts either.
    with_file("text.wav", b"this is not audio", |path| {
        assert!(matches!(import_part(path, Part::Last { seconds: 1.0 }), Err(AudioError::NotAudio { .. })));
    });
}

#[test]
fn what_is_missing_is_told_where_it_belongs_to_the_part() {
    let mut damaged = bytes_of("tone.flac");
    damaged[9_700..10_000].iter_mut().for_each(|byte| *byte ^= 0x3c);
    with_file("x.flac", &damaged, |path| {
        let whole = import(path, 60.0).unwrap();
        let [loss] = whole.losses.as_slice() else { panic!("{:?}", whole.losses) };
        let at = loss.at_frame as f64 / f64::from(whole.clip.sample_rate_hz);
        let losses = |part| import_part(path, part).unwrap().losses;
        assert_eq!(losses(between(at - 0.01, at + 0.01)), whole.losses);
        assert_eq!(losses(between(0.0, at - 0.01)), []);
        assert_eq!(losses(between(at, at + 0.01)), [], "it begins behind what is missing");
        assert_eq!(losses(between(0.0, 100.0)), whole.losses);
    });

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.wav");
    let clip = Clip { sample_rate_hz: 16_000, channels: vec![vec![0.25; 1_000]] };
    write_wav(&path, &clip, WavFormat::I16).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 501]).unwrap();
    let excerpt = import_part(&path, Part::Last { seconds: 0.01 }).unwrap();
    assert_eq!((excerpt.clip.frames(), excerpt.begin_frame), (160, 749 - 160));
    let [loss] = excerpt.losses.as_slice() else { panic!("{:?}", excerpt.losses) };
    assert_eq!((loss.at_frame, loss.frames, &loss.cause), (749, Some(251), &Cause::EndsEarly));
    assert_eq!(import_part(&path, between(0.0, 0.04)).unwrap().losses, [], "the end is not a part of it");
}
