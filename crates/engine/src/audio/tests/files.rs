use super::super::*;
use super::{db, fixture, level_at, refusal, sine, with_file};

/// A canonical WAV with any header fields.
struct RawWav {
    tag: u16,
    channels: u16,
    rate: u32,
    bits: u16,
    declared_bytes: u32,
    data: Vec<u8>,
}

impl RawWav {
    fn new(channels: u16, rate: u32, bits: u16, data: Vec<u8>) -> Self {
        Self { tag: 1, channels, rate, bits, declared_bytes: data.len() as u32, data }
    }

    fn bytes(&self) -> Vec<u8> {
        let align = self.channels * self.bits / 8;
        let mut out = b"RIFF".to_vec();
        out.extend(self.declared_bytes.saturating_add(36).to_le_bytes());
        out.extend(b"WAVEfmt \x10\0\0\0");
        out.extend(self.tag.to_le_bytes());
        out.extend(self.channels.to_le_bytes());
        out.extend(self.rate.to_le_bytes());
        out.extend(self.rate.wrapping_mul(u32::from(align)).to_le_bytes());
        out.extend(align.to_le_bytes());
        out.extend(self.bits.to_le_bytes());
        out.extend(b"data");
        out.extend(self.declared_bytes.to_le_bytes());
        out.extend(&self.data);
        out
    }
}

fn i16s(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn every_format_gives_the_tone() {
    for (name, format, frames, tolerance) in [
        ("tone.aiff", "aiff", 4_000..=4_000, 1e-4),
        ("tone.flac", "flac", 4_000..=4_000, 1e-4),
        ("tone.ogg", "ogg vorbis", 4_000..=4_000, 0.03),
        ("tone.mp3", "mp3", 4_000..=4_000, 0.03),
        ("tone.m4a", "isomp4 aac", 4_000..=4_000, 0.03),
        ("alaw.wav", "wav A-law", 4_000..=4_000, 0.03),
        ("adpcm.wav", "wav Microsoft ADPCM", 4_048..=4_048, 0.03),
        ("f64.wav", "wav 64-bit float", 800..=800, 1e-4),
        ("extensible24.wav", "wav 24-bit", 1_600..=1_600, 1e-4),
    ] {
        let decoder = Decoder::open(&fixture(name)).unwrap();
        assert!(decoder.info().format.starts_with(format), "{name}: {}", decoder.info().format);
        let clip = read(&fixture(name)).unwrap();
        assert_eq!((clip.sample_rate_hz, clip.channels.len()), (16_000, 2), "{name}");
        assert!(frames.contains(&clip.frames()), "{name}: {} frames", clip.frames());
        for (channel, own, other, level) in [(0, 440.0, 660.0, 0.5), (1, 660.0, 440.0, 0.25)] {
            // A stretch that holds a whole number of periods of both, in the middle.
            let x = &clip.channels[channel];
            let n = if x.len() < 1_600 { 800 } else { 1_600.min(x.len()) };
            let from = (x.len() - n) / 2;
            let x = &x[from..from + n];
            let measured = level_at(x, own, 16_000);
            assert!((measured - level).abs() < f64::max(tolerance, 0.002), "{name} channel {channel}: {measured}");
            assert!(db(level_at(x, other, 16_000) / measured) < -30.0, "{name}: channels mixed");
        }
    }
}

#[test]
fn integer_and_float_wavs_keep_their_values() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    let clip = Clip {
        sample_rate_hz: 44_100,
        channels: vec![sine(440.0, 44_100, 0.9, 0.0, 10_000), sine(555.0, 44_100, 0.5, 1.0, 10_000)],
    };
    for (format, step) in [(WavFormat::F32, 0.0), (WavFormat::I24, 1.0 / 8_388_608.0), (WavFormat::I16, 1.0 / 32_768.0)]
    {
        write_wav(&path, &clip, format).unwrap();
        let back = read(&path).unwrap();
        assert_eq!((back.sample_rate_hz, back.channels.len(), back.frames()), (44_100, 2, 10_000));
        for (a, b) in clip.channels.iter().flatten().zip(back.channels.iter().flatten()) {
            assert!((a - b).abs() <= step * 0.500_1, "{format:?}: {a} {b}");
        }
    }
    // 8-bit is unsigned, 32-bit is signed.
    with_file("8.wav", &RawWav::new(1, 8_000, 8, vec![128, 192, 0, 255]).bytes(), |path| {
        assert_eq!(read(path).unwrap().channels[0], [0.0, 0.5, -1.0, 127.0 / 128.0]);
    });
    let data = [0_i32, 1 << 30, i32::MIN].iter().flat_map(|v| v.to_le_bytes()).collect();
    with_file("32.wav", &RawWav::new(1, 8_000, 32, data).bytes(), |path| {
        assert_eq!(read(path).unwrap().channels[0], [0.0, 0.5, -1.0]);
    });
}

