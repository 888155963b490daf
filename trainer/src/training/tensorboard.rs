//! TensorBoard event files: scalars, audio, images and histograms that a stock TensorBoard opens.
//!
//! The format is TensorFlow's: records of `length, masked CRC-32C of the length, data, masked CRC-32C of the data`
//! (`tensorflow/core/lib/io/record_writer.h`), the data being an `Event` (`tensorflow/core/util/event.proto`). Only the
//! fields that are written are declared here, with TensorFlow's numbers.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

/// `tensorflow.Event`.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session: Option<Session>,
}

/// `tensorflow.SessionLog`.
#[derive(Clone, PartialEq, Message)]
struct Session {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `tensorflow.SessionLog.START`: what other files say of this event's step and later ones is no more.
const START: i32 = 1;

/// `tensorflow.Summary`.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// `tensorflow.Summary.Value`.
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    number: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
    #[prost(message, optional, tag = "5")]
    histogram: Option<Histogram>,
    #[prost(message, optional, tag = "6")]
    audio: Option<Audio>,
}

/// `tensorflow.Summary.Image`.
#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// 3 = RGB.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    png: Vec<u8>,
}

/// `tensorflow.Summary.Audio`.
#[derive(Clone, PartialEq, Message)]
struct Audio {
    #[prost(float, tag = "1")]
    sample_rate_hz: f32,
    #[prost(int64, tag = "2")]
    channels: i64,
    #[prost(int64, tag = "3")]
    frames: i64,
    #[prost(bytes = "vec", tag = "4")]
    wav: Vec<u8>,
    #[prost(string, tag = "5")]
    content_type: String,
}

/// `tensorflow.HistogramProto`.
#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(double, tag = "1")]
    min: f64,
    #[prost(double, tag = "2")]
    max: f64,
    #[prost(double, tag = "3")]
    count: f64,
    #[prost(double, tag = "4")]
    sum: f64,
    #[prost(double, tag = "5")]
    sum_squares: f64,
    /// Upper end of each bucket.
    #[prost(double, repeated, tag = "6")]
    limits: Vec<f64>,
    #[prost(double, repeated, tag = "7")]
    counts: Vec<f64>,
}

/// Writes one event file of a sitting.
///
/// A full disk does not stop training here: an event that cannot be written is left out, whole.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
}

impl EventWriter {
    /// A new file in a folder, which is made, for the steps after `step`. TensorBoard puts all files of a folder together, and
    /// forgets what a sitting that was killed wrote of those steps.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(folder: &Path, step: u64) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let (seconds, rest) = (now / 1_000_000_000, now % 1_000_000_000);
        let path = folder.join(format!("events.out.tfevents.{seconds:010}.continuo.{rest:09}"));
        let mut writer = Self { file: OpenOptions::new().create_new(true).append(true).open(path)? };
        writer.write(Event { file_version: Some("brain.Event:2".to_owned()), ..Event::default() });
        if step > 0 {
            let session = Some(Session { status: START });
            writer.write(Event { step: step as i64 + 1, session, ..Event::default() });
        }
        Ok(writer)
    }

    /// One number.
    pub fn scalar(&mut self, step: u64, tag: &str, value: f64) {
        self.value(step, Value { tag: tag.to_owned(), number: Some(value as f32), ..Value::default() });
    }

    /// A WAV file of so many channels and frames.
    pub fn audio(&mut self, step: u64, tag: &str, wav: Vec<u8>, sample_rate_hz: u32, channels: usize, frames: usize) {
        let audio = Audio {
            sample_rate_hz: sample_rate_hz as f32,
            channels: channels as i64,
            frames: frames as i64,
            wav,
            content_type: "audio/wav".to_owned(),
        };
        self.value(step, Value { tag: tag.to_owned(), audio: Some(audio), ..Value::default() });
    }

    /// A PNG of so many pixels.
    pub fn image(&mut self, step: u64, tag: &str, png: Vec<u8>, width: u32, height: u32) {
        let image = Image { height: height as i32, width: width as i32, colorspace: 3, png };
        self.value(step, Value { tag: tag.to_owned(), image: Some(image), ..Value::default() });
    }

    /// How values are spread. Values that are no numbers are left out.
    pub fn histogram(&mut self, step: u64, tag: &str, values: &[f32]) {
        self.value(step, Value { tag: tag.to_owned(), histogram: Some(histogram(values)), ..Value::default() });
    }

    fn value(&mut self, step: u64, value: Value) {
        self.write(Event { step: step as i64, summary: Some(Summary { value: vec![value] }), ..Event::default() });
    }

    fn write(&mut self, mut event: Event) {
        event.wall_time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let record = record(&event.encode_to_vec());
        let before = self.file.metadata().map(|metadata| metadata.len());
        if self.file.write_all(&record).is_err()
            && let Ok(before) = before
        {
            // Half a record would hide all that come behind it.
            let _ = self.file.set_len(before);
        }
    }
}

