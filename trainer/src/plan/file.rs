//! The file of a plan.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Largest file that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// What is wrong with a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanFault {
    /// It cannot be read.
    #[error("{}: cannot be read: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is no plan.
    #[error("{}: {reason}", file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
}

/// Stages in the order in which they are run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The stages.
    pub stages: Vec<Stage>,
}

/// One command of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name, which is that of the folder or package that it makes.
    pub name: String,
    /// What it does.
    pub action: Action,
}

/// What a stage does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Trains a configuration on the plan's dataset, or on the codes of a stage.
    Train {
        /// The configuration.
        config: PathBuf,
        /// The stage that makes its dataset; none for the plan's own.
        data: Option<String>,
    },
    /// Makes a dataset of the codes of a stage's run.
    Codes {
        /// The stage that trained the encoder.
        run: String,
    },
    /// Writes a package.
    Export {
        /// The stage that trained level 0.
        run: String,
        /// Stages that trained the other parts, second levels before priors.
        with: Vec<String>,
        /// Who made the model.
        author: String,
        /// Licence of the weights.
        licence: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    stage: Vec<RawStage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStage {
    name: String,
    train: Option<PathBuf>,
    data: Option<String>,
    codes: Option<String>,
    export: Option<String>,
    with: Option<Vec<String>>,
    author: Option<String>,
    licence: Option<String>,
}

impl Plan {
    /// Reads and checks a plan. Configurations are found from the folder of the file.
    ///
    /// # Errors
    /// [`PlanFault`], which names the file and the stage.
    pub fn read(file: &Path) -> Result<Self, PlanFault> {
        let io = |source| PlanFault::Io { file: file.to_path_buf(), source };
        let wrong = |reason: String| PlanFault::Wrong { file: file.to_path_buf(), reason };
        if std::fs::metadata(file).map_err(io)?.len() > MOST_BYTES {
            return Err(wrong("is larger than any plan; give a TOML file such as those in trainer/plans".into()));
        }
        let text = std::fs::read_to_string(file).map_err(io)?;
        Self::parse(&text, file.parent().unwrap_or(Path::new(""))).map_err(wrong)
    }

    /// The same of a text whose configurations lie in `folder`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let raw: Raw = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut stages: Vec<Stage> = Vec::new();
        for raw in raw.stage {
            let name = raw.name.clone();
            let stage = stage(raw, folder).map_err(|reason| format!("the stage {name:?} {reason}"))?;
            stages.push(stage);
        }
        if stages.is_empty() {
            return Err("has no [[stage]]; see trainer/plans".into());
        }
        let plan = Self { stages };
        for (at, stage) in plan.stages.iter().enumerate() {
            plan.check(at).map_err(|reason| format!("the stage {:?} {reason}", stage.name))?;
        }
        Ok(plan)
    }

    /// The stage of this name.
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// Whether what a stage needs comes before it and is what it needs.
    fn check(&self, at: usize) -> Result<(), String> {
        let Stage { name, action } = &self.stages[at];
        let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err("must have a name of letters, digits, - and _: it becomes a folder's".into());
        }
        if self.stages[..at].iter().any(|before| before.name == *name) {
            return Err("is there twice".into());
        }
        let before = |wanted: &str| {
            let found = self.stages[..at].iter().find(|stage| stage.name == wanted);
            found.ok_or_else(|| format!("needs {wanted:?}, which is no stage before it"))
        };
        let trains = |wanted: &str| match before(wanted)?.action {
            Action::Train { .. } => Ok(()),
            _ => Err(format!("needs {wanted:?} to be a stage that trains")),
        };
        match action {
            Action::Train { data: Some(data), .. } => match before(data)?.action {
                Action::Codes { .. } => Ok(()),
                _ => Err(format!("is trained on {data:?}, which makes no codes")),
            },
            Action::Train { data: None, .. } => Ok(()),
            Action::Codes { run } => trains(run),
            Action::Export { run, with, .. } => {
                trains(run)?;
                with.iter().try_for_each(|part| trains(part))
            }
        }
    }
}

