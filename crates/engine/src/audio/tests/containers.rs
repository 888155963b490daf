//! WAV and AIFF in every shape in which their headers come, written here byte by byte.

use super::super::{Cause, Clip, Decoder, Loss};
use super::{imported, refusal, with_file};

const FRAMES: usize = 1_000;
const LEFT: u8 = 7;

/// Steps of 1/128, so that every width from 8 bits on holds them exactly.
fn step(t: usize) -> i32 {
    (t * 37 % 255) as i32 - 127
}

fn wanted() -> Vec<f32> {
    (0..FRAMES).map(|t| step(t) as f32 / 128.0).collect()
}

/// How samples are written.
#[derive(Clone, Copy)]
struct Samples {
    name: &'static str,
    tag: u16,
    bits: u16,
    bytes: u16,
    /// `WAVE_FORMAT_EXTENSIBLE`, with the real format inside it.
    extensible: bool,
}

const SAMPLES: [Samples; 13] = [
    Samples { name: "8 bits", tag: 1, bits: 8, bytes: 1, extensible: false },
    Samples { name: "12 bits", tag: 1, bits: 12, bytes: 2, extensible: false },
    Samples { name: "16 bits", tag: 1, bits: 16, bytes: 2, extensible: false },
    Samples { name: "20 bits", tag: 1, bits: 20, bytes: 3, extensible: false },
    Samples { name: "24 bits", tag: 1, bits: 24, bytes: 3, extensible: false },
    Samples { name: "24 in 32 bits, tag 1", tag: 1, bits: 24, bytes: 4, extensible: false },
    Samples { name: "20 in 32 bits, extensible", tag: 1, bits: 32, bytes: 4, extensible: true },
    Samples { name: "24 in 32 bits, extensible", tag: 1, bits: 24, bytes: 4, extensible: true },
    Samples { name: "32 bits", tag: 1, bits: 32, bytes: 4, extensible: false },
    Samples { name: "16 bits, extensible", tag: 1, bits: 16, bytes: 2, extensible: true },
    Samples { name: "float", tag: 3, bits: 32, bytes: 4, extensible: false },
    Samples { name: "double", tag: 3, bits: 64, bytes: 8, extensible: false },
    Samples { name: "double, extensible", tag: 3, bits: 64, bytes: 8, extensible: true },
];

impl Samples {
    fn write(&self, big_endian: bool, unsigned: bool) -> Vec<u8> {
        let sample = |t: usize| -> Vec<u8> {
            let value = f64::from(step(t)) / 128.0;
            let (all, width) = match (self.tag, self.bytes) {
                (3, 4) => (u64::from((value as f32).to_bits()), 4),
                (3, _) => (value.to_bits(), 8),
                (_, bytes) => {
                    let middle = if unsigned { i64::MIN } else { 0 };
                    ((((i64::from(step(t)) << 56) ^ middle) as u64) >> (64 - 8 * u32::from(bytes)), usize::from(bytes))
                }
            };
            let little = all.to_le_bytes()[..width].to_vec();
            if big_endian { little.into_iter().rev().collect() } else { little }
        };
        (0..FRAMES).flat_map(sample).collect()
    }

