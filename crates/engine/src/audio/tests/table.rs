//! Every other format as programs write it: how many frames, how loud, and each frame against the sine that was encoded.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use super::super::{AudioError, Clip, Loss, import};
use super::{bytes_of, fixture, imported, refusal};

/// What the sound file was made from: `tone.aiff` (big-endian, its sound at the end) or the sines.
fn original(name: &str) -> fn(usize, usize) -> f32 {
    if name.starts_with("tone") || ["alaw.wav", "adpcm.wav", "f64.wav", "extensible24.wav"].contains(&name) {
        tone
    } else {
        ideal
    }
}

fn tone(channel: usize, t: usize) -> f32 {
    static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| bytes_of("tone.aiff").split_off(88));
    let at = 4 * t + 2 * channel;
    f32::from(i16::from_be_bytes([SOUND[at], SOUND[at + 1]])) / 32_768.0
}

/// Left and right of what the other sound files hold: 440 Hz at half scale, 660 Hz at a quarter.
fn ideal(channel: usize, t: usize) -> f32 {
    let (hz, level) = if channel == 0 { (440.0, 0.5) } else { (660.0, 0.25) };
    (level * (TAU * hz * t as f64 / 16_000.0).sin()) as f32
}

/// Largest error of the frames `from..to` against the original's from `at` on.
fn error(clip: &Clip, from: usize, to: usize, at: usize, original: fn(usize, usize) -> f32) -> f32 {
    let worst = |c: usize| (from..to).map(move |t| (clip.channels[c][t] - original(c, at + t - from)).abs());
    (0..2).flat_map(worst).fold(0.0, f32::max)
}

fn check(name: &str, clip: &Clip, losses: &[Loss], frames: usize, tolerance: f32) {
    assert!(losses.is_empty(), "{name}: {losses:?}");
    assert_eq!((clip.sample_rate_hz, clip.channels.len(), clip.frames()), (16_000, 2, frames), "{name}");
    // ADPCM begins with its smallest step, and this AAC's encoder is slow to begin.
    let settled = match name {
        "adpcm.wav" | "ima.wav" | "ima4.aiff" => 200,
        "second.m4a" => 4_600,
        _ => 0,
    };
    let peak = clip.channels[0][settled..].iter().fold(0.0, |peak: f32, x| peak.max(x.abs()));
    assert!((peak - 0.5).abs() < tolerance, "{name}: peak {peak}");
    // Codecs with blocks pad the last one where the file does not say how much of it is sound.
    let sound = frames.min(if frames < 5_000 { 4_000 } else { 16_000 });
    for (part, range) in [("first", 0..1), ("last", sound - 1..sound), ("all", settled..sound)] {
        let error = error(clip, range.start, range.end, range.start, original(name));
        assert!(error < tolerance, "{name}, {part} frames: {error}");
    }
}

#[test]
fn every_format_gives_the_frames_that_were_encoded() {
    for (name, frames, tolerance) in [
        ("tone.aiff", 4_000, 1e-4),
        ("tone.flac", 4_000, 1e-4),
        ("tone.ogg", 4_000, 0.06),
        ("tone.mp3", 4_000, 0.06),
        ("tone.m4a", 4_000, 0.06),
        ("alaw.wav", 4_000, 0.01),
        ("adpcm.wav", 4_048, 0.06),
        ("ima.wav", 4_068, 0.06),
        ("ima4.aiff", 4_032, 0.06),
        ("f64.wav", 800, 1e-4),
        ("extensible24.wav", 1_600, 1e-4),
        ("quarter.oga", 4_000, 1e-4),
        ("pages.ogg", 16_000, 0.06),
        ("second.mp3", 16_000, 0.06),
        ("second.m4a", 16_000, 0.06),
        ("alac.m4a", 4_000, 1e-4),
        ("alac.caf", 4_000, 1e-4),
        ("flac.mka", 4_000, 1e-4),
    ] {
        let got = import(&fixture(name), 60.0).unwrap_or_else(|e| panic!("{e}"));
        check(name, &got.clip, &got.losses, frames, tolerance);
    }
}

/// Without a note about the encoder's delay, what the packets hold is the sound.
#[test]
fn files_that_tell_no_delay_keep_all_frames() {
    let got = import(&fixture("mp3.wav"), 60.0).unwrap();
    assert_eq!((got.clip.frames(), got.losses.len()), (9 * 576, 0));
    let got = import(&fixture("vorbis.mka"), 60.0).unwrap();
    assert!(
        (4_000..=4_096).contains(&got.clip.frames()) && got.losses.is_empty(),
        "{} {:?}",
        got.clip.frames(),
        got.losses
    );
    assert!(error(&got.clip, 0, 4_000, 0, ideal) < 0.06);
}

#[test]
fn deep_flac_keeps_its_bits() {
    let got = import(&fixture("deep.flac"), 60.0).unwrap();
    assert_eq!((got.clip.sample_rate_hz, got.clip.frames(), got.losses.len()), (192_000, 2_000, 0));
    for (t, x) in got.clip.channels[0].iter().enumerate() {
        let wanted = 0.5 * (TAU * 1_000.0 * t as f64 / 192_000.0).sin();
        assert!((f64::from(*x) - wanted).abs() < 1e-7, "{t}: {x}");
    }
}