/// What a stage of the file does.
fn stage(raw: RawStage, folder: &Path) -> Result<Stage, String> {
    let RawStage { name, train, data, codes, export, with, author, licence } = raw;
    let only = |what: &str, is: bool| if is { Ok(()) } else { Err(format!("has {what}, which it has no use for")) };
    only("`data`", data.is_none() || train.is_some())?;
    let of_export = with.is_none() && author.is_none() && licence.is_none();
    only("`with`, `author` or `licence`", of_export || export.is_some())?;
    let action = match (train, codes, export) {
        (Some(config), None, None) => Action::Train { config: folder.join(config), data },
        (None, Some(run), None) => Action::Codes { run },
        (None, None, Some(run)) => Action::Export {
            run,
            with: with.unwrap_or_default(),
            author: author.unwrap_or_else(|| "unknown".into()),
            licence: licence.unwrap_or_else(|| "NOASSERTION".into()),
        },
        _ => return Err("must have one of `train`, `codes` and `export`".into()),
    };
    Ok(Stage { name, action })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config;
    use crate::family::FAMILIES;

    const GOOD: &str = "
        [[stage]]\nname = \"level\"\ntrain = \"a.toml\"\n
        [[stage]]\nname = \"codes\"\ncodes = \"level\"\n
        [[stage]]\nname = \"prior\"\ntrain = \"b.toml\"\ndata = \"codes\"\n
        [[stage]]\nname = \"model\"\nexport = \"level\"\nwith = [\"prior\"]\n";

    #[test]
    fn stages_stand_on_stages_before_them() {
        let plan = Plan::parse(GOOD, Path::new("configs")).unwrap();
        assert_eq!(plan.stages.len(), 4);
        let expected = Action::Train { config: "configs/b.toml".into(), data: Some("codes".into()) };
        assert_eq!(plan.stage("prior").unwrap().action, expected);
        let said = |from: &str, to: &str| {
            assert!(GOOD.contains(from));
            Plan::parse(&GOOD.replace(from, to), Path::new("")).unwrap_err()
        };
        assert!(said("codes = \"level\"", "codes = \"nobody\"").contains("no stage before it"));
        assert!(said("data = \"codes\"", "data = \"level\"").contains("makes no codes"));
        assert!(said("with = [\"prior\"]", "with = [\"codes\"]").contains("trains"));
        assert!(said("name = \"prior\"", "name = \"level\"").contains("twice"));
        assert!(said("name = \"prior\"", "name = \"../x\"").contains("name of letters"));
        assert!(said("codes = \"level\"", "codes = \"level\"\nexport = \"level\"").contains("one of"));
        assert!(said("codes = \"level\"", "codes = \"level\"\ndata = \"level\"").contains("no use"));
        assert!(said("train = \"a.toml\"", "").contains("one of"));
        assert!(Plan::parse("stage = []", Path::new("")).unwrap_err().contains("no [[stage]]"));
    }

    #[test]
    fn shipped_plans_are_sound_and_their_configurations_fit_each_other() {
        let mut seen = 0;
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("plans")).unwrap() {
            let plan = Plan::read(&entry.unwrap().path()).unwrap_or_else(|error| panic!("{error}"));
            seen += 1;
            for stage in &plan.stages {
                if let Action::Train { config, data } = &stage.action {
                    let own = config::read(config, FAMILIES).unwrap_or_else(|error| panic!("{error}"));
                    let Some(Action::Codes { run }) = data.as_ref().map(|data| &plan.stage(data).unwrap().action)
                    else {
                        continue;
                    };
                    let Action::Train { config, .. } = &plan.stage(run).unwrap().action else { panic!("{run}") };
                    let encoder = config::read(config, FAMILIES).unwrap();
                    let hop = toml::from_str::<toml::Table>(&encoder.to_toml()).unwrap()["model"]["hop"]
                        .as_integer()
                        .unwrap();
                    let rate = crate::codes::dataset::codes_per_second(encoder.sample_rate_hz(), hop as u32);
                    assert_eq!(own.sample_rate_hz(), rate, "{}", stage.name);
                }
            }
        }
        assert!(seen >= 3);
    }
}