#[test]
fn what_is_not_audio_is_refused_with_a_reason() {
    let text = "Dear all,\nthis is a text, called .wav by mistake.\n".repeat(50);
    for (name, bytes) in [
        ("text.wav", text.as_bytes()),
        ("short.mp3", b"hi\n"),
        ("empty.wav", b""),
        ("song.wav", b"MThd\0\0\0\x06\0\x01\0\x02\x01\xe0MTrk"),
        ("archive.wav", b"PK\x03\x04 something"),
        ("zeros.wav", &[0; 5_000]),
    ] {
        let error = refusal(name, bytes);
        assert!(matches!(error, AudioError::NotAudio { .. }), "{name}: {error:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(read(dir.path()), Err(AudioError::NotAudio { .. } | AudioError::Io { .. })));
    assert!(matches!(read(&dir.path().join("none.wav")), Err(AudioError::Io { .. })));
    assert!(matches!(read(&fixture("opus.ogg")), Err(AudioError::Unsupported { .. })));
}

#[test]
fn a_break_keeps_what_was_readable() {
    let frames: Vec<i16> = (0..10_000).collect();
    let whole = RawWav::new(1, 16_000, 16, i16s(&frames)).bytes();
    // In the middle of a sample, too.
    for cut in [44 + 2, 44 + 3, 44 + 9_999, whole.len() - 1] {
        with_file("cut.wav", &whole[..cut], |path| {
            let clip = read(path).unwrap();
            assert_eq!(clip.frames(), (cut - 44) / 2);
            assert!(clip.channels[0].iter().zip(&frames).all(|(a, &b)| *a == f32::from(b) / 32_768.0));
            let read = ((cut - 44) / 2) as u64;
            let wanted = Loss { at_frame: read, frames: Some(10_000 - read), cause: Cause::EndsEarly };
            assert_eq!(import(path, 60.0).unwrap().losses, [wanted]);
        });
    }
    with_file("whole.wav", &whole, |path| {
        let mut decoder = Decoder::open(path).unwrap();
        let mut block = Vec::new();
        while decoder.next_block(&mut block).unwrap() > 0 {}
        assert!(decoder.losses().is_empty() && decoder.frames_read() == 10_000);
        assert_eq!(decoder.next_block(&mut block).unwrap(), 0);
    });
    let error = refusal("headless.wav", &whole[..44]);
    assert!(matches!(error, AudioError::Truncated { declared_frames: 10_000, .. }), "{error:?}");
    for cut in 1..44 {
        refusal("header.wav", &whole[..cut]);
    }
    for name in ["tone.flac", "tone.ogg", "tone.aiff", "tone.mp3", "tone.m4a"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        with_file(name, &bytes[..bytes.len() * 9 / 10], |path| match Decoder::open(path) {
            Ok(mut decoder) => {
                let mut block = Vec::new();
                while decoder.next_block(&mut block).unwrap() > 0 {}
                assert!(decoder.frames_read() > 0 && !decoder.losses().is_empty(), "{name}: {decoder:?}");
            }
            // M4A has its table of contents at the end, this OGG is one page.
            Err(e) => assert!(["tone.m4a", "tone.ogg"].contains(&name) && e.to_string().contains(name), "{name}: {e}"),
        });
    }
}

#[test]
fn lengths_in_headers_are_not_believed() {
    // A data chunk that announces 4 GB, and a chunk before it that does.
    for declared_bytes in [0xffff_fffe, 0xffff_ffff, 0x7fff_fff0] {
        let mut wav = RawWav::new(2, 48_000, 16, i16s(&[1, 2, 3, 4, 5, 6]));
        wav.declared_bytes = declared_bytes;
        with_file("huge.wav", &wav.bytes(), |path| match read(path) {
            Ok(clip) => assert_eq!(clip.frames(), 3),
            Err(e) => assert!(e.to_string().contains("huge.wav"), "{e}"),
        });
    }
    let mut wav = RawWav::new(1, 48_000, 16, i16s(&[1, 2])).bytes();
    wav.splice(12..12, *b"LIST\xf0\xff\xff\xffINFO");
    refusal("list.wav", &wav);

    // The same for the boxes of an M4A and the blocks of a FLAC: every 32-bit field in turn becomes huge.
    for name in ["tone.m4a", "tone.flac", "tone.aiff", "tone.ogg"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let from = if name == "tone.m4a" { bytes.len() - 1_200 } else { 0 };
        for at in (from..(from + 1_200).min(bytes.len() - 4)).step_by(4) {
            let mut bytes = bytes.clone();
            bytes[at..at + 4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xf0]);
            with_file(name, &bytes, |path| {
                if let Err(e) = import(path, 10.0) {
                    assert!(e.to_string().contains(name), "{e}");
                }
            });
        }
    }
}

#[test]
fn impossible_headers_are_refused() {
    let wav = |channels, rate| RawWav::new(channels, rate, 16, vec![0; 16_000]).bytes();
    assert!(matches!(refusal("r.wav", &wav(1, 0)), AudioError::SampleRate { sample_rate_hz: 0, .. }));
    assert!(matches!(refusal("r.wav", &wav(1, 4_000_000)), AudioError::SampleRate { .. }));
    assert!(matches!(refusal("c.wav", &wav(1_000, 8_000)), AudioError::Channels { channels: 1_000, .. }));
    refusal("c.wav", &wav(0, 8_000));
    assert!(matches!(refusal("e.wav", &RawWav::new(1, 8_000, 16, Vec::new()).bytes()), AudioError::Empty { .. }));
}

#[test]
fn floats_that_are_no_levels_are_refused() {
    let wav = |values: &[f32]| {
        let mut wav = RawWav::new(2, 8_000, 32, values.iter().flat_map(|v| v.to_le_bytes()).collect());
        wav.tag = 3;
        wav.bytes()
    };
    let clip = with_file("hot.wav", &wav(&[1.5, -2.0]), read).unwrap();
    assert_eq!(clip.channels, [[1.5], [-2.0]]);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = refusal("nan.wav", &wav(&[0.0, 0.0, 0.0, bad]));
        assert!(matches!(error, AudioError::NotFinite { frame: 1, .. }), "{error:?}");
    }
    assert!(matches!(refusal("int.wav", &wav(&[0.0, 20_000.0])), AudioError::Scale { frame: 0, .. }));
}

