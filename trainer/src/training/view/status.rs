//! What is shown: where a run stands, and how it came there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::history::Series;
use super::pace::Pace;
use crate::task::Figures;

/// What does not change during a sitting.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The run's folder, printable.
    pub name: String,
    /// Family and size of the model.
    pub model: String,
    /// What computes.
    pub device: String,
    /// Steps after which training is finished.
    pub steps: u64,
    /// Frames of audio in a second.
    pub sample_rate_hz: u32,
    /// The held-out figure that counts; less is better.
    pub judged_by: &'static str,
    /// Time between checkpoints.
    pub checkpoint_every: Duration,
    /// Steps between previews; 0 = none.
    pub preview_every_steps: u64,
    /// When the sitting ends at the latest.
    pub until: Option<Instant>,
}

/// Where training stands at a moment.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Steps made.
    pub step: u64,
    /// Frames trained on.
    pub frames_seen: u64,
    /// Wall time of training so far, over all sittings.
    pub wall_seconds: f64,
    /// Mean losses since the last line of the log; empty right after one.
    pub losses: Figures,
    /// The newest held-out figures; empty without any.
    pub heldout: Figures,
    /// The best held-out figure so far, and its step.
    pub best: Option<(u64, f64)>,
}

/// A checkpoint that is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Its step.
    pub step: u64,
    /// When it was written, or when this sitting went on from it.
    pub at: Instant,
    /// Whether it is of a sitting before.
    pub gone_on_from: bool,
}

/// The newest preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Its step.
    pub step: u64,
    /// What is wrong with it.
    pub alarm: Option<String>,
}

/// Where a run stands.
#[derive(Debug, Clone)]
pub struct Status {
    /// What it is.
    pub facts: Facts,
    /// The newest moment, and when that was.
    pub moment: Moment,
    /// When that was.
    pub at: Instant,
    /// How fast it goes.
    pub pace: Pace,
    /// The course of the training loss, and its name.
    pub training: (String, Series),
    /// The course of the held-out figure that counts.
    pub heldout: Series,
    /// Learning rate of each network.
    pub learning_rate: Figures,
    /// Norm of each network's gradient.
    pub gradient_norm: Figures,
    /// The newest checkpoint.
    pub saved: Option<Saved>,
    /// When the wait for the next checkpoint began.
    pub waiting_since: Instant,
    /// Why the newest checkpoint could not be written.
    pub not_saved: Option<String>,
    /// The newest preview.
    pub preview: Option<Preview>,
    /// What training waits for, if it is not making a step.
    pub doing: Option<&'static str>,
    /// Whether it was asked to stop.
    pub stopping: bool,
    /// Whether the sitting is over.
    pub over: bool,
}

impl Status {
    /// Of a sitting that begins at a moment, on a run whose log is `log`. Lines that are no events are passed over.
    pub fn new(facts: Facts, moment: Moment, log: &str, at: Instant) -> Self {
        let saved = Some(Saved { step: moment.step, at, gone_on_from: moment.step > 0 });
        let mut status = Self {
            facts,
            moment,
            at,
            pace: Pace::default(),
            training: (String::new(), Series::default()),
            heldout: Series::default(),
            learning_rate: Figures::new(),
            gradient_norm: Figures::new(),
            saved,
            waiting_since: at,
            not_saved: None,
            preview: None,
            doing: None,
            stopping: false,
            over: false,
        };
        log.lines().for_each(|line| status.event(line, at));
        // The log does not say when its checkpoints were written, and some may be gone.
        (status.saved, status.not_saved) = (saved, None);
        status.pace.note(at, status.moment.step, status.moment.frames_seen);
        status
    }

    /// Training has come to a moment.
    pub fn stands(&mut self, moment: Moment, at: Instant) {
        self.pace.note(at, moment.step, moment.frames_seen);
        let losses = std::mem::take(&mut self.moment.losses);
        self.moment = moment;
        if self.moment.losses.is_empty() {
            self.moment.losses = losses;
        }
        self.at = at;
    }

    /// Takes in a line of the log.
    pub fn event(&mut self, line: &str, at: Instant) {
        let Ok(Value::Object(event)) = serde_json::from_str(line) else { return };
        let Some(step) = event.get("step").and_then(Value::as_u64) else { return };
        let text = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
        match event.get("event").and_then(Value::as_str) {
            Some("train") => {
                let losses = figures(&event);
                if self.training.0.is_empty()
                    && let Some(name) = comparable(&losses, self.facts.judged_by).or(losses.keys().next())
                {
                    self.training.0.clone_from(name);
                }
                if let Some(&loss) = losses.get(&self.training.0) {
                    self.training.1.push(step, loss);
                }
                let of = |key: &str| event.get(key).and_then(Value::as_object).map(figures).unwrap_or_default();
                (self.learning_rate, self.gradient_norm) = (of("learning_rate"), of("gradient_norm"));
                self.moment.losses = losses;
            }
            Some("heldout") => {
                if let Some(figure) = event.get(self.facts.judged_by).and_then(Value::as_f64) {
                    self.heldout.push(step, figure);
                }
            }
            Some("checkpoint") => {
                self.saved = Some(Saved { step, at, gone_on_from: false });
                (self.waiting_since, self.not_saved) = (at, None);
            }
            Some("checkpoint-failed") => {
                (self.waiting_since, self.not_saved) = (at, Some(text("reason").unwrap_or_default()));
            }
            Some("preview") => self.preview = Some(Preview { step, alarm: text("alarm") }),
            _ => {}
        }
    }

    /// Whether training loss and held-out figure are of one unit, and so of one chart.
    pub fn one_unit(&self) -> bool {
        unit(&self.training.0) == unit(self.facts.judged_by)
    }

