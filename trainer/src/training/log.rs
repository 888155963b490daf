//! What a run says: a line for people, and a line of JSON for everything else.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use continuo_package::files;
use serde::Serialize;

use super::preview::Sound;
use super::run::RunError;
use super::tensorboard::EventWriter;
pub use super::view::words::duration;
use super::view::{Facts, Moment, View};
use crate::evaluate::spectrum;
use crate::nn::Tensors;
use crate::task::Figures;

/// One line of `log.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event<'a> {
    /// A sitting begins.
    Start {
        /// The step it begins after.
        step: u64,
        /// What computes.
        device: &'a str,
        /// Processes that train together.
        workers: usize,
        /// Weights of each network, by its name.
        parameters: BTreeMap<&'a str, usize>,
        /// Seconds since 1970.
        unix_seconds: u64,
    },
    /// The losses since the last such line.
    Train {
        /// Steps made.
        step: u64,
        /// Mean losses, by name.
        #[serde(flatten)]
        losses: &'a Figures,
        /// Learning rate of each network at the last step, by the network's name.
        learning_rate: BTreeMap<&'a str, f64>,
        /// Norm of each network's last gradient before clipping, by the network's name.
        gradient_norm: &'a Figures,
        /// Frames trained on so far.
        frames_seen: u64,
        /// Frames trained on per second of wall time since the last such line.
        frames_per_second: f64,
        /// Wall time of training so far.
        wall_seconds: f64,
    },
    /// A measurement on held-out recordings, with the averaged weights.
    Heldout {
        /// Steps made.
        step: u64,
        /// What was measured, by name.
        #[serde(flatten)]
        figures: &'a Figures,
        /// Frames trained on so far.
        frames_seen: u64,
        /// Wall time of training so far.
        wall_seconds: f64,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Steps made.
        step: u64,
    },
    /// A checkpoint could not be written.
    CheckpointFailed {
        /// Steps made.
        step: u64,
        /// Why.
        reason: &'a str,
    },
    /// Sounds of the model were written.
    Preview {
        /// Steps made.
        step: u64,
        /// What is wrong with them, if anything.
        alarm: Option<&'a str>,
    },
    /// A sitting ends.
    Stop {
        /// Steps made.
        step: u64,
        /// Why.
        reason: &'a str,
    },
}

/// How a run is told to whoever watches.
#[derive(Debug)]
pub enum Telling {
    /// Not at all.
    Nothing,
    /// Line by line.
    Lines,
    /// On a terminal by a view of it, which begins at a moment; elsewhere line by line.
    View(Box<(Facts, Moment)>),
}

/// Where lines for people go.
#[derive(Debug)]
enum Voice {
    Nowhere,
    StandardError,
    View(View),
}

/// Writes both.
#[derive(Debug)]
pub struct Log {
    file: File,
    /// The same for TensorBoard.
    events: Option<EventWriter>,
    voice: Voice,
}

impl Log {
    /// Goes on with `file` after a step. What a killed trainer wrote of later steps, which will be made again, is taken
    /// out: so the log reads as if it had never been killed.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn after(step: u64, file: &Path, telling: Telling) -> Result<Self, RunError> {
        let io = |action| move |source| RunError::Io { file: file.to_path_buf(), action, source };
        let before = match std::fs::read(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            bytes => bytes.map_err(io("reading"))?,
        };
        // What is no text is no event either.
        let lines = before.split_inclusive(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        let kept: String = lines.filter(|line| is_of(line, step)).collect();
        if kept.as_bytes() != before
            && let Err(error) = files::replace_with(file, &kept)
        {
            tell(&format!("{}: lines of later steps stay in it: {error}", file.display()));
        }
        let opened = OpenOptions::new().create(true).append(true).open(file).map_err(io("opening"))?;
        let events = file.with_file_name("events");
        // Training does not depend on being looked at.
        let events = EventWriter::create(&events, step)
            .inspect_err(|error| tell(&format!("{}: no events for TensorBoard: {error}", events.display())))
            .ok();
        let voice = match telling {
            Telling::Nothing => Voice::Nowhere,
            Telling::Lines => Voice::StandardError,
            Telling::View(begin) => {
                let (facts, moment) = *begin;
                View::open(facts, moment, &kept).map_or(Voice::StandardError, Voice::View)
            }
        };
        Ok(Self { file: opened, events, voice })
    }