#[test]
fn a_change_of_rate_inside_a_file_keeps_what_came_before() {
    let Imported { clip, losses } = import(&fixture("chained.ogg"), 60.0).unwrap();
    assert_eq!((clip.sample_rate_hz, clip.frames()), (16_000, 4_000));
    let [loss] = losses.as_slice() else { panic!("{losses:?}") };
    // A quarter of a second at the other rate.
    assert_eq!((loss.at_frame, loss.frames), (4_000, Some(5_513)));
    let text = loss.to_string();
    assert!(text.contains("16000 Hz") && text.contains("22050 Hz") && text.contains("5513"), "{text}");
}

#[test]
fn clips_that_are_too_long_are_refused() {
    let bytes = RawWav::new(1, 8_000, 16, vec![0; 32_000]).bytes();
    with_file("long.wav", &bytes, |path| {
        assert_eq!(import(path, 2.0).unwrap().clip.frames(), 16_000);
        let error = import(path, 1.9).unwrap_err();
        assert!(matches!(error, AudioError::TooLong { .. }) && error.to_string().contains("2 s"), "{error}");
    });
}

#[test]
fn a_wav_is_written_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    let good = Clip { sample_rate_hz: 16_000, channels: vec![vec![0.25; 10]] };
    write_wav(&path, &good, WavFormat::F32).unwrap();
    let nan = Clip { sample_rate_hz: 16_000, channels: vec![vec![0.0, f32::NAN]] };
    let ragged = Clip { sample_rate_hz: 16_000, channels: vec![vec![0.0], vec![]] };
    let mute = Clip { sample_rate_hz: 16_000, channels: vec![] };
    let slow = Clip { sample_rate_hz: 0, channels: vec![vec![0.0]] };
    for bad in [nan, ragged, mute, slow] {
        let error = write_wav(&path, &bad, WavFormat::I16).unwrap_err();
        assert!(matches!(error, AudioError::InvalidClip { .. }), "{error}");
    }
    assert_eq!(read(&path).unwrap(), good, "the old file is still there");
    drop(WavSink::create(&path, 16_000, 1, WavFormat::I16).unwrap());
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["x.wav"], "nothing else is left");

    let nowhere = dir.path().join("none").join("x.wav");
    let error = write_wav(&nowhere, &good, WavFormat::I16).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
    // Clamped, not wrapped.
    write_wav(&path, &Clip { sample_rate_hz: 8_000, channels: vec![vec![2.0, -2.0]] }, WavFormat::I16).unwrap();
    assert_eq!(read(&path).unwrap().channels[0], [32_767.0 / 32_768.0, -1.0]);
}

