//! The command line: every subcommand and its options, without what they do.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use continuo_engine::Precision;

/// Trains generative models of raw audio from a folder of recordings and exports them for Continuo.
#[derive(Debug, Parser)]
#[command(name = "continuo-trainer", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import a folder of recordings (WAV, FLAC, MP3, OGG, M4A, AIFF) into a dataset
    Prepare(PrepareArgs),
    /// Say what a folder of recordings is worth for training, what to mend, and what training will cost
    Audit(AuditArgs),
    /// Train a model on a dataset
    Train(TrainArgs),
    /// Continue a run from its last checkpoint
    Resume(ResumeArgs),
    /// Continue a seed clip with a run's model or a package, into a WAV
    Render(RenderArgs),
    /// Compare models with held-out recordings and with each other, in figures
    Evaluate(EvaluateArgs),
    /// Write a run's model as a package for the plugin
    Export(ExportArgs),
    /// Make a dataset of the codes that a run's encoder makes of recordings, for priors and second levels
    Codes(CodesArgs),
    /// Run the stages of a plan one after another: levels, codes, priors, a package. Start it again wherever it stopped
    Plan(PlanArgs),
    /// Print what a package holds
    Inspect(InspectArgs),
    /// Find the settings that the plugin starts with, for a package that is there
    Defaults(DefaultsArgs),
    /// Compare a device's arithmetic with the CPU's before trusting it with a night
    Check(CheckArgs),
    /// Measure how fast a configuration trains on a device
    Bench(BenchArgs),
    /// Write first weights, batches and what training does with them, for another program to be held against
    Golden(GoldenArgs),
}

/// `prepare FOLDER --out DATASET`
#[derive(Debug, Clone, Args)]
pub struct PrepareArgs {
    /// Folder of recordings; its subfolders are imported too
    pub folder: PathBuf,
    /// Folder to create for the dataset
    #[arg(long, value_name = "DATASET")]
    pub out: PathBuf,
    /// Frames per second of the dataset: the model's rate
    #[arg(long, value_name = "HZ", default_value_t = 16_000, value_parser = clap::value_parser!(u32).range(1_000..=384_000))]
    pub rate: u32,
    /// 1 mixes every recording down to mono, 2 makes every recording stereo
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2))]
    pub channels: u16,
    /// Share of the recordings that is kept for measuring and never trained on
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    pub holdout: f64,
    /// Cut off what is quieter than this (dBFS, RMS of windows of 2048 frames) at both ends of every recording; off by default
    #[arg(long, value_name = "DBFS", value_parser = dbfs, allow_negative_numbers = true)]
    pub trim_silence: Option<f64>,
    /// Replace an existing dataset
    #[arg(long)]
    pub force: bool,
    /// Files converted at the same time; 0 = one per processor core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub jobs: usize,
}

/// `audit FOLDER`
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// Folder of recordings; its subfolders are read too
    pub folder: PathBuf,
    /// Configuration that is to be trained: what is too short for it, and what it costs in memory and time
    #[arg(long, value_name = "CONFIG.toml")]
    pub config: Option<PathBuf>,
    /// Where it is to be trained
    #[arg(long, default_value_t = DeviceArg::Auto, requires = "config")]
    pub device: DeviceArg,
    /// Frames per second of the dataset; the configuration's, or 16000
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(1_000..=384_000))]
    pub rate: Option<u32>,
    /// 1 for mono, 2 for stereo; the configuration's, or 1
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=2))]
    pub channels: Option<u16>,
    /// Share of the recordings that will be held out
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    pub holdout: f64,
    /// Say what this threshold of silence would cut off (dBFS, as of `prepare`)
    #[arg(long, value_name = "DBFS", value_parser = dbfs, allow_negative_numbers = true)]
    pub trim_silence: Option<f64>,
    /// Write a page with plots to this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Files read at the same time; 0 = one per processor core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub jobs: usize,
}

