//! What a WAV says about itself: where it comes from, and where in the song it belongs.
//!
//! `LIST INFO` holds texts that players show; `bext` (EBU Tech 3285, version 1) a time in frames that editors can place a file at; `acid`
//! the tempo and the number of beats, by which hosts fit a file to the song. They stand behind the samples, where whoever does not know
//! them passes over them. A FLAC holds the same as Vorbis comments.

use std::io::{self, Seek, SeekFrom, Write};

/// Longest text that is written, in bytes: what a player shows has an end.
const MOST_TEXT: usize = 16_384;
/// How far the length may be from a whole number of beats, in beats, for the file to count as a loop.
const LOOP_TOLERANCE: f64 = 0.01;
/// Bytes of a `bext` chunk without its coding history.
const BEXT_BYTES: usize = 602;

/// What is written about a file into it. Empty texts are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Annotations {
    /// What it is called.
    pub title: String,
    /// How it was made.
    pub comment: String,
    /// Under which licence.
    pub copyright: String,
    /// What made it.
    pub software: String,
    /// Where its first frame belongs, in frames from the song's beginning.
    pub first_frame: Option<u64>,
    /// The song's tempo and metre, where they are known.
    pub beat: Option<Beat>,
}

/// A tempo and a metre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beat {
    /// Quarter notes per minute.
    pub tempo: f64,
    /// Quarter notes per bar.
    pub beats_per_bar: f64,
}

impl Annotations {
    /// Appends the chunks to a finished WAV of so many seconds and corrects its length. What has nothing to say is left as it is.
    ///
    /// # Errors
    /// Those of the file; [`io::ErrorKind::InvalidData`] for one that would be longer than a RIFF can be.
    pub(super) fn append(&self, file: &mut (impl Write + Seek), seconds: f64) -> io::Result<()> {
        let chunks = [self.info(), self.bext(), self.acid(seconds)].concat();
        if chunks.is_empty() {
            return Ok(());
        }
        let end = file.seek(SeekFrom::End(0))?;
        if end % 2 == 1 {
            file.write_all(&[0])?;
        }
        file.write_all(&chunks)?;
        let length = end + end % 2 + chunks.len() as u64 - 8;
        let length = u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        file.seek(SeekFrom::Start(4))?;
        file.write_all(&length.to_le_bytes())?;
        file.flush()
    }

    fn info(&self) -> Vec<u8> {
        let texts =
            [(b"INAM", &self.title), (b"ICMT", &self.comment), (b"ICOP", &self.copyright), (b"ISFT", &self.software)];
        let mut list = b"INFO".to_vec();
        for (id, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            let mut bytes = cut(text, MOST_TEXT).as_bytes().to_vec();
            bytes.push(0);
            list.extend(chunk(*id, &bytes));
        }
        if list.len() > 4 { chunk(*b"LIST", &list) } else { Vec::new() }
    }