/// Data as it stands in the file.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), data, &masked(data).to_le_bytes()].concat()
}

/// A CRC that is stored with its data is masked, as the CRC of data that holds CRCs is weak.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Buckets of equal width from the least to the greatest value.
fn histogram(values: &[f32]) -> Histogram {
    const BUCKETS: usize = 40;
    let numbers = || values.iter().map(|&value| f64::from(value)).filter(|value| value.is_finite());
    let (min, max) = numbers().fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| (min.min(x), max.max(x)));
    if min > max {
        return Histogram::default();
    }
    let width = ((max - min) / BUCKETS as f64).max(f64::MIN_POSITIVE);
    let mut counts = vec![0.0; BUCKETS];
    let (mut count, mut sum, mut sum_squares) = (0.0, 0.0, 0.0);
    for value in numbers() {
        counts[(((value - min) / width) as usize).min(BUCKETS - 1)] += 1.0;
        (count, sum, sum_squares) = (count + 1.0, sum + value, sum_squares + value * value);
    }
    let limits =
        (1..=BUCKETS).map(|bucket| if bucket == BUCKETS { max } else { min + width * bucket as f64 }).collect();
    Histogram { min, max, count, sum, sum_squares, limits, counts }
}

#[cfg(test)]
mod tests {
    // Counts and what was given back untouched are equal, not close.
    #![allow(clippy::unwrap_used, clippy::float_cmp)]

    use super::*;

    /// The events of a file, as a reader finds them.
    fn read(bytes: &[u8]) -> Vec<Event> {
        let mut rest = bytes;
        let mut events = Vec::new();
        while !rest.is_empty() {
            let (length, behind) = rest.split_first_chunk::<8>().unwrap();
            let (crc, behind) = behind.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*crc), masked(length));
            let (data, behind) = behind.split_at(u64::from_le_bytes(*length) as usize);
            let (crc, behind) = behind.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*crc), masked(data));
            events.push(Event::decode(data).unwrap());
            rest = behind;
        }
        events
    }

    #[test]
    fn what_is_written_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path(), 0).unwrap();
        writer.scalar(3, "loss", 1.5);
        writer.histogram(4, "weights", &[0.0, 1.0, 1.0, f32::NAN]);
        writer.audio(5, "take", vec![1, 2], 16_000, 1, 7);
        writer.image(6, "spectrogram", vec![3], 20, 10);
        let entry = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        assert!(entry.file_name().to_string_lossy().contains("tfevents"));
        let events = read(&std::fs::read(entry.path()).unwrap());
        assert_eq!(events.iter().map(|event| event.step).collect::<Vec<_>>(), [0, 3, 4, 5, 6]);
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        let value = |at: usize| events[at].summary.as_ref().unwrap().value[0].clone();
        assert_eq!((value(1).tag.as_str(), value(1).number), ("loss", Some(1.5)));
        let spread = value(2).histogram.unwrap();
        assert_eq!((spread.min, spread.max, spread.count, spread.sum), (0.0, 1.0, 3.0, 2.0));
        assert_eq!((spread.counts[0], spread.counts[39], spread.limits[39]), (1.0, 2.0, 1.0));
        assert_eq!(value(3).audio.unwrap().frames, 7);
        assert_eq!(value(4).image.unwrap().width, 20);
    }

    #[test]
    fn a_sitting_that_goes_on_says_from_where() {
        let folder = tempfile::tempdir().unwrap();
        drop(EventWriter::create(folder.path(), 7).unwrap());
        let entry = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        let events = read(&std::fs::read(entry.path()).unwrap());
        assert_eq!(events.iter().map(|event| event.step).collect::<Vec<_>>(), [0, 8]);
        assert_eq!(events[1].session, Some(Session { status: START }));
    }

    #[test]
    fn the_checksum_is_the_one_that_tensorflow_writes() {
        // RFC 3720, B.4: 32 bytes of zeros.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn a_histogram_of_nothing_or_of_one_value_is_one() {
        assert_eq!(histogram(&[]), Histogram::default());
        assert_eq!(histogram(&[2.0, 2.0]).counts.iter().sum::<f64>(), 2.0);
    }
}