#[test]
fn he_aac_is_refused_by_name_also_where_only_its_packets_tell() {
    for name in ["he.aac", "he.m4a"] {
        let error = refusal(name, &bytes_of(name));
        assert!(matches!(error, AudioError::Unsupported { .. }) && error.to_string().contains("HE-AAC"), "{error}");
    }
    // Low complexity is not mistaken for it.
    assert!(import(&fixture("second.aac"), 60.0).unwrap().losses.is_empty());
    let opus = refusal("opus.mka", &bytes_of("opus.mka"));
    assert!(opus.to_string().contains("Opus"), "{opus}");
}

fn id3v2(bytes: usize) -> Vec<u8> {
    let size = bytes - 10;
    let mut tag = b"ID3\x04\0\0".to_vec();
    tag.extend([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127].map(|digit| digit as u8));
    // Pictures are full of what looks like a frame.
    tag.extend([0xff, 0xfb, 0x90, 0x64].iter().cycle().take(size));
    tag
}

#[test]
fn tags_of_any_size_are_passed_over() {
    let id3v1 = [b"TAG".as_slice(), &[b'x'; 125]].concat();
    let ape = {
        let item = [b'y'; 300];
        let mark = |header: bool| {
            let flags: u32 = if header { 0xa000_0000 } else { 0x8000_0000 };
            let numbers = [2_000_u32, item.len() as u32 + 32, 1, flags].map(u32::to_le_bytes).concat();
            [b"APETAGEX".as_slice(), &numbers, &[0; 8]].concat()
        };
        [mark(true), item.to_vec(), mark(false)].concat()
    };
    for (name, frames, tolerance) in [
        ("second.mp3", 16_000, 0.06),
        ("tone.flac", 4_000, 1e-4),
        ("tone.ogg", 4_000, 0.06),
        ("tone.aiff", 4_000, 1e-4),
    ] {
        let plain = bytes_of(name);
        for (what, front, behind) in [
            ("ID3v2", id3v2(300), vec![]),
            ("ID3v2 of 3 MB", id3v2(3_000_000), vec![]),
            ("two ID3v2", [id3v2(100), id3v2(1_200_000)].concat(), vec![]),
            ("ID3v1", vec![], id3v1.clone()),
            ("APE", vec![], ape.clone()),
            ("APE and ID3v1", id3v2(5_000), [ape.clone(), id3v1.clone()].concat()),
        ] {
            let got = imported(name, &[front, plain.clone(), behind].concat());
            check(&format!("{name} with {what}"), &got.clip, &got.losses, frames, tolerance);
        }
    }
}

#[test]
fn two_mp3s_in_one_file_are_two_pieces_without_a_gap() {
    let (one, tag) = (bytes_of("second.mp3"), id3v2(2_000));
    for between in [vec![], tag] {
        let clip = imported("two.mp3", &[one.clone(), between, one.clone()].concat());
        assert!(clip.losses.is_empty(), "{:?}", clip.losses);
        assert_eq!(clip.clip.frames(), 32_000);
        assert!(error(&clip.clip, 0, 16_000, 0, ideal) < 0.06 && error(&clip.clip, 16_000, 32_000, 0, ideal) < 0.06);
    }
}

#[test]
fn bytes_behind_a_flac_cost_nothing() {
    let flac = bytes_of("tone.flac");
    for behind in [vec![0], vec![0xff; 3], vec![7; 5_000], [b"TAG".as_slice(), &[0; 125]].concat()] {
        let got = imported("x.flac", &[flac.clone(), behind].concat());
        check("tone.flac and bytes", &got.clip, &got.losses, 4_000, 1e-4);
    }
    // A smallest block of 0, no length, and both.
    for (from, to) in [(8..10, 0..0), (0..0, 21..26), (8..10, 21..26)] {
        let mut bytes = flac.clone();
        bytes[from].fill(0);
        if !to.is_empty() {
            bytes[21] &= 0xf0;
            bytes[22..26].fill(0);
        }
        let got = imported("x.flac", &bytes);
        check("tone.flac, poor header", &got.clip, &got.losses, 4_000, 1e-4);
    }
}

/// The edit list of a tone that was cut in an editor: only frames 1 000 to 3 000 behind the encoder's delay.
#[test]
fn an_edit_list_is_followed() {
    let mut bytes = bytes_of("tone.m4a");
    let elst = bytes.windows(4).position(|w| w == b"elst").unwrap() + 12;
    let number = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    // The film's clock ticks a thousand times a second.
    assert_eq!((number(&bytes, elst), number(&bytes, elst + 4)), (250, 1_024));
    bytes[elst..elst + 4].copy_from_slice(&125_u32.to_be_bytes());
    bytes[elst + 4..elst + 8].copy_from_slice(&2_024_u32.to_be_bytes());
    let got = imported("cut.m4a", &bytes);
    assert_eq!((got.clip.frames(), got.losses.len()), (2_000, 0));
    assert!(error(&got.clip, 0, 2_000, 1_000, tone) < 0.06);
}