    fn bext(&self) -> Vec<u8> {
        let Some(first_frame) = self.first_frame else { return Vec::new() };
        let mut bytes = vec![0; BEXT_BYTES];
        let mut put = |at: usize, most: usize, text: &str| {
            let text = cut(text, most);
            bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(0, 256, &self.title);
        put(256, 32, &self.software);
        bytes[338..346].copy_from_slice(&first_frame.to_le_bytes());
        bytes[346..348].copy_from_slice(&1u16.to_le_bytes());
        chunk(*b"bext", &bytes)
    }

    /// Tempo, metre and number of beats of a file of so many seconds. One that is no whole number of beats long is not to be fitted to
    /// a song's tempo by that number, so it is called a one-shot. The root note stays unset.
    fn acid(&self, seconds: f64) -> Vec<u8> {
        const ONE_SHOT: u32 = 1;
        let Some(Beat { tempo, beats_per_bar }) = self.beat.filter(|beat| beat.tempo.is_finite() && beat.tempo > 0.0)
        else {
            return Vec::new();
        };
        let beats = seconds * tempo / 60.0;
        let whole = beats.round().max(1.0);
        let flags = if (beats - whole).abs() <= LOOP_TOLERANCE { 0 } else { ONE_SHOT };
        let (numerator, denominator) = metre(beats_per_bar);
        let mut bytes = Vec::with_capacity(24);
        bytes.extend(flags.to_le_bytes());
        bytes.extend(0_u16.to_le_bytes());
        // Not documented; these are what others write.
        bytes.extend(0x8000_u16.to_le_bytes());
        bytes.extend(0.0_f32.to_le_bytes());
        bytes.extend((whole as u32).to_le_bytes());
        bytes.extend(denominator.to_le_bytes());
        bytes.extend(numerator.to_le_bytes());
        bytes.extend((tempo as f32).to_le_bytes());
        chunk(*b"acid", &bytes)
    }

    /// The same as fields of a Vorbis comment, each a name and a text.
    pub(super) fn comments(&self) -> Vec<(&'static str, String)> {
        let text = |text: &str| cut(text, MOST_TEXT).to_owned();
        let texts = [
            ("TITLE", text(&self.title)),
            ("DESCRIPTION", text(&self.comment)),
            ("COPYRIGHT", text(&self.copyright)),
            ("ENCODER", text(&self.software)),
            ("BPM", self.beat.map(|beat| beat.tempo.to_string()).unwrap_or_default()),
            // As programs name it that bring a `bext` over.
            ("TIME_REFERENCE", self.first_frame.map(|frame| frame.to_string()).unwrap_or_default()),
        ];
        texts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
    }
}

/// A bar of so many quarter notes as a fraction: 4/4, 7/8.
fn metre(beats_per_bar: f64) -> (u16, u16) {
    let as_notes = |denominator: u16| (beats_per_bar * f64::from(denominator) / 4.0, denominator);
    let whole = [4, 8, 16].map(as_notes).into_iter().find(|(notes, _)| *notes >= 1.0 && notes.fract() == 0.0);
    whole.map_or((4, 4), |(notes, denominator)| (notes.min(f64::from(u16::MAX)) as u16, denominator))
}

/// The beginning of a text, whole characters of it.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A chunk of an even number of bytes.
fn chunk(id: [u8; 4], bytes: &[u8]) -> Vec<u8> {
    let mut chunk = id.to_vec();
    chunk.extend((bytes.len() as u32).to_le_bytes());
    chunk.extend_from_slice(bytes);
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

#[cfg(test)]
mod tests {
    use super::super::{Clip, WavFormat, WavSink, import};
    use super::*;

    /// The chunks of a WAV, each with its bytes.
    fn chunks(wav: &[u8]) -> Vec<(String, Vec<u8>)> {
        assert_eq!((&wav[..4], &wav[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
        assert_eq!(u32::from_le_bytes(wav[4..8].try_into().unwrap()) as usize, wav.len() - 8);
        let (mut at, mut found) = (12, Vec::new());
        while at < wav.len() {
            let length = u32::from_le_bytes(wav[at + 4..at + 8].try_into().unwrap()) as usize;
            let id = String::from_utf8_lossy(&wav[at..at + 4]).into_owned();
            found.push((id, wav[at + 8..at + 8 + length].to_vec()));
            at += 8 + length.next_multiple_of(2);
        }
        found
    }

    #[test]
    fn what_is_said_is_in_the_file_and_the_samples_are_as_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("take.wav");
        // An odd number of bytes.
        let clip = Clip { sample_rate_hz: 16_000, channels: vec![vec![0.25; 1_001]] };
        let annotations = Annotations {
            title: "Take 3, variation 2".into(),
            comment: "é".repeat(9_000),
            copyright: String::new(),
            software: "Continuo".into(),
            first_frame: Some(96_000),
            beat: None,
        };
        let mut sink = WavSink::create(&path, 16_000, 1, WavFormat::I24).unwrap();
        sink.push(&[&clip.channels[0]]).unwrap();
        sink.finish_with(&annotations).unwrap();
        assert_eq!(import(&path, 10.0).unwrap().clip, clip);
        let chunks = chunks(&std::fs::read(&path).unwrap());
        let ids: Vec<&str> = chunks.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids[ids.len() - 3..], ["data", "LIST", "bext"]);
        let info = String::from_utf8_lossy(&chunks[chunks.len() - 2].1).into_owned();
        assert!(info.contains("INAM") && info.contains("Take 3, variation 2") && !info.contains("ICOP"), "{info}");
        let bext = &chunks[chunks.len() - 1].1;
        assert_eq!(bext.len(), BEXT_BYTES);
        assert_eq!(u64::from_le_bytes(bext[338..346].try_into().unwrap()), 96_000);
        // Two bars of 3/4 at 90 beats per minute last 4 s; a tenth more is no loop.
        for (frames, metre, loops) in [(64_000, 3.0, true), (70_400, 3.5, false)] {
            let beat = Some(Beat { tempo: 90.0, beats_per_bar: metre });
            let mut sink = WavSink::create(&path, 16_000, 1, WavFormat::I16).unwrap();
            sink.push(&[&vec![0.5; frames]]).unwrap();
            sink.finish_with(&Annotations { beat, ..Annotations::default() }).unwrap();
            assert_eq!(import(&path, 10.0).unwrap().clip.frames(), frames);
            let (id, acid) = self::chunks(&std::fs::read(&path).unwrap()).pop().unwrap();
            let word = |at: usize| u32::from_le_bytes(acid[at..at + 4].try_into().unwrap());
            assert_eq!((id.as_str(), acid.len()), ("acid", 24));
            assert_eq!((word(0) == 0, word(0) & 2), (loops, 0), "no root note is set");
            assert_eq!(word(12), if loops { 6 } else { 7 });
            assert_eq!((word(16) & 0xffff, word(16) >> 16), if loops { (4, 3) } else { (8, 7) });
            assert_eq!(word(20), 90.0_f32.to_bits());
        }
        // Nothing to say, nothing written.
        let mut sink = WavSink::create(&path, 16_000, 1, WavFormat::I24).unwrap();
        sink.push(&[&clip.channels[0]]).unwrap();
        sink.finish_with(&Annotations::default()).unwrap();
        let plain = std::fs::read(&path).unwrap();
        super::super::write_wav(&path, &clip, WavFormat::I24).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), plain);
    }
}