/// `train CONFIG.toml --data DATASET --out RUN`
#[derive(Debug, Clone, Args)]
pub struct TrainArgs {
    /// Configuration of model and training (see trainer/configs)
    pub config: PathBuf,
    /// Dataset made by `prepare`
    #[arg(long, value_name = "DATASET")]
    pub data: PathBuf,
    /// Folder to create for the run: checkpoints, configuration, log
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Start from this model package's weights in place of random ones: it must have the configuration's architecture
    #[arg(long, value_name = "PACKAGE")]
    pub init: Option<PathBuf>,
    /// Where to compute: auto, cpu, gpu:N (Vulkan, Metal, DirectX 12) or cuda:N
    #[arg(long, default_value_t = DeviceArg::Auto)]
    pub device: DeviceArg,
    /// Stop after this many steps in place of the configuration's number
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Stop after this many minutes, with a checkpoint to resume from
    #[arg(long, value_name = "N", value_parser = minutes)]
    pub minutes: Option<f64>,
    /// Replace an existing run
    #[arg(long)]
    pub force: bool,
    /// Tell how training goes line by line on a terminal too, as into a file
    #[arg(long)]
    pub plain: bool,
    /// Several processes that train together.
    #[command(flatten)]
    pub workers: WorkersArgs,
}

/// `resume RUN`
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// Folder of the run
    pub run: PathBuf,
    /// The dataset, if it has moved since
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// Where to compute: auto, cpu, gpu:N (Vulkan, Metal, DirectX 12) or cuda:N
    #[arg(long, default_value_t = DeviceArg::Auto)]
    pub device: DeviceArg,
    /// Train up to this step in place of the configuration's number
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Stop after this many minutes, with a checkpoint to resume from
    #[arg(long, value_name = "N", value_parser = minutes)]
    pub minutes: Option<f64>,
    /// Tell how training goes line by line on a terminal too, as into a file
    #[arg(long)]
    pub plain: bool,
    /// Several processes that train together.
    #[command(flatten)]
    pub workers: WorkersArgs,
}

/// Options of `train` and `resume` for several GPUs or machines
#[derive(Debug, Clone, Default, Args)]
pub struct WorkersArgs {
    /// Train with N processes on this machine, each on an equal share of every batch: on GPUs of their own (from --device
    /// on, cuda:0, cuda:1, …), or on the CPU, whose cores they share
    #[arg(long, value_name = "N", value_parser = number(1, 64), conflicts_with_all = ["worker", "meet"])]
    pub workers: Option<usize>,
    /// Be worker R of N, counted from 0, on one of several machines: start the same command with another R on each. Worker
    /// 0 writes the run
    #[arg(long, value_name = "R/N", requires = "meet")]
    pub worker: Option<WorkerArg>,
    /// Where the workers meet: worker 0 listens at this address, the others call it. Nothing is encrypted: use a network of
    /// your own. Who does not know the key in the variable `CONTINUO_MEETING_KEY`, if worker 0 has one, is sent away
    #[arg(long, value_name = "HOST:PORT", requires = "worker")]
    pub meet: Option<String>,
    /// Workers that share this machine's cores
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number(1, 64), requires = "worker", hide = true)]
    pub beside: usize,
}

/// `R/N`: worker R of N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerArg {
    /// Which, counted from 0.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl FromStr for WorkerArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if number < of && (2..=64).contains(&of) => Ok(Self { number, of }),
            _ => Err(format!("`{text}` is no worker; give R/N, such as 0/2 and 1/2 for two workers, 64 at most")),
        }
    }
}