    fn format(&self, rate: u32, length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(if self.extensible { 0xfffe_u16 } else { self.tag }.to_le_bytes());
        out.extend(1_u16.to_le_bytes());
        out.extend(rate.to_le_bytes());
        out.extend((rate * u32::from(self.bytes)).to_le_bytes());
        out.extend(self.bytes.to_le_bytes());
        out.extend(self.bits.to_le_bytes());
        if self.extensible {
            out.extend([22, 0, 20, 0, 4, 0, 0, 0]);
            out.extend(self.tag.to_le_bytes());
            out.extend(*b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
        }
        out.resize(length.max(out.len()), 0);
        out
    }
}

fn chunk(id: &[u8; 4], content: &[u8], told: u32) -> Vec<u8> {
    [id.as_slice(), &told.to_le_bytes(), content, &vec![0; content.len() % 2]].concat()
}

fn riff(chunks: &[Vec<u8>], told: Option<u32>) -> Vec<u8> {
    let body = [b"WAVE".as_slice(), &chunks.concat()].concat();
    [b"RIFF".as_slice(), &told.unwrap_or(body.len() as u32).to_le_bytes(), &body].concat()
}

fn check(name: &str, clip: &Clip, losses: &[Loss]) {
    let wanted = wanted();
    assert!(losses.is_empty(), "{name}: {losses:?}");
    assert_eq!((clip.sample_rate_hz, clip.channels.len(), clip.frames()), (8_000, 1, FRAMES), "{name}");
    let x = &clip.channels[0];
    let peak = |x: &[f32]| x.iter().fold(0.0, |peak: f32, x| peak.max(x.abs()));
    assert_eq!(peak(x), peak(&wanted), "{name}");
    assert_eq!((x[0], x[FRAMES - 1]), (wanted[0], wanted[FRAMES - 1]), "{name}");
    assert_eq!(*x, wanted, "{name}");
}

#[test]
fn every_wav_gives_its_samples_whatever_its_lengths_say() {
    for samples in SAMPLES {
        let data = samples.write(false, samples.bytes == 1);
        let right = data.len() as u32;
        for format_bytes in [16, 18, 24, 40] {
            for data_bytes in [right, 0, 0xffff_ffff, 0x7fff_f000] {
                for riff_bytes in [None, Some(0), Some(0xffff_ffff), Some(right + 33), Some(right + 39)] {
                    let name = format!("{}, {format_bytes}, {data_bytes:#x}, {riff_bytes:x?}", samples.name);
                    let format = samples.format(8_000, format_bytes);
                    let head = chunk(b"fmt ", &format, format.len() as u32);
                    let wav = riff(&[head, chunk(b"data", &data, data_bytes)], riff_bytes);
                    let got = imported("x.wav", &wav);
                    check(&name, &got.clip, &got.losses);
                }
            }
        }
    }
}

#[test]
fn chunks_around_the_sound_are_not_sound() {
    let samples = SAMPLES[2];
    let (data, format) = (samples.write(false, false), samples.format(8_000, 16));
    let format = chunk(b"fmt ", &format, 16);
    let sound = chunk(b"data", &data, data.len() as u32);
    let odd = chunk(b"LIST", b"INFOx", 5);
    let unpadded = [b"bext".as_slice(), &[3, 0, 0, 0], b"abc"].concat();
    let tag = [b"TAG".as_slice(), &[0; 125]].concat();
    for (name, parts) in [
        ("padded in front", vec![odd.clone(), format.clone(), odd.clone(), sound.clone()]),
        ("unpadded in front", vec![unpadded.clone(), format.clone(), unpadded.clone(), sound.clone()]),
        ("behind", vec![format.clone(), sound.clone(), odd.clone()]),
        ("a tag behind", vec![format.clone(), sound.clone(), tag]),
        ("format behind", vec![sound.clone(), format.clone()]),
    ] {
        let got = imported("x.wav", &riff(&parts, None));
        check(name, &got.clip, &got.losses);
    }
    // No sound, and another chunk behind: that is not the sound.
    let empty = riff(&[format, chunk(b"data", b"", 0), odd], None);
    assert!(matches!(refusal("empty.wav", &empty), super::AudioError::Empty { .. }));
}

/// RF64 and BW64: the 32-bit lengths are filled with ones, the real ones stand in a chunk of their own.
fn rf64(form: &[u8; 4], data: &[u8], told: u64) -> Vec<u8> {
    let lengths = [0_u64.to_le_bytes(), told.to_le_bytes(), 0_u64.to_le_bytes()].concat();
    let lengths = [lengths, vec![0; 4]].concat();
    let format = SAMPLES[2].format(8_000, 16);
    let body = [chunk(b"ds64", &lengths, 28), chunk(b"fmt ", &format, 16), chunk(b"data", data, u32::MAX)].concat();
    [form.as_slice(), &[0xff; 4], b"WAVE", &body].concat()
}

fn wave64(data: &[u8]) -> Vec<u8> {
    let tail = *b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";
    let chunk = |id: &[u8; 4], content: &[u8]| {
        let padding = vec![0; content.len().next_multiple_of(8) - content.len()];
        [id.as_slice(), &tail, &(content.len() as u64 + 24).to_le_bytes(), content, &padding].concat()
    };
    let body = [chunk(b"fmt ", &SAMPLES[2].format(8_000, 18)), chunk(b"data", data)].concat();
    let head =
        [b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00".as_slice(), &(body.len() as u64 + 40).to_le_bytes()];
    [head.concat(), b"wave".to_vec(), tail.to_vec(), body].concat()
}

#[test]
fn the_64_bit_relatives_of_wav_are_read() {
    let data = SAMPLES[2].write(false, false);
    let length = data.len() as u64;
    for (name, bytes) in [
        ("RF64", rf64(b"RF64", &data, length)),
        ("BW64", rf64(b"BW64", &data, length)),
        ("RF64, no length", rf64(b"RF64", &data, 0)),
        ("RF64, unknown length", rf64(b"RF64", &data, u64::MAX)),
        ("Wave64", wave64(&data)),
    ] {
        let got = imported("x.wav", &bytes);
        check(name, &got.clip, &got.losses);
    }
    let got = imported("x.wav", &rf64(b"RF64", &data[..100], length));
    assert_eq!(got.losses, [Loss { at_frame: 50, frames: Some(FRAMES as u64 - 50), cause: Cause::EndsEarly }]);
}

/// More than 4 GiB, of which the disk holds a few blocks: every frame comes, in blocks of constant size.
#[test]
fn beyond_4_gib_every_frame_is_read() {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.wav");
    // 32 channels of doubles: many bytes per frame keep the test short.
    let stride = 32 * 8;
    let frames = (1_u64 << 32) / stride + 1_000;
    let mut head = rf64(b"RF64", b"", frames * stride);
    let format = head.windows(4).position(|w| w == b"fmt ").unwrap() + 8;
    head[format..format + 16].copy_from_slice(&[3, 0, 32, 0, 0x40, 0x1f, 0, 0, 0, 0, 0, 0, 0, 1, 64, 0]);
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&head).unwrap();
    file.seek(SeekFrom::Start(head.len() as u64 + (frames - 1) * stride)).unwrap();
    file.write_all(&0.25_f64.to_le_bytes()).unwrap();
    file.set_len(head.len() as u64 + frames * stride).unwrap();

    let mut decoder = Decoder::open(&path).unwrap();
    assert_eq!(decoder.info().declared_frames, Some(frames));
    let (mut block, mut last, mut largest, mut half) = (Vec::new(), Vec::new(), 0, 0.0);
    while decoder.next_block(&mut block).unwrap() > 0 {
        largest = largest.max(block.capacity());
        last.clone_from(&block);
        if decoder.frames_read() <= frames / 2 {
            half = decoder.progress();
        }
    }
    assert_eq!((decoder.frames_read(), last[last.len() - 32]), (frames, 0.25));
    assert!(decoder.losses().is_empty() && largest <= 1 << 18, "{largest}");
    assert!((0.49..0.51).contains(&half), "{half}");
}

fn aiff(form: &[u8; 4], compression: Option<&[u8; 4]>, bits: u16, data: &[u8], frames: u32) -> Vec<Vec<u8>> {
    let chunk = |id: &[u8; 4], content: &[u8]| {
        [id.as_slice(), &(content.len() as u32).to_be_bytes(), content, &vec![0; content.len() % 2]].concat()
    };
    let mut common = [0, 1].to_vec();
    common.extend(frames.to_be_bytes());
    common.extend(bits.to_be_bytes());
    // 8 000 as an 80-bit float.
    common.extend([0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0]);
    if let Some(compression) = compression {
        common.extend(compression);
        common.extend([0, 0]);
    }
    vec![form.to_vec(), chunk(b"COMM", &common), chunk(b"SSND", &[&[0; 8], data].concat())]
}

fn form(parts: &[Vec<u8>], told: Option<u32>) -> Vec<u8> {
    let body = parts.concat();
    [b"FORM".as_slice(), &told.unwrap_or(body.len() as u32).to_be_bytes(), &body].concat()
}

#[test]
fn every_aiff_gives_its_samples() {
    for (name, kind, compression, samples, big_endian, unsigned) in [
        ("8 bits", b"AIFF", None, SAMPLES[0], true, false),
        ("12 bits", b"AIFF", None, SAMPLES[1], true, false),
        ("16 bits", b"AIFF", None, SAMPLES[2], true, false),
        ("24 bits", b"AIFF", None, SAMPLES[4], true, false),
        ("32 bits", b"AIFF", None, SAMPLES[8], true, false),
        ("NONE", b"AIFC", Some(b"NONE"), SAMPLES[2], true, false),
        ("twos", b"AIFC", Some(b"twos"), SAMPLES[2], true, false),
        ("in24", b"AIFC", Some(b"in24"), SAMPLES[4], true, false),
        ("sowt", b"AIFC", Some(b"sowt"), SAMPLES[2], false, false),
        ("sowt, 24 bits", b"AIFC", Some(b"sowt"), SAMPLES[4], false, false),
        ("raw, unsigned", b"AIFC", Some(b"raw "), SAMPLES[0], true, true),
        ("fl32", b"AIFC", Some(b"fl32"), SAMPLES[10], true, false),
        ("FL32", b"AIFC", Some(b"FL32"), SAMPLES[10], true, false),
        ("fl64", b"AIFC", Some(b"fl64"), SAMPLES[11], true, false),
    ] {
        let data = samples.write(big_endian, unsigned);
        let parts = aiff(kind, compression, samples.bits, &data, FRAMES as u32);
        let right = form(&parts, None);
        let long = form(&parts, Some(right.len() as u32 + 1_000));
        let unfinished = form(&parts, Some(0));
        let behind = form(&[parts[0].clone(), parts[2].clone(), parts[1].clone()], None);
        // Sound that begins on a boundary of 512 bytes, and padding behind it.
        let mut aligned = parts.clone();
        let content =
            [&u32::from(LEFT).to_be_bytes()[..], &512_u32.to_be_bytes(), &[0; LEFT as usize], &data, &[9; 40]].concat();
        aligned[2] = [b"SSND".as_slice(), &(content.len() as u32).to_be_bytes(), &content].concat();
        let aligned = form(&aligned, None);
        for (shape, bytes) in [
            ("", right),
            ("FORM too long", long),
            ("FORM 0", unfinished),
            ("COMM behind", behind),
            ("aligned", aligned),
        ] {
            let got = imported("x.aiff", &bytes);
            check(&format!("{name} {shape}"), &got.clip, &got.losses);
        }
    }
    // A recorder that crashed: no length anywhere.
    let data = SAMPLES[2].write(true, false);
    let mut parts = aiff(b"AIFF", None, 16, &data, 0);
    parts[2][4..8].fill(0);
    let got = imported("x.aiff", &form(&parts, Some(0)));
    check("unfinished", &got.clip, &got.losses);
    let unknown = refusal("q.aiff", &form(&aiff(b"AIFC", Some(b"MAC3"), 8, &data, 9), None));
    assert!(unknown.to_string().contains("MAC3"), "{unknown}");
}

#[test]
fn codecs_that_are_not_read_are_named() {
    for (tag, name) in [(0x31_u16, "GSM 6.10"), (0x161, "Windows Media Audio"), (0x674f, "Vorbis"), (0x1234, "0x1234")]
    {
        let mut format = SAMPLES[2].format(8_000, 16);
        format[..2].copy_from_slice(&tag.to_le_bytes());
        let error = refusal("x.wav", &riff(&[chunk(b"fmt ", &format, 16), chunk(b"data", &[0; 100], 100)], None));
        assert!(error.to_string().contains(name), "{error}");
    }
    with_file("video.wav", b"RIFF\0\0\0\0AVI LIST", |path| {
        assert!(matches!(Decoder::open(path), Err(super::AudioError::NotAudio { .. })));
    });
}