    /// Whether something is wrong that a user should look at.
    pub fn is_alarmed(&self) -> bool {
        self.not_saved.is_some() || self.preview.as_ref().is_some_and(|preview| preview.alarm.is_some())
    }
}

/// The figures of an event: its numbers, without those that every event has.
fn figures(event: &Map<String, Value>) -> Figures {
    let common = ["step", "frames_seen", "frames_per_second", "wall_seconds"];
    let named = event.iter().filter(|(name, _)| !common.contains(&name.as_str()));
    named.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect::<BTreeMap<_, _>>()
}

/// The last word of a figure's name: `nll_nats` and `loss_nats` are in nats.
fn unit(name: &str) -> &str {
    name.rsplit('_').next().unwrap_or(name)
}

/// The loss that can be laid beside a held-out figure.
fn comparable<'a>(losses: &'a Figures, judged_by: &str) -> Option<&'a String> {
    let named = |same: fn(&str, &str) -> bool| losses.keys().find(|name| same(name, judged_by));
    named(|name, judged_by| name == judged_by).or_else(|| named(|name, judged_by| unit(name) == unit(judged_by)))
}

#[cfg(test)]
pub mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A status as of a run that is underway.
    pub fn example(log: &str, step: u64) -> Status {
        let facts = Facts {
            name: "piano-2".into(),
            model: "wavenet, 29 888 weights, receptive field 511 frames".into(),
            device: "cpu, 2 threads".into(),
            steps: 11_000,
            sample_rate_hz: 16_000,
            judged_by: "nll_nats",
            checkpoint_every: Duration::from_mins(10),
            preview_every_steps: 1_000,
            until: None,
        };
        let moment = Moment {
            step,
            frames_seen: step * 16_384,
            wall_seconds: step as f64 / 2.0,
            losses: Figures::from([("loss_bits".into(), 3.91), ("loss_nats".into(), 2.71)]),
            heldout: Figures::from([("frames".into(), 131_072.0), ("nll_nats".into(), 2.75)]),
            best: Some((2_000, 2.7301)),
        };
        Status::new(facts, moment, log, Instant::now())
    }

    /// A log of so many steps, a line every ten of them.
    pub fn log(steps: u64) -> String {
        let mut log = String::from("{\"event\":\"start\",\"step\":0,\"device\":\"cpu\"}\n");
        for step in (10..=steps).step_by(10) {
            let loss = 2.7 + 3.0 * (-(step as f64) / 300.0).exp();
            let _ = writeln!(
                log,
                "{{\"event\":\"train\",\"step\":{step},\"loss_bits\":{},\"loss_nats\":{loss},\"learning_rate\":{{\"wavenet\":0.003}},\
                 \"gradient_norm\":{{\"wavenet\":0.42}},\"frames_seen\":1,\"frames_per_second\":2.0,\"wall_seconds\":3.0}}",
                loss * 1.44
            );
            if step.is_multiple_of(250) {
                let loss = loss + 0.05;
                let _ = writeln!(log, "{{\"event\":\"heldout\",\"step\":{step},\"frames\":9,\"nll_nats\":{loss}}}");
            }
            if step.is_multiple_of(1000) {
                let _ = writeln!(log, "{{\"event\":\"preview\",\"step\":{step},\"alarm\":null}}");
            }
        }
        log
    }

    #[test]
    fn a_log_is_read_however_broken() {
        let good = log(1_000);
        let broken = format!(
            "\u{0}\u{0}\n[1]\n{{\"event\":\"train\"}}\n{{\"step\":3}}\nnull\n\n{{\"event\":\"trai\n{good}{{\"ev"
        );
        let (whole, status) = (example(&good, 1_000), example(&broken, 1_000));
        assert_eq!(status.training.0, "loss_nats");
        assert_eq!(status.training.1.points(), whole.training.1.points());
        assert_eq!(status.heldout.points().iter().map(|point| point.step).collect::<Vec<_>>(), [250, 500, 750, 1_000]);
        assert_eq!(status.learning_rate, Figures::from([("wavenet".into(), 0.003)]));
        assert_eq!(status.gradient_norm, Figures::from([("wavenet".into(), 0.42)]));
        assert_eq!(status.preview, Some(Preview { step: 1_000, alarm: None }));
        assert!(status.one_unit() && !status.is_alarmed());
    }

    #[test]
    fn alarms_stay_until_all_is_well() {
        let mut status = example("", 1_200);
        assert!(status.saved.is_some_and(|saved| saved.gone_on_from && saved.step == 1_200));
        let now = Instant::now();
        status.event("{\"event\":\"preview\",\"step\":2000,\"alarm\":\"the phrase is silence\"}", now);
        status.event("{\"event\":\"train\",\"step\":2010,\"loss_nats\":1.0}", now);
        assert!(status.is_alarmed());
        status.event("{\"event\":\"preview\",\"step\":3000,\"alarm\":null}", now);
        assert!(!status.is_alarmed());
        status.event("{\"event\":\"checkpoint-failed\",\"step\":3000,\"reason\":\"no space\"}", now);
        assert!(status.is_alarmed() && status.saved.is_some_and(|saved| saved.step == 1_200));
        status.event("{\"event\":\"checkpoint\",\"step\":3100}", now);
        assert!(!status.is_alarmed() && status.saved.is_some_and(|saved| saved.step == 3_100 && !saved.gone_on_from));
    }

    #[test]
    fn losses_of_other_units_have_a_chart_of_their_own() {
        let mut status = example("", 0);
        status.event("{\"event\":\"train\",\"step\":1,\"critic\":-3.0,\"generator\":1.0}", Instant::now());
        assert_eq!(status.training.0, "critic");
        assert!(!status.one_unit());
    }
}