/// `check CONFIG.toml --device DEVICE`
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Configuration whose model is computed
    pub config: PathBuf,
    /// What is compared with the CPU
    #[arg(long, default_value_t = DeviceArg::Auto)]
    pub device: DeviceArg,
    /// Steps of training that are compared
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub steps: u64,
    /// Write what was found to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `bench CONFIG.toml --device DEVICE`
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Configuration that is trained, on synthetic music
    pub config: PathBuf,
    /// Where to compute: auto, cpu, gpu:N (Vulkan, Metal, DirectX 12) or cuda:N
    #[arg(long, default_value_t = DeviceArg::Auto)]
    pub device: DeviceArg,
    /// Steps that are timed
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub steps: u64,
    /// Steps before them that are not
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub warmup: u64,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `golden CONFIG.toml --out FILE.npz`
#[derive(Debug, Clone, Args)]
pub struct GoldenArgs {
    /// Configuration that is trained, on synthetic music
    pub config: PathBuf,
    /// NumPy archive to write: the first weights by name, and the batches of codes
    #[arg(long, value_name = "FILE.npz")]
    pub out: PathBuf,
    /// Where to compute
    #[arg(long, default_value_t = DeviceArg::Cpu)]
    pub device: DeviceArg,
    /// Steps of training
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub steps: u64,
    /// Write the losses and the first gradient to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `render RUN|PACKAGE --seed CLIP --seconds N --out WAV`
#[derive(Debug, Clone, Args)]
pub struct RenderArgs {
    /// A run's folder or a model package (.continuo)
    pub model: PathBuf,
    /// Seed clip to continue; without one the phrase begins from silence
    #[arg(long, value_name = "CLIP")]
    pub seed: Option<PathBuf>,
    /// Length of the continuation in seconds
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    pub seconds: f64,
    /// WAV to write: the seed clip and its continuation
    #[arg(long, value_name = "WAV")]
    pub out: PathBuf,
    /// 0 = always the likeliest value, 1 = as the model learnt
    #[arg(long, default_value_t = 1.0)]
    pub temperature: f32,
    /// Choose among the N likeliest values; 0 = all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub top_k: u32,
    /// Which of the model's kinds of recordings it plays like, by name; the first without one
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// Number that the random choices are made from
    #[arg(long, default_value_t = 0)]
    pub rng_seed: u64,
    /// Number of takes; above 1, each is written to its own file
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub takes: u32,
    /// In what the model is computed: f32, bf16 or int8; auto takes the fastest whose loss was measured to be as good
    #[arg(long, default_value_t = PrecisionArg(None))]
    pub precision: PrecisionArg,
    /// Threads; 0 = one per processor core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// ONNX Runtime library, for models that need it
    #[arg(long, value_name = "LIBRARY", env = "CONTINUO_ONNXRUNTIME")]
    pub runtime: Option<PathBuf>,
}

/// `evaluate RUN|PACKAGE… --data DATASET`
#[derive(Debug, Clone, Args)]
pub struct EvaluateArgs {
    /// Runs' folders or model packages (.continuo)
    #[arg(required = true, value_name = "RUN|PACKAGE")]
    pub models: Vec<PathBuf>,
    /// Dataset whose held-out recordings the models are held against
    #[arg(long, value_name = "DATASET")]
    pub data: PathBuf,
    /// Write a page that compares the models to this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Held-out clips that are continued
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = number(1, 512))]
    pub clips: usize,
    /// Length of each continuation in seconds
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = clip_seconds)]
    pub seconds: f64,
    /// Continuations of each clip
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub takes: u32,
    /// Length of the long continuation in which drift is looked for, in seconds; 0 = none
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = drift_seconds)]
    pub drift_seconds: f64,
    /// Held-out chunks that the likelihood is measured on
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = number(1, 65_536))]
    pub chunks: usize,
    /// Frames of each of them
    #[arg(long, value_name = "N", default_value_t = 8_192, value_parser = number(1, 1 << 24))]
    pub chunk_frames: usize,
    /// Hours of training audio that are searched for copies at most; 0 = no search
    #[arg(long, value_name = "HOURS", default_value_t = 4.0, value_parser = hours)]
    pub search_hours: f64,
    /// 0 = always the likeliest value, 1 = as the model learnt
    #[arg(long, default_value_t = 1.0, value_parser = temperature)]
    pub temperature: f32,
    /// Choose among the N likeliest values; 0 = all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub top_k: u32,
    /// Number that the random choices are made from: the same gives the same figures
    #[arg(long, default_value_t = 0)]
    pub rng_seed: u64,
    /// In what the models are computed: f32, bf16 or int8; auto takes each model's own
    #[arg(long, default_value_t = PrecisionArg(None))]
    pub precision: PrecisionArg,
    /// Put sounds into the page, some hundred kilobytes each
    #[arg(long, requires = "html")]
    pub audio: bool,
    /// Threads; 0 = one per processor core. Figures do not depend on it
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number(0, 1_024))]
    pub threads: usize,
    /// ONNX Runtime library, for models that need it
    #[arg(long, value_name = "LIBRARY", env = "CONTINUO_ONNXRUNTIME")]
    pub runtime: Option<PathBuf>,
}