    /// Writes an event. A full disk does not stop training here: the next checkpoint says so.
    pub fn event(&mut self, event: &Event<'_>) {
        if let Ok(mut line) = serde_json::to_vec(event) {
            if let (Voice::View(view), Ok(line)) = (&self.voice, std::str::from_utf8(&line)) {
                view.event(line);
            }
            line.push(b'\n');
            self.write(&line);
        }
        let Some(events) = &mut self.events else { return };
        match event {
            Event::Train { step, losses, learning_rate, gradient_norm, frames_per_second, .. } => {
                let losses = losses.iter().map(|(name, loss)| (format!("train/{name}"), *loss));
                let rates = learning_rate.iter().map(|(name, rate)| (format!("learning rate/{name}"), *rate));
                let norms = gradient_norm.iter().map(|(name, norm)| (format!("gradient norm/{name}"), *norm));
                let speed = ("frames per second".to_owned(), *frames_per_second);
                for (tag, value) in losses.chain(rates).chain(norms).chain([speed]) {
                    events.scalar(*step, &tag, value);
                }
            }
            Event::Heldout { step, figures, .. } => {
                for (name, figure) in *figures {
                    events.scalar(*step, &format!("held-out/{name}"), *figure);
                }
            }
            _ => {}
        }
    }

    /// Appends a line, or nothing of it: the next one would be lost with a part.
    fn write(&mut self, line: &[u8]) {
        let before = self.file.metadata().map(|metadata| metadata.len());
        if self.file.write_all(line).is_err()
            && let Ok(before) = before
        {
            let _ = self.file.set_len(before);
        }
    }

    /// How the weights of each tensor are spread, for TensorBoard.
    pub fn weights(&mut self, step: u64, tensors: &Tensors) {
        let Some(events) = &mut self.events else { return };
        for tensor in tensors.layout.tensors() {
            events.histogram(step, &format!("weights/{}", tensor.name), &tensors.values[tensor.range()]);
        }
    }

    /// The sounds of a preview, for TensorBoard.
    pub fn sounds(&mut self, step: u64, sounds: &[Sound]) {
        let Some(events) = &mut self.events else { return };
        for Sound { name, clip, file, heard } in sounds {
            if let Ok(wav) = std::fs::read(file) {
                events.audio(step, name, wav, clip.sample_rate_hz, clip.channels.len(), clip.frames());
            }
            if let Some((png, width, height)) = spectrum::picture(&clip.mono()) {
                events.image(step, &format!("spectrogram/{name}"), png, width, height);
            }
            events.scalar(step, &format!("level in dBFS/{name}"), heard.level_db);
            events.scalar(step, &format!("flatness/{name}"), heard.flatness);
        }
    }

    /// How often progress is shown: a file fills up, a view is drawn over.
    pub fn pace(&self) -> Duration {
        if matches!(self.voice, Voice::View(_)) { Duration::from_secs(1) } else { Duration::from_secs(10) }
    }

    /// Shows where training stands, at its [pace](Self::pace): a view by itself, lines by `line`.
    pub fn progress(&mut self, moment: impl FnOnce() -> Moment, line: impl FnOnce() -> String) {
        match &self.voice {
            Voice::Nowhere => {}
            Voice::StandardError => tell(&line()),
            Voice::View(view) => view.stands(moment()),
        }
    }

    /// Lets a view show where training stands, between two showings of progress.
    pub fn stands(&mut self, moment: impl FnOnce() -> Moment) {
        if let Voice::View(view) = &self.voice {
            view.stands(moment());
        }
    }

    /// Lets a view show what takes longer than a step.
    pub fn doing(&mut self, what: &'static str) {
        if let Voice::View(view) = &self.voice {
            view.doing(what);
        }
    }

    /// Shows a line that stays.
    pub fn say(&mut self, line: &str) {
        match &self.voice {
            Voice::Nowhere => {}
            Voice::StandardError => tell(line),
            Voice::View(view) => view.say(line),
        }
    }

    /// Ends the view, if there is one, with a last picture. What is said from then on stands below it.
    pub fn close(&mut self) {
        self.voice = match std::mem::replace(&mut self.voice, Voice::Nowhere) {
            // A terminal that takes nothing any more would keep the program from its end.
            Voice::View(view) => {
                if view.close() {
                    Voice::StandardError
                } else {
                    Voice::Nowhere
                }
            }
            other => other,
        };
    }
}

/// Writes a line for people. That nobody is there to read it is no reason to stop.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether a line is a whole event of a step up to `step`.
fn is_of(line: &str, step: u64) -> bool {
    #[derive(serde::Deserialize)]
    struct Of {
        step: u64,
    }
    line.ends_with('\n') && serde_json::from_str::<Of>(line).is_ok_and(|of| of.step <= step)
}
