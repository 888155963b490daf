//! `cargo xtask gpu-pack`: everything that a GPU machine without Rust and without a network needs to train, in one folder.
//!
//! The folder holds the trainer, its configurations, what lies in `kit/` (see its README), a corpus as MIDI or audio, and a
//! model to start from. It is kept small, as such machines are often reached through a narrow door.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::exec::run as execute;
use crate::workspace::Workspace;

/// The largest that the folder may become, in bytes.
const MOST_BYTES: u64 = 60 << 20;
/// Endings of what a corpus is made of.
const MIDI: [&str; 2] = ["mid", "midi"];
const AUDIO: [&str; 10] = ["wav", "flac", "mp3", "ogg", "oga", "m4a", "aif", "aiff", "caf", "mka"];

/// What to take along.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder to lay out; an older one there is replaced.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder of MIDI files, which are played there, or of recordings.
    #[arg(long)]
    corpus: PathBuf,
    /// The sampled piano that plays MIDI files, made by `python3 kit/samples.py`.
    #[arg(long)]
    samples: Option<PathBuf>,
    /// What training starts from there: a model package, or a run's folder whose newest checkpoint goes along.
    #[arg(long)]
    start: Option<PathBuf>,
}

/// Runs the command.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let out = options.out.clone().unwrap_or_else(|| workspace.target.join("gpu-pack"));
    let corpus = pieces(&options.corpus)?;
    let is_midi = corpus.iter().all(|piece| has_ending(piece, &MIDI));
    if is_midi && options.samples.is_none() {
        bail!(
            "{} holds MIDI files, and nothing there plays them: make a sampled piano with `python3 kit/samples.py samples.npz` \
             and give it with --samples",
            options.corpus.display()
        );
    }
    let mut build = workspace.cargo();
    // Without the other way to GPUs: there is a CUDA device, and the folder is to be small.
    build.args(["build", "--release", "--locked", "--package", "continuo-trainer", "--no-default-features"]);
    build.args(["--features", "cuda"]);
    execute(&mut build, "See the errors above")?;

    if out.exists() {
        let own = out.join("run.sh").is_file() || fs::read_dir(&out)?.next().is_none();
        if !own {
            bail!("{} is not a folder that gpu-pack made; give another one with --out", out.display());
        }
        fs::remove_dir_all(&out).with_context(|| format!("cannot replace {}", out.display()))?;
    }
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let program = format!("continuo-trainer{}", std::env::consts::EXE_SUFFIX);
    // A quarter of its size; run.sh unpacks it.
    pack(&workspace.target.join("release").join(program), &out.join("continuo-trainer.gz"))?;
    copy_folder(&workspace.root.join("trainer/configs"), &out.join("configs"))?;
    copy_folder(&workspace.root.join("trainer/plans"), &out.join("plans"))?;
    copy_folder(&workspace.root.join("kit"), &out)?;
    let folder = out.join("corpus");
    for piece in &corpus {
        let place = folder.join(piece.strip_prefix(&options.corpus).unwrap_or(piece));
        copy(piece, &place)?;
    }
    if let Some(samples) = &options.samples {
        copy(samples, &out.join("samples.npz"))?;
    }
    if let Some(start) = &options.start {
        copy_start(start, &out.join("start"))?;
    }

    let parts = sizes(&out)?;
    let whole: u64 = parts.iter().map(|(_, bytes)| bytes).sum();
    for (name, bytes) in &parts {
        println!("{:>8.2} MiB  {name}", mebibytes(*bytes));
    }
    println!("{:>8.2} MiB  {}", mebibytes(whole), out.display());
    if whole > MOST_BYTES {
        bail!("that is more than {} MiB: take along fewer pieces, or samples of fewer layers", MOST_BYTES >> 20);
    }
    println!("there: bash run.sh --minutes 14");
    Ok(())
}

/// A package, or of a run what is needed to go on.
fn copy_start(start: &Path, to: &Path) -> Result<()> {
    if start.is_file() {
        return copy(start, &to.join(start.file_name().unwrap_or_default()));
    }
    let run = to.join("run");
    for name in ["config.toml", "run.json", "log.jsonl"] {
        copy(&start.join(name), &run.join(name))?;
    }
    let newest = files(&start.join("checkpoints"))?.pop();
    let newest = newest.with_context(|| format!("{} holds no checkpoint", start.display()))?;
    copy(&newest, &run.join("checkpoints").join(newest.file_name().unwrap_or_default()))
}

/// The MIDI files of a folder and its subfolders, or if there are none the recordings, in order.
fn pieces(folder: &Path) -> Result<Vec<PathBuf>> {
    let all = files(folder)?;
    for endings in [&MIDI[..], &AUDIO[..]] {
        let found: Vec<PathBuf> = all.iter().filter(|file| has_ending(file, endings)).cloned().collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    bail!("{} holds neither MIDI files nor recordings", folder.display());
}

fn has_ending(file: &Path, endings: &[&str]) -> bool {
    let ending = file.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

/// All files below a folder, in order. Links are not followed.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// A file as a gzip file.
fn pack(from: &Path, to: &Path) -> Result<()> {
    let packed = || -> std::io::Result<()> {
        let mut encoder = GzEncoder::new(fs::File::create(to)?, Compression::best());
        std::io::copy(&mut fs::File::open(from)?, &mut encoder)?;
        encoder.finish()?.sync_all()
    };
    packed().with_context(|| format!("cannot pack {} into {}", from.display(), to.display()))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        // What Python leaves behind when the kit was tried here.
        if file.components().any(|part| part.as_os_str() == "__pycache__") {
            continue;
        }
        copy(&file, &to.join(file.strip_prefix(from).unwrap_or(&file)))?;
    }
    Ok(())
}

/// Bytes of each file and folder of a folder, the largest first.
fn sizes(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut parts: Vec<(String, u64)> = Vec::new();
    for file in files(folder)? {
        let bytes = fs::metadata(&file)?.len();
        let inside = file.strip_prefix(folder).unwrap_or(&file);
        let name =
            inside.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        match parts.iter_mut().find(|(part, _)| *part == name) {
            Some((_, sum)) => *sum += bytes,
            None => parts.push((name, bytes)),
        }
    }
    parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Ok(parts)
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_corpus_is_midi_or_else_recordings() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        };
        write("notes.txt");
        assert!(pieces(folder.path()).unwrap_err().to_string().contains("neither"));
        write("b/two.WAV");
        write("one.flac");
        assert_eq!(pieces(folder.path()).unwrap().len(), 2);
        write("a/piece.mid");
        assert_eq!(pieces(folder.path()).unwrap(), [folder.path().join("a/piece.mid")]);
        assert_eq!(sizes(folder.path()).unwrap().iter().map(|(_, bytes)| bytes).sum::<u64>(), 4);
    }
}