/// `export RUN --out NAME.continuo`
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Folder of the run
    pub run: PathBuf,
    /// Package to write
    #[arg(long, value_name = "NAME.continuo")]
    pub out: PathBuf,
    /// Another run that trained a part of the same model, such as a prior over its codes; a second level goes before its prior
    #[arg(long, value_name = "RUN")]
    pub with: Vec<PathBuf>,
    /// Name shown to users; the file's name without one
    #[arg(long)]
    pub name: Option<String>,
    /// Who made the model
    #[arg(long, default_value = "unknown")]
    pub author: String,
    /// Licence of the model, as an SPDX expression
    #[arg(long, default_value = "NOASSERTION")]
    pub licence: String,
    /// Text file with the licence, to go into the package
    #[arg(long, value_name = "FILE")]
    pub licence_file: Option<PathBuf>,
    /// ONNX Runtime library that the exported graph is checked with
    #[arg(long, value_name = "LIBRARY", env = "CONTINUO_ONNXRUNTIME")]
    pub runtime: Option<PathBuf>,
    /// Temperature that the plugin starts with; without one it is found by rendering and counting pops
    #[arg(long, value_name = "T", value_parser = temperature)]
    pub temperature: Option<f32>,
    /// Number of likeliest values that the plugin draws from at first, 0 = all; without one it is found likewise
    #[arg(long, value_name = "N")]
    pub top_k: Option<u32>,
    /// The dataset, if it has moved since
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
}

/// `codes RUN --out CODES`
#[derive(Debug, Clone, Args)]
pub struct CodesArgs {
    /// Folder of the run whose encoder is taken
    pub run: PathBuf,
    /// Folder to create for the dataset of codes
    #[arg(long, value_name = "CODES")]
    pub out: PathBuf,
    /// Recordings to encode; the dataset that the run was trained on without it
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// Where to compute: auto, cpu or cuda:N
    #[arg(long, default_value_t = DeviceArg::Auto)]
    pub device: DeviceArg,
    /// Replace an existing dataset
    #[arg(long)]
    pub force: bool,
}

/// `plan PLAN.toml --data DATASET --out FOLDER`
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// The plan (see trainer/plans)
    pub plan: PathBuf,
    /// Dataset made by `prepare`
    #[arg(long, value_name = "DATASET")]
    pub data: PathBuf,
    /// Folder for the runs, the datasets of codes and the package
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Run this stage alone; what it needs must be there
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
    /// Where to compute: auto, cpu, gpu:N (Vulkan, Metal, DirectX 12) or cuda:N
    #[arg(long, default_value_t = DeviceArg::Auto)]
    pub device: DeviceArg,
    /// Tell how training goes line by line on a terminal too, as into a file
    #[arg(long)]
    pub plain: bool,
    /// ONNX Runtime library that the exported graphs are checked with
    #[arg(long, value_name = "LIBRARY", env = "CONTINUO_ONNXRUNTIME")]
    pub runtime: Option<PathBuf>,
}

/// `inspect FILE`
#[derive(Debug, Clone, Args)]
pub struct InspectArgs {
    /// A model package (.continuo)
    pub file: PathBuf,
}

/// `defaults FILE --audio CLIP`
#[derive(Debug, Clone, Args)]
pub struct DefaultsArgs {
    /// A model package (.continuo); it is written anew with the settings in it
    pub file: PathBuf,
    /// Real audio of the kind that the model learnt: its pops are counted too
    #[arg(long, value_name = "CLIP")]
    pub audio: Vec<PathBuf>,
    /// Temperature, instead of looking for one
    #[arg(long)]
    pub temperature: Option<f32>,
    /// Likeliest values that are drawn from (0 = all), instead of looking for it
    #[arg(long)]
    pub top_k: Option<u32>,
}

/// In what a model is computed: a precision, or `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PrecisionArg(pub Option<Precision>);

impl FromStr for PrecisionArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(None)),
            _ => Precision::named(text)
                .map(|precision| Self(Some(precision)))
                .ok_or_else(|| format!("`{text}` is not a precision; give auto, f32, bf16 or int8")),
        }
    }
}

