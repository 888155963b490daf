//! `cargo xtask demo`: the main job, from nothing to a phrase in a file.
//!
//! It does what a producer does: loads the bundled plugin in a host, takes the factory model and a factory seed clip,
//! presses Render, and rolls the transport from bar 1 until the phrase ends. What came out is written, drawn, measured
//! and judged by what was written.

mod measure;
mod picture;
mod progress;
mod spectrum;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use continuo_testhost::{Plugin, Setup};

use crate::bundle;
use crate::require::{self, Need};
use crate::workspace::Workspace;
use measure::Verdict;
use progress::Progress;

/// The rate of the demo's host, of the factory seed clips and of `phrase.wav`.
const RATE_HZ: u32 = 48_000;

/// Frames in a block.
const BLOCK: u32 = 512;

/// What to play.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How much to continue, in seconds.
    #[arg(long, default_value_t = 6.0)]
    seconds: f64,
    /// Sampling temperature.
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,
    /// The number that fixes the random choices.
    #[arg(long, default_value_t = 1)]
    rng_seed: u32,
    /// Use the bundle that lies in target/bundled, without building.
    #[arg(long)]
    no_build: bool,
    /// Where to write phrase.wav and phrase.png.
    #[arg(long, default_value = "demo")]
    out: PathBuf,
}

/// A phrase as the host recorded it.
struct Phrase {
    /// `[C][T]` at [`RATE_HZ`].
    channels: Vec<Vec<f32>>,
    /// Wall seconds from pressing Render to the last frame.
    wall_seconds: f64,
}

/// Runs the command.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if !(0.5..=120.0).contains(&options.seconds) {
        bail!("--seconds must lie between 0.5 and 120");
    }
    let clap = if options.no_build {
        workspace.bundled().join("Continuo.clap")
    } else {
        require::check(&[Need::Compiler, Need::Python, Need::Pip])?;
        let bundles = bundle::build(workspace, false)?;
        if bundles.models == 0 || bundles.seeds == 0 {
            bail!("presets/models or presets/seeds is empty, so there is nothing to play; check the clone");
        }
        bundles.clap
    };
    let seed_path = first_seed(&workspace.root.join("presets").join("seeds"))?;
    let seed = read_mono(&seed_path)?;

    eprintln!("loading {}", clap.display());
    let phrase = perform(&clap, seed.len(), options)?;
    let out = if options.out.is_absolute() { options.out.clone() } else { workspace.root.join(&options.out) };
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}; choose another with --out", out.display()))?;
    let (wav, png) = (out.join("phrase.wav"), out.join("phrase.png"));
    write_wav(&wav, &phrase.channels)?;

    // Judged by the file, not by what was in memory.
    let written = read_channels(&wav)?;
    let verdict = Verdict::of(&written, &seed, options.seconds, RATE_HZ)?;
    let title = format!(
        "Continuo: {} and {:.1} s of continuation",
        seed_path.file_stem().unwrap_or_default().to_string_lossy(),
        options.seconds
    );
    picture::draw(&png, &title, &written[0], seed.len(), RATE_HZ)?;

    print!("{verdict}");
    println!("\n{}\n{}", wav.display(), png.display());
    println!(
        "rendered {:.1} s in {:.1} s: real-time factor {:.1} (above 1 is faster than it plays; loading and checking the \
         model included)",
        options.seconds,
        phrase.wall_seconds,
        options.seconds / phrase.wall_seconds
    );
    println!("to install the plugin for your own hosts: cargo xtask bundle --install");
    if !verdict.passed() {
        bail!("the phrase does not meet what it must; see the lines marked FAIL");
    }
    Ok(())
}