#[test]
fn a_full_disk_has_its_own_error() {
    let full = AudioError::io(std::path::Path::new("take.wav"), "write", std::io::ErrorKind::StorageFull.into());
    assert!(matches!(full, AudioError::DiskFull { .. }));
    assert!(full.to_string().contains("take.wav") && full.to_string().contains("free"), "{full}");
}

#[test]
fn blocks_add_up_to_the_clip() {
    let clip = read(&fixture("tone.flac")).unwrap();
    let mut decoder = Decoder::open(&fixture("tone.flac")).unwrap();
    let (mut block, mut all) = (Vec::new(), Vec::new());
    loop {
        let frames = decoder.next_block(&mut block).unwrap();
        assert_eq!(block.len(), frames * 2);
        if frames == 0 {
            break;
        }
        all.extend_from_slice(&block);
    }
    assert_eq!(all.len(), 8_000);
    assert!(all.chunks(2).zip(&clip.channels[0]).all(|(f, l)| f[0] == *l));
    assert_eq!(clip.mono()[100], f32::midpoint(clip.channels[0][100], clip.channels[1][100]));
}

#[test]
fn a_damaged_file_costs_a_sentence_at_most() {
    // Deterministic damage: some bytes are replaced, sometimes the end is cut off. Decoders may give frames or an error
    // that names the file; they may not panic, hang or fill the memory.
    let rounds = std::env::var("CONTINUO_DAMAGE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize) % below
    };
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let whole = std::fs::read(&path).unwrap();
        for round in 0..rounds {
            let mut bytes = whole.clone();
            // Most of what can be misread is at the front.
            let reach = if round % 2 == 0 { bytes.len() } else { bytes.len().min(600) };
            for _ in 0..=random(6) {
                let at = random(reach);
                bytes[at] = [0x00, 0x7f, 0x80, 0xff, random(256) as u8][random(5)];
            }
            if round % 3 == 0 {
                bytes.truncate(1 + random(bytes.len()));
            }
            with_file(&name, &bytes, |path| {
                if let Err(e) = import(path, 60.0) {
                    assert!(e.to_string().contains(&name), "{e}");
                }
            });
        }
    }
}