impl std::fmt::Display for PrecisionArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.map_or("auto", Precision::name))
    }
}

/// Where to compute: `auto`, `cpu`, `gpu:N` or `cuda:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceArg {
    /// The first CUDA device if there is one, else the first GPU that is hardware, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of this number.
    Cuda(usize),
    /// The GPU of this number through Vulkan, Metal or `DirectX` 12, of whatever maker; software ones come last.
    Gpu(usize),
}

impl FromStr for DeviceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "gpu" => Ok(Self::Gpu(0)),
            _ => {
                let number = |prefix| text.strip_prefix(prefix).and_then(|n| n.parse().ok());
                let found = number("cuda:").map(Self::Cuda).or_else(|| number("gpu:").map(Self::Gpu));
                found.ok_or_else(|| format!("`{text}` is not a device; give auto, cpu, gpu:N or cuda:N (N = 0, 1, …)"))
            }
        }
    }
}

impl std::fmt::Display for DeviceArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::Gpu(n) => write!(f, "gpu:{n}"),
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("give a share from 0 up to, but not including, 1; 0.05 keeps one recording in twenty".into()),
    }
}

fn dbfs(text: &str) -> Result<f64, String> {
    match text.trim_end_matches("dBFS").trim().parse::<f64>() {
        Ok(level) if (-120.0..0.0).contains(&level) => Ok(level),
        _ => Err("give a level in dB below full scale, from -120 up to, but not including, 0; -50 is careful".into()),
    }
}

fn temperature(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(temperature) if (0.0..=2.0).contains(&temperature) => Ok(temperature),
        _ => Err("give a temperature from 0 (always the likeliest value) to 2; 1 is as the model learnt".into()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3_600.0 => Ok(seconds),
        _ => Err("give a length in seconds, above 0 and up to 3600".into()),
    }
}

fn clip_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (2.0..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("give a length in seconds, from 2 to 600".into()),
    }
}

fn drift_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds == 0.0 || (20.0..=3_600.0).contains(&seconds) => Ok(seconds),
        _ => Err("give a length in seconds, from 20 (two stretches) to 3600, or 0 for none".into()),
    }
}

fn hours(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(hours) if (0.0..=1e6).contains(&hours) => Ok(hours),
        _ => Err("give a number of hours, or 0 for none".into()),
    }
}

/// A whole number within bounds.
fn number(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| match text.parse::<usize>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("give a whole number from {least} to {most}")),
    }
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(minutes) if minutes > 0.0 && minutes <= 1e7 => Ok(minutes),
        _ => Err("give a time in minutes, above 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn devices_parse_and_print() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3", "gpu:0", "gpu:1"] {
            assert_eq!(text.parse::<DeviceArg>().map(|d| d.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("gpu".parse(), Ok(DeviceArg::Gpu(0)));
        for text in ["gpus", "gpu:", "gpu:x", "cuda:", "cuda:x", "cuda:-1", ""] {
            assert!(text.parse::<DeviceArg>().is_err_and(|e| e.contains("cuda:N")), "{text}");
        }
    }

    #[test]
    fn workers_parse() {
        assert_eq!("1/2".parse(), Ok(WorkerArg { number: 1, of: 2 }));
        for text in ["2/2", "0/1", "0", "/", "-1/2", "0/65", "0/2/3"] {
            assert!(text.parse::<WorkerArg>().is_err_and(|e| e.contains("R/N")), "{text}");
        }
    }

    #[test]
    fn precisions_parse_and_print() {
        for text in ["auto", "f32", "bf16", "int8"] {
            assert_eq!(text.parse::<PrecisionArg>().map(|p| p.to_string()), Ok(text.to_owned()));
        }
        assert!("int4".parse::<PrecisionArg>().is_err_and(|e| e.contains("bf16")));
    }

    #[test]
    fn shares_and_lengths_are_bounded() {
        assert_eq!(share("0.05"), Ok(0.05));
        for text in ["1", "-0.1", "nan", "x"] {
            assert!(share(text).is_err(), "{text}");
        }
        for text in ["0", "-1", "inf", "nan", "4000"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