/// Presses Render and rolls the transport from bar 1 until the phrase's end.
fn perform(clap: &Path, seed_frames: usize, options: &Options) -> Result<Phrase> {
    let mut plugin = Plugin::load(clap)?;
    plugin.set_offline()?;
    let settings = [
        ("mode", "Continue".to_owned()),
        ("length_unit", "Seconds".to_owned()),
        ("length", options.seconds.to_string()),
        ("temperature", options.temperature.to_string()),
        ("rng_seed", options.rng_seed.to_string()),
        ("takes", "1".to_owned()),
        ("take", "1".to_owned()),
        ("gain", "0 dB".to_owned()),
        ("playback", "Timeline".to_owned()),
        ("start", "1".to_owned()),
        ("play_seed", "On".to_owned()),
        ("seed_source", "Clip".to_owned()),
    ];
    let settings = settings
        .iter()
        .map(|(id, text)| plugin.value(id, text))
        .collect::<Result<Vec<_>>>()
        .context("the plugin does not take the demo's settings")?;
    let press = plugin.value("render", "On")?;
    let release = plugin.value("render", "Off")?;

    let frames = seed_frames + (options.seconds * f64::from(RATE_HZ)).round() as usize;
    let mut progress = Progress::new(frames as u64);
    let began = Instant::now();
    let channels = plugin.play(
        Setup { sample_rate_hz: RATE_HZ, block: BLOCK },
        |played| progress.show(played),
        move |deck| {
            for setting in settings {
                deck.set(0, setting);
            }
            deck.run(BLOCK)?;
            deck.set(0, press);
            deck.run(BLOCK)?;
            deck.set(0, release);
            deck.playing = true;
            let mut recorded: Vec<Vec<f32>> = Vec::new();
            let mut left = frames;
            while left > 0 {
                let block = deck.run(BLOCK.min(u32::try_from(left).unwrap_or(BLOCK)))?;
                recorded.resize(block.len(), Vec::new());
                for (out, channel) in recorded.iter_mut().zip(&block) {
                    out.extend_from_slice(channel);
                }
                left -= block.first().map_or(left, |channel| channel.len());
            }
            Ok(recorded)
        },
    )?;
    progress.finish();
    if channels.is_empty() {
        bail!("the plugin has no output channels");
    }
    Ok(Phrase { channels, wall_seconds: began.elapsed().as_secs_f64() })
}

/// The factory seed clip that the plugin takes until another is chosen: the first in the order of names.
fn first_seed(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wav"))
        .min()
        .with_context(|| format!("there is no seed clip in {}", folder.display()))
}

/// A mono clip at [`RATE_HZ`].
fn read_mono(path: &Path) -> Result<Vec<f32>> {
    let mut channels = read_channels(path)?;
    if channels.len() != 1 {
        bail!("{} has {} channels; the factory seed clips are mono", path.display(), channels.len());
    }
    Ok(channels.remove(0))
}

/// A WAV file's channels, `[C][T]`.
fn read_channels(path: &Path) -> Result<Vec<Vec<f32>>> {
    let mut reader = hound::WavReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let spec = reader.spec();
    if spec.sample_rate != RATE_HZ || spec.sample_format != hound::SampleFormat::Int {
        bail!("{} is not {RATE_HZ} Hz in whole numbers", path.display());
    }
    let scale = 1.0 / f32::from(2_u8).powi(i32::from(spec.bits_per_sample) - 1);
    let samples = reader
        .samples::<i32>()
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let count = usize::from(spec.channels);
    Ok((0..count)
        .map(|channel| samples.iter().skip(channel).step_by(count).map(|&sample| sample as f32 * scale).collect())
        .collect())
}

/// Writes 24-bit samples.
fn write_wav(path: &Path, channels: &[Vec<f32>]) -> Result<()> {
    const FULL: f32 = 8_388_608.0;
    let spec = hound::WavSpec {
        channels: u16::try_from(channels.len())?,
        sample_rate: RATE_HZ,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let failed = || format!("cannot write {}; choose another folder with --out", path.display());
    let mut writer = hound::WavWriter::create(path, spec).with_context(failed)?;
    for frame in 0..channels.first().map_or(0, Vec::len) {
        for channel in channels {
            let sample = channel.get(frame).copied().unwrap_or(0.0);
            if !sample.is_finite() {
                bail!("the plugin put out {sample} at frame {frame}");
            }
            writer.write_sample((sample * FULL).round().clamp(-FULL, FULL - 1.0) as i32).with_context(failed)?;
        }
    }
    writer.finalize().with_context(failed)
}
